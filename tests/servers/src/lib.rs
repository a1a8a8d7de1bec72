//! Real S3 servers for tests: each on free loopback ports, with an empty bucket, ended when it is dropped; and a proxy with the
//! faults that a real store and the way to it have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests use this")]

mod binary;
mod fault;
mod host;
mod process;
mod proxy;
mod rclone;
mod request;
mod rounds;
mod seaweedfs;
mod shared;
mod weather;

pub use fault::Fault;
pub use host::{Host, HostSettings};
pub use process::Server;
pub use proxy::Proxy;
pub use rclone::Rclone;
pub use rounds::{Asked, LockStep, Round};
pub use seaweedfs::SeaweedFs;
pub use shared::Shared;
pub use weather::Weather;
