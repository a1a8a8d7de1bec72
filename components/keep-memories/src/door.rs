//! The typed door `memories`: the same verbs, in the types of `holdfast:memory`.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::memories as door;
use crate::profile::profile;
use crate::ready::ready;
use crate::save::{local, save};
use crate::shown::Shown;
use crate::{edit, read};
use holdfast_core::clock::rfc3339;
use holdfast_core::memory::Memory;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Error, Hlc, Result, Scope, SessionId};
use holdfast_formats::{GivenMemory, GivenSource};
use holdfast_kit::read::{MAX_PAGE, after, as_of, latest, reading};
use holdfast_kit::things::{find, remove, sources};
use holdfast_kit::write::{Author, Forgetting};
use holdfast_kit::{State, index, memory, state};

type Answer<T> = Result<T, memory::Error>;

impl door::Guest for Door {
    async fn save(
        scope: memory::Scope,
        memories: Vec<door::NewMemory>,
        idempotency_key: Option<String>,
        seen: Option<String>,
    ) -> Answer<door::SavedAll> {
        Ok(put(scope, memories, idempotency_key, seen).await?)
    }

    async fn get(scope: memory::Scope, id: String, how: memory::Reading) -> Answer<memory::Memory> {
        let (_, scope, reading) = entered(scope, how).await?;
        let (shown, _) = read::get(&scope, &id, reading).await?;
        Ok(shown.into())
    }

    async fn list(
        scope: memory::Scope,
        filters: Option<String>,
        page: memory::Page,
        how: memory::Reading,
    ) -> Answer<door::MemoryPage> {
        let (state, scope, reading) = entered(scope, how).await?;
        let (shown, next_cursor, frontier) =
            read::list(state, &scope, filters, &page.into(), reading).await?;
        let memories = shown.into_iter().map(memory::Memory::from).collect();
        let after = state.signer(&scope).after(&frontier);
        Ok(door::MemoryPage { memories, next_cursor, after })
    }

    async fn update(
        scope: memory::Scope,
        id: String,
        change: door::Change,
        if_match: Option<String>,
        seen: Option<String>,
    ) -> Answer<memory::Memory> {
        let (state, scope, author) = writing(scope, seen).await?;
        let change = GivenMemory {
            text: change.text,
            category: change.category.map(Some),
            importance: change.importance.map(|number| number.to_string()),
            metadata: change.metadata.map(Some),
            expires_at: change.expires_at.map(Some),
            sources: change.sources.map(named).transpose()?,
            id: None,
        };
        checked(&change)?;
        let (shown, _) =
            edit::update(state, &scope, &id, change, if_match.as_deref(), author).await?;
        Ok(shown.into())
    }

    async fn delete(scope: memory::Scope, id: String, seen: Option<String>) -> Answer<String> {
        let (state, scope, author) = writing(scope, seen).await?;
        let name = (ThingKind::Memory, None, id.as_str());
        let forgetting = Forgetting { name, physical: state.settings.delete_physically };
        let frontier = remove(state, &scope, forgetting, None, author).await?;
        Ok(state.signer(&scope).after(&frontier))
    }

    async fn history(
        scope: memory::Scope,
        id: String,
        how: memory::Reading,
    ) -> Answer<Vec<memory::Memory>> {
        let (_, scope, reading) = entered(scope, how).await?;
        let (versions, _) = read::history(&scope, &id, reading).await?;
        let first = versions.first().map_or(Hlc(0), |version| Hlc(version.at));
        let versions = versions.into_iter().map(|version| {
            let shown = Shown {
                id: id.clone(),
                memory: Memory::read(&version.body)?,
                sources: sources(&version.sources)?,
                created_at: first,
                updated_at: Hlc(version.at),
                order: version.order,
            };
            Ok(shown.into())
        });
        Ok(versions.collect::<Result<_>>()?)
    }

    async fn restore(
        scope: memory::Scope,
        id: String,
        version: Option<String>,
        seen: Option<String>,
    ) -> Answer<memory::Memory> {
        let (state, scope, author) = writing(scope, seen).await?;
        let (shown, _) =
            edit::restore(state, &scope, &id, version.as_deref(), None, author).await?;
        Ok(shown.into())
    }

