//! A host: the client of the journal that `host/index` is, in small. Its memory dies with it.

mod attached;
mod changes;
mod jobs;
mod load;
mod parts;
mod passing;
mod tend;
mod user;

pub use attached::Place;
pub use changes::Changes;

use crate::bucket::{Bucket, Role};
use crate::checker::{Seen, SeenSession, Snapshot};
use crate::mutants::Mutant;
use crate::world::World;
use holdfast_core::clock::MAX_SKEW;
use holdfast_core::ports::{Clock, Objects, Outside};
use holdfast_core::record::{Writer, WriterKind};
use holdfast_core::token::{Frontier, Signer};
use holdfast_core::{Case, Error, Hlc, Order, Result, fold, key};
use holdfast_journal::{self as journal, Draft, Pen, Written};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use user::{Trace, User};

const SECRET: &[u8] = b"a secret of the simulation";

/// A running process.
pub struct Host {
    pub(crate) world: Rc<World>,
    pub(crate) id: usize,
    bucket: Bucket,
    users: RefCell<BTreeMap<usize, Rc<User>>>,
    memory: RefCell<BTreeMap<usize, Trace>>,
    lives: Cell<u64>,
}

/// How a reader asks.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The bucket is listed for this request.
    pub latest: bool,
    /// The token of an earlier answer.
    pub after: Option<String>,
}

/// A page of a session.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its messages.
    pub items: Vec<Seen>,
    /// What came late.
    pub late: Vec<Seen>,
    /// More follow.
    pub more: bool,
    /// The whole view, at the same moment.
    pub snapshot: Snapshot,
}

/// What a write answers.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Order of each record.
    pub orders: Vec<String>,
    /// The object.
    pub key: String,
    /// `Holdfast-After`.
    pub token: String,
}

impl Host {
    /// A process that has just started.
    pub fn new(world: Rc<World>, id: usize, life: u64) -> Rc<Self> {
        let bucket = Bucket::new(world.clone(), id, Role::Serves);
        let (users, memory) = (RefCell::default(), RefCell::default());
        Rc::new(Self { world, id, bucket, users, memory, lives: Cell::new(life << 20) })
    }

    fn now(&self) -> u64 {
        self.bucket.now().saturating_add_signed(self.bucket.skew().offset().unwrap_or(0))
    }

