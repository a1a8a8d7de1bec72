//! What objects brought: the records of a view by the objects that they came with.
//!
//! A record is told as it is, and not what it changed: whoever folds what is told has the view, in whatever order it
//! came. A copy of a message is told where a delete could leave it and not the others.

use super::{Entry, Number, Version, View};
use crate::graves::Of;
use crate::record::{Kind, WriterKind};
use crate::retention::UserFields;
use crate::session::SessionFields;
use crate::thing::ThingKind;
use crate::{Hlc, Order};
use std::collections::HashSet;

/// One record.
#[derive(Debug)]
pub struct Change<'v> {
    /// Its session; empty where it is of none.
    pub session: &'v str,
    /// The id that it was stored with.
    pub id: &'v str,
    /// Its place among all records.
    pub order: Order,
    /// What it says.
    pub what: What<'v>,
}

/// What a record says.
#[derive(Debug)]
pub enum What<'v> {
    /// A message that is shown.
    Message {
        /// Its handle.
        number: Number,
        /// The message.
        entry: &'v Entry,
        /// A service key wrote this record of it.
        trusted: bool,
    },
    /// Fields of a session.
    Session(&'v SessionFields),
    /// A record of a thing that nothing hides.
    Thing(ThingKind, &'v Version),
    /// A delete.
    Tombstone(Of),
    /// Everything up to then has passed.
    Passed(Hlc),
    /// What is said of the user as a whole.
    User(&'v UserFields),
    /// What a delete hides: a message, or fields of a session. Of a thing that is hidden nothing is told.
    Hidden(&'v Kind),
}

/// The place of a record that a delete hides and that is no entry.
#[derive(Debug)]
pub(super) struct Concealed {
    pub kind: Kind,
    pub session: Box<str>,
    pub id: Box<str>,
    pub order: Order,
}

impl View {
    pub(super) fn conceal(&mut self, kind: Kind, session: &str, id: &str, order: Order) {
        let (session, id) = (session.into(), id.into());
        self.concealed.push(Concealed { kind, session, id, order });
    }

    /// The records that came with these objects, by object and place in it.
    pub fn changes(&self, objects: &HashSet<u128>) -> Vec<Change<'_>> {
        let of = |order: &Order| objects.contains(&order.ulid.0);
        let mut all: Vec<Change<'_>> = Vec::new();
        for (number, entry) in (0..).zip(&self.entries) {
            if of(&entry.order) {
                all.push(self.told(number, entry, entry.order, entry.by.kind));
            }
        }
        for (session, folded) in &self.sessions {
            for (number, copy) in folded.all_copies().filter(|(_, copy)| of(&copy.order)) {
                let entry = self.entries.get(number as usize);
                all.extend(entry.map(|entry| self.told(number, entry, copy.order, copy.by.kind)));
            }
            let edits = folded.history.iter().filter(|edit| of(&edit.standing.order));
            all.extend(edits.map(|edit| Change {
                session,
                id: session,
                order: edit.standing.order,
                what: What::Session(&edit.fields),
            }));
        }
        let buried = self.graves.tombstones().filter(|tombstone| of(&tombstone.order));
        all.extend(buried.map(|t| Change {
            session: t.session,
            id: t.id,
            order: t.order,
            what: What::Tombstone(t.of),
        }));
        for found in self.all_things() {
            let versions = found.versions.iter().filter(|version| of(&version.order));
            all.extend(versions.map(|version| Change {
                session: found.session.unwrap_or_default(),
                id: found.id,
                order: version.order,
                what: What::Thing(found.kind, version),
            }));
        }
        let things = self.graves.things_since(Hlc::default());
        all.extend(things.filter(|(.., order)| of(order)).map(|(kind, session, id, order)| {
            let what = What::Tombstone(Of::Thing(kind));
            Change { session, id, order, what }
        }));
        let of_user = |order, what| Change { session: "", id: "", order, what };
        let passed = self.graves.passed().zip(self.graves.passed_by());
        let passed = passed.map(|(until, order)| of_user(order, What::Passed(until)));
        let said = self.user().map(|(order, fields)| of_user(order, What::User(fields)));
        all.extend(passed.into_iter().chain(said).filter(|change| of(&change.order)));
        let concealed = self.concealed.iter().filter(|one| of(&one.order));
        all.extend(concealed.map(|one| Change {
            session: &one.session,
            id: &one.id,
            order: one.order,
            what: What::Hidden(&one.kind),
        }));
        // Of what an erase took not even the place is told.
        all.retain(|change| Some(change.order.hlc) > self.graves.erased());
        all.sort_by_key(|change| (change.order.ulid, change.order.position));
        all.dedup_by_key(|change| change.order);
        all
    }

    fn told<'v>(
        &'v self,
        number: Number,
        entry: &'v Entry,
        order: Order,
        by: WriterKind,
    ) -> Change<'v> {
        let trusted = by == WriterKind::Service;
        let what = match entry.hidden {
            true => What::Hidden(&Kind::Message),
            false => What::Message { number, entry, trusted },
        };
        Change { session: &entry.session, id: &entry.id, order, what }
    }
}
