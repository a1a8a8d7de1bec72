//! Upkeep of journals beside everything else: seals those that grew, and walks over all users now and then.

use crate::command::Values;
use crate::native::apart;
use anyhow::Result;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Outside};
use holdfast_core::record::Stamp;
use holdfast_core::retention::written_down;
use holdfast_core::{Hlc, Key, Scope, TenantId};
use holdfast_index::{Index, Loaded, Reading};
use holdfast_journal::{
    Next, Rules, collect, compact, next_user, rewrite, sweep, tenants, upkeeper,
};
use holdfast_ports::{Bucket, SystemClock, SystemIds, bucket};
use std::collections::HashMap;
use std::future::pending;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval_at};

/// Steps of one user in a row, at most: others have their turn.
const STEPS: usize = 64;

/// What tends the journals of a host's bucket.
pub struct Tending {
    index: Index,
    store: holdfast_objects::Settings,
    ledger: Ledger,
    compact_every: Duration,
    walk_every: Duration,
    /// Messages of all users pass.
    expire_all: bool,
    /// Objects of a user's journal when it was last compacted.
    sealed: HashMap<Scope, usize>,
    /// The newest purge of a user that was known when its journal was last compacted for that.
    purged: HashMap<Scope, u64>,
}

impl Tending {
    /// As the settings say.
    pub fn new(index: Index, values: &Values) -> Result<Self> {
        Ok(Self {
            index,
            store: values.store()?,
            ledger: values.ledger(),
            compact_every: values.milliseconds("compact_interval_ms")?,
            walk_every: values.milliseconds("upkeep_interval_ms")?,
            expire_all: values.parsed::<u32>("retention_days")? > 0,
            sealed: HashMap::new(),
            purged: HashMap::new(),
        })
    }

    /// Runs for ever. What fails is logged, and tried again in its turn.
    pub async fn run(mut self) {
        let (mut grown, mut all) = (ticks(self.compact_every), ticks(self.walk_every));
        loop {
            tokio::select! {
                () = next(&mut grown) => self.seal_grown().await,
                () = next(&mut all) => self.walk().await,
            }
        }
    }

    /// Compacts the loaded users whose journals have grown enough since the last time.
    async fn seal_grown(&mut self) {
        let Ok(journals) = self.index.journals().await else { return };
        let rules = Rules::default();
        let there = |scope: &Scope| journals.iter().any(|loaded| loaded.scope == *scope);
        self.sealed.retain(|scope, _| there(scope));
        self.purged.retain(|scope, _| there(scope));
        let now = SystemClock.now();
        for Loaded { scope, objects, purging } in journals {
            let grown =
                objects >= self.sealed.get(&scope).copied().unwrap_or(0) + rules.least_objects;
            // By then its object is old enough to be sealed at once.
            let purge = purging
                .filter(|at| at.saturating_add(rules.purge_after) < now)
                .filter(|at| self.purged.get(&scope) < Some(at));
            if !grown && purge.is_none() {
                continue;
            }
            let (store, user, ledger) = (self.store.clone(), scope.clone(), self.ledger.clone());
            let done = apart(async move || compacted(&bucket(store)?, &user, &ledger).await).await;
            match done {
                Ok(()) => {
                    self.purged.extend(purge.map(|at| (scope.clone(), at)));
                    self.sealed.insert(scope, objects);
                }
                Err(error) => {
                    tracing::warn!("{}: a journal is compacted later: {error}", error.reason)
                }
            }
        }
    }

    /// Writes down what has passed of loaded users' messages.
    async fn expire_loaded(&self) {
        let Ok(journals) = self.index.journals().await else { return };
        for Loaded { scope, .. } in journals {
            let (index, store) = (self.index.clone(), self.store.clone());
            let done = apart(async move || expired(&index, &bucket(store)?, &scope).await).await;
            if let Err(error) = done {
                tracing::warn!("{}: what has passed is written down later: {error}", error.reason);
            }
        }
    }

