//! The code made wrong on purpose: each mutant breaks one rule of the protocol, and the checker must catch it.

mod wrong;

use crate::plan::{DAY, HOUR, MINUTE, Plan, SECOND};
use holdfast_journal::Rules;

/// How the code is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// It is right.
    None,
    /// A write is acknowledged while its PUT is under way.
    AckBeforePut,
    /// Two writers may choose the same key.
    SharedKey,
    /// A PUT that failed is taken for done.
    SkippedFailedPut,
    /// An object does not name what its writer knew.
    PrevIgnored,
    /// A write is acknowledged however long it took.
    AckAfterTheBound,
    /// A token from any future raises the writer's time.
    TokenWithoutBound,
    /// A poll lists from where the last list began, and not before it.
    HorizonWithoutMargin,
    /// A delete hides only what was seen before it.
    TombstoneLoses,
    /// A delete is answered before its time has come.
    NoCommitWait,
    /// What was sealed or replaced is removed at once.
    NoGrace,
    /// A manifest counts as replaced when it is older by the grace than the newest, whether or not that names it.
    HeadAgeRuleAlone,
    /// Segments and covers are named by their bytes alone.
    NamesOfHashAlone,
    /// A manifest counts however long its maker slept.
    NoVoidRule,
    /// A compaction leaves deletes out.
    TombstoneDropped,
    /// A derived record is as old as it is, whatever it was made of.
    DerivedByItsOwnTime,
    /// A sweep lists what begins like the user's name.
    PrefixBlindErase,
    /// A compaction knows the purges of what it seals, and not those that are sealed.
    PurgeForgotten,
    /// A view lets pass what is half a day younger than what is kept.
    PassedTooEarly,
    /// What has passed by a host's own clock is written down.
    WrittenByOwnClock,
    /// A collection takes no index part for its own.
    PartsStay,
    /// A collection does not see which attachments are named.
    AttachmentForgotten,
    /// Who follows goes on behind the newest that it was told.
    CursorIsAPoint,
}

/// A row of the table.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is wrong, and which promise that breaks.
    pub breaks: &'static str,
    /// How its promise is spelt in what the checker says.
    pub by: &'static str,
    /// The mutant.
    pub mutant: Mutant,
    /// The seed that caught it when the plans were made: it is tried first.
    pub seed: u64,
}

const fn row(
    name: &'static str,
    (mutant, seed): (Mutant, u64),
    by: &'static str,
    breaks: &'static str,
) -> Row {
    Row { name, breaks, by, mutant, seed }
}

