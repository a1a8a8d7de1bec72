//! Bringing a user's view up to what the bucket holds: as `host/index/src/load.rs` does.

use super::{Host, User, unseen};
use futures::stream::{self, StreamExt};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Key, Result};
use holdfast_journal as journal;
use std::collections::HashSet;
use std::rc::Rc;

const GETS_AT_ONCE: usize = 4;

impl Host {
    pub(super) async fn ready(
        &self,
        number: usize,
        latest: bool,
        after: &Frontier,
    ) -> Result<Rc<User>> {
        let user = self.user(number)?;
        if latest || !user.loaded.get() {
            self.refresh(&user).await?;
        }
        if !user.owed.borrow().is_empty() {
            self.catch_up(&user).await?;
        }
        self.include(&user, after).await?;
        Ok(user)
    }

    pub(super) async fn refresh(&self, user: &User) -> Result<()> {
        let _turn = user.flight.lock().await;
        let load = !user.loaded.get();
        self.bring(user, load).await?;
        user.loaded.set(true);
        if load {
            self.memory.borrow_mut().remove(&user.number);
        }
        Ok(())
    }

    pub(super) async fn bring(&self, user: &User, load: bool) -> Result<()> {
        let begun = self.now();
        let listed = if load {
            let scope = user.journal.borrow().scope().clone();
            journal::list(&self.bucket, &scope).await?
        } else {
            user.list_once.take();
            journal::poll(&self.bucket, &user.journal, user.listed.get(), begun).await?
        };
        let missing = user.journal.borrow().missing(listed);
        user.owed.borrow_mut().extend(missing);
        let outcome = self.catch_up(user).await;
        if outcome.is_ok() {
            user.listed.set(begun);
        }
        outcome
    }

    pub(super) async fn catch_up(&self, user: &User) -> Result<()> {
        let (mut tried, mut outcome) = (HashSet::new(), Ok(()));
        loop {
            let wanted = user.wanted(&tried);
            if wanted.is_empty() {
                return outcome;
            }
            tried.extend(wanted.iter().cloned());
            let gets = wanted.into_iter().map(async |key| self.take(user, &key).await);
            let mut taken = stream::iter(gets).buffer_unordered(GETS_AT_ONCE);
            while let Some(one) = taken.next().await {
                match one {
                    Err(e) if e.case == Case::Corrupt || e.reason == "not_yet_visible" => {
                        outcome = Err(e);
                    }
                    Err(error) => return Err(error),
                    Ok(()) => {}
                }
            }
        }
    }

    pub(super) async fn take(&self, user: &User, key: &Key) -> Result<()> {
        let bytes = self.bucket.get_named(key).await?;
        let bytes = self.world.mutant.read_bytes(&bytes, &user.journal.borrow());
        user.absorb(key, &bytes)
    }

    pub(super) async fn include(&self, user: &User, after: &Frontier) -> Result<()> {
        let keys = after.keys.iter().filter_map(|text| Key::below(&user.prefix, text));
        let missing = user.journal.borrow().missing(keys);
        if !missing.is_empty() {
            let gets = missing.iter().map(|key| self.take(user, key));
            futures::future::try_join_all(gets).await?;
            self.catch_up(user).await?;
        }
        if user.highest() < after.hlc {
            user.list_once.set(true);
            self.refresh(user).await?;
        }
        if user.highest() < after.hlc {
            return Err(unseen("what the token promises"));
        }
        Ok(())
    }
}
