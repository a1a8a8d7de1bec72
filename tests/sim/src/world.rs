//! Everything of one run, and how a host dies, stops and starts again.

use crate::checker::{Checker, Home};
use crate::client::Follower;
use crate::executor::{Executor, Owner, Sleep};
use crate::host::Host;
use crate::mutants::Mutant;
use crate::plan::{Course, DAY, HOUR, MINUTE, Plan};
use crate::random::Random;
use crate::store::Store;
use futures::channel::oneshot;
use futures::future::{Either, select};
use holdfast_core::erase::Ledger;
use holdfast_core::{Scope, TenantId, UserId, key};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::{Rc, Weak};

/// 2026-03-20T09:46:40Z in Unix milliseconds.
const START: u64 = 1_774_000_000_000;
/// The beginning of one is another.
const USERS: [&str; 2] = ["ann", "ann2"];
/// Between two rounds of upkeep when nobody asks, in milliseconds.
const LONGEST_PAUSE: u64 = 6 * HOUR;
/// One run.
pub struct World {
    /// Runs it.
    pub executor: Rc<Executor>,
    /// What the seed decided.
    pub plan: Plan,
    /// What is made wrong on purpose.
    pub mutant: Mutant,
    /// The bucket.
    pub store: Store,
    /// Watches.
    pub checker: RefCell<Checker>,
    /// Draws of hosts and clients.
    pub random: Random,
    /// Whose journals.
    pub users: Vec<Scope>,
    /// Where erases are recorded.
    pub ledger: Ledger,
    /// What happened how often.
    pub counts: Counts,
    /// Of what is stored under another name, the names that it was meant for.
    pub aliases: RefCell<BTreeMap<String, BTreeSet<String>>>,
    /// Who follows which user.
    pub followers: RefCell<BTreeMap<(usize, usize), Follower>>,
    /// When somebody last asked anything.
    asked: Cell<u64>,
    /// Work that waits until somebody asks.
    idle: RefCell<Vec<oneshot::Sender<()>>>,
    hosts: RefCell<Vec<Slot>>,
    calm: Cell<bool>,
    left: Cell<usize>,
    broken: RefCell<Option<String>>,
    trace: RefCell<VecDeque<String>>,
    /// Lines of it that are kept, the last ones.
    kept: usize,
    me: Weak<World>,
}

/// What happened how often.
#[derive(Default)]
pub struct Counts {
    /// Hosts that died.
    pub kills: Cell<u64>,
    /// WAL objects that were sealed.
    pub sealed: Cell<u64>,
    /// Objects that were removed.
    pub removed: Cell<u64>,
    /// Erases that were answered.
    pub erased: Cell<u64>,
    /// Times that it was written down what has passed.
    pub passed: Cell<u64>,
    /// Pages of changes that were told.
    pub told: Cell<u64>,
    /// Attachments that were stored.
    pub attached: Cell<u64>,
    /// Index parts that were left.
    pub parts: Cell<u64>,
    /// Views that began from one.
    pub restored: Cell<u64>,
    /// Segments that were sealed anew without what was purged.
    pub resealed: Cell<u64>,
    /// Times a host stopped for longer than the grace.
    pub long_pauses: Cell<u64>,
}

impl Counts {
    /// Adds to one of them.
    pub fn add(&self, one: &Cell<u64>, more: usize) {
        one.set(one.get() + u64::try_from(more).unwrap_or(0));
    }
}

/// A place for a host: what outlives its process.
#[derive(Default)]
struct Slot {
    host: Option<Rc<Host>>,
    skew: i64,
    jumped: bool,
    lives: u64,
}

