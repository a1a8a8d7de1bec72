//! A fold as an index part keeps it: what cannot be had from something else in it, in plain types.
//!
//! A view that is [restored](SavedView::restore) answers everything as the one that was saved, and goes on folding from there.
//! A change of what is here, or of what the fold makes of the same records, is a new version of index parts (`holdfast_view`).

use super::changes::Concealed;
use super::passing::Passing;
use super::session::{Edit, Parent, Place, Session, Standing, overlaid};
use super::things::{Things, Version};
use super::{Entry, Number, View, Within};
use crate::graves::{Deleted, Graves};
use crate::message::{Halves, MessageVectors};
use crate::record::{Kind, Writer};
use crate::retention::UserFields;
use crate::session::SessionFields;
use crate::thing::{Source, ThingKind};
use crate::{Error, Hlc, Order, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use ulid::Ulid;

/// A view, as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedView<'a> {
    #[serde(borrow)]
    writers: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    sessions: Vec<SavedSession<'a>>,
    /// Sessions that are gone and that deleted messages lay in: numbered after the others.
    #[serde(borrow)]
    gone: Vec<&'a str>,
    #[serde(borrow)]
    entries: Vec<SavedEntry<'a>>,
    #[serde(borrow)]
    graves: SavedGraves<'a>,
    #[serde(borrow)]
    things: Vec<SavedThing<'a>>,
    #[serde(borrow)]
    thing_sessions: Vec<&'a str>,
    thing_changes: u64,
    #[serde(borrow)]
    concealed: Vec<(Cow<'a, str>, &'a str, &'a str, At)>,
    others: Vec<u64>,
    passing: (Option<u64>, Option<u64>, Vec<u64>),
    #[serde(borrow)]
    user: Option<(At, Cow<'a, str>)>,
    highest: u64,
}

/// An order.
type At = (u64, u64, u64, u32);

/// A record of several: order, what deletes are compared with, and its writer's number.
type SavedStanding = (At, u64, u32);
/// A session, up to when it was deleted, and its deleted messages.
type SavedDeleted<'a> = (&'a str, Option<At>, Vec<(&'a str, At)>);
/// Space, chunks and components.
type SavedVectors<'a> = (&'a str, Vec<(u32, u32)>, Halves<'a>);

#[derive(Debug, Serialize, Deserialize)]
struct SavedSession<'a> {
    id: &'a str,
    #[serde(borrow)]
    edits: Vec<(SavedStanding, Cow<'a, str>)>,
    ends: (Option<At>, Option<At>),
    places: Vec<Number>,
    #[serde(borrow)]
    calls: Vec<(&'a str, Vec<Number>)>,
    #[serde(borrow)]
    awaited: Vec<(bool, &'a str)>,
    copies: Vec<(Number, Vec<SavedStanding>)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedEntry<'a> {
    /// Number of its session.
    session: u32,
    id: &'a str,
    digest: &'a [u8],
    standing: SavedStanding,
    text: &'a str,
    restored_from: Option<&'a str>,
    hidden: bool,
    moved: bool,
    /// None where it stands at its own order.
    place: Option<(At, u32)>,
    /// Of a call, else of a message.
    #[serde(borrow)]
    parents: Vec<(bool, &'a str)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedGraves<'a> {
    erased: Option<u64>,
    passed: Option<(u64, At)>,
    #[serde(borrow)]
    sessions: Vec<SavedDeleted<'a>>,
    #[serde(borrow)]
    things: Vec<(&'a str, &'a str, &'a str, At)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedThing<'a> {
    kind: &'a str,
    session: &'a str,
    id: &'a str,
    #[serde(borrow)]
    versions: Vec<SavedVersion<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedVersion<'a> {
    standing: SavedStanding,
    text: &'a str,
    /// JSON.
    #[serde(borrow)]
    sources: Cow<'a, str>,
    expires_at: Option<u64>,
    #[serde(borrow)]
    vectors: Vec<SavedVectors<'a>>,
}

/// Numbers of writers while a view is saved.
#[derive(Default)]
struct Writers<'a> {
    numbers: HashMap<(&'static str, &'a str), u32>,
    all: Vec<Cow<'a, str>>,
}

impl<'a> Writers<'a> {
    fn number(&mut self, writer: &'a Writer) -> u32 {
        let Self { numbers, all } = self;
        *numbers.entry((writer.kind.name(), &writer.key)).or_insert_with(|| {
            all.push(Cow::Owned(format!("{}/{}", writer.kind.name(), writer.key)));
            all.len() as u32 - 1
        })
    }

    fn standing(&mut self, standing: &'a Standing) -> SavedStanding {
        (at(standing.order), standing.judged.0, self.number(&standing.by))
    }
}

fn at(order: Order) -> At {
    let (high, low) = ((order.ulid.0 >> 64) as u64, order.ulid.0 as u64);
    (order.hlc.0, high, low, order.position)
}

fn order((hlc, high, low, position): At) -> Order {
    let ulid = Ulid(u128::from(high) << 64 | u128::from(low));
    Order { hlc: Hlc(hlc), ulid, position }
}

fn json(value: &impl Serialize) -> Result<Cow<'static, str>> {
    let encoding = |e| Error::internal("a view cannot be saved").caused_by(e);
    serde_json::to_string(value).map(Cow::Owned).map_err(encoding)
}

fn of_json<'j, T: Deserialize<'j>>(json: &'j str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| broken("a part of it").caused_by(e))
}

fn broken(what: &str) -> Error {
    Error::corrupt(format!("a saved view cannot be read: {what}"))
}

impl View {
    /// The view as an index part keeps it; none of one that leaves something out.
    ///
    /// # Errors
    /// `internal` when it cannot be written.
    pub fn saved(&self) -> Result<Option<SavedView<'_>>> {
        if self.within != Within::default() || !self.unsettled.is_empty() {
            return Ok(None);
        }
        let mut writers = Writers::default();
        let mut keys: Vec<(&Rc<str>, &Session)> = self.sessions.iter().collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        let mut numbers: HashMap<&str, u32> =
            keys.iter().map(|(key, _)| &***key).zip(0..).collect();
        let mut gone: Vec<&str> = Vec::new();
        let sessions = keys.iter().map(|(key, session)| session.saved(key, &mut writers));
        let sessions = sessions.collect::<Result<_>>()?;
        let entries = self.entries.iter().map(|entry| {
            let next = numbers.len() as u32;
            let number = *numbers.entry(&entry.session).or_insert_with(|| {
                gone.push(&entry.session);
                next
            });
            entry.saved(number, &mut writers)
        });
        let entries = entries.collect();
        let things = self.things.all.iter().map(|((kind, session, id), versions)| {
            let versions = versions.iter().map(|version| version.saved(&mut writers));
            let versions = versions.collect::<Result<_>>()?;
            Ok(SavedThing { kind: kind.name(), session, id, versions })
        });
        let things = things.collect::<Result<_>>()?;
        let mut thing_sessions: Vec<&str> = self.things.sessions.iter().map(|id| &**id).collect();
        thing_sessions.sort_unstable();
        let concealed = self.concealed.iter().map(|one| {
            let Concealed { kind, session, id, order } = one;
            Ok((json(kind)?, &**session, &**id, at(*order)))
        });
        let Passing { horizon, oldest, unsaid, user } = &self.passing;
        let user = user.as_ref().map(|(order, fields)| Ok((at(*order), json(fields)?)));
        Ok(Some(SavedView {
            sessions,
            gone,
            entries,
            graves: self.graves.saved(),
            things,
            thing_sessions,
            thing_changes: self.things.changes,
            concealed: concealed.collect::<Result<_>>()?,
            others: self.others.iter().map(|hlc| hlc.0).collect(),
            passing: (
                horizon.map(|hlc| hlc.0),
                oldest.map(|hlc| hlc.0),
                unsaid.iter().map(|hlc| hlc.0).collect(),
            ),
            user: user.transpose()?,
            highest: self.highest.0,
            writers: writers.all,
        }))
    }
}

impl SavedView<'_> {
    /// Messages that it has numbers for, deleted ones included.
    pub fn messages(&self) -> usize {
        self.entries.len()
    }

    /// The view that was saved.
    ///
    /// # Errors
    /// `corrupt` when it is none.
    pub fn restore(self) -> Result<View> {
        let writers = self.writers.iter().map(|text| {
            let writer = Writer::parse(text).ok_or_else(|| broken("a writer"))?;
            Ok(writer)
        });
        let writers = writers.collect::<Result<Vec<_>>>()?;
        let mut view = View { highest: Hlc(self.highest), ..View::default() };
        let ids = self.sessions.iter().map(|session| session.id).chain(self.gone);
        let keys: Vec<Rc<str>> = ids.map(Into::into).collect();
        for entry in self.entries {
            view.entries.push(entry.restore(&keys, &writers)?);
        }
        let shown = view.entries.iter().filter(|entry| !entry.hidden);
        view.shown = shown.clone().count();
        view.text_bytes = shown.clone().map(Entry::bytes).sum();
        view.newest = shown.map(|entry| entry.order).max();
        for (key, saved) in keys.into_iter().zip(self.sessions) {
            let session = saved.restore(&view.entries, &writers)?;
            session.last.map(|last| view.by_activity.insert(last, key.clone()));
            view.sessions.insert(key, session);
        }
        view.graves = self.graves.restore()?;
        view.things = things(self.things, self.thing_sessions, self.thing_changes, &writers)?;
        let concealed = self.concealed.into_iter().map(|(kind, session, id, at)| {
            let kind: Kind = of_json(&kind)?;
            Ok(Concealed { kind, session: session.into(), id: id.into(), order: order(at) })
        });
        view.concealed = concealed.collect::<Result<_>>()?;
        view.others = self.others.into_iter().map(Hlc).collect();
        let (horizon, oldest, unsaid) = self.passing;
        let user = self.user.map(|(at, json)| {
            let fields: UserFields = of_json(&json)?;
            Ok::<_, Error>((order(at), fields))
        });
        view.passing = Passing {
            horizon: horizon.map(Hlc),
            oldest: oldest.map(Hlc),
            unsaid: unsaid.into_iter().map(Hlc).collect(),
            user: user.transpose()?,
        };
        Ok(view)
    }
}

fn writer(writers: &[Writer], number: u32) -> Result<Writer> {
    writers.get(number as usize).cloned().ok_or_else(|| broken("a writer"))
}

fn standing((at, judged, by): SavedStanding, writers: &[Writer]) -> Result<Standing> {
    Ok(Standing { order: order(at), judged: Hlc(judged), by: writer(writers, by)? })
}

fn parent(is_call: bool, id: &str) -> Parent {
    if is_call { Parent::Call(id.into()) } else { Parent::Message(id.into()) }
}

fn saved_parent(parent: &Parent) -> (bool, &str) {
    match parent {
        Parent::Message(id) => (false, id),
        Parent::Call(id) => (true, id),
    }
}

impl Session {
    fn saved<'a>(&'a self, id: &'a str, writers: &mut Writers<'a>) -> Result<SavedSession<'a>> {
        let edit = |edit: &'a Edit| Ok((writers.standing(&edit.standing), json(&edit.fields)?));
        let edits = self.history.iter().map(edit).collect::<Result<_>>()?;
        let mut calls: Vec<_> = self.calls.iter().map(|(id, all)| (&**id, all.clone())).collect();
        calls.sort_unstable();
        let mut awaited: Vec<_> = self.awaited.iter().map(saved_parent).collect();
        awaited.sort_unstable();
        let copies = self.copies.iter().map(|(number, all)| {
            (*number, all.iter().map(|copy| writers.standing(copy)).collect())
        });
        let mut copies: Vec<(Number, Vec<SavedStanding>)> = copies.collect();
        copies.sort_unstable();
        Ok(SavedSession {
            id,
            edits,
            ends: (self.first.map(at), self.last.map(at)),
            places: self.places.clone(),
            calls,
            awaited,
            copies,
        })
    }
}

impl SavedSession<'_> {
    fn restore(self, entries: &[Entry], writers: &[Writer]) -> Result<Session> {
        let edits = self.edits.into_iter().map(|(one, fields)| {
            let fields: SessionFields = of_json(&fields)?;
            Ok(Edit { standing: standing(one, writers)?, fields })
        });
        let history = edits.collect::<Result<Vec<_>>>()?;
        let mut numbers = self.places.clone();
        numbers.sort_unstable();
        let mut ids: HashMap<Box<str>, Vec<Number>> = HashMap::with_capacity(numbers.len());
        for number in numbers {
            let entry = entries.get(number as usize).ok_or_else(|| broken("a place"))?;
            ids.entry(entry.id.clone()).or_default().push(number);
        }
        let hidden = |number: &&Number| entries.get(**number as usize).is_some_and(|e| e.hidden);
        let copies = self.copies.into_iter().map(|(number, all)| {
            let all = all.into_iter().map(|copy| standing(copy, writers));
            Ok((number, all.collect::<Result<_>>()?))
        });
        Ok(Session {
            fields: overlaid(&history),
            history,
            first: self.ends.0.map(order),
            last: self.ends.1.map(order),
            hidden: self.places.iter().filter(hidden).count(),
            places: self.places,
            ids,
            calls: self.calls.into_iter().map(|(id, all)| (id.into(), all)).collect(),
            awaited: self.awaited.into_iter().map(|(is_call, id)| parent(is_call, id)).collect(),
            copies: copies.collect::<Result<_>>()?,
            unsettled: false,
        })
    }
}

impl Entry {
    fn saved<'a>(&'a self, session: u32, writers: &mut Writers<'a>) -> SavedEntry<'a> {
        let Place { anchor, level, .. } = self.place;
        let moved_away = self.place != Place::own(self.order);
        SavedEntry {
            session,
            id: &self.id,
            digest: &self.digest,
            standing: (at(self.order), self.judged.0, writers.number(&self.by)),
            text: &self.text,
            restored_from: self.restored_from.as_deref(),
            hidden: self.hidden,
            moved: self.moved,
            place: moved_away.then(|| (at(anchor), level)),
            parents: self.parents.iter().map(saved_parent).collect(),
        }
    }
}

impl SavedEntry<'_> {
    fn restore(self, keys: &[Rc<str>], writers: &[Writer]) -> Result<Entry> {
        let Standing { order: own, judged, by } = standing(self.standing, writers)?;
        let place = self.place.map_or(Place::own(own), |(anchor, level)| Place {
            anchor: order(anchor),
            level,
            own,
        });
        Ok(Entry {
            session: keys.get(self.session as usize).cloned().ok_or_else(|| broken("a session"))?,
            id: self.id.into(),
            digest: self.digest.try_into().map_err(|_| broken("a digest"))?,
            order: own,
            by,
            text: self.text.into(),
            restored_from: self.restored_from.map(Into::into),
            judged,
            hidden: self.hidden,
            moved: self.moved,
            place,
            parents: self.parents.into_iter().map(|(call, id)| parent(call, id)).collect(),
        })
    }
}

impl Graves {
    fn saved(&self) -> SavedGraves<'_> {
        let sessions = self.sessions.iter().map(|(id, Deleted { until, messages })| {
            let mut messages: Vec<_> =
                messages.iter().map(|(id, newest)| (&**id, at(*newest))).collect();
            messages.sort_unstable();
            (&**id, until.map(at), messages)
        });
        let mut sessions: Vec<_> = sessions.collect();
        sessions.sort_unstable();
        let things = self
            .things
            .iter()
            .map(|((kind, session, id), order)| (kind.name(), &**session, &**id, at(*order)));
        let mut things: Vec<_> = things.collect();
        things.sort_unstable();
        SavedGraves {
            erased: self.erased.map(|hlc| hlc.0),
            passed: self.passed.map(|(until, order)| (until.0, at(order))),
            sessions,
            things,
        }
    }
}

