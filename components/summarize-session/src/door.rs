//! The typed door `summaries`.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::summaries::{
    Guest, Outcome, Summary, Tended, Wish,
};
use crate::idle::{Done, WALK, of_user};
use crate::summarize::{self, Shown, TOKENS, TOKENS_RANGE};
use holdfast_core::{Result, SessionId};
use holdfast_kit::read::{after, present, reading};
use holdfast_kit::write::Author;
use holdfast_kit::{memory, state};

impl Guest for Door {
    async fn summarize(
        scope: memory::Scope,
        session: String,
        wish: Wish,
        seen: Option<String>,
    ) -> Result<Outcome, memory::Error> {
        Ok(made(scope, session, wish, seen).await?)
    }

    async fn tend(scope: memory::Scope, since: Option<u64>) -> Result<Tended, memory::Error> {
        Ok(tended(scope, since).await?)
    }

    async fn list(
        scope: memory::Scope,
        session: String,
        how: memory::Reading,
    ) -> Result<Vec<Summary>, memory::Error> {
        Ok(all(scope, session, how).await?)
    }
}

async fn made(
    scope: memory::Scope,
    session: String,
    wish: Wish,
    seen: Option<String>,
) -> Result<Outcome> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let author = Author::inside(state, &scope, seen.as_deref())?;
    let (least, most) = TOKENS_RANGE;
    let wish = summarize::Wish {
        max_tokens: wish.max_tokens.map(|tokens| tokens as usize),
        keep: wish.keep_messages as usize,
        tokens: wish.summary_tokens.unwrap_or(TOKENS).clamp(least, most),
        store: wish.store,
    };
    let session = SessionId::parse(&session)?;
    let outcome = summarize::summarize(state, &scope, &session, &wish, author).await?;
    let after = state.signer(&scope).after(&outcome.frontier);
    let (summary, reason) = match outcome.made {
        Ok(shown) => (Some(shown.into()), None),
        Err(idle) => (None, Some(idle.name().to_owned())),
    };
    Ok(Outcome { summary, reason, more: outcome.more, after })
}

async fn tended(scope: memory::Scope, since: Option<u64>) -> Result<Tended> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let (begun, mut done) = (state.bucket.now(), Done::default());
    let over = || state.bucket.now().saturating_sub(begun) >= WALK;
    let whole = of_user(state, &scope, since, &mut done, &over).await?;
    Ok(Tended {
        summaries: done.summaries,
        failed: done.failed,
        prompt_tokens: done.prompt_tokens,
        completion_tokens: done.completion_tokens,
        budget_spent: done.budget_spent,
        more: !whole,
    })
}

async fn all(scope: memory::Scope, session: String, how: memory::Reading) -> Result<Vec<Summary>> {
    let (state, scope) = (state().await?, scope.try_into()?);
    let seen = after(state, &scope, how.after.as_deref())?;
    present(&how)?;
    let reading = reading(how.consistency.as_deref(), seen)?;
    let (found, _) = summarize::list(&scope, &SessionId::parse(&session)?, reading).await?;
    Ok(found.into_iter().map(Summary::from).collect())
}

impl From<Shown> for Summary {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.id,
            text: shown.summary.text,
            covers: shown.covers.into_iter().filter_map(|source| source.message).collect(),
            generator: shown.summary.by,
            prompt_tokens: shown.summary.prompt_tokens,
            completion_tokens: shown.summary.completion_tokens,
            stored_at: shown.stored_at,
        }
    }
}
