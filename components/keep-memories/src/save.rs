//! Saving: what is there already is linked, what is new is embedded and written, all as one object.

use crate::embed;
use crate::ready::Ready;
use crate::shown::Shown;
use holdfast_core::memory::{Event, Memory};
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope};
use holdfast_kit::State;
use holdfast_kit::index::{Consistency, Reading};
use holdfast_kit::things::{all, find};
use holdfast_kit::write::{Author, NewThing, derived_id, fresh_id, known, record_things};
use serde_json::json;
use std::collections::HashMap;

/// What became of memories that were to be saved.
pub struct Saved {
    /// Each, and whether it was there already.
    pub memories: Vec<(Shown, bool)>,
    /// They had been saved by a request with this Idempotency-Key before.
    pub replayed: bool,
    /// The next search finds them.
    pub indexed: bool,
    /// What a reader has seen who has seen this.
    pub frontier: Frontier,
}

/// One memory of the plan: what is shown, and the record that makes it so.
struct Planned {
    shown: Shown,
    linked: bool,
    record: Option<usize>,
}

struct Plan<'a> {
    state: &'a State,
    scope: &'a Scope,
    reading: Reading,
    key: Option<&'a str>,
    by_hash: HashMap<String, (Shown, Option<usize>)>,
    things: Vec<NewThing>,
}

/// Saves memories, all or none. The view has been brought up to date.
///
/// # Errors
/// `conflict` for a caller's id that has another text; `idempotency_mismatch`; as any write.
pub async fn save(
    state: &State,
    scope: &Scope,
    ready: Vec<Ready>,
    author: Author,
    key: Option<&str>,
) -> Result<Saved> {
    let reading = local(&author);
    let mut plan = Plan { state, scope, reading, key, by_hash: HashMap::new(), things: Vec::new() };
    plan.look_up(&ready).await?;
    let mut planned = Vec::with_capacity(ready.len());
    for (position, ready) in ready.into_iter().enumerate() {
        planned.push(plan.place(position, ready).await?);
    }
    let own = |(position, planned): (usize, &Planned)| {
        key.is_some_and(|key| planned.shown.id == derived(scope, key, position))
    };
    let replayed = plan.things.is_empty() && planned.iter().enumerate().all(own);
    let known = known(scope, "", Vec::new()).await;
    if plan.things.is_empty() {
        let frontier = author.after.joined(&known.frontier.into());
        let memories = planned.into_iter().map(|planned| (planned.shown, planned.linked));
        return Ok(Saved { memories: memories.collect(), replayed, indexed: true, frontier });
    }
    plan.embed().await?;
    let written = record_things(state, scope, author, &known, &plan.things).await?;
    let memories = planned.into_iter().map(|mut planned| {
        if let Some(order) = planned.record.and_then(|record| written.orders.get(record)) {
            planned.shown.stamp(order);
        }
        (planned.shown, planned.linked)
    });
    let memories = memories.collect();
    Ok(Saved { memories, replayed, indexed: written.indexed, frontier: written.frontier })
}

/// A reading of the view at hand.
pub fn local(author: &Author) -> Reading {
    let after = Some(author.after.clone().into())
        .filter(|seen: &holdfast_kit::index::Frontier| seen.hlc > 0);
    Reading { consistency: Consistency::Local, after, as_of: None }
}

fn derived(scope: &Scope, key: &str, position: usize) -> String {
    derived_id(scope, &["memory", key, &position.to_string()])
}

impl Shown {
    /// It was written with this order.
    fn stamp(&mut self, order: &Order) {
        self.updated_at = order.hlc;
        if self.created_at == Hlc(0) {
            self.created_at = order.hlc;
        }
        self.order = order.to_string();
    }
}

