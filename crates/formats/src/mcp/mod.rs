//! MCP, the Model Context Protocol: its JSON-RPC messages ⇄ requests to our own routes, without I/O.
//!
//! Both generations: revision 2026-07-28, where each request says its revision itself, and the older ones, which begin
//! with `initialize`. What each tool and resource asks of which route is a table: `tools.json`, `resources.rs`.

mod fault;
mod message;
mod reply;
mod resources;
mod revision;
mod route;
mod tools;

pub use fault::Fault;
pub use message::Message;
pub use reply::{About, Cache, Reply};
pub use resources::{Read, templates};
pub use revision::{HANDSHAKE, Revision, STATELESS};
pub use route::Asked;
pub use tools::{ToolCall, tools};
