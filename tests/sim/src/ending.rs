//! The beginning and the end of a run: who takes part, and, when all faults have stopped, what everybody shows and what is
//! left in the bucket.

use crate::checker::Snapshot;
use crate::client::Client;
use crate::executor::Owner;
use crate::host::{Place, Reading};
use crate::plan::{DAY, DERIVING, HOUR, MINUTE, SECOND};
use crate::world::World;
use holdfast_core::{Scope, key};
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// A broken promise ends the run.
type Outcome = Result<(), String>;

/// Polls after which every day was listed again, and the manifests too.
const POLLS: usize = 66;
/// So many graces are enough to remove all that nobody needs.
const GRACES: u64 = 10;

impl World {
    /// Lets all clients live.
    pub fn populate(self: &Rc<Self>) {
        for id in 0..self.plan.hosts {
            self.start(id);
        }
        for name in 0..self.plan.clients {
            let client = Client::new(self.clone(), name);
            self.executor.spawn(Owner::Outside, client.live());
        }
    }

    /// Lets one client look at everything after the end.
    pub fn inspect(self: &Rc<Self>) {
        let world = self.clone();
        self.executor.spawn(Owner::Outside, async move {
            match world.inspected().await {
                Ok(()) => world.leave(),
                Err(broken) => world.fail(broken),
            }
        });
    }

    async fn inspected(self: &Rc<Self>) -> Outcome {
        // What is still on its way lands, and what is still being made.
        self.sleep(self.plan.late.max(DERIVING) + MINUTE).await;
        let mut client = Client::new(self.clone(), usize::MAX / 2);
        for host in 0..self.plan.hosts {
            for user in 0..self.plan.users {
                self.shows_all(&mut client, host, user).await?;
            }
        }
        self.tidied().await?;
        // And one that has seen nothing before, with index parts or without.
        if self.plan.parts > 0 && self.random.chance(500_000) {
            self.remove_parts();
        }
        self.kill(0);
        self.sleep(2 * MINUTE).await;
        for user in 0..self.plan.users {
            self.shows_all(&mut client, 0, user).await?;
            self.attached(user).await?;
            self.verified(user).await?;
        }
        Ok(())
    }

    /// Somebody removes all index parts: nothing needs them.
    fn remove_parts(&self) {
        for prefix in self.users.iter().map(key::index_parts) {
            let parts = self.store.all(prefix.as_str());
            parts.iter().for_each(|part| self.store.remove(&part.key, self.now()));
        }
    }

    /// Every host shows everything. A manifest that no list showed for long, and whose segments went meanwhile, is waited
    /// for until it is older than the grace.
    async fn shows_all(&self, client: &mut Client, host: usize, user: usize) -> Outcome {
        for _ in 0..3 {
            if let Some(snapshot) = self.shown(client, host, user).await? {
                self.checker.borrow().settled(&snapshot)?;
                return self.followed(host, &snapshot).await;
            }
            self.sleep(self.plan.rules.grace).await;
            let _ = self.call(host, |host| host.tended(user)).await;
        }
        match self.store.rots(self.now()) {
            true => Ok(()),
            false => Err(format!("P7: user {user} stays unavailable at host {host}")),
        }
    }

    async fn shown(
        &self,
        client: &mut Client,
        host: usize,
        user: usize,
    ) -> Result<Option<Snapshot>, String> {
        for _ in 0..POLLS {
            let _ = self.call(host, |host| host.poll(user)).await;
        }
        let mut last = None;
        for _ in 0..4 {
            last = client.read_at(user, host, true).await?.or(last);
            self.sleep(SECOND).await;
        }
        Ok(last)
    }

