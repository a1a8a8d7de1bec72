//! Upkeep of journals beside everything else: seals those that grew, and works through the lists of users who were written,
//! once a week through all users.

use crate::command::Values;
use crate::native::apart;
use crate::quarantine::Quarantine;
use crate::written::Written;
use anyhow::Result;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::{Clock, Outside};
use holdfast_core::record::Stamp;
use holdfast_core::retention::written_down;
use holdfast_core::{Hlc, Key, Part, Scope, TenantId, UserId};
use holdfast_index::{Index, Loaded, Reading};
use holdfast_journal::{
    Compaction, Next, Rules, collect, compact, erased, erasure, lag, last_sweep, marks, mend,
    next_user, note_dirty, note_sweep, rewrite, sweep, tenants, to_do, upkeeper,
};
use holdfast_ports::{Bucket, Cache, SystemClock, SystemIds, bucket};
use std::collections::{BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, interval_at};

/// Steps of one user in a row, at most: others have their turn.
const STEPS: usize = 64;
/// How often this host says whom it wrote.
const NOTE: Duration = Duration::from_secs(60 * 60);
/// How often this host asks, at least, who of its cache was erased: a LIST for each thousand objects of a tenant's ledger.
const FORGET: Duration = Duration::from_secs(60 * 60);
/// How often all users are looked at, whoever was written: milliseconds.
const SWEEP: u64 = 7 * 24 * 60 * 60_000;

/// What tends the journals of a host's bucket.
pub struct Tending {
    index: Index,
    compact_every: Duration,
    walk_every: Duration,
    written: Arc<Written>,
    /// What was known of a user's journal when it was last compacted.
    sealed: HashMap<Scope, Sealed>,
    /// The newest purge of a user that was known when its journal was last compacted for that.
    purged: HashMap<Scope, u64>,
    tender: Tender,
    cache: Cache,
    /// After so many erases this machine's disk kept nothing of a user.
    forgotten: HashMap<Scope, usize>,
    /// After so many erases of a tenant's users it kept nothing of those whose folders do not tell who they are.
    forgotten_hashed: HashMap<TenantId, usize>,
}

/// What was known of a user's journal when it was last compacted.
#[derive(Debug, Clone, Copy, Default)]
struct Sealed {
    objects: usize,
    bytes: u64,
    /// How old what came since is, as far as it is known: Unix milliseconds.
    oldest: Option<u64>,
}

/// What a piece of work is done with.
#[derive(Clone)]
struct Tender {
    store: holdfast_objects::Settings,
    ledger: Ledger,
    quarantine: Arc<Quarantine>,
    rules: Rules,
    /// Where messages of all users pass: without that, only loading them all would tell whose do.
    expiring: Option<Index>,
}

impl Tending {
    /// As the settings say. `written` is whom the host writes, `cache` what it keeps of the bucket.
    pub fn new(
        index: Index,
        values: &Values,
        written: Arc<Written>,
        quarantine: Arc<Quarantine>,
        cache: Cache,
    ) -> Result<Self> {
        let expiring = values.parsed::<u32>("retention_days")? > 0;
        let expiring = expiring.then(|| index.clone());
        Ok(Self {
            index,
            compact_every: values.milliseconds("compact_interval_ms")?,
            walk_every: values.milliseconds("upkeep_interval_ms")?,
            written,
            sealed: HashMap::new(),
            purged: HashMap::new(),
            cache,
            forgotten: HashMap::new(),
            forgotten_hashed: HashMap::new(),
            tender: Tender {
                store: values.store()?,
                ledger: values.ledger(),
                quarantine,
                rules: values.rules()?,
                expiring,
            },
        })
    }

