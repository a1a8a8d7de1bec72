//! Watches the promises P1 to P6 of the storage design. It hears what is sent, what lands, what is acknowledged, and
//! what readers see; it decodes bodies by itself and knows nothing of the fold that it checks.

mod promises;

use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A message as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its session.
    pub session: String,
    /// Its id in this view.
    pub shown: String,
    /// The id that it was stored with.
    pub id: String,
    /// The caller's part, as its bytes are.
    pub text: String,
    /// Its order.
    pub order: String,
    /// Its place in the session, from 1.
    pub rank: u32,
}

/// A session as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenSession {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Order of the last edit.
    pub order: Option<String>,
    /// Messages.
    pub messages: u32,
}

/// All that one view shows of a user.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where it was read.
    pub host: usize,
    /// Names the memory that it comes from: another one when the host or the user began anew.
    pub life: u64,
    /// Whose.
    pub user: usize,
    /// Messages, session by session in order.
    pub items: Vec<Seen>,
    /// Sessions.
    pub sessions: Vec<SeenSession>,
}

/// Handle of a message.
pub type Number = usize;

/// What an answer promises to whoever brings its token.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    /// Messages that are there, unless they are deleted.
    pub items: BTreeSet<Number>,
    /// Deletes that are done.
    pub graves: BTreeSet<Number>,
}

impl Promise {
    /// Promises this too.
    pub fn join(&mut self, other: Promise) {
        self.items.extend(other.items);
        self.graves.extend(other.graves);
    }
}

/// How a snapshot was read.
pub struct Reading<'a> {
    /// True time when the request began.
    pub began: u64,
    /// The bucket was listed for it.
    pub latest: bool,
    /// What its token promised.
    pub promised: &'a Promise,
    /// A list left this key out at some time, or it is not there.
    pub omitted: &'a dyn Fn(&str) -> bool,
}

/// A broken promise.
pub type Broken = String;

/// How far the clock of the host that answered may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// Not at all: it was set wrong.
    Wrong,
    /// It is known to be off by little.
    Known,
    /// All clocks differ by less than a delete waits for.
    Close,
}

/// How far ahead of true time an order may lie, in milliseconds: 5 s that a clock follows others, and what clocks may
/// differ.
const AHEAD: u64 = 70_000;

struct Item {
    user: usize,
    session: String,
    id: String,
    text: String,
    /// Order → key of the object that holds the copy.
    copies: BTreeMap<String, String>,
    /// When and in which object it was first acknowledged.
    acked: Option<(u64, String)>,
}

struct Edit {
    user: usize,
    session: String,
    name: String,
    copies: BTreeMap<String, String>,
    acked: Option<(u64, String)>,
}

struct Grave {
    user: usize,
    session: String,
    /// Of a message; none for the whole session.
    id: Option<String>,
    at: String,
    key: String,
    acked: Option<u64>,
}

#[derive(Default)]
struct Object {
    prev: Vec<String>,
    items: Vec<Number>,
    edits: Vec<Number>,
    graves: Vec<Number>,
    /// It holds copies with what came to them since.
    again: bool,
    landed: bool,
}

/// The oracle.
#[derive(Default)]
pub struct Checker {
    prefixes: Vec<String>,
    items: Vec<Item>,
    numbers: HashMap<(usize, String, String, String), Number>,
    edits: Vec<Edit>,
    edit_numbers: HashMap<(usize, String, String, String), Number>,
    graves: Vec<Grave>,
    objects: HashMap<String, Object>,
    /// What a memory has shown or taken in, with the lowest order that it showed.
    shown: HashMap<(usize, u64), BTreeMap<Number, String>>,
    /// Deletes that a memory has taken in.
    buried: HashMap<(usize, u64), BTreeSet<Number>>,
    /// Snapshots that were checked.
    pub reads: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    prev: Vec<String>,
}

#[derive(Deserialize)]
struct Line<'a> {
    kind: String,
    id: String,
    at: String,
    session: String,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct MessageBody<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow)]
    vectors: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GraveBody {
    of: String,
}

#[derive(Deserialize)]
struct SessionBody {
    name: String,
}

impl Checker {
    /// A checker of users whose keys begin with these.
    pub fn new(prefixes: Vec<String>) -> Self {
        Self { prefixes, ..Self::default() }
    }

    /// Somebody is about to PUT this.
    ///
    /// # Errors
    /// When a message that is written again as it is would move.
    pub fn sent(&mut self, key: &str, bytes: &[u8]) -> Result<(), Broken> {
        if !key.ends_with(".jsonl") || self.objects.contains_key(key) {
            return Ok(());
        }
        let Some(user) = self.prefixes.iter().position(|p| key.starts_with(p.as_str())) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let header: Option<Header> = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let prev = header.map(|header| header.prev).unwrap_or_default();
        let mut object = Object { prev, ..Object::default() };
        for (position, line) in lines.enumerate() {
            let Ok(line) = serde_json::from_str::<Line<'_>>(line) else { continue };
            let order = format!("{}-{}-{position:06x}", line.at, ulid(key));
            self.record(user, &line, order, key, &mut object);
        }
        let again = object.items.iter().filter(|_| object.again);
        let moved = again.copied().find(|number| self.moves(*number, key));
        self.objects.insert(key.to_owned(), object);
        moved.map_or(Ok(()), |moved| Err(format!("P4: {} moves by a copy", self.name(moved))))
    }