impl Plan<'_> {
    /// Which of the texts are there already.
    async fn look_up(&mut self, ready: &[Ready]) -> Result<()> {
        for some in ready.chunks(500) {
            let hashes: Vec<_> = some.iter().map(|ready| ready.memory.content_hash()).collect();
            let filter = json!({"content_hash": {"in": hashes}}).to_string();
            let wanted = (ThingKind::Memory, None, Some(filter));
            let (found, _) = all(self.scope, wanted, self.reading.clone()).await?;
            for thing in found {
                let shown: Shown = thing.try_into()?;
                // Two hosts may have saved one text at the same time: the older one is linked.
                let hash = shown.memory.content_hash();
                let held = self.by_hash.entry(hash).or_insert_with(|| (shown.clone(), None));
                if (shown.created_at, &shown.id) < (held.0.created_at, &held.0.id) {
                    held.0 = shown;
                }
            }
        }
        Ok(())
    }

    async fn place(&mut self, position: usize, ready: Ready) -> Result<Planned> {
        let hash = ready.memory.content_hash();
        if let Some((shown, record)) = self.by_hash.get(&hash).cloned() {
            return self.link(shown, record, &hash, &ready.sources);
        }
        let id = self.choose(position, &ready).await?;
        let body = ThingBody::new(&ready.memory, ready.sources.clone())?;
        let record = Some(self.push(&id, body));
        let Ready { memory, sources, .. } = ready;
        let (created_at, updated_at, order) = (Hlc(0), Hlc(0), String::new());
        let shown = Shown { id, memory, sources, created_at, updated_at, order };
        self.by_hash.insert(hash, (shown.clone(), record));
        Ok(Planned { shown, linked: false, record })
    }

    /// The same text is there: only what it is made of may be new.
    fn link(
        &mut self,
        mut shown: Shown,
        mut record: Option<usize>,
        hash: &str,
        sources: &[Source],
    ) -> Result<Planned> {
        let new: Vec<Source> =
            sources.iter().filter(|source| !shown.sources.contains(source)).cloned().collect();
        if !new.is_empty() {
            shown.memory = Memory { event: Event::Linked, ..shown.memory };
            shown.join(&new);
            record = Some(self.push(&shown.id, ThingBody::new(&shown.memory, new)?));
            self.by_hash.insert(hash.to_owned(), (shown.clone(), record));
        }
        Ok(Planned { shown, linked: true, record })
    }

    fn push(&mut self, id: &str, body: ThingBody) -> usize {
        let (kind, session, id) = (ThingKind::Memory, None, id.to_owned());
        self.things.push(NewThing { kind, session, id, body });
        self.things.len() - 1
    }

    /// The id of a new memory: the caller's; one of the Idempotency-Key; one of the text, so that two hosts that save it at
    /// the same time save one memory; a fresh one where that is taken by a memory that was edited.
    async fn choose(&self, position: usize, ready: &Ready) -> Result<String> {
        if let Some(id) = &ready.id {
            return match self.is_taken(id).await? {
                false => Ok(id.clone()),
                true => {
                    let detail =
                        format!("memory {id} exists with another text: change it with PATCH");
                    Err(Error::new(Case::Conflict, detail).at("id"))
                }
            };
        }
        if let Some(key) = self.key {
            let id = derived(self.scope, key, position);
            if self.is_taken(&id).await? {
                let detail = "the Idempotency-Key was used with another memory: use a fresh one";
                let error = Error::because(Case::Invalid, "idempotency_mismatch", detail);
                return Err(error.at("Idempotency-Key"));
            }
            return Ok(id);
        }
        let id = derived_id(self.scope, &["memory", "text", &ready.memory.content_hash()]);
        Ok(if self.is_taken(&id).await? { fresh_id(self.state) } else { id })
    }

    async fn is_taken(&self, id: &str) -> Result<bool> {
        let ours = self.things.iter().any(|thing| thing.id == id);
        let name = (ThingKind::Memory, None, id);
        Ok(ours || find(self.scope, name, self.reading.clone()).await?.item.is_some())
    }

    /// Vectors for what is new; a link has the text of a version that has them.
    async fn embed(&mut self) -> Result<()> {
        let memories: Vec<Memory> = self
            .things
            .iter()
            .map(|thing| Memory::read(&thing.body.text))
            .collect::<Result<_>>()?;
        let texts: Vec<&str> = memories
            .iter()
            .map(|memory| if memory.event == Event::Linked { "" } else { memory.text.as_str() })
            .collect();
        let vectors = embed::vectors(self.scope, &texts).await;
        for (thing, vectors) in self.things.iter_mut().zip(vectors) {
            thing.body.vectors = vectors;
        }
        Ok(())
    }
}
