//! Watches the promises P1 to P6 of the storage design. It hears what is sent, what lands, what is acknowledged, and
//! what readers see; it decodes bodies by itself and knows nothing of the fold that it checks.

mod attached;
mod garbage;
mod heard;
mod mirror;
mod passed;
mod promises;
mod purged;

pub use mirror::{Change, Mirror};

use attached::Attachments;
use passed::Retention;
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
    /// True time when that began.
    pub since: u64,
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
    /// A list left this key out at some time, or what holds its records by now.
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
    copies: Copies,
    /// When and in which object it was first acknowledged.
    acked: Option<(u64, String)>,
}

/// By order.
type Copies = BTreeMap<String, Copy>;

#[derive(Debug, Clone)]
struct Copy {
    /// The object that holds it.
    key: String,
    /// Hybrid time that deletes are compared with: its own, or that of its newest source.
    judged: String,
}

struct Edit {
    user: usize,
    session: String,
    name: String,
    copies: Copies,
    acked: Option<(u64, String)>,
}

/// A delete.
struct Grave {
    user: usize,
    /// None for the whole user.
    session: Option<String>,
    /// Of a message; none for the whole session.
    id: Option<String>,
    at: String,
    key: String,
    acked: Option<u64>,
    /// The bytes of what it hides go, too.
    physical: bool,
}

#[derive(Default)]
struct Object {
    prev: Vec<String>,
    items: Vec<Number>,
    edits: Vec<Number>,
    graves: Vec<Number>,
    /// What it says of how long messages are kept.
    wishes: Vec<usize>,
    /// Records of attachments.
    attached: usize,
    /// It holds copies with what came to them since.
    again: bool,
    landed: bool,
    /// When it first did, where that is told: true time.
    landed_at: u64,
    bytes: u64,
}

/// Where keys of a user begin.
#[derive(Debug)]
pub struct Home {
    /// Those of the journal.
    pub journal: String,
    /// Those of the ledger.
    pub ledger: String,
}

/// The oracle.
#[derive(Default)]
pub struct Checker {
    homes: Vec<Home>,
    items: Vec<Item>,
    numbers: HashMap<(usize, String, String, String), Number>,
    edits: Vec<Edit>,
    edit_numbers: HashMap<(usize, String, String, String), Number>,
    graves: Vec<Grave>,
    objects: HashMap<String, Object>,
    retention: Retention,
    attachments: Attachments,
    /// What a memory has shown or taken in, with the lowest order that it showed.
    shown: HashMap<(usize, u64), BTreeMap<Number, String>>,
    /// Deletes that a memory has taken in.
    buried: HashMap<(usize, u64), BTreeSet<Number>>,
    /// Snapshots that were checked.
    pub reads: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Deletes that take the bytes too, and were acknowledged.
    pub purges: u64,
    /// Messages whose bytes were looked for everywhere, because a delete took them, and were not found.
    pub gone: u64,
    /// Attachments that landed and of which nothing is kept.
    pub detached: u64,
}

impl Checker {
    /// A checker of users whose keys begin so.
    pub fn new(homes: Vec<Home>) -> Self {
        Self { homes, ..Self::default() }
    }

    /// Somebody deletes it, or tried to.
    pub fn may_be_hidden(&self, number: Number) -> bool {
        let Some(item) = self.items.get(number) else { return false };
        let mut graves = self.graves.iter().filter(|grave| grave.covers(item));
        let above = |grave: &Grave| item.copies.values().any(|copy| grave.above(copy));
        graves.any(|grave| grave.id.is_some() || above(grave)) || self.may_be_past(item)
    }

    /// It was there before an erase that its time lies above, because a clock had been set ahead. What brought it to those who
    /// had seen it may be gone with that erase.
    fn is_orphaned(&self, number: Number) -> bool {
        let Some(item) = self.items.get(number) else { return false };
        let landed = |key: &String| self.objects.get(key).filter(|o| o.landed).map(|o| o.landed_at);
        let first = item.copies.values().filter_map(|copy| landed(&copy.key)).min();
        let mut erases = self.graves.iter().filter(|g| g.user == item.user && g.session.is_none());
        erases.any(|erase| landed(&erase.key).zip(first).is_some_and(|(at, first)| first < at))
    }

    /// The user was erased at this time or later, or somebody tried to.
    fn erased_above(&self, user: usize, at: &str) -> bool {
        let of_user = |grave: &&Grave| grave.user == user && grave.session.is_none();
        self.graves.iter().filter(of_user).any(|grave| grave.at.as_str() >= at)
    }

    /// The hybrid time that deletes are compared with.
    fn judged<'s>(&'s self, user: usize, seen: &'s Seen) -> &'s str {
        let number = self.numbers(user, [seen]).ok().and_then(|found| found.first().copied());
        let item = number.and_then(|number| self.items.get(number));
        let copy = item.and_then(|item| item.copies.get(&seen.order));
        copy.map_or(seen.order.get(..16).unwrap_or_default(), |copy| &copy.judged)
    }

    /// P6: nothing is shown that a delete hides which the view must know.
    ///
    /// # Errors
    /// What is.
    pub fn buried(&self, snapshot: &Snapshot, graves: &BTreeSet<Number>) -> Result<(), Broken> {
        for grave in graves.iter().filter_map(|number| self.graves.get(*number)) {
            // An erase ends what a message's delete says of later ones.
            if grave.user != snapshot.user
                || grave.id.is_some() && self.erased_above(grave.user, &grave.at)
            {
                continue;
            }
            let hidden = |seen: &&Seen| {
                grave.session.as_ref().is_none_or(|session| *session == seen.session)
                    && match &grave.id {
                        Some(id) => *id == seen.id,
                        None => self.judged(snapshot.user, seen) <= grave.at.as_str(),
                    }
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
            && self.session.as_ref().is_none_or(|session| *session == item.session)
            && self.id.as_ref().is_none_or(|id| *id == item.id)
    }

    /// Its time is not below that of the copy.
    fn above(&self, copy: &Copy) -> bool {
        copy.judged <= self.at
    }
}

impl Home {
    /// Is it what says that the user was erased?
    fn holds_mark(&self, key: &str) -> bool {
        let name = key.strip_prefix(self.ledger.as_str());
        name.is_some_and(|name| name.len() == 31 && name.ends_with(".json"))
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
