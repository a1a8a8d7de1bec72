//! The steps: one for one user, or many for a tenant's users one after the other.

use crate::expire::expire;
use holdfast_core::ports::Outside;
use holdfast_core::{Case, Error, Key, Result, Scope, TenantId};
use holdfast_journal::{Compaction, Next, Rules, Step, next_user, sweep, upkeeper};
use holdfast_kit::{GuestIds, Settings, State};

/// What a step holds in memory fits into an instance; times that others rely on are those of all hosts.
pub fn rules(settings: &Settings) -> Rules {
    Rules {
        segment_bytes: 6 << 20,
        step_bytes: 8 << 20,
        least_objects: settings.compact_objects,
        least_bytes: settings.compact_bytes,
        seal_after: settings.compact_age,
        ..Rules::default()
    }
}

/// A walk over users stops at the first user after so many milliseconds.
const WALK: u64 = 10_000;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Seal and merge.
    Compact,
    /// Remove what was replaced, and what is left of users who were erased.
    Collect,
    /// Write down what has passed.
    Expire,
}

/// What steps did, added up.
#[derive(Debug, Default)]
pub struct Done {
    /// There is more to do.
    pub more: bool,
    /// Users that were visited.
    pub users: u32,
    /// Objects that came to be covered.
    pub sealed: u32,
    /// Segments that were merged.
    pub merged: u32,
    /// Bytes of new segments.
    pub written: u64,
    /// Objects that were removed.
    pub removed: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that have passed.
    pub expired: u32,
    /// Memories and other things that have ended.
    pub ended: u32,
    /// Objects that are not what was written.
    pub corrupt: Vec<String>,
    /// Users whose journals cannot be tended as they are.
    pub failed: Vec<Failed>,
}

/// A user whose journal cannot be tended as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Whose.
    pub user: String,
    /// The reason of the error.
    pub code: &'static str,
    /// What it names.
    pub detail: String,
}

/// One step for one user.
pub async fn step(state: &State, scope: &Scope, work: Work) -> Result<Done> {
    let clock = state.bucket.clock();
    let outside = Outside { objects: &state.bucket, clock: &clock, ids: &GuestIds };
    let rules = rules(&state.settings);
    let mut done = Done { users: 1, ..Done::default() };
    match work {
        Work::Compact => {
            let step = holdfast_journal::compact(&outside, scope, &state.ledger(), &rules).await?;
            done = Done { users: 1, ..Done::of(step) };
        }
        Work::Expire => {
            let expired = expire(state, scope).await?;
            (done.expired, done.ended) = (expired.messages, expired.ended);
            done.more = expired.ended > 0;
        }
        Work::Collect => {
            let swept = sweep(&outside, &state.ledger(), scope, &upkeeper(), &rules).await?;
            let ledger = state.ledger();
            let step = holdfast_journal::collect(&outside, scope, &ledger, &rules).await?;
            done.more = step.next == Next::More || swept == Next::More;
            (done.removed, done.bytes) = (number(step.removed), step.bytes);
            done.corrupt = step.corrupt.iter().map(Key::to_string).collect();
        }
    }
    Ok(done)
}

/// Steps for a tenant's users after `place`, each until it has no more to do, for about ten seconds: what was done, and
/// the place where the next call goes on. One user's trouble is not the others'.
pub async fn walk(
    state: &State,
    tenant: &TenantId,
    mut place: Option<String>,
    work: Work,
) -> Result<(Done, Option<String>)> {
    let (begun, mut all) = (state.bucket.now(), Done::default());
    while let Some(user) = next_user(&state.bucket, tenant, place.as_deref()).await? {
        if let Some(scope) = &user.scope {
            let more = visit(state, scope, work, begun, &mut all).await?;
            if more && state.bucket.now().saturating_sub(begun) < WALK {
                continue;
            }
            if more {
                return Ok((all, place));
            }
        }
        place = Some(user.place);
        if state.bucket.now().saturating_sub(begun) >= WALK {
            return Ok((all, place));
        }
    }
    Ok((all, None))
}

/// Steps for one user of a walk: is there more? A journal that cannot be tended as it is has failed, and has no more.
async fn visit(
    state: &State,
    scope: &Scope,
    work: Work,
    begun: u64,
    all: &mut Done,
) -> Result<bool> {
    let tended = match work {
        Work::Compact => run(state, scope, begun, all).await,
        Work::Collect | Work::Expire => step(state, scope, work).await.map(|done| {
            let more = done.more;
            all.add(done);
            more
        }),
    };
    match tended {
        Ok(more) => {
            all.users += u32::from(!more);
            Ok(more)
        }
        Err(error) if is_of_one(&error) => {
            let Error { reason, detail, .. } = error;
            all.failed.push(Failed { user: scope.user.as_str().to_owned(), code: reason, detail });
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Does it concern this journal alone? What a store or an index answers to everybody does not.
fn is_of_one(error: &Error) -> bool {
    error.case == Case::Corrupt || error.reason == "not_yet_visible"
}

/// Steps of a compaction of one user, until there is no more to do or the walk's time is over: is there more?
async fn run(state: &State, scope: &Scope, begun: u64, all: &mut Done) -> Result<bool> {
    let clock = state.bucket.clock();
    let outside = Outside { objects: &state.bucket, clock: &clock, ids: &GuestIds };
    let (rules, ledger) = (rules(&state.settings), state.ledger());
    let Some(mut run) = Compaction::open(&outside, scope, &ledger, &rules).await? else {
        return Ok(false);
    };
    loop {
        let step = run.step(&outside).await?;
        let more = step.next == Next::More;
        all.add(Done::of(step));
        if !more || state.bucket.now().saturating_sub(begun) >= WALK {
            return Ok(more);
        }
    }
}

impl Done {
    fn of(step: Step) -> Self {
        Self {
            more: step.next == Next::More,
            sealed: number(step.sealed),
            merged: number(step.merged),
            written: step.written,
            corrupt: step.corrupt.iter().map(Key::to_string).collect(),
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        self.sealed += other.sealed;
        self.merged += other.merged;
        self.written += other.written;
        self.removed += other.removed;
        self.bytes += other.bytes;
        self.expired += other.expired;
        self.ended += other.ended;
        // Each step of a run names what it meets.
        let new = other.corrupt.into_iter().filter(|key| !self.corrupt.contains(key));
        let new: Vec<String> = new.collect();
        self.corrupt.extend(new);
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
