//! One call of the generator, within what the tenant may spend today.

use holdfast_core::{Case, Error, Result, TenantId};
use holdfast_journal::{Held, hold, tidy_spent};
use holdfast_kit::generator::{Utterance, Written};
use holdfast_kit::{State, generator};

/// Tokens around what is said: instructions, and the frame of each message.
const INSTRUCTIONS: u64 = 200;
const FRAME: u64 = 40;

/// Who writes without a model.
const EXTRACTIVE: &str = "extractive";

/// What the tenant may spend a day, and what is spent of it by now.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub limit: u64,
    pub spent: u64,
}

/// What was written, and what is spent by it where that is limited.
pub struct Bought {
    pub written: Written,
    pub budget: Option<Budget>,
}

/// What is said, with its tokens, in `max_tokens` at most.
///
/// # Errors
/// `budget_spent` before the generator is asked, when it may cost more than is left; `model_unavailable`; what the store may
/// answer.
pub async fn summary(
    state: &State,
    tenant: &TenantId,
    (said, tokens): (Vec<Utterance>, u64),
    max_tokens: u32,
) -> Result<Bought> {
    let expected = INSTRUCTIONS + FRAME * said.len() as u64 + tokens + u64::from(max_tokens);
    let held = held(state, tenant, expected).await?;
    let made = generator::summarize(tenant.to_string(), said, max_tokens).await;
    let made = made.map_err(Error::from);
    let mut budget = None;
    if let Some(held) = held {
        let cost = cost(&made, expected);
        settle(state, tenant, &held, cost).await;
        let spent = held.spent.saturating_sub(expected).saturating_add(cost);
        budget = Some(Budget { limit: state.settings.tenant_generate_tokens, spent });
    }
    match made {
        Ok(written) => Ok(Bought { written, budget }),
        Err(error) if error.reason == "model_refused" => {
            let detail = error.detail.clone();
            Err(Error::because(Case::Unavailable, "model_unavailable", detail).caused_by(error))
        }
        Err(error) => Err(error),
    }
}

async fn held(state: &State, tenant: &TenantId, expected: u64) -> Result<Option<Held>> {
    match state.settings.tenant_generate_tokens {
        0 => Ok(None),
        limit => hold(&state.outside(), tenant, limit, expected).await.map(Some),
    }
}

/// What a call cost: what the model says, nothing where none was asked, and all that was held where nobody says.
fn cost(made: &Result<Written>, expected: u64) -> u64 {
    match made {
        Ok(written) if written.by == EXTRACTIVE => 0,
        Ok(written) => {
            let said = u64::from(written.prompt_tokens) + u64::from(written.completion_tokens);
            if said == 0 { expected } else { said }
        }
        Err(error) if error.reason == "model_refused" => 0,
        Err(_) => expected,
    }
}

/// What cannot be settled now goes on to count as it was held: that is no reason to lose a summary.
async fn settle(state: &State, tenant: &TenantId, held: &Held, cost: u64) {
    let outside = state.outside();
    if let Err(error) = held.settle(&outside, cost).await {
        eprintln!("{}: what a summary cost is not settled: {error}", error.reason);
    }
    let _ = tidy_spent(&outside, tenant).await;
}
