//! What writers tell the index, and what they want to know before they write.

use crate::shard::Shard;
use crate::user::User;
use bytes::Bytes;
use holdfast_core::{Key, Result, Scope};
use holdfast_view::{Knowledge, Pending, checked};
use std::rc::Rc;

impl Shard {
    /// What is known now. Loads nothing, waits for nothing.
    pub(crate) fn known(&self, scope: &Scope, session: &str, ids: &[String]) -> Knowledge {
        let remembered = self.memory.borrow().frontier(scope);
        let clock_offset = self.shared.offset();
        let Some(user) = self.present(scope) else {
            return Knowledge { frontier: remembered, clock_offset, ..Knowledge::default() };
        };
        let known = user.known(session, ids, self.shared.now());
        Knowledge { frontier: known.frontier.joined(&remembered), clock_offset, ..known }
    }

    /// Takes in what was just written: at once, even while the user loads. A user that is not here is loaded beside
    /// it, so that what is written again is recognised; should it leave before, what was written is remembered.
    ///
    /// # Errors
    /// `invalid` when an object is not one of the user's journal; `corrupt` when its bytes are not what its name says.
    pub(crate) fn upsert(
        self: &Rc<Self>,
        scope: &Scope,
        objects: &[(String, Bytes)],
    ) -> Result<()> {
        let objects = checked(scope, objects)?;
        match self.present(scope) {
            Some(user) => {
                // One of whom there was a glance only.
                if !user.loaded.get() && user.flight.board(false).1 {
                    self.begin(&user);
                }
                self.absorb_all(&user, &objects)
            }
            None => {
                let mut memory = self.memory.borrow_mut();
                objects.iter().try_for_each(|(key, bytes)| memory.note(scope, key, bytes))?;
                drop(memory);
                let user = self.user(scope);
                if user.flight.board(false).1 {
                    self.begin(&user);
                }
                self.absorb_all(&user, &objects)
            }
        }
    }

    fn absorb_all(self: &Rc<Self>, user: &Rc<User>, objects: &[(Key, &Bytes)]) -> Result<()> {
        for (key, bytes) in objects {
            user.absorb(key, bytes)?;
            user.came_alone(key, bytes);
        }
        self.weigh(user);
        if user.renew_stale() {
            let (shard, erased) = (self.clone(), user.clone());
            tokio::task::spawn_local(async move {
                if let Err(error) = shard.forget_kept(&erased).await {
                    shard.shared.failed(&error);
                }
            });
            if user.flight.board(false).1 {
                self.begin(user);
            }
        }
        if user.loaded.get() && user.owes() && !user.flight.running() {
            // It names what is not here: readers would have to wait for it.
            let (shard, user) = (self.clone(), user.clone());
            tokio::task::spawn_local(async move {
                if let Err(error) = user.catch_up(&*shard).await {
                    shard.shared.failed(&error);
                }
            });
        }
        Ok(())
    }

    /// Messages of loaded users that wait for vectors, at most `limit`, each user in its turn.
    pub(crate) fn pending(&self, limit: usize) -> Vec<(Scope, Pending)> {
        let users: Vec<Rc<User>> = self.users.borrow().values().cloned().collect();
        let now = self.shared.now();
        let waiting: Vec<_> = users.iter().filter(|user| user.waits(now)).collect();
        let share = limit.div_ceil(waiting.len().max(1));
        let of_user = |user: &&Rc<User>| {
            let pending = user.pending(share).into_iter();
            pending.map(|pending| (user.scope.clone(), pending)).collect::<Vec<_>>()
        };
        waiting.iter().flat_map(of_user).take(limit).collect()
    }
}
