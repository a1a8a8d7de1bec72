//! What writers tell a view, and what they want to know of it before they write.

use crate::UserView;
use crate::types::{Knowledge, Pending, Present};
use bytes::Bytes;
use holdfast_core::fold::View;
use holdfast_core::{Error, Key, Result, Scope, key};
use holdfast_search::Nearest;

impl<N: Nearest> UserView<N> {
    /// What is known of the user and of these ids. Loads nothing; `now` is Unix milliseconds.
    pub fn known(&self, session: &str, ids: &[String], now: u64) -> Knowledge {
        let journal = self.journal.borrow();
        let graves = journal.view().graves();
        let deleted = ids.iter().filter(|id| graves.has_message(session, id)).cloned().collect();
        Knowledge {
            present: self.present(session, ids),
            deleted,
            session_deleted: graves.has_session(session),
            frontier: journal.frontier_at(now),
            clock_offset: None,
        }
    }

    fn present(&self, session: &str, ids: &[String]) -> Vec<Present> {
        let (journal, shelf) = (self.journal.borrow(), self.shelf.borrow());
        let view = journal.view();
        let numbers = ids.iter().flat_map(|id| shelf.with_id(view, session, id));
        let mut entries: Vec<_> = numbers.filter_map(|n| view.found(n).map(|f| f.entry)).collect();
        entries.sort_unstable_by_key(|entry| entry.order);
        let present = entries.into_iter().map(|entry| Present {
            id: entry.id.to_string(),
            digest: entry.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            order: entry.order.to_string(),
        });
        present.collect()
    }

    /// Messages that wait for vectors, at most `limit`.
    pub fn pending(&self, limit: usize) -> Vec<Pending> {
        let (journal, shelf) = (self.journal.borrow(), self.shelf.borrow());
        let pending = shelf.pending().filter_map(|number| pending(journal.view(), number));
        pending.take(limit).collect()
    }
}

fn pending(view: &View, number: u32) -> Option<Pending> {
    let entry = view.found(number)?.entry;
    Some(Pending {
        session: entry.session.to_string(),
        id: entry.id.to_string(),
        order: entry.order.to_string(),
        at: entry.order.hlc,
        by: entry.by.clone(),
        body: entry.text.to_string(),
    })
}

/// Objects that a writer hands over, as keys of this user's journal.
///
/// # Errors
/// `invalid` when one is not an object of the user's journal; `corrupt` when its bytes are not what its name says.
pub fn checked<'a>(scope: &Scope, objects: &'a [(String, Bytes)]) -> Result<Vec<(Key, &'a Bytes)>> {
    let wal = key::wal(scope);
    let check = |(text, bytes): &'a (String, Bytes)| {
        let key = Key::below(&wal, text)
            .ok_or_else(|| Error::invalid("an object is not one of this user's journal"))?;
        if key.hash() != Some(key::hash32(bytes).as_str()) {
            return Err(Error::corrupt("its bytes are not what its name says").about(&key));
        }
        Ok((key, bytes))
    };
    objects.iter().map(check).collect()
}
