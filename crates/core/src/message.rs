//! A message as its record holds it.
//!
//! The body of a message record is `{"message": {…}, "restored_from"?, "vectors"?: […]}`. `message` holds what the caller gave, and nothing
//! else: its bytes are what the digest is taken of. JSON that the caller shapes freely (blocks, metadata, extra, tool
//! calls) is kept as a *string* that holds the caller's JSON text, so that it stays the same to the byte and a record
//! stays one line (`docs/decisions/0003-callers-json-as-text.md`).

use crate::{Error, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use half::f16;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions. A privilege.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The answer of a tool.
    Tool,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::System, Role::User, Role::Assistant, Role::Tool];

    /// Name as REST and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }

    /// The role spelled `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What the caller gave: one immutable utterance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Plain text; none when there are blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// JSON text of an array of blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Display name of who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// When it was said, as the caller wrote it (RFC 3339). Never orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// JSON text of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// JSON text of an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// JSON text of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<String>,
    /// Id of the tool call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Id in the caller's own format, which several messages may share (LangChain's `data.id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The item of another format that the message came as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
}

/// An item of another format, to be given back as it came.
///
/// Where the item holds `content` literally as `content` is written here, only what stands before and after it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// `langchain` or `openai`.
    pub format: String,
    /// JSON text before the content; the whole item when `after` is none.
    pub before: String,
    /// JSON text after the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Message {
    /// A plain text, and nothing else.
    pub fn saying(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            content: Some(text.into()),
            blocks: None,
            name: None,
            parent_id: None,
            event_time: None,
            metadata: None,
            extra: None,
            tool_calls: None,
            tool_call_id: None,
            external_id: None,
            original: None,
        }
    }

    /// The text that is searched and embedded: the content, or the `text` of its blocks, one a line.
    pub fn text(&self) -> String {
        match (&self.content, &self.blocks) {
            (Some(content), _) => content.clone(),
            (None, Some(blocks)) => text_of_blocks(blocks),
            (None, None) => String::new(),
        }
    }

    /// Who speaks, for search: the name, or the role.
    pub fn speaker(&self) -> &str {
        self.name.as_deref().unwrap_or(self.role.name())
    }

    /// Ids of the tool calls that the message makes.
    pub fn tool_call_ids(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Call {
            id: String,
        }
        each(self.tool_calls.as_deref()).into_iter().map(|Call { id }| id).collect()
    }
}

/// Items of the array that `json` is, of those that have the form of `T`.
fn each<T: serde::de::DeserializeOwned>(json: Option<&str>) -> Vec<T> {
    let items: Vec<&RawValue> =
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    items.into_iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}

fn text_of_blocks(blocks: &str) -> String {
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    let items: Vec<&RawValue> = serde_json::from_str(blocks).unwrap_or_default();
    let text = |item: &RawValue| {
        let json = item.get();
        let bare = serde_json::from_str::<String>(json);
        bare.or_else(|_| serde_json::from_str(json).map(|Text { text }| text)).ok()
    };
    items.into_iter().filter_map(text).collect::<Vec<_>>().join("\n")
}

/// SHA-256 of a message's bytes in its record: with the id it is the message's identity.
pub type Digest = [u8; 32];

/// Vectors of a message in one embedding space: a chunk each.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageVectors {
    /// Id of the embedding space.
    pub space: String,
    /// Byte ranges of the searched text, one a vector.
    pub chunks: Vec<(u32, u32)>,
    /// Components, flat.
    pub values: Vec<f16>,
}

/// Components of vectors as an index part keeps them: little-endian halves, read without a copy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Halves<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl Halves<'static> {
    /// Of these components.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v f16>) -> Self {
        Self(Cow::Owned(values.into_iter().flat_map(|value| value.to_le_bytes()).collect()))
    }
}

impl Halves<'_> {
    /// The components.
    pub fn values(&self) -> Vec<f16> {
        let (halves, _) = self.0.as_chunks::<2>();
        halves.iter().map(|half| f16::from_le_bytes(*half)).collect()
    }

    /// Their bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> From<&'a [u8]> for Halves<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

#[derive(Serialize, Deserialize)]
struct VectorsAtRest {
    space: String,
    chunks: Vec<(u32, u32)>,
    f16: String,
}

#[derive(Serialize, Deserialize)]
struct BodyAtRest {
    message: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restored_from: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vectors: Vec<VectorsAtRest>,
}

