//! What a user's sessions and messages were at a time and are not now: what a restore may bring back.

use super::session::Parent;
use super::{Entry, Found, FoundSession, View};
use crate::graves::{Of, Tombstone};
use crate::message::Digest;
use crate::record::{Kind, Record};
use crate::session::SessionFields;
use crate::{Hlc, Order, SessionId};
use std::collections::BTreeSet;

/// Which records a fold takes in: all, or those up to a time, deletes included, of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Within {
    /// Nothing after it.
    pub until: Option<Hlc>,
    /// Nothing of another session.
    pub session: Option<SessionId>,
}

impl Within {
    /// Erases always count.
    pub(super) fn leaves_out(&self, record: &Record, order: Order) -> bool {
        let later = self.until.is_some_and(|until| order.hlc > until);
        let of = record.session.as_ref();
        let other = self.session.as_ref().is_some_and(|session| of.is_some_and(|of| of != session));
        record.kind != Kind::Erase && (later || other)
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

/// One thing that was otherwise.
#[derive(Debug)]
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
    /// Something stays as it is.
    LeftOut {
        /// Its session.
        session: &'v str,
        /// A message's id; none for the session.
        id: Option<&'v str>,
        /// `deleted` since then, `expired`, or `newer`: it was not there then.
        why: &'static str,
        /// Where it stands among the others.
        order: Order,
    },
}

impl Difference<'_> {
    /// Where it stands among all: by session, its fields first.
    pub fn place(&self) -> (String, u8, Order) {
        match self {
            Self::Fields { session, order, .. } => ((*session).to_owned(), 0, *order),
            Self::Message { found, .. } => (found.entry.session.to_string(), 1, found.entry.order),
            Self::LeftOut { session, order, .. } => ((*session).to_owned(), 2, *order),
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
        let until = wanted.until;
        let session = wanted.session.clone();
        self.graves.tombstones().filter(move |tombstone| {
            tombstone.order.hlc > until
                && session.as_deref().is_none_or(|session| session == tombstone.session)
        })
    }

    /// Was anything deleted since then that a restore may be asked for?
    pub fn deleted_since(&self, wanted: &Wanted) -> bool {
        self.since(wanted).next().is_some()
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
/// came since, where those are wanted; else the present one stands for it.
pub fn differences<'v>(
    now: &'v View,
    then: Option<&'v View>,
    wanted: &Wanted,
) -> Vec<Difference<'v>> {
    let asked = |session: &str| wanted.session.as_deref().is_none_or(|one| one == session);
    let sessions_then: Vec<FoundSession<'v>> = match then {
        Some(then) => then.sessions(None, usize::MAX, false).0,
        None => now.as_of(wanted.until).sessions(None, usize::MAX, false).0,
    };
    let mut all = Vec::new();
    let mut met = BTreeSet::new();
    for session in sessions_then.into_iter().filter(|session| asked(session.id)) {
        met.insert(session.id);
        all.extend(fields(now, &session));
        if let Some(then) = then {
            all.extend(messages(now, then, session.id));
        }
    }
    for session in now.sessions(None, usize::MAX, false).0 {
        if asked(session.id) && !met.contains(session.id) {
            let (why, order) = ("newer", session.last);
            all.push(Difference::LeftOut { session: session.id, id: None, why, order });
        }
    }
    let deleted = now.since(wanted).filter(|_| then.is_none());
    all.extend(deleted.map(|tombstone| Difference::LeftOut {
        session: tombstone.session,
        id: (tombstone.of == Of::Message).then_some(tombstone.id),
        why: "deleted",
        order: tombstone.order,
    }));
    all.sort_by_cached_key(Difference::place);
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
            return Difference::LeftOut { session: &entry.session, id, why: "expired", order };
        }
        Difference::Message { found: Box::new(found), parent_lost }
    };
    all.into_iter().zip(marks).map(made).collect()
}
