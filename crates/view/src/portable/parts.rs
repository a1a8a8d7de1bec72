//! Index parts of an instance: what it starts from, and what it leaves for the next one.

use super::until::Until;
use super::{Portable, User};
use crate::{Source, part};
use bytes::Bytes;
use holdfast_core::ports::{Clock, Objects};
use holdfast_core::{Hlc, Key, Part, Result, key};
use holdfast_journal::{self as journal, Rules};
use std::cell::{Cell, RefCell};

/// A part is left anew once it would hold such a part more.
const GROWTH: usize = 8;
/// A part holds no more bytes of texts: who writes it has them three times over.
const MOST: usize = 16 << 20;

/// What is known of a user's index parts.
#[derive(Default)]
pub(super) struct Parts {
    /// The journal was opened once: a part is of no use after that.
    opened: Cell<bool>,
    /// Those that were listed, when they were.
    listed: RefCell<Option<Vec<Key>>>,
    /// Bytes of the texts of the one that was taken in.
    taken: Cell<usize>,
}

impl<B: Objects, C: Clock> Portable<B, C> {
    /// Opens the journal of a user of whom nothing was read yet, and takes in the newest index part where much is to be read.
    /// When it was opened; none when that was done before.
    pub(super) async fn open(&self, user: &User, until: &Until<'_, B, C>) -> Result<Option<u64>> {
        let (view, parts) = (&user.view, &user.parts);
        if parts.opened.get() {
            return Ok(None);
        }
        let begun = until.now();
        view.renew_stale();
        journal::open(until, &view.journal, begun).await?;
        parts.opened.set(true);
        if view.journal.borrow().ahead() >= self.limits.part_worth {
            // A part that cannot be had is as good as none: the journal says everything.
            let _ = self.take_part(user).await;
        }
        Ok(Some(begun))
    }

    async fn take_part(&self, user: &User) -> Result<()> {
        let prefix = key::index_parts(&user.view.scope);
        let page = self.bucket.list(&prefix, None).await?;
        let erased = user.view.journal.borrow().erased();
        let parts = page.objects.into_iter().filter_map(|listed| {
            let key = Key::below(&prefix, &listed.key)?;
            (key.part() == Part::Index).then_some((key, listed.size))
        });
        let parts: Vec<(Key, u64)> = parts.collect();
        let newest = parts.iter().rfind(|(key, _)| !erased.settles(key)).cloned();
        let newest = newest.filter(|(_, size)| *size <= part::MOST as u64);
        user.parts.listed.replace(Some(parts.into_iter().map(|(key, _)| key).collect()));
        let Some((newest, size)) = newest else { return Ok(()) };
        // As a range, because that is not hashed on the way: a part tells by itself, and sooner, whether it is whole.
        let Some(bytes) = self.bucket.get_range(&newest, 0, size).await? else { return Ok(()) };
        if user.view.restore(&bytes)? {
            let texts = user.view.journal.borrow().view().text_bytes();
            user.parts.taken.set(texts);
        }
        Ok(())
    }

    /// Leaves a part for the instances that come after this, where much had to be read: it takes the place of those before.
    /// Whether it can be left changes no answer.
    pub(super) async fn leave_part(&self, user: &User) {
        let taken = user.parts.taken.get();
        let texts = user.view.journal.borrow().view().text_bytes();
        let due = texts.saturating_sub(taken) >= self.limits.part_least.max(taken / GROWTH);
        // A collection would take one that may not know of an erase.
        let erased = user.view.journal.borrow().erased().at();
        let margin = Rules::default().margin;
        let unsure = |at: Hlc| at.milliseconds().saturating_add(margin) >= user.view.listed.get();
        let due = due && texts <= MOST && !erased.is_some_and(unsure);
        let Some(before) = user.parts.listed.take().filter(|_| due) else { return };
        let Ok(Some((key, bytes))) = user.view.part() else { return };
        if self.bucket.put(&key, Bytes::from(bytes)).await.is_err() {
            return;
        }
        for older in before.iter().filter(|older| **older < key) {
            let _ = self.bucket.delete(older).await;
        }
    }
}
