//! The checker of the simulation hears a tape: every answer is judged by what was sent and told before it.

use crate::Installation;
use crate::oracle::root_secret;
use crate::tape::{Asked, Event, Page, Shown};
use crate::wal::{Texts, lines};
use holdfast_core::erase::Ledger;
use holdfast_core::token::Signer;
use holdfast_core::{Scope, TenantId, UserId, key};
use holdfast_sim::checker::{
    Broken, Checker, Clocks, Home, Number, Promise, Reading, Seen, SeenSession, Snapshot,
};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// What was judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stores that were acknowledged.
    pub stored: usize,
    /// Deletes of messages.
    pub messages: usize,
    /// Deletes of sessions.
    pub sessions: usize,
    /// Erases.
    pub erased: usize,
    /// Whole views.
    pub reads: usize,
    /// Of them, those by a token.
    pub tokens: usize,
    /// Of those, the ones whose token another host had given.
    pub elsewhere: usize,
    /// Walks that came to their end.
    pub walks: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, messages, sessions, erased, reads, tokens, elsewhere, walks } = self;
        write!(
            f,
            "{stored} stores, {messages} deletes of messages, {sessions} of sessions, {erased} erases; judged: {reads} views ({tokens} by a token, {elsewhere} of another host's) and {walks} walks"
        )
    }
}

/// A tombstone that was sent.
struct Tombstone {
    key: String,
    order: String,
    session: String,
    /// None for the whole session.
    id: Option<String>,
}

/// What was acknowledged, and when.
struct Acknowledged {
    user: usize,
    /// Empty for an erase.
    session: String,
    at: u64,
    promise: Promise,
}

#[derive(Default)]
struct Walk {
    began: u64,
    met: BTreeSet<Number>,
    hosts: BTreeSet<usize>,
}

/// The judge.
pub struct Replay {
    pub(crate) checker: Checker,
    pub(crate) users: Vec<String>,
    pub(crate) homes: Vec<(String, String)>,
    root_secret: String,
    texts: Texts,
    /// Keys by their ULIDs.
    keys: HashMap<String, String>,
    tombstones: Vec<Tombstone>,
    /// When erases are, by the keys of their records.
    erases: HashMap<String, String>,
    /// By token, and which host gave it.
    promises: HashMap<String, (Promise, usize)>,
    /// By host and user: what it showed last, and when the answer was there.
    shown: HashMap<(usize, usize), Vec<(u64, Promise)>>,
    acknowledged: Vec<Acknowledged>,
    walks: HashMap<String, Walk>,
    /// What was judged so far.
    pub counts: Counts,
}

impl Replay {
    /// A judge of what is said of these users of the tenant `default`.
    ///
    /// # Panics
    /// When one is no user's id.
    pub fn new(installation: &Installation, users: &[&str]) -> Self {
        let root_secret = root_secret(installation);
        let ledger = Ledger::new(&root_secret);
        let home = |user: &&str| {
            let scope = scope(user);
            (key::user(&scope).as_str().to_owned(), ledger.of(&scope).as_str().to_owned())
        };
        let homes: Vec<_> = users.iter().map(home).collect();
        let told = homes.iter().cloned().map(|(journal, ledger)| Home { journal, ledger });
        Self {
            checker: Checker::new(told.collect()),
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            homes,
            root_secret,
            texts: Texts::default(),
            keys: HashMap::new(),
            tombstones: Vec::new(),
            erases: HashMap::new(),
            promises: HashMap::new(),
            shown: HashMap::new(),
            acknowledged: Vec::new(),
            walks: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// Hears what happened next.
    ///
    /// # Errors
    /// The promise that it breaks.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Sent(key, bytes) => self.sent(key, bytes),
            Event::Landed(key, _) => {
                self.checker.landed(key);
                Ok(())
            }
            Event::Removed(_) => Ok(()),
            Event::Stored(asked, session, orders) => self.stored(asked, session, orders),
            Event::Deleted(asked, session, id) => self.deleted(asked, session, id.as_deref()),
            Event::Erased(asked) => self.erased(asked),
            Event::Showed(asked, shown) => self.showed(asked, shown),
            Event::Paged(asked, page) => self.paged(asked, page),
        }
    }

    fn sent(&mut self, key: &str, bytes: &[u8]) -> Result<(), Broken> {
        let text = String::from_utf8_lossy(bytes);
        let user = self.homes.iter().position(|(journal, _)| key.starts_with(journal));
        if let Some(user) = user
            && self.keys.insert(ulid(key).to_owned(), key.to_owned()).is_none()
        {
            self.texts.note(&self.users[user], &text);
            self.note_deletes(key, &text);
        }
        self.checker.sent(key, bytes)
    }

