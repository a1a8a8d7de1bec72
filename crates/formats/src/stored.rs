//! A stored message with what the server knows about it.

use holdfast_core::Order;
use holdfast_core::clock::rfc3339;
use holdfast_core::fold::Found;
use holdfast_core::message::Message;

/// A message as a reader of its session sees it.
#[derive(Debug, Clone)]
pub struct Stored<'a> {
    /// Its id in this view.
    pub id: &'a str,
    /// The id that it was stored with, when another message has it.
    pub conflict_of: Option<&'a str>,
    /// Its place in its session, from 1.
    pub index: u32,
    /// Its order.
    pub order: Order,
    /// Order of the deleted message that it brings back.
    pub restored_from: Option<&'a str>,
    /// What the caller gave.
    pub message: &'a Message,
}

impl<'a> Stored<'a> {
    /// A message of a view, with its decoded text.
    pub fn new(found: &'a Found<'a>, message: &'a Message) -> Self {
        Self {
            id: &found.id,
            conflict_of: found.conflict_of,
            index: found.rank,
            order: found.entry.order,
            restored_from: found.entry.restored_from.as_deref(),
            message,
        }
    }

    /// When it was stored, RFC 3339.
    pub fn stored_at(&self) -> String {
        rfc3339(self.order.hlc.milliseconds())
    }
}
