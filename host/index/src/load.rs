//! Bringing a user's view up to what the bucket holds: loads, polls, and what is named.

use crate::bucket::AnyBucket;
use crate::shard::Shard;
use crate::types::{Consistency, Reading};
use crate::user::User;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Key, Result, Scope};
use holdfast_journal as journal;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::timeout;

impl Shard {
    /// The user, with all that the reading asks for in its view.
    pub(crate) async fn ready(
        self: &Rc<Self>,
        scope: &Scope,
        reading: &Reading,
    ) -> Result<Rc<User>> {
        let user = self.user(scope);
        let latest = reading.consistency == Consistency::Latest && !self.settings.single_host;
        if latest || !user.loaded.get() {
            self.refreshed(&user, latest).await?;
        } else if user.stale(&self.settings) {
            // As good as can be had now: the caller did not ask for the latest.
            let _ = self.refreshed(&user, false).await;
        }
        if user.owes() {
            self.in_time(self.catch_up(&user), &user).await?;
        }
        if let Some(after) = &reading.after {
            self.include(&user, after).await?;
        }
        // The user was erased meanwhile, and is read anew.
        if user.journal.borrow().is_stale() || !user.loaded.get() {
            self.refreshed(&user, true).await?;
        }
        if self.let_pass(&user)? {
            let erased = user.journal.borrow().erased();
            user.renew(erased);
            self.refreshed(&user, true).await?;
            self.let_pass(&user)?;
        }
        Ok(user)
    }

    /// Waits for a run of [`refresh`](Self::refresh), with `fresh` for one that begins from now on. The run goes on
    /// when the wait is over.
    async fn refreshed(self: &Rc<Self>, user: &Rc<User>, fresh: bool) -> Result<()> {
        let (ticket, begin) = user.flight.board(fresh);
        if begin {
            self.begin(user);
        }
        self.in_time(user.flight.land(ticket), user).await
    }

    /// Runs the flight that was just boarded, beside everything else.
    pub(crate) fn begin(self: &Rc<Self>, user: &Rc<User>) {
        let (shard, user) = (self.clone(), user.clone());
        tokio::task::spawn_local(async move {
            user.flight.begin(async || shard.refresh(&user).await).await;
        });
    }