    /// Runs for ever. What fails is logged, and tried again in its turn.
    pub async fn run(mut self) {
        let (mut grown, mut all) = (ticks(self.compact_every), ticks(self.walk_every));
        let (mut noting, mut forgetting) = (ticks(NOTE), interval(self.forget_every()));
        forgetting.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = next(&mut grown) => self.seal_grown().await,
                () = next(&mut noting) => note(self.written.clone(), self.tender.store.clone()).await,
                () = next(&mut all) => self.walk().await,
                // At the start too: users may have been erased while this host was down.
                _ = forgetting.tick() => self.forget_erased().await,
            }
        }
    }

    /// Compacts the loaded users whose journals have grown enough since the last time.
    async fn seal_grown(&mut self) {
        let Ok(journals) = self.index.journals().await else { return };
        let rules = self.tender.rules;
        let there = |scope: &Scope| journals.iter().any(|loaded| loaded.scope == *scope);
        self.sealed.retain(|scope, _| there(scope));
        self.purged.retain(|scope, _| there(scope));
        let offset = self.index.clock_offset().unwrap_or(0);
        let now = SystemClock.now().saturating_add_signed(offset);
        for loaded in journals {
            let sealed = self.sealed.entry(loaded.scope.clone()).or_default();
            sealed.see(&loaded, now);
            let grown = sealed.is_passed(&loaded, &rules, now);
            let Loaded { scope, objects, bytes, purging, .. } = loaded;
            // By then its object is old enough to be sealed at once.
            let purge = purging
                .filter(|at| at.saturating_add(rules.purge_after) < now)
                .filter(|at| self.purged.get(&scope) < Some(at));
            if !grown && purge.is_none() {
                continue;
            }
            let (tender, user) = (self.tender.clone(), scope.clone());
            let done = apart(async move || {
                let store = bucket(tender.store.clone())?;
                let sealed = tender.compacted(&store, &user).await?;
                Ok(sealed == 0 && tender.is_behind(&store, &user).await?)
            });
            match done.await {
                Ok(left) => {
                    self.purged.extend(purge.map(|at| (scope.clone(), at)));
                    // What is left for now, or for ever, is looked at again when it is older by as much.
                    let oldest = left.then_some(now);
                    self.sealed.insert(scope, Sealed { objects, bytes, oldest });
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
            let (index, store) = (self.index.clone(), self.tender.store.clone());
            let user = scope.clone();
            let done = apart(async move || expired(&index, &bucket(store)?, &scope).await).await;
            match done {
                // The walk that follows is to remove what holds it.
                Ok(true) => self.written.add(&user),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        "{}: what has passed is written down later: {error}",
                        error.reason
                    )
                }
            }
        }
    }

    /// How often [`Self::forget_erased`] runs.
    fn forget_every(&self) -> Duration {
        if self.walk_every.is_zero() { FORGET } else { self.walk_every.min(FORGET) }
    }

    /// Drops what this machine keeps of users who were erased, whoever served that and whether anybody asks for them or not.
    async fn forget_erased(&mut self) {
        for (tenant, users) in self.cache.users().await {
            let (tender, of_tenant) = (self.tender.clone(), tenant.clone());
            let found = apart(async move || {
                let store = bucket(tender.store.clone())?;
                marks(&store, &of_tenant).await
            });
            let marks = match found.await {
                Ok(marks) => marks,
                Err(error) => {
                    tracing::warn!("{}: erased users are looked for later: {error}", error.reason);
                    continue;
                }
            };
            for (scope, times) in self.tender.erased_of(&marks, &users) {
                if self.forgotten.get(scope) != Some(&times) {
                    self.forget(scope, times).await;
                }
            }
            if self.forgotten_hashed.get(&tenant).copied().unwrap_or(0) != marks.len() {
                self.cache.forget_hashed(&tenant).await;
                self.forgotten_hashed.insert(tenant, marks.len());
            }
        }
    }

    /// Drops what this machine keeps of a user who was erased so many times.
    async fn forget(&mut self, scope: &Scope, times: usize) {
        let (tender, user) = (self.tender.clone(), scope.clone());
        let found = apart(async move || {
            erased(&bucket(tender.store.clone())?, &tender.ledger, &user).await
        });
        match found.await {
            Ok(last) => {
                self.cache.forget(scope, last).await;
                self.forgotten.insert(scope.clone(), times);
            }
            Err(error) => {
                tracing::warn!("{}: an erased user is forgotten later: {error}", error.reason)
            }
        }
    }

    /// Sweeps, compacts and collects the journals of those who were written, of all tenants.
    async fn walk(&self) {
        self.expire_loaded().await;
        note(self.written.clone(), self.tender.store.clone()).await;
        let tender = self.tender.clone();
        let walked = apart(async move || {
            let store = bucket(tender.store.clone())?;
            for tenant in tenants(&store).await? {
                tender.tenant(&store, &tenant).await?;
            }
            Ok(())
        });
        if let Err(error) = walked.await {
            tracing::warn!("{}: upkeep goes on later: {error}", error.reason);
        }
    }
}

