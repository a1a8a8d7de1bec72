//! S3 over a one-method transport: signing, errors by code, retries, checks of every byte; touches no network itself.

mod address;
mod answer;
mod bucket;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod fault;
#[cfg(any(test, feature = "memory"))]
mod memory;
mod operations;
mod probe;
mod retry;
mod settings;
mod sign;
mod stats;
mod store;
mod transport;
mod versions;

pub use bucket::Bucket;
pub use fault::{Class, class};
#[cfg(any(test, feature = "memory"))]
pub use memory::{Calls, Memory, Outcome};
pub use probe::{Finding, Verdict};
pub use retry::{Budget, Next, Policy, Tried};
pub use settings::{Addressing, Settings};
pub use sign::{Signer, presign, sign};
pub use stats::Stats;
pub use store::{Store, StoreClock};
pub use transport::{Reach, Transport, TransportError};
