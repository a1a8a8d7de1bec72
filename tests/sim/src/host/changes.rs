//! What came to a user, told to those who follow: as `crates/view/src/changes.rs`.

use super::{Host, Reading};
use crate::checker::Change;
use holdfast_core::Result;
use holdfast_core::arrival::Told;
use holdfast_core::fold::{self, What};
use holdfast_core::graves::Of;
use std::rc::Rc;

/// A page of changes.
#[derive(Debug)]
pub struct Changes {
    /// The user was erased then: what was told before counts for nothing.
    pub erased: Option<String>,
    /// Each with the ULID of its object.
    pub records: Vec<(u128, Change)>,
    /// Where the next page begins.
    pub cursor: String,
    /// There is more now.
    pub more: bool,
}

impl Host {
    /// What a follower was not told.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn changes(
        self: Rc<Self>,
        user: usize,
        cursor: Option<String>,
        limit: usize,
        reading: Reading,
    ) -> Result<Changes> {
        self.answered().await?;
        let after = self.after(user, reading.after.as_deref())?;
        let told = cursor.as_deref().map(Told::parse).transpose()?.unwrap_or_default();
        let user = self.ready(user, reading.latest, &after).await?;
        let journal = user.journal.borrow();
        let changes = journal.changes(told, limit, 1 << 20, self.now())?;
        let record = |change: &fold::Change<'_>| (change.order.ulid.0, told_so(change));
        Ok(Changes {
            erased: changes.erased.map(|at| at.to_string()),
            records: changes.records.iter().map(record).collect(),
            cursor: changes.told.text(),
            more: changes.more,
        })
    }
}

fn told_so(change: &fold::Change<'_>) -> Change {
    let (session, id) = (change.session.to_owned(), change.id.to_owned());
    match &change.what {
        What::Message { entry, .. } => {
            Change::Message(session, id, entry.text.to_string(), change.order.to_string())
        }
        What::Tombstone(Of::Message) => Change::MessageGone(session, id),
        What::Tombstone(Of::Session) => Change::SessionGone(session, change.order.hlc.to_string()),
        What::Passed(until) => Change::Passed(until.to_string()),
        _ => Change::Other,
    }
}
