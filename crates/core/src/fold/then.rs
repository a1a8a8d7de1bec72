//! What a user's sessions and messages were at a time and are not now: what a restore may bring back.

use super::session::Parent;
use super::{Entry, Found, FoundSession, FoundThing, Version, View};
use crate::graves::{Of, Tombstone};
use crate::message::Digest;
use crate::purge::Purge;
use crate::record::{Kind, Record};
use crate::retention::passes_at;
use crate::session::SessionFields;
use crate::thing::ThingKind;
use crate::{Hlc, Order, SessionId};
use std::collections::BTreeSet;

/// Which records a fold takes in: all, or those up to a time, deletes included, of one session, or of one kind of things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// Nothing after it.
    pub until: Option<Hlc>,
    /// Nothing of another session.
    pub session: Option<SessionId>,
    /// Nothing but things of this kind, and the deletes that remove bytes: what else is deleted is there.
    pub only: Option<ThingKind>,
}

impl Within {
    /// Erases always count.
    pub(super) fn leaves_out(&self, record: &Record, order: Order) -> bool {
        let later = self.until.is_some_and(|until| order.hlc > until);
        let of = record.session.as_ref();
        let other = self.session.as_ref().is_some_and(|session| of.is_some_and(|of| of != session));
        let unasked = self
            .only
            .is_some_and(|kind| record.kind != Kind::Thing(kind) && Purge::of(record).is_none());
        record.kind != Kind::Erase && (later || other || unasked)
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The time.
    pub until: Hlc,
    /// Only this session.
    pub session: Option<String>,
    /// What was deleted since is to come back.
    pub deleted: bool,
}

impl Wanted {
    fn asks(&self, session: &str) -> bool {
        self.session.as_deref().is_none_or(|one| one == session)
    }
}

/// One thing that was otherwise.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made for a page, and read at once")]
pub enum Difference<'v> {
    /// A session had these fields.
    Fields {
        /// The session.
        session: &'v str,
        /// Its fields then.
        then: SessionFields,
        /// Its fields now; none when it is not there.
        now: Option<SessionFields>,
        /// Order of the record that set them.
        order: Order,
    },
    /// A message that was deleted since.
    Message {
        /// The message, as it was.
        found: Box<Found<'v>>,
        /// The message that it answers is another of these.
        parent_lost: bool,
    },
    /// A thing was another, or was deleted since.
    Thing {
        /// The thing as it was.
        found: FoundThing<'v>,
        /// Its record that stood.
        last: &'v Version,
        /// Some of what it was made of was deleted since.
        lost: bool,
    },
    /// Something stays as it is.
    LeftOut {
        /// The kind of a thing.
        kind: Option<ThingKind>,
        /// Its session; empty for a thing of none.
        session: &'v str,
        /// A message's id, or a thing's; none for the session.
        id: Option<&'v str>,
        /// `deleted` since then, `expired`, or `newer`: it was not there then.
        why: &'static str,
        /// Where it stands among the others.
        order: Order,
    },
}

/// Where a difference stands among all: messages and sessions first, by session, its fields before its messages; then the
/// things, which may have been made of those.
pub type DifferenceAt = (bool, String, u8, Order);

impl Difference<'_> {
    /// Its place.
    pub fn place(&self) -> DifferenceAt {
        let at = |things, session: &str, rank, order| (things, session.to_owned(), rank, order);
        match self {
            Self::Fields { session, order, .. } => at(false, session, 0, *order),
            Self::Message { found, .. } => at(false, &found.entry.session, 1, found.entry.order),
            Self::Thing { found, last, .. } => {
                at(true, found.session.unwrap_or_default(), 0, last.order)
            }
            Self::LeftOut { kind, session, order, .. } => at(kind.is_some(), session, 2, *order),
        }
    }
}

impl View {
    /// A fold that takes in nothing else.
    pub fn within(within: Within) -> Self {
        Self { within, ..Self::default() }
    }

    /// Which records it takes in.
    pub fn limits(&self) -> &Within {
        &self.within
    }

    /// Is this very message shown in the session?
    fn shows(&self, session: &str, id: &str, digest: &Digest) -> bool {
        let numbers = self.sessions.get(session).and_then(|found| found.ids.get(id));
        let entries = numbers.into_iter().flatten().filter_map(|n| self.entries.get(*n as usize));
        entries.into_iter().any(|entry| !entry.hidden && entry.digest == *digest)
    }

    fn since(&self, wanted: &Wanted) -> impl Iterator<Item = Tombstone<'_>> {
        let wanted = wanted.clone();
        let all = self.graves.tombstones();
        all.filter(move |one| one.order.hlc > wanted.until && wanted.asks(one.session))
    }

    /// Was anything deleted since then that a restore may be asked for?
    pub fn deleted_since(&self, wanted: &Wanted) -> bool {
        let things = self.graves.things_since(wanted.until);
        let mut things = things.filter(|(_, session, ..)| wanted.asks(session));
        self.since(wanted).next().is_some() || things.next().is_some()
    }
}

impl Entry {
    /// Id of the message that it answers.
    pub fn answers(&self) -> Option<&str> {
        self.parents.iter().find_map(|parent| match parent {
            Parent::Message(id) => Some(&**id),
            Parent::Call(_) => None,
        })
    }
}

