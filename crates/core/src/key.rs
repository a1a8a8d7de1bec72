//! Object keys: the only place where ids become key segments.
//!
//! `[a-z0-9_-]` stand for themselves, every other byte is `~hh`; a segment over 200 bytes is `~~` and the first 32 hex
//! digits of the id's SHA-256 (the id itself is in the records).

use crate::{KeyId, Scope, TenantId, UserId};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

const MAX_SEGMENT: usize = 200;

/// A whole object key, made here from parsed ids or parsed from a list's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// The beginning of keys, ending with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(String);

impl Key {
    /// The key as the bucket spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key that a list, a `prev` or a token named. It must lie below `prefix`.
    pub fn below(prefix: &Prefix, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(prefix.as_str())?;
        let clean = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-~.".contains(&b))
                && part != "."
                && part != ".."
        };
        rest.split('/').all(clean).then(|| Self(text.to_owned()))
    }

    /// A key for tests of stores, as it stands. Production keys come from the functions below.
    #[doc(hidden)]
    pub fn raw(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Hash in the object's name: 32 hex digits of its SHA-256, where its kind has one.
    pub fn hash(&self) -> Option<&str> {
        let name = self.0.rsplit('/').next()?;
        let stem = name.split('.').next()?;
        let hash = stem.get(27..)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (stem.as_bytes().get(26) == Some(&b'-') && hash.len() == 32 && hash.bytes().all(hex))
            .then_some(hash)
    }

    /// What the object is among those of its user: the name after `u/<user>/`, as `wal` or `seg`.
    pub fn part(&self) -> Part {
        match self.0.split('/').nth(5) {
            Some("wal") => Part::Wal,
            Some("seg") => Part::Segment,
            Some("cov") => Part::Cover,
            Some("man") => Part::Manifest,
            Some("idx") => Part::Index,
            _ => Part::Other,
        }
    }

    /// ULID in the object's name, where its kind has one.
    pub fn ulid(&self) -> Option<&str> {
        let name = self.0.rsplit('/').next()?;
        name.get(..26).filter(|ulid| ulid::Ulid::from_string(ulid).is_ok())
    }
}

/// What an object is among those of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A manifest: see [`crate::manifest`].
    Manifest,
    /// What a segment covers: see [`crate::cover`].
    Cover,
    /// A sealed segment: see [`crate::segment`].
    Segment,
    /// An acknowledged write: see [`crate::record`].
    Wal,
    /// What an index made of the others: a copy that may go at any time.
    Index,
    /// Anything else.
    Other,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Prefix {
    /// The prefix as the bucket spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A prefix for tests of stores, as it stands.
    #[doc(hidden)]
    pub fn raw(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

fn segment(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "~{byte:02x}");
            }
        }
    }
    if out.len() > MAX_SEGMENT { format!("~~{}", hash32(id.as_bytes())) } else { out }
}

/// First 32 hex digits of the SHA-256 of `bytes`: the `<hash>` of object names.
pub fn hash32(bytes: &[u8]) -> String {
    let mut hex = hex::encode(Sha256::digest(bytes));
    hex.truncate(32);
    hex
}

/// Everything.
pub fn everything() -> Prefix {
    Prefix("v1/".to_owned())
}

/// Everything of a tenant.
pub fn tenant(tenant: &TenantId) -> Prefix {
    Prefix(format!("v1/t/{}/", segment(tenant.as_str())))
}

/// Everything of all tenants.
pub fn tenants() -> Prefix {
    Prefix("v1/t/".to_owned())
}

/// Everything of a user.
pub fn user(scope: &Scope) -> Prefix {
    Prefix(format!("{}u/{}/", tenant(&scope.tenant).0, segment(scope.user.as_str())))
}

/// Users of a tenant, one common prefix each.
pub fn users(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}u/", tenant(tenant_id).0))
}

/// The user whose keys have this segment; none for one that is only a hash, or not ours.
pub fn user_of(text: &str) -> Option<UserId> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..)?;
        if first == '~' {
            bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(u8::try_from(first).ok()?);
        }
    }
    let user = UserId::parse(&String::from_utf8(bytes).ok()?).ok()?;
    (segment(user.as_str()) == text).then_some(user)
}

/// All WAL objects of a user.
pub fn wal(scope: &Scope) -> Prefix {
    Prefix(format!("{}wal/", user(scope).0))
}