    /// The copy in `key` has the time of another one and a lower order.
    fn moves(&self, number: Number, key: &str) -> bool {
        let Some(item) = self.items.get(number) else { return false };
        let same = |one: &str, other: &str| one.get(..16) == other.get(..16);
        let mine = item.copies.iter().filter(|(_, in_key)| *in_key == key);
        mine.map(|(order, _)| order).any(|order| {
            let mut others = item.copies.keys().filter(|other| same(order, other));
            others.clone().count() > 1 && others.all(|other| order <= other)
        })
    }

    fn record(
        &mut self,
        user: usize,
        line: &Line<'_>,
        order: String,
        key: &str,
        object: &mut Object,
    ) {
        let body = line.body.map(RawValue::get).unwrap_or_default();
        match line.kind.as_str() {
            "message" => {
                let Ok(body) = serde_json::from_str::<MessageBody<'_>>(body) else { return };
                let number = self.number(user, &line.session, &line.id, body.message.get());
                if let Some(item) = self.items.get_mut(number) {
                    item.copies.insert(order, key.to_owned());
                }
                object.again |= body.vectors.is_some();
                object.items.push(number);
            }
            "session" => {
                let Ok(body) = serde_json::from_str::<SessionBody>(body) else { return };
                let number = self.edit_number(user, &line.session, &body.name, &line.at);
                if let Some(edit) = self.edits.get_mut(number) {
                    edit.copies.insert(order, key.to_owned());
                }
                object.edits.push(number);
            }
            "tombstone" => {
                let Ok(body) = serde_json::from_str::<GraveBody>(body) else { return };
                object.graves.push(self.graves.len());
                self.graves.push(Grave {
                    user,
                    session: line.session.clone(),
                    id: (body.of == "message").then(|| line.id.clone()),
                    at: line.at.clone(),
                    key: key.to_owned(),
                    acked: None,
                });
            }
            _ => {}
        }
    }

    fn number(&mut self, user: usize, session: &str, id: &str, text: &str) -> Number {
        let name = (user, session.to_owned(), id.to_owned(), text.to_owned());
        *self.numbers.entry(name).or_insert_with(|| {
            let (session, id, text) = (session.to_owned(), id.to_owned(), text.to_owned());
            let copies = BTreeMap::new();
            self.items.push(Item { user, session, id, text, copies, acked: None });
            self.items.len() - 1
        })
    }

    /// An edit that is sent again with another time is another edit.
    fn edit_number(&mut self, user: usize, session: &str, name: &str, at: &str) -> Number {
        let key = (user, session.to_owned(), name.to_owned(), at.to_owned());
        *self.edit_numbers.entry(key).or_insert_with(|| {
            let (session, name) = (session.to_owned(), name.to_owned());
            self.edits.push(Edit { user, session, name, copies: BTreeMap::new(), acked: None });
            self.edits.len() - 1
        })
    }

    /// A PUT arrived at the store.
    pub fn landed(&mut self, key: &str) {
        if let Some(object) = self.objects.get_mut(key) {
            object.landed = true;
        }
    }

    /// A memory took in what was written there: it must show it from now on.
    pub fn upserted(&mut self, host: usize, life: u64, _user: usize, key: &str) {
        let Some(object) = self.objects.get(key) else { return };
        self.buried.entry((host, life)).or_default().extend(&object.graves);
        let shown = self.shown.entry((host, life)).or_default();
        for number in &object.items {
            let item = self.items.get(*number);
            let order = item.and_then(|i| i.copies.iter().find(|(_, in_key)| *in_key == key));
            if let Some((order, _)) = order {
                let known = shown.entry(*number).or_insert_with(|| order.clone());
                if order < known {
                    known.clone_from(order);
                }
            }
        }
    }

    /// A client got its acknowledgement: the records of `key` with these orders.
    ///
    /// # Errors
    /// When the orders are not those of what was sent.
    pub fn acknowledged(
        &mut self,
        key: &str,
        orders: &[String],
        (began, now): (u64, u64),
        clocks: Clocks,
    ) -> Result<Promise, Broken> {
        let Some(object) = self.objects.get(key) else {
            return Err(format!("P1: {key} is acknowledged and was never sent"));
        };
        if orders.len() != object.items.len() + object.edits.len() + object.graves.len() {
            return Err(format!("P1: {key} is acknowledged with {} orders", orders.len()));
        }
        for order in orders {
            if clocks != Clocks::Wrong && milliseconds(order) > now + AHEAD {
                return Err(format!("order {order} lies in the future of {now}"));
            }
        }
        if clocks == Clocks::Close {
            self.sides(object, orders, began)?;
        }
        for number in &object.items {
            let Some(item) = self.items.get_mut(*number) else { continue };
            if !orders.iter().any(|order| item.copies.contains_key(order)) {
                return Err(format!(
                    "P4: {} is acknowledged with an order that it has not",
                    item.id
                ));
            }
            self.acknowledged += 1;
            item.acked.get_or_insert((now, key.to_owned()));
        }
        for number in &object.edits {
            let Some(edit) = self.edits.get_mut(*number) else { continue };
            edit.acked.get_or_insert((now, key.to_owned()));
        }
        for number in &object.graves {
            let Some(grave) = self.graves.get_mut(*number) else { continue };
            grave.acked.get_or_insert(now);
        }
        let items = object.items.iter().copied().collect();
        Ok(Promise { items, graves: object.graves.iter().copied().collect() })
    }

