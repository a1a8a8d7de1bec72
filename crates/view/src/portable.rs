//! An index in one instance that may vanish: some users' views, each read from the bucket when somebody asks.
//!
//! No thread, no background: what the native index polls beside its answers is polled here before them. A load that passes
//! its deadline keeps what it read, and the next question goes on from there. What had to be read at length is left in the
//! bucket as an index part, for the instances that come after.

mod parts;
mod until;

use crate::{
    ChangePage, Consistency, DifferencePage, Found, FoundThing, Knowledge, Memory, Message,
    MessagePage, Page, Part, Question, Reading, Recall, Selection, Session, SessionPage, Space,
    ThingPage, ThingRecall, Timeline, UserFound, UserView, Wanted, changes_from, checked, place,
    understand, unreached,
};
use bytes::Bytes;
use holdfast_core::ports::{Clock, Objects};
use holdfast_core::{Key, Result, Scope, erase::Ledger};
use holdfast_search::{Int8Scan, Scratch};
use parts::Parts;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use until::Until;

/// Between two looks at whether another request has read a user to the end.
const LOOK: u64 = 2;

/// What an instance may hold, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of all views, about; the one that is asked about stays, however large.
    pub memory: usize,
    /// Views.
    pub users: usize,
    /// Users of whom it is remembered what was written, though they are not read.
    pub remembered: usize,
    /// Longest time for bringing a view up to date, in milliseconds.
    pub deadline: u64,
    /// A view is looked at again for `local` readings after so many milliseconds.
    pub local: u64,
    /// Messages of all users are kept for so many days at most; 0 is for ever.
    pub retention_days: u32,
    /// So many bytes that are to be read of a user are worth two more requests for an index part.
    pub part_worth: u64,
    /// Bytes of texts that are left in an index part, and that it must have grown by.
    pub part_least: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 32 << 20,
            users: 256,
            remembered: 1_000,
            deadline: 5_000,
            local: 2_000,
            retention_days: 0,
            part_worth: 64 << 10,
            part_least: 256 << 10,
        }
    }
}

/// The index. Shared by the requests of an instance, which take turns at each user.
pub struct Portable<B, C> {
    bucket: B,
    clock: C,
    ledger: Ledger,
    space: Rc<Space>,
    limits: Limits,
    users: RefCell<HashMap<Scope, Rc<User>>>,
    uses: Cell<u64>,
    memory: RefCell<Memory>,
    scratch: RefCell<Scratch>,
}

struct User {
    view: UserView<Int8Scan>,
    busy: Cell<bool>,
    used: Cell<u64>,
    bytes: Cell<usize>,
    parts: Parts,
}

/// A request's turn at a user.
struct Turn<'a>(&'a Cell<bool>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<B: Objects, C: Clock> Portable<B, C> {
    /// Knows nobody yet. Vectors of `space` are searched, erases are recorded in `ledger`.
    pub fn new(bucket: B, clock: C, ledger: Ledger, space: &str, limits: Limits) -> Self {
        Self {
            bucket,
            clock,
            ledger,
            space: Rc::new(Space::new(space)),
            limits,
            users: RefCell::default(),
            uses: Cell::new(0),
            memory: RefCell::new(Memory::new(limits.remembered)),
            scratch: RefCell::default(),
        }
    }

    /// What a writer should know before it mints an order. Never loads.
    pub fn known(&self, scope: &Scope, session: &str, ids: &[String]) -> Knowledge {
        let remembered = self.memory.borrow().frontier(scope);
        let clock_offset = self.bucket.skew().offset();
        let Some(user) = self.present(scope) else {
            return Knowledge { frontier: remembered, clock_offset, ..Knowledge::default() };
        };
        let known = user.view.known(session, ids, self.now());
        Knowledge { frontier: known.frontier.joined(&remembered), clock_offset, ..known }
    }

    /// Takes in objects that were just written. Of a user who is not here it is remembered that they are to be read.
    ///
    /// # Errors
    /// `invalid` for a key that is not one of this user's journal; `corrupt` for bytes that are not what the key says.
    pub fn upsert(&self, scope: &Scope, objects: &[(String, Bytes)]) -> Result<()> {
        let objects = checked(scope, objects)?;
        match self.present(scope) {
            Some(user) => {
                objects.iter().try_for_each(|(key, bytes)| user.view.absorb(key, bytes))?;
                user.view.renew_stale();
                self.make_room(&user);
                Ok(())
            }
            None => {
                let mut memory = self.memory.borrow_mut();
                objects.iter().try_for_each(|(key, bytes)| memory.note(scope, key, bytes))
            }
        }
    }

    /// Names of those who speak in the user's messages; none give an empty list.
    ///
    /// # Errors
    /// What a load may meet: `index_loading`, `store_unavailable`, `not_yet_visible`, `corrupt`.
    pub async fn participants(&self, scope: &Scope) -> Result<Vec<String>> {
        let local = Reading { consistency: Consistency::Local, after: None, as_of: None };
        self.ready(scope, &local).await?.view.participants()
    }

