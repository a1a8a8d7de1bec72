//! Work that waits for nobody: vectors of messages that were stored without.

use crate::doors::Doors;
use crate::native::apart;
use holdfast_core::erase::Ledger;
use holdfast_core::memory::Memory;
use holdfast_core::message::MessageBody;
use holdfast_core::ports::{Clock, Outside};
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Result, Scope, SessionId};
use holdfast_index::{Consistency, Index, Knowledge, Pending, Present, Reading};
use holdfast_models::Purpose;
use holdfast_ports::{SystemClock, SystemIds, bucket};
use holdfast_search::Passages;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks when there was nothing to do.
const PAUSE: Duration = Duration::from_secs(2);
/// Messages of one look.
const AT_ONCE: usize = 32;
/// The kind of thing that is embedded.
const MEMORY: &str = "memory";

/// Embeds pending messages of loaded users for ever: each is written again with its vectors, as the same message.
pub async fn embed_pending(doors: Arc<Doors>, store: holdfast_objects::Settings, ledger: Ledger) {
    let Some(index) = doors.index.clone() else { return };
    loop {
        let done = match doors.models.embedder.get() {
            Some(_) => look(&doors, &index, &store, &ledger).await,
            None => Ok(0),
        };
        if let Err(error) = &done {
            tracing::warn!("{}: pending messages are embedded later: {error}", error.reason);
        }
        if done.unwrap_or(0) == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn look(
    doors: &Doors,
    index: &Index,
    store: &holdfast_objects::Settings,
    ledger: &Ledger,
) -> Result<usize> {
    let pending = index.pending(AT_ONCE).await?;
    let (mut done, mut looked) = (0, HashSet::new());
    for (scope, message) in pending {
        let written = async {
            let record = embedded(doors, &scope, &message).await?;
            // The bucket is looked at once for all of a user's, since another host may have deleted one.
            let consistency =
                if looked.insert(scope.clone()) { Consistency::Latest } else { Consistency::Local };
            let reading = Reading { consistency, ..Reading::default() };
            let standing = standing(index, &scope, &message, reading).await?;
            let Some(known) = standing else { return Ok(false) };
            write(index, (store, ledger), &scope, record, known).await
        };
        match written.await {
            Ok(true) => {
                doors.written.add(&scope);
                done += 1;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    "{}: message {} is embedded later: {error}",
                    error.reason,
                    message.id
                );
            }
        }
    }
    Ok(done)
}

async fn embedded(doors: &Doors, scope: &Scope, pending: &Pending) -> Result<Record> {
    if pending.memory {
        return embedded_memory(doors, scope, pending).await;
    }
    let message = serde_json::from_str(&pending.body).map_err(broken)?;
    let mut body = MessageBody::new(message, Vec::new())?;
    let mut passages = Passages::of(&body.message);
    let texts = std::mem::take(&mut passages.texts);
    let made = doors.models.embed(scope.tenant.as_str(), Purpose::Passage, texts).await?;
    body.vectors = vec![passages.vectors(made.space, made.values)];
    let stamp = Stamp { at: pending.at, by: pending.by.clone() };
    let session = SessionId::parse(&pending.session)?;
    Ok(Record::new(Kind::Message, &pending.id, &session, &stamp, body.encode()?))
}

fn broken(e: serde_json::Error) -> holdfast_core::Error {
    holdfast_core::Error::corrupt("what waits for vectors cannot be read").caused_by(e)
}

async fn embedded_memory(doors: &Doors, scope: &Scope, pending: &Pending) -> Result<Record> {
    let raw = RawValue::from_string(pending.body.clone()).map_err(broken)?;
    let mut body = ThingBody::decode(&raw)?;
    let mut passages = Passages::of_memory(&Memory::read(&body.text)?.text);
    let texts = std::mem::take(&mut passages.texts);
    let made = doors.models.embed(scope.tenant.as_str(), Purpose::Passage, texts).await?;
    body.vectors = vec![passages.vectors(made.space, made.values)];
    let stamp = Stamp { at: pending.at, by: pending.by.clone() };
    Record::thing(ThingKind::Memory, (None, &pending.id), &stamp, &body)
}

/// What a writer should know, where what was embedded still stands: one that was deleted, replaced or erased meanwhile is
/// not written again.
async fn standing(
    index: &Index,
    scope: &Scope,
    pending: &Pending,
    reading: Reading,
) -> Result<Option<Knowledge>> {
    let stands = if pending.memory {
        let (id, kind) = (pending.id.clone(), MEMORY.to_owned());
        match index.find_thing(scope.clone(), kind, None, id, reading).await?.item {
            Some(memory) => memory.last.order == pending.order,
            // One that has ended is hidden, and there until that is written down.
            None => has_ended(pending, index.clock_offset().unwrap_or(0))?,
        }
    } else {
        index.find_user(scope.clone(), reading).await?;
        true
    };
    let ids = vec![pending.id.clone()];
    let known = index.known(scope.clone(), pending.session.clone(), ids).await?;
    Ok((stands && (pending.memory || message_stands(&known, pending))).then_some(known))
}

fn has_ended(pending: &Pending, offset: i64) -> Result<bool> {
    let raw = RawValue::from_string(pending.body.clone()).map_err(broken)?;
    let end = ThingBody::decode(&raw)?.expires_at()?;
    Ok(end.is_some_and(|end| end <= SystemClock.now().saturating_add_signed(offset)))
}

fn message_stands(known: &Knowledge, pending: &Pending) -> bool {
    let same = |one: &Present| one.id == pending.id && one.order == pending.order;
    !known.deleted.contains(&pending.id) && known.present.iter().any(same)
}

/// Writes it again; false when it is not to be.
async fn write(
    index: &Index,
    (store, ledger): (&holdfast_objects::Settings, &Ledger),
    scope: &Scope,
    record: Record,
    known: Knowledge,
) -> Result<bool> {
    let (store, ledger, user) = (store.clone(), ledger.clone(), scope.clone());
    let offset = known.clock_offset.unwrap_or(0);
    let written = apart(async move || {
        let store = bucket(store)?;
        let outside = Outside { objects: &store, clock: &SystemClock, ids: &SystemIds };
        // What was erased meanwhile is not written again.
        let erased = holdfast_journal::erased(&store, &ledger, &user).await?;
        if erased.at() >= Some(record.at) {
            return Ok(None);
        }
        let known = &known.frontier;
        holdfast_journal::rewrite(&outside, &user, known, offset, vec![record]).await.map(Some)
    })
    .await?;
    let Some(written) = written else { return Ok(false) };
    index.upsert(scope.clone(), vec![(written.key.to_string(), written.bytes)]).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::Hlc;
    use holdfast_core::record::{Writer, WriterKind};

    fn pending(order: &str) -> Pending {
        Pending {
            memory: false,
            session: "s".to_owned(),
            id: "m".to_owned(),
            order: order.to_owned(),
            at: Hlc::at(1),
            by: Writer { kind: WriterKind::Service, key: "k".to_owned() },
            body: "{}".to_owned(),
        }
    }

    #[test]
    fn what_the_model_makes_lies_in_the_space_that_is_searched() {
        assert_eq!(holdfast_models::embedder::SPACE, holdfast_core::space::NATIVE);
    }

    #[test]
    fn a_message_that_was_deleted_or_opened_anew_while_it_was_embedded_is_not_written_again() {
        let there = |orders: &[&str]| Knowledge {
            present: orders
                .iter()
                .map(|order| Present {
                    id: "m".to_owned(),
                    digest: String::new(),
                    order: (*order).to_owned(),
                })
                .collect(),
            ..Knowledge::default()
        };
        assert!(message_stands(&there(&["1", "2"]), &pending("2")), "a conflict has its own place");
        assert!(!message_stands(&there(&["2"]), &pending("1")), "its session was opened anew");
        assert!(!message_stands(&there(&[]), &pending("1")), "its session or user is gone");
        let deleted = Knowledge { deleted: vec!["m".to_owned()], ..there(&["1"]) };
        assert!(!message_stands(&deleted, &pending("1")));
    }
}
