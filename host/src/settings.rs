//! Every limit of the runtime with its default. Durations and sizes are per request or per instance, as each says.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const MIB: usize = 1 << 20;

/// The runtime's settings. `Settings::default()` is what `holdfast up` uses without any setting.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address to listen on; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// Names that the `Host` header may carry when listening on loopback, beside `localhost`, `127.0.0.1` and `[::1]`.
    pub hosts: Vec<String>,
    /// May others than this machine read `/metrics`? Default no.
    pub metrics_public: bool,
    /// Connections open at once; more wait in the listen queue. Default 1,024.
    pub max_connections: usize,
    /// From a connection's (or the last answer's) end to the end of the next request's headers. Default 30 s.
    pub header_timeout: Duration,
    /// Between two pieces of a request's body. Default 30 s.
    pub read_timeout: Duration,
    /// Bytes of a request's body; more is 413. Default 16 MiB.
    pub max_body: u64,
    /// Routes, by their pattern in the manifest, whose requests may have more bytes, and how many. Default none.
    pub larger_bodies: BTreeMap<String, u64>,
    /// How long requests in flight may go on after a stop was asked for. Default 30 s.
    pub drain: Duration,
    /// What an instance may use.
    pub instance: InstanceLimits,
    /// How outgoing requests are made.
    pub outgoing: OutgoingSettings,
    /// Where compiled components are kept (mode 0700); none keeps nothing. Default none.
    pub cache_dir: Option<PathBuf>,
    /// Live instances of all components together, composed parts counted. Default 1,000.
    pub max_core_instances: u32,
}

/// What one component's instances may use.
#[derive(Debug, Clone)]
pub struct InstanceLimits {
    /// Bytes of linear memory of one instance, all its parts together. Default 128 MiB.
    pub memory: usize,
    /// Elements of all tables of one instance. Default 100,000.
    pub table_elements: usize,
    /// From the start of a request to its answer's head, and between two pieces of an answer's body. Default 30 s.
    pub deadline: Duration,
    /// Live instances of one component, each with one request at a time. Default 64.
    pub count: usize,
    /// Requests of one component that wait for an instance; more are 503 with `Retry-After`. Default 1,024.
    pub waiting: usize,
    /// How long a request may wait for an instance before it is 503. Default 5 s.
    pub waiting_time: Duration,
    /// An instance without a request for this long is dropped. Default 60 s.
    pub idle: Duration,
    /// An instance is dropped after this many requests. Default 100,000.
    pub reuse: u64,
}

/// How outgoing requests are made.
#[derive(Debug, Clone)]
pub struct OutgoingSettings {
    /// To connect, TLS included. Default 5 s.
    pub connect_timeout: Duration,
    /// From sending to the answer's head, unless the guest says less. Default 60 s.
    pub first_byte_timeout: Duration,
    /// An unused connection is closed after this. Default 30 s.
    pub idle: Duration,
    /// Unused connections kept per destination. Default 32.
    pub idle_per_host: usize,
    /// A body up to this size is sent a second time when a kept connection turns out dead and the method is
    /// idempotent. Default 1 MiB.
    pub replay: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            hosts: Vec::new(),
            metrics_public: false,
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            max_body: 16 * MIB as u64,
            larger_bodies: BTreeMap::new(),
            drain: Duration::from_secs(30),
            instance: InstanceLimits::default(),
            outgoing: OutgoingSettings::default(),
            cache_dir: None,
            max_core_instances: 1000,
        }
    }
}

impl Default for InstanceLimits {
    fn default() -> Self {
        Self {
            memory: 128 * MIB,
            table_elements: 100_000,
            deadline: Duration::from_secs(30),
            count: 64,
            waiting: 1024,
            waiting_time: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            reuse: 100_000,
        }
    }
}

impl Default for OutgoingSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            idle_per_host: 32,
            replay: MIB,
        }
    }
}
