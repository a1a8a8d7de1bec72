//! The feed of changes: what came to a user, by arrival.

use crate::read::message;
use crate::shard::Shard;
use crate::types::{Change, ChangePage, Reading};
use holdfast_core::arrival::Told;
use holdfast_core::fold::{self, View, What};
use holdfast_core::graves::Of;
use holdfast_core::record::Kind;
use holdfast_core::{Error, Hlc, Result, Scope};
use std::rc::Rc;

/// Bytes of text after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

impl Shard {
    pub(crate) async fn changes(
        self: Rc<Self>,
        scope: Scope,
        place: Option<String>,
        limit: u32,
        reading: Reading,
    ) -> Result<ChangePage> {
        if reading.as_of.is_some() {
            let detail = "changes are told as of now: leave as_of out";
            return Err(Error::invalid(detail).at("as_of"));
        }
        let told = place.as_deref().map(Told::parse).transpose()?.unwrap_or_default();
        let user = self.ready(&scope, &reading).await?;
        let journal = user.journal.borrow();
        let (now, limit) = (self.shared.now(), limit as usize);
        let changes = journal.changes(told, limit, PAGE_BYTES, now);
        let erase = changes.erased.map(erased);
        let records = changes.records.iter().map(|record| change(journal.view(), record));
        let items = erase.map(Ok).into_iter().chain(records).collect::<Result<_>>()?;
        let (place, more) = (changes.told.text(), changes.more);
        Ok(ChangePage { items, place, more, frontier: user.frontier(now) })
    }
}

fn erased(at: Hlc) -> Change {
    Change {
        kind: "erase".to_owned(),
        session: None,
        id: String::new(),
        order: at.to_string(),
        arrived: at.milliseconds(),
        of: None,
        hidden: false,
        digest: None,
        message: None,
        fields: None,
    }
}

fn change(view: &View, record: &fold::Change<'_>) -> Result<Change> {
    let mut change = Change {
        kind: "message".to_owned(),
        session: Some(record.session.to_owned()),
        id: record.id.to_owned(),
        order: record.order.to_string(),
        arrived: record.order.ulid.timestamp_ms(),
        of: None,
        hidden: false,
        digest: None,
        message: None,
        fields: None,
    };
    match &record.what {
        What::Message { number, entry, trusted } => {
            change.message = view.found(*number).as_ref().map(message);
            if let Some(message) = &mut change.message {
                message.trusted = *trusted;
            }
            let hex = entry.digest.iter().map(|byte| format!("{byte:02x}"));
            change.digest = Some(hex.collect());
        }
        What::Session(fields) => {
            change.kind = "session".to_owned();
            change.fields = Some(fields.encode()?.get().to_owned());
        }
        What::Tombstone(of) => {
            change.kind = "tombstone".to_owned();
            change.of = Some(of.name());
        }
        What::Passed(until) => {
            change.kind = "tombstone".to_owned();
            change.of = Some(Of::Messages.name());
            change.session = None;
            change.id = until.to_string();
        }
        What::User(fields) => {
            change.kind = "user".to_owned();
            change.session = None;
            change.fields = Some(fields.encode()?.get().to_owned());
        }
        What::Hidden(kind) => {
            change.hidden = true;
            if **kind == Kind::Session {
                change.kind = "session".to_owned();
            }
        }
    }
    Ok(change)
}
