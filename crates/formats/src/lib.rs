//! Bytes of the outside world ⇄ core nouns, without I/O: Holdfast's own REST form, LangChain's and OpenAI's arrays.
//!
//! Each format has `read` (a request's body into a [`Batch`], every bad item listed) and a writer of stored messages.
//! What came by another system's format is given back as it came, to the byte.

pub mod anonymize;
mod batch;
mod body;
mod calls;
pub mod entity;
pub mod generate;
mod json;
pub mod langchain;
mod limits;
pub mod mcp;
mod memory;
mod object;
pub mod openai;
mod original;
mod problem;
pub mod rest;
mod stored;
pub mod training;

pub use batch::{Batch, CallerVector, NewMessage};
pub use body::Body;
pub use limits::Limits;
pub use memory::{
    GivenMemory, GivenSource, MEMORY, StoredMemory, StoredVersion, memory_json, read_memory,
    version_json,
};
pub use problem::{Problem, Problems};
pub use stored::Stored;
