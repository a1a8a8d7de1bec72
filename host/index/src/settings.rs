//! What the host may set.

use holdfast_core::erase::Ledger;
use std::time::Duration;

/// Settings of the index.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that hold users; each user is on exactly one of them.
    pub shards: usize,
    /// Embedding space whose vectors are searched.
    pub space: String,
    /// Where erases of users are recorded; without it only those are known that users' journals hold.
    pub ledger: Option<Ledger>,
    /// Messages of all users are kept for so many days at most; 0 is for ever.
    pub retention_days: u32,
    /// This host is the only writer of its bucket: nothing is listed after a user's load.
    pub single_host: bool,
    /// Users leave, least recently used first, above so many bytes (`index_memory`).
    pub memory: usize,
    /// A request waits so long for its user's load; the load goes on.
    pub load_deadline: Duration,
    /// So many users of one tenant load at once; who comes then is `exhausted`. 0 is without limit.
    pub tenant_loads: usize,
    /// A loaded user's tail is polled this often after something was found.
    pub poll_first: Duration,
    /// And at least this often.
    pub poll_last: Duration,
    /// Nobody asked about a user for so long: its tail is not polled in the background.
    pub idle: Duration,
    /// Users that are not loaded and of whom it is remembered what was written.
    pub remembered: usize,
    /// From so many bytes of segments on the first sessions of a user who is not loaded are read alone.
    pub glance_from: u64,
    /// From so many vectors of one user on, a graph is built beside the scan.
    pub graph_from: usize,
}

impl Settings {
    /// The defaults, for vectors of `space`.
    pub fn new(space: impl Into<String>) -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            space: space.into(),
            ledger: None,
            retention_days: 0,
            single_host: false,
            memory: 2 << 30,
            load_deadline: Duration::from_secs(5),
            tenant_loads: 64,
            poll_first: Duration::from_secs(2),
            poll_last: Duration::from_secs(60),
            idle: Duration::from_secs(600),
            remembered: 10_000,
            glance_from: 2 << 20,
            graph_from: 200_000,
        }
    }
}
