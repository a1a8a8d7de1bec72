//! `/v1/keys`: making, listing and revoking API keys. A key makes no more than it holds.

use crate::command::Values;
use crate::http::Native;
use crate::native::apart;
use crate::pool::Answer;
use crate::problem;
use anyhow::Result;
use bytes::Bytes;
use futures::FutureExt;
use holdfast_core::access::{ApiKey, Caller, KeyRecord, Permission};
use holdfast_core::clock::rfc3339;
use holdfast_core::ports::Ids;
use holdfast_core::record::WriterKind;
use holdfast_core::token::mac;
use holdfast_core::{Case, Error, KeyId, TenantId, UserId};
use holdfast_formats::{Body, Limits};
use holdfast_journal::{Authority, find_key, key_text, list_keys, mint_key, revoke_key};
use holdfast_ports::{Bucket, SystemIds, bucket};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::Arc;

const FIELDS: &[&str] = &["kind", "user_id", "permissions", "name"];
/// What a key of a kind holds when its maker names no permissions.
const SERVICE: &[Permission] = &[
    Permission::Read,
    Permission::Write,
    Permission::Roles,
    Permission::Delete,
    Permission::Export,
];
const USER: &[Permission] = &[Permission::Read, Permission::Write];
const ADMIN: &[Permission] = &[Permission::Keys, Permission::Admin];

/// What the routes need.
#[derive(Clone)]
pub struct Keys {
    store: holdfast_objects::Settings,
    root_secret: String,
    root_key_sha256: String,
    root_tenant: TenantId,
}

/// A request, read whole.
struct Request {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Keys {
    /// Reads what is needed from the settings.
    pub fn new(values: &Values) -> Result<Self> {
        Ok(Self {
            store: values.store()?,
            root_secret: values.text("root_secret").to_owned(),
            root_key_sha256: values.text("root_key_sha256").to_owned(),
            root_tenant: TenantId::parse(values.text("root_tenant"))?,
        })
    }

    /// The route, for the host's own table.
    pub fn route(&self) -> Native {
        let keys = self.clone();
        Arc::new(move |request| {
            let keys = keys.clone();
            async move {
                let (parts, body) = request.into_parts();
                let id = problem::request_id(&parts.headers).to_owned();
                let path = parts.uri.path().to_owned();
                let Ok(body) = body.collect().await else {
                    return problem::answer(&Error::invalid("the body broke off"), &id, false);
                };
                let (method, headers, body) = (parts.method, parts.headers, body.to_bytes());
                let request = Request { method, path, headers, body };
                match apart(async move || keys.serve(request).await).await {
                    Ok((status, body)) => json_answer(status, &body),
                    Err(error) => problem::answer(&error, &id, false),
                }
            }
            .boxed()
        })
    }

    async fn serve(&self, request: Request) -> holdfast_core::Result<(u16, Value)> {
        let store = bucket(self.store.clone())?;
        let caller = self.caller(&store, &request.headers).await?;
        caller.may(Permission::Keys)?;
        let kid = request.path.strip_prefix("/v1/keys/").filter(|kid| !kid.is_empty());
        match (request.method.as_str(), kid) {
            ("POST", None) => self.make(&store, &caller, &request).await,
            ("GET", None) => list(&store, &caller).await,
            ("DELETE", Some(kid)) => revoke(&store, &caller, kid).await,
            (_, None) => Err(Error::method_not_allowed("/v1/keys", &["GET", "POST"])),
            (_, Some(_)) => Err(Error::method_not_allowed("/v1/keys/{key_id}", &["DELETE"])),
        }
    }

    pub(crate) async fn caller(
        &self,
        store: &Bucket,
        headers: &HeaderMap,
    ) -> holdfast_core::Result<Caller> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let text = key_text(header("authorization"), header("x-api-key"))?;
        let authority = Authority {
            root_secret: self.root_secret.clone(),
            root_key_sha256: self.root_key_sha256.clone(),
            root_tenant: self.root_tenant.clone(),
            key_ttl: 0,
            verdicts: RefCell::default(),
        };
        authority.caller(store, store.now(), &text).await
    }

    async fn make(
        &self,
        store: &Bucket,
        caller: &Caller,
        request: &Request,
    ) -> holdfast_core::Result<(u16, Value)> {
        let asked = Asked::read(&request.body)?;
        for permission in &asked.permissions {
            caller.may(*permission)?;
        }
        if caller.user.is_some() && asked.user != caller.user {
            return Err(Error::denied("a user key makes keys of its own user only").at("user_id"));
        }
        let tenant = caller.tenant.clone();
        let (name, random) = self.randomness(caller, &request.headers)?;
        let kid = KeyId::parse(&name.map(|byte| format!("{byte:02x}")).concat())?;
        let key = ApiKey::mint(tenant.clone(), kid.clone(), &random, self.root_secret.as_bytes());
        let root =
            caller.kid.as_str() == "root" && caller.permissions.len() == Permission::ALL.len();
        let record = KeyRecord {
            v: 1,
            kid,
            tenant,
            kind: asked.kind,
            user: asked.user,
            permissions: asked.permissions,
            parent: (!root).then(|| caller.kid.clone()),
            name: asked.name,
            secret_sha256: key.sha256(),
            created_at: rfc3339(store.now()),
        };
        match find_key(store, &record.tenant, &record.kid).await? {
            // Made before under this Idempotency-Key: the same key is given again.
            Some((made, false)) if same(&made, &record) => {}
            Some(_) => {
                let detail = "the Idempotency-Key was used for another key or one that is revoked";
                return Err(Error::because(Case::Invalid, "idempotency_mismatch", detail)
                    .at("Idempotency-Key"));
            }
            None => mint_key(store, &record).await?,
        }
        let mut shown = shown(&record, false);
        if let Some(members) = shown.as_object_mut() {
            members.insert("key".to_owned(), json!(key.reveal()));
        }
        Ok((201, shown))
    }
}

