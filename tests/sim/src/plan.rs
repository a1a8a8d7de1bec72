//! What a seed decides before it begins: how many take part, how long things take, and how often they fail.

use crate::mutants::Mutant;
use crate::random::Random;
use holdfast_journal::Rules;

pub(crate) const SECOND: u64 = 1_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
/// What is made of a session in the background takes so long, at most.
pub(crate) const DERIVING: u64 = 10 * MINUTE;

/// Which way a seed goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub seed: u64,
    /// With all that the simulation drives, not only what the first seeds did.
    pub wide: bool,
    /// A compaction surveys the bucket once for all its steps.
    pub runs: bool,
    /// As it is planned for this mutant.
    pub planned: Mutant,
}

impl Course {
    /// What it decides, and what is drawn after that.
    pub(crate) fn drawn(&self) -> (Plan, Random) {
        let random = Random::new(self.seed);
        let plan = Plan { runs: self.runs, ..Plan::drawn(&random) };
        // Draws of their own: what a seed decided before stays as it was.
        let plan = if self.wide { plan.widened(&Random::new(!self.seed)) } else { plan };
        (self.planned.plan(plan), random)
    }
}

/// The course of one run. Chances are in millionths a store call unless they say otherwise.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A compaction surveys the bucket once for all its steps, not before each.
    pub runs: bool,
    /// Hosts on the bucket.
    pub hosts: usize,
    /// Clients that write and read.
    pub clients: usize,
    /// Users whose journals they share.
    pub users: usize,
    /// Requests a client.
    pub requests: u64,
    /// A client waits up to this between two requests, in milliseconds.
    pub think: u64,
    /// A host polls its loaded users so often, in milliseconds.
    pub poll: u64,
    /// Objects a page of a list.
    pub page: usize,
    /// A call takes up to this, in milliseconds.
    pub latency: u64,
    /// A call is refused with 503 and does nothing.
    pub refused: u64,
    /// A PUT's answer does not come; it was applied, was not, or will be.
    pub timeout: u64,
    /// A PUT without an answer lands up to so much later, in milliseconds.
    pub late: u64,
    /// A body comes shorter than it is.
    pub truncated: u64,
    /// A new object is missing in lists for a while (chance an object).
    pub hidden: u64,
    /// For so long at most, in milliseconds.
    pub hidden_for: u64,
    /// A list leaves out an object of any age (chance an object and list).
    pub flicker: u64,
    /// A deleted object is still listed and read for so long at most, in milliseconds.
    pub linger: u64,
    /// The host dies.
    pub killed: u64,
    /// The host stops for a while.
    pub paused: u64,
    /// For so long at most, in milliseconds.
    pub paused_for: u64,
    /// Clocks of hosts differ from the store's by up to this, in milliseconds.
    pub skew: u64,
    /// A host starts with a clock that cannot be trusted (chance a start).
    pub wild: u64,
    /// A host's clock is set to a wrong time while it runs (chance a store call).
    pub jump: u64,
    /// A stored object loses a bit (chance an object).
    pub rot: u64,
    /// After up to so long, in milliseconds.
    pub rots_after: u64,
    /// A client gives a request up after this, in milliseconds.
    pub patience: u64,
    /// A client rests for days (chance a request).
    pub rests: u64,
    /// For so long at most, in milliseconds.
    pub rest: u64,
    /// Hosts that tend journals.
    pub tenders: usize,
    /// How often they do, in milliseconds.
    pub tend: u64,
    /// A user is erased (chance a request).
    pub erased: u64,
    /// Something is made of a session, beside what the mix of requests has of it (chance a request).
    pub derived: u64,
    /// A session is deleted, beside what the mix of requests has of it (chance a request).
    pub deleted: u64,
    /// A user leaves a host's memory (chance a request).
    pub evicted: u64,
    /// A delete takes the bytes too (chance a delete).
    pub purged: u64,
    /// A message is deleted, beside what the mix of requests has of it (chance a request).
    pub buried: u64,
    /// Messages of all users are kept for so many days; 0 is for ever.
    pub kept: u32,
    /// A user says for how long (chance a request).
    pub wishes: u64,
    /// An attachment is stored, read or deleted (chance a request).
    pub attached: u64,
    /// Somebody follows what comes to a user (chance a request).
    pub followed: u64,
    /// A view begins from an index part, and leaves one (chance a load).
    pub parts: u64,
    /// The numbers of the protocol.
    pub rules: Rules,
}

impl Plan {
    /// Clocks may differ by more than a token may lie ahead. An answer that took long does not show that.
    pub fn clocks_differ(&self) -> bool {
        self.jump + self.wild > 0 || self.skew > 0 && self.skew + self.latency > 5 * SECOND
    }

    /// How far a host may be wrong about what time it is, in milliseconds, though the store told it.
    pub fn wrong_by(&self) -> u64 {
        if self.jump > 0 { 6 * HOUR } else { 0 }
    }

    /// Messages pass with time.
    pub fn passes(&self) -> bool {
        self.kept > 0 || self.wishes > 0
    }

