//! All that a user has, newest first: `/v1/users/:user/timeline`.

use crate::http::session_json;
use crate::things;
use crate::verbs::Shown;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Result, Scope};
use holdfast_formats::rest;
use holdfast_kit::index::{self, Moment, Reading};
use holdfast_kit::read::{Asked, Cursors, MAX_PAGE, PAGE, noun, stored};
use holdfast_kit::things::memory_json;
use holdfast_kit::{Answer, Call, State};
use serde_json::Value;

/// A page: messages by their own order, sessions and memories by when they began.
pub async fn get(call: &Call, user: &str) -> Result<Answer> {
    let scope = things::reads(call, Some(user), &["limit", "cursor"]).await?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let cursor = call.query.get("cursor").map(str::to_owned);
    let asked = Asked { cursor, limit, descending: true };
    let how = things::how(call, &scope)?;
    let (moments, next, frontier) = page(call.state, &scope, &asked, how).await?;
    let items: Vec<String> =
        moments.into_iter().map(|moment| moment_json(user, moment)).collect::<Result<_>>()?;
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &frontier))
}

/// A page, the cursor of the next, and what the answer saw.
///
/// # Errors
/// `invalid` for a reading of the past, `invalid_cursor`; what a read may meet.
pub async fn page(
    state: &State,
    scope: &Scope,
    asked: &Asked,
    how: Reading,
) -> Result<(Vec<Moment>, Option<String>, Frontier)> {
    if how.as_of.is_some() {
        let detail = "a timeline knows only the present: leave as_of out";
        return Err(Error::invalid(detail).at("as_of"));
    }
    let cursors = Cursors::new(state, scope, "timeline", true);
    let found = index::timeline(scope.into(), cursors.page(asked)?, how).await?;
    let next = found.next.as_ref().map(|next| (next.after.as_str(), next.rank));
    Ok((found.items, cursors.next(next)?, found.frontier.into()))
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
