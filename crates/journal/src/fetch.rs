//! Many reads at once, and whole lists.

use crate::heads::ulid;
use bytes::Bytes;
use futures::stream::{self, FuturesUnordered, Stream, StreamExt};
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::{Case, Error, Key, Prefix, Result};

/// Reads that are under way at a time: what a journal of a thousand small objects takes is that many waits fewer.
const GETS_AT_ONCE: usize = 192;
/// Bytes of what is read at a time, where more than one object is.
const BYTES_AT_ONCE: u64 = 8 << 20;
/// What an object is taken to be that no list told the size of.
const ASSUMED: u64 = BYTES_AT_ONCE / 16;

/// An object to be read.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub key: Key,
    /// As far as it is known.
    pub bytes: u64,
}

impl From<Key> for Wanted {
    fn from(key: Key) -> Self {
        Self { key, bytes: ASSUMED }
    }
}

/// A listed object under a name of ours.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub key: Key,
    pub bytes: u64,
    pub modified: u64,
}

impl Seen {
    /// None of what lies elsewhere, or has no ULID and hash in its name.
    pub(crate) fn of(prefix: &Prefix, one: &Listed) -> Option<Self> {
        let key = Key::below(prefix, &one.key)?;
        ulid(&key).and(key.hash())?;
        Some(Self { key, bytes: one.size, modified: one.modified })
    }
}

/// What became of one read.
pub(crate) type Got = (Key, Result<Bytes>);

/// Reads objects by name, as many at a time as their sizes allow, in whatever order they come. One that is not there is
/// `not_yet_visible`.
pub(crate) fn each(
    objects: &impl Objects,
    wanted: impl IntoIterator<Item: Into<Wanted>>,
) -> impl Stream<Item = Got> {
    let waiting = wanted.into_iter().map(Into::<Wanted>::into).peekable();
    let begun = (waiting, FuturesUnordered::new(), 0_u64);
    stream::unfold(begun, move |(mut waiting, mut reads, mut bytes)| async move {
        loop {
            let fits = |next: &Wanted| {
                let room = reads.len() < GETS_AT_ONCE && bytes + next.bytes <= BYTES_AT_ONCE;
                room || reads.is_empty()
            };
            let Some(Wanted { key, bytes: size }) = waiting.next_if(fits) else { break };
            bytes += size;
            reads.push(async move {
                let got = get(objects, &key).await;
                (size, (key, got))
            });
        }
        let (size, got) = reads.next().await?;
        Some((got, (waiting, reads, bytes - size)))
    })
}

/// Reads objects by name; the answers in the order of the keys.
///
/// # Errors
/// Of a store that cannot be reached; what concerns one object is its own.
pub(crate) async fn all(
    objects: &impl Objects,
    wanted: impl IntoIterator<Item: Into<Wanted>>,
) -> Result<Vec<Got>> {
    let mut got: Vec<Got> = Vec::new();
    let mut reads = std::pin::pin!(each(objects, wanted));
    while let Some((key, one)) = reads.next().await {
        got.push((key, passing(one)?));
    }
    got.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(got)
}

/// One object. One that is not there is `not_yet_visible`.
pub(crate) async fn get(objects: &impl Objects, key: &Key) -> Result<Bytes> {
    objects.get(key).await?.ok_or_else(|| unseen(key))
}

/// The whole list below a prefix.
pub(crate) async fn list(objects: &impl Objects, prefix: &Prefix) -> Result<Vec<Listed>> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = objects.list(prefix, after.as_deref()).await?;
        all.extend(page.objects);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Other objects may still be readable.
pub(crate) fn concerns_one(error: &Error) -> bool {
    error.case == Case::Corrupt || error.reason == "not_yet_visible"
}

/// What concerns one object stays its own, anything else ends the whole.
pub(crate) fn passing<T>(one: Result<T>) -> Result<Result<T>> {
    match one {
        Err(error) if !concerns_one(&error) => Err(error),
        one => Ok(one),
    }
}

pub(crate) fn unseen(key: &Key) -> Error {
    let detail = format!("the store does not show {key} yet, which is named: try again");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
