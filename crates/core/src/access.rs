//! API keys: `hf_<tenant>.<kid>.<secret>`, what they allow, and which user they may act for.
//!
//! The secret ends in a MAC under `root_secret`, so that a made-up key is refused before any I/O. At rest lies only its
//! SHA-256.

use crate::record::WriterKind;
use crate::{Case, Error, KeyId, Result, Scope, TenantId, UserId, token};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Reading sessions, messages, memories.
    Read,
    /// Storing.
    Write,
    /// Storing roles other than `user`; implied by a service key.
    Roles,
    /// Deleting.
    Delete,
    /// Exporting training sets.
    Export,
    /// Erasing users.
    Erase,
    /// Making and revoking keys.
    Keys,
    /// Operating: doctor, upkeep, metrics.
    Admin,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Permission; 8] = [
        Permission::Read,
        Permission::Write,
        Permission::Roles,
        Permission::Delete,
        Permission::Export,
        Permission::Erase,
        Permission::Keys,
        Permission::Admin,
    ];

    /// Name as REST spells it.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Roles => "roles",
            Permission::Delete => "delete",
            Permission::Export => "export",
            Permission::Erase => "erase",
            Permission::Keys => "keys",
            Permission::Admin => "admin",
        }
    }
}

/// A key as a request carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// Its name.
    pub kid: KeyId,
    secret: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf_{}.{}.***", self.tenant, self.kid)
    }
}

impl ApiKey {
    /// A new key from 18 random bytes.
    pub fn mint(tenant: TenantId, kid: KeyId, random: &[u8; 18], root_secret: &[u8]) -> Self {
        let random = URL_SAFE_NO_PAD.encode(random);
        let mac = URL_SAFE_NO_PAD.encode(mac(&tenant, &kid, &random, root_secret));
        Self { tenant, kid, secret: random + &mac }
    }

    /// Reads the text of a key and checks its MAC; no I/O.
    ///
    /// # Errors
    /// `unauthenticated` when it is not a key made under `root_secret`.
    pub fn parse(text: &str, root_secret: &[u8]) -> Result<Self> {
        let key = Self::parse_unchecked(text).ok_or_else(wrong)?;
        let (random, given) = key.secret.split_at_checked(24).ok_or_else(wrong)?;
        let made = URL_SAFE_NO_PAD.encode(mac(&key.tenant, &key.kid, random, root_secret));
        token::same(given.as_bytes(), made.as_bytes()).then_some(()).ok_or_else(wrong)?;
        Ok(key)
    }

    /// Reads the text of a key without checking its MAC: for the root key, which is known by its hash.
    pub fn parse_unchecked(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("hf_")?.splitn(3, '.');
        let tenant = TenantId::parse(parts.next()?).ok()?;
        let kid = KeyId::parse(parts.next()?).ok()?;
        let secret = parts.next().filter(|secret| secret.is_ascii() && !secret.is_empty())?;
        Some(Self { tenant, kid, secret: secret.to_owned() })
    }

    /// The text that a client sends.
    pub fn reveal(&self) -> String {
        format!("hf_{}.{}.{}", self.tenant, self.kid, self.secret)
    }

    /// SHA-256 of the text, in hex: all that is stored of it.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.reveal().as_bytes()))
    }
}

fn mac(tenant: &TenantId, kid: &KeyId, random: &str, root_secret: &[u8]) -> [u8; 16] {
    let parts = [b"key", tenant.as_str().as_bytes(), kid.as_str().as_bytes(), random.as_bytes()];
    token::mac(root_secret, &parts)
}

fn wrong() -> Error {
    let detail = "no valid key: send `Authorization: Bearer hf_<tenant>.<kid>.<secret>`";
    Error::because(Case::Denied, "unauthenticated", detail)
}

/// A key's record: what `keys/<kid>/created.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Version of this form.
    pub v: u32,
    /// Its name.
    pub kid: KeyId,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// Service, user or admin.
    pub kind: WriterKind,
    /// The only user that a user key may act for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// The key that made it: revoking that one revokes this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<KeyId>,
    /// What it is for, by its maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of its text, in hex.
    pub secret_sha256: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

/// Who asks: a key that was looked up and is not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its key.
    pub kid: KeyId,
    /// Kind of its key.
    pub kind: WriterKind,
    /// The only user that it may act for.
    pub user: Option<UserId>,
    /// What it may do.
    pub permissions: Vec<Permission>,
}

impl From<KeyRecord> for Caller {
    fn from(record: KeyRecord) -> Self {
        let KeyRecord { tenant, kid, kind, user, permissions, .. } = record;
        Self { tenant, kid, kind, user, permissions }
    }
}

impl Caller {
    /// The caller behind the root key of an installation: a service key that may do everything in its tenant.
    pub fn root(tenant: TenantId, kid: KeyId) -> Self {
        let permissions = Permission::ALL.to_vec();
        Self { tenant, kid, kind: WriterKind::Service, user: None, permissions }
    }

    /// Checks that the key allows `permission`.
    ///
    /// # Errors
    /// `denied` that names the missing permission.
    pub fn may(&self, permission: Permission) -> Result<()> {
        if self.permissions.contains(&permission) {
            return Ok(());
        }
        Err(Error::denied(format!("this key lacks the permission {}", permission.name())))
    }

    /// The scope of a request that names users in several places (body, query, header); all must agree.
    ///
    /// # Errors
    /// `missing_scope` when a service key names nobody, `contradicting_scope` when two places differ, `denied` when a
    /// user key names somebody else, or an admin key anybody.
    pub fn scope(&self, named: &[Option<&str>]) -> Result<Scope> {
        let mut names = named.iter().flatten();
        let first = names.next();
        if let Some(first) = first
            && names.any(|other| other != first)
        {
            let detail = "body, query and Holdfast-User name different users: name one";
            return Err(Error::because(Case::Invalid, "contradicting_scope", detail).at("user_id"));
        }
        let named = first.map(|name| UserId::parse(name)).transpose()?;
        let user = match (self.kind, &self.user, named) {
            (WriterKind::Admin, ..) => {
                return Err(Error::denied(
                    "an admin key acts for no user: use a service or user key",
                ));
            }
            (WriterKind::User, None, _) => {
                return Err(Error::denied("this user key is bound to nobody: make a new one"));
            }
            (_, Some(own), None) => own.clone(),
            (_, Some(own), Some(named)) if *own == named => named,
            (_, Some(_), Some(_)) => {
                return Err(Error::denied("this key is bound to another user").at("user_id"));
            }
            (_, None, Some(named)) => named,
            (_, None, None) => {
                let detail =
                    "name the user: `user_id` in body or query, or the header Holdfast-User";
                return Err(Error::because(Case::Invalid, "missing_scope", detail).at("user_id"));
            }
        };
        Ok(Scope { tenant: self.tenant.clone(), user })
    }

    /// May this caller store messages of roles other than `user`?
    pub fn may_set_roles(&self) -> bool {
        self.kind == WriterKind::Service || self.permissions.contains(&Permission::Roles)
    }
}
