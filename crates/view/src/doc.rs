//! From a message of the journal to a message of the search side.

use half::f16;
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::fold::Found;
use holdfast_core::message::{Message, MessageVectors};
use holdfast_search::{ChunkVector, Doc};

/// What is searched of a message. Everything in it is the same in every complete view.
pub(crate) fn doc(found: &Found<'_>, message: Message, vectors: Vec<ChunkVector>) -> Doc {
    let text = message.text();
    let event_time = message.event_time.as_deref().and_then(|time| parse_rfc3339(time).ok());
    let metadata = message.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Doc {
        id: found.id.clone(),
        session: found.entry.session.to_string(),
        order: found.entry.order.to_string(),
        role: message.role.name().to_owned(),
        name: message.name,
        speaker: None,
        text,
        event_time,
        stored_at: found.entry.order.hlc.milliseconds(),
        parent_id: message.parent_id,
        tool_call_id: message.tool_call_id,
        metadata,
        vectors,
    }
}

/// The embedding space whose vectors are searched.
#[derive(Debug, Clone)]
pub struct Space {
    /// Its id: `<model>/<weights>/<dimensions>/…`.
    pub id: String,
    dimensions: Option<usize>,
}

impl Space {
    /// The space with this id; its third part is the number of dimensions.
    pub fn new(id: &str) -> Self {
        let dimensions = id.split('/').nth(2).and_then(|dimensions| dimensions.parse().ok());
        Self { id: id.to_owned(), dimensions }
    }

    /// The chunks of those of `vectors` that are of this space and have its dimensions; empty when there are none.
    pub(crate) fn chunks(&self, vectors: Vec<MessageVectors>) -> Vec<ChunkVector> {
        let of_space = vectors.into_iter().filter(|vectors| vectors.space == self.id);
        // Two sets in one record: as of two copies, which one stands does not depend on the order.
        of_space.filter_map(|v| self.split(v)).min_by(|a, b| compare(a, b)).unwrap_or_default()
    }

    fn split(
        &self,
        MessageVectors { chunks, values, .. }: MessageVectors,
    ) -> Option<Vec<ChunkVector>> {
        let dimensions = values.len() / chunks.len().max(1);
        if dimensions == 0 || self.dimensions.is_some_and(|wanted| wanted != dimensions) {
            return None;
        }
        let values = values.chunks(dimensions).map(<[f16]>::to_vec);
        let chunks = chunks.into_iter().zip(values);
        Some(chunks.map(|((start, end), values)| ChunkVector { start, end, values }).collect())
    }
}

/// An order of sets of vectors, by their bits: of two copies the lower stands on every host.
pub(crate) fn compare(a: &[ChunkVector], b: &[ChunkVector]) -> std::cmp::Ordering {
    let bits = |chunks: &[ChunkVector]| -> Vec<Vec<u16>> {
        chunks.iter().map(|chunk| chunk.values.iter().map(|v| v.to_bits()).collect()).collect()
    };
    bits(a).cmp(&bits(b))
}
