//! Things of the index as nouns, and what reads and deletes of them share.

use crate::State;
use crate::read::latest;
use crate::wit::{index, memory};
use crate::write::{Author, Forgetting, delete_thing, deleted_before, known};
use holdfast_core::clock::rfc3339;
use holdfast_core::memory::Memory;
use holdfast_core::thing::{Source, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Result, Scope, SessionId};
use holdfast_formats::StoredMemory;

/// Largest page of things that one call gives.
pub const ALL: u32 = 1_000;

/// The sources that a thing or version was made of.
///
/// # Errors
/// `corrupt` when they cannot be read.
pub fn sources(json: &str) -> Result<Vec<Source>> {
    serde_json::from_str(json)
        .map_err(|e| Error::corrupt("the sources of a thing cannot be read").caused_by(e))
}

/// The JSON of a memory as REST shows it, with more members, each as `,"name":json`.
///
/// # Errors
/// `corrupt` when its record cannot be read.
pub fn memory_json(thing: &index::Thing, more: &str) -> Result<String> {
    let (memory, sources) = (Memory::read(&thing.last.body)?, sources(&thing.sources)?);
    let stored = StoredMemory {
        id: &thing.id,
        memory: &memory,
        sources: &sources,
        created_at: Hlc(thing.created_at),
        updated_at: Hlc(thing.last.at),
    };
    let json = holdfast_formats::memory_json(&stored);
    Ok(format!("{}{more}}}", json.strip_suffix('}').unwrap_or(&json)))
}

/// A memory of the index in the types of `holdfast:memory`.
///
/// # Errors
/// `corrupt` when its record cannot be read.
pub fn memory_noun(thing: &index::Thing) -> Result<memory::Memory> {
    let held = Memory::read(&thing.last.body)?;
    let source = |source: Source| memory::Source {
        session: source.session.to_string(),
        message: source.message.unwrap_or_default(),
        start: source.start,
        end: source.end,
    };
    Ok(memory::Memory {
        id: thing.id.clone(),
        importance: held.weight(),
        event: held.event.name().to_owned(),
        text: held.text,
        category: held.category,
        metadata: held.metadata,
        expires_at: held.expires_at,
        sources: sources(&thing.sources)?.into_iter().map(source).collect(),
        created_at: rfc3339(Hlc(thing.created_at).milliseconds()),
        updated_at: updated_at(thing),
        etag: thing.last.order.clone(),
    })
}

/// When a thing was last changed, RFC 3339.
pub fn updated_at(thing: &index::Thing) -> String {
    rfc3339(Hlc(thing.last.at).milliseconds())
}

/// One thing of the user, or of a session.
///
/// # Errors
/// What a read may meet.
pub async fn find(
    scope: &Scope,
    (kind, session, id): (ThingKind, Option<&SessionId>, &str),
    reading: index::Reading,
) -> Result<index::FoundThing> {
    let session = session.map(SessionId::to_string);
    let (kind, id) = (kind.name().to_owned(), id.to_owned());
    Ok(index::find_thing(scope.into(), kind, session, id, reading).await?)
}

/// All things of a kind, of the user or of a session, by when they were last changed, oldest first, that pass a filter.
///
/// # Errors
/// What a read may meet.
pub async fn all(
    scope: &Scope,
    (kind, session, filter): (ThingKind, Option<&SessionId>, Option<String>),
    reading: index::Reading,
) -> Result<(Vec<index::Thing>, Frontier)> {
    let selection = index::Selection {
        kind: kind.name().to_owned(),
        session: session.map(SessionId::to_string),
        filter,
    };
    let (mut items, mut after) = (Vec::new(), None);
    let mut reading = reading;
    loop {
        let page = index::Page { after, rank: None, limit: ALL, descending: false };
        let found =
            index::list_things(scope.into(), selection.clone(), page, reading.clone()).await?;
        items.extend(found.items);
        if found.next.is_none() {
            return Ok((items, found.frontier.into()));
        }
        after = found.next;
        reading.consistency = index::Consistency::Local;
    }
}

/// Deletes a thing. Deleting it again is not an error and writes nothing.
///
/// # Errors
/// `not_found` for one that never was there; `precondition_failed` when `if_match` is not its etag now.
pub async fn remove(
    state: &State,
    scope: &Scope,
    forgetting: Forgetting<'_>,
    if_match: Option<&str>,
    author: Author,
) -> Result<Frontier> {
    let name = forgetting.name;
    let found = find(scope, name, latest(&author.after)).await?;
    let known = known(scope, name.1.map_or("", SessionId::as_str), Vec::new()).await;
    match found.item {
        Some(item) => {
            matches(if_match, &item)?;
            delete_thing(state, scope, author, &known, forgetting).await
        }
        // What was hidden before has its bytes still.
        None if found.deleted && forgetting.physical => {
            delete_thing(state, scope, author, &known, forgetting).await
        }
        None if found.deleted => deleted_before(state, author, &known).await,
        None => Err(missing(name.0, name.2)),
    }
}

/// There is no such thing.
pub fn missing(kind: ThingKind, id: &str) -> Error {
    Error::not_found(format!("there is no {} {id}", kind.name()))
}

/// Checks an `If-Match` against what stands.
///
/// # Errors
/// `precondition_failed`.
pub fn matches(if_match: Option<&str>, thing: &index::Thing) -> Result<()> {
    if if_match.is_none_or(|etag| etag == "*" || etag.trim_matches('"') == thing.last.order) {
        return Ok(());
    }
    let detail = format!("{} {} was changed meanwhile: read it again", thing.kind, thing.id);
    Err(Error::because(Case::Conflict, "precondition_failed", detail).at("If-Match"))
}
