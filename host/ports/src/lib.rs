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

use holdfast_objects::{Budget, Settings};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The bucket as the native host reaches it.
pub type Bucket = holdfast_objects::Store<ReqwestTransport, SystemClock, SystemIds>;

/// A bucket with `settings`. Sends nothing; call it inside a tokio runtime. All that this process opens with the same endpoint,
/// bucket and access key id share one [`Budget`]: the first of them says how many retries are in its burst.
///
/// # Errors
/// `invalid`, naming the setting at fault.
pub fn bucket(settings: Settings) -> holdfast_core::Result<Bucket> {
    let settings = settings.check()?;
    let transport = ReqwestTransport::new(Limits::default())?;
    Bucket::sharing(budget(&settings), settings, transport, SystemClock, SystemIds)
}

/// The budget of all in this process that ask this bucket with this key.
fn budget(settings: &Settings) -> Budget {
    type Budgets = BTreeMap<[String; 3], Budget>;
    static BUDGETS: Mutex<Budgets> = Mutex::new(BTreeMap::new());
    let Settings { endpoint, bucket, access_key, policy, .. } = settings;
    let client = [endpoint, bucket, access_key].map(String::clone);
    let mut budgets = BUDGETS.lock().unwrap_or_else(PoisonError::into_inner);
    budgets.entry(client).or_insert_with(|| Budget::new(policy.burst)).clone()
}
