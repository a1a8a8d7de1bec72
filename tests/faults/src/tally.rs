//! What clients that never give up were promised, and what became of it: acknowledged, lost, doubled.

use crate::{Api, Call, Item, history};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(120);

/// A call that was acknowledged.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// What was stored.
    pub call: Call,
    /// The orders that were answered.
    pub orders: Vec<String>,
    /// So many times it was sent.
    pub tries: u32,
}

/// Sends a call, with the same ids, until it is acknowledged; `None` when the host is gone.
///
/// # Panics
/// For an answer that is neither 201 nor 503, and after two minutes.
pub async fn insist(api: &Api, call: &Call) -> Option<Acknowledged> {
    let begun = Instant::now();
    for tries in 1.. {
        let answer = api.post(&call.path(), &call.body(), None).await.ok()?;
        if answer.status == 201 {
            let json = answer.json();
            let places = json["messages"].as_array().expect("places");
            let order = |place: &serde_json::Value| place["order"].as_str().map(str::to_owned);
            let orders: Vec<String> = places.iter().filter_map(order).collect();
            assert_eq!(orders.len(), call.messages.len(), "{json}");
            return Some(Acknowledged { call: call.clone(), orders, tries });
        }
        assert!(answer.status == 503 && begun.elapsed() < PATIENCE, "after {tries}: {answer:?}");
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// Sums over all sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were acknowledged.
    pub acknowledged: usize,
    /// Acknowledged messages that are not there, or not as they were sent.
    pub lost: usize,
    /// Messages that are there more than once, as they are or as a conflict.
    pub doubled: usize,
    /// Acknowledged messages whose place is later than what was answered, or for a call that was sent once another.
    pub moved: usize,
    /// Messages that nobody sent.
    pub strange: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, doubled, moved, strange } = self;
        write!(
            f,
            "acknowledged {acknowledged}, lost {lost}, doubled {doubled}, moved {moved}, strange {strange}"
        )
    }
}

impl Tally {
    /// Reads every session of `sent` and compares it with what was promised.
    ///
    /// # Panics
    /// When two reads differ, and when a session is not in order.
    pub async fn take(api: &Api, sent: &[Call], promised: &[Acknowledged]) -> Self {
        let mut tally = Self::default();
        let mut sessions: BTreeMap<(&str, &str), Vec<&Call>> = BTreeMap::new();
        for call in sent {
            sessions.entry((&call.user, &call.session)).or_default().push(call);
        }
        for ((user, session), sent) in sessions {
            let (items, texts) = history(api, user, session, None, "latest").await;
            let (_, again) = history(api, user, session, None, "latest").await;
            assert_eq!(texts, again, "{user} {session}: two reads differ");
            in_order(&items);
            let promised = promised
                .iter()
                .filter(|one| (&*one.call.user, &*one.call.session) == (user, session));
            tally.count(&items, &sent, promised);
        }
        tally
    }

    fn count<'a>(
        &mut self,
        items: &[Item],
        sent: &[&Call],
        promised: impl Iterator<Item = &'a Acknowledged>,
    ) {
        let mut found: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in items {
            let id = item.id.split_once('~').map_or(item.id.as_str(), |(id, _)| id);
            found.entry(id).or_default().push(item);
        }
        self.doubled += found.values().map(|same| same.len() - 1).sum::<usize>();
        let known =
            |id: &str| sent.iter().any(|call| call.messages.iter().any(|(own, _)| own == id));
        self.strange += found.keys().filter(|id| !known(id)).count();
        for one in promised {
            for ((id, text), order) in one.call.messages.iter().zip(&one.orders) {
                self.acknowledged += 1;
                let item = found.get(id.as_str()).and_then(|same| same.first());
                let whole = item.filter(|item| item.content == *text);
                self.lost += usize::from(whole.is_none());
                // An earlier try may have been done after all: then the message stands at that, earlier, place.
                let stays = |item: &&Item| {
                    if one.tries == 1 { item.order == *order } else { item.order <= *order }
                };
                self.moved += usize::from(whole.is_some_and(|item| !stays(item)));
            }
        }
    }

    /// Prints the sums, and fails unless everything acknowledged is there once.
    ///
    /// # Panics
    /// When something is lost, doubled, moved or strange.
    pub fn holds(self, what: &str) {
        println!("{what}: {self}");
        let Self { lost, doubled, moved, strange, .. } = self;
        assert_eq!((lost, doubled, moved, strange), (0, 0, 0, 0), "{what}");
    }
}

fn in_order(items: &[Item]) {
    for (rank, item) in (1..).zip(items) {
        assert_eq!(item.index, rank, "{item:?}");
    }
    assert!(items.is_sorted_by(|one, next| one.order < next.order), "not by order: {items:?}");
}
