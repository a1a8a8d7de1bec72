//! The native index: a memory of the bucket, by user, that can be thrown away at any moment.

mod near;

pub use near::{Near, NearView};
