//! Whom this host wrote since it last said so: the beginning of upkeep's list of users to tend.

use holdfast_core::ports::Outside;
use holdfast_core::{Result, Scope, TenantId, UserId};
use holdfast_journal::note_dirty;
use holdfast_ports::{Bucket, SystemIds};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Users by tenant.
#[derive(Debug, Default)]
pub struct Written(Mutex<HashMap<TenantId, BTreeSet<UserId>>>);

impl Written {
    /// This user was written.
    pub fn add(&self, scope: &Scope) {
        let mut users = self.users();
        if let Some(known) = users.get_mut(&scope.tenant) {
            if !known.contains(&scope.user) {
                known.insert(scope.user.clone());
            }
            return;
        }
        users.entry(scope.tenant.clone()).or_default().insert(scope.user.clone());
    }

    /// Leaves a list in the bucket for each tenant. What cannot be left now is left later.
    ///
    /// # Errors
    /// What the store may answer.
    pub async fn note(&self, store: &Bucket) -> Result<()> {
        let clock = store.clock();
        let outside = Outside { objects: store, clock: &clock, ids: &SystemIds };
        let taken = std::mem::take(&mut *self.users());
        let mut failed = None;
        for (tenant, users) in taken {
            if let Err(error) = note_dirty(&outside, &tenant, &users).await {
                self.users().entry(tenant).or_default().extend(users);
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<TenantId, BTreeSet<UserId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
