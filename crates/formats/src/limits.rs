//! Limits on what a request may hold; settings with these defaults.

/// What a request of messages may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message's JSON.
    pub message_bytes: usize,
    /// Bytes of a request's body.
    pub batch_bytes: usize,
    /// Messages of a request.
    pub batch_items: usize,
    /// Nested arrays and objects of one message, itself counted.
    pub json_depth: usize,
    /// Bytes of the JSON of `metadata`.
    pub metadata_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            batch_bytes: 8 << 20,
            batch_items: 1_000,
            json_depth: 32,
            metadata_bytes: 16 << 10,
        }
    }
}
