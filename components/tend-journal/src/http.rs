//! `/v1/upkeep/compact`, `…/collect`, `…/expire`, `/v1/users/:user/erase` and `…/restore` over HTTP.

use crate::erase::{self, Shown};
use crate::restore::{self, Wanted};
use crate::tend::{Done, Work, step, walk};
use holdfast_core::access::Permission;
use holdfast_core::clock::rfc3339;
use holdfast_core::erase::Versions;
use holdfast_core::{Case, Error, Result, Scope, UserId};
use holdfast_formats::Body;
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

const FIELDS: &[&str] = &["user_id", "cursor"];
const RESTORE: &[&str] = &["at", "deleted", "session_id", "dry_run", "cursor", "user_id"];

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "upkeep", "compact"]) => post(call, Work::Compact).await,
        ("POST", ["v1", "upkeep", "collect"]) => post(call, Work::Collect).await,
        ("POST", ["v1", "upkeep", "expire"]) => post(call, Work::Expire).await,
        ("POST", ["v1", "users", user, "erase"]) => erase(call, user).await,
        ("GET", ["v1", "users", user, "erase"]) => erasure(call, user).await,
        ("POST", ["v1", "users", user, "restore"]) => restore(call, user).await,
        (_, ["v1", "users", _, "restore"]) => Err(call.no_route(&["POST"])),
        (_, ["v1", "users", _, "erase"]) => Err(call.no_route(&["GET", "POST"])),
        (_, ["v1", "upkeep", "compact" | "collect" | "expire"]) => Err(call.no_route(&["POST"])),
        _ => Err(call.no_route(&[])),
    }
}

async fn post(call: &Call, work: Work) -> Result<Answer> {
    call.query.only(&[])?;
    let caller = call.caller(Permission::Admin).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "upkeep", FIELDS)?;
    let (user_id, cursor) = (body.string("user_id"), body.string("cursor"));
    body.close()?;
    if caller.user.is_some() {
        return Err(Error::denied("a key of one user tends no journals"));
    }
    if let Some(user_id) = user_id {
        let scope = Scope { tenant: caller.tenant, user: UserId::parse(&user_id)? };
        let done = step(call.state, &scope, work).await?;
        return Ok(answer(&done, done.more, None));
    }
    let (done, next) = walk(call.state, &caller.tenant, cursor, work).await?;
    Ok(answer(&done, next.is_some(), next.as_deref()))
}

async fn erase(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Erase).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "an erase", &["id"])?;
    let id = body.string("id");
    body.close()?;
    let scope = call.scope(&caller, Some(user))?;
    let author = call.author(&caller, &scope)?;
    let (shown, frontier) = erase::erase(call.state, &scope, id.as_deref(), author).await?;
    let answer = receipt(user, &shown);
    Ok(match frontier {
        Some(frontier) => answer.seen(call.state, &scope, &frontier),
        None => answer,
    })
}

async fn erasure(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Erase).await?;
    let scope = call.scope(&caller, Some(user))?;
    Ok(receipt(user, &erase::last(call.state, &scope).await?))
}

/// Bringing back what was deleted takes the permission to delete, too: it undoes what that did.
async fn restore(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a restore", RESTORE)?;
    let at = body.string("at");
    if at.is_none() {
        body.refuse("at", "name the time, as 2026-01-31T12:00:00Z");
    }
    let (deleted, dry_run) = (body.flag("deleted", false), body.flag("dry_run", false));
    let (session, cursor) = (body.string("session_id"), body.string("cursor"));
    let user_id = body.string("user_id");
    body.close()?;
    if user_id.is_some_and(|named| named != user) {
        let detail = "body and path name different users: name one";
        return Err(Error::because(Case::Invalid, "contradicting_scope", detail).at("user_id"));
    }
    if deleted {
        caller.may(Permission::Delete)?;
    }
    let key = call.idempotency_key()?;
    let scope = call.scope(&caller, Some(user))?;
    let wanted = Wanted { at: at.unwrap_or_default(), deleted, session, dry_run, cursor };
    let author = call.author(&caller, &scope)?;
    let step = restore::restore(call.state, &scope, &wanted, author).await?;
    let replayed = key.is_some() && step.replayed();
    let answer = Answer::json(200, &step.json(&wanted)).seen(call.state, &scope, &step.frontier);
    Ok(if replayed { answer.with("idempotency-replayed", "true") } else { answer })
}

fn receipt(user: &str, shown: &Shown) -> Answer {
    let Shown { id, erased_at, more, final_after, last, removed, names_sha256, versions } = shown;
    let body = json!({
        "id": id,
        "user_id": user,
        "erased_at": erased_at,
        "has_more": more,
        "final": last,
        "final_after": final_after,
        "removed": removed,
        "names_sha256": names_sha256,
        "kept_versions": kept(*versions).map(|(count, until)| json!({"count": count, "until": until})),
    });
    Answer::json(200, &body)
}

/// Old versions that the store keeps: how many, where it says, and until when.
pub fn kept(versions: Versions) -> Option<(Option<u64>, Option<String>)> {
    match versions {
        Versions::None => None,
        Versions::Unknown => Some((None, None)),
        Versions::Kept { count, until } => Some((Some(count), until.map(rfc3339))),
    }
}

fn answer(done: &Done, more: bool, next_cursor: Option<&str>) -> Answer {
    let Done { users, sealed, merged, written, removed, bytes, expired, ended, corrupt, .. } = done;
    let failed = done
        .failed
        .iter()
        .map(|one| json!({"user_id": one.user, "code": one.code, "detail": one.detail}));
    let failed: Vec<Value> = failed.collect();
    let body = json!({
        "has_more": more,
        "next_cursor": next_cursor,
        "users": users,
        "sealed": sealed,
        "merged": merged,
        "written_bytes": written,
        "removed": removed,
        "removed_bytes": bytes,
        "expired": expired,
        "ended": ended,
        "corrupt": corrupt,
        "failed": failed,
    });
    Answer::json(200, &body)
}