impl SavedGraves<'_> {
    fn restore(self) -> Result<Graves> {
        let sessions = self.sessions.into_iter().map(|(id, until, messages)| {
            let messages = messages.into_iter().map(|(id, newest)| (id.into(), order(newest)));
            (id.into(), Deleted { until: until.map(order), messages: messages.collect() })
        });
        let things = self.things.into_iter().map(|(kind, session, id, at)| {
            Ok(((ThingKind::parse(kind)?, session.into(), id.into()), order(at)))
        });
        Ok(Graves {
            erased: self.erased.map(Hlc),
            passed: self.passed.map(|(until, at)| (Hlc(until), order(at))),
            sessions: sessions.collect(),
            things: things.collect::<Result<_>>()?,
        })
    }
}

impl Version {
    fn saved<'a>(&'a self, writers: &mut Writers<'a>) -> Result<SavedVersion<'a>> {
        let vectors = self.vectors.iter().map(|MessageVectors { space, chunks, values }| {
            (space.as_str(), chunks.clone(), Halves::of(values))
        });
        Ok(SavedVersion {
            standing: (at(self.order), self.judged.0, writers.number(&self.by)),
            text: &self.text,
            sources: json(&self.sources)?,
            expires_at: self.expires_at,
            vectors: vectors.collect(),
        })
    }
}

fn things(
    saved: Vec<SavedThing<'_>>,
    sessions: Vec<&str>,
    changes: u64,
    writers: &[Writer],
) -> Result<Things> {
    let mut things = Things { changes, ..Things::default() };
    things.sessions = sessions.into_iter().map(Into::into).collect();
    for SavedThing { kind, session, id, versions } in saved {
        let versions = versions.into_iter().map(|version| version.restore(writers));
        let versions = versions.collect::<Result<Vec<_>>>()?;
        things.bytes += versions.iter().map(Version::bytes).sum::<usize>();
        things.all.insert((ThingKind::parse(kind)?, session.into(), id.into()), versions);
    }
    Ok(things)
}

impl SavedVersion<'_> {
    fn restore(self, writers: &[Writer]) -> Result<Version> {
        let Standing { order, judged, by } = standing(self.standing, writers)?;
        let sources: Vec<Source> = of_json(&self.sources)?;
        let vectors = self.vectors.into_iter().map(|(space, chunks, halves)| MessageVectors {
            space: space.to_owned(),
            chunks,
            values: halves.values(),
        });
        let (vectors, text) = (vectors.collect(), self.text.into());
        Ok(Version { order, by, text, sources, expires_at: self.expires_at, vectors, judged })
    }
}
