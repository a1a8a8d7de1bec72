//! How much the users hold, and who leaves when it is too much.

use crate::shard::Shard;
use crate::user::User;
use std::sync::atomic::Ordering::Relaxed;

impl Shard {
    /// The user is the most recently used one now.
    pub(crate) fn use_now(&self, user: &User) {
        let use_number = self.shared.uses.fetch_add(1, Relaxed) + 1;
        let mut by_use = self.by_use.borrow_mut();
        let known = by_use.remove(&user.used.replace(use_number)).is_some();
        by_use.insert(use_number, user.scope.clone());
        self.shared.users.fetch_add(usize::from(!known), Relaxed);
        self.publish_oldest(by_use.keys().next().copied());
    }

    /// Counts the user's bytes anew, and makes room when they are too many.
    pub(crate) fn weigh(&self, user: &User) {
        let Some(before) = user.bytes.get() else { return };
        let now = user.weight();
        user.bytes.set(Some(now));
        self.shared.bytes.fetch_add(now, Relaxed);
        self.shared.bytes.fetch_sub(before, Relaxed);
        self.make_room();
    }

    /// Lets the least recently used users go until the rest fits; asks the shard that has them.
    pub(crate) fn make_room(&self) {
        let shared = &self.shared;
        // The last one stays, however large: a user that is asked about cannot be answered without.
        while shared.bytes.load(Relaxed) > self.settings.memory && shared.users.load(Relaxed) > 1 {
            let oldest = shared.oldest.iter().map(|oldest| oldest.load(Relaxed)).enumerate();
            let Some((shard, _)) = oldest.min_by_key(|(_, oldest)| *oldest) else { return };
            if shard != self.number {
                if let Some(other) = self.others.get(shard).and_then(|other| other.upgrade()) {
                    let _ = other.send(Box::new(|shard| {
                        shard.make_room();
                        Box::pin(std::future::ready(()))
                    }));
                }
                return;
            }
            if !self.let_oldest_go() {
                return;
            }
        }
    }

    fn let_oldest_go(&self) -> bool {
        let (scope, next) = {
            let mut by_use = self.by_use.borrow_mut();
            let Some((_, scope)) = by_use.pop_first() else { return false };
            (scope, by_use.keys().next().copied())
        };
        self.publish_oldest(next);
        let Some(user) = self.users.borrow_mut().remove(&scope) else { return false };
        let frontier = user.frontier(self.shared.now());
        self.memory.borrow_mut().keep(&scope, frontier);
        self.shared.bytes.fetch_sub(user.bytes.take().unwrap_or(0), Relaxed);
        self.shared.users.fetch_sub(1, Relaxed);
        self.shared.evictions.fetch_add(1, Relaxed);
        true
    }

    fn publish_oldest(&self, oldest: Option<u64>) {
        if let Some(slot) = self.shared.oldest.get(self.number) {
            slot.store(oldest.unwrap_or(u64::MAX), Relaxed);
        }
    }
}
