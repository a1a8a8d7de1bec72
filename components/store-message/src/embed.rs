//! Vectors of messages on their way in: the caller's own, and the embedder's for what is short enough to wait for.

use half::f16;
use holdfast_core::message::{Message, MessageVectors};
use holdfast_core::record::WriterKind;
use holdfast_core::{Error, Result, Scope};
use holdfast_formats::{CallerVector, NewMessage};
use holdfast_kit::embedder::{self, Purpose};
use holdfast_search::Passages;

/// A message of more chunks than this is embedded in the background: a store does not wait for a thousand chunks.
const MAX_CHUNKS: usize = 16;
/// So is what exceeds this in one call.
const MAX_CHUNKS_OF_CALL: usize = 128;

/// Vectors of each message; empty for one that is pending. An embedder that cannot be reached leaves all pending.
///
/// # Errors
/// `denied` when a key other than a service key brings vectors in the runtime's own space; `unprocessable` when
/// one has not that space's dimensions.
pub async fn vectors(
    scope: &Scope,
    writer: WriterKind,
    messages: &[NewMessage],
) -> Result<Vec<Vec<MessageVectors>>> {
    let mut all: Vec<Vec<MessageVectors>> = Vec::new();
    let own = own_space(scope, writer, messages).await?;
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

/// The runtime's own space, where a message brings vectors: only a service key may bring them in it.
async fn own_space(
    scope: &Scope,
    writer: WriterKind,
    messages: &[NewMessage],
) -> Result<Option<String>> {
    if messages.iter().all(|message| message.embedding.is_none()) {
        return Ok(None);
    }
    let tenant = scope.tenant.to_string();
    let Ok(made) = embedder::embed(tenant, Purpose::Passage, Vec::new()).await else {
        return Ok(None);
    };
    for vector in messages.iter().filter_map(|m| m.embedding.as_ref()) {
        if vector.space != made.space {
            continue;
        }
        if writer != WriterKind::Service {
            let detail =
                format!("only a service key may bring vectors in the space {}", made.space);
            return Err(Error::denied(detail).at("embedding"));
        }
        if vector.vector.len() != made.dimensions as usize {
            let detail = format!("a vector in the space {} has {}", made.space, made.dimensions);
            return Err(Error::unprocessable("embedding", detail + " components"));
        }
    }
    Ok(Some(made.space))
}