/// Leaves lists of those who were written; what cannot be left now is left later.
pub async fn note(written: Arc<Written>, store: holdfast_objects::Settings) {
    let noted = apart(async move || written.note(&bucket(store)?).await);
    if let Err(error) = noted.await {
        tracing::warn!("{}: whom this host wrote is noted later: {error}", error.reason);
    }
}

impl Tender {
    /// Those whom lists name, or all when that is due. Who is not done is on the next list.
    async fn tenant(&self, store: &Bucket, tenant: &TenantId) -> holdfast_core::Result<()> {
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        let begun = store.now();
        let listed = to_do(store, tenant).await?;
        let last = last_sweep(store, tenant).await?;
        let everybody = last.is_none_or(|last| last.saturating_add(SWEEP) <= begun);
        let mut again = BTreeSet::new();
        if everybody {
            let mut place = None;
            while let Some(user) = next_user(store, tenant, place.as_deref()).await? {
                if let Some(scope) = &user.scope {
                    again.extend(self.user(store, scope).await);
                }
                place = Some(user.place);
            }
            note_sweep(&outside, tenant, begun).await?;
        } else {
            for user in &listed.users {
                let scope = Scope { tenant: tenant.clone(), user: user.clone() };
                again.extend(self.user(store, &scope).await);
            }
        }
        note_dirty(&outside, tenant, &again).await?;
        listed.done(store).await
    }