/// Body of a message record, decoded.
#[derive(Debug, Clone)]
pub struct MessageBody {
    /// The caller's part, as its bytes are.
    pub text: Box<str>,
    /// The same, decoded.
    pub message: Message,
    /// Its identity, with the id.
    pub digest: Digest,
    /// Order of the deleted record that it brings back under a new id.
    pub restored_from: Option<Box<str>>,
    /// Vectors that came with it.
    pub vectors: Vec<MessageVectors>,
}

impl MessageBody {
    /// A body of a new message.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON, or when vectors do not fit their chunks.
    pub fn new(message: Message, vectors: Vec<MessageVectors>) -> Result<Self> {
        if !vectors.iter().all(|v| fits(v.values.len(), v.chunks.len())) {
            return Err(Error::internal("a message's vectors do not fit its chunks"));
        }
        let text = serde_json::to_string(&message).map_err(encoding)?.into_boxed_str();
        let digest = Sha256::digest(text.as_bytes()).into();
        Ok(Self { text, message, digest, restored_from: None, vectors })
    }

    /// The JSON of the record's body.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn encode(&self) -> Result<Box<RawValue>> {
        let body = BodyAtRest {
            message: RawValue::from_string(self.text.to_string()).map_err(encoding)?,
            restored_from: self.restored_from.clone(),
            vectors: self.vectors.iter().map(VectorsAtRest::from).collect(),
        };
        serde_json::value::to_raw_value(&body).map_err(encoding)
    }

    /// Reads the JSON of a record's body.
    ///
    /// # Errors
    /// `corrupt` when it is not the body of a message.
    pub fn decode(body: &RawValue) -> Result<Self> {
        let wrong = |e| Error::corrupt("a message's record cannot be read").caused_by(e);
        let BodyAtRest { message: raw, restored_from, vectors } =
            serde_json::from_str(body.get()).map_err(wrong)?;
        let message = serde_json::from_str(raw.get()).map_err(wrong)?;
        let digest = Sha256::digest(raw.get().as_bytes()).into();
        let vectors = vectors.into_iter().map(MessageVectors::try_from).collect::<Result<_>>()?;
        Ok(Self { text: raw.get().into(), message, digest, restored_from, vectors })
    }
}

/// Vectors of the JSON text that a record's body holds as `vectors`.
pub(crate) fn vectors_of_json(json: &str) -> Result<Vec<MessageVectors>> {
    let vectors: Vec<VectorsAtRest> = serde_json::from_str(json)
        .map_err(|e| Error::corrupt("a message's vectors cannot be read").caused_by(e))?;
    vectors.into_iter().map(MessageVectors::try_from).collect()
}

/// The JSON text that a record's body holds as `vectors`.
pub(crate) fn json_of_vectors(vectors: &[MessageVectors]) -> Result<String> {
    let at_rest: Vec<_> = vectors.iter().map(VectorsAtRest::from).collect();
    serde_json::to_string(&at_rest).map_err(encoding)
}

/// So many components are the same number of them, at least one, for each chunk.
pub(crate) fn fits(components: usize, chunks: usize) -> bool {
    chunks > 0 && components > 0 && components.is_multiple_of(chunks)
}

fn encoding(e: serde_json::Error) -> Error {
    Error::internal("a message cannot be encoded").caused_by(e)
}

impl From<&MessageVectors> for VectorsAtRest {
    fn from(vectors: &MessageVectors) -> Self {
        let bytes: Vec<u8> = vectors.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self {
            space: vectors.space.clone(),
            chunks: vectors.chunks.clone(),
            f16: STANDARD.encode(bytes),
        }
    }
}

impl TryFrom<VectorsAtRest> for MessageVectors {
    type Error = Error;

    fn try_from(at_rest: VectorsAtRest) -> Result<Self> {
        let bytes = STANDARD
            .decode(at_rest.f16)
            .map_err(|e| Error::corrupt("a vector cannot be read").caused_by(e))?;
        let (pairs, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() || !fits(pairs.len(), at_rest.chunks.len()) {
            return Err(Error::corrupt("a message's vectors do not fit its chunks"));
        }
        let values = pairs.iter().map(|pair| f16::from_le_bytes(*pair)).collect();
        Ok(Self { space: at_rest.space, chunks: at_rest.chunks, values })
    }
}