impl World {
    /// The world of a course, with code that a mutant makes wrong.
    pub(crate) fn new(course: Course, mutant: Mutant, kept: usize) -> Rc<Self> {
        let (plan, random) = course.drawn();
        let fork = || Random::new(random.bits());
        let executor = Executor::new(fork(), START + fork().below(24 * HOUR));
        let users: Vec<Scope> =
            USERS.iter().take(plan.users).filter_map(|user| scope(user)).collect();
        let ledger = Ledger::new("a secret of the simulation");
        let homes = users.iter().map(|scope| Home {
            journal: key::user(scope).as_str().to_owned(),
            ledger: ledger.of(scope).as_str().to_owned(),
        });
        let homes = homes.collect();
        Rc::new_cyclic(|me| Self {
            executor,
            store: Store::new(plan.clone(), fork()),
            checker: RefCell::new(Checker::new(homes).keeping(plan.kept, plan.wrong_by())),
            users,
            ledger,
            counts: Counts::default(),
            aliases: RefCell::default(),
            followers: RefCell::default(),
            asked: Cell::default(),
            idle: RefCell::default(),
            hosts: RefCell::new((0..plan.hosts).map(|_| Slot::default()).collect()),
            calm: Cell::new(false),
            left: Cell::new(0),
            broken: RefCell::default(),
            trace: RefCell::default(),
            kept,
            random: fork(),
            plan,
            mutant,
            me: me.clone(),
        })
    }

    /// True time, in Unix milliseconds; the store's clock.
    pub fn now(&self) -> u64 {
        self.executor.now()
    }

    /// Days since it began.
    pub fn days(&self) -> u64 {
        self.now().saturating_sub(START) / DAY
    }

    /// Waits.
    pub fn sleep(&self, milliseconds: u64) -> Sleep {
        self.executor.sleep(milliseconds)
    }

    /// Somebody asks for something.
    pub fn ask(&self) {
        self.asked.set(self.now());
        self.idle.take();
    }

    /// Waits for `first`; while nobody asks, ever longer.
    pub async fn idle(&self, first: u64) {
        let quiet = self.now().saturating_sub(self.asked.get()) / 4;
        let (ask, asked) = oneshot::channel();
        self.idle.borrow_mut().push(ask);
        let pause = self.sleep(quiet.clamp(first, LONGEST_PAUSE.max(first)));
        if let Either::Right(_) = select(pause, asked).await {
            self.sleep(first).await;
        }
    }

    /// No faults from now on: everything that was hidden is listed, nobody dies.
    pub fn calm_down(&self) {
        self.calm.set(true);
        self.store.calm(self.now());
        self.executor.resume_all();
        for id in 0..self.plan.hosts {
            self.with_slot(id, |slot| (slot.skew, slot.jumped) = (0, false));
            if self.host(id).is_none() {
                self.start(id);
            }
        }
    }

    /// There are no faults any more.
    pub fn is_calm(&self) -> bool {
        self.calm.get()
    }

    /// A fault of this chance strikes.
    pub fn strikes(&self, millionths: u64) -> bool {
        !self.calm.get() && self.random.chance(millionths)
    }

    /// A promise is broken: the run ends.
    pub fn fail(&self, broken: String) {
        self.trace(|| format!("BROKEN: {broken}"));
        self.broken.borrow_mut().get_or_insert(broken);
    }

    /// The promise that was broken.
    pub fn broken(&self) -> Option<String> {
        self.broken.borrow().clone()
    }

    /// A client has done its part.
    pub fn leave(&self) {
        self.left.set(self.left.get() + 1);
    }