    /// Those of the users whose erases are among these marks, and how often.
    fn erased_of<'a>(&self, marks: &[Key], users: &'a [Scope]) -> Vec<(&'a Scope, usize)> {
        let mut times = HashMap::<&str, usize>::new();
        for (folder, _) in marks.iter().filter_map(|mark| mark.as_str().rsplit_once('/')) {
            *times.entry(folder).or_default() += 1;
        }
        let known = |scope: &Scope| {
            times.get(self.ledger.of(scope).as_str().trim_end_matches('/')).copied()
        };
        users.iter().filter_map(|scope| Some((scope, known(scope)?))).collect()
    }

    /// All that is due of one user; the user, when there is more to do later. One user's trouble is not the others'.
    async fn user(&self, store: &Bucket, scope: &Scope) -> Option<UserId> {
        let tended = async {
            let erasing = self.swept(store, scope).await?;
            if let Some(index) = &self.expiring {
                expired(index, store, scope).await?;
            }
            self.compacted(store, scope).await?;
            self.collected(store, scope).await?;
            Ok(erasing)
        };
        let later = tended.await.unwrap_or_else(|error: holdfast_core::Error| {
            tracing::warn!("{}: upkeep of a user goes on later: {error}", error.reason);
            true
        });
        later.then(|| scope.user.clone())
    }

    /// Removes what is left of a user who was erased: is there more to remove, now or later?
    async fn swept(&self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<bool> {
        if self.is_gone(store, scope).await? {
            return Ok(false);
        }
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        for _ in 0..STEPS {
            if sweep(&outside, &self.ledger, scope, &upkeeper(), &self.rules).await? == Next::Done {
                break;
            }
        }
        Ok(!self.is_gone(store, scope).await?)
    }

    /// Nothing of before the user's last erase can come any more, if there was one.
    async fn is_gone(&self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<bool> {
        let erasure = erasure(store, &self.ledger, scope).await?;
        Ok(erasure.is_none_or(|erasure| erasure.receipt.is_some_and(|receipt| receipt.last)))
    }

    /// Is there anything that no segment holds?
    async fn is_behind(&self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<bool> {
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        Ok(lag(&outside, scope, &self.ledger, &self.rules).await?.objects > 0)
    }

    /// So many objects were sealed.
    async fn compacted(&self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<usize> {
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        let rules = &self.rules;
        let open = async || Compaction::open(&outside, scope, &self.ledger, rules).await;
        let opened = match open().await {
            // What is gone may still be held behind the heads.
            Err(error) if error.reason == "not_yet_visible" => {
                mend(&outside, scope, &self.ledger, rules).await?;
                open().await?
            }
            opened => opened?,
        };
        let Some(mut run) = opened else { return Ok(0) };
        let (mut corrupt, mut sealed) = (BTreeSet::new(), 0);
        for _ in 0..STEPS {
            let step = run.step(&outside).await?;
            corrupt.extend(step.corrupt);
            sealed += step.sealed;
            if step.next == Next::Done {
                break;
            }
            tracing::debug!(step.sealed, step.merged, step.written, "a journal was compacted");
        }
        if corrupt.iter().any(|key| key.part() != Part::Wal) {
            // Segments and covers are made anew from what they were made of, while that is there.
            mend(&outside, scope, &self.ledger, rules).await?;
            corrupt.retain(|key| key.part() == Part::Wal);
            corrupt.extend(compact(&outside, scope, &self.ledger, rules).await?.corrupt);
        }
        self.quarantine.set(scope, corrupt);
        Ok(sealed)
    }

    async fn collected(&self, store: &Bucket, scope: &Scope) -> holdfast_core::Result<()> {
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        let (rules, mut mended) = (&self.rules, false);
        for _ in 0..STEPS {
            let step = collect(&outside, scope, &self.ledger, rules).await?;
            if !step.corrupt.is_empty() && !mended {
                mended = mend(&outside, scope, &self.ledger, rules).await?.merged > 0;
                if mended {
                    continue;
                }
            }
            if !step.corrupt.is_empty() {
                self.quarantine.set(scope, step.corrupt);
            }
            if step.next == Next::Done {
                break;
            }
        }
        Ok(())
    }
}

impl Sealed {
    /// Notes what came since. What came while nobody looked is as old as the oldest that is known.
    fn see(&mut self, loaded: &Loaded, now: u64) {
        if loaded.bytes < self.bytes {
            // It left and was loaded again: nothing of it was counted.
            (self.bytes, self.oldest) = (0, None);
        }
        if self.oldest.is_none() && loaded.bytes > self.bytes {
            self.oldest = if self.bytes == 0 { loaded.oldest } else { Some(now) };
        }
    }

    /// Is what came since worth sealing?
    fn is_passed(&self, loaded: &Loaded, rules: &Rules, now: u64) -> bool {
        let bytes = loaded.bytes.saturating_sub(self.bytes);
        loaded.objects >= self.objects + rules.least_objects.max(1)
            || (bytes > 0 && bytes >= rules.least_bytes)
            || self.oldest.is_some_and(|oldest| oldest.saturating_add(rules.seal_after) <= now)
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

/// Writes down what has passed of a user's messages, and deletes what has ended: was there any?
async fn expired(index: &Index, store: &Bucket, scope: &Scope) -> holdfast_core::Result<bool> {
    let found = index.find_user(scope.clone(), Reading::default()).await?;
    let until = found.horizon;
    if until.is_none() && found.ended.is_empty() {
        return Ok(false);
    }
    let (offset, seen) = (index.clock_offset().unwrap_or(0), found.frontier);
    let now = SystemClock.now().saturating_add_signed(offset);
    let stamp = Stamp { at: Hlc::mint(now, [seen.hlc]), by: upkeeper() };
    let records = written_down(until, &found.ended, &stamp)?;
    let outside = Outside { objects: store, clock: &SystemClock, ids: &SystemIds };
    let written = rewrite(&outside, scope, &seen, offset, records).await?;
    tracing::info!(messages = found.unsaid, things = found.ended.len(), "written down as passed");
    index.upsert(scope.clone(), vec![(written.key.to_string(), written.bytes)]).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(objects: usize, bytes: u64) -> Loaded {
        let scope =
            Scope { tenant: TenantId::parse("acme").unwrap(), user: UserId::parse("ann").unwrap() };
        Loaded { scope, objects, bytes, oldest: Some(1_000), purging: None }
    }

    #[test]
    fn objects_bytes_and_age_of_what_came_since_wake_each_alone_and_what_was_sealed_does_not() {
        let rules =
            Rules { least_objects: 4, least_bytes: 100, seal_after: 50, ..Rules::default() };
        let passed = |mut sealed: Sealed, loaded: Loaded, now| {
            sealed.see(&loaded, now);
            sealed.is_passed(&loaded, &rules, now)
        };
        let new = Sealed::default();
        assert!(!passed(new, loaded(3, 99), 1_049));
        assert!(passed(new, loaded(4, 99), 1_049) && passed(new, loaded(3, 100), 1_049));
        assert!(passed(new, loaded(3, 99), 1_050));
        let sealed = Sealed { objects: 4, bytes: 100, oldest: None };
        assert!(!passed(sealed, loaded(4, 100), 9_000), "nothing came since");
        assert!(!passed(sealed, loaded(5, 110), 9_000), "it came just now");
        let left = Sealed { oldest: Some(9_000), ..sealed };
        assert!(!passed(left, loaded(4, 100), 9_049) && passed(left, loaded(4, 100), 9_050));
    }
}
