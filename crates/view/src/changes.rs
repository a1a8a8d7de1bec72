//! The feed of changes: what came to a user, by arrival.

use crate::answer::message;
use crate::types::{Change, ChangePage, Reading};
use crate::{Hlc, UserView};
use holdfast_core::arrival::Told;
use holdfast_core::fold::{self, View, What};
use holdfast_core::graves::Of;
use holdfast_core::record::Kind;
use holdfast_core::thing::ThingBody;
use holdfast_core::{Error, Result};
use holdfast_search::Nearest;

/// Bytes of text after which a page ends.
const PAGE_BYTES: usize = 4 << 20;

/// What a follower was told before.
///
/// # Errors
/// `invalid_cursor` for a place that is none; `invalid` for a reading of the past.
pub fn changes_from(place: Option<&str>, reading: &Reading) -> Result<Told> {
    if reading.as_of.is_some() {
        return Err(Error::invalid("changes are told as of now: leave as_of out").at("as_of"));
    }
    Ok(place.map(Told::parse).transpose()?.unwrap_or_default())
}

impl<N: Nearest> UserView<N> {
    /// What came to the user since what `told` says was told. `now` is Unix milliseconds.
    ///
    /// # Errors
    /// `internal` when fields cannot be written.
    pub fn changes(&self, told: Told, limit: u32, now: u64) -> Result<ChangePage> {
        let journal = self.journal.borrow();
        let changes = journal.changes(told, limit as usize, PAGE_BYTES, now)?;
        let erase = changes.erased.map(erased);
        let records = changes.records.iter().map(|record| change(journal.view(), record));
        let items = erase.map(Ok).into_iter().chain(records).collect::<Result<_>>()?;
        let (place, more) = (changes.told.text(), changes.more);
        Ok(ChangePage { items, place, more, frontier: self.frontier(now) })
    }
}

fn erased(at: Hlc) -> Change {
    let kind = "erase".to_owned();
    Change { kind, order: at.to_string(), arrived: at.milliseconds(), ..Change::default() }
}

fn change(view: &View, record: &fold::Change<'_>) -> Result<Change> {
    let mut change = Change {
        kind: "message".to_owned(),
        session: Some(record.session.to_owned()),
        id: record.id.to_owned(),
        order: record.order.to_string(),
        arrived: record.order.ulid.timestamp_ms(),
        ..Change::default()
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
        What::Thing(kind, version) => {
            change.kind = kind.name().to_owned();
            change.session = Some(record.session.to_owned()).filter(|session| !session.is_empty());
            let (text, sources) = (version.text.clone(), version.sources.clone());
            let body = ThingBody { text, sources, vectors: Vec::new() };
            change.fields = Some(body.encode()?.get().to_owned());
        }
        What::Tombstone(of) => {
            change.kind = "tombstone".to_owned();
            change.session = Some(record.session.to_owned()).filter(|session| !session.is_empty());
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
