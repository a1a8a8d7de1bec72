//! Bringing a view up to what the bucket holds: loads, polls, and what is named.

use crate::UserView;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Key, Result};
use holdfast_journal as journal;
use holdfast_search::Nearest;

/// The bucket, and what else following it takes.
pub trait Source: Objects {
    /// Unix milliseconds by the store's clock, as far as its answers told it.
    fn now(&self) -> u64;

    /// Called between two objects: others have their turn. An error ends the run; what was read stays, and the next run goes on
    /// from there.
    #[allow(async_fn_in_trait, reason = "ports are not Send by design")]
    async fn turn(&self) -> Result<()>;
}

impl<N: Nearest> UserView<N> {
    /// One load, or one poll of a view that is loaded. Without `lists` a poll reads only what is owed, but after a call that
    /// set `list_once`. The view counts as loaded once this has succeeded.
    ///
    /// # Errors
    /// `not_yet_visible` or `corrupt` for what cannot be read; what the store may answer.
    pub async fn bring(&self, source: &impl Source, lists: bool) -> Result<()> {
        self.go_on(source, lists, None).await
    }

    /// As [`bring`](Self::bring), of a journal that a [glance](Self::glance) opened just now, at that time.
    ///
    /// # Errors
    /// As there.
    pub async fn go_on(
        &self,
        source: &impl Source,
        lists: bool,
        mut opened: Option<u64>,
    ) -> Result<()> {
        let begun = opened.unwrap_or_else(|| source.now());
        let mut anew = self.renew_stale() || !self.loaded.get();
        if !anew && !self.list_once.take() && !lists {
            return self.catch_up(source).await;
        }
        if !anew {
            anew = self.polled(source, begun).await?;
        }
        loop {
            if anew && opened.take().is_none() {
                journal::open(source, &self.journal, begun).await?;
            }
            let renewals = self.journal.borrow().renewals();
            let outcome = self.catch_up(source).await;
            // What was read, or a writer, told of an erase: whatever was lacking may be gone with it.
            self.renew_stale();
            anew = self.journal.borrow().renewals() != renewals;
            if !anew {
                if outcome.is_ok() {
                    // By what the answers say of our clock, if it was ahead when this began.
                    self.listed.set(begun.min(source.now()));
                    self.loaded.set(true);
                }
                return outcome;
            }
        }
    }

    /// What others wrote is owed; true when the user was erased, and everything was dropped.
    async fn polled(&self, source: &impl Source, begun: u64) -> Result<bool> {
        let listed = journal::poll(source, &self.journal, self.listed.get(), begun);
        let erased = journal::find_erase(source, &self.journal);
        let (listed, erased) = futures::future::try_join(listed, erased).await?;
        match erased {
            Some(erased) => self.renew(erased),
            None => self.owe(listed),
        }
        Ok(erased.is_some())
    }

    /// Reads all that is owed, and what that names in turn.
    ///
    /// # Errors
    /// `not_yet_visible` when a named object cannot be read yet; `corrupt` when one is not what was written; both only
    /// after everything else was read.
    pub async fn catch_up(&self, source: &impl Source) -> Result<()> {
        let sink = async |applied| {
            self.follow(applied)?;
            source.turn().await
        };
        journal::settle(source, &self.journal, source.now(), sink).await
    }

    /// Keys that `after` names and the view has not read.
    ///
    /// # Errors
    /// `invalid_token` for a key that is not one of this user.
    pub fn lacking(&self, after: &Frontier) -> Result<Vec<Key>> {
        let keys = after.keys.iter().chain(&after.head).map(|text| {
            Key::below(&self.prefix, text).ok_or_else(|| {
                let detail = "Holdfast-After names a key that is not one of this user";
                Error::because(Case::Invalid, "invalid_token", detail)
            })
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        Ok(self.journal.borrow().missing(keys))
    }

    /// Reads objects by name, and what they name.
    ///
    /// # Errors
    /// `not_yet_visible` for one that is not there and not sealed or erased either.
    pub async fn read_named(&self, source: &impl Source, keys: &[Key]) -> Result<()> {
        let gets = keys.iter().map(|key| self.take(source, key));
        match futures::future::try_join_all(gets).await {
            Ok(_) => self.catch_up(source).await,
            // It may be sealed by now, or erased, and gone.
            Err(error) if error.reason == "not_yet_visible" => {
                journal::look_again(source, &self.journal, source.now()).await?;
                self.catch_up(source).await?;
                self.take_left(source, keys).await
            }
            Err(error) => Err(error),
        }
    }

    /// Reads one object and takes it in.
    async fn take(&self, source: &impl Source, key: &Key) -> Result<()> {
        let bytes = source.get(key).await?.ok_or_else(|| unseen(key))?;
        source.turn().await?;
        self.absorb(key, &bytes)
    }

    /// Takes in those of the objects that are still missing, but those that may be gone.
    async fn take_left(&self, source: &impl Source, keys: &[Key]) -> Result<()> {
        let missing = self.journal.borrow().missing(keys.iter().cloned());
        for key in missing {
            let taken = self.take(source, &key).await;
            let gone = taken.as_ref().is_err_and(|error| error.reason == "not_yet_visible");
            if !(gone && self.journal.borrow_mut().outlives(&key)) {
                taken?;
            }
        }
        self.catch_up(source).await
    }

    /// The view has seen up to `after`'s time.
    pub fn reaches(&self, after: &Frontier) -> bool {
        self.journal.borrow().view().highest() >= after.hlc
    }
}

/// What a reader is told whose token promises more than can be shown.
pub fn unreached() -> Error {
    let detail = "what Holdfast-After promises cannot be shown yet: try again";
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}

fn unseen(key: &Key) -> Error {
    let detail = format!("the store does not show {key} yet, which is named: try again");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
