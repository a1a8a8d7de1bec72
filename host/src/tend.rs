//! Upkeep of journals beside everything else: seals those that grew, and walks over all users now and then.

use crate::command::Values;
use crate::native::apart;
use anyhow::Result;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::Outside;
use holdfast_core::{Key, Scope, TenantId};
use holdfast_index::Index;
use holdfast_journal::{Next, Rules, collect, compact, next_user, sweep, tenants, upkeeper};
use holdfast_ports::{Bucket, SystemIds, bucket};
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
    /// Objects of a user's journal when it was last compacted.
    sealed: HashMap<Scope, usize>,
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
            sealed: HashMap::new(),
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
        let least = Rules::default().least_objects;
        self.sealed.retain(|scope, _| journals.iter().any(|(loaded, _)| loaded == scope));
        for (scope, objects) in journals {
            if objects < self.sealed.get(&scope).copied().unwrap_or(0) + least {
                continue;
            }
            let (store, user, ledger) = (self.store.clone(), scope.clone(), self.ledger.clone());
            let done = apart(async move || compacted(&bucket(store)?, &user, &ledger).await).await;
            match done {
                Ok(()) => drop(self.sealed.insert(scope, objects)),
                Err(error) => {
                    tracing::warn!("{}: a journal is compacted later: {error}", error.reason)
                }
            }
        }
    }

    /// Sweeps, compacts and collects the journals of all users of all tenants.
    async fn walk(&self) {
        let (store, ledger) = (self.store.clone(), self.ledger.clone());
        let walked = apart(async move || {
            let store = bucket(store)?;
            for tenant in tenants(&store).await? {
                tenant_walked(&store, &tenant, &ledger).await?;
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
) -> holdfast_core::Result<()> {
    let mut place = None;
    while let Some(user) = next_user(store, tenant, place.as_deref()).await? {
        if let Some(scope) = &user.scope {
            let tended = async {
                swept(store, scope, ledger).await?;
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
