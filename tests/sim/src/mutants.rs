//! The code made wrong on purpose: each mutant breaks one rule of the protocol, and the checker must catch it.

use crate::plan::{DAY, HOUR, MINUTE, Plan, SECOND};
use crate::random::Random;
use bytes::Bytes;
use holdfast_core::record::{Kind, Record};
use holdfast_journal::Journal;
use ulid::Ulid;

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
}

/// A row of the table.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is wrong, and which promise that breaks.
    pub breaks: &'static str,
    /// The mutant; none while the part that it breaks is not built.
    pub mutant: Option<Mutant>,
}

const fn row(name: &'static str, mutant: Mutant, breaks: &'static str) -> Row {
    Row { name, breaks, mutant: Some(mutant) }
}

const fn later(name: &'static str, breaks: &'static str) -> Row {
    Row { name, breaks, mutant: None }
}

/// Every mutant.
pub const TABLE: &[Row] = &[
    row("ack-before-put", Mutant::AckBeforePut, "P1: who dies then loses what was acknowledged"),
    row("shared-key", Mutant::SharedKey, "P1: one write replaces another"),
    row("skipped-failed-put", Mutant::SkippedFailedPut, "P1: what was not stored is acknowledged"),
    row(
        "prev-ignored",
        Mutant::PrevIgnored,
        "P3: a token names the last write, not what came before",
    ),
    later(
        "ack-after-the-bound",
        "the checker takes what landed late for what a list leaves out: it must know when an object landed",
    ),
    row("token-without-bound", Mutant::TokenWithoutBound, "order: a wild clock infects sane ones"),
    row(
        "horizon-without-margin",
        Mutant::HorizonWithoutMargin,
        "P1: a slow PUT falls between polls",
    ),
    later("no-grace", "collectors are not simulated yet"),
    later("head-age-rule-alone", "collectors are not simulated yet"),
    later("names-of-hash-alone", "needs collection: a late DELETE hits a new object"),
    later("no-void-rule", "compactors are not simulated yet"),
    row("tombstone-loses", Mutant::TombstoneLoses, "P6: what arrives after its delete comes back"),
    later("tombstone-dropped-at-compaction", "compactors are not simulated yet"),
    later("derived-by-its-own-time", "derived records are not simulated yet"),
    row(
        "no-commit-wait",
        Mutant::NoCommitWait,
        "P1: what is stored after a delete is hidden by it",
    ),
    later("prefix-blind-erase", "erases are not simulated yet"),
];

/// The mutant of this name.
pub fn named(name: &str) -> Option<Mutant> {
    TABLE.iter().find(|row| row.name == name).and_then(|row| row.mutant)
}

impl Mutant {
    /// The plan in which it shows: the seed's, with what it needs.
    pub fn plan(self, mut plan: Plan, random: &Random) -> Plan {
        match self {
            Mutant::AckBeforePut => plan.killed = plan.killed.max(5_000),
            // Three tries in a row must fail.
            Mutant::SkippedFailedPut => plan.refused = 300_000,
            Mutant::SharedKey => plan.think = plan.think.min(SECOND),
            Mutant::AckAfterTheBound => {
                plan.paused = plan.paused.max(10_000);
                plan.paused_for = random.between(HOUR, DAY);
                plan.poll = 10 * SECOND;
                plan.think = plan.think.max(3 * MINUTE);
            }
            Mutant::TokenWithoutBound => plan.jump = plan.jump.max(5_000),
            Mutant::HorizonWithoutMargin => plan.latency = plan.latency.max(2 * SECOND),
            Mutant::NoCommitWait => {
                (plan.jump, plan.wild, plan.skew) = (0, 0, 400);
                plan.think = plan.think.min(SECOND);
            }
            Mutant::None | Mutant::PrevIgnored | Mutant::TombstoneLoses => {}
        }
        plan
    }

    /// The name that the store sees for `key`.
    pub fn stored_name(self, key: &str) -> String {
        let own = || key.to_owned();
        if self != Mutant::SharedKey {
            return own();
        }
        // Seconds make the name, and nothing else.
        let Some((folder, name)) = key.rsplit_once('/') else { return own() };
        let Some(ulid) = name.get(..26).and_then(|t| Ulid::from_string(t).ok()) else {
            return own();
        };
        let second = ulid.timestamp_ms() / SECOND * SECOND;
        let zeros = "0".repeat(32);
        format!("{folder}/{}-{zeros}.jsonl", Ulid::from_parts(second, 0))
    }

    /// The bytes that a reader takes an object for.
    pub fn read_bytes(self, bytes: &Bytes, journal: &Journal) -> Bytes {
        if self != Mutant::TombstoneLoses {
            return bytes.clone();
        }
        let text = String::from_utf8_lossy(bytes);
        let heeded = |line: &&str| match serde_json::from_str::<Record>(line) {
            Ok(Record { kind: Kind::Tombstone, session: Some(session), .. }) => {
                journal.view().session(session.as_str()).is_some()
            }
            _ => true,
        };
        let lines: Vec<&str> = text.lines().filter(heeded).collect();
        Bytes::from(lines.join("\n") + "\n")
    }

    /// Where a list really begins.
    pub fn list_from(self, prefix: &str, after: Option<&str>) -> Option<String> {
        let own = after.map(str::to_owned);
        if self != Mutant::HorizonWithoutMargin {
            return own;
        }
        // Only the start that a poll made up is a bare ULID.
        let start = after.and_then(|after| after.strip_prefix(prefix));
        let start = start.and_then(|name| Ulid::from_string(name).ok());
        match start {
            Some(start) => {
                let late = Ulid::from_parts(start.timestamp_ms() + 20 * MINUTE, 0);
                Some(format!("{prefix}{late}"))
            }
            None => own,
        }
    }
}
