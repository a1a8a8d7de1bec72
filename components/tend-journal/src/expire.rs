//! Expiry: what has passed is written down, and so gone for good.

use holdfast_core::graves::Of;
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Result, Scope};
use holdfast_kit::State;
use holdfast_kit::index;
use holdfast_kit::read::latest;
use holdfast_kit::write::{Author, of_user};

/// What was written down.
#[derive(Debug, Default)]
pub struct Expired {
    /// Messages.
    pub messages: u32,
    /// Up to when.
    pub until: Option<Hlc>,
}

/// Writes down what has passed of a user's messages; nothing, where nothing has.
///
/// # Errors
/// What a read of the latest and a write may meet.
pub async fn expire(state: &State, scope: &Scope) -> Result<Expired> {
    let author = Author { by: holdfast_journal::upkeeper(), after: Frontier::default() };
    let found = index::find_user(scope.into(), latest(&author.after)).await?;
    let Some(until) = found.horizon.map(Hlc).filter(|_| found.unsaid > 0) else {
        return Ok(Expired::default());
    };
    let body = Of::encode_until(until)?;
    let made = |stamp: &Stamp| Record::of_user(Kind::Tombstone, &until.to_string(), stamp, body);
    of_user(state, scope, &author, found.frontier.into(), made).await?;
    Ok(Expired { messages: found.unsaid, until: Some(until) })
}
