//! The keys of one bucket in byte order, in memory, so that LIST is exact and never reads files.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use crate::head::{Etag, Head};

/// What LIST says of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    /// Bytes of the body.
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) modified: u64,
    /// The object's ETag.
    pub(crate) etag: Etag,
}

impl From<&Head> for Entry {
    fn from(head: &Head) -> Self {
        Self { size: head.size, modified: head.modified, etag: head.etag }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Position {
    /// At the first key.
    Start,
    /// Behind this key.
    After(String),
    /// At this string or the first key above it.
    From(String),
}

/// What a page is asked to hold.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// Only keys that begin with this.
    pub(crate) prefix: &'a str,
    /// Keys that share what comes before it, behind the prefix, become one item.
    pub(crate) delimiter: Option<&'a str>,
    /// Where to begin.
    pub(crate) position: Position,
    /// Items at most.
    pub(crate) max: usize,
}

/// One line of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// An object.
    Object(String, Entry),
    /// A prefix that one or more keys share.
    Prefix(String),
}

/// A page of a listing.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    /// Its lines, in byte order.
    pub(crate) items: Vec<Item>,
    /// Where the next page begins; none when this is the last.
    pub(crate) next: Option<Position>,
}

/// The keys of a bucket.
#[derive(Debug, Default)]
pub(crate) struct Index {
    keys: RwLock<BTreeMap<Box<str>, Entry>>,
}

impl Index {
    /// An index of what was found on disk.
    pub(crate) fn from_entries(entries: Vec<(Box<str>, Entry)>) -> Self {
        Self { keys: RwLock::new(entries.into_iter().collect()) }
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<Entry> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// Adds or replaces a key.
    pub(crate) fn insert(&self, key: &str, entry: Entry) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(key.into(), entry);
    }

    /// Takes a key out.
    pub(crate) fn remove(&self, key: &str) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Whether there is no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// One page; its cost follows the page's length, not the bucket's.
    pub(crate) fn page(&self, query: &Query<'_>) -> Page {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut items = Vec::new();
        let mut position = query.position.clone();
        while let Some((key, entry)) = keys.range::<str, _>(bounds(query.prefix, &position)).next()
        {
            if !key.starts_with(query.prefix) {
                break;
            }
            if items.len() >= query.max {
                return Page { items, next: Some(position).filter(|_| query.max > 0) };
            }
            match shared_prefix(key, query) {
                None => {
                    position = Position::After(key.to_string());
                    items.push(Item::Object(key.to_string(), *entry));
                }
                Some(shared) => {
                    let behind = behind(shared);
                    items.push(Item::Prefix(shared.to_owned()));
                    let Some(behind) = behind else { break };
                    position = Position::From(behind);
                }
            }
        }
        Page { items, next: None }
    }
}

fn bounds<'a>(prefix: &'a str, position: &'a Position) -> (Bound<&'a str>, Bound<&'a str>) {
    let lower = match position {
        Position::After(key) if key.as_str() >= prefix => Bound::Excluded(key.as_str()),
        Position::From(key) if key.as_str() >= prefix => Bound::Included(key.as_str()),
        _ => Bound::Included(prefix),
    };
    (lower, Bound::Unbounded)
}

/// The part of a key up to and with the first delimiter behind the query's prefix.
pub(crate) fn shared_prefix<'k>(key: &'k str, query: &Query<'_>) -> Option<&'k str> {
    let delimiter = query.delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(query.prefix)?;
    let at = rest.find(delimiter)?;
    key.get(..query.prefix.len() + at + delimiter.len())
}

/// The least string above every string that begins with `prefix`; none where there is none.
pub(crate) fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // UTF-8 sorts as its code points do, so the next character is enough.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}