    fn signer(&self, user: usize) -> Result<Signer<'_>> {
        let scope = self.world.users.get(user);
        Ok(Signer::new(SECRET, scope.ok_or_else(|| Error::not_found("no such user"))?))
    }

    fn after(&self, user: usize, text: Option<&str>) -> Result<Frontier> {
        let now = match self.world.mutant {
            Mutant::TokenWithoutBound => u64::MAX >> 17,
            _ => self.now(),
        };
        let read = |text| self.signer(user)?.read_after(text, now);
        text.map(read).transpose().map(Option::unwrap_or_default)
    }

    // ---- what clients ask ----

    /// Stores records.
    ///
    /// # Errors
    /// As `holdfast_journal::write`; `clock`; `invalid_token`.
    pub async fn write(
        self: Rc<Self>,
        user: usize,
        after: Option<String>,
        drafts: Vec<Draft>,
    ) -> Result<Stored> {
        let offset = self.offset().await?;
        let after = self.after(user, after.as_deref())?;
        let mut known = after.joined(&self.known(user));
        if self.world.mutant == Mutant::PrevIgnored {
            (known.keys, known.head) = (Vec::new(), None);
        }
        let scope = self.world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let by = writer();
        let clock = self.clock(&after);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope, by, known: &known, offset };
        let written = journal::write(&outside, pen, drafts).await?;
        // What is durable is acknowledged, whatever the index says.
        let _ = self.upsert(user, &written);
        self.stored(user, &written)
    }

    /// Writes tombstones, and waits until they lie in the past.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn delete(
        self: Rc<Self>,
        user: usize,
        after: Option<String>,
        tombstones: Vec<Draft>,
    ) -> Result<Stored> {
        let offset = self.offset().await?;
        let after = self.after(user, after.as_deref())?;
        let known = after.joined(&self.known(user));
        let scope = self.world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let by = writer();
        let clock = self.clock(&after);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope, by, known: &known, offset };
        let told = async |written: &Written| drop(self.upsert(user, written));
        let written = journal::delete(&outside, pen, tombstones, told).await?;
        self.stored(user, &written)
    }

    fn stored(&self, user: usize, written: &Written) -> Result<Stored> {
        Ok(Stored {
            orders: written.orders.iter().map(Order::to_string).collect(),
            key: written.key.to_string(),
            token: self.signer(user)?.after(&written.frontier),
        })
    }

    fn clock(&self, after: &Frontier) -> MutantClock<'_> {
        let (begun, skipped) = (self.bucket.now(), Cell::new(0));
        MutantClock { host: self, begun, raised: after.hlc, skipped }
    }

    /// The whole view of a user, and its token.
    ///
    /// # Errors
    /// When the view is known to lack something, or the store cannot be asked.
    pub async fn read(self: Rc<Self>, user: usize, reading: Reading) -> Result<(Snapshot, String)> {
        self.answered().await?;
        let after = self.after(user, reading.after.as_deref())?;
        let user = self.ready(user, reading.latest, &after).await?;
        Ok((self.snapshot(&user), self.token(&user)?))
    }

    /// A page of a session, and the token.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn page(
        self: Rc<Self>,
        user: usize,
        session: String,
        place: Option<(String, u32)>,
        limit: usize,
        reading: Reading,
    ) -> Result<(Page, String)> {
        self.answered().await?;
        let after = self.after(user, reading.after.as_deref())?;
        let order = place.as_ref().map(|(order, _)| Order::parse(order)).transpose()?;
        let user = self.ready(user, reading.latest, &after).await?;
        let page = {
            let journal = user.journal.borrow();
            let view = journal.view();
            let (found, more) = view.page(&session, order, limit, false);
            let read = order.zip(place.map(|(_, rank)| rank));
            let late = read.map(|(order, rank)| view.late(&session, order, rank));
            Page {
                items: found.iter().map(seen).collect(),
                late: late.unwrap_or_default().iter().map(seen).collect(),
                more,
                snapshot: self.snapshot(&user),
            }
        };
        Ok((page, self.token(&user)?))
    }

    /// Polls loaded users until the process ends: ever less often while nobody asks.
    pub async fn upkeep(self: Rc<Self>) {
        loop {
            self.world.idle(self.world.plan.poll).await;
            let users: Vec<_> = self.users.borrow().values().cloned().collect();
            for user in users.into_iter().filter(|user| user.loaded.get()) {
                // What fails is tried again in its turn.
                let _ = self.refresh(&user).await;
            }
        }
    }

    /// One poll of a user, for nobody.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn poll(self: Rc<Self>, user: usize) -> Result<()> {
        let user = self.user(user)?;
        self.refresh(&user).await
    }

    /// As `kit::write`: what the answers say of our clock; without one, the store is asked first.
    async fn offset(&self) -> Result<i64> {
        self.answered().await?;
        let offset = self.bucket.skew().offset().filter(|offset| offset.abs() <= MAX_SKEW);
        offset.ok_or_else(|| Error::because(Case::Unavailable, "clock", "the clock is off"))
    }

    /// A host that has heard nothing of the store yet is not ready.
    async fn answered(&self) -> Result<()> {
        self.world.ask();
        if self.bucket.skew().offset().is_none() {
            self.bucket.list(&key::formats(), None).await?;
        }
        Ok(())
    }

    fn token(&self, user: &User) -> Result<String> {
        let frontier = user.journal.borrow().frontier_at(self.now());
        Ok(self.signer(user.number)?.after(&frontier))
    }

    fn snapshot(&self, user: &User) -> Snapshot {
        let journal = user.journal.borrow();
        let view = journal.view();
        let (sessions, _) = view.sessions(None, usize::MAX, false);
        let items = sessions.iter().flat_map(|session| {
            let (found, _) = view.page(session.id, None, usize::MAX, false);
            found.iter().map(seen).collect::<Vec<_>>()
        });
        let snapshot = Snapshot {
            host: self.id,
            life: user.life(),
            since: user.since,
            user: user.number,
            items: items.collect(),
            sessions: sessions.iter().map(seen_session).collect(),
        };
        let mut checker = self.world.checker.borrow_mut();
        checker.at(self.world.now());
        if let Err(broken) = checker.answers(&snapshot) {
            self.world.fail(broken);
        }
        snapshot
    }
}

/// The host's clock, made wrong where a mutant asks for it.
struct MutantClock<'a> {
    host: &'a Host,
    begun: u64,
    raised: Hlc,
    skipped: Cell<u64>,
}

impl Clock for MutantClock<'_> {
    fn now(&self) -> u64 {
        let now = self.host.bucket.now() + self.skipped.get();
        match self.host.world.mutant {
            Mutant::AckAfterTheBound => self.begun,
            Mutant::TokenWithoutBound => now.max(self.raised.milliseconds()),
            _ => now,
        }
    }

    async fn sleep(&self, milliseconds: u64) {
        match self.host.world.mutant {
            Mutant::NoCommitWait => self.skipped.set(self.skipped.get() + milliseconds),
            _ => self.host.bucket.sleep(milliseconds).await,
        }
    }
}

fn writer() -> Writer {
    Writer { kind: WriterKind::Service, key: "sim".to_owned() }
}

fn seen(found: &fold::Found<'_>) -> Seen {
    Seen {
        session: found.entry.session.to_string(),
        shown: found.id.clone(),
        id: found.entry.id.to_string(),
        text: found.entry.text.to_string(),
        order: found.entry.order.to_string(),
        rank: found.rank,
    }
}

fn seen_session(found: &fold::FoundSession<'_>) -> SeenSession {
    SeenSession {
        id: found.id.to_owned(),
        name: found.fields.name.clone(),
        order: found.fields_order.map(|order| order.to_string()),
        messages: found.messages,
    }
}
