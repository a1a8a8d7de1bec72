//! All that a user has, newest first: messages by their own order, sessions and memories by when they began.

use super::{Found, FoundSession, FoundThing, Number, View};
use crate::Order;
use crate::thing::ThingKind;
use std::cmp::Reverse;

/// One thing of a timeline.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made for a page, and read at once")]
pub enum Moment<'a> {
    /// A message.
    Message(Found<'a>),
    /// A session, at its first record.
    Session(FoundSession<'a>),
    /// A memory, at its first record.
    Memory(FoundThing<'a>),
}

/// Where something stands in a timeline: a session may share its order with its first message, and stands before it.
pub type At = (Order, u32);

#[derive(Clone, Copy)]
enum Key<'a> {
    Message(Number),
    Session(&'a str),
    Memory(FoundThing<'a>),
}

impl View {
    /// What stands before `before`, newest first, at most `limit`, and whether more follows. What ended by `now` (Unix
    /// milliseconds) is left out. Nothing stands in two pages and none is skipped, whatever comes between.
    pub fn timeline(
        &self,
        before: Option<At>,
        limit: usize,
        now: u64,
    ) -> (Vec<(At, Moment<'_>)>, bool) {
        let mut keys = self.timeline_keys(now);
        keys.retain(|(at, _)| before.is_none_or(|before| *at < before));
        let more = keys.len() > limit;
        if more && limit > 0 {
            keys.select_nth_unstable_by_key(limit - 1, |(at, _)| Reverse(*at));
        }
        keys.truncate(limit);
        keys.sort_unstable_by_key(|(at, _)| Reverse(*at));
        let moments = keys.into_iter().filter_map(|(at, key)| {
            let moment = match key {
                Key::Message(number) => Moment::Message(self.found(number)?),
                Key::Session(id) => Moment::Session(self.session(id)?),
                Key::Memory(found) => Moment::Memory(found),
            };
            Some((at, moment))
        });
        (moments.collect(), more)
    }

    fn timeline_keys(&self, now: u64) -> Vec<(At, Key<'_>)> {
        let shown = self.entries.iter().zip(0..).filter(|(entry, _)| !entry.hidden);
        let messages = shown.map(|(entry, number)| ((entry.order, 0), Key::Message(number)));
        let sessions = self.sessions.iter().filter_map(|(id, session)| {
            session.last?;
            Some(((session.first?, 1), Key::Session(id)))
        });
        let memories = self.things(ThingKind::Memory, "").filter(|found| found.is_live(now));
        let memories = memories.filter_map(|found| {
            let first = found.versions.first()?.order;
            Some(((first, 2), Key::Memory(found)))
        });
        messages.chain(sessions).chain(memories).collect()
    }
}
