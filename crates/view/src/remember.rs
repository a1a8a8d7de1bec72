//! What is remembered of users that are not loaded: how far they were written, so that a later load finds all of it.

use holdfast_core::record::Header;
use holdfast_core::token::{Frontier, MAX_NAMED};
use holdfast_core::{Error, Hlc, Key, Result, Scope};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Debug, Default)]
struct Trace {
    hlc: Hlc,
    leaves: BTreeSet<String>,
    used: u64,
}

/// Traces of users, the least recently used forgotten first.
#[derive(Debug)]
pub struct Memory {
    traces: HashMap<Scope, Trace>,
    by_use: BTreeMap<u64, Scope>,
    uses: u64,
    limit: usize,
}

impl Memory {
    /// Nothing yet; at most `limit` users are remembered.
    pub fn new(limit: usize) -> Self {
        Self { traces: HashMap::new(), by_use: BTreeMap::new(), uses: 0, limit }
    }

    /// An object was written. Reads its first line and the times of its records, nothing else.
    ///
    /// # Errors
    /// `corrupt` when it is not an object of a journal.
    pub fn note(&mut self, scope: &Scope, key: &Key, bytes: &[u8]) -> Result<()> {
        let (header, hlc) = skim(bytes)
            .ok_or_else(|| Error::corrupt("an object of the journal cannot be read").about(key))?;
        let trace = self.touch(scope);
        trace.hlc = trace.hlc.max(hlc);
        for named in &header.prev {
            trace.leaves.remove(named);
        }
        trace.leaves.insert(key.as_str().to_owned());
        if trace.leaves.len() > MAX_NAMED {
            trace.leaves.pop_first();
        }
        Ok(())
    }

    /// A user leaves that had been seen this far.
    pub fn keep(&mut self, scope: &Scope, frontier: Frontier) {
        let trace = self.touch(scope);
        trace.hlc = trace.hlc.max(frontier.hlc);
        trace.leaves.extend(frontier.keys);
    }

    /// How far a user was written.
    pub fn frontier(&self, scope: &Scope) -> Frontier {
        let Some(trace) = self.traces.get(scope) else { return Frontier::default() };
        let keys = trace.leaves.iter().rev().take(MAX_NAMED).cloned().collect();
        Frontier { hlc: trace.hlc, head: None, keys }
    }

    /// Every key that a load must read, whatever a list shows.
    pub fn keys(&self, scope: &Scope) -> Vec<String> {
        self.traces.get(scope).into_iter().flat_map(|trace| trace.leaves.iter().cloned()).collect()
    }

    /// The user is loaded: its view knows all this.
    pub fn forget(&mut self, scope: &Scope) {
        if let Some(trace) = self.traces.remove(scope) {
            self.by_use.remove(&trace.used);
        }
    }

    fn touch(&mut self, scope: &Scope) -> &mut Trace {
        self.uses += 1;
        let trace = self.traces.entry(scope.clone()).or_default();
        self.by_use.remove(&trace.used);
        trace.used = self.uses;
        self.by_use.insert(self.uses, scope.clone());
        if self.by_use.len() > self.limit.max(1)
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.traces.remove(&oldest);
        }
        self.traces.entry(scope.clone()).or_default()
    }
}

fn skim(bytes: &[u8]) -> Option<(Header, Hlc)> {
    #[derive(Deserialize)]
    struct Times {
        at: Hlc,
    }
    let mut lines = bytes.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
    let header = serde_json::from_slice(lines.next()?).ok()?;
    let times = lines.map(|line| serde_json::from_slice(line).ok().map(|Times { at }| at));
    Some((header, times.collect::<Option<Vec<_>>>()?.into_iter().max().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::{TenantId, UserId};

    fn scope(user: &str) -> Scope {
        Scope { tenant: TenantId::parse("t").unwrap(), user: UserId::parse(user).unwrap() }
    }

    fn object(prev: &[&str], at: u64) -> Vec<u8> {
        let prev = serde_json::to_string(prev).unwrap();
        format!("{{\"v\":1,\"prev\":{prev}}}\n{{\"v\":1,\"at\":\"{}\"}}\n", Hlc(at)).into_bytes()
    }

    #[test]
    fn what_a_later_object_names_need_not_be_named_again() {
        let mut memory = Memory::new(10);
        memory.note(&scope("u"), &Key::raw("a"), &object(&[], 7)).unwrap();
        memory.note(&scope("u"), &Key::raw("b"), &object(&[], 9)).unwrap();
        memory.note(&scope("u"), &Key::raw("c"), &object(&["a"], 8)).unwrap();
        let frontier = memory.frontier(&scope("u"));
        assert_eq!((frontier.hlc, frontier.keys), (Hlc(9), vec!["c".into(), "b".into()]));
        assert!(memory.note(&scope("u"), &Key::raw("d"), b"broken").is_err());
    }

    #[test]
    fn the_least_recently_used_is_forgotten_first() {
        let mut memory = Memory::new(2);
        for user in ["a", "b", "a", "c"] {
            memory.note(&scope(user), &Key::raw(user), &object(&[], 1)).unwrap();
        }
        assert!(memory.keys(&scope("b")).is_empty());
        assert_eq!(memory.keys(&scope("a")), ["a"]);
        memory.forget(&scope("a"));
        assert!(memory.keys(&scope("a")).is_empty());
    }
}
