//! Who follows the changes of a user: keeps what it was told as `docs/storage.md` says that a mirror does, and in the end has
//! what readers see (P5).

use super::{Broken, Checker, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// One record that a follower was told.
#[derive(Debug, Clone)]
pub enum Change {
    /// A message: session, id, text and order.
    Message(String, String, String, String),
    /// A message was deleted: session and id.
    MessageGone(String, String),
    /// A session was deleted, up to a hybrid time.
    SessionGone(String, String),
    /// Everything up to a hybrid time has passed.
    Passed(String),
    /// It says nothing of messages.
    Other,
}

/// Session, id and text of a message.
type Name = (String, String, String);

/// What a follower has.
#[derive(Debug, Clone, Default)]
pub struct Mirror {
    messages: BTreeMap<Name, BTreeSet<String>>,
    gone: BTreeSet<(String, String)>,
    sessions: BTreeMap<String, String>,
    passed: String,
}

impl Mirror {
    /// The user was erased: nothing that was told before counts.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in what was told, in whatever order it comes.
    pub fn take(&mut self, change: Change) {
        match change {
            Change::Message(session, id, text, order) => {
                self.messages.entry((session, id, text)).or_default().insert(order);
            }
            Change::MessageGone(session, id) => drop(self.gone.insert((session, id))),
            Change::SessionGone(session, at) => {
                let until = self.sessions.entry(session).or_default();
                *until = at.max(until.clone());
            }
            Change::Passed(until) => self.passed = until.max(self.passed.clone()),
            Change::Other => {}
        }
    }

    /// Each message that is left, with its order.
    fn shown(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.messages.iter().filter_map(|(name, orders)| {
            let (session, id, _) = name;
            let until = self.sessions.get(session).unwrap_or(&self.passed).max(&self.passed);
            let mut left = orders.iter().filter(|order| order.get(..16) > Some(until.as_str()));
            let gone = self.gone.contains(&(session.clone(), id.clone()));
            left.next().filter(|_| !gone).map(|order| (name, order.as_str()))
        })
    }
}

impl Checker {
    /// P5: a follower that was told everything has what is shown, but what the model derives: that is judged by its sources,
    /// of which a follower is not told.
    ///
    /// # Errors
    /// What it lacks, or has beside that.
    pub fn follows(&self, mirror: &Mirror, snapshot: &Snapshot) -> Result<(), Broken> {
        let (past, maybe) = self.unsure(snapshot.user);
        let looked_at = |id: &str, order: &str| {
            let at = order.get(..16).unwrap_or_default();
            !id.starts_with("sum") && at > past.as_str() && at > maybe.as_str()
        };
        let seen = snapshot.items.iter().filter(|seen| looked_at(&seen.id, &seen.order));
        let seen: BTreeSet<(&str, &str, &str, &str)> =
            seen.map(|s| (&*s.session, &*s.id, &*s.text, &*s.order)).collect();
        let told = mirror.shown().filter(|((_, id, _), order)| looked_at(id, order));
        let told: BTreeSet<(&str, &str, &str, &str)> =
            told.map(|((session, id, text), order)| (&**session, &**id, &**text, order)).collect();
        let (lost, more) = (seen.difference(&told).next(), told.difference(&seen).next());
        if (lost, more) == (None, None) {
            return Ok(());
        }
        Err(format!("P5: a follower was not told {lost:?} or was told {more:?} that is not shown"))
    }
}
