//! Our own questions over our own conversations: reads the cases, embeds them, measures evidence recall.