impl Keys {
    /// What the new key's id and secret are made of: random, or derived from an Idempotency-Key, so that a repetition
    /// makes the same key.
    fn randomness(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> holdfast_core::Result<([u8; 10], [u8; 18])> {
        let Some(given) = headers.get("idempotency-key") else {
            return Ok((SystemIds.random(), rand::random()));
        };
        if given.is_empty() || given.len() > 256 {
            let detail = "Idempotency-Key must have 1 to 256 bytes";
            return Err(Error::invalid(detail).at("Idempotency-Key"));
        }
        let (tenant, kid) = (caller.tenant.as_str().as_bytes(), caller.kid.as_str().as_bytes());
        let part = |what: &str| {
            let parts = [b"key".as_slice(), what.as_bytes(), tenant, kid, given.as_bytes()];
            mac(self.root_secret.as_bytes(), &parts)
        };
        let (name, first, second) = (part("name"), part("first"), part("second"));
        let mut secret = first.iter().chain(&second).copied();
        let mut name = name.into_iter();
        Ok((
            std::array::from_fn(|_| name.next().unwrap_or_default()),
            std::array::from_fn(|_| secret.next().unwrap_or_default()),
        ))
    }
}

/// Two records of one key, whenever they were made.
fn same(one: &KeyRecord, other: &KeyRecord) -> bool {
    let parts = |r: &KeyRecord| {
        let asked = (r.kind, r.user.clone(), r.permissions.clone(), r.name.clone());
        (asked, r.parent.clone(), r.secret_sha256.clone())
    };
    parts(one) == parts(other)
}

/// A key that is asked for.
struct Asked {
    kind: WriterKind,
    user: Option<UserId>,
    permissions: Vec<Permission>,
    name: Option<String>,
}

impl Asked {
    fn read(bytes: &[u8]) -> holdfast_core::Result<Self> {
        let mut body = Body::open(bytes, &Limits::default(), "a key", FIELDS)?;
        let kind = body.choice("kind", &["service", "user", "admin"]).unwrap_or("user");
        let kind = WriterKind::parse(kind).unwrap_or(WriterKind::User);
        let user = body.string("user_id");
        let permissions = body.strings("permissions");
        let name = body.string("name");
        if (kind == WriterKind::User) != user.is_some() {
            body.refuse("user_id", "a user key names its user in user_id, other kinds name none");
        }
        let permissions = match permissions {
            None => default_permissions(kind).to_vec(),
            Some(names) => {
                let known = |name: &String| Permission::ALL.into_iter().find(|p| p.name() == name);
                let found: Vec<Permission> = names.iter().filter_map(known).collect();
                if found.len() != names.len() {
                    let all: Vec<&str> = Permission::ALL.iter().map(|p| p.name()).collect();
                    body.refuse("permissions", format!("permissions are {}", all.join(", ")));
                }
                found
            }
        };
        body.close()?;
        let user = user.as_deref().map(UserId::parse).transpose()?;
        Ok(Self { kind, user, permissions, name })
    }
}

fn default_permissions(kind: WriterKind) -> &'static [Permission] {
    match kind {
        WriterKind::Service => SERVICE,
        WriterKind::User => USER,
        WriterKind::Admin => ADMIN,
    }
}

async fn list(store: &Bucket, caller: &Caller) -> holdfast_core::Result<(u16, Value)> {
    let keys = list_keys(store, &caller.tenant).await?;
    let own = |record: &KeyRecord| caller.user.is_none() || record.user == caller.user;
    let shown: Vec<Value> = keys
        .iter()
        .filter(|(record, _)| own(record))
        .map(|(r, revoked)| shown(r, *revoked))
        .collect();
    Ok((200, json!({"data": shown, "next_cursor": null, "has_more": false})))
}

async fn revoke(store: &Bucket, caller: &Caller, kid: &str) -> holdfast_core::Result<(u16, Value)> {
    let kid = KeyId::parse(kid)?;
    let found = find_key(store, &caller.tenant, &kid).await?;
    let found = found.filter(|(record, _)| caller.user.is_none() || record.user == caller.user);
    let (record, _) = found.ok_or_else(|| Error::not_found(format!("there is no key {kid}")))?;
    revoke_key(store, &caller.tenant, &kid).await?;
    Ok((200, shown(&record, true)))
}

fn shown(record: &KeyRecord, revoked: bool) -> Value {
    json!({
        "id": record.kid,
        "kind": record.kind.name(),
        "user_id": record.user,
        "permissions": record.permissions,
        "name": record.name,
        "created_at": record.created_at,
        "revoked": revoked,
    })
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Holdfast-User"));
    response
}
