//! What the checker hears: what is sent, what lands, what is taken in and what is acknowledged.

use super::attached::{Attached, Detached};
use super::passed::{Passed, Wish};
use super::{
    AHEAD, Broken, Checker, Clocks, Copy, Edit, Grave, Home, Item, Number, Object, Promise,
    milliseconds, ulid,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    prev: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Line<'a> {
    pub kind: String,
    pub id: String,
    pub at: String,
    #[serde(default)]
    pub session: String,
    pub from: Option<String>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Marker {
    at: String,
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
    mode: Option<String>,
    until: Option<String>,
}

#[derive(Deserialize)]
struct AttachmentBody {
    thing: Attachment,
}

#[derive(Deserialize)]
struct Attachment {
    sha256: String,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    name: String,
}

#[derive(Deserialize)]
struct UserBody {
    #[serde(default)]
    retention_days: u64,
}

#[derive(Deserialize)]
struct SessionBody {
    name: String,
}

impl Line<'_> {
    /// The hybrid time that deletes are compared with.
    pub fn judged(&self) -> &str {
        self.from.as_ref().unwrap_or(&self.at).get(..16).unwrap_or_default()
    }
}

impl Checker {
    /// Somebody is about to PUT this.
    ///
    /// # Errors
    /// When a message that is written again as it is would move, or what has not passed would be said to have.
    pub fn sent(&mut self, key: &str, bytes: &[u8]) -> Result<(), Broken> {
        if self.objects.contains_key(key) {
            return Ok(());
        }
        if let Some(user) = self.homes.iter().position(|home| home.holds_mark(key)) {
            let mut object = Object { bytes: bytes.len() as u64, ..Object::default() };
            if let Ok(Marker { at }) = serde_json::from_slice(bytes) {
                self.bury(user, (None, None), at, key, &mut object);
            }
            self.objects.insert(key.to_owned(), object);
            return Ok(());
        }
        let mine = |home: &Home| key.starts_with(home.journal.as_str());
        let user = self.homes.iter().position(mine).filter(|_| key.ends_with(".jsonl"));
        let Some(user) = user else { return Ok(()) };
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let header: Option<Header> = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let prev = header.map(|header| header.prev).unwrap_or_default();
        let mut object = Object { prev, bytes: bytes.len() as u64, ..Object::default() };
        let mut passed = Ok(());
        for (position, line) in lines.enumerate() {
            let Ok(line) = serde_json::from_str::<Line<'_>>(line) else { continue };
            let order = format!("{}-{}-{position:06x}", line.at, ulid(key));
            passed = passed.and(self.record(user, &line, order, key, &mut object));
        }
        let again = object.items.iter().filter(|_| object.again);
        let moved = again.copied().find(|number| self.moves(*number, key));
        self.objects.insert(key.to_owned(), object);
        moved.map_or(passed, |moved| Err(format!("P4: {} moves by a copy", self.name(moved))))
    }

    /// The copy in `key` has the time of another one and a lower order.
    fn moves(&self, number: Number, key: &str) -> bool {
        let Some(item) = self.items.get(number) else { return false };
        let same = |one: &str, other: &str| one.get(..16) == other.get(..16);
        let mine = item.copies.iter().filter(|(_, copy)| copy.key == key);
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
    ) -> Result<(), Broken> {
        let body = line.body.map(RawValue::get).unwrap_or_default();
        let judged = line.from.as_ref().unwrap_or(&order).get(..16).unwrap_or_default().to_owned();
        let copy = Copy { key: key.to_owned(), judged };
        match line.kind.as_str() {
            "message" => {
                let Ok(body) = serde_json::from_str::<MessageBody<'_>>(body) else { return Ok(()) };
                let number = self.number(user, &line.session, &line.id, body.message.get());
                if let Some(item) = self.items.get_mut(number) {
                    item.copies.insert(order, copy);
                }
                object.again |= body.vectors.is_some();
                object.items.push(number);
            }
            "session" => {
                let Ok(body) = serde_json::from_str::<SessionBody>(body) else { return Ok(()) };
                let number = self.edit_number(user, &line.session, &body.name, &line.at);
                if let Some(edit) = self.edits.get_mut(number) {
                    edit.copies.insert(order, copy);
                }
                object.edits.push(number);
            }
            "tombstone" => {
                let Ok(body) = serde_json::from_str::<GraveBody>(body) else { return Ok(()) };
                if let Some(until) = body.until {
                    let (at, key) = (line.at.clone(), key.to_owned());
                    return self.pass(Passed { user, until, at, key });
                }
                let physical = body.mode.as_deref() == Some("physical");
                if body.of == "attachment" {
                    let (session, name) = (line.session.clone(), line.id.clone());
                    let (at, key) = (line.at.clone(), key.to_owned());
                    object.attached += 1;
                    let detached = Detached { user, session, name, at, key, physical };
                    self.attachments.detached.push(detached);
                    return Ok(());
                }
                let id = (body.of == "message").then(|| line.id.clone());
                let what = (Some(line.session.clone()), id);
                self.bury(user, what, line.at.clone(), key, object);
                if let Some(grave) = self.graves.last_mut() {
                    grave.physical = physical;
                }
            }
            "erase" => self.bury(user, (None, None), line.at.clone(), key, object),
            "attachment" => {
                let Ok(body) = serde_json::from_str::<AttachmentBody>(body) else { return Ok(()) };
                let (session, name, key) = (line.session.clone(), line.id.clone(), key.to_owned());
                let Attachment { sha256, parts } = body.thing;
                let parts = parts.into_iter().map(|part| part.name).collect();
                object.attached += 1;
                let attached = Attached { user, session, name, order, key, sha256, parts };
                self.attachments.attached.push(attached);
            }
            "user" => {
                let Ok(body) = serde_json::from_str::<UserBody>(body) else { return Ok(()) };
                let (days, key) = (body.retention_days, key.to_owned());
                object.wishes.push(self.wish(Wish { user, order, days, key, acked: None }));
            }
            _ => {}
        }
        Ok(())
    }