/// Manifests of a user.
pub fn manifests(scope: &Scope) -> Prefix {
    Prefix(format!("{}man/", user(scope).0))
}

/// Segments of a user.
pub fn segments(scope: &Scope) -> Prefix {
    Prefix(format!("{}seg/", user(scope).0))
}

/// Covers of a user's segments.
pub fn covers(scope: &Scope) -> Prefix {
    Prefix(format!("{}cov/", user(scope).0))
}

/// One segment: `seg/<ulid>-<hash>.zst`.
pub fn segment_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    Key(format!("{}{ulid}-{}.zst", segments(scope).0, hash32(bytes)))
}

/// What a segment covers: `cov/<ulid>-<hash>.zst`, the ULID being the segment's.
pub fn cover_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    Key(format!("{}{ulid}-{}.zst", covers(scope).0, hash32(bytes)))
}

/// A user's index parts.
pub fn index_parts(scope: &Scope) -> Prefix {
    Prefix(format!("{}idx/", user(scope).0))
}

/// One index part: `idx/<ulid>-<hash>.hfx`. All that was listed when the ULID was made is in it.
pub fn index_part(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    Key(format!("{}{ulid}-{}.hfx", index_parts(scope).0, hash32(bytes)))
}

/// One manifest: `man/<ulid>-<hash>.json`.
pub fn manifest_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    Key(format!("{}{ulid}-{}.json", manifests(scope).0, hash32(bytes)))
}

/// The key that one of the user's objects names another by: without the user's prefix.
pub fn name<'k>(scope: &Scope, key: &'k Key) -> &'k str {
    key.as_str().strip_prefix(user(scope).as_str()).unwrap_or(key.as_str())
}

/// The key of a [`name`] that one of the user's objects holds; none when it is no name.
pub fn named(scope: &Scope, name: &str) -> Option<Key> {
    let prefix = user(scope);
    Key::below(&prefix, &format!("{}{name}", prefix.0))
}

/// Bytes of a user's attachments.
pub fn attachments(scope: &Scope) -> Prefix {
    Prefix(format!("{}att/", user(scope).0))
}

/// A part of an attachment: `att/<ulid>-<hash>`.
pub fn attachment_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    Key(format!("{}{ulid}-{}", attachments(scope).0, hash32(bytes)))
}

/// WAL objects of a user on one UTC day (`yyyymmdd`).
pub fn wal_day(scope: &Scope, day: &str) -> Prefix {
    Prefix(format!("{}{day}/", wal(scope).0))
}

/// One WAL object: `wal/<yyyymmdd>/<ulid>-<hash>.jsonl`, the day being that of the ULID.
pub fn wal_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    let day = crate::clock::day(ulid.timestamp_ms());
    Key(format!("{}{ulid}-{}.jsonl", wal_day(scope, &day).0, hash32(bytes)))
}

/// One WAL object that holds a purge: as another, with a name that tells compactors that it is not to wait.
pub fn purging_object(scope: &Scope, ulid: ulid::Ulid, bytes: &[u8]) -> Key {
    let plain = wal_object(scope, ulid, bytes).0;
    Key(plain.strip_suffix(".jsonl").unwrap_or(&plain).to_owned() + PURGING)
}

/// Does the WAL object of this name hold a purge?
pub fn is_purging(name: &str) -> bool {
    name.ends_with(PURGING)
}

const PURGING: &str = ".purge.jsonl";

/// The record of an API key's making.
pub fn api_key_created(tenant_id: &TenantId, kid: &KeyId) -> Key {
    Key(format!("{}keys/{}/created.json", tenant(tenant_id).0, segment(kid.as_str())))
}

/// The record of an API key's end.
pub fn api_key_revoked(tenant_id: &TenantId, kid: &KeyId) -> Key {
    Key(format!("{}keys/{}/revoked.json", tenant(tenant_id).0, segment(kid.as_str())))
}

/// API keys of a tenant.
pub fn api_keys(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}keys/", tenant(tenant_id).0))
}

/// The erases of all users of a tenant.
pub fn ledger(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}erased/", tenant(tenant_id).0))
}

/// What is left of the erases of a user, who is only a MAC here.
pub fn erasures(tenant_id: &TenantId, mac: &str) -> Prefix {
    Prefix(format!("{}erased/{}/", tenant(tenant_id).0, segment(mac)))
}

/// One erase, below [`erasures`].
pub fn erasure(prefix: &Prefix, erase: ulid::Ulid) -> Key {
    Key(format!("{}{erase}.json", prefix.0))
}

