//! Bringing a user's view up to what the bucket holds, by the journal's own functions: as `host/index/src/load.rs`.

use super::{Host, User};
use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Key, Part, Prefix, Result};
use holdfast_journal as journal;
use std::rc::Rc;

impl Host {
    /// The user, with all that the reading asks for in its view.
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
        if user.owes() {
            self.catch_up(&user).await?;
        }
        self.include(&user, after).await?;
        // The user was erased meanwhile, and is read anew.
        if user.journal.borrow().is_stale() || !user.loaded.get() {
            self.refresh(&user).await?;
        }
        self.let_pass(&user).await?;
        Ok(user)
    }

    /// One load, or one poll of a user that is loaded.
    pub(super) async fn refresh(&self, user: &User) -> Result<()> {
        let turn = user.flight.lock().await;
        let load = !user.loaded.get();
        self.bring(user, load).await?;
        user.loaded.set(true);
        drop(turn);
        if load {
            self.forget(user);
            self.leave_part(user).await;
        }
        Ok(())
    }

    async fn bring(&self, user: &User, load: bool) -> Result<()> {
        let begun = self.now();
        let eyes = Eyes { host: self, user };
        let mut anew = user.renew_stale() || load;
        user.list_once.take();
        if !anew {
            anew = self.polled(user, begun).await?;
        }
        loop {
            if anew {
                journal::open(&eyes, &user.journal, begun).await?;
                self.take_part(user).await;
            }
            let renewals = user.journal.borrow().renewals();
            let outcome = self.catch_up(user).await;
            // What was read, or a writer, told of an erase: whatever was lacking may be gone with it.
            user.renew_stale();
            anew = user.journal.borrow().renewals() != renewals;
            if !anew {
                if outcome.is_ok() {
                    user.listed.set(begun.min(self.now()));
                }
                return outcome;
            }
        }
    }

    /// What others wrote is owed; true when the user was erased, and everything was dropped.
    async fn polled(&self, user: &User, begun: u64) -> Result<bool> {
        let eyes = Eyes { host: self, user };
        let listed = journal::poll(&eyes, &user.journal, user.listed.get(), begun);
        let erased = journal::find_erase(&eyes, &user.journal);
        let (listed, erased) = futures::future::try_join(listed, erased).await?;
        let mut journal = user.journal.borrow_mut();
        match erased {
            Some(erased) => {
                journal.renew(erased);
                user.loaded.set(false);
            }
            None => journal.owe(listed),
        }
        Ok(erased.is_some())
    }

    /// Reads all that is owed, and what that names in turn.
    pub(super) async fn catch_up(&self, user: &User) -> Result<()> {
        let eyes = Eyes { host: self, user };
        journal::settle(&eyes, &user.journal, self.now(), async |_| Ok(())).await
    }

    /// Reads one object and takes it in.
    async fn take(&self, user: &User, key: &Key) -> Result<()> {
        let eyes = Eyes { host: self, user };
        let bytes = eyes.get(key).await?.ok_or_else(|| unseen(key.as_str()))?;
        user.journal.borrow_mut().absorb(key, &bytes).map(drop)
    }

    /// Takes in those of the objects that are still missing, but those that may be gone.
    async fn take_left(&self, user: &User, keys: &[Key]) -> Result<()> {
        let missing = user.journal.borrow().missing(keys.iter().cloned());
        for key in missing {
            let taken = self.take(user, &key).await;
            let gone = taken.as_ref().is_err_and(|error| error.reason == "not_yet_visible");
            if !(gone && user.journal.borrow_mut().outlives(&key)) {
                taken?;
            }
        }
        self.catch_up(user).await
    }

    /// Everything up to `after`: its keys by name, and if that is not all, one more list.
    async fn include(&self, user: &User, after: &Frontier) -> Result<()> {
        let keys = after.keys.iter().chain(&after.head);
        let keys: Vec<Key> = keys.filter_map(|text| Key::below(&user.prefix, text)).collect();
        let missing = user.journal.borrow().missing(keys);
        if !missing.is_empty() {
            let gets = missing.iter().map(|key| self.take(user, key));
            match futures::future::try_join_all(gets).await {
                Ok(_) => self.catch_up(user).await?,
                // It may be sealed by now, or erased, and gone.
                Err(error) if error.reason == "not_yet_visible" => {
                    let eyes = Eyes { host: self, user };
                    journal::look_again(&eyes, &user.journal, self.now()).await?;
                    self.catch_up(user).await?;
                    self.take_left(user, &missing).await?;
                }
                Err(error) => return Err(error),
            }
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

/// The bucket as a reader sees it: made wrong where a mutant asks for it.
struct Eyes<'a> {
    host: &'a Host,
    user: &'a User,
}

impl Objects for Eyes<'_> {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        self.host.bucket.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let bytes = self.host.bucket.get(key).await?;
        let mutant = self.host.world.mutant;
        Ok(bytes.map(|bytes| match key.part() {
            Part::Wal => mutant.read_bytes(&bytes, &self.user.journal.borrow()),
            _ => bytes,
        }))
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        self.host.bucket.get_range(key, start, length).await
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        self.host.bucket.list(prefix, after).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.host.bucket.delete(key).await
    }

    fn skew(&self) -> Skew {
        self.host.bucket.skew()
    }
}

fn unseen(what: &str) -> Error {
    let detail = format!("the store does not show {what} yet");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
