//! Work that waits for nobody: vectors of messages that were stored without.

use crate::doors::Doors;
use crate::native::apart;
use holdfast_core::erase::Ledger;
use holdfast_core::memory::Memory;
use holdfast_core::message::MessageBody;
use holdfast_core::ports::Outside;
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Result, Scope, SessionId};
use holdfast_index::{Index, Pending};
use holdfast_models::Purpose;
use holdfast_ports::{SystemClock, SystemIds, bucket};
use holdfast_search::Passages;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks when there was nothing to do.
const PAUSE: Duration = Duration::from_secs(2);
/// Messages of one look.
const AT_ONCE: usize = 32;

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
    let mut done = 0;
    for (scope, message) in pending {
        let written = async {
            let record = embedded(doors, &scope, &message).await?;
            write(index, (store, ledger), &scope, record, &message).await
        };
        match written.await {
            Ok(()) => {
                doors.written.add(&scope);
                done += 1;
            }
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

async fn write(
    index: &Index,
    (store, ledger): (&holdfast_objects::Settings, &Ledger),
    scope: &Scope,
    record: Record,
    pending: &Pending,
) -> Result<()> {
    let known = index.known(scope.clone(), pending.session.clone(), Vec::new()).await?;
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
    let Some(written) = written else { return Ok(()) };
    index.upsert(scope.clone(), vec![(written.key.to_string(), written.bytes)]).await
}
