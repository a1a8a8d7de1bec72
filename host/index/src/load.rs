//! Bringing a user's view up to what the bucket holds: loads, polls, and what is named.

use crate::bucket::AnyBucket;
use crate::shard::Shard;
use crate::user::User;
use holdfast_core::ports::Objects;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use holdfast_view::{Consistency, Reading, unreached};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// What was just brought of a user, as fresh as the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brought {
    /// Nothing that is known.
    Nothing,
    /// All that the bucket held a moment ago.
    Everything,
}

impl Shard {
    /// The user, with all that the reading asks for in its view.
    pub(crate) async fn ready(
        self: &Rc<Self>,
        scope: &Scope,
        reading: &Reading,
    ) -> Result<Rc<User>> {
        self.ready_after(scope, reading, Brought::Nothing).await
    }

    /// As [`ready`](Self::ready), where something was brought just now.
    pub(crate) async fn ready_after(
        self: &Rc<Self>,
        scope: &Scope,
        reading: &Reading,
        brought: Brought,
    ) -> Result<Rc<User>> {
        let user = self.user(scope);
        let latest = reading.consistency == Consistency::Latest
            && !self.settings.single_host
            && brought == Brought::Nothing;
        if latest || !user.loaded.get() {
            self.refreshed(&user, latest).await?;
            // What it rode may have been a glance.
            if !user.loaded.get() {
                self.refreshed(&user, true).await?;
            }
        } else if user.stale(&self.settings) {
            // As good as can be had now: the caller did not ask for the latest.
            let _ = self.refreshed(&user, false).await;
        }
        if user.owes() {
            self.in_time(user.catch_up(&**self), &user).await?;
        }
        if let Some(after) = &reading.after {
            self.include(&user, after).await?;
        }
        // The user was erased meanwhile, and is read anew.
        if user.journal.borrow().is_stale() || !user.loaded.get() {
            self.refreshed(&user, true).await?;
        }
        let kept = self.settings.retention_days;
        if user.let_pass(kept, self.shared.now())? {
            self.refreshed(&user, true).await?;
            user.let_pass(kept, self.shared.now())?;
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
            user.flight.begin(async || shard.refresh(&user, None).await).await;
        });
    }

    pub(crate) async fn in_time(
        &self,
        work: impl Future<Output = Result<()>>,
        user: &User,
    ) -> Result<()> {
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

    /// One load, or one poll of a user that is loaded; a load goes on from where a glance opened the journal.
    pub(crate) async fn refresh(&self, user: &User, opened: Option<u64>) -> Result<()> {
        let (load, before) = (!user.loaded.get(), user.journal.borrow().objects());
        let most = self.settings.tenant_loads;
        let begun = load.then(|| self.shared.begin_load(&user.scope.tenant, most)).transpose();
        let _place = begun?;
        let counter = if load { &self.shared.loads } else { &self.shared.polls };
        counter.fetch_add(1, Relaxed);
        let outcome = self.bring(user, opened).await;
        if let Err(error) = &outcome {
            self.shared.failed_loads.fetch_add(u64::from(load), Relaxed);
            self.shared.failed(error);
            self.shared.standing.doubt(error);
            tracing::warn!(reason = error.reason, %error, load, "a user's journal cannot be read");
        }
        // One that has left meanwhile is remembered on.
        if load && outcome.is_ok() && user.bytes.get().is_some() {
            self.memory.borrow_mut().forget(&user.scope);
        }
        user.polled(user.journal.borrow().objects() > before, &self.settings);
        self.weigh(user);
        outcome
    }

    async fn bring(&self, user: &User, opened: Option<u64>) -> Result<()> {
        let before = user.journal.borrow().renewals();
        let outcome = user.go_on(self, !self.settings.single_host, opened).await;
        self.forget_renewed(user, before).await?;
        outcome
    }

    /// What is kept of a user who was erased since is dropped.
    pub(crate) async fn forget_renewed(&self, user: &User, before: u64) -> Result<()> {
        if user.journal.borrow().renewals() == before {
            return Ok(());
        }
        self.forget_kept(user).await
    }

    /// Drops what is kept of a user who was erased on this machine.
    pub(crate) async fn forget_kept(&self, user: &User) -> Result<()> {
        let erased = user.journal.borrow().erased();
        let forget = async |bucket: &AnyBucket| {
            bucket.forget(&user.scope, erased).await;
            Ok(())
        };
        self.ask_bucket(forget).await
    }

    /// Everything up to `after`: its keys by name, and if that is not all, one more list.
    async fn include(self: &Rc<Self>, user: &Rc<User>, after: &Frontier) -> Result<()> {
        let missing = user.lacking(after)?;
        if !missing.is_empty() {
            self.in_time(user.read_named(&**self, &missing), user).await?;
            self.weigh(user);
        }
        if !user.reaches(after) {
            user.list_once.set(true);
            self.refreshed(user, true).await?;
        }
        if user.reaches(after) { Ok(()) } else { Err(unreached()) }
    }

    /// Keeps the loaded users' tails read, and asks the bucket whether it is there and takes us, until the shard ends.
    pub(crate) async fn upkeep(self: Rc<Self>) {
        let tick = (self.settings.poll_first / 4).clamp(MIN_TICK, MAX_TICK);
        let (answered, asking) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
        loop {
            // Beside the polls: a list may take its time.
            if !asking.get() && self.shared.standing.ask(!answered.get(), Instant::now()) {
                let (shard, answered, asking) = (self.clone(), answered.clone(), asking.clone());
                asking.set(true);
                tokio::task::spawn_local(async move {
                    answered.set(shard.question().await || answered.get());
                    asking.set(false);
                });
            }
            if !self.settings.single_host && !self.shared.standing.paused() {
                self.poll_due();
            }
            tokio::time::sleep(tick).await;
        }
    }

    /// Whether the bucket answers a list.
    async fn question(&self) -> bool {
        match Objects::list(self, &holdfast_core::key::formats(), None).await {
            Ok(_) => {
                self.shared.standing.answered();
                true
            }
            Err(error) => {
                self.shared.failed(&error);
                self.shared.standing.failed(&error);
                false
            }
        }
    }

    fn poll_due(self: &Rc<Self>) {
        let now = Instant::now();
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
