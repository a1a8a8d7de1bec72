//! The native ports: HTTP by reqwest, the machine's clock, the system's randomness, a cache on the machine's disk.

mod cache;
mod streaming;
mod system;
mod traffic;
mod transport;

pub use cache::{Cache, CacheStats, Cached};
pub use streaming::{Pieces, Streaming};
pub use system::{SystemClock, SystemIds};
pub use traffic::{Period, Traffic, traffic};
pub use transport::{Limits, ReqwestTransport};

/// The bucket as the native host reaches it.
pub type Bucket = holdfast_objects::Store<ReqwestTransport, SystemClock, SystemIds>;

/// A bucket with `settings`. Sends nothing; call it inside a tokio runtime.
///
/// # Errors
/// `invalid`, naming the setting at fault.
pub fn bucket(settings: holdfast_objects::Settings) -> holdfast_core::Result<Bucket> {
    let transport = ReqwestTransport::new(Limits::default())?;
    Bucket::new(settings, transport, SystemClock, SystemIds)
}
