//! The newest sessions of a journal that was sealed: their frames are read alone, by range, and the rest stays unread.
//!
//! Covers say of each session where its frames lie and the highest order of their records, which no activity of the
//! session can lie above. Who reads sessions from the highest on knows when no unread one can stand before those read.

use crate::read::Journal;
use futures::stream::{self, StreamExt};
use holdfast_core::cover::{Cover, Frame, Frames};
use holdfast_core::fold::{Applied, View};
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Order, Part, Result, SessionId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;

/// Ranges that are read at a time: each is about a session's.
const RANGES_AT_ONCE: usize = 32;

/// Sessions of segments that are still to be read.
#[derive(Debug)]
pub struct Front {
    /// Each with the highest order that it may have, the highest last.
    unread: Vec<(Order, Vec<Stretch>)>,
    /// What belongs to no session, and concerns all.
    general: Vec<Stretch>,
    highest: Option<Order>,
    bytes: u64,
    read: u64,
}

/// Frames of a session in one segment.
#[derive(Debug)]
struct Stretch {
    segment: Key,
    frames: Frames,
}

impl Stretch {
    fn new(segment: &Key, frames: &Frames) -> Self {
        Self { segment: segment.clone(), frames: frames.clone() }
    }

    fn bytes(&self) -> u64 {
        let vectors = self.frames.vectors.as_ref().map_or(0, |frame| frame.bytes);
        self.frames.texts.bytes.saturating_add(vectors)
    }

    /// Its bytes, and where the frames lie in them; none when they are not there, or not side by side.
    async fn read(self, objects: &impl Objects) -> Result<Option<(bytes::Bytes, Frames)>> {
        let (start, length) = (self.frames.texts.at, self.bytes());
        let mut frames = self.frames;
        let Some(moved) = frames.vectors.take().map_or(Some(None), |vectors| {
            let at = vectors.at.checked_sub(start).filter(|at| *at == frames.texts.bytes);
            at.map(|at| Some(Frame { at, ..vectors }))
        }) else {
            return Ok(None);
        };
        (frames.vectors, frames.texts.at) = (moved, 0);
        Ok(objects.get_range(&self.segment, start, length).await?.map(|bytes| (bytes, frames)))
    }
}

impl Journal {
    /// Is something owed that is not such a part?
    pub(crate) fn owes_but(&self, part: Part) -> bool {
        self.owed.keys().any(|key| key.part() != part)
    }

    /// Bytes of what the segments that are to be read hold; none when a cover of theirs was not read.
    pub fn sealed(&self) -> Option<u64> {
        let covers = self.pending.covers_awaited().map(|(_, cover)| cover);
        covers.map(|cover| Some(cover?.sessions.iter().map(frames_bytes).sum::<u64>())).sum()
    }
}

fn frames_bytes(frames: &Frames) -> u64 {
    frames.texts.bytes.saturating_add(frames.vectors.as_ref().map_or(0, |frame| frame.bytes))
}

impl Front {
    /// What is to be read of a journal whose tail was [read](crate::settle_tail); none when a cover was not.
    pub fn of(journal: &Journal) -> Option<Self> {
        let (mut sessions, mut general) = (BTreeMap::new(), Vec::new());
        for (segment, cover) in journal.pending.covers_awaited() {
            gather(journal.view(), segment, cover?, &mut sessions, &mut general);
        }
        let mut unread: Vec<(Order, Vec<Stretch>)> = sessions.into_values().collect();
        unread.sort_unstable_by_key(|(bound, _)| *bound);
        let highest = unread.last().map(|(bound, _)| *bound);
        let all = unread.iter().flat_map(|(_, stretches)| stretches).chain(&general);
        let bytes = all.map(Stretch::bytes).sum();
        Some(Self { unread, general, highest, bytes, read: 0 })
    }

    /// No activity of an unread session lies above; none when all are read.
    pub fn reach(&self) -> Option<Order> {
        self.unread.last().map(|(bound, _)| *bound)
    }

    /// No record of a session lies above; none without sessions.
    pub fn highest(&self) -> Option<Order> {
        self.highest
    }

    /// Was more than such a part of all bytes read?
    pub fn is_past(&self, part: u64) -> bool {
        self.read > self.bytes / part
    }

    /// Reads the next `count` sessions, and what belongs to none before the first. What was folded goes to `sink`. False
    /// when some cannot be read so.
    ///
    /// # Errors
    /// What the store may answer, and what `sink` does.
    pub async fn read(
        &mut self,
        objects: &impl Objects,
        journal: &RefCell<Journal>,
        count: usize,
        mut sink: impl AsyncFnMut(Vec<Applied>) -> Result<()>,
    ) -> Result<bool> {
        let next = self.unread.split_off(self.unread.len().saturating_sub(count));
        let next = next.into_iter().flat_map(|(_, stretches)| stretches);
        let wanted: Vec<Stretch> =
            std::mem::take(&mut self.general).into_iter().chain(next).collect();
        self.read += wanted.iter().map(Stretch::bytes).sum::<u64>();
        let renewals = journal.borrow().renewals();
        let reads = wanted.into_iter().map(|stretch| stretch.read(objects));
        let mut reads = pin!(stream::iter(reads).buffer_unordered(RANGES_AT_ONCE));
        while let Some(got) = reads.next().await {
            let Some((bytes, frames)) = got? else { return Ok(false) };
            if journal.borrow().renewals() != renewals {
                return Ok(false);
            }
            let Ok(applied) = journal.borrow_mut().take_frames(&bytes, &frames) else {
                return Ok(false);
            };
            sink(applied).await?;
        }
        Ok(true)
    }
}

fn gather(
    view: &View,
    segment: &Key,
    cover: &Cover,
    sessions: &mut BTreeMap<SessionId, (Order, Vec<Stretch>)>,
    general: &mut Vec<Stretch>,
) {
    for frames in &cover.sessions {
        let stretch = Stretch::new(segment, frames);
        let Some(session) = &frames.session else {
            general.push(stretch);
            continue;
        };
        let (bound, stretches) = sessions.entry(session.clone()).or_insert_with(|| {
            // What the tail says of it counts too.
            let known = view.session(session.as_str()).map(|found| found.last);
            (known.unwrap_or(frames.last).max(frames.last), Vec::new())
        });
        *bound = (*bound).max(frames.last);
        stretches.push(stretch);
    }
}
