//! Expiry: what has passed or ended is written down, and so gone for good.

use holdfast_core::retention::{Ended, written_down};
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Result, Scope, SessionId};
use holdfast_kit::State;
use holdfast_kit::index;
use holdfast_kit::read::latest;
use holdfast_kit::write::{Author, of_user};

/// What was written down.
#[derive(Debug, Default)]
pub struct Expired {
    /// Messages that are older than they are kept.
    pub messages: u32,
    /// Up to when.
    pub until: Option<Hlc>,
    /// Memories and other things whose time is over.
    pub ended: u32,
}

/// Writes down what has passed of a user's messages and deletes what has ended; nothing, where nothing has. One call takes
/// in some hundred things: repeat it while it finds any.
///
/// # Errors
/// What a read of the latest and a write may meet.
pub async fn expire(state: &State, scope: &Scope) -> Result<Expired> {
    let author = Author { by: holdfast_journal::upkeeper(), after: Frontier::default() };
    let found = index::find_user(scope.into(), latest(&author.after)).await?;
    let until = found.horizon.map(Hlc);
    let ended: Vec<Ended> = found.ended.into_iter().map(ended).collect::<Result<_>>()?;
    if until.is_none() && ended.is_empty() {
        return Ok(Expired::default());
    }
    let seen = found.frontier.into();
    of_user(state, scope, &author, seen, |stamp| written_down(until, &ended, stamp)).await?;
    Ok(Expired {
        messages: found.unsaid,
        until,
        ended: u32::try_from(ended.len()).unwrap_or(u32::MAX),
    })
}

fn ended(one: index::Ended) -> Result<Ended> {
    let session = one.session.as_deref().map(SessionId::parse).transpose()?;
    Ok(Ended { kind: ThingKind::parse(&one.kind)?, session, id: one.id, at: Hlc(one.at) })
}
