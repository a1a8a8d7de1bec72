//! What lies around sessions, in the types of `holdfast:memory`: what the typed door does for contexts, preferences,
//! relationships and the timeline.

use crate::bindings::exports::holdfast::memory::sessions as door;
use crate::things::{self, held, json_given, json_of, object_given, share_given};
use crate::verbs::Shown;
use crate::{contexts, preferences, relationships, timeline, verbs};
use holdfast_core::clock::{parse_rfc3339, rfc3339};
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Error, Hlc, Result, Scope, SessionId};
use holdfast_kit::index::{Moment, Reading, Thing};
use holdfast_kit::read::{Asked, after, as_of, present, reading};
use holdfast_kit::things::{all, find, memory_noun, missing, remove};
use holdfast_kit::types::message;
use holdfast_kit::write::{Author, Forgetting};
use holdfast_kit::{State, memory, state};
use serde_json::{Value, json};

/// Whose, and by which instance.
pub struct Asker {
    state: &'static State,
    scope: Scope,
}

impl Asker {
    /// As the door is asked.
    ///
    /// # Errors
    /// `unprocessable` for a scope that is none.
    pub async fn of(scope: memory::Scope) -> Result<Self> {
        Ok(Self { state: state().await?, scope: scope.try_into()? })
    }

    fn how(&self, how: &memory::Reading) -> Result<Reading> {
        let seen = after(self.state, &self.scope, how.after.as_deref())?;
        as_of(reading(how.consistency.as_deref(), seen)?, how.as_of.as_deref())
    }

    fn author(&self, seen: Option<&str>) -> Result<Author> {
        Author::inside(self.state, &self.scope, seen)
    }

    fn token(&self, frontier: &Frontier) -> String {
        self.state.signer(&self.scope).after(frontier)
    }

    async fn found(
        &self,
        name: things::Name<'_>,
        how: &memory::Reading,
    ) -> Result<(Thing, String)> {
        let found = find(&self.scope, name, self.how(how)?).await?;
        let item = found.item.ok_or_else(|| missing(name.0, name.2))?;
        Ok((item, self.token(&found.frontier.into())))
    }

    async fn forget(&self, name: things::Name<'_>, seen: Option<&str>) -> Result<String> {
        let forgetting = Forgetting { name, physical: self.state.settings.delete_physically };
        let author = self.author(seen)?;
        Ok(self.token(&remove(self.state, &self.scope, forgetting, None, author).await?))
    }

    /// Puts a context entry.
    pub async fn put_context(
        self,
        session: &str,
        (kind, key): (&str, &str),
        new: door::NewContextEntry,
        if_match: Option<&str>,
        seen: Option<&str>,
    ) -> Result<door::ContextEntry> {
        let limits = &self.state.settings.limits;
        if let Some(time) = &new.expires_at {
            parse_rfc3339(time).map_err(|error| error.at("expires-at"))?;
        }
        let thing = json!({
            "value": json_given("value", new.value, limits.message_bytes)?,
            "relevance_score": share_given("relevance-score", new.relevance_score)?,
            "metadata": object_given("metadata", new.metadata, limits.metadata_bytes)?,
            "expires_at": new.expires_at,
        });
        let (session, author) = (SessionId::parse(session)?, self.author(seen)?);
        let place = (&session, kind, key);
        let kept = contexts::keep(self.state, &self.scope, place, &thing, if_match, author);
        let (thing, _, frontier) = kept.await?;
        entry(&thing, self.token(&frontier))
    }

    /// One context entry.
    pub async fn get_context(
        self,
        session: &str,
        (kind, key): (&str, &str),
        how: memory::Reading,
    ) -> Result<door::ContextEntry> {
        let (session, id) = (SessionId::parse(session)?, contexts::name(kind, key)?);
        let (thing, token) = self.found((ThingKind::Context, Some(&session), &id), &how).await?;
        entry(&thing, token)
    }

    /// The entries of a session.
    pub async fn list_contexts(
        self,
        session: &str,
        kind: Option<&str>,
        how: memory::Reading,
    ) -> Result<Vec<door::ContextEntry>> {
        let (session, how) = (SessionId::parse(session)?, self.how(&how)?);
        if let Some(kind) = kind {
            contexts::name(kind, "any")?;
        }
        verbs::get(&self.scope, &session, how.clone()).await?;
        let filter = kind.map(|kind| json!({"type": {"eq": kind}}).to_string());
        let wanted = (ThingKind::Context, Some(&session), filter);
        let (found, frontier) = all(&self.scope, wanted, how).await?;
        found.iter().map(|thing| entry(thing, self.token(&frontier))).collect()
    }

    /// Deletes a context entry.
    pub async fn delete_context(
        self,
        session: &str,
        (kind, key): (&str, &str),
        seen: Option<&str>,
    ) -> Result<String> {
        let (session, id) = (SessionId::parse(session)?, contexts::name(kind, key)?);
        self.forget((ThingKind::Context, Some(&session), &id), seen).await
    }

    /// Puts a preference.
    pub async fn put_preference(
        self,
        key: &str,
        new: door::NewPreference,
        if_match: Option<&str>,
        seen: Option<&str>,
    ) -> Result<door::Preference> {
        let limits = &self.state.settings.limits;
        let value = json_given("value", new.value, limits.message_bytes)?;
        let metadata = object_given("metadata", new.metadata, limits.metadata_bytes)?;
        let given = preferences::Given { value: value.clone(), sensitive: new.sensitive, metadata };
        let author = self.author(seen)?;
        let kept = preferences::keep(self.state, &self.scope, key, given, if_match, author);
        let (thing, _, frontier) = kept.await?;
        Ok(preference(&thing, Some(value), self.token(&frontier)))
    }

