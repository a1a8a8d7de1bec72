//! Upkeep: sessions in which nothing was said for a while, and which have grown long, are summed up.

use crate::summarize::{TOKENS, Wish, list, summarize};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId, TenantId};
use holdfast_journal::next_user;
use holdfast_kit::State;
use holdfast_kit::index::{self, Page, Reading};
use holdfast_kit::read::latest;
use holdfast_kit::write::Author;
use ulid::Ulid;

/// A walk stops at the first session after so many milliseconds.
pub const WALK: u64 = 10_000;

/// Sessions of one call to the index.
const PAGE: u32 = 100;

/// What is not covered, and the summaries, may have so many tokens: less is hardly shorter as a summary.
const MOST: usize = 2 * TOKENS as usize;

/// What a walk did.
#[derive(Debug, Default)]
pub struct Done {
    pub users: u32,
    pub summaries: u32,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Summaries that failed: they are tried again at the next walk.
    pub failed: u32,
    /// The tenant's tokens of today are spent: the walk has ended.
    pub budget_spent: bool,
}

/// Sums up idle sessions of the tenant's users after `place`, for about ten seconds: what was done, and where to go on.
///
/// # Errors
/// `unprocessable` while the setting `summarize_idle_ms` is 0; what index and store may answer.
pub async fn walk(
    state: &State,
    tenant: &TenantId,
    mut place: Option<String>,
) -> Result<(Done, Option<String>)> {
    idle(state)?;
    let (begun, mut done) = (state.bucket.now(), Done::default());
    let over = || state.bucket.now().saturating_sub(begun) >= WALK;
    while let Some(user) = next_user(&state.bucket, tenant, place.as_deref()).await? {
        if let Some(scope) = &user.scope
            && !of_user(state, scope, None, &mut done, &over).await?
        {
            // Tomorrow it begins anew: the same call at once would be refused again.
            place = place.filter(|_| !done.budget_spent);
            return Ok((done, place));
        }
        done.users += 1;
        place = Some(user.place);
        if over() {
            return Ok((done, place));
        }
    }
    Ok((done, None))
}

fn idle(state: &State) -> Result<u64> {
    let detail = "the setting summarize_idle_ms is 0: nothing is summed up without being asked";
    let off = || Error::because(Case::Invalid, "unprocessable", detail);
    Some(state.settings.summarize_idle).filter(|idle| *idle > 0).ok_or_else(off)
}

/// Sums up idle sessions of one user, of those in which something was said after `since` (Unix milliseconds); false when there was
/// no time or no budget for all.
///
/// # Errors
/// As [`walk`].
pub async fn of_user(
    state: &State,
    scope: &Scope,
    since: Option<u64>,
    done: &mut Done,
    over: &impl Fn() -> bool,
) -> Result<bool> {
    let before = state.bucket.now().saturating_sub(idle(state)?);
    let begin = |since| Order { hlc: Hlc::at(since), ulid: Ulid::nil(), position: 0 }.to_string();
    let (mut after, mut reading) = (since.map(begin), latest(&Frontier::default()));
    loop {
        let page = Page { after, rank: None, limit: PAGE, descending: false };
        let found = index::list_sessions(scope.into(), page, reading.clone()).await?;
        reading.consistency = index::Consistency::Local;
        for session in &found.items {
            // By last activity: all that follow are newer.
            if Hlc(session.last_activity).milliseconds() > before {
                return Ok(true);
            }
            if over() {
                return Ok(false);
            }
            if is_covered(scope, session, reading.clone()).await? {
                continue;
            }
            if !of_session(state, scope, &session.id, done, over).await? {
                return Ok(false);
            }
        }
        after = found.next;
        if after.is_none() {
            return Ok(true);
        }
    }
}

async fn is_covered(scope: &Scope, session: &index::Session, reading: Reading) -> Result<bool> {
    let (summaries, _) = list(scope, &SessionId::parse(&session.id)?, reading).await?;
    let covered: usize = summaries.iter().map(|one| one.covers.len()).sum();
    Ok(covered >= session.messages as usize)
}

/// Covers what is too much of a session; false when there was no time for all.
async fn of_session(
    state: &State,
    scope: &Scope,
    session: &str,
    done: &mut Done,
    over: &impl Fn() -> bool,
) -> Result<bool> {
    let session = SessionId::parse(session)?;
    let wish = Wish { max_tokens: Some(MOST), keep: 0, tokens: TOKENS, store: true };
    loop {
        if over() {
            return Ok(false);
        }
        let author = Author::inside(state, scope, None)?;
        let outcome = match summarize(state, scope, &session, &wish, author).await {
            Ok(outcome) => outcome,
            // The generator's trouble with one session is not that of the others.
            Err(error) if error.reason == "model_unavailable" => {
                done.failed += 1;
                return Ok(true);
            }
            Err(error) if error.reason == "budget_spent" => {
                done.budget_spent = true;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if let Ok(shown) = &outcome.made {
            done.summaries += u32::from(shown.id.is_some());
            done.prompt_tokens += u64::from(shown.summary.prompt_tokens);
            done.completion_tokens += u64::from(shown.summary.completion_tokens);
        }
        if !outcome.more || outcome.made.as_ref().is_ok_and(|shown| shown.id.is_none()) {
            return Ok(true);
        }
    }
}