    fn note_deletes(&mut self, key: &str, object: &str) {
        for (position, line) in lines(object).into_iter().enumerate() {
            if line.kind == "erase" {
                self.erases.insert(key.to_owned(), line.at);
            } else if line.kind == "tombstone" {
                let body = line.body.map(|body| body.get()).unwrap_or_default();
                self.tombstones.push(Tombstone {
                    key: key.to_owned(),
                    order: format!("{}-{}-{position:06x}", line.at, ulid(key)),
                    session: line.session,
                    id: body.contains(r#""message""#).then_some(line.id),
                });
            }
        }
    }

    fn stored(&mut self, asked: &Asked, session: &str, orders: &[String]) -> Result<(), Broken> {
        self.counts.stored += 1;
        // One that was repeated may be answered with places of several objects.
        let ulids: BTreeSet<&str> = orders.iter().map(|order| &order[17..43]).collect();
        let (1, Some(ulid)) = (ulids.len(), ulids.first()) else { return Ok(()) };
        let key = self.keys.get(*ulid).map_or(*ulid, String::as_str).to_owned();
        self.acknowledge(asked, session, (&key, orders))
    }

    fn deleted(&mut self, asked: &Asked, session: &str, id: Option<&str>) -> Result<(), Broken> {
        let kind = if id.is_some() { &mut self.counts.messages } else { &mut self.counts.sessions };
        *kind += 1;
        let home = &self.homes[self.user(asked)].0;
        let mine: Vec<&Tombstone> = self
            .tombstones
            .iter()
            .filter(|one| one.key.starts_with(home) && one.session == session)
            .filter(|one| one.id.as_deref() == id)
            .collect();
        if mine.is_empty() {
            return Err(format!("P6: {asked:?}: the delete of {session} {id:?} was never sent"));
        }
        // The first that it names, else nothing was written: it had been deleted before.
        let named = self.named_by(asked);
        let named = named.iter().find_map(|key| mine.iter().find(|one| one.key == *key));
        // Every tombstone of a message hides the same.
        let found = named.or_else(|| mine.first().filter(|_| id.is_some()));
        let Some((key, order)) = found.map(|one| (one.key.clone(), one.order.clone())) else {
            return Ok(());
        };
        self.acknowledge(asked, session, (&key, &[order]))
    }

    /// Keys of WAL objects in the token of an answer.
    fn named_by(&self, asked: &Asked) -> Vec<String> {
        let scope = scope(&asked.user);
        let signer = Signer::new(self.root_secret.as_bytes(), &scope);
        let token = asked.token.as_deref().map(|token| signer.read_after(token, asked.ended));
        token.map_or_else(Vec::new, |token| token.expect("a token").keys)
    }

    fn acknowledge(
        &mut self,
        asked: &Asked,
        session: &str,
        (key, orders): (&str, &[String]),
    ) -> Result<(), Broken> {
        let times = (asked.began, asked.ended);
        let promise = self.checker.acknowledged(key, orders, times, Clocks::Close)?;
        self.promised(asked, session, promise);
        Ok(())
    }

    fn erased(&mut self, asked: &Asked) -> Result<(), Broken> {
        self.counts.erased += 1;
        // The answer tells of the last erase, which may be one that another asked for meanwhile: its token names its own.
        let named = self.named_by(asked);
        let at = named.iter().find_map(|key| self.erases.get(key)).cloned().unwrap_or_default();
        let (user, times) = (self.user(asked), (asked.began, asked.ended));
        let promise = self.checker.erased(user, &at, times, Clocks::Close)?;
        self.promised(asked, "", promise);
        Ok(())
    }

    /// What was acknowledged is promised by the answer's token.
    fn promised(&mut self, asked: &Asked, session: &str, promise: Promise) {
        let (user, at, session) = (self.user(asked), asked.ended, session.to_owned());
        self.acknowledged.push(Acknowledged { user, session, at, promise: promise.clone() });
        self.keep(asked, promise);
    }

    fn keep(&mut self, asked: &Asked, mut promise: Promise) {
        promise.join(self.brought(asked));
        if let Some(token) = &asked.token {
            let kept = self.promises.entry(token.clone());
            kept.or_insert_with(|| (Promise::default(), asked.host)).0.join(promise);
        }
    }

    fn brought(&self, asked: &Asked) -> Promise {
        let known = asked.brought.as_ref().and_then(|token| self.promises.get(token));
        known.map(|(promise, _)| promise.clone()).unwrap_or_default()
    }

    /// P1 to P4 and P6 of all that a user has; what the host showed before is there as well.
    fn showed(&mut self, asked: &Asked, shown: &Shown) -> Result<(), Broken> {
        self.count(asked);
        let user = self.user(asked);
        let mut snapshot = self.snapshot(asked, shown.items.iter().map(|(s, item)| (s, item)));
        let session = |(id, messages): &(String, u32)| {
            let (id, messages) = (id.clone(), *messages);
            SeenSession { id, name: None, order: None, messages }
        };
        snapshot.sessions = shown.counts.iter().map(session).collect();
        let promised = self.brought(asked);
        let (began, latest) = (asked.began, shown.latest);
        let reading = Reading { began, latest, promised: &promised, omitted: &|_| false };
        let mut promise = self.checker.saw(&snapshot, &reading)?;
        promise.graves.extend(self.shows_again(asked, &snapshot, &promise)?);
        if shown.last {
            self.checker.settled(&snapshot)?;
        }
        let all = self.shown.entry((asked.host, user)).or_default();
        all.push((asked.ended, promise.clone()));
        self.keep(asked, promise);
        Ok(())
    }

    /// P1 and P6: what a host showed it shows again, and what it showed to be deleted it does not: what it has hidden so far.
    fn shows_again(
        &self,
        asked: &Asked,
        snapshot: &Snapshot,
        promise: &Promise,
    ) -> Result<BTreeSet<Number>, Broken> {
        let all = self.shown.get(&(asked.host, snapshot.user)).into_iter().flatten();
        let Some((_, before)) = all.rev().find(|(ended, _)| *ended < asked.began) else {
            return Ok(BTreeSet::new());
        };
        let mut lost = before.items.difference(&promise.items);
        if let Some(lost) = lost.find(|number| !self.checker.may_be_hidden(**number)) {
            return Err(format!("P1: {} was there before", self.checker.name(*lost)));
        }
        self.checker.buried(snapshot, &before.graves)?;
        Ok(before.graves.clone())
    }

    fn count(&mut self, asked: &Asked) {
        self.counts.reads += 1;
        if let Some((_, giver)) = asked.brought.as_ref().and_then(|token| self.promises.get(token))
        {
            self.counts.tokens += 1;
            self.counts.elsewhere += usize::from(*giver != asked.host);
        }
    }

    /// P5: a walk meets all that was acknowledged before it began, and where one host gave all pages, what was acknowledged
    /// before the last. P6 of each page.
    fn paged(&mut self, asked: &Asked, page: &Page) -> Result<(), Broken> {
        let user = self.user(asked);
        let all = page.items.iter().map(|item| (&page.session, item));
        let snapshot = self.snapshot(asked, all);
        let late: Vec<Seen> = page
            .late
            .iter()
            .map(|item| self.texts.seen(&asked.user, &page.session, item))
            .collect();
        let met = self.checker.numbers(user, snapshot.items.iter().chain(&late))?;
        let mut graves = self.brought(asked).graves;
        let before =
            self.acknowledged.iter().filter(|one| one.user == user && one.at < asked.began);
        graves.extend(before.flat_map(|one| &one.promise.graves));
        self.checker.buried(&snapshot, &graves)?;
        let walk = self.walks.entry(page.walk.clone());
        let walk = walk.or_insert_with(|| Walk { began: asked.began, ..Walk::default() });
        walk.met.extend(met);
        walk.hosts.insert(asked.host);
        if page.more {
            return Ok(());
        }
        self.counts.walks += 1;
        let Some(walk) = self.walks.remove(&page.walk) else { return Ok(()) };
        let until = if walk.hosts.len() == 1 { asked.began } else { walk.began };
        self.walked(user, &page.session, &walk, until)
    }

    fn walked(&self, user: usize, session: &str, walk: &Walk, until: u64) -> Result<(), Broken> {
        let due = self.acknowledged.iter().filter(|one| one.user == user && one.at < until);
        let due = due.filter(|one| one.session == session).flat_map(|one| &one.promise.items);
        let mut skipped = due.filter(|n| !walk.met.contains(n) && !self.checker.may_be_hidden(**n));
        match skipped.next() {
            Some(one) => Err(format!("P5: a walk skipped {}", self.checker.name(*one))),
            None => Ok(()),
        }
    }

    fn snapshot<'a>(
        &self,
        asked: &Asked,
        items: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Snapshot {
        let items = items.map(|(session, item)| self.texts.seen(&asked.user, session, item));
        Snapshot {
            host: asked.host,
            life: asked.host as u64,
            since: 0,
            user: self.user(asked),
            items: items.collect(),
            sessions: Vec::new(),
        }
    }

    fn user(&self, asked: &Asked) -> usize {
        let place = self.users.iter().position(|user| *user == asked.user);
        place.expect("one of the users that are judged")
    }
}

pub(crate) fn scope(user: &str) -> Scope {
    Scope {
        tenant: TenantId::parse("default").expect("an id"),
        user: UserId::parse(user).expect("an id"),
    }
}

fn ulid(key: &str) -> &str {
    key.rsplit('/').next().and_then(|name| name.get(..26)).unwrap_or_default()
}