    /// One preference, opened.
    pub async fn get_preference(self, key: &str, how: memory::Reading) -> Result<door::Preference> {
        let name = (ThingKind::Preference, None, preferences::checked(key)?);
        let (thing, token) = self.found(name, &how).await?;
        let value = preferences::opened(self.state, &self.scope, &thing)?;
        Ok(preference(&thing, Some(value), token))
    }

    /// All preferences.
    pub async fn list_preferences(self, how: memory::Reading) -> Result<Vec<door::Preference>> {
        let wanted = (ThingKind::Preference, None, None);
        let (found, frontier) = all(&self.scope, wanted, self.how(&how)?).await?;
        let shown = |thing: &Thing| {
            let value = held(thing).get("value").and_then(Value::as_str).map(str::to_owned);
            preference(thing, value, self.token(&frontier))
        };
        Ok(found.iter().map(shown).collect())
    }

    /// Deletes a preference.
    pub async fn delete_preference(self, key: &str, seen: Option<&str>) -> Result<String> {
        self.forget((ThingKind::Preference, None, preferences::checked(key)?), seen).await
    }

    /// Relates a session to another.
    pub async fn relate(
        self,
        session: &str,
        new: door::NewRelationship,
        seen: Option<&str>,
    ) -> Result<door::Relationship> {
        let limits = &self.state.settings.limits;
        let thing = json!({
            "score": share_given("score", new.score)?,
            "metadata": object_given("metadata", new.metadata, limits.metadata_bytes)?,
        });
        let (place, author) = ((session, new.kind.as_str(), new.target), self.author(seen)?);
        let related = relationships::relate(self.state, &self.scope, place, &thing, None, author);
        let (thing, _, frontier) = related.await?;
        relationship(&thing, self.token(&frontier))
    }

    /// The relationships of a session.
    pub async fn list_relationships(
        self,
        session: &str,
        how: memory::Reading,
    ) -> Result<Vec<door::Relationship>> {
        let (session, how) = (SessionId::parse(session)?, self.how(&how)?);
        verbs::get(&self.scope, &session, how.clone()).await?;
        let wanted = (ThingKind::Relationship, Some(&session), None);
        let (found, frontier) = all(&self.scope, wanted, how).await?;
        found.iter().map(|thing| relationship(thing, self.token(&frontier))).collect()
    }

    /// Deletes a relationship.
    pub async fn delete_relationship(
        self,
        session: &str,
        (kind, target): (&str, &str),
        seen: Option<&str>,
    ) -> Result<String> {
        let (session, id) = (SessionId::parse(session)?, format!("{kind}/{target}"));
        self.forget((ThingKind::Relationship, Some(&session), &id), seen).await
    }

    /// A page of the timeline.
    pub async fn timeline(
        self,
        page: memory::Page,
        how: memory::Reading,
    ) -> Result<door::MomentPage> {
        present(&how)?;
        let asked = Asked { descending: true, ..page.into() };
        let how = self.how(&how)?;
        let (moments, next_cursor, frontier) =
            timeline::page(self.state, &self.scope, &asked, how).await?;
        let moments = moments.into_iter().map(moment).collect::<Result<_>>()?;
        Ok(door::MomentPage { moments, next_cursor, after: self.token(&frontier) })
    }
}

fn moment(moment: Moment) -> Result<door::Moment> {
    Ok(match moment {
        Moment::Message(found) => door::Moment::Message(message(&found)?),
        Moment::Session(found) => door::Moment::Session(Shown::try_from(found)?.into()),
        Moment::Memory(found) => door::Moment::Memory(memory_noun(&found)?),
    })
}

fn at(hlc: u64) -> String {
    rfc3339(Hlc(hlc).milliseconds())
}

fn number(held: &Value, name: &str) -> Result<f64> {
    let parsed = serde_json::from_str(json_of(held, name));
    parsed.map_err(|e| Error::corrupt("a thing's record cannot be read").caused_by(e))
}

fn entry(thing: &Thing, after: String) -> Result<door::ContextEntry> {
    let held = held(thing);
    let (kind, key) = thing.id.split_once('/').unwrap_or_default();
    Ok(door::ContextEntry {
        session: thing.session.clone().unwrap_or_default(),
        kind: kind.to_owned(),
        key: key.to_owned(),
        value: json_of(&held, "value").to_owned(),
        relevance_score: number(&held, "relevance_score")?,
        metadata: json_of(&held, "metadata").to_owned(),
        expires_at: held.get("expires_at").and_then(Value::as_str).map(str::to_owned),
        created_at: at(thing.created_at),
        updated_at: at(thing.last.at),
        etag: thing.last.order.clone(),
        after,
    })
}

fn preference(thing: &Thing, value: Option<String>, after: String) -> door::Preference {
    let held = held(thing);
    door::Preference {
        key: thing.id.clone(),
        value,
        sensitive: held.get("sensitive") == Some(&Value::Bool(true)),
        metadata: json_of(&held, "metadata").to_owned(),
        created_at: at(thing.created_at),
        updated_at: at(thing.last.at),
        etag: thing.last.order.clone(),
        after,
    }
}

fn relationship(thing: &Thing, after: String) -> Result<door::Relationship> {
    let held = held(thing);
    let (kind, target) = thing.id.split_once('/').unwrap_or_default();
    Ok(door::Relationship {
        source: thing.session.clone().unwrap_or_default(),
        target: target.to_owned(),
        kind: kind.to_owned(),
        score: number(&held, "score")?,
        metadata: json_of(&held, "metadata").to_owned(),
        created_at: at(thing.created_at),
        updated_at: at(thing.last.at),
        after,
    })
}