/// Every mutant.
pub const TABLE: &[Row] = &[
    row(
        "ack-before-put",
        (Mutant::AckBeforePut, 12),
        "P1",
        "who dies then loses what was acknowledged",
    ),
    row("shared-key", (Mutant::SharedKey, 0), "P", "one write replaces another"),
    row(
        "skipped-failed-put",
        (Mutant::SkippedFailedPut, 2),
        "P1",
        "what is not there is acknowledged",
    ),
    row(
        "prev-ignored",
        (Mutant::PrevIgnored, 1),
        "P3",
        "a token names the last write, not those before",
    ),
    row("ack-after-the-bound", (Mutant::AckAfterTheBound, 30), "P1", "polls look for it too late"),
    row(
        "token-without-bound",
        (Mutant::TokenWithoutBound, 4),
        "order",
        "a wild clock infects sane ones",
    ),
    row(
        "horizon-without-margin",
        (Mutant::HorizonWithoutMargin, 1),
        "P1",
        "a slow PUT falls between polls",
    ),
    row("no-grace", (Mutant::NoGrace, 2), "P", "who read the heads before finds nothing"),
    row(
        "head-age-rule-alone",
        (Mutant::HeadAgeRuleAlone, 10),
        "P",
        "what only an old head holds is forgotten",
    ),
    row("names-of-hash-alone", (Mutant::NamesOfHashAlone, 0), "P", "a DELETE hits a new object"),
    row("no-void-rule", (Mutant::NoVoidRule, 79), "P", "a compactor that slept names what is gone"),
    row(
        "tombstone-loses",
        (Mutant::TombstoneLoses, 4),
        "P6",
        "what arrives after its delete comes back",
    ),
    row(
        "tombstone-dropped-at-compaction",
        (Mutant::TombstoneDropped, 12),
        "P6",
        "what was deleted comes back",
    ),
    row(
        "derived-by-its-own-time",
        (Mutant::DerivedByItsOwnTime, 0),
        "P6",
        "what was made of it comes back",
    ),
    row(
        "no-commit-wait",
        (Mutant::NoCommitWait, 2),
        "P6",
        "what is stored after a delete is hidden by it",
    ),
    row("prefix-blind-erase", (Mutant::PrefixBlindErase, 0), "P", "another user is erased"),
    row(
        "purge-forgotten",
        (Mutant::PurgeForgotten, 0),
        "P6",
        "what was sealed before it is merged with its bytes, for ever",
    ),
    row(
        "passed-too-early",
        (Mutant::PassedTooEarly, 4),
        "P1",
        "what is younger than what is kept is gone",
    ),
    row(
        "written-by-own-clock",
        (Mutant::WrittenByOwnClock, 0),
        "P1",
        "what is younger than what is kept is gone for ever",
    ),
    row(
        "index-parts-stay",
        (Mutant::PartsStay, 17),
        "P6",
        "a copy holds what was deleted with its bytes",
    ),
    row(
        "attachment-forgotten",
        (Mutant::AttachmentForgotten, 1),
        "P1",
        "the bytes of an attachment that stands go",
    ),
    row("cursor-is-a-point", (Mutant::CursorIsAPoint, 7), "P5", "what comes late is never told"),
];

/// The mutant of this name.
pub fn named(name: &str) -> Option<Mutant> {
    TABLE.iter().find(|row| row.name == name).map(|row| row.mutant)
}

