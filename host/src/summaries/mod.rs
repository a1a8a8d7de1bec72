//! Sessions that are idle: the host has them summed up beside everything else, where a setting says so.

mod door;

use crate::command::Values;
use crate::pool::Pool;
use anyhow::Result;
use door::tend;
use holdfast_core::ports::Clock;
use holdfast_core::{Scope, TenantId};
use holdfast_index::Index;
use holdfast_ports::SystemClock;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The component that sums up.
pub const COMPONENT: &str = "summarize-session";

/// A generator that fails, or whose budget is spent, is left alone for up to so many times the usual pause.
const LONGEST: u32 = 60;

/// What has idle sessions of loaded users summed up: of those who come back, before they are asked for.
pub struct Summarizing {
    index: Index,
    pool: Arc<Pool>,
    /// Milliseconds without a word after which a session is idle; 0 is never.
    idle: u64,
    every: Duration,
    /// Up to when sessions of a user were looked at: Unix milliseconds.
    done: HashMap<Scope, u64>,
}

impl Summarizing {
    /// As the settings say; `pool` has the instances of [`COMPONENT`].
    pub fn new(index: Index, pool: Arc<Pool>, values: &Values) -> Result<Self> {
        let idle = values.parsed("summarize_idle_ms")?;
        let every = values.milliseconds("summarize_interval_ms")?;
        Ok(Self { index, pool, idle, every, done: HashMap::new() })
    }

    /// Runs for ever, a user at a time. What fails is logged, and tried again in its turn, less and less often.
    pub async fn run(mut self) {
        if self.idle == 0 || self.every.is_zero() {
            return;
        }
        let mut pause = self.every;
        loop {
            tokio::time::sleep(pause).await;
            let well = self.round().await;
            pause = if well { self.every } else { (pause * 2).min(self.every * LONGEST) };
        }
    }

    /// One look at all loaded users; false when there was trouble.
    async fn round(&mut self) -> bool {
        let Ok(journals) = self.index.journals().await else { return false };
        self.done.retain(|scope, _| journals.iter().any(|loaded| loaded.scope == *scope));
        let offset = self.index.clock_offset().unwrap_or(0);
        let before = SystemClock.now().saturating_add_signed(offset).saturating_sub(self.idle);
        let done = Arc::new(self.done.clone());
        let Ok(resting) = self.index.resting(before, done).await else { return false };
        let (mut well, mut spent) = (true, BTreeSet::<TenantId>::new());
        for scope in resting {
            if !spent.contains(&scope.tenant) {
                well &= self.tended(scope, before, &mut spent).await;
            }
        }
        well
    }

    async fn tended(&mut self, scope: Scope, before: u64, spent: &mut BTreeSet<TenantId>) -> bool {
        let since = self.done.get(&scope).copied();
        let tended = match tend(&self.pool, &scope, since).await {
            Ok(tended) => tended,
            Err(error) => {
                tracing::warn!("{}: idle sessions are summed up later: {error}", error.reason);
                return false;
            }
        };
        if tended.summaries + tended.failed > 0 {
            let (summaries, failed) = (tended.summaries, tended.failed);
            let tokens = tended.prompt_tokens + tended.completion_tokens;
            tracing::info!(summaries, failed, tokens, "idle sessions were summed up");
        }
        if tended.budget_spent {
            spent.insert(scope.tenant);
            return false;
        }
        if tended.failed == 0 && !tended.more {
            self.done.insert(scope, before);
        }
        tended.failed == 0
    }
}
