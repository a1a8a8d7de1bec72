//! A memory that is to be saved, with its sources found.

use holdfast_core::memory::{DEFAULT_IMPORTANCE, Event, Memory};
use holdfast_core::thing::Source;
use holdfast_core::{Error, Order, Result, Scope};
use holdfast_formats::{GivenMemory, GivenSource};
use holdfast_kit::index::{self, Reading};
use holdfast_kit::read::noun;

/// A memory to save.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The caller's id.
    pub id: Option<String>,
    /// Its first version.
    pub memory: Memory,
    /// What it is made of.
    pub sources: Vec<Source>,
}

/// Finds what a memory is made of; without a text of its own its parts are its text.
///
/// # Errors
/// `unprocessable` for a source that is not there, a part that is none, or nothing to save.
pub async fn ready(scope: &Scope, given: GivenMemory, reading: &Reading) -> Result<Ready> {
    let found = sources(scope, given.sources.as_deref().unwrap_or_default(), reading).await?;
    let (sources, parts): (Vec<Source>, Vec<String>) = found.into_iter().unzip();
    let text = given.text.or_else(|| (!parts.is_empty()).then(|| parts.join("\n")));
    let text = text.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        Error::unprocessable("text", "give a text, or the messages that it is made of")
    })?;
    let memory = Memory {
        text,
        category: given.category.flatten(),
        importance: given.importance.unwrap_or_else(|| DEFAULT_IMPORTANCE.to_owned()),
        metadata: given.metadata.flatten(),
        expires_at: given.expires_at.flatten(),
        event: Event::Saved,
    };
    Ok(Ready { id: given.id, memory, sources })
}

/// Finds messages, each with the text of the part that is named.
///
/// # Errors
/// `unprocessable` for one that is not there, or a part that is none.
pub async fn sources(
    scope: &Scope,
    given: &[GivenSource],
    reading: &Reading,
) -> Result<Vec<(Source, String)>> {
    let mut all: Vec<(Source, String)> = Vec::new();
    for (at, source) in given.iter().enumerate() {
        let found = source_of(scope, source, reading).await.map_err(|error| {
            let pointer = format!("/source_message_ids/{at}");
            if error.field.is_some() { error.at(pointer) } else { error }
        })?;
        if !all.contains(&found) {
            all.push(found);
        }
    }
    Ok(all)
}

async fn source_of(
    scope: &Scope,
    given: &GivenSource,
    reading: &Reading,
) -> Result<(Source, String)> {
    let (session, id) = (given.session.to_string(), given.message.clone());
    let found = index::find_message(scope.into(), session, id, reading.clone()).await?;
    let wrong = |detail: String| Error::unprocessable("message_id", detail);
    let message = found.item.ok_or_else(|| {
        wrong(format!("there is no message {} in session {}", given.message, given.session))
    })?;
    let mut text = noun(&message)?.text();
    if let Some((start, end)) = given.start.zip(given.end) {
        let part = text.get(start as usize..end as usize).map(str::to_owned);
        let detail = || wrong("the part does not lie between two characters of the text".into());
        text = part.ok_or_else(detail)?;
    }
    let source = Source {
        session: given.session.clone(),
        message: Some(message.conflict_of.unwrap_or(message.id)),
        order: Order::parse(&message.order)?,
        start: given.start,
        end: given.end,
    };
    Ok((source, text))
}