impl Mutant {
    /// The plan in which it shows: the seed's, with what it needs.
    pub fn plan(self, mut plan: Plan) -> Plan {
        match self {
            Mutant::AckBeforePut => plan.killed = plan.killed.max(5_000),
            // Three tries in a row must fail.
            Mutant::SkippedFailedPut => plan.refused = 300_000,
            Mutant::SharedKey => plan.think = plan.think.min(SECOND),
            // Only a list may tell of what was written, soon after it was acknowledged, and somebody must ask then.
            Mutant::AckAfterTheBound => {
                (plan.paused, plan.paused_for) = (10_000, 5 * HOUR);
                (plan.patience, plan.killed, plan.evicted, plan.tenders) = (2 * DAY, 0, 0, 0);
                (plan.rot, plan.hidden, plan.flicker, plan.jump, plan.wild) = (0, 0, 0, 0, 0);
                (plan.hosts, plan.clients) = (plan.hosts.max(3), plan.clients.max(5));
                (plan.requests, plan.think, plan.poll) = (60, HOUR, 10 * MINUTE);
            }
            // A clock is set wrong under a host that writes, while others of its calls go on.
            Mutant::TokenWithoutBound => {
                plan.jump = plan.jump.max(5_000);
                (plan.hosts, plan.think) = (plan.hosts.max(3), plan.think.min(3 * SECOND));
                (plan.tenders, plan.tend) = (plan.hosts, 5 * SECOND);
            }
            Mutant::HorizonWithoutMargin => plan.latency = plan.latency.max(2 * SECOND),
            Mutant::NoCommitWait => {
                (plan.jump, plan.wild, plan.skew) = (0, 0, 400);
                plan.think = plan.think.min(SECOND);
            }
            Mutant::NoGrace => {
                (plan.paused, plan.paused_for) = (20_000, 20 * MINUTE);
                busy(&mut plan, 5 * MINUTE);
                // Sealed at once, and polled seldom: what another host wrote is sealed by the next poll.
                (plan.rules.grace, plan.rules.seal_after) = (3 * HOUR, 0);
                (plan.hidden, plan.flicker) = (0, 0);
                plan.poll = 20 * MINUTE;
            }
            Mutant::NoVoidRule => {
                plan.rules.grace = 3 * HOUR;
                (plan.paused, plan.paused_for) = (10_000, 2 * DAY);
                busy(&mut plan, 20 * MINUTE);
            }
            Mutant::HeadAgeRuleAlone => {
                plan.rules.grace = 3 * HOUR;
                plan.flicker = 300_000;
                busy(&mut plan, HOUR);
            }
            Mutant::NamesOfHashAlone => {
                plan.rules.grace = 3 * HOUR;
                (plan.latency, plan.paused) = (2 * SECOND, 0);
                busy(&mut plan, 20 * MINUTE);
            }
            Mutant::TombstoneDropped => busy(&mut plan, 20 * MINUTE),
            Mutant::PrefixBlindErase => (plan.users, plan.erased) = (2, 40_000),
            // What is made of a session takes minutes, and the session is deleted meanwhile.
            Mutant::DerivedByItsOwnTime => {
                (plan.derived, plan.deleted) = (200_000, 100_000);
                (plan.think, plan.requests) = (20 * SECOND, 30);
                plan.clients = plan.clients.max(4);
            }
            Mutant::PurgeForgotten => {
                busy(&mut plan, 20 * MINUTE);
                (plan.purged, plan.buried) = (1_000_000, 100_000);
            }
            Mutant::PassedTooEarly => {
                busy(&mut plan, 2 * HOUR);
                (plan.kept, plan.jump, plan.wild) = (1, 0, 0);
                // Nobody writes it down.
                plan.tenders = 0;
            }
            Mutant::WrittenByOwnClock => {
                busy(&mut plan, 2 * HOUR);
                (plan.kept, plan.jump) = (1, plan.jump.max(20_000));
            }
            Mutant::CursorIsAPoint => plan.followed = 150_000,
            // Nothing is sealed: the collection reads WAL objects.
            Mutant::AttachmentForgotten => {
                (plan.attached, plan.rot, plan.erased, plan.late) = (300_000, 0, 0, HOUR);
                plan.rules.grace = 3 * HOUR;
                (plan.rules.least_objects, plan.rules.least_bytes) = (10_000, u64::MAX);
                plan.rules.seal_after = 400 * DAY;
            }
            Mutant::PartsStay => {
                busy(&mut plan, 20 * MINUTE);
                (plan.purged, plan.buried, plan.parts) = (1_000_000, 100_000, 1_000_000);
            }
            Mutant::None | Mutant::PrevIgnored | Mutant::TombstoneLoses => {}
        }
        plan
    }

    /// The numbers that who compacts and reads goes by.
    pub fn rules(self, rules: &Rules) -> Rules {
        let void_after = match self {
            Mutant::NoVoidRule => 400 * DAY,
            _ => rules.void_after,
        };
        Rules { void_after, ..*rules }
    }

    /// Hosts mend: what a compactor that slept named and is gone is found behind the heads again, and nobody would see the harm.
    pub fn mends(self) -> bool {
        self != Mutant::NoVoidRule
    }

    /// The numbers that a collection goes by.
    pub fn rules_of_collection(self, rules: &Rules) -> Rules {
        let rules = self.rules(rules);
        match self {
            Mutant::NoGrace => Rules { grace: 0, orphan_graces: 0, margin: 0, ..rules },
            _ => rules,
        }
    }
}

/// Every host tends journals all the time, and there is much to do.
fn busy(plan: &mut Plan, think: u64) {
    (plan.hosts, plan.tenders) = (plan.hosts.max(3), plan.hosts.max(3));
    plan.requests = plan.requests.max(25);
    plan.think = think;
    plan.tend = think;
    plan.poll = think.max(MINUTE);
    plan.rot = 0;
    plan.evicted = 100_000;
    (plan.rules.least_objects, plan.rules.tier) = (2, 2);
    (plan.rules.segment_bytes, plan.rules.step_objects) = (28 << 20, 10_000);
}
