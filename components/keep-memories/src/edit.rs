//! Changing a memory: each change is a new version, and an earlier one may be taken up again.

use crate::embed;
use crate::ready::sources;
use crate::save::local;
use crate::shown::Shown;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use holdfast_formats::GivenMemory;
use holdfast_kit::State;
use holdfast_kit::index::{FoundThing, Thing};
use holdfast_kit::read::latest;
use holdfast_kit::things::{self, all, find, matches, missing};
use holdfast_kit::write::{Author, NewThing, known, record_things};
use serde_json::json;

const KIND: ThingKind = ThingKind::Memory;

/// Changes a memory; what is none stays, its sources too.
///
/// # Errors
/// `not_found`; `precondition_failed`; `conflict` when another memory has the text.
pub async fn update(
    state: &State,
    scope: &Scope,
    id: &str,
    change: GivenMemory,
    if_match: Option<&str>,
    author: Author,
) -> Result<(Shown, Frontier)> {
    let (thing, _) = standing(scope, id, &author).await?;
    matches(if_match, &thing)?;
    if change == GivenMemory::default() {
        let detail = "nothing to change: give text, category, importance, metadata, expires_at or \
                      source_message_ids";
        return Err(Error::unprocessable("", detail));
    }
    let made_of = match &change.sources {
        None => things::sources(&thing.last.sources)?,
        Some(given) => {
            let found = sources(scope, given, &local(&author)).await?;
            found.into_iter().map(|(source, _)| source).collect()
        }
    };
    let old = Memory::read(&thing.last.body)?;
    let memory = Memory {
        text: change.text.unwrap_or_else(|| old.text.clone()),
        category: change.category.unwrap_or(old.category),
        importance: change.importance.unwrap_or(old.importance),
        metadata: change.metadata.unwrap_or(old.metadata),
        expires_at: change.expires_at.unwrap_or(old.expires_at),
        event: Event::Edited,
    };
    write(state, scope, thing, (memory, made_of, old.text), author).await
}

/// Takes a version up again, named by its order or its number from 1; the one before the last when none is named.
///
/// # Errors
/// `not_found` for a memory or a version that is not there.
pub async fn restore(
    state: &State,
    scope: &Scope,
    id: &str,
    version: Option<&str>,
    if_match: Option<&str>,
    author: Author,
) -> Result<(Shown, Frontier)> {
    let (thing, found) = standing(scope, id, &author).await?;
    matches(if_match, &thing)?;
    let named = |name: &str| {
        let name = name.trim_matches('"');
        let number = name.parse().ok().and_then(|number: usize| number.checked_sub(1));
        found
            .history
            .iter()
            .find(|version| version.order == name)
            .or_else(|| found.history.get(number?))
    };
    let chosen = match version {
        Some(name) => named(name),
        None => found.history.iter().rev().nth(1),
    };
    let chosen = chosen.ok_or_else(|| {
        Error::not_found(format!("memory {id} has no such version: see its history"))
    })?;
    let memory = Memory { event: Event::Restored, ..Memory::read(&chosen.body)? };
    let (made_of, text) = (things::sources(&chosen.sources)?, Memory::read(&thing.last.body)?.text);
    write(state, scope, thing, (memory, made_of, text), author).await
}

async fn standing(scope: &Scope, id: &str, author: &Author) -> Result<(Thing, FoundThing)> {
    let mut found = find(scope, (KIND, None, id), latest(&author.after)).await?;
    let thing = found.item.take().ok_or_else(|| missing(KIND, id))?;
    Ok((thing, found))
}

async fn write(
    state: &State,
    scope: &Scope,
    thing: Thing,
    (memory, made_of, before): (Memory, Vec<Source>, String),
    author: Author,
) -> Result<(Shown, Frontier)> {
    let mut body = ThingBody::new(&memory, made_of.clone())?;
    if memory.text != before {
        only(scope, &thing.id, &memory, &author).await?;
        body.vectors = embed::vectors(scope, &[&memory.text]).await.pop().unwrap_or_default();
    }
    let new = NewThing { kind: KIND, session: None, id: thing.id.clone(), body };
    let known = known(scope, "", Vec::new()).await;
    let written = record_things(state, scope, author, &known, &[new]).await?;
    let mut shown: Shown = thing.try_into()?;
    shown.join(&made_of);
    shown.memory = memory;
    if let Some(order) = written.orders.first() {
        (shown.updated_at, shown.order) = (order.hlc, order.to_string());
    }
    Ok((shown, written.frontier))
}

/// No other memory may have this text.
async fn only(scope: &Scope, id: &str, memory: &Memory, author: &Author) -> Result<()> {
    let filter = json!({"content_hash": {"eq": memory.content_hash()}}).to_string();
    let (found, _) = all(scope, (KIND, None, Some(filter)), local(author)).await?;
    match found.iter().find(|thing| thing.id != id) {
        None => Ok(()),
        Some(other) => {
            let detail = format!("memory {} has this text: delete one of them", other.id);
            Err(Error::new(Case::Conflict, detail).at("text"))
        }
    }
}
