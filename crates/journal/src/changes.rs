//! The feed of changes: what arrived of a journal that a follower was not told.

use crate::read::Journal;
use holdfast_core::arrival::Told;
use holdfast_core::fold::{Change, What};
use holdfast_core::{Case, Error, Hlc, Result};
use std::collections::HashSet;

/// A page of changes.
#[derive(Debug)]
pub struct Changes<'j> {
    /// The user was erased: whoever follows drops all it has before it takes in the rest.
    pub erased: Option<Hlc>,
    /// Records in the order of their objects; those of one object are never parted.
    pub records: Vec<Change<'j>>,
    /// How much was told with these.
    pub told: Told,
    /// There are more now.
    pub more: bool,
}

impl Journal {
    /// What was not told: about `limit` records, of about `bytes` bytes of text. `now` is Unix milliseconds.
    ///
    /// # Errors
    /// `not_yet_visible` when an erase was told that is not known here yet: what it hides must not be told after it.
    pub fn changes(&self, told: Told, limit: usize, bytes: usize, now: u64) -> Result<Changes<'_>> {
        if told.erased > self.erased().at() {
            let detail = "the erase that the cursor tells of is not seen here yet: try again";
            return Err(Error::because(Case::Unavailable, "not_yet_visible", detail));
        }
        let erased = self.erased().at().filter(|at| told.erased < Some(*at));
        let mut told = match erased {
            Some(at) => Told::after_erase(at),
            None => told,
        };
        let (objects, beyond) = told.untold(&self.folded, limit.max(1));
        let wanted: HashSet<u128> = objects.iter().copied().collect();
        let mut all = self.view.changes(&wanted).into_iter().peekable();
        let (mut records, mut held, mut last) = (Vec::new(), 0, None);
        for object in &objects {
            if records.len() >= limit || held >= bytes {
                break;
            }
            while let Some(change) = all.next_if(|change| change.order.ulid.0 <= *object) {
                held += match &change.what {
                    What::Message { entry, .. } => entry.text.len(),
                    What::Thing(_, version) => version.text.len(),
                    _ => 0,
                };
                records.push(change);
            }
            last = Some(*object);
        }
        let more = beyond || last != objects.last().copied();
        told.tell(&self.folded, last.filter(|_| more), now);
        Ok(Changes { erased, records, told, more })
    }
}