    /// Clocks differ by less than a delete waits for, and are seen to.
    pub fn clocks_are_close(&self) -> bool {
        self.jump + self.wild == 0 && self.skew <= 400
    }

    /// The plan of a seed: each kind of fault is there in some seeds and absent in others.
    pub fn drawn(random: &Random) -> Self {
        let often = |random: &Random, choices: &[u64]| random.pick(choices).copied().unwrap_or(0);
        let think = often(random, &[300, 3 * SECOND, 3 * SECOND, MINUTE, 20 * MINUTE, 8 * HOUR]);
        let requests = random.between(8, 40);
        let lengths = [5 * SECOND, 40 * SECOND, 30 * MINUTE, 3 * HOUR, 2 * DAY, 9 * DAY];
        let pause = often(random, &lengths);
        let hosts = random.index(6) + 1;
        let rules = rules(random);
        Self {
            runs: false,
            hosts,
            clients: random.index(6) + 1,
            users: random.index(2) + 1,
            requests,
            think,
            // About a hundred polls in a run, however long it is.
            poll: (requests * think / 150).clamp(2 * SECOND, 6 * HOUR),
            page: usize::try_from(often(random, &[3, 10, 100, 1000, 1000])).unwrap_or(1000),
            latency: often(random, &[5, 50, 50, 2 * SECOND, 12 * SECOND]),
            refused: often(random, &[0, 0, 5_000, 50_000]),
            timeout: often(random, &[0, 0, 20_000, 150_000]),
            late: often(random, &[SECOND, MINUTE, HOUR, 3 * DAY]),
            truncated: often(random, &[0, 0, 20_000]),
            hidden: often(random, &[0, 0, 100_000, 500_000]),
            hidden_for: often(random, &[SECOND, MINUTE, HOUR, 30 * DAY]),
            flicker: often(random, &[0, 0, 10_000, 300_000]),
            linger: often(random, &[0, MINUTE, HOUR]),
            killed: often(random, &[0, 0, 1_000, 10_000]),
            paused: often(random, &[0, 0, 1_000, 10_000]),
            paused_for: pause,
            skew: often(random, &[0, 400, 2 * SECOND, 20 * SECOND]),
            wild: often(random, &[0, 0, 0, 100_000]),
            jump: often(random, &[0, 0, 0, 2_000]),
            rot: often(random, &[0, 0, 0, 0, 0, 0, 10_000]),
            rots_after: often(random, &[0, HOUR, 10 * DAY]),
            patience: often(random, &[90 * SECOND, 90 * SECOND, DAY]),
            rests: often(random, &[0, 0, 10_000, 60_000]),
            rest: 3 * rules.grace,
            tenders: random.index(hosts + 1),
            // About thirty times in a run.
            tend: (requests * think / 100).clamp(5 * SECOND, 12 * HOUR),
            erased: often(random, &[0, 0, 0, 10_000, 30_000]),
            derived: 0,
            deleted: 0,
            evicted: often(random, &[0, 0, 20_000, 100_000]),
            purged: 0,
            buried: 0,
            kept: 0,
            wishes: 0,
            parts: 0,
            attached: 0,
            followed: 0,
            rules,
        }
    }

    /// The same with what the first seeds did not know.
    #[must_use]
    pub fn widened(mut self, random: &Random) -> Self {
        let often = |choices: &[u64]| random.pick(choices).copied().unwrap_or(0);
        self.purged = often(&[0, 400_000, 1_000_000]);
        self.buried = if self.purged > 0 { 60_000 } else { 0 };
        self.kept = u32::try_from(often(&[0, 0, 0, 1, 3])).unwrap_or(0);
        self.wishes = often(&[0, 0, 20_000, 60_000]);
        self.parts = often(&[0, 0, 300_000, 1_000_000]);
        self.followed = often(&[0, 0, 60_000, 150_000]);
        self.attached = often(&[0, 100_000, 200_000]);
        // What is more than this is listed again, or looked up in covers.
        self.rules.listed_objects = often(&[4, 30, 10_000, 10_000]) as usize;
        self.rules.known_names = often(&[0, 20, 200_000, 200_000]) as usize;
        // A record that lands when the grace is over finds its bytes gone.
        if self.late >= self.rules.grace {
            self.attached = 0;
        }
        self
    }
}

/// Small numbers let much happen in a short run.
fn rules(random: &Random) -> Rules {
    let often = |choices: &[u64]| random.pick(choices).copied().unwrap_or(0);
    let size = |choices: &[usize]| random.pick(choices).copied().unwrap_or(0);
    let grace = often(&[3 * HOUR, 3 * HOUR, DAY, 7 * DAY]);
    Rules {
        grace,
        seal_after: grace,
        least_objects: size(&[2, 4, 16, 64]),
        tier: size(&[2, 2, 3, 8]),
        // Of two records of a message, or of some.
        segment_bytes: often(&[1_200, 8 << 10, 28 << 20, 28 << 20]),
        step_bytes: often(&[2 << 10, 64 << 20, 64 << 20]),
        step_objects: size(&[3, 10_000, 10_000]),
        ..Rules::default()
    }
}