    async fn in_time(&self, work: impl Future<Output = Result<()>>, user: &User) -> Result<()> {
        match timeout(self.settings.load_deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) if user.loaded.get() => Err(Error::because(
                Case::Unavailable,
                "store_unavailable",
                "the object store answers too slowly: try again",
            )),
            Err(_) => Err(Error::because(
                Case::Unavailable,
                "index_loading",
                "the index is loading this user: try again",
            )
            .retry_after(2)),
        }
    }

    /// One load, or one poll of a user that is loaded.
    async fn refresh(&self, user: &User) -> Result<()> {
        let (load, before) = (!user.loaded.get(), user.journal.borrow().objects());
        let most = self.settings.tenant_loads;
        let begun = load.then(|| self.shared.begin_load(&user.scope.tenant, most)).transpose();
        let _place = begun?;
        let counter = if load { &self.shared.loads } else { &self.shared.polls };
        counter.fetch_add(1, Relaxed);
        let outcome = self.bring(user, load).await;
        match &outcome {
            Ok(()) => user.loaded.set(true),
            Err(error) => {
                self.shared.failed_loads.fetch_add(u64::from(load), Relaxed);
                self.shared.failed(error);
                tracing::warn!(reason = error.reason, %error, load, "a user's journal cannot be read");
            }
        }
        // One that has left meanwhile is remembered on.
        if load && outcome.is_ok() && user.bytes.get().is_some() {
            self.memory.borrow_mut().forget(&user.scope);
        }
        user.polled(user.journal.borrow().objects() > before, &self.settings);
        self.weigh(user);
        outcome
    }

    async fn bring(&self, user: &User, load: bool) -> Result<()> {
        let before = user.journal.borrow().renewals();
        let outcome = self.brought(user, load).await;
        if user.journal.borrow().renewals() != before {
            let forget = async |bucket: &AnyBucket| {
                bucket.forget(&user.scope).await;
                Ok(())
            };
            self.ask_bucket(forget).await?;
        }
        outcome
    }

    async fn brought(&self, user: &User, load: bool) -> Result<()> {
        let begun = self.shared.now();
        let mut anew = user.renew_stale() || load;
        if !anew && !user.list_once.take() && self.settings.single_host {
            return self.catch_up(user).await;
        }
        if !anew {
            anew = self.polled(user, begun).await?;
        }
        loop {
            if anew {
                journal::open(self, &user.journal, begun).await?;
            }
            let renewals = user.journal.borrow().renewals();
            let outcome = self.catch_up(user).await;
            // What was read, or a writer, told of an erase: whatever was lacking may be gone with it.
            user.renew_stale();
            anew = user.journal.borrow().renewals() != renewals;
            if !anew {
                if outcome.is_ok() {
                    user.listed.set(begun);
                }
                return outcome;
            }
        }
    }

    /// What others wrote is owed; true when the user was erased, and everything was dropped.
    async fn polled(&self, user: &User, begun: u64) -> Result<bool> {
        let listed = journal::poll(self, &user.journal, user.listed.get(), begun);
        let erased = journal::find_erase(self, &user.journal);
        let (listed, erased) = futures::future::try_join(listed, erased).await?;
        match erased {
            Some(erased) => user.renew(erased),
            None => user.owe(listed),
        }
        Ok(erased.is_some())
    }

    /// Reads all that is owed, and what that names in turn.
    ///
    /// # Errors
    /// `not_yet_visible` when a named object cannot be read yet; `corrupt` when one is not what was written; both only
    /// after everything else was read.
    pub(crate) async fn catch_up(&self, user: &User) -> Result<()> {
        let sink = async |applied| {
            user.follow(applied, &self.space)?;
            // Others have their turn between two objects.
            tokio::task::yield_now().await;
            Ok(())
        };
        journal::settle(self, &user.journal, self.shared.now(), sink).await
    }

    /// Reads one object and takes it in.
    async fn take(&self, user: &User, key: &Key) -> Result<()> {
        let bytes = self.get(key).await?.ok_or_else(|| unseen(key))?;
        // Others have their turn between two objects.
        tokio::task::yield_now().await;
        user.absorb(key, &bytes, &self.space)
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
    async fn include(self: &Rc<Self>, user: &Rc<User>, after: &Frontier) -> Result<()> {
        let keys = after.keys.iter().chain(&after.head).map(|text| {
            Key::below(&user.prefix, text).ok_or_else(|| {
                let detail = "Holdfast-After names a key that is not one of this user";
                Error::because(Case::Invalid, "invalid_token", detail)
            })
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let missing = user.journal.borrow().missing(keys);
        let by_name = async {
            let gets = missing.iter().map(|key| self.take(user, key));
            match futures::future::try_join_all(gets).await {
                Ok(_) => self.catch_up(user).await,
                // It may be sealed by now, or erased, and gone.
                Err(error) if error.reason == "not_yet_visible" => {
                    journal::look_again(&**self, &user.journal, self.shared.now()).await?;
                    self.catch_up(user).await?;
                    self.take_left(user, &missing).await
                }
                Err(error) => Err(error),
            }
        };
        if !missing.is_empty() {
            self.in_time(by_name, user).await?;
            self.weigh(user);
        }
        if highest(user) < after.hlc {
            user.list_once.set(true);
            self.refreshed(user, true).await?;
        }
        if highest(user) < after.hlc {
            let detail = "what Holdfast-After promises cannot be shown yet: try again";
            return Err(Error::because(Case::Unavailable, "not_yet_visible", detail));
        }
        Ok(())
    }

    /// Keeps the loaded users' tails read, and asks the bucket whether it is there, until the shard ends.
    pub(crate) async fn upkeep(self: Rc<Self>) {
        let tick = (self.settings.poll_first / 4).clamp(MIN_TICK, MAX_TICK);
        let mut answered = false;
        loop {
            if !answered {
                let formats = holdfast_core::key::formats();
                match Objects::list(&*self, &formats, None).await {
                    Ok(_) => {
                        answered = true;
                        self.shared.answered.store(true, Relaxed);
                    }
                    Err(error) => self.shared.failed(&error),
                }
            }
            if !self.settings.single_host {
                self.poll_due();
            }
            tokio::time::sleep(tick).await;
        }
    }

    fn poll_due(self: &Rc<Self>) {
        let now = std::time::Instant::now();
        let users = self.users.borrow();
        let running = users.values().filter(|user| user.flight.running()).count();
        let due = users.values().filter(|user| user.due(now, &self.settings));
        for user in due.take(POLLS_AT_ONCE.saturating_sub(running)) {
            if user.flight.board(false).1 {
                self.begin(user);
            }
        }
    }
}

const MIN_TICK: Duration = Duration::from_millis(5);
const MAX_TICK: Duration = Duration::from_millis(500);
const POLLS_AT_ONCE: usize = 16;

fn highest(user: &User) -> holdfast_core::Hlc {
    user.journal.borrow().view().highest()
}

fn unseen(key: &Key) -> Error {
    let detail = format!("the store does not show {key} yet, which is named: try again");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
