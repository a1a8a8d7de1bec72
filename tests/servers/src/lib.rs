//! Real S3 servers for tests: each on free loopback ports, with an empty bucket, ended when it is dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "only tests use this")]

mod binary;
mod host;
mod process;
mod rclone;
mod request;
mod seaweedfs;
mod shared;

pub use host::{Host, HostSettings};
pub use process::Server;
pub use rclone::Rclone;
pub use seaweedfs::SeaweedFs;
pub use shared::Shared;