/// What a step of an erase is about to remove.
pub fn erase_sweep(prefix: &Prefix, erase: ulid::Ulid, step: ulid::Ulid) -> Key {
    Key(format!("{}{erase}-{step}-swept.json", prefix.0))
}

/// A receipt of an erase: of its first half, or the final one.
pub fn erase_receipt(prefix: &Prefix, erase: ulid::Ulid, step: ulid::Ulid, last: bool) -> Key {
    let name = if last { "final" } else { "receipt" };
    Key(format!("{}{erase}-{step}-{name}.json", prefix.0))
}

/// Exports of a tenant.
pub fn exports(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}exp/", tenant(tenant_id).0))
}

/// Everything of one export.
pub fn export(tenant_id: &TenantId, export: ulid::Ulid) -> Prefix {
    Prefix(format!("{}{export}/", exports(tenant_id).0))
}

/// Name of an export's manifest, which is written last: below [`export`], as those that follow.
pub const EXPORT_MANIFEST: &str = "_MANIFEST.json";

/// How names of what an export keeps while it runs begin.
pub const EXPORT_WORK: &str = "_work/";

/// Name of what was asked of an export.
pub const EXPORT_ASKED: &str = "_work/asked.json";

/// Name of the mark of one that was cancelled.
pub const EXPORT_CANCELLED: &str = "_work/cancelled.json";

/// How lists of whose messages are in an export's files begin: a number and `.json` follow.
pub const EXPORT_USERS: &str = "_work/users-";

/// What an export keeps while it runs, below [`export`]: `work`.
pub fn export_work(export: &Prefix) -> Prefix {
    Prefix(format!("{}{EXPORT_WORK}", export.0))
}

/// Lists of users whom hosts wrote.
pub fn dirty(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}dirty/", tenant(tenant_id).0))
}

/// One list: `dirty/<yyyymmddhh>/<ulid>.json`, the hour being that of the ULID.
pub fn dirty_list(tenant_id: &TenantId, ulid: ulid::Ulid) -> Key {
    let (day, hour) =
        (crate::clock::day(ulid.timestamp_ms()), ulid.timestamp_ms() / 3_600_000 % 24);
    Key(format!("{}{day}{hour:02}/{ulid}.json", dirty(tenant_id).0))
}

/// Records of looks at all users of a tenant.
pub fn swept(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}op/swept/", tenant(tenant_id).0))
}

/// One of them.
pub fn swept_record(tenant_id: &TenantId, ulid: ulid::Ulid) -> Key {
    Key(format!("{}{ulid}.json", swept(tenant_id).0))
}

/// What was spent for a tenant, by day.
pub fn spendings(tenant_id: &TenantId) -> Prefix {
    Prefix(format!("{}op/spent/", tenant(tenant_id).0))
}

/// What was spent for a tenant on one UTC day (`yyyymmdd`), below [`spendings`].
pub fn spendings_of(tenant_id: &TenantId, day: &str) -> Prefix {
    Prefix(format!("{}{day}/", spendings(tenant_id).0))
}

/// One spending: `op/spent/<yyyymmdd>/<ulid>-<tokens>-held`, or `-spent` once it is known; the day is that of the ULID.
pub fn spending(tenant_id: &TenantId, ulid: ulid::Ulid, tokens: u64, known: bool) -> Key {
    let day = crate::clock::day(ulid.timestamp_ms());
    let name = if known { "spent" } else { "held" };
    Key(format!("{}{ulid}-{tokens}-{name}", spendings_of(tenant_id, &day).0))
}

