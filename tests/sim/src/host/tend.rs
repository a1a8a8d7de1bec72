//! What a host does beside serving: compacts, collects, sweeps and mends, as `host/src/tend.rs` and `tend-journal` do.

use super::Host;
use crate::bucket::{Bucket, Role, StoreClock};
use crate::world::World;
use holdfast_core::Scope;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::Outside;
use holdfast_core::{Error, Result};
use holdfast_journal::{self as journal, Compaction, Next, Rules, Step, Verified};
use std::rc::Rc;

/// Steps in a row, at most.
const STEPS: usize = 64;

impl Host {
    /// Walks over all users until the process ends: ever less often while nobody asks.
    pub async fn tend(self: Rc<Self>) {
        loop {
            let tend = self.world.plan.tend;
            self.world.idle(self.world.random.between(tend / 2, tend)).await;
            for user in 0..self.world.users.len() {
                // What fails is tried again in its turn.
                if let Err(error) = self.clone().tended(user).await {
                    self.world.trace(|| format!("host {}: tends later: {error}", self.id));
                }
            }
        }
    }

    /// Sweeps, compacts and collects one user's journal, by a client of the store of its own.
    ///
    /// # Errors
    /// What the journal's functions say.
    pub async fn tended(self: Rc<Self>, user: usize) -> Result<()> {
        self.swept(user).await?;
        let world = &self.world;
        if world.plan.passes()
            && let Err(error) = self.expired(user).await
        {
            world.trace(|| format!("host {}: what has passed is said later: {error}", self.id));
        }
        let scope = world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let bucket = Bucket::new(world.clone(), self.id, Role::Tends);
        let clock = bucket.clock();
        let outside = Outside { objects: &bucket, clock: &clock, ids: &bucket };
        let ledger = &world.ledger;
        let rules = &world.mutant.rules(&world.plan.rules);
        let collection = &world.mutant.rules_of_collection(&world.plan.rules);
        let (mut corrupt, mut run) = (0, None);
        for _ in 0..STEPS {
            let step = match compacted(&outside, scope, ledger, rules, &mut run).await {
                // What is gone may still be held behind the heads.
                Err(error) if error.reason == "not_yet_visible" && world.mutant.mends() => {
                    let step = journal::mend(&outside, scope, ledger, rules).await?;
                    world.trace(|| format!("host {}: regains {user}: {step:?}", self.id));
                    continue;
                }
                step => step?,
            };
            world.counts.add(&world.counts.sealed, step.sealed);
            world.counts.add(&world.counts.resealed, step.purged);
            world.trace(|| format!("host {}: compacts {user}: {step:?}", self.id));
            corrupt = step.corrupt.len();
            if !world.plan.runs {
                run = None;
            }
            if step.next == Next::Done {
                break;
            }
        }
        bucket.role.set(Role::Collects);
        for _ in 0..STEPS {
            let step = journal::collect(&outside, scope, ledger, collection).await?;
            world.trace(|| format!("host {}: collects {user}: {step:?}", self.id));
            corrupt += step.corrupt.len();
            if step.next == Next::Done {
                break;
            }
        }
        bucket.role.set(Role::Tends);
        if corrupt > 0 && world.mutant.mends() {
            let step = journal::mend(&outside, scope, ledger, rules).await?;
            world.trace(|| format!("host {}: mends {user}: {step:?}", self.id));
        }
        Ok(())
    }

    /// Removes what an erase takes, as far as it is time.
    ///
    /// # Errors
    /// As `holdfast_journal::sweep`.
    pub async fn swept(&self, user: usize) -> Result<()> {
        let world = &self.world;
        let scope = world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let bucket = Bucket::new(world.clone(), self.id, Role::Sweeps);
        let clock = bucket.clock();
        let outside = Outside { objects: &bucket, clock: &clock, ids: &bucket };
        let by = journal::upkeeper();
        for _ in 0..STEPS {
            if journal::sweep(&outside, &world.ledger, scope, &by, &world.plan.rules).await?
                == Next::Done
            {
                break;
            }
        }
        Ok(())
    }

    /// What a look at everything of a user finds.
    ///
    /// # Errors
    /// As `holdfast_journal::verify`.
    pub async fn verify(self: Rc<Self>, user: usize) -> Result<Verified> {
        let world = &self.world;
        let scope = world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let bucket = Bucket::new(world.clone(), self.id, Role::Collects);
        let clock = bucket.clock();
        let outside = Outside { objects: &bucket, clock: &clock, ids: &bucket };
        journal::verify(&outside, scope, &world.plan.rules).await
    }
}

/// A step of a run, which is opened first where there is none; after an error there is none again.
async fn compacted<'a>(
    outside: &Outside<'_, Bucket, StoreClock<'_>, Bucket>,
    scope: &'a Scope,
    ledger: &'a Ledger,
    rules: &'a Rules,
    run: &mut Option<Compaction<'a>>,
) -> Result<Step> {
    let open = match run.take() {
        Some(open) => Some(open),
        None => Compaction::open(outside, scope, ledger, rules).await?,
    };
    let Some(mut open) = open else { return Ok(Step::default()) };
    let step = open.step(outside).await?;
    *run = Some(open);
    Ok(step)
}

impl World {
    /// This host tends journals.
    pub fn tends(&self, id: usize) -> bool {
        !self.is_calm() && id < self.plan.tenders
    }
}