    /// Clients that have done their part.
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// Notes what happens, if anybody will read it.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.kept == 0 {
            return;
        }
        let since = self.now().saturating_sub(START);
        let (days, rest) = (since / DAY, since % DAY);
        let mut lines = self.trace.borrow_mut();
        lines.push_back(format!("{days}d {:>6}.{:03} {}", rest / 1000, rest % 1000, line()));
        if lines.len() > self.kept {
            lines.pop_front();
        }
    }

    /// The last events.
    pub fn events(&self) -> Vec<String> {
        self.trace.borrow().iter().cloned().collect()
    }

    /// The host, unless it is down.
    pub fn host(&self, id: usize) -> Option<Rc<Host>> {
        self.hosts.borrow().get(id).and_then(|slot| slot.host.clone())
    }

    /// How far the host's clock is off, in milliseconds.
    pub fn skew(&self, id: usize) -> i64 {
        self.hosts.borrow().get(id).map_or(0, |slot| slot.skew)
    }

    /// The host's clock was not set wrong under it in this life.
    pub fn is_sane(&self, id: usize) -> bool {
        self.hosts.borrow().get(id).is_some_and(|slot| !slot.jumped)
    }

    /// Sets the host's clock wrong by minutes or hours.
    pub fn jump(&self, id: usize) {
        let off = signed(self.random.between(5 * MINUTE, 5 * HOUR), &self.random);
        self.trace(|| format!("host {id}: its clock jumps by {off} ms"));
        self.with_slot(id, |slot| (slot.skew, slot.jumped) = (slot.skew + off, true));
    }

    /// Starts a host with an empty memory.
    pub fn start(&self, id: usize) {
        let Some(world) = self.me.upgrade() else { return };
        let wild = self.strikes(self.plan.wild);
        let most = if wild { 9 * HOUR } else { self.plan.skew };
        let skew =
            if self.calm.get() { 0 } else { signed(self.random.below(most + 1), &self.random) };
        let lives = self.with_slot(id, |slot| {
            slot.lives += 1;
            (slot.skew, slot.jumped) = (skew, false);
            slot.lives
        });
        self.trace(|| format!("host {id}: starts, life {lives:?}, clock {skew:+} ms"));
        let host = Host::new(world, id, lives.unwrap_or(0));
        self.with_slot(id, |slot| slot.host = Some(host.clone()));
        if self.tends(id) {
            self.executor.spawn(Owner::Host(id), host.clone().tend());
        }
        self.executor.spawn(Owner::Host(id), host.upkeep());
    }

    /// Kills a host; it starts again by itself. The caller, if it runs there, ends at its next wait.
    pub fn kill(&self, id: usize) {
        self.trace(|| format!("host {id}: killed"));
        self.counts.add(&self.counts.kills, 1);
        self.with_slot(id, |slot| slot.host = None);
        self.executor.kill(Owner::Host(id));
        let (Some(world), down) = (self.me.upgrade(), self.random.skewed(MINUTE)) else { return };
        self.executor.spawn(Owner::Outside, async move {
            world.sleep(down).await;
            if world.host(id).is_none() {
                world.start(id);
            }
        });
    }

    /// Stops a host for a while.
    pub fn pause(&self, id: usize) {
        let pause = self.random.skewed(self.plan.paused_for);
        self.counts.add(&self.counts.long_pauses, usize::from(pause > self.plan.rules.grace));
        self.trace(|| format!("host {id}: stops for {pause} ms"));
        self.executor.pause(Owner::Host(id), self.now() + pause);
    }

    /// Has a host do something for a client. None: nobody knows what became of it.
    pub async fn call<T: 'static, F: Future<Output = T> + 'static>(
        &self,
        id: usize,
        work: impl FnOnce(Rc<Host>) -> F,
    ) -> Option<T> {
        let host = self.host(id)?;
        let (answer, answered) = oneshot::channel();
        let work = work(host);
        self.executor.spawn(Owner::Host(id), async move {
            // A client that is gone does not listen.
            let _ = answer.send(work.await);
        });
        match select(answered, self.sleep(self.plan.patience)).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }

    fn with_slot<T>(&self, id: usize, change: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.hosts.borrow_mut().get_mut(id).map(change)
    }
}

fn signed(magnitude: u64, random: &Random) -> i64 {
    let off = i64::try_from(magnitude).unwrap_or(0);
    if random.chance(500_000) { -off } else { off }
}

fn scope(user: &str) -> Option<Scope> {
    Some(Scope { tenant: TenantId::parse("sim").ok()?, user: UserId::parse(user).ok()? })
}
