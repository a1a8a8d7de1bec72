//! Things in the fold: by kind, session and id, the newest record that nothing hides stands.

use super::{Applied, View};
use crate::graves::{Graves, judged};
use crate::message::MessageVectors;
use crate::record::{Record, Writer};
use crate::retention::passes_at;
use crate::thing::{Source, ThingBody, ThingKind};
use crate::{Hlc, Order, Result};
use std::collections::{BTreeMap, HashSet};

/// One record of a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its order.
    pub order: Order,
    /// Who wrote it.
    pub by: Writer,
    /// JSON text of the thing: an object.
    pub text: Box<str>,
    /// What it was made of.
    pub sources: Vec<Source>,
    /// When it ends, in Unix milliseconds.
    pub expires_at: Option<u64>,
    /// Its vectors.
    pub vectors: Vec<MessageVectors>,
    pub(super) judged: Hlc,
}

impl Version {
    /// Has it ended at this moment, in Unix milliseconds?
    pub fn ended(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Does it say the same as another, however each came about?
    pub(super) fn says(&self, other: &Self) -> bool {
        self.text == other.text || self.said().is_some_and(|said| Some(said) == other.said())
    }

    fn said(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        let mut said: serde_json::Map<_, _> = serde_json::from_str(&self.text).ok()?;
        said.remove("event");
        // Where an attachment's bytes lie: a restore copies them.
        said.remove("parts");
        Some(said)
    }

    fn passes_at(&self, kind: ThingKind) -> Option<Hlc> {
        passes_at(kind, &self.sources)
    }

    /// Is it the same record as another?
    fn is_copy(&self, other: &Self) -> bool {
        (self.order.hlc, &self.by, &self.text, &self.sources)
            == (other.order.hlc, &other.by, &other.text, &other.sources)
    }

    pub(super) fn bytes(&self) -> usize {
        let values: usize = self.vectors.iter().map(|vectors| vectors.values.len() * 2).sum();
        self.text.len() + self.sources.len() * 96 + values + 160
    }
}

/// A thing as a reader sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundThing<'a> {
    /// Its kind.
    pub kind: ThingKind,
    /// Its session, where it has one.
    pub session: Option<&'a str>,
    /// Its id.
    pub id: &'a str,
    /// Its records, oldest first: the last stands. Never empty.
    pub versions: &'a [Version],
}

impl<'a> FoundThing<'a> {
    /// The record that stands.
    pub fn last(&self) -> Option<&'a Version> {
        self.versions.last()
    }

    /// When the thing began to be.
    pub fn created(&self) -> Hlc {
        self.versions.first().map(|version| version.order.hlc).unwrap_or_default()
    }

    /// Is there anything at this moment?
    pub fn is_live(&self, now: u64) -> bool {
        self.last().is_some_and(|last| !last.ended(now))
    }

    /// Everything that it was made of, by all records, oldest first and each once.
    pub fn sources(&self) -> Vec<&'a Source> {
        let mut all: Vec<&Source> = Vec::new();
        for source in self.versions.iter().flat_map(|version| &version.sources) {
            if !all.contains(&source) {
                all.push(source);
            }
        }
        all
    }
}

/// Kind, session (empty where there is none) and id.
pub(super) type Name = (ThingKind, Box<str>, Box<str>);

/// All things.
#[derive(Debug, Default)]
pub(super) struct Things {
    pub all: BTreeMap<Name, Vec<Version>>,
    /// Sessions that things lie in or were made of.
    pub sessions: HashSet<Box<str>>,
    pub bytes: usize,
    pub changes: u64,
}

impl Things {
    fn set(&mut self, name: Name, mut version: Version) {
        let versions = self.all.entry(name).or_default();
        if let Some(at) = versions.iter().position(|known| known.is_copy(&version)) {
            // A copy: the lower order stands, with the vectors that any copy brought.
            let known = versions.remove(at);
            self.bytes -= known.bytes();
            version.order = version.order.min(known.order);
            version.judged = version.judged.min(known.judged);
            version.vectors = better(version.vectors, known.vectors);
        }
        let at = versions.partition_point(|known| known.order < version.order);
        self.bytes += version.bytes();
        versions.insert(at, version);
        self.changes += 1;
    }

    /// Drops what is hidden now, and what has passed.
    fn bury(&mut self, graves: &Graves, horizon: Option<Hlc>) {
        let before = self.bytes;
        let bytes = &mut self.bytes;
        self.all.retain(|(kind, session, id), versions| {
            versions.retain(|version| {
                let hidden =
                    graves.hides_thing(*kind, (session, id), version.judged, version.order)
                        || graves.has_any(*kind, &version.sources)
                        || version.passes_at(*kind).is_some_and(|at| horizon >= Some(at));
                if hidden {
                    *bytes -= version.bytes();
                }
                !hidden
            });
            !versions.is_empty()
        });
        self.changes += u64::from(self.bytes != before);
    }
}

