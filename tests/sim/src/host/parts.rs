//! Index parts: what a view begins from, and what it leaves for the next one: as `crates/view/src/portable/parts.rs`.

use super::{Host, User};
use bytes::Bytes;
use holdfast_core::key::{self, hash32};
use holdfast_core::ports::Objects;
use holdfast_core::{Error, Hlc, Key, Part, Result};
use holdfast_journal::SavedJournal;
use std::cell::{Cell, RefCell};
use ulid::Ulid;

/// What is known of a user's index parts.
#[derive(Default)]
pub(super) struct Parts {
    /// The journal was opened once: a part is of no use after that.
    opened: Cell<bool>,
    /// Those that were listed, when they were.
    listed: RefCell<Option<Vec<Key>>>,
}

impl Host {
    /// Takes the newest part in, of a journal that was just opened for the first time.
    pub(super) async fn take_part(&self, user: &User) {
        if user.parts.opened.replace(true) || !self.world.random.chance(self.world.plan.parts) {
            return;
        }
        // A part that cannot be had is as good as none: the journal says everything.
        match self.taken(user).await {
            Ok(true) => self.world.counts.add(&self.world.counts.restored, 1),
            Ok(false) => {}
            Err(error) => self.world.trace(|| format!("host {}: no part: {error}", self.id)),
        }
    }

    async fn taken(&self, user: &User) -> Result<bool> {
        let scope = self.world.users.get(user.number).ok_or_else(|| Error::not_found("user"))?;
        let prefix = key::index_parts(scope);
        let page = self.bucket.list(&prefix, None).await?;
        let erased = user.journal.borrow().erased();
        let keys = page.objects.iter().filter_map(|listed| Key::below(&prefix, &listed.key));
        let keys: Vec<Key> = keys.filter(|key| key.part() == Part::Index).collect();
        let newest = keys.iter().rfind(|key| !erased.settles(key)).cloned();
        user.parts.listed.replace(Some(keys));
        let Some(newest) = newest else { return Ok(false) };
        let Some(bytes) = self.bucket.get_range(&newest, 0, u64::MAX >> 1).await? else {
            return Ok(false);
        };
        if newest.hash() != Some(&hash32(&bytes)) {
            return Err(Error::corrupt("an index part is not what was written"));
        }
        let wrong = |e| Error::corrupt("an index part cannot be read").caused_by(e);
        let saved: SavedJournal<'_> = postcard::from_bytes(&bytes).map_err(wrong)?;
        let restored = user.journal.borrow_mut().restore(saved)?;
        self.world.trace(|| format!("host {}: begins from {newest}: {restored}", self.id));
        Ok(restored)
    }

    /// Leaves a part for those who come after, in place of those before. Whether it can be left changes no answer.
    pub(super) async fn leave_part(&self, user: &User) {
        let Some(before) = user.parts.listed.take() else { return };
        let Some((key, bytes)) = self.part(user) else { return };
        if self.bucket.put(&key, bytes).await.is_err() {
            return;
        }
        self.world.counts.add(&self.world.counts.parts, 1);
        for older in before.iter().filter(|older| **older < key) {
            let _ = self.bucket.delete(older).await;
        }
    }

    fn part(&self, user: &User) -> Option<(Key, Bytes)> {
        let journal = user.journal.borrow();
        let scope = self.world.users.get(user.number)?;
        // A collection would take one that may not know of an erase.
        let margin = self.world.plan.rules.margin;
        let unsure = |at: Hlc| at.milliseconds() + margin >= user.listed.get();
        let sure = user.loaded.get() && !journal.erased().at().is_some_and(unsure);
        let saved = journal.saved().ok().flatten().filter(|_| sure)?;
        let bytes = Bytes::from(postcard::to_allocvec(&saved).ok()?);
        let ulid = Ulid::from_parts(user.listed.get(), bytes.len() as u128);
        Some((key::index_part(scope, ulid, &bytes), bytes))
    }
}
