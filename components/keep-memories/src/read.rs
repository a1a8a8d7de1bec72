//! Reading memories: one, its history, or pages of those that pass a filter.

use crate::shown::Shown;
use holdfast_core::memory::Memory;
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Result, Scope};
use holdfast_formats::{StoredVersion, version_json};
use holdfast_kit::State;
use holdfast_kit::index::{self, Reading, Selection, Version};
use holdfast_kit::read::{Asked, Cursors, in_filters, named};
use holdfast_kit::things::{find, missing, sources};

/// One memory.
///
/// # Errors
/// `not_found`.
pub async fn get(scope: &Scope, id: &str, reading: Reading) -> Result<(Shown, Frontier)> {
    let found = find(scope, (ThingKind::Memory, None, id), reading).await?;
    let item = found.item.ok_or_else(|| missing(ThingKind::Memory, id))?;
    Ok((item.try_into()?, found.frontier.into()))
}

/// All versions of a memory, oldest first.
///
/// # Errors
/// `not_found`.
pub async fn history(
    scope: &Scope,
    id: &str,
    reading: Reading,
) -> Result<(Vec<Version>, Frontier)> {
    let found = find(scope, (ThingKind::Memory, None, id), reading).await?;
    found.item.ok_or_else(|| missing(ThingKind::Memory, id))?;
    Ok((found.history, found.frontier.into()))
}

/// The REST form of a version.
pub fn history_json(number: usize, version: &Version) -> Result<String> {
    let (memory, sources) = (Memory::read(&version.body)?, sources(&version.sources)?);
    Ok(version_json(&StoredVersion {
        version: number + 1,
        order: &version.order,
        memory: &memory,
        sources: &sources,
        at: Hlc(version.at),
    }))
}

/// A page of the memories that pass a filter, by when they were last changed, and the cursor of the next.
///
/// # Errors
/// `invalid` for a filter that is none; `invalid_cursor`.
pub async fn list(
    state: &State,
    scope: &Scope,
    filter: Option<String>,
    asked: &Asked,
    reading: Reading,
) -> Result<(Vec<Shown>, Option<String>, Frontier)> {
    let what = format!("memories {}", filter.as_deref().unwrap_or_default());
    let cursors = Cursors::new(state, scope, &named(what, &reading), asked.descending);
    let selection = Selection { kind: ThingKind::Memory.name().to_owned(), session: None, filter };
    let page = cursors.page(asked)?;
    let found = index::list_things(scope.into(), selection, page, reading).await;
    let found = found.map_err(|error| in_filters(error.into(), "filters"))?;
    let next = cursors.next(found.next.as_deref().map(|next| (next, 0)))?;
    let shown = found.items.into_iter().map(Shown::try_from).collect::<Result<_>>()?;
    Ok((shown, next, found.frontier.into()))
}
