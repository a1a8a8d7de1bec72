//! Reading a session back: one message, or pages in order.

use holdfast_core::{Error, Result, Scope, SessionId};
use holdfast_kit::State;
use holdfast_kit::index::{self, FoundMessage, MessagePage, Reading};
use holdfast_kit::read::{Asked, Cursors, named};

/// One message.
pub async fn get(
    scope: &Scope,
    session: &SessionId,
    id: &str,
    reading: Reading,
) -> Result<FoundMessage> {
    let (session, id) = (session.to_string(), id.to_owned());
    let found = index::find_message(scope.into(), session, id.clone(), reading).await?;
    if found.item.is_none() {
        return Err(Error::not_found(format!("there is no message {id} in this session")));
    }
    Ok(found)
}

/// A page of a session, and the cursor of the next; an unknown session is `not_found`.
pub async fn page(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    asked: &Asked,
    reading: Reading,
) -> Result<(MessagePage, Option<String>)> {
    let list = named(format!("messages {session}"), &reading);
    let cursors = Cursors::new(state, scope, &list, asked.descending);
    let page = cursors.page(asked)?;
    let first = page.after.is_none();
    let found = index::history(scope.into(), session.to_string(), page, reading.clone()).await?;
    if first && found.items.is_empty() {
        let known = index::find_session(scope.into(), session.to_string(), reading).await?;
        if known.item.is_none() {
            return Err(Error::not_found(format!("there is no session {session}")));
        }
    }
    let last = found.items.last().filter(|_| found.more);
    let next = cursors.next(last.map(|last| (last.order.as_str(), last.rank)))?;
    Ok((found, next))
}
