//! Objects of the bucket that are not what was written, as upkeep met them: covered by nothing, removed by nobody, counted.

use holdfast_core::{Key, Scope};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Such objects, by user.
#[derive(Debug, Default)]
pub struct Quarantine(Mutex<HashMap<Scope, BTreeSet<Key>>>);

impl Quarantine {
    /// All that a user has of them now. Those that are new are told, once.
    pub fn set(&self, scope: &Scope, found: impl IntoIterator<Item = Key>) {
        let found: BTreeSet<Key> = found.into_iter().collect();
        let mut all = self.all();
        let known = all.remove(scope).unwrap_or_default();
        for key in found.difference(&known) {
            tracing::error!(%key, "an object is not what was written: it is kept, and covered by nothing");
        }
        if !found.is_empty() {
            all.insert(scope.clone(), found);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.all().values().map(|keys| keys.len() as u64).sum()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Scope, BTreeSet<Key>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{TenantId, UserId};

    #[test]
    fn what_is_found_again_counts_once_and_what_was_mended_no_more() {
        let scope = |user: &str| Scope {
            tenant: TenantId::parse("acme").unwrap(),
            user: UserId::parse(user).unwrap(),
        };
        let quarantine = Quarantine::default();
        for _ in 0..2 {
            quarantine.set(&scope("ann"), ["v1/a", "v1/b"].map(Key::raw));
            quarantine.set(&scope("bob"), [Key::raw("v1/c")]);
        }
        assert_eq!(quarantine.count(), 3);
        quarantine.set(&scope("ann"), []);
        assert_eq!(quarantine.count(), 1);
    }
}
