//! Vectors of messages on their way in: the caller's own, and the embedder's for what is short enough to wait for.

use half::f16;
use holdfast_core::message::{Message, MessageVectors};
use holdfast_core::record::WriterKind;
use holdfast_core::{Error, Result, Scope, space};
use holdfast_formats::{CallerVector, NewMessage};
use holdfast_kit::State;
use holdfast_kit::embedder::{self, Purpose};
use holdfast_search::Passages;

/// A message of more chunks than this is embedded in the background: a store does not wait for a thousand chunks.
const MAX_CHUNKS: usize = 16;
/// So is what exceeds this in one call.
const MAX_CHUNKS_OF_CALL: usize = 128;

/// Vectors of each message; empty for one that is pending. An embedder that cannot be reached leaves all pending.
///
/// # Errors
/// `denied` when a key other than a service key brings vectors in a runtime's own space; `unprocessable` when
/// one has not the components that its space has. Both by the space's name, whether the embedder answers or not.
pub async fn vectors(
    state: &State,
    scope: &Scope,
    writer: WriterKind,
    messages: &[NewMessage],
) -> Result<Vec<Vec<MessageVectors>>> {
    let mut all: Vec<Vec<MessageVectors>> = Vec::new();
    let own = own_space(state, scope, writer, messages).await?;
    let mut texts = Vec::new();
    let mut plan: Vec<Option<Passages>> = Vec::new();
    for message in messages {
        let given: Vec<_> = message.embedding.iter().map(|v| given(v, &message.message)).collect();
        let has_own = given.iter().any(|vectors| Some(&vectors.space) == own.as_ref());
        all.push(given);
        plan.push(if has_own { None } else { queue(&message.message, &mut texts) });
    }
    if texts.is_empty() {
        return Ok(all);
    }
    let tenant = scope.tenant.to_string();
    if let Ok(made) = embedder::embed(tenant, Purpose::Passage, texts).await {
        let mut each = made.values.chunks_exact(made.dimensions.max(1) as usize);
        for (vectors, passages) in all.iter_mut().zip(plan) {
            let Some(passages) = passages else { continue };
            let values = each.by_ref().take(passages.ranges.len()).flatten().copied();
            vectors.push(passages.vectors(made.space.clone(), values));
        }
    }
    Ok(all)
}

fn queue(message: &Message, texts: &mut Vec<String>) -> Option<Passages> {
    let mut passages = Passages::of(message);
    let count = passages.ranges.len();
    if count == 0 || count > MAX_CHUNKS || texts.len() + count > MAX_CHUNKS_OF_CALL {
        return None;
    }
    texts.append(&mut passages.texts);
    Some(passages)
}

fn given(vector: &CallerVector, message: &Message) -> MessageVectors {
    MessageVectors {
        space: vector.space.clone(),
        chunks: vec![(0, u32::try_from(message.text().len()).unwrap_or(u32::MAX))],
        values: vector.vector.iter().copied().map(f16::from_f32).collect(),
    }
}

/// The embedder's space, where a message brings vectors and the embedder answers.
async fn own_space(
    state: &State,
    scope: &Scope,
    writer: WriterKind,
    messages: &[NewMessage],
) -> Result<Option<String>> {
    let given: Vec<&CallerVector> = messages.iter().filter_map(|m| m.embedding.as_ref()).collect();
    if given.is_empty() {
        return Ok(None);
    }
    let configured = state.settings.space();
    for vector in &given {
        // What a caller's own space is called is the caller's business.
        if vector.space == configured || space::is_runtimes(&vector.space) {
            check(vector, space::dimensions(&vector.space), writer)?;
        }
    }
    let tenant = scope.tenant.to_string();
    let Ok(made) = embedder::embed(tenant, Purpose::Passage, Vec::new()).await else {
        return Ok(None);
    };
    for vector in given.iter().filter(|vector| vector.space == made.space) {
        check(vector, Some(made.dimensions), writer)?;
    }
    Ok(Some(made.space))
}

/// Whether the writer may bring this vector in a space of a runtime.
fn check(vector: &CallerVector, dimensions: Option<u32>, writer: WriterKind) -> Result<()> {
    let space = &vector.space;
    if writer != WriterKind::Service {
        let detail = format!("only a service key may bring vectors in the space {space}");
        return Err(Error::denied(detail).at("embedding"));
    }
    match dimensions {
        Some(n) if n as usize != vector.vector.len() => {
            let detail = format!("a vector in the space {space} has {n} components");
            Err(Error::unprocessable("embedding", detail))
        }
        _ => Ok(()),
    }
}
