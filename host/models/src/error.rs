//! What can go wrong between a text and its vector.

use std::fmt;

use crate::files::FileFault;

/// Why there is no vector.
#[derive(Debug)]
pub enum ModelError {
    /// A file of the model is missing, unreadable or not the trusted one.
    File(FileFault),
    /// The tokenizer refused; never because of a text's content.
    Tokenizer(Box<dyn std::error::Error + Send + Sync>),
    /// The weights do not have the shapes that this engine knows.
    Misshapen,
    /// Too many jobs wait; the same call may succeed later.
    Busy,
    /// The caller's deadline passed first.
    Deadline,
    /// The engine itself broke on a text; others are not touched.
    Failed,
    /// The pool was shut down, or its threads cannot be started.
    Stopped,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(fault) => fault.fmt(f),
            Self::Tokenizer(_) => {
                f.write_str("the model's tokenizer cannot be used: fetch the model again")
            }
            Self::Misshapen => {
                f.write_str("the model's weights are of another model: fetch the model again")
            }
            Self::Busy => f.write_str("too many texts wait to be embedded: try again later"),
            Self::Deadline => {
                f.write_str("embedding took longer than the caller's deadline: try again later")
            }
            Self::Failed => f.write_str("the embedder broke on this text: report it"),
            Self::Stopped => f.write_str("the embedder has stopped: start the host again"),
        }
    }
}

impl std::error::Error for ModelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(fault) => fault.source(),
            Self::Tokenizer(source) => Some(source.as_ref()),
            Self::Misshapen | Self::Busy | Self::Deadline | Self::Failed | Self::Stopped => None,
        }
    }
}

impl From<FileFault> for ModelError {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}
