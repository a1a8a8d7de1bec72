//! Deleting a message: a tombstone that hides everything of its id, for ever.

use holdfast_core::graves::Of;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_kit::State;
use holdfast_kit::index::{self, Message};
use holdfast_kit::read::latest;
use holdfast_kit::write::{self, Author, Deleting, known};

/// Deletes a message. Deleting it again is not an error and writes nothing.
///
/// # Errors
/// `not_found` for one that never was there; `conflict` for the second name of one of several that share an id.
pub async fn delete(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    id: &str,
    physical: bool,
    author: Author,
) -> Result<Frontier> {
    let (name, id) = (session.to_string(), id.to_owned());
    let reading = latest(&author.after);
    let found = index::find_message(scope.into(), name.clone(), id.clone(), reading).await?;
    let known = known(scope, &name, vec![id.clone()]).await;
    let (there, deleted) = (found.item.is_some(), known.deleted.contains(&id));
    match found.item {
        Some(item) if own_id(&item) != id => Err(shared(&id, own_id(&item))),
        None if deleted && !physical => Ok(author.after.joined(&known.frontier.into())),
        // What was hidden before may have left its bytes.
        _ if there || deleted => {
            let deleting = Deleting { of: Of::Message, session, id: &id, physical };
            write::delete(state, scope, author, &known, deleting).await
        }
        _ => Err(Error::not_found(format!("there is no message {id} in this session"))),
    }
}

/// The id that the message was stored with.
fn own_id(message: &Message) -> &str {
    message.conflict_of.as_deref().unwrap_or(&message.id)
}

fn shared(name: &str, id: &str) -> Error {
    let detail = format!("{name} was stored as {id}: delete {id}, which removes all of that id");
    Error::new(Case::Conflict, detail)
}
