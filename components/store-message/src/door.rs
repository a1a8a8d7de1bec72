//! The typed door `messages`: the same verbs, in the types of `holdfast:memory`.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::messages::{
    Guest, HistoryPage, Place, Stored, Writing,
};
use crate::{delete, history, store};
use holdfast_core::{Error, Result, SessionId};
use holdfast_formats::{Limits, NewMessage, rest};
use holdfast_kit::read::{after, as_of, reading};
use holdfast_kit::types::message;
use holdfast_kit::write::Author;
use holdfast_kit::{memory, state};
use serde::Serialize;
use serde_json::value::RawValue;

impl Guest for Door {
    async fn store(
        scope: memory::Scope,
        session: String,
        messages: Vec<memory::NewMessage>,
        writing: Writing,
    ) -> Result<Stored, memory::Error> {
        Ok(put(scope, session, messages, writing).await?)
    }

    async fn get(
        scope: memory::Scope,
        session: String,
        id: String,
        how: memory::Reading,
    ) -> Result<memory::Message, memory::Error> {
        Ok(find(scope, session, id, how).await?)
    }

    async fn history(
        scope: memory::Scope,
        session: String,
        page: memory::Page,
        how: memory::Reading,
    ) -> Result<HistoryPage, memory::Error> {
        Ok(pages(scope, session, page, how).await?)
    }

    async fn delete(
        scope: memory::Scope,
        session: String,
        id: String,
        seen: Option<String>,
    ) -> Result<String, memory::Error> {
        Ok(remove(scope, session, id, seen).await?)
    }
}

async fn put(
    scope: memory::Scope,
    session: String,
    messages: Vec<memory::NewMessage>,
    writing: Writing,
) -> Result<Stored> {
    let (state, scope, session) = (state().await?, scope.try_into()?, SessionId::parse(&session)?);
    if messages.is_empty() {
        return Err(Error::unprocessable("messages", "there is no message: give at least one"));
    }
    let messages = parse(messages, &state.settings.limits)?;
    let writing = store::Writing {
        author: Author::inside(state, &scope, writing.after.as_deref())?,
        idempotency_key: writing.idempotency_key,
    };
    let stored = store::store(state, &scope, &session, messages, writing).await;
    let stored = stored.map_err(|failed| failed.error)?;
    let places = stored.places.into_iter().map(|(id, order)| Place { id, order }).collect();
    let after = state.signer(&scope).after(&stored.frontier);
    Ok(Stored { messages: places, indexed: stored.indexed, after })
}

async fn find(
    scope: memory::Scope,
    session: String,
    id: String,
    how: memory::Reading,
) -> Result<memory::Message> {
    let (state, scope, session) = (state().await?, scope.try_into()?, SessionId::parse(&session)?);
    let after = after(state, &scope, how.after.as_deref())?;
    let reading = as_of(reading(how.consistency.as_deref(), after)?, how.as_of.as_deref())?;
    let found = history::get(&scope, &session, &id, reading).await?;
    let item = found.item.ok_or_else(|| Error::not_found("there is no such message"))?;
    message(&item)
}

async fn pages(
    scope: memory::Scope,
    session: String,
    page: memory::Page,
    how: memory::Reading,
) -> Result<HistoryPage> {
    let (state, scope, session) = (state().await?, scope.try_into()?, SessionId::parse(&session)?);
    let seen = after(state, &scope, how.after.as_deref())?;
    let reading = as_of(reading(how.consistency.as_deref(), seen)?, how.as_of.as_deref())?;
    let (found, next_cursor) =
        history::page(state, &scope, &session, &page.into(), reading).await?;
    Ok(HistoryPage {
        messages: found.items.iter().map(message).collect::<Result<_>>()?,
        late: found.late.iter().map(message).collect::<Result<_>>()?,
        next_cursor,
        after: state.signer(&scope).after(&found.frontier.into()),
    })
}

async fn remove(
    scope: memory::Scope,
    session: String,
    id: String,
    seen: Option<String>,
) -> Result<String> {
    let (state, scope, session) = (state().await?, scope.try_into()?, SessionId::parse(&session)?);
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let frontier =
        delete::delete(state, &scope, &session, &id, state.settings.delete_physically, author)
            .await?;
    Ok(state.signer(&scope).after(&frontier))
}

/// Reads messages by the same rules as a request's body: they are written as one.
fn parse(messages: Vec<memory::NewMessage>, limits: &Limits) -> Result<Vec<NewMessage>> {
    let items: Vec<Item> = messages.into_iter().map(item).collect::<Result<_>>()?;
    let body = serde_json::to_vec(&Body { messages: items })
        .map_err(|e| Error::internal("messages cannot be encoded").caused_by(e))?;
    Ok(rest::read(&body, limits)?.all()?)
}

#[derive(Serialize)]
struct Body {
    messages: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    role: String,
    content: Box<RawValue>,
    name: Option<String>,
    id: Option<String>,
    parent_id: Option<String>,
    event_time: Option<String>,
    metadata: Option<Box<RawValue>>,
    extra: Option<Box<RawValue>>,
    tool_calls: Option<Box<RawValue>>,
    tool_call_id: Option<String>,
    embedding: Option<Embedding>,
}

#[derive(Serialize)]
struct Embedding {
    space: String,
    vector: Vec<f32>,
}

fn item(new: memory::NewMessage) -> Result<Item> {
    let content = match new.content {
        memory::Content::Text(text) => serde_json::Value::from(text).to_string(),
        memory::Content::Blocks(blocks) => blocks,
    };
    let raw = |name: &'static str, text: Option<String>| {
        let parsed = text.map(RawValue::from_string).transpose();
        parsed.map_err(|e| Error::unprocessable(name, format!("{name} must be JSON")).caused_by(e))
    };
    let content = RawValue::from_string(content)
        .map_err(|e| Error::unprocessable("content", "blocks must be JSON").caused_by(e))?;
    Ok(Item {
        role: new.role,
        content,
        name: new.name,
        id: new.id,
        parent_id: new.parent_id,
        event_time: new.event_time,
        metadata: raw("metadata", new.metadata)?,
        extra: raw("extra", new.extra)?,
        tool_calls: raw("tool_calls", new.tool_calls)?,
        tool_call_id: new.tool_call_id,
        embedding: new.embedding.map(|e| Embedding { space: e.space, vector: e.vector }),
    })
}
