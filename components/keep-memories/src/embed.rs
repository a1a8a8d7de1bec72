//! Vectors of memories on their way in. What is late or too long is embedded by the host in the background.

use holdfast_core::Scope;
use holdfast_core::message::MessageVectors;
use holdfast_kit::embedder::{self, Purpose};
use holdfast_search::Passages;

/// A memory of more chunks than this is embedded in the background.
const MAX_CHUNKS: usize = 16;
/// So is what exceeds this in one call.
const MAX_CHUNKS_OF_CALL: usize = 128;

/// Vectors of each text; empty for one that is pending.
pub async fn vectors(scope: &Scope, memories: &[&str]) -> Vec<Vec<MessageVectors>> {
    let mut texts = Vec::new();
    let plan: Vec<Option<Passages>> = memories
        .iter()
        .map(|text| {
            let mut passages = Passages::of_memory(text);
            let count = passages.ranges.len();
            let now = count > 0 && count <= MAX_CHUNKS && texts.len() + count <= MAX_CHUNKS_OF_CALL;
            now.then(|| {
                texts.append(&mut passages.texts);
                passages
            })
        })
        .collect();
    let mut all = vec![Vec::new(); memories.len()];
    if texts.is_empty() {
        return all;
    }
    if let Ok(made) = embedder::embed(scope.tenant.to_string(), Purpose::Passage, texts).await {
        let mut each = made.values.chunks_exact(made.dimensions.max(1) as usize);
        for (vectors, passages) in all.iter_mut().zip(plan) {
            let Some(passages) = passages else { continue };
            let values = each.by_ref().take(passages.ranges.len()).flatten().copied();
            vectors.push(passages.vectors(made.space.clone(), values));
        }
    }
    all
}
