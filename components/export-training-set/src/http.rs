//! `/v1/exports/...` over HTTP.

use crate::wish::{self, Wish, outside};
use holdfast_core::access::{Caller, Permission};
use holdfast_core::clock::rfc3339;
use holdfast_core::ports::Objects;
use holdfast_core::{Case, Error, Key, Result, key};
use holdfast_export::{MANIFEST, Shown, Status, cancel, list, show};
use holdfast_formats::Body;
use holdfast_formats::training::Shares;
use holdfast_kit::read::MAX_PAGE;
use holdfast_kit::{Answer, Call};
use serde::Deserialize;
use serde_json::{Value, json};

const FIELDS: &[&str] = &[
    "format",
    "user_id",
    "users",
    "sessions",
    "since",
    "until",
    "metadata",
    "feedback",
    "split",
    "seed",
    "anonymize",
    "untrusted",
    "as_of",
];

/// Longest life of a presigned link, in seconds.
const LINK: u32 = 900;

/// Exports of one answer, at most: each costs a few reads.
const PAGE: usize = 100;

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "exports"]) => post(call).await,
        ("GET", ["v1", "exports"]) => all(call).await,
        ("GET", ["v1", "exports", id]) => one(call, id).await,
        ("POST", ["v1", "exports", id, "advance"]) => go_on(call, id).await,
        ("POST", ["v1", "exports", id, "cancel"]) => end(call, id).await,
        ("GET", ["v1", "exports", id, "files"]) => files(call, id).await,
        ("GET", ["v1", "exports", id, "files", name @ ..]) => file(call, id, &name.join("/")).await,
        (_, ["v1", "exports"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["v1", "exports", _]) => Err(call.no_route(&["GET"])),
        (_, ["v1", "exports", _, "advance" | "cancel"]) => Err(call.no_route(&["POST"])),
        (_, ["v1", "exports", _, "files", ..]) => Err(call.no_route(&["GET"])),
        _ => Err(call.no_route(&[])),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    #[serde(default)]
    validation: f64,
    #[serde(default)]
    test: f64,
}

async fn post(call: &Call) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Export).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "an export", FIELDS)?;
    let user = body.string("user_id");
    let split = body.object("split", 1_000);
    let shares = split.as_deref().map_or(Some(Shares::default()), shares);
    if shares.is_none() {
        body.refuse("split", "split must be {\"validation\", \"test\"}, each from 0 to 0.9");
    }
    let mut users = body.strings("users").unwrap_or_default();
    if let Some(user) = named_user(call, &caller, user.as_deref())? {
        if users.iter().any(|other| *other != user) {
            body.refuse("users", "the request names one user already: name no other in users");
        }
        users = vec![user];
    }
    let wish = Wish {
        format: body.string("format").unwrap_or_default(),
        users,
        sessions: body.strings("sessions").unwrap_or_default(),
        since: body.string("since"),
        until: body.string("until"),
        metadata: body.object("metadata", limits.metadata_bytes),
        feedback: body.string("feedback"),
        shares: shares.unwrap_or_default(),
        seed: body.whole("seed", 0, u32::MAX).map_or(0, u64::from),
        anonymize: body.flag("anonymize", false),
        untrusted: body.flag("untrusted", false),
        as_of: body.string("as_of"),
        by: caller.kid.to_string(),
        owner: owner(&caller),
    };
    body.close()?;
    let begun = wish::begin(call.state, &caller.tenant, wish).await?;
    let location = format!("/v1/exports/{}", begun.id);
    Ok(Answer::json(201, &shown(&begun)).with("location", location))
}

/// The one user whom body, query or header name; a service key that names none exports all.
fn named_user(call: &Call, caller: &Caller, in_body: Option<&str>) -> Result<Option<String>> {
    let header = call.header("holdfast-user")?;
    if in_body.is_none() && header.is_none() && call.query.get("user_id").is_none() {
        return Ok(None);
    }
    Ok(Some(call.scope(caller, in_body)?.user.to_string()))
}

fn owner(caller: &Caller) -> Option<String> {
    caller.user.as_ref().map(|user| user.as_str().to_owned())
}

/// Shares as thousandths.
fn shares(text: &str) -> Option<Shares> {
    let Split { validation, test } = serde_json::from_str(text).ok()?;
    let thousandths = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        (0.0..=0.9).contains(&share).then(|| (share * 1000.0).round() as u16)
    };
    Some(Shares { validation: thousandths(validation)?, test: thousandths(test)? })
}

fn shown(export: &Shown) -> Value {
    let asked = &export.asked;
    let report = serde_json::to_value(&export.report).unwrap_or_default();
    json!({
        "id": export.id,
        "status": export.status.name(),
        "format": asked.format.name(),
        "created_at": rfc3339(asked.created),
        "as_of": rfc3339(asked.as_of),
        "seed": asked.seed,
        "split": {
            "validation": f64::from(asked.shares.validation) / 1000.0,
            "test": f64::from(asked.shares.test) / 1000.0,
        },
        "anonymize": asked.anonymize,
        "counts": report,
        "manifest": export.manifest,
    })
}

