//! An object store in memory for tests: ordered, strict about keys, with the faults that S3 stores have.

use bytes::Bytes;
use holdfast_core::clock::Skew;
use holdfast_core::key::hash32;
use holdfast_core::ports::{Listed, Objects, Page};
use holdfast_core::{Case, Error, Key, Prefix, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What becomes of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, and answered.
    Done,
    /// Stored, but the answer is lost: `outcome_unknown`.
    LostAnswer,
    /// Not stored, and the answer is lost: `outcome_unknown`.
    LostRequest,
    /// Not stored, and the caller knows it: `store_unavailable`.
    Refused,
}

/// Calls so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// `put`.
    pub puts: u64,
    /// `get` and `get_range`.
    pub gets: u64,
    /// `list`.
    pub lists: u64,
    /// `delete`.
    pub deletes: u64,
}

/// An object store in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug)]
struct State {
    objects: BTreeMap<String, (Bytes, u64)>,
    hidden: BTreeSet<String>,
    outcomes: VecDeque<Outcome>,
    unreachable: bool,
    calls: Calls,
    now: u64,
    page: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            hidden: BTreeSet::new(),
            outcomes: VecDeque::new(),
            unreachable: false,
            calls: Calls::default(),
            now: 0,
            page: 1000,
        }
    }
}

impl Memory {
    /// An empty store whose clock stands at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time that the store gives to what is written from now on.
    pub fn set_now(&self, milliseconds: u64) {
        self.state().now = milliseconds;
    }

    /// Sets how many objects a page of a list has; 1000 at first.
    pub fn set_page(&self, objects: usize) {
        self.state().page = objects.max(1);
    }

    /// Leaves a key out of lists, as a store may that promises nothing of them. Reading it by name goes on.
    pub fn hide(&self, key: &str) {
        self.state().hidden.insert(key.to_owned());
    }

    /// Lists every key again.
    pub fn unhide_all(&self) {
        self.state().hidden.clear();
    }

    /// What becomes of the next PUTs, one each; later ones are done.
    pub fn next_puts(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.state().outcomes.extend(outcomes);
    }

    /// Every call fails with `store_unavailable` and does nothing, until this is set to `false`.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// Flips a bit of a stored object.
    pub fn damage(&self, key: &str) {
        if let Some((bytes, _)) = self.state().objects.get_mut(key) {
            let mut damaged = bytes.to_vec();
            damaged.iter_mut().take(1).for_each(|byte| *byte ^= 1);
            *bytes = damaged.into();
        }
    }

    /// Calls so far, those that failed included.
    pub fn calls(&self) -> Calls {
        self.state().calls
    }

    /// Every key that is stored, hidden or not.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; an error while the store cannot be reached.
    fn enter(&self, count: impl Fn(&mut Calls)) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        count(&mut state.calls);
        if state.unreachable { Err(unavailable("store_unavailable")) } else { Ok(state) }
    }
}

fn unavailable(reason: &'static str) -> Error {
    Error::because(Case::Unavailable, reason, "the object store cannot be reached now: try again")
}

impl Objects for Memory {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<()> {
        let mut state = self.enter(|calls| calls.puts += 1)?;
        if key.hash().is_some_and(|hash| hash != hash32(&bytes)) {
            return Err(Error::internal(format!("object {key} is named for other bytes")));
        }
        let outcome = state.outcomes.pop_front().unwrap_or(Outcome::Done);
        if matches!(outcome, Outcome::Done | Outcome::LostAnswer) {
            let now = state.now;
            state.objects.insert(key.as_str().to_owned(), (bytes, now));
        }
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Refused => Err(unavailable("store_unavailable")),
            Outcome::LostAnswer | Outcome::LostRequest => Err(unavailable("outcome_unknown")),
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let state = self.enter(|calls| calls.gets += 1)?;
        let Some((bytes, _)) = state.objects.get(key.as_str()) else { return Ok(None) };
        match key.hash() {
            Some(hash) if hash != hash32(bytes) => {
                Err(Error::corrupt(format!("object {key} is not what was written")))
            }
            _ => Ok(Some(bytes.clone())),
        }
    }

    async fn get_range(&self, key: &Key, start: u64, length: u64) -> Result<Option<Bytes>> {
        let state = self.enter(|calls| calls.gets += 1)?;
        Ok(state.objects.get(key.as_str()).map(|(bytes, _)| {
            let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
            bytes.slice(at(start)..at(start.saturating_add(length)))
        }))
    }

    async fn list(&self, prefix: &Prefix, after: Option<&str>) -> Result<Page> {
        let state = self.enter(|calls| calls.lists += 1)?;
        let start = match after {
            Some(after) if after >= prefix.as_str() => Bound::Excluded(after),
            _ => Bound::Included(prefix.as_str()),
        };
        let mut objects: Vec<Listed> = state
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix.as_str()))
            .filter(|(key, _)| !state.hidden.contains(*key))
            .take(state.page + 1)
            .map(|(key, (bytes, modified))| Listed {
                key: key.clone(),
                size: bytes.len() as u64,
                modified: *modified,
            })
            .collect();
        let more = objects.len() > state.page;
        objects.truncate(state.page);
        let next = objects.last().filter(|_| more).map(|last| last.key.clone());
        Ok(Page { objects, next })
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.enter(|calls| calls.deletes += 1)?.objects.remove(key.as_str());
        Ok(())
    }

    fn skew(&self) -> Skew {
        Skew::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    fn run(claim: impl AsyncFnOnce(&Memory)) {
        block_on(claim(&Memory::new()));
    }

    crate::conformance!(run);

    #[test]
    fn a_hidden_key_is_read_by_name_and_not_listed() {
        run(async |memory| {
            memory.put(&Key::raw("p/a"), Bytes::from_static(b"x")).await.unwrap();
            memory.hide("p/a");
            assert!(memory.list(&Prefix::raw("p/"), None).await.unwrap().objects.is_empty());
            assert!(memory.get(&Key::raw("p/a")).await.unwrap().is_some());
        });
    }

    #[test]
    fn a_lost_answer_is_stored_and_a_lost_request_is_not_and_both_are_unknown() {
        run(async |memory| {
            memory.next_puts([Outcome::LostAnswer, Outcome::LostRequest]);
            for name in ["a", "b"] {
                let error = memory.put(&Key::raw(name), Bytes::new()).await.unwrap_err();
                assert_eq!(error.reason, "outcome_unknown");
            }
            assert_eq!(memory.keys(), ["a"]);
        });
    }
}