/// What was otherwise, in the order of [`Difference::place`]. `then` is the view up to the time without the deletes that
/// came since, where those are wanted; else the present one stands for it. `moment` is Unix milliseconds: what has ended
/// by then stays away.
pub fn differences<'v>(
    now: &'v View,
    then: Option<&'v View>,
    wanted: &Wanted,
    moment: u64,
) -> Vec<Difference<'v>> {
    let sessions_then: Vec<FoundSession<'v>> = match then {
        Some(then) => then.sessions(None, usize::MAX, false).0,
        None => now.as_of(wanted.until).sessions(None, usize::MAX, false).0,
    };
    let mut all = Vec::new();
    let mut met = BTreeSet::new();
    for session in sessions_then.into_iter().filter(|session| wanted.asks(session.id)) {
        met.insert(session.id);
        all.extend(fields(now, &session));
        if let Some(then) = then {
            all.extend(messages(now, then, session.id));
        }
    }
    for session in now.sessions(None, usize::MAX, false).0 {
        if wanted.asks(session.id) && !met.contains(session.id) {
            let (kind, why, order) = (None, "newer", session.last);
            all.push(Difference::LeftOut { kind, session: session.id, id: None, why, order });
        }
    }
    let deleted = now.since(wanted).filter(|_| then.is_none());
    all.extend(deleted.map(|tombstone| Difference::LeftOut {
        kind: None,
        session: tombstone.session,
        id: (tombstone.of == Of::Message).then_some(tombstone.id),
        why: "deleted",
        order: tombstone.order,
    }));
    all.extend(things(now, then, wanted, moment));
    all.sort_by_cached_key(Difference::place);
    all
}

/// Things that were otherwise.
fn things<'v>(
    now: &'v View,
    then: Option<&'v View>,
    wanted: &Wanted,
    moment: u64,
) -> Vec<Difference<'v>> {
    // Summaries are made anew of what is there.
    let comes = |kind: ThingKind, session: &str| kind != ThingKind::Summary && wanted.asks(session);
    let asked = |found: &FoundThing<'_>| comes(found.kind, found.session.unwrap_or_default());
    let were: Vec<FoundThing<'v>> = match then {
        Some(then) => then.all_things().filter(asked).collect(),
        None => {
            let all = now.all_things().filter(asked);
            all.filter_map(|found| found.as_of(wanted.until)).collect()
        }
    };
    let name = |found: &FoundThing<'v>| (found.kind, found.session.unwrap_or_default(), found.id);
    let left_out = |(kind, session, id): (ThingKind, &'v str, &'v str), why, order| {
        Difference::LeftOut { kind: Some(kind), session, id: Some(id), why, order }
    };
    let met: BTreeSet<_> = were.iter().map(name).collect();
    let mut all: Vec<Difference<'v>> = Vec::new();
    for found in were {
        let Some(last) = found.last() else { continue };
        let present = now.thing(found.kind, found.session.unwrap_or_default(), found.id);
        let present = present.filter(|present| present.is_live(moment));
        let passed =
            passes_at(found.kind, &last.sources).is_some_and(|at| now.horizon() >= Some(at));
        if last.ended(moment) || passed {
            if present.is_none() {
                all.push(left_out(name(&found), "expired", last.order));
            }
        } else if !present.and_then(|present| present.last()).is_some_and(|now| now.says(last)) {
            let lost = now.graves.has_any(found.kind, &last.sources);
            all.push(Difference::Thing { found, last, lost });
        }
    }
    let newer = now.all_things().filter(|found| asked(found) && found.is_live(moment));
    for found in newer.filter(|found| !met.contains(&name(found))) {
        all.extend(found.last().map(|last| left_out(name(&found), "newer", last.order)));
    }
    let deleted = now.graves.things_since(wanted.until).filter(|_| then.is_none());
    for (kind, session, id, order) in deleted.filter(|(kind, session, ..)| comes(*kind, session)) {
        if now.thing(kind, session, id).is_none() {
            all.push(left_out((kind, session, id), "deleted", order));
        }
    }
    all
}

fn fields<'v>(now: &View, then: &FoundSession<'v>) -> Option<Difference<'v>> {
    let order = then.fields_order?;
    let present = now.session(then.id).map(|session| session.fields.into_owned());
    let same = present.as_ref().is_some_and(|present| present.back_to(&then.fields).is_none());
    let then_fields = then.fields.clone().into_owned();
    (!same).then_some(Difference::Fields {
        session: then.id,
        then: then_fields,
        now: present,
        order,
    })
}

fn messages<'v>(now: &View, then: &'v View, session: &str) -> Vec<Difference<'v>> {
    let page = then.page(session, None, usize::MAX, false).0;
    let lost = |found: &Found<'_>| !now.shows(session, &found.entry.id, &found.entry.digest);
    let all: Vec<Found<'v>> = page.into_iter().filter(lost).collect();
    let ids: BTreeSet<&str> = all.iter().map(|found| &*found.entry.id).collect();
    let parent_lost =
        |found: &Found<'_>| found.entry.answers().is_some_and(|parent| ids.contains(parent));
    let marks: Vec<bool> = all.iter().map(parent_lost).collect();
    let made = |(found, parent_lost): (Found<'v>, bool)| {
        let Found { entry, .. } = found;
        if now.horizon() >= Some(entry.judged) {
            let (id, order) = (Some(&*entry.id), entry.order);
            let (kind, session) = (None, &*entry.session);
            return Difference::LeftOut { kind, session, id, why: "expired", order };
        }
        Difference::Message { found: Box::new(found), parent_lost }
    };
    all.into_iter().zip(marks).map(made).collect()
}