/// Who asks, with these parameters beside `user_id`: a user whom the key may act for. An export is the tenant's, or the
/// one's whose key began it: which users it takes was said when it was begun.
async fn asks(call: &Call, query: &[&str]) -> Result<Caller> {
    call.query.only(&[query, &["user_id"]].concat())?;
    let caller = call.caller(Permission::Export).await?;
    named_user(call, &caller, None)?;
    Ok(caller)
}

async fn all(call: &Call) -> Result<Answer> {
    let caller = asks(call, &["limit", "cursor"]).await?;
    let limit = call.query.number("limit", 20, MAX_PAGE)? as usize;
    let owner = owner(&caller);
    let after = call.query.get("cursor");
    let outside = outside(call.state);
    let listed = list(&outside, &caller.tenant, after, limit.min(PAGE), owner.as_deref()).await?;
    let items: Vec<String> = listed.items.iter().map(|one| shown(one).to_string()).collect();
    Ok(Answer::list(&items, listed.next.as_deref()))
}

async fn one(call: &Call, id: &str) -> Result<Answer> {
    let (_, export) = seen(call, id, &[]).await?;
    Ok(Answer::json(200, &shown(&export)))
}

async fn seen(call: &Call, id: &str, query: &[&str]) -> Result<(Caller, Shown)> {
    let caller = asks(call, query).await?;
    let owner = owner(&caller);
    let export = show(&outside(call.state), &caller.tenant, id, owner.as_deref()).await?;
    Ok((caller, export))
}

async fn go_on(call: &Call, id: &str) -> Result<Answer> {
    let caller = asks(call, &[]).await?;
    let owner = owner(&caller);
    let export = wish::advance(call.state, &caller.tenant, id, owner.as_deref()).await?;
    Ok(Answer::json(200, &shown(&export)))
}

async fn end(call: &Call, id: &str) -> Result<Answer> {
    let caller = asks(call, &[]).await?;
    let owner = owner(&caller);
    let export = cancel(&outside(call.state), &caller.tenant, id, owner.as_deref()).await?;
    Ok(Answer::json(200, &shown(&export)))
}

/// Files of an export that is done; with `links` (seconds) where each can be fetched without a key.
async fn files(call: &Call, id: &str) -> Result<Answer> {
    let (caller, export) = seen(call, id, &["links"]).await?;
    let seconds = call.query.get("links").map(|_| call.query.number("links", LINK, LINK));
    let seconds = seconds.transpose()?;
    let prefix = prefix(&caller, &export)?;
    let mut items = Vec::new();
    let manifest = whole(&export)?;
    let own = json!({ "name": MANIFEST });
    let listed = manifest.files.iter().map(|file| json!(file));
    for mut item in listed.chain([own]) {
        let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let (Some(seconds), Some(fields)) = (seconds, item.as_object_mut()) {
            let url = call.state.bucket.presigned(&named(&prefix, &name)?, seconds)?;
            fields.insert("url".to_owned(), url.into());
        }
        items.push(item.to_string());
    }
    Ok(Answer::list(&items, None))
}

async fn file(call: &Call, id: &str, name: &str) -> Result<Answer> {
    let (caller, export) = seen(call, id, &[]).await?;
    let known = whole(&export)?.files.iter().any(|file| file.name == name) || name == MANIFEST;
    let missing = || Error::not_found("the export has no file of this name");
    let key = named(&prefix(&caller, &export)?, name)?;
    let bytes = if known { call.state.bucket.get(&key).await? } else { None };
    let mut answer = Answer::raw(200, bytes.ok_or_else(missing)?);
    answer.content_type = "application/octet-stream".into();
    // Names of an export hold letters, digits and `._-` only.
    let shown = name.rsplit('/').next().unwrap_or_default();
    Ok(answer
        .with("content-disposition", format!("attachment; filename=\"{shown}\""))
        .with("content-security-policy", "default-src 'none'; sandbox"))
}

fn whole(export: &Shown) -> Result<&holdfast_formats::training::Manifest> {
    export.manifest.as_ref().filter(|_| export.status == Status::Done).ok_or_else(|| {
        let detail = "the export is not done: advance it until its status is done";
        Error::new(Case::Conflict, detail)
    })
}

fn prefix(caller: &Caller, export: &Shown) -> Result<holdfast_core::Prefix> {
    let ulid = export.ulid()?;
    Ok(key::export(&caller.tenant, ulid))
}

fn named(prefix: &holdfast_core::Prefix, name: &str) -> Result<Key> {
    let key = Key::below(prefix, &format!("{}{name}", prefix.as_str()));
    key.ok_or_else(|| Error::not_found("the export has no file of this name"))
}