/// The spending, its tokens, and whether they are known, of a name below [`spendings_of`].
pub fn spending_named(name: &str) -> Option<(ulid::Ulid, u64, bool)> {
    let mut parts = name.split('-');
    let (ulid, tokens, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let known = match kind {
        "held" => false,
        "spent" => true,
        _ => return None,
    };
    Some((ulid::Ulid::from_string(ulid).ok()?, tokens.parse().ok()?, known))
}

/// What one look at a store writes and removes again (`holdfast doctor`).
pub fn probe(run: ulid::Ulid) -> Prefix {
    Prefix(format!("v1/probe/{run}/"))
}

/// One object of it; `name` is a plain word, or several with `/`.
pub fn probe_object(run: ulid::Ulid, name: &str) -> Key {
    Key(format!("{}{name}", probe(run).0))
}

/// Format versions that writers use.
pub fn formats() -> Prefix {
    Prefix("v1/format/".to_owned())
}

/// One format version record.
pub fn format(ulid: ulid::Ulid) -> Key {
    Key(format!("v1/format/{ulid}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(tenant: &str, user: &str) -> Scope {
        Scope { tenant: TenantId::parse(tenant).unwrap(), user: UserId::parse(user).unwrap() }
    }

    #[test]
    fn keys_never_leave_their_tenant() {
        for odd in ["../b", "a/../../b", "a/b", "A", "é", "~", "a~2fb", ".", "..", "%2e%2e"] {
            let prefix = user(&scope("t", odd));
            assert!(prefix.as_str().starts_with("v1/t/t/u/"), "{odd}");
            assert_eq!(prefix.as_str().matches('/').count(), 5, "{odd}: {}", prefix.as_str());
        }
    }

    #[test]
    fn different_ids_have_different_segments() {
        let ids = ["a", "A", "~61", "a/b", "a~2fb", "ab", "a b", "a+b", "é"];
        for (at, one) in ids.iter().enumerate() {
            for other in &ids[at + 1..] {
                assert_ne!(segment(one), segment(other));
            }
        }
        assert_ne!(segment(&"É".repeat(100)), segment(&"è".repeat(100)));
    }

    #[test]
    fn a_wal_key_carries_its_day_ulid_and_hash() {
        let ulid = ulid::Ulid::from_parts(1_774_000_000_000, 7);
        let key = wal_object(&scope("acme", "Bob"), ulid, b"x");
        assert_eq!(
            key.as_str(),
            format!("v1/t/acme/u/~42ob/wal/20260320/{ulid}-2d711642b726b04401627ca9fbac32f5.jsonl")
        );
        assert_eq!(key.hash(), Some("2d711642b726b04401627ca9fbac32f5"));
        assert_eq!(key.ulid(), Some(ulid.to_string().as_str()));
    }

    #[test]
    fn a_segment_says_whose_it_is_unless_it_is_a_hash() {
        for id in ["bob", "Bob", "a/b~c", "é", "ann-1_x", "🙂"] {
            assert_eq!(user_of(&segment(id)).unwrap().as_str(), id);
        }
        for odd in [segment(&"É".repeat(100)), "~4".into(), "~zz".into(), "A".into(), "~61".into()]
        {
            assert_eq!(user_of(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_name_is_a_key_without_its_user_and_never_leaves_it() {
        let scope = scope("acme", "Bob");
        let key = segment_object(&scope, ulid::Ulid(7), b"x");
        assert_eq!(key.part(), Part::Segment);
        assert!(name(&scope, &key).starts_with("seg/"));
        assert_eq!(named(&scope, name(&scope, &key)), Some(key));
        assert_eq!(named(&scope, "seg/../../v/seg/x"), None);
        assert_eq!(manifest_object(&scope, ulid::Ulid(7), b"x").part(), Part::Manifest);
        assert_eq!(cover_object(&scope, ulid::Ulid(7), b"x").part(), Part::Cover);
        assert_eq!(wal_object(&scope, ulid::Ulid(7), b"x").part(), Part::Wal);
        assert_eq!(Key::raw("v1/t/wal/u/x").part(), Part::Other);
    }

    #[test]
    fn a_spending_is_told_by_its_name() {
        let (tenant, ulid) =
            (TenantId::parse("acme").unwrap(), ulid::Ulid::from_parts(1_774_000_000_000, 7));
        for known in [false, true] {
            let key = spending(&tenant, ulid, 1_234, known);
            let name =
                key.as_str().strip_prefix(spendings_of(&tenant, "20260320").as_str()).unwrap();
            assert_eq!(spending_named(name), Some((ulid, 1_234, known)));
        }
        for odd in [
            "",
            "x",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV-9",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV-9-lost",
            "x-9-held",
        ] {
            assert_eq!(spending_named(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_foreign_key_is_only_accepted_below_its_prefix() {
        let prefix = wal(&scope("t", "u"));
        assert!(Key::below(&prefix, "v1/t/t/u/u/wal/20260101/x.jsonl").is_some());
        assert!(Key::below(&prefix, "v1/t/t/u/v/wal/20260101/x.jsonl").is_none());
        assert!(Key::below(&prefix, "v1/t/t/u/u/wal/../../v/x").is_none());
    }
}