    async fn profile(
        scope: memory::Scope,
        limit: u32,
        how: memory::Reading,
    ) -> Answer<door::UserProfile> {
        let (state, scope, reading) = entered(scope, how).await?;
        let found = profile(&scope, limit.clamp(1, MAX_PAGE) as usize, reading).await?;
        Ok(door::UserProfile {
            text: found.text(),
            preferences: serde_json::Value::Object(found.preferences).to_string(),
            after: state.signer(&scope).after(&found.frontier),
            memories: found.memories.into_iter().map(memory::Memory::from).collect(),
        })
    }
}

async fn entered(
    scope: memory::Scope,
    how: memory::Reading,
) -> Result<(&'static State, Scope, index::Reading)> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let seen = after(state, &scope, how.after.as_deref())?;
    let reading = as_of(reading(how.consistency.as_deref(), seen)?, how.as_of.as_deref())?;
    Ok((state, scope, reading))
}

async fn writing(
    scope: memory::Scope,
    seen: Option<String>,
) -> Result<(&'static State, Scope, Author)> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let author = Author::inside(state, &scope, seen.as_deref())?;
    Ok((state, scope, author))
}

async fn put(
    scope: memory::Scope,
    memories: Vec<door::NewMemory>,
    key: Option<String>,
    seen: Option<String>,
) -> Result<door::SavedAll> {
    let (state, scope, author) = writing(scope, seen).await?;
    find(&scope, (ThingKind::Memory, None, "none"), latest(&author.after)).await?;
    let mut all = Vec::new();
    for new in memories {
        let given = GivenMemory {
            id: new.id,
            text: new.text,
            category: new.category.map(Some),
            importance: new.importance.map(|number| number.to_string()),
            metadata: new.metadata.map(Some),
            expires_at: new.expires_at.map(Some),
            sources: Some(named(new.sources)?),
        };
        checked(&given)?;
        all.push(ready(&scope, given, &local(&author)).await?);
    }
    let saved = save(state, &scope, all, author, key.as_deref()).await?;
    let memories = saved.memories.into_iter();
    let memories =
        memories.map(|(shown, linked)| door::Saved { memory: shown.into(), linked }).collect();
    Ok(door::SavedAll { memories, after: state.signer(&scope).after(&saved.frontier) })
}

/// The rules that a request's body is held to.
fn checked(given: &GivenMemory) -> Result<()> {
    let importance = given.importance.as_deref().map(str::parse::<f64>);
    if importance.is_some_and(|n| !n.is_ok_and(|number| (0.0..=1.0).contains(&number))) {
        return Err(Error::unprocessable("importance", "importance must be from 0 to 1"));
    }
    if let Some(Some(time)) = &given.expires_at {
        holdfast_core::clock::parse_rfc3339(time).map_err(|error| error.at("expires_at"))?;
    }
    let metadata = given.metadata.iter().flatten();
    for json in metadata {
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json)
            .map_err(|e| Error::unprocessable("metadata", "must be a JSON object").caused_by(e))?;
    }
    Ok(())
}

fn named(all: Vec<memory::Source>) -> Result<Vec<GivenSource>> {
    let named = all.into_iter().map(|source| {
        let (message, start, end) = (source.message, source.start, source.end);
        Ok(GivenSource { session: SessionId::parse(&source.session)?, message, start, end })
    });
    named.collect()
}

impl From<Shown> for memory::Memory {
    fn from(shown: Shown) -> Self {
        let sources = shown.sources.into_iter().map(|source| memory::Source {
            session: source.session.to_string(),
            message: source.message.unwrap_or_default(),
            start: source.start,
            end: source.end,
        });
        Self {
            importance: shown.memory.weight(),
            event: shown.memory.event.name().to_owned(),
            text: shown.memory.text,
            category: shown.memory.category,
            metadata: shown.memory.metadata,
            expires_at: shown.memory.expires_at,
            sources: sources.collect(),
            created_at: rfc3339(shown.created_at.milliseconds()),
            updated_at: rfc3339(shown.updated_at.milliseconds()),
            etag: shown.order,
            id: shown.id,
        }
    }
}