    /// Answers a question over the user's messages; nothing found is an empty list.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a filter or vector; `model_unavailable` without a vector where meaning alone ranks.
    pub async fn search(&self, scope: &Scope, question: Question) -> Result<Recall> {
        let reading = question.reading.clone();
        let question = understand(question, &self.space)?;
        let user = self.ready(scope, &reading).await?;
        let recall = user.view.search(&question, &mut self.scratch.borrow_mut(), self.now())?;
        self.make_room(&user);
        Ok(recall)
    }

    /// A session's messages in order; a session that does not exist has none.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a place that is none.
    pub async fn history(
        &self,
        scope: &Scope,
        session: &str,
        page: &Page,
        reading: &Reading,
    ) -> Result<MessagePage> {
        place(page)?;
        let user = self.ready(scope, reading).await?;
        user.view.history(session, page, reading.as_of, self.now())
    }

    /// One message by its id.
    ///
    /// # Errors
    /// What a load may meet.
    pub async fn find_message(
        &self,
        scope: &Scope,
        session: &str,
        id: &str,
        reading: &Reading,
    ) -> Result<Found<Message>> {
        let user = self.ready(scope, reading).await?;
        Ok(user.view.find_message(session, id, reading.as_of, self.now()))
    }

    /// The user's sessions by last activity.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a place that is none.
    pub async fn list_sessions(
        &self,
        scope: &Scope,
        page: &Page,
        reading: &Reading,
    ) -> Result<SessionPage> {
        place(page)?;
        let user = self.ready(scope, reading).await?;
        user.view.list_sessions(page, reading.as_of, self.now())
    }

    /// One session by its id.
    ///
    /// # Errors
    /// What a load may meet.
    pub async fn find_session(
        &self,
        scope: &Scope,
        id: &str,
        reading: &Reading,
    ) -> Result<Found<Session>> {
        let user = self.ready(scope, reading).await?;
        user.view.find_session(id, reading.as_of, self.now())
    }

    /// Things of a kind by when they were last changed; none give an empty page.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a kind, a filter or a place that is none.
    pub async fn list_things(
        &self,
        scope: &Scope,
        selection: &Selection,
        page: &Page,
        reading: &Reading,
    ) -> Result<ThingPage> {
        let user = self.ready(scope, reading).await?;
        user.view.list_things(selection, page, reading.as_of, self.now())
    }

    /// One thing by its kind, session and id, with its history.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a kind that is none.
    pub async fn find_thing(
        &self,
        scope: &Scope,
        kind: &str,
        name: (Option<&str>, &str),
        reading: &Reading,
    ) -> Result<FoundThing> {
        let user = self.ready(scope, reading).await?;
        user.view.find_thing(kind, name, reading.as_of, self.now())
    }