    /// P7 and P6: when everything is well, garbage goes, and what was erased with it; receipts become final.
    async fn tidied(&self) -> Outcome {
        let step = (self.plan.rules.grace / 2).max(13 * HOUR);
        let mut left = Vec::new();
        let rounds = (GRACES * self.plan.rules.grace / step).max(10);
        // What is kept for days goes after those.
        let rounds = rounds + if self.plan.passes() { 3 * DAY / step } else { 0 };
        let (mut round, mut before) = (0, usize::MAX);
        // Small steps take longer: as long as it shrinks.
        while round < rounds || left.len() < before {
            (round, before) = (round + 1, left.len());
            self.sleep(step).await;
            let host = self.random.index(self.plan.hosts);
            for user in 0..self.users.len() {
                let _ = self.call(host, |host| host.tended(user)).await;
            }
            match self.left_over() {
                Err(_) if self.store.rots(self.now()) => {}
                found => left = found?,
            }
            if left.is_empty() {
                break;
            }
        }
        // What rotted and is needed may hold a collection up.
        if self.store.rots(self.now()) {
            return Ok(());
        }
        if let Some(held) = self.unpurged()?.into_iter().next() {
            return Err(held);
        }
        if !left.is_empty() {
            return Err(format!("P7: {} things stay that nobody needs: {left:?}", left.len()));
        }
        let largest = self.plan.rules.segment_bytes;
        (0..self.users.len()).for_each(|u| self.checker.borrow_mut().count_gone(u, largest));
        let checker = self.checker.borrow();
        let of_user = |(user, scope): (usize, &Scope)| {
            let stored = self.store.all(key::user(scope).as_str());
            checker.bytes(user, &stored, largest)
        };
        self.users.iter().enumerate().try_for_each(of_user)
    }

    fn left_over(&self) -> Result<Vec<String>, String> {
        self.checker.borrow_mut().at(self.now());
        let (checker, mut left) = (self.checker.borrow(), Vec::new());
        for (user, scope) in self.users.iter().enumerate() {
            let stored = self.store.all(key::user(scope).as_str());
            left.extend(checker.garbage(user, &stored, self.plan.rules.void_after)?);
            let ledger = self.store.all(self.ledger.of(scope).as_str());
            if !checker.is_receipted(user, &ledger) {
                left.push(format!("the last erase of user {user}"));
            }
        }
        drop(checker);
        // As long as there is garbage, that may hold it.
        if left.is_empty() { self.unpurged() } else { Ok(left) }
    }

    /// What still holds bytes that a delete takes.
    fn unpurged(&self) -> Result<Vec<String>, String> {
        let (checker, largest) = (self.checker.borrow(), self.plan.rules.segment_bytes);
        let of_user = |(user, scope): (usize, &Scope)| {
            checker.unpurged(user, &self.store.all(key::user(scope).as_str()), largest)
        };
        let held: Vec<_> = self.users.iter().enumerate().map(of_user).collect::<Result<_, _>>()?;
        Ok(held.concat())
    }

    /// P1: every attachment that stands is given out as it was stored.
    async fn attached(&self, user: usize) -> Outcome {
        if self.store.rots(self.now()) {
            return Ok(());
        }
        let stored = self.users.get(user).map(|scope| self.store.all(key::user(scope).as_str()));
        self.checker.borrow().parts_are_there(user, &stored.unwrap_or_default())?;
        let standing = self.checker.borrow().standing(user);
        for ((session, name), expected) in standing {
            let (place, reading) = (Place { session, name }, Reading::default());
            let of = place.clone();
            let found = self.call(0, |host| host.attached(user, of, reading)).await;
            let Some(Ok(found)) = found else {
                return Err(format!("P1: {place:?} of user {user} is not given out: {found:?}"));
            };
            let sha256 = found.map(|bytes| hex::encode(Sha256::digest(bytes)));
            if sha256 != expected {
                return Err(format!("P1: at the end {place:?}: {sha256:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// Who looks at everything finds nothing wrong, unless something rotted.
    async fn verified(&self, user: usize) -> Outcome {
        match self.call(0, |host| host.verify(user)).await {
            Some(Ok(verified)) if verified.is_whole() => Ok(()),
            Some(Ok(_)) if self.store.rots(self.now()) => Ok(()),
            found => Err(format!("P7: user {user} is not whole: {found:?}")),
        }
    }
}
