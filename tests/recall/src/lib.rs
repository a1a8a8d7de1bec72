//! Our own questions over our own conversations: reads them, embeds them, and measures evidence recall.

pub mod cases;
pub mod embed;
pub mod measure;
