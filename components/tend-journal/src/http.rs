//! `/v1/upkeep/compact` and `/v1/upkeep/collect` over HTTP.

use crate::tend::{Done, Work, step, walk};
use holdfast_core::access::Permission;
use holdfast_core::{Error, Result, Scope, UserId};
use holdfast_formats::Body;
use holdfast_kit::{Answer, Call};
use serde_json::json;

const FIELDS: &[&str] = &["user_id", "cursor"];

/// Serves one request.
pub async fn route(call: &Call) -> Result<Answer> {
    match (call.method.as_str(), call.segments().as_slice()) {
        ("POST", ["v1", "upkeep", "compact"]) => post(call, Work::Compact).await,
        ("POST", ["v1", "upkeep", "collect"]) => post(call, Work::Collect).await,
        (_, ["v1", "upkeep", "compact" | "collect"]) => Err(call.no_route(&["POST"])),
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

fn answer(done: &Done, more: bool, next_cursor: Option<&str>) -> Answer {
    let Done { users, sealed, merged, written, removed, bytes, corrupt, .. } = done;
    let body = json!({
        "has_more": more,
        "next_cursor": next_cursor,
        "users": users,
        "sealed": sealed,
        "merged": merged,
        "written_bytes": written,
        "removed": removed,
        "removed_bytes": bytes,
        "corrupt": corrupt,
    });
    Answer::json(200, &body)
}