    /// P6: what is stored after a session's delete was answered comes after it, what was acknowledged before it began
    /// comes before it.
    fn sides(&self, object: &Object, orders: &[String], began: u64) -> Result<(), Broken> {
        let items = object.items.iter().filter_map(|number| self.items.get(*number));
        for (item, order) in items.zip(orders) {
            let same = |grave: &&Grave| grave.id.is_none() && grave.covers(item);
            let before = |grave: &&Grave| grave.acked.is_some_and(|at| at < began);
            let above = |grave: &&Grave| order.get(..16) <= Some(grave.at.as_str());
            if self.graves.iter().filter(same).filter(before).any(|grave| above(&grave)) {
                return Err(format!("P6: {} is stored after a delete, and below it", item.id));
            }
        }
        for grave in object.graves.iter().filter_map(|number| self.graves.get(*number)) {
            let mine = self.items.iter().filter(|item| grave.id.is_none() && grave.covers(item));
            let before = |item: &Item| item.acked.as_ref().is_some_and(|(at, _)| *at < began);
            for item in mine.filter(|item| before(item)) {
                let acked = item.acked.as_ref().map(|(_, key)| key);
                let order = item.copies.iter().find(|(_, key)| Some(*key) == acked);
                if order.is_some_and(|(order, _)| order.get(..16) > Some(grave.at.as_str())) {
                    return Err(format!(
                        "P6: {} was stored before a delete, and above it",
                        item.id
                    ));
                }
            }
        }
        Ok(())
    }

    /// Somebody deletes it, or tried to.
    pub fn may_be_hidden(&self, number: Number) -> bool {
        let Some(item) = self.items.get(number) else { return false };
        self.graves
            .iter()
            .filter(|grave| grave.covers(item))
            .any(|grave| grave.id.is_some() || item.copies.keys().any(|order| grave.above(order)))
    }

    /// P6: nothing is shown that a delete hides which the view must know.
    fn buried(&self, snapshot: &Snapshot, graves: &BTreeSet<Number>) -> Result<(), Broken> {
        for grave in graves.iter().filter_map(|number| self.graves.get(*number)) {
            let hidden = |seen: &&Seen| {
                grave.user == snapshot.user
                    && grave.session == seen.session
                    && grave.id.as_ref().map_or(grave.above(&seen.order), |id| *id == seen.id)
            };
            if let Some(seen) = snapshot.items.iter().find(hidden) {
                return Err(format!("P6: {seen:?} is deleted by {} at {}", grave.key, grave.at));
            }
        }
        Ok(())
    }

    /// The numbers of what is seen.
    ///
    /// # Errors
    /// When nobody ever sent it so.
    pub fn numbers<'s>(
        &self,
        user: usize,
        seen: impl IntoIterator<Item = &'s Seen>,
    ) -> Result<Vec<Number>, Broken> {
        let number = |seen: &Seen| {
            let name = (user, seen.session.clone(), seen.id.clone(), seen.text.clone());
            let number = self.numbers.get(&name).copied();
            number.ok_or_else(|| format!("P1: {seen:?} was never sent so"))
        };
        seen.into_iter().map(number).collect()
    }

    /// A message in words.
    pub fn name(&self, number: Number) -> String {
        let item = self.items.get(number);
        item.map_or_else(String::new, |item| {
            format!(
                "message {} of {} (user {}, {:?})",
                item.id, item.session, item.user, item.copies
            )
        })
    }

    /// Objects that were sent.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }
}

impl Grave {
    fn covers(&self, item: &Item) -> bool {
        self.user == item.user
            && self.session == item.session
            && self.id.as_ref().is_none_or(|id| *id == item.id)
    }

    /// Its time is not below that of the order.
    fn above(&self, order: &str) -> bool {
        order.get(..16).unwrap_or_default() <= self.at.as_str()
    }
}

fn ulid(key: &str) -> &str {
    key.rsplit('/').next().and_then(|name| name.get(..26)).unwrap_or_default()
}

/// Unix milliseconds of an order's hybrid time.
fn milliseconds(order: &str) -> u64 {
    order.get(..12).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0)
}

fn digest(text: &str) -> String {
    let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
    hex.truncate(8);
    hex
}