    /// Sweeps, compacts and collects the journals of all users of all tenants.
    async fn walk(&self) {
        self.expire_loaded().await;
        let (store, ledger) = (self.store.clone(), self.ledger.clone());
        // Without a retention of all, only loading them all would tell whose is due.
        let index = self.expire_all.then(|| self.index.clone());
        let walked = apart(async move || {
            let store = bucket(store)?;
            for tenant in tenants(&store).await? {
                tenant_walked(&store, &tenant, &ledger, index.as_ref()).await?;
            }
            Ok(())
        });
        if let Err(error) = walked.await {
            tracing::warn!("{}: upkeep goes on later: {error}", error.reason);
        }
    }
}

async fn tenant_walked(
    store: &Bucket,
    tenant: &TenantId,
    ledger: &Ledger,
    index: Option<&Index>,
) -> holdfast_core::Result<()> {
    let mut place = None;
    while let Some(user) = next_user(store, tenant, place.as_deref()).await? {
        if let Some(scope) = &user.scope {
            let tended = async {
                swept(store, scope, ledger).await?;
                if let Some(index) = index {
                    expired(index, store, scope).await?;
                }
                compacted(store, scope, ledger).await?;
                collected(store, scope, ledger).await
            };
            // One user's trouble is not the others'.
            if let Err(error) = tended.await {
                tracing::warn!("{}: upkeep of a user goes on later: {error}", error.reason);
            }
        }
        place = Some(user.place);
    }
    Ok(())
}

/// Writes down what has passed of a user's messages, and deletes what has ended.
async fn expired(index: &Index, store: &Bucket, scope: &Scope) -> holdfast_core::Result<()> {
    let found = index.find_user(scope.clone(), Reading::default()).await?;
    let until = found.horizon.filter(|_| found.unsaid > 0);
    if until.is_none() && found.ended.is_empty() {
        return Ok(());
    }
    let (offset, seen) = (index.clock_offset().unwrap_or(0), found.frontier);
    let now = SystemClock.now().saturating_add_signed(offset);
    let stamp = Stamp { at: Hlc::mint(now, [seen.hlc]), by: upkeeper() };
    let records = written_down(until, &found.ended, &stamp)?;
    let outside = Outside { objects: store, clock: &SystemClock, ids: &SystemIds };
    let written = rewrite(&outside, scope, &seen, offset, records).await?;
    tracing::info!(messages = found.unsaid, things = found.ended.len(), "written down as passed");
    index.upsert(scope.clone(), vec![(written.key.to_string(), written.bytes)]).await
}

/// Removes what is left of a user who was erased.
async fn swept(store: &Bucket, scope: &Scope, ledger: &Ledger) -> holdfast_core::Result<()> {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    for _ in 0..STEPS {
        if sweep(&outside, ledger, scope, &upkeeper()).await? == Next::Done {
            break;
        }
    }
    Ok(())
}

async fn compacted(store: &Bucket, scope: &Scope, ledger: &Ledger) -> holdfast_core::Result<()> {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    for _ in 0..STEPS {
        let step = compact(&outside, scope, ledger, &Rules::default()).await?;
        alarm(&step.corrupt);
        if step.next == Next::Done {
            break;
        }
        tracing::debug!(step.sealed, step.merged, step.written, "a journal was compacted");
    }
    Ok(())
}

async fn collected(store: &Bucket, scope: &Scope, ledger: &Ledger) -> holdfast_core::Result<()> {
    let clock = store.clock();
    let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
    for _ in 0..STEPS {
        let step = collect(&outside, scope, ledger, &Rules::default()).await?;
        alarm(&step.corrupt);
        if step.next == Next::Done {
            break;
        }
    }
    Ok(())
}

fn alarm(corrupt: &[Key]) {
    for key in corrupt {
        tracing::error!(%key, "an object is not what was written: it is kept, and covered by nothing");
    }
}

fn ticks(every: Duration) -> Option<tokio::time::Interval> {
    (!every.is_zero()).then(|| {
        let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    })
}

async fn next(ticks: &mut Option<tokio::time::Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => pending().await,
    }
}
