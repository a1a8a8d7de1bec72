//! Clients follow what comes to a user, page by page, at any host.

use super::{Client, Outcome};
use crate::checker::{Mirror, Snapshot};
use crate::host::Reading;
use crate::mutants::Mutant;
use crate::world::World;

/// Where somebody is who follows a user, and what it was told.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    cursor: Option<String>,
    mirror: Mirror,
    /// The newest object that it was told of.
    newest: u128,
}

impl Client {
    /// Goes on from where it was, for some pages.
    pub(super) async fn follow(&mut self, user: usize) -> Outcome {
        let random = &self.world.random;
        let (pages, limit) = (random.between(1, 4), random.index(12) + 1);
        for _ in 0..pages {
            let (host, latest) = (self.some_host(), self.world.random.chance(500_000));
            let after = self.token(user).map(|(text, _)| text);
            let (reading, name) = (Reading { latest, after }, (self.name, user));
            let cursor = self.world.follower(name).cursor;
            let work =
                |host: std::rc::Rc<crate::host::Host>| host.changes(user, cursor, limit, reading);
            match self.world.call(host, work).await {
                Some(Ok(changes)) => {
                    self.world.take_changes(name, changes);
                }
                Some(Err(error)) => return self.refused(user, &error),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

impl World {
    fn follower(&self, name: (usize, usize)) -> Follower {
        self.followers.borrow().get(&name).cloned().unwrap_or_default()
    }

    /// Says whether there is more.
    fn take_changes(&self, name: (usize, usize), changes: crate::host::Changes) -> bool {
        let mut followers = self.followers.borrow_mut();
        let follower = followers.entry(name).or_default();
        if changes.erased.is_some() {
            follower.mirror.clear();
        }
        let newest = follower.newest;
        for (object, change) in changes.records {
            follower.newest = follower.newest.max(object);
            // A cursor that is a point goes on behind it.
            if self.mutant == Mutant::CursorIsAPoint && object <= newest {
                continue;
            }
            follower.mirror.take(change);
        }
        self.counts.add(&self.counts.told, 1);
        follower.cursor = Some(changes.cursor);
        changes.more
    }

    /// P5: at the end everybody who follows the user is told the rest, and has what is shown.
    pub(crate) async fn followed(&self, host: usize, snapshot: &Snapshot) -> Outcome {
        let user = snapshot.user;
        let names: Vec<_> = self.followers.borrow().keys().copied().collect();
        for name in names.into_iter().filter(|(_, whose)| *whose == user) {
            let mut more = true;
            while more {
                let cursor = self.follower(name).cursor;
                let reading = Reading::default();
                let answer = self.call(host, |host| host.changes(user, cursor, 50, reading)).await;
                let Some(Ok(changes)) = answer else {
                    return Err(format!("P7: nothing is told of user {user}: {answer:?}"));
                };
                more = self.take_changes(name, changes);
            }
            let mirror = self.follower(name).mirror;
            self.checker.borrow().follows(&mirror, snapshot)?;
        }
        Ok(())
    }
}
