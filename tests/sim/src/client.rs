//! Clients: they write, retry, edit, read with tokens and walk over pages, at any host, and tell the checker.

mod attached;
mod follow;

pub use follow::Follower;

use crate::checker::{Clocks, Number, Promise, Reading, Seen, Snapshot};
use crate::host;
use crate::plan::{MINUTE, SECOND};
use crate::world::World;
use holdfast_core::record::Kind;
use holdfast_core::{Case, Error, SessionId, key};
use holdfast_journal::Draft;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use std::rc::Rc;

const ATTEMPTS: u32 = 4;
const SESSIONS: u64 = 3;

/// Somebody with a few tokens.
pub struct Client {
    world: Rc<World>,
    name: usize,
    made: u64,
    /// Messages of its own: whose, where and which.
    mine: Vec<(usize, String, String)>,
    /// By user: the last token, and what it promises.
    tokens: Vec<Option<(String, Promise)>>,
}

/// A broken promise ends the run.
type Outcome = Result<(), String>;

impl Client {
    /// A client that has seen nothing.
    pub fn new(world: Rc<World>, name: usize) -> Self {
        let tokens = vec![None; world.plan.users];
        Self { world, name, made: 0, mine: Vec::new(), tokens }
    }

    /// Makes all requests.
    pub async fn live(mut self) {
        for _ in 0..self.world.plan.requests {
            let world = &self.world;
            world.sleep(world.random.skewed(world.plan.think)).await;
            if world.strikes(world.plan.rests) {
                world.sleep(world.random.below(world.plan.rest)).await;
            }
            if let Err(broken) = self.request().await {
                return self.world.fail(broken);
            }
        }
        self.world.leave();
    }

    async fn request(&mut self) -> Outcome {
        let world = self.world.clone();
        let (user, host) = (world.random.index(world.plan.users), self.some_host());
        if world.strikes(world.plan.evicted)
            && let Some(host) = world.host(host)
        {
            host.evict(user);
        }
        if world.strikes(world.plan.erased) {
            return self.erase(user, host).await;
        }
        if world.strikes(world.plan.derived) {
            return self.derive(user, host).await;
        }
        if world.strikes(world.plan.deleted) {
            return self.delete(user, true).await;
        }
        if world.strikes(world.plan.buried) {
            return self.bury(user).await;
        }
        if world.strikes(world.plan.attached) {
            return self.attach(user, host).await;
        }
        if world.strikes(world.plan.followed) {
            return self.follow(user).await;
        }
        if world.strikes(world.plan.wishes) {
            return self.keep(user, host).await;
        }
        match world.random.below(100) {
            0..40 => self.write(user).await,
            40..46 => self.edit(user).await,
            46..51 => self.delete(user, false).await,
            51..85 => self.read(user, host).await,
            85..92 => self.walk(user, host).await,
            92..95 => self.derive(user, host).await,
            _ => {
                let _ = world.call(host, |host| host.embed(user)).await;
                Ok(())
            }
        }
    }

    fn some_host(&self) -> usize {
        // Mostly at home.
        if self.world.random.chance(600_000) {
            self.name % self.world.plan.hosts
        } else {
            self.world.random.index(self.world.plan.hosts)
        }
    }

    fn session(&self) -> String {
        format!("s{}", self.world.random.below(SESSIONS))
    }

