//! Storing: authorise, check, embed, one PUT, index, answer. No read of the bucket comes before the write of what is new.

use crate::{embed, identity};
use holdfast_core::message::MessageBody;
use holdfast_core::record::Kind;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_formats::NewMessage;
use holdfast_journal::Draft;
use holdfast_kit::State;
use holdfast_kit::index::{Knowledge, Present};
use holdfast_kit::write::{Author, Recorded, known, known_latest, record};

/// Who writes, and what makes a repetition the same write.
pub struct Writing {
    /// Who.
    pub author: Author,
    /// Messages without an id get one derived from this.
    pub idempotency_key: Option<String>,
}

/// What was stored.
pub struct Stored {
    /// Id and order of each message.
    pub places: Vec<(String, String)>,
    /// The next search finds them.
    pub indexed: bool,
    /// They had been stored before.
    pub replayed: bool,
    /// What a reader has seen who has seen this.
    pub frontier: Frontier,
}

/// A store that failed: why, and the ids that it would have had.
pub struct Failed {
    /// Why.
    pub error: Error,
    /// Ids of the messages, once they were given.
    pub ids: Vec<String>,
}

/// Stores messages at the end of a session, all or none.
pub async fn store(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    messages: Vec<NewMessage>,
    writing: Writing,
) -> Result<Stored, Failed> {
    let ids =
        identity::identify(state, scope, session, &messages, writing.idempotency_key.as_deref());
    match store_as(state, scope, session, messages, writing, &ids).await {
        Ok(stored) => Ok(stored),
        Err(error) => Err(Failed { error, ids }),
    }
}

async fn store_as(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    messages: Vec<NewMessage>,
    writing: Writing,
    ids: &[String],
) -> Result<Stored> {
    let bodies = bodies(&messages)?;
    let beyond = writing.idempotency_key.as_deref();
    let beyond = beyond.map(|key| identity::derived(scope, session, key, ids.len()));
    let known = knowledge(scope, session, ids.iter().chain(&beyond), &writing.author).await?;
    if let Some(id) = ids.iter().find(|id| known.deleted.contains(id)) {
        return Err(gone(id));
    }
    if reused(ids, &messages, beyond.as_deref(), &known) {
        return Err(mismatch());
    }
    if let Some(stored) = replayed(ids, &bodies, &known, &messages, &writing.author.after)? {
        return Ok(stored);
    }
    let vectors = embed::vectors(state, scope, writing.author.by.kind, &messages).await?;
    let mut drafts = Vec::with_capacity(ids.len());
    for ((id, mut body), vectors) in ids.iter().zip(bodies).zip(vectors) {
        body.vectors = vectors;
        let (kind, session, body) = (Kind::Message, session.clone(), body.encode()?);
        drafts.push(Draft { kind, id: id.clone(), session, body });
    }
    let Recorded { orders, indexed, frontier } =
        record(state, scope, writing.author, &known, drafts).await?;
    let places = ids.iter().cloned().zip(orders.iter().map(ToString::to_string)).collect();
    Ok(Stored { places, indexed, replayed: false, frontier })
}

/// What is known of these ids. Only where some are there, which is rare, is the bucket looked at before the write.
async fn knowledge(
    scope: &Scope,
    session: &SessionId,
    ids: impl Iterator<Item = &String>,
    author: &Author,
) -> Result<Knowledge> {
    let ids: Vec<String> = ids.cloned().collect();
    let first = known(scope, session.as_str(), ids.clone()).await;
    if first.present.is_empty() {
        return Ok(first);
    }
    known_latest(scope, session.as_str(), ids, &author.after).await
}

fn bodies(messages: &[NewMessage]) -> Result<Vec<MessageBody>> {
    messages.iter().map(|m| MessageBody::new(m.message.clone(), Vec::new())).collect()
}

/// The answer of a store whose messages are all there already.
///
/// # Errors
/// Where the view at hand knows an id with another content: `idempotency_mismatch` for an id derived from the
/// Idempotency-Key, `conflict` for the caller's own.
fn replayed(
    ids: &[String],
    bodies: &[MessageBody],
    known: &Knowledge,
    messages: &[NewMessage],
    after: &Frontier,
) -> Result<Option<Stored>> {
    let mut places = Vec::new();
    for ((id, body), message) in ids.iter().zip(bodies).zip(messages) {
        let mut of_id = known.present.iter().filter(|present| present.id == *id).peekable();
        if of_id.peek().is_none() {
            continue;
        }
        let same = |present: &&Present| present.digest == hex(&body.digest);
        let order = of_id.find(same).map(|present| present.order.clone());
        places.push((id.clone(), order.ok_or_else(|| taken(id, message.id.is_some()))?));
    }
    let complete = places.len() == ids.len();
    let frontier = after.joined(&known.frontier.clone().into());
    Ok(complete.then_some(Stored { places, indexed: true, replayed: true, frontier }))
}

/// An id that was deleted as far as the view at hand knows. Where it does not know, what is stored stays hidden.
fn gone(id: &str) -> Error {
    let detail = format!("message {id} was deleted and does not come back: use another id");
    Error::because(Case::Conflict, "gone", detail).at("id")
}

fn taken(id: &str, own: bool) -> Error {
    if own {
        return Error::new(Case::Conflict, format!("message {id} exists with other content"))
            .at("id");
    }
    mismatch()
}

/// Was the Idempotency-Key used with more or fewer messages? Those of one request are stored together: of the ids that
/// the key gives, all are there or none, and none beyond.
fn reused(
    ids: &[String],
    messages: &[NewMessage],
    beyond: Option<&str>,
    known: &Knowledge,
) -> bool {
    let there = |id: &str| {
        known.present.iter().any(|present| present.id == id)
            || known.deleted.iter().any(|deleted| deleted == id)
    };
    let given = ids.iter().zip(messages).filter(|(_, message)| message.id.is_none());
    let present: Vec<bool> = given.map(|(id, _)| there(id)).collect();
    beyond.is_some_and(there) || (present.contains(&true) && present.contains(&false))
}

fn mismatch() -> Error {
    let detail = "the Idempotency-Key was used with other messages: use a fresh one";
    Error::because(Case::Invalid, "idempotency_mismatch", detail).at("Idempotency-Key")
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
