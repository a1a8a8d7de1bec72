//! How a request can fail inside the host, and what the caller is told.

use holdfast_core::error::{Case, Error};
use std::fmt;
use std::time::Duration;

/// Why the host answers instead of the component.
#[derive(Debug)]
pub enum Failure {
    /// All instances are busy and enough requests wait.
    Busy,
    /// No answer, or no progress of its body, within this time.
    Deadline(Duration),
    /// The component asked for more memory than this many bytes, then gave up.
    Memory(usize),
    /// The component trapped (a panic is a trap).
    Trap(wasmtime::Error),
    /// The component returned an error code instead of an answer.
    ErrorCode(wasmtime::Error),
    /// The request's body has more bytes than this.
    TooLarge(u64),
    /// The request's body stopped coming.
    Stalled,
    /// No instance could be made.
    Instance(wasmtime::Error),
}

impl Failure {
    /// Short name for metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Failure::Busy => "busy",
            Failure::Deadline(_) => "deadline",
            Failure::Memory(_) => "memory",
            Failure::Trap(_) => "trap",
            Failure::ErrorCode(_) => "error-code",
            Failure::TooLarge(_) => "too-large",
            Failure::Stalled => "stalled",
            Failure::Instance(_) => "instance",
        }
    }

    /// May the component have done something before it failed?
    pub fn may_have_run(&self) -> bool {
        !matches!(
            self,
            Failure::Busy | Failure::Instance(_) | Failure::TooLarge(_) | Failure::Stalled
        )
    }

    /// What the caller is told. `writes` says whether the method may have changed something.
    ///
    /// A request that ran out of time or instances is 503 (it may be repeated); of a write that ran, nobody knows
    /// whether it happened. A trap and memory are 500: repeating will not help.
    pub fn error(&self, component: &str, writes: bool) -> Error {
        let unknown = if writes { "; it is not known whether it took effect" } else { "" };
        match self {
            Failure::Busy => {
                Error::unavailable(format!("component {component} is busy: repeat later"))
            }
            Failure::Deadline(after) => {
                let detail =
                    format!("component {component} did not answer within {after:?}{unknown}");
                let reason = if writes { "outcome_unknown" } else { "unavailable" };
                Error::because(Case::Unavailable, reason, detail)
            }
            Failure::Memory(limit) => Error::internal(format!(
                "component {component} needed more than its {} MiB of memory{unknown}",
                limit >> 20
            )),
            Failure::Trap(_) => {
                Error::internal(format!("component {component} stopped with an error{unknown}"))
            }
            Failure::ErrorCode(_) => {
                Error::internal(format!("component {component} gave no answer{unknown}"))
            }
            Failure::TooLarge(limit) => Error::because(
                Case::Invalid,
                "too_large",
                format!("the body is larger than {limit} bytes: send it in parts"),
            ),
            Failure::Stalled => Error::invalid("the body stopped before its end: send it again"),
            Failure::Instance(_) => Error::unavailable(format!(
                "component {component} has no room to run: repeat later"
            )),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Trap(e) | Failure::ErrorCode(e) | Failure::Instance(e) => {
                write!(f, "{}: {e:#}", self.name())
            }
            _ => f.write_str(self.name()),
        }
    }
}

impl std::error::Error for Failure {}