    /// Answers a question over the user's memories; nothing found is an empty list.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub async fn recall_memories(&self, scope: &Scope, question: Question) -> Result<ThingRecall> {
        let reading = question.reading.clone();
        let question = understand(question, &self.space)?;
        let user = self.ready(scope, &reading).await?;
        let mut scratch = self.scratch.borrow_mut();
        let recall = user.view.recall_memories(question, &mut scratch, self.now())?;
        self.make_room(&user);
        Ok(recall)
    }

    /// The user's sessions by last activity, of those that pass a filter.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a filter or a place that is none.
    pub async fn select_sessions(
        &self,
        scope: &Scope,
        filter: &str,
        page: &Page,
        reading: &Reading,
    ) -> Result<SessionPage> {
        let user = self.ready(scope, reading).await?;
        user.view.select_sessions(filter, page, reading.as_of, self.now())
    }

    /// All that the user has, newest first.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a place that is none.
    pub async fn timeline(
        &self,
        scope: &Scope,
        page: &Page,
        reading: &Reading,
    ) -> Result<Timeline> {
        self.ready(scope, reading).await?.view.timeline(page, self.now())
    }

    /// Messages whose searched text has this SHA-256, oldest first.
    ///
    /// # Errors
    /// What a load may meet.
    pub async fn find_content(
        &self,
        scope: &Scope,
        session: Option<&str>,
        hash: &str,
        reading: &Reading,
    ) -> Result<MessagePage> {
        let user = self.ready(scope, reading).await?;
        Ok(user.view.find_content(session, hash, self.now()))
    }

    /// What came to the user since `place` of the page before, from the beginning when none.
    ///
    /// # Errors
    /// What a load may meet; `invalid_cursor`.
    pub async fn changes(
        &self,
        scope: &Scope,
        place: Option<&str>,
        limit: u32,
        reading: &Reading,
    ) -> Result<ChangePage> {
        let told = changes_from(place, reading)?;
        let user = self.ready(scope, reading).await?;
        user.view.changes(told, limit, self.now())
    }

    /// What was otherwise at a time.
    ///
    /// # Errors
    /// What a load may meet; `invalid` for a place that is none.
    pub async fn differences(
        &self,
        scope: &Scope,
        wanted: &Wanted,
        part: &Part,
        reading: &Reading,
    ) -> Result<DifferencePage> {
        let user = self.ready(scope, reading).await?;
        let seen = user.view.frontier(self.now());
        let until = Until { index: self, end: self.clock.now() + self.limits.deadline };
        let then = user.view.then(&until, wanted).await?;
        // Once more: what was deleted or erased while the past was read.
        let user = self.ready(scope, reading).await?;
        user.view.differences(then.as_ref(), wanted, part, seen, self.now())
    }

    /// What is said of the user as a whole, and what has passed of the user's messages.
    ///
    /// # Errors
    /// What a load may meet.
    pub async fn find_user(&self, scope: &Scope, reading: &Reading) -> Result<UserFound> {
        let user = self.ready(scope, reading).await?;
        let told = self.bucket.skew().told();
        user.view.find_user(self.limits.retention_days, self.now(), told)
    }

    fn now(&self) -> u64 {
        self.clock.now().saturating_add_signed(self.bucket.skew().offset().unwrap_or(0))
    }

    fn present(&self, scope: &Scope) -> Option<Rc<User>> {
        self.users.borrow().get(scope).cloned()
    }

    /// The user; one who is not here begins empty, owing what is remembered.
    fn user(&self, scope: &Scope) -> Rc<User> {
        let user = self.present(scope).unwrap_or_else(|| {
            let (ledger, space) = (Some(&self.ledger), self.space.clone());
            let view = UserView::new(scope.clone(), ledger, space, Int8Scan::default());
            let remembered = self.memory.borrow().keys(scope);
            view.owe(remembered.iter().filter_map(|text| Key::below(&view.prefix, text)));
            let (busy, used, bytes) = (Cell::new(false), Cell::new(0), Cell::new(0));
            let user = Rc::new(User { view, busy, used, bytes, parts: Parts::default() });
            self.users.borrow_mut().insert(scope.clone(), user.clone());
            user
        });
        self.uses.set(self.uses.get() + 1);
        user.used.set(self.uses.get());
        user
    }

    /// The user, with all that the reading asks for in the view.
    async fn ready(&self, scope: &Scope, reading: &Reading) -> Result<Rc<User>> {
        let user = self.user(scope);
        let until = Until { index: self, end: self.clock.now() + self.limits.deadline };
        let turn = self.turn(&user, &until).await?;
        let loaded = user.view.loaded.get();
        let brought = self.bring(&user, reading, &until).await;
        drop(turn);
        if !loaded && brought.is_ok() {
            self.leave_part(&user).await;
        }
        self.make_room(&user);
        brought.map(|()| user)
    }

    async fn turn<'a>(&self, user: &'a User, until: &Until<'_, B, C>) -> Result<Turn<'a>> {
        // No waker reaches from one request of an instance to another: they look.
        while user.busy.replace(true) {
            until.check()?;
            self.clock.sleep(LOOK).await;
        }
        Ok(Turn(&user.busy))
    }

    async fn bring(&self, user: &User, reading: &Reading, until: &Until<'_, B, C>) -> Result<()> {
        let view = &user.view;
        let loaded = view.loaded.get();
        if reading.consistency == Consistency::Latest || !loaded {
            let opened = if loaded { None } else { self.open(user, until).await? };
            view.go_on(until, true, opened).await?;
        } else if self.now().saturating_sub(view.listed.get()) > self.limits.local {
            // As good as can be had now: the caller did not ask for the latest.
            let _ = view.bring(until, true).await;
        }
        if view.loaded.get() && !loaded {
            self.memory.borrow_mut().forget(&view.scope);
        }
        if view.owes() {
            view.catch_up(until).await?;
        }
        if let Some(after) = &reading.after {
            let lacking = view.lacking(after)?;
            if !lacking.is_empty() {
                view.read_named(until, &lacking).await?;
            }
            if !view.reaches(after) {
                view.list_once.set(true);
                view.bring(until, true).await?;
            }
            if !view.reaches(after) {
                return Err(unreached());
            }
        }
        // The user was erased meanwhile, and is read anew.
        if view.journal.borrow().is_stale() || !view.loaded.get() {
            view.bring(until, true).await?;
        }
        if view.let_pass(self.limits.retention_days, self.now())? {
            view.bring(until, true).await?;
            view.let_pass(self.limits.retention_days, self.now())?;
        }
        Ok(())
    }

    /// Lets the least recently used others go until the rest fits.
    fn make_room(&self, stays: &User) {
        stays.bytes.set(stays.view.weight());
        let mut users = self.users.borrow_mut();
        let mut held: usize = users.values().map(|user| user.bytes.get()).sum();
        while held > self.limits.memory || users.len() > self.limits.users {
            let idle = users.values().filter(|user| user.used.get() != stays.used.get());
            let idle = idle.filter(|user| !user.busy.get());
            let Some(oldest) = idle.min_by_key(|user| user.used.get()).cloned() else { return };
            users.remove(&oldest.view.scope);
            held -= oldest.bytes.get();
            let frontier = oldest.view.frontier(self.now());
            self.memory.borrow_mut().keep(&oldest.view.scope, frontier);
        }
    }
}
