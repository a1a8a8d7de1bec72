//! Many reads at once, and whole lists.

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::{Case, Error, Key, Prefix, Result};

/// Reads that are under way at a time.
const GETS_AT_ONCE: usize = 16;
/// As many where all are [small](SMALL): mostly all of a tail that is not sealed yet, in one round.
const SMALL_AT_ONCE: usize = 64;
/// Bytes of an object of which many are read at once: together less than as many large ones as are read at once.
pub(crate) const SMALL: u64 = 1 << 20;

/// What became of one read.
pub(crate) type Got = (Key, Result<Bytes>);

/// Reads objects by name, many at a time, more where they are `small`, in whatever order they come. One that is not there
/// is `not_yet_visible`.
pub(crate) fn each(objects: &impl Objects, keys: Vec<Key>, small: bool) -> impl Stream<Item = Got> {
    let gets = keys.into_iter().map(async move |key| {
        let got = get(objects, &key).await;
        (key, got)
    });
    stream::iter(gets).buffer_unordered(if small { SMALL_AT_ONCE } else { GETS_AT_ONCE })
}

/// Reads objects by name; the answers in the order of the keys.
///
/// # Errors
/// Of a store that cannot be reached; what concerns one object is its own.
pub(crate) async fn all(objects: &impl Objects, keys: Vec<Key>) -> Result<Vec<Got>> {
    let mut got: Vec<Got> = Vec::with_capacity(keys.len());
    let mut reads = std::pin::pin!(each(objects, keys, false));
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
fn passing<T>(one: Result<T>) -> Result<Result<T>> {
    match one {
        Err(error) if !concerns_one(&error) => Err(error),
        one => Ok(one),
    }
}

pub(crate) fn unseen(key: &Key) -> Error {
    let detail = format!("the store does not show {key} yet, which is named: try again");
    Error::because(Case::Unavailable, "not_yet_visible", detail)
}