    fn bury(
        &mut self,
        user: usize,
        (session, id): (Option<String>, Option<String>),
        at: String,
        key: &str,
        object: &mut Object,
    ) {
        object.graves.push(self.graves.len());
        let (key, acked, physical) = (key.to_owned(), None, false);
        self.graves.push(Grave { user, session, id, at, key, acked, physical });
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
            if !object.landed {
                object.landed_at = self.retention.now;
            }
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
            let order = item.and_then(|i| i.copies.iter().find(|(_, copy)| copy.key == key));
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
        let heard = [object.items.len(), object.edits.len(), object.graves.len()];
        if orders.len() != heard.iter().sum::<usize>() + object.wishes.len() + object.attached {
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
            self.purges += u64::from(grave.physical);
        }
        let items = object.items.iter().copied().collect();
        let promise = Promise { items, graves: object.graves.iter().copied().collect() };
        for wish in object.wishes.clone() {
            self.wish_acknowledged(wish, now);
        }
        Ok(promise)
    }

    /// A client was told that the user is erased, at this time.
    ///
    /// # Errors
    /// When that was never sent, or what was acknowledged before lies above it.
    pub fn erased(
        &mut self,
        user: usize,
        at: &str,
        (began, now): (u64, u64),
        clocks: Clocks,
    ) -> Result<Promise, Broken> {
        let of_it = |grave: &Grave| grave.user == user && grave.session.is_none() && grave.at == at;
        let graves: BTreeSet<Number> =
            (0..self.graves.len()).filter(|n| self.graves.get(*n).is_some_and(of_it)).collect();
        if graves.len() < 2 {
            return Err(format!("P6: the erase of user {user} at {at} has no two marks"));
        }
        for number in &graves {
            let Some(grave) = self.graves.get_mut(*number) else { continue };
            grave.acked.get_or_insert(now);
        }
        let first = graves.first().and_then(|number| self.graves.get(*number));
        if let (Some(grave), Clocks::Close) = (first, clocks) {
            self.below(grave, began)?;
        }
        Ok(Promise { items: BTreeSet::new(), graves })
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
        let graves = object.graves.iter().filter_map(|number| self.graves.get(*number));
        graves.filter(|grave| grave.id.is_none()).try_for_each(|grave| self.below(grave, began))
    }

    /// What was acknowledged before the delete began lies below it.
    fn below(&self, grave: &Grave, began: u64) -> Result<(), Broken> {
        let mine = self.items.iter().filter(|item| grave.covers(item));
        let before = |item: &Item| item.acked.as_ref().is_some_and(|(at, _)| *at < began);
        for item in mine.filter(|item| before(item)) {
            let acked = item.acked.as_ref().map(|(_, key)| key);
            let order = item.copies.iter().find(|(_, copy)| Some(&copy.key) == acked);
            if order.is_some_and(|(_, copy)| copy.judged > grave.at) {
                return Err(format!("P6: {} was stored before a delete, and above it", item.id));
            }
        }
        Ok(())
    }
}
