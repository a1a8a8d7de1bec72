//! What the index says of itself, for metrics.

use crate::index::Index;
use crate::shard::Shard;
use crate::user::User;
use bytes::Bytes;
use holdfast_core::{Hlc, Key, Order, Part, Result, Scope, TenantId, key};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use ulid::Ulid;

/// The index now, and its counters since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Users whose journal was read.
    pub loaded_users: usize,
    /// Users that are here, those that load included.
    pub users: usize,
    /// Messages of all users here.
    pub messages: usize,
    /// Of these, messages without vectors.
    pub pending: usize,
    /// Bytes held, about.
    pub bytes: usize,
    /// Loads begun.
    pub loads: u64,
    /// Loads that failed.
    pub failed_loads: u64,
    /// Polls begun.
    pub polls: u64,
    /// Lists of sessions that were answered without a load.
    pub glances: u64,
    /// Users that left to make room.
    pub evictions: u64,
    /// The last error of a load or poll.
    pub last_error: Option<String>,
}

/// The journal of a loaded user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Whose.
    pub scope: Scope,
    /// Objects that it had, sealed ones included.
    pub objects: usize,
    /// Bytes of the objects that came one by one, in no segment, since the user is here.
    pub bytes: u64,
    /// When the oldest of these was named: Unix milliseconds.
    pub oldest: Option<u64>,
    /// When the newest purge was named of those that no segment brought: Unix milliseconds.
    pub purging: Option<u64>,
}

impl Index {
    /// The index now.
    ///
    /// # Errors
    /// `unavailable` while the index ends.
    pub async fn status(&self) -> Result<Status> {
        let shared = self.shared();
        let mut status = Status {
            bytes: shared.bytes.load(Relaxed),
            loads: shared.loads.load(Relaxed),
            failed_loads: shared.failed_loads.load(Relaxed),
            polls: shared.polls.load(Relaxed),
            glances: shared.glances.load(Relaxed),
            evictions: shared.evictions.load(Relaxed),
            last_error: shared.last_error(),
            ..Status::default()
        };
        for shard in 0..self.shards() {
            let part = self.ask_shard(shard, async |shard| Ok(shard.count())).await?;
            status.users += part.users;
            status.loaded_users += part.loaded_users;
            status.messages += part.messages;
            status.pending += part.pending;
        }
        Ok(status)
    }

    /// The journals of loaded users.
    ///
    /// # Errors
    /// `unavailable` while the index ends.
    pub async fn journals(&self) -> Result<Vec<Loaded>> {
        let mut all = Vec::new();
        for shard in 0..self.shards() {
            all.extend(self.ask_shard(shard, async |shard| Ok(shard.journals())).await?);
        }
        Ok(all)
    }
}

impl Index {
    /// Loaded users with a session in which the last word was said by `before`, and not before the moment that `since` has
    /// for the user (both Unix milliseconds). Asks the bucket nothing, and does not count as use of anybody.
    ///
    /// # Errors
    /// `unavailable` while the index ends.
    pub async fn resting(
        &self,
        before: u64,
        since: Arc<HashMap<Scope, u64>>,
    ) -> Result<Vec<Scope>> {
        let mut all = Vec::new();
        for shard in 0..self.shards() {
            let since = since.clone();
            let of = async move |shard: Rc<Shard>| Ok(shard.resting(before, &since));
            all.extend(self.ask_shard(shard, of).await?);
        }
        Ok(all)
    }
}

impl Shard {
    fn resting(&self, before: u64, since: &HashMap<Scope, u64>) -> Vec<Scope> {
        let users = self.users.borrow();
        let loaded = users.values().filter(|user| user.loaded.get());
        let rests = |user: &&Rc<User>| {
            let begin =
                |since: &u64| Order { hlc: Hlc::at(*since), ulid: Ulid::nil(), position: 0 };
            let journal = user.journal.borrow();
            let (first, _) = journal.view().sessions(since.get(&user.scope).map(begin), 1, false);
            first.first().is_some_and(|session| session.last.hlc.milliseconds() <= before)
        };
        loaded.filter(rests).map(|user| user.scope.clone()).collect()
    }

    /// An object of a user who is here was read by itself.
    pub(crate) fn count_alone(&self, key: &Key, bytes: &Bytes) {
        if key.part() != Part::Wal {
            return;
        }
        let mut segments = key.as_str().split('/');
        let (tenant, user) = (segments.nth(2), segments.nth(1));
        let tenant = tenant.and_then(|tenant| TenantId::parse(tenant).ok());
        let user = match tenant.zip(user.and_then(key::user_of)) {
            Some((tenant, user)) => self.present(&Scope { tenant, user }),
            // The id is too long to stand in the key.
            None => {
                let users = self.users.borrow();
                let holds =
                    |user: &&Rc<User>| Key::below(&key::wal(&user.scope), key.as_str()).is_some();
                users.values().find(holds).cloned()
            }
        };
        if let Some(user) = user {
            user.came_alone(key, bytes);
        }
    }

    fn journals(&self) -> Vec<Loaded> {
        let users = self.users.borrow();
        let loaded = users.values().filter(|user| user.loaded.get());
        let known = |user: &Rc<User>| {
            let journal = user.journal.borrow();
            let (objects, purging) = (journal.objects(), journal.purging());
            let (bytes, oldest) = (user.alone.get(), user.oldest.get());
            Loaded { scope: user.scope.clone(), objects, bytes, oldest, purging }
        };
        loaded.map(known).collect()
    }

    fn count(&self) -> Status {
        let users = self.users.borrow();
        let mut status = Status { users: users.len(), ..Status::default() };
        for user in users.values() {
            let shelf = user.shelf.borrow();
            status.loaded_users += usize::from(user.loaded.get());
            status.messages += shelf.len();
            status.pending += shelf.pending_count() as usize;
        }
        status
    }
}