/// Vectors of two copies of one record: those of the one that has some, and of two the lower by their bits.
fn better(one: Vec<MessageVectors>, other: Vec<MessageVectors>) -> Vec<MessageVectors> {
    let bits = |all: &[MessageVectors]| -> Vec<u16> {
        all.iter().flat_map(|v| v.values.iter().map(|value| value.to_bits())).collect()
    };
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        _ if bits(&other) < bits(&one) => other,
        _ => one,
    }
}

impl View {
    pub(super) fn set_thing(
        &mut self,
        kind: ThingKind,
        record: &Record,
        order: Order,
    ) -> Result<Applied> {
        self.note_time(order.hlc);
        let session = record.session.as_ref().map_or("", |session| session.as_str());
        let (Some(body), true) = (&record.body, kind.in_session() != session.is_empty()) else {
            return Ok(Applied::Unknown);
        };
        let judged = judged(record, order);
        let hidden = self.graves.hides_thing(kind, (session, &record.id), judged, order);
        let body = ThingBody::decode(body)?;
        let passes_at = passes_at(kind, &body.sources);
        let passed = passes_at.is_some_and(|at| self.passing.hides(at));
        if hidden || passed || self.graves.has_any(kind, &body.sources) {
            return Ok(Applied::Hidden { numbers: Vec::new(), moved: false });
        }
        if let Some(at) = passes_at {
            self.passing.met(at);
        }
        let expires_at = body.expires_at()?;
        let ThingBody { text, sources, vectors } = body;
        let lies_in = sources.iter().map(|source| source.session.as_str());
        self.things.sessions.extend(lies_in.chain([session]).map(Box::from));
        let by = record.by.clone();
        let version = Version { order, by, text, sources, expires_at, vectors, judged };
        self.things.set((kind, session.into(), record.id.as_str().into()), version);
        Ok(Applied::Thing)
    }

    /// What was just deleted may take things along: of that session (empty for a thing of none), or all.
    pub(super) fn bury_things(&mut self, session: Option<&str>) {
        if session.is_none_or(|session| self.things.sessions.contains(session)) {
            self.things.bury(&self.graves, self.passing.horizon());
        }
    }

    /// When the first of the things passes.
    pub(super) fn first_thing_passes(&self) -> Option<Hlc> {
        let all = self.things.all.iter();
        let all = all.flat_map(|((kind, ..), versions)| versions.iter().map(|v| (*kind, v)));
        all.filter_map(|(kind, version)| version.passes_at(kind)).min()
    }

    /// The things of every kind.
    pub fn all_things(&self) -> impl Iterator<Item = FoundThing<'_>> {
        let all = self.things.all.iter();
        all.map(|((kind, session, id), versions)| found(*kind, session, id, versions))
    }

    /// The thing of this kind, session (empty where it has none) and id.
    pub fn thing(&self, kind: ThingKind, session: &str, id: &str) -> Option<FoundThing<'_>> {
        let name = (kind, session.into(), id.into());
        let ((_, session, id), versions) = self.things.all.get_key_value(&name)?;
        Some(found(kind, session, id, versions))
    }

    /// The things of a kind and session (empty where it has none), by id.
    pub fn things(&self, kind: ThingKind, session: &str) -> impl Iterator<Item = FoundThing<'_>> {
        let start = (kind, Box::from(session), Box::default());
        let all = self.things.all.range(start..);
        all.take_while(move |((of, lies_in, _), _)| *of == kind && **lies_in == *session)
            .map(move |((_, session, id), versions)| found(kind, session, id, versions))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Grows with whatever changes of things.
    pub fn thing_changes(&self) -> u64 {
        self.things.changes
    }

    /// Bytes of all things.
    pub fn thing_bytes(&self) -> usize {
        self.things.bytes
    }
}

fn found<'a>(
    kind: ThingKind,
    session: &'a str,
    id: &'a str,
    versions: &'a [Version],
) -> FoundThing<'a> {
    let session = Some(session).filter(|session| !session.is_empty());
    FoundThing { kind, session, id, versions }
}

impl<'a> FoundThing<'a> {
    /// The thing as it was at a hybrid time, with the deletes of today; `None` when it was not yet.
    pub fn as_of(&self, until: Hlc) -> Option<FoundThing<'a>> {
        let end = self.versions.partition_point(|version| version.order.hlc <= until);
        let versions = self.versions.get(..end).filter(|versions| !versions.is_empty())?;
        Some(Self { versions, ..*self })
    }
}
