//! Which request has which fault: by a script first, else by a rate, from a seed.

use crate::fault::{Fault, is_list};
use http::{Method, Request};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// What the way to the server is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weather {
    /// Every request is answered.
    Calm,
    /// So many of all requests, from 0 to 1, have a fault, each kind as often as another.
    Faults(f64),
    /// Nothing comes through: every connection is reset.
    Outage,
    /// Every request has this fault, which must be one that can strike each of them.
    Refuses(Fault),
    /// So many more writes are done. The last of them is not answered, and nothing is after it.
    Ends(u32),
}

/// Decides, and keeps count.
pub(crate) struct Forecast {
    rng: StdRng,
    pub weather: Weather,
    pub script: VecDeque<Fault>,
    pub requests: u64,
    pub struck: BTreeMap<Fault, u64>,
    digests: HashSet<String>,
}

impl Forecast {
    /// Calm, with no script. The same seed gives the same faults to the same requests in the same order.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            weather: Weather::Calm,
            script: VecDeque::new(),
            requests: 0,
            struck: BTreeMap::new(),
            digests: HashSet::new(),
        }
    }

    /// The fault of this request, if it has one.
    pub(crate) fn draw<B>(&mut self, request: &Request<B>) -> Option<Fault> {
        self.requests += 1;
        let fault = self.scripted(request).or_else(|| match self.weather {
            Weather::Calm => None,
            Weather::Outage => Some(Fault::ResetBefore),
            Weather::Refuses(fault) => Some(fault),
            Weather::Faults(rate) => self.rng.random_bool(rate).then(|| self.any(request)),
            Weather::Ends(0) => Some(Fault::LostRequest),
            Weather::Ends(left) => {
                let write = [Method::PUT, Method::DELETE].contains(request.method());
                let left = left - u32::from(write);
                self.weather = Weather::Ends(left);
                (left == 0).then_some(Fault::LostAnswer)
            }
        })?;
        if fault == Fault::BadDigest {
            self.digests.insert(request.uri().path().to_owned());
        }
        *self.struck.entry(fault).or_default() += 1;
        Some(fault)
    }

    fn scripted<B>(&mut self, request: &Request<B>) -> Option<Fault> {
        let next = self.script.front()?;
        if next.strikes(request.method(), is_list(request)) {
            self.script.pop_front()
        } else {
            None
        }
    }

    fn any<B>(&mut self, request: &Request<B>) -> Fault {
        let list = is_list(request);
        let again = self.digests.contains(request.uri().path());
        let fitting: Vec<_> = Fault::ALL
            .into_iter()
            .filter(|fault| fault.strikes(request.method(), list))
            .filter(|fault| *fault != Fault::BadDigest || !again)
            .collect();
        *fitting.choose(&mut self.rng).expect("some fault fits every request")
    }
}