    async fn write(&mut self, user: usize) -> Outcome {
        let (session, random) = (self.session(), &self.world.random);
        let count = if random.chance(300_000) { random.between(2, 5) } else { 1 };
        let mut messages = Vec::new();
        for _ in 0..count {
            self.made += 1;
            // Now and then two clients choose the same id.
            let shared = self.world.random.chance(60_000);
            let id = match shared {
                true => format!("shared{}", self.world.random.below(3)),
                false => format!("c{}m{}", self.name, self.made),
            };
            self.mine.push((user, session.clone(), id.clone()));
            let text =
                format!(r#"{{"role":"user","content":"c{} says {}"}}"#, self.name, self.made);
            messages.push((Kind::Message, id, format!(r#"{{"message":{text}}}"#)));
        }
        self.store(user, session, messages).await
    }

    async fn edit(&mut self, user: usize) -> Outcome {
        let session = self.session();
        self.made += 1;
        let body = format!(r#"{{"name":"c{} named {}"}}"#, self.name, self.made);
        self.store(user, session.clone(), vec![(Kind::Session, session, body)]).await
    }

    async fn derive(&mut self, user: usize, host: usize) -> Outcome {
        self.made += 1;
        let name = format!("sum{}-{}", self.name, self.made);
        let _ = self.world.call(host, |host| host.derive(user, name)).await;
        Ok(())
    }

    /// Deletes one of our own messages, or, at will or sometimes, a whole session.
    async fn delete(&mut self, user: usize, whole: bool) -> Outcome {
        let session = self.session();
        let whole = whole || self.world.random.chance(300_000);
        let made = self.world.random.below(self.made + 1);
        let (id, of) = match whole {
            true => (session.clone(), "session"),
            false => (format!("c{}m{made}", self.name), "message"),
        };
        self.entomb(user, session, id, of).await
    }

    /// Deletes one that it stored, or tried to.
    async fn bury(&mut self, user: usize) -> Outcome {
        let mine = self.mine.iter().filter(|(whose, ..)| *whose == user);
        let mine: Vec<_> = mine.map(|(_, session, id)| (session.clone(), id.clone())).collect();
        let Some((session, id)) = self.world.random.pick(&mine).cloned() else { return Ok(()) };
        self.entomb(user, session, id, "message").await
    }

    async fn entomb(&mut self, user: usize, session: String, id: String, of: &str) -> Outcome {
        let mode = match self.world.strikes(self.world.plan.purged) {
            true => r#","mode":"physical""#,
            false => "",
        };
        let body = format!(r#"{{"of":"{of}"{mode}}}"#);
        self.store(user, session, vec![(Kind::Tombstone, id, body)]).await
    }

    /// Says for how long the user's messages are kept.
    async fn keep(&mut self, user: usize, host: usize) -> Outcome {
        let world = self.world.clone();
        let days = world.random.pick(&[0, 1, 1, 2, 3]).copied().unwrap_or(0);
        let (token, began, sane) = (self.token(user), world.now(), world.is_sane(host));
        let (text, promised) = token.unzip();
        match world.call(host, |host| host.keep(user, text, days)).await {
            Some(Ok(stored)) => {
                world.trace(|| format!("client {}: {user} is kept {days} days", self.name));
                let (times, clocks) = ((began, world.now()), self.clocks(host, sane));
                let mut checker = world.checker.borrow_mut();
                let kept = checker.acknowledged(&stored.key, &stored.orders, times, clocks)?;
                let mut promise = promised.unwrap_or_default();
                promise.join(kept);
                self.keep_token(user, stored.token, promise);
                Ok(())
            }
            Some(Err(error)) => self.refused(user, &error),
            None => Ok(()),
        }
    }

    async fn erase(&mut self, user: usize, host: usize) -> Outcome {
        let world = self.world.clone();
        let (token, began, sane) = (self.token(user), world.now(), world.is_sane(host));
        let text = token.as_ref().map(|(text, _)| text.clone());
        match world.call(host, |host| host.erase(user, text)).await {
            Some(Ok((at, after))) => {
                world.trace(|| format!("client {}: host {host} erased {user} at {at}", self.name));
                world.counts.add(&world.counts.erased, 1);
                let (times, clocks) = ((began, world.now()), self.clocks(host, sane));
                let mut promise = world.checker.borrow_mut().erased(user, &at, times, clocks)?;
                if let Some((_, promised)) = token {
                    promise.join(promised);
                }
                self.keep_token(user, after, promise);
                Ok(())
            }
            Some(Err(error)) => self.refused(user, &error),
            None => Ok(()),
        }
    }

    fn clocks(&self, host: usize, sane: bool) -> Clocks {
        match sane && self.world.is_sane(host) {
            true if self.world.plan.clocks_are_close() => Clocks::Close,
            true => Clocks::Known,
            false => Clocks::Wrong,
        }
    }

    /// Stores until it is acknowledged, or patience ends.
    async fn store(
        &mut self,
        user: usize,
        session: String,
        records: Vec<(Kind, String, String)>,
    ) -> Outcome {
        let world = self.world.clone();
        for _ in 0..ATTEMPTS {
            let (host, token) = (self.some_host(), self.token(user));
            let deletes = records.iter().any(|(kind, ..)| *kind == Kind::Tombstone);
            let (began, sane) = (world.now(), world.is_sane(host));
            let drafts = drafts(&session, &records)?;
            let text = token.as_ref().map(|(text, _)| text.clone());
            let answer = world
                .call(host, |host| async move {
                    match deletes {
                        true => host.delete(user, text, drafts).await,
                        false => host.write(user, text, drafts).await,
                    }
                })
                .await;
            match answer {
                Some(Ok(stored)) => {
                    let clocks = self.clocks(host, sane);
                    let times = (began, world.now());
                    world
                        .trace(|| format!("client {}: host {host} acks {}", self.name, stored.key));
                    let mut checker = world.checker.borrow_mut();
                    let mut promise =
                        checker.acknowledged(&stored.key, &stored.orders, times, clocks)?;
                    if let Some((_, promised)) = token {
                        promise.join(promised);
                    }
                    self.keep_token(user, stored.token, promise);
                    return Ok(());
                }
                Some(Err(error)) => self.refused(user, &error)?,
                None => {}
            }
            if world.random.chance(200_000) {
                break;
            }
            world.sleep(world.random.below(20 * SECOND)).await;
        }
        Ok(())
    }

    async fn read(&mut self, user: usize, host: usize) -> Outcome {
        let world = self.world.clone();
        let latest = world.random.chance(600_000);
        self.read_at(user, host, latest).await.map(drop)
    }

    /// The whole view of a user; none when it is refused.
    ///
    /// # Errors
    /// The promise that is broken.
    pub async fn read_at(
        &mut self,
        user: usize,
        host: usize,
        latest: bool,
    ) -> Result<Option<Snapshot>, String> {
        let world = self.world.clone();
        let (began, token) = (world.now(), self.token(user));
        let (after, promised) = token.unzip();
        let reading = host::Reading { latest, after };
        let answer = world.call(host, |host| host.read(user, reading)).await;
        match answer {
            Some(Ok((snapshot, token))) => {
                let promise = self.saw(&snapshot, began, latest, &promised.unwrap_or_default())?;
                self.keep_token(user, token, promise);
                Ok(Some(snapshot))
            }
            Some(Err(error)) => self.refused(user, &error).map(|()| None),
            None => Ok(None),
        }
    }

    fn saw(
        &self,
        snapshot: &Snapshot,
        began: u64,
        latest: bool,
        promised: &Promise,
    ) -> Result<Promise, String> {
        let world = &self.world;
        let count = snapshot.items.len();
        world.trace(|| {
            let host = snapshot.host;
            format!("client {}: host {host} shows {count} of user {}", self.name, snapshot.user)
        });
        let manifests = world.users.get(snapshot.user).map(key::manifests);
        let manifests = manifests.as_ref().map_or("", |prefix| prefix.as_str());
        let blind = world.store.was_blind(snapshot.host, manifests);
        let blind = blind.is_some_and(|at| at >= snapshot.since);
        let omitted = |key: &str| {
            let name = world.mutant.stored_name(key);
            world.store.was_omitted(&name) || blind && world.store.was_removed(&name)
        };
        let reading = Reading { began, latest, promised, omitted: &omitted };
        world.checker.borrow_mut().saw(snapshot, &reading)
    }

    /// P5: pages through a session while others write.
    async fn walk(&mut self, user: usize, home: usize) -> Outcome {
        let world = self.world.clone();
        let (session, limit) = (self.session(), world.random.index(4) + 1);
        let mut walk = Walk::default();
        let mut place = None;
        for _ in 0..200 {
            let host = if world.random.chance(850_000) { home } else { self.some_host() };
            let began = world.now();
            let token = self.tokens.get(user).cloned().flatten();
            let (after, promised) = token.unzip();
            let latest = world.random.chance(300_000);
            let reading = host::Reading { latest, after };
            let (of, from) = (session.clone(), place.clone());
            let answer = world.call(host, |host| host.page(user, of, from, limit, reading)).await;
            let (page, token) = match answer {
                Some(Ok(answer)) => answer,
                Some(Err(error)) => {
                    self.refused(user, &error)?;
                    if error.reason == "invalid_token" {
                        // Without its token another host owes it nothing.
                        return Ok(());
                    }
                    world.sleep(SECOND).await;
                    continue;
                }
                None => {
                    world.sleep(SECOND).await;
                    continue;
                }
            };
            let promised = promised.unwrap_or_default();
            let promise = self.saw(&page.snapshot, began, latest, &promised)?;
            self.keep_token(user, token, promise);
            walk.take(&world, user, &session, &page)?;
            place = page.items.last().map(|last| (last.order.clone(), last.rank)).or(place);
            if !page.more {
                return walk.end(&world, user, &session, &page);
            }
            world.sleep(world.random.skewed(world.plan.think.min(MINUTE))).await;
        }
        Ok(())
    }

    fn token(&self, user: usize) -> Option<(String, Promise)> {
        let token = self.tokens.get(user).cloned().flatten();
        token.filter(|_| self.world.random.chance(750_000))
    }

    fn keep_token(&mut self, user: usize, token: String, promise: Promise) {
        if let Some(slot) = self.tokens.get_mut(user) {
            *slot = Some((token, promise));
        }
    }

    /// An error that a client may get; one that it may not breaks a promise.
    fn refused(&mut self, user: usize, error: &Error) -> Outcome {
        self.world.trace(|| format!("client {}: {}: {error}", self.name, error.reason));
        match (error.case, error.reason) {
            (Case::Unavailable, _) => Ok(()),
            (Case::Corrupt, _) if self.world.store.rots(self.world.now()) => Ok(()),
            (Case::Invalid, "invalid_token") if self.world.plan.clocks_differ() => {
                if let Some(slot) = self.tokens.get_mut(user) {
                    *slot = None;
                }
                Ok(())
            }
            _ => Err(format!("an error that nobody may get: {}: {error}", error.reason)),
        }
    }
}

/// What a walk has met.
#[derive(Default)]
struct Walk {
    met: BTreeSet<Number>,
    began: Option<BTreeSet<Number>>,
    memories: BTreeSet<(usize, u64)>,
}

impl Walk {
    fn take(&mut self, world: &World, user: usize, session: &str, page: &host::Page) -> Outcome {
        let checker = world.checker.borrow();
        self.met.extend(checker.numbers(user, page.items.iter().chain(&page.late))?);
        self.memories.insert((page.snapshot.host, page.snapshot.life));
        if self.began.is_none() {
            self.began = Some(of_session(world, user, session, &page.snapshot.items)?);
        }
        Ok(())
    }

    fn end(&self, world: &World, user: usize, session: &str, page: &host::Page) -> Outcome {
        let checker = world.checker.borrow();
        let began = self.began.iter().flatten();
        let skipped = |n: &Number| !self.met.contains(n) && !checker.may_be_hidden(*n);
        if let Some(skipped) = began.copied().find(skipped) {
            return Err(format!("P5: a walk skipped {}", checker.name(skipped)));
        }
        // Elsewhere the arrival is another one.
        if self.memories.len() == 1 {
            let all = of_session(world, user, session, &page.snapshot.items)?;
            if let Some(late) = all.difference(&self.met).next() {
                return Err(format!("P5: a walk did not name {}", checker.name(*late)));
            }
        }
        Ok(())
    }
}

fn of_session(
    world: &World,
    user: usize,
    session: &str,
    items: &[Seen],
) -> Result<BTreeSet<Number>, String> {
    let checker = world.checker.borrow();
    let numbers = checker.numbers(user, items.iter().filter(|seen| seen.session == session))?;
    Ok(numbers.into_iter().collect())
}

fn drafts(session: &str, records: &[(Kind, String, String)]) -> Result<Vec<Draft>, String> {
    let draft = |(kind, id, body): &(Kind, String, String)| {
        let body = RawValue::from_string(body.clone()).map_err(|e| e.to_string())?;
        let session = SessionId::parse(session).map_err(|e| e.to_string())?;
        Ok(Draft { kind: kind.clone(), id: id.clone(), session, body })
    };
    records.iter().map(draft).collect()
}
