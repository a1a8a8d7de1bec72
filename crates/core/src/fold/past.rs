//! The view as of an earlier time: what had been written by then, with the deletes of today.

use super::session::{Session, ends, lowest_by, overlaid};
use super::{Entry, Found, FoundSession, Number, View};
use crate::{Hlc, Order};
use std::borrow::Cow;

/// A view that ends at a hybrid time. Ranks and ids are those that it had then, but for deletes and for what came late.
#[derive(Debug, Clone, Copy)]
pub struct Past<'v> {
    view: &'v View,
    until: Hlc,
}

impl View {
    /// The view up to `until`, that time included.
    pub fn as_of(&self, until: Hlc) -> Past<'_> {
        Past { view: self, until }
    }
}

impl<'v> Past<'v> {
    /// As [`View::page`].
    pub fn page(
        &self,
        session: &str,
        after: Option<Order>,
        limit: usize,
        descending: bool,
    ) -> (Vec<Found<'v>>, bool) {
        let Some(found) = self.view.sessions.get(session) else { return (Vec::new(), false) };
        let mut all = self.messages(found);
        if descending {
            all.reverse();
        }
        // The cursor's message may have been deleted since: then what comes after its own order.
        let start = after.map_or(0, |after| {
            let at = all.iter().position(|found| found.entry.order == after);
            let before = |found: &Found<'_>| (found.entry.order < after) != descending;
            at.map_or_else(|| all.iter().take_while(|found| before(found)).count(), |at| at + 1)
        });
        let more = all.len() > start.saturating_add(limit);
        (all.into_iter().skip(start).take(limit).collect(), more)
    }

    /// As [`View::find`].
    pub fn find(&self, session: &str, id: &str) -> Option<Found<'v>> {
        let found = self.view.sessions.get(session)?;
        self.messages(found).into_iter().find(|message| {
            message.id == id
                || id.rsplit_once('~').is_some_and(|(base, hex)| {
                    *message.entry.id == *base && message.entry.hex() == hex
                })
        })
    }

    /// As [`View::session`]: a session of which nothing had been written then is none.
    pub fn session(&self, id: &str) -> Option<FoundSession<'v>> {
        let (key, session) = self.view.sessions.get_key_value(id)?;
        let end = session.history.partition_point(|edit| edit.standing.order.hlc <= self.until);
        let edits = session.history.get(..end).unwrap_or_default();
        let messages = self.messages(session);
        let orders = messages.iter().map(|message| message.entry.order);
        let orders = orders.chain(edits.iter().map(|edit| edit.standing.order));
        let (first, last) = ends(orders);
        Some(FoundSession {
            id: key,
            fields: Cow::Owned(overlaid(edits)),
            fields_order: edits.last().map(|edit| edit.standing.order),
            created_at: first?.hlc,
            last: last?,
            messages: u32::try_from(messages.len()).unwrap_or(u32::MAX),
        })
    }

    /// As [`View::sessions`].
    pub fn sessions(
        &self,
        after: Option<Order>,
        limit: usize,
        descending: bool,
    ) -> (Vec<FoundSession<'v>>, bool) {
        let mut all: Vec<_> = self.view.sessions.keys().filter_map(|id| self.session(id)).collect();
        all.retain(|session| {
            after.is_none_or(
                |after| if descending { session.last < after } else { session.last > after },
            )
        });
        all.sort_unstable_by_key(|session| session.last);
        if descending {
            all.reverse();
        }
        let more = all.len() > limit;
        all.truncate(limit);
        (all, more)
    }

    /// The messages of a session that had been written by then, in order; deleted ones keep their rank.
    fn messages(&self, session: &'v Session) -> Vec<Found<'v>> {
        let (entries, until) = (&self.view.entries, self.until);
        let entry = |number: &Number| entries.get(*number as usize);
        let then = |number: &&Number| entry(number).is_some_and(|e| e.order.hlc <= until);
        let numbers = session.places.iter().filter(then).copied().collect();
        let ranked = (1_u32..).zip(session.placed(entries, numbers, until));
        let shown = ranked.filter_map(|(rank, (number, _))| {
            let entry = entry(&number).filter(|entry| !entry.hidden)?;
            Some(self.found(session, number, entry, rank))
        });
        shown.collect()
    }

    fn found(&self, session: &Session, number: Number, entry: &'v Entry, rank: u32) -> Found<'v> {
        let twins = session.ids.get(&entry.id).map_or(&[][..], Vec::as_slice);
        let first = lowest_by(twins, &self.view.entries, self.until);
        Found::new(number, entry, first, rank)
    }
}
