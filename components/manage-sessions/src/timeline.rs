//! All that a user has, newest first: `/v1/users/:user/timeline`.

use crate::http::session_json;
use crate::things;
use crate::verbs::Shown;
use holdfast_core::Result;
use holdfast_formats::rest;
use holdfast_kit::index::{self, Moment};
use holdfast_kit::read::{Asked, Cursors, MAX_PAGE, PAGE, noun, stored};
use holdfast_kit::things::memory_json;
use holdfast_kit::{Answer, Call};
use serde_json::Value;

/// A page: messages by their own order, sessions and memories by when they began.
pub async fn get(call: &Call, user: &str) -> Result<Answer> {
    let scope = things::reads(call, Some(user), &["limit", "cursor"]).await?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let cursors = Cursors::new(call.state, &scope, "timeline", true);
    let page = cursors.page(&Asked { cursor, limit, descending: true })?;
    let how = things::how(call, &scope)?;
    if how.as_of.is_some() {
        let detail = "a timeline knows only the present: leave as_of out";
        return Err(holdfast_core::Error::invalid(detail).at("as_of"));
    }
    let found = index::timeline((&scope).into(), page, how).await?;
    let next = found.next.as_ref().map(|next| (next.after.as_str(), next.rank));
    let next = cursors.next(next)?;
    let items: Vec<String> =
        found.items.into_iter().map(|moment| moment_json(user, moment)).collect::<Result<_>>()?;
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &found.frontier.into()))
}

fn moment_json(user: &str, moment: Moment) -> Result<String> {
    Ok(match moment {
        Moment::Message(message) => {
            let said = noun(&message)?;
            let session = Value::from(message.session.as_str());
            let message = rest::message_json(&stored(&message, &said)?);
            format!("{{\"type\":\"message\",\"session_id\":{session},\"message\":{message}}}")
        }
        Moment::Session(session) => {
            let shown: Shown = session.try_into()?;
            format!("{{\"type\":\"session\",\"session\":{}}}", session_json(user, &shown))
        }
        Moment::Memory(thing) => {
            format!("{{\"type\":\"memory\",\"memory\":{}}}", memory_json(&thing, "")?)
        }
    })
}
