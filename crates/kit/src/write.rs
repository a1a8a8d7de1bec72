//! What writes share: what is known before, one object, and the index after it; and the ids of what is new.

use crate::wit::index::{self, Knowledge, Object};
use crate::{Bucket, GuestClock, GuestIds, State};
use holdfast_core::clock::MAX_SKEW;
use holdfast_core::graves::Of;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::record::{Kind, Record, Stamp, Writer, WriterKind};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId, key};
use holdfast_journal::{Draft, Erasure, Pen, Written};
use uuid::{Builder, Uuid};

/// Who writes, and what was seen.
pub struct Author {
    /// Who.
    pub by: Writer,
    /// What the writer has seen.
    pub after: Frontier,
}

impl Author {
    /// The caller of a typed door: inside the application, which holds the bucket's secret.
    ///
    /// # Errors
    /// `invalid_token`.
    pub fn inside(state: &State, scope: &Scope, after: Option<&str>) -> Result<Self> {
        let by = Writer { kind: WriterKind::Service, key: "door".to_owned() };
        Ok(Self { by, after: crate::read::after(state, scope, after)?.unwrap_or_default() })
    }
}

/// What was written, durably.
pub struct Recorded {
    /// Order of each record, in the order of the drafts.
    pub orders: Vec<Order>,
    /// The next answer of the index has them.
    pub indexed: bool,
    /// What a reader has seen who has seen this.
    pub frontier: Frontier,
}

/// What the index knows of these ids; nothing, when it cannot be asked: a write does not wait for it.
pub async fn known(scope: &Scope, session: &str, ids: Vec<String>) -> Knowledge {
    let nothing = index::Frontier { hlc: 0, head: None, keys: Vec::new() };
    index::known(scope.into(), session.to_owned(), ids).await.unwrap_or(Knowledge {
        present: Vec::new(),
        deleted: Vec::new(),
        session_deleted: false,
        frontier: nothing,
        clock_offset: None,
    })
}

/// As [`known`], after a look at what other hosts did: what is there may have been deleted meanwhile, and a store of it is
/// a new one then.
///
/// # Errors
/// What a read of the latest may meet.
pub async fn known_latest(
    scope: &Scope,
    session: &str,
    ids: Vec<String>,
    seen: &Frontier,
) -> Result<Knowledge> {
    index::find_session(scope.into(), session.to_owned(), crate::read::latest(seen)).await?;
    Ok(known(scope, session, ids).await)
}

/// Writes `drafts` as one object of the user's journal, and tells the index.
///
/// # Errors
/// `clock` when this machine's clock cannot be trusted; `outcome_unknown` when the object may have been written; any
/// other error means that it was not and will not be.
pub async fn record(
    state: &State,
    scope: &Scope,
    author: Author,
    known: &Knowledge,
    drafts: Vec<Draft>,
) -> Result<Recorded> {
    let base = Base::of(state, scope, &author, known).await?;
    let written = holdfast_journal::write(&outside(state), base.pen(), drafts).await?;
    let indexed = tell(scope, &written).await;
    Ok(Recorded { orders: written.orders, indexed, frontier: written.frontier })
}

/// Writes things as one object of the user's journal, all or none, and tells the index.
///
/// # Errors
/// As [`record`].
pub async fn record_things(
    state: &State,
    scope: &Scope,
    author: Author,
    known: &Knowledge,
    things: &[NewThing],
) -> Result<Recorded> {
    let base = Base::of(state, scope, &author, known).await?;
    let records =
        |stamp: &Stamp| things.iter().map(|thing| thing.record(stamp)).collect::<Result<_>>();
    let written = holdfast_journal::write_as(&outside(state), base.pen(), records).await?;
    let indexed = tell(scope, &written).await;
    Ok(Recorded { orders: written.orders, indexed, frontier: written.frontier })
}

/// A thing on its way into the journal.
#[derive(Debug, Clone)]
pub struct NewThing {
    /// Its kind.
    pub kind: ThingKind,
    /// Its session, for a kind of sessions.
    pub session: Option<SessionId>,
    /// Its id.
    pub id: String,
    /// What it says.
    pub body: ThingBody,
}

impl NewThing {
    /// Its record.
    ///
    /// # Errors
    /// `internal` when it cannot be written as JSON.
    pub fn record(&self, stamp: &Stamp) -> Result<Record> {
        Record::thing(self.kind, (self.session.as_ref(), &self.id), stamp, &self.body)
    }
}

/// What every write begins with: whose, by whom, above what, by which clock.
struct Base<'a> {
    scope: &'a Scope,
    by: &'a Writer,
    seen: Frontier,
    offset: i64,
}

impl<'a> Base<'a> {
    async fn of(
        state: &State,
        scope: &'a Scope,
        author: &'a Author,
        known: &Knowledge,
    ) -> Result<Self> {
        let offset = offset(state, known).await?;
        let seen = author.after.joined(&known.frontier.clone().into());
        Ok(Self { scope, by: &author.by, seen, offset })
    }

    fn pen(&self) -> Pen<'_> {
        Pen { scope: self.scope, by: self.by.clone(), known: &self.seen, offset: self.offset }
    }

    /// Tells the index of what is durable, before the wait for its moment.
    fn told(&self) -> impl AsyncFnOnce(&Written) {
        async |written: &Written| {
            tell(self.scope, written).await;
        }
    }
}

pub(crate) fn outside(state: &State) -> Outside<'_, Bucket, GuestClock, GuestIds> {
    state.outside()
}

/// Tells the index; false when that fails. What was written is durable already: it does not fail the write.
async fn tell(scope: &Scope, written: &Written) -> bool {
    let object = Object { key: written.key.to_string(), bytes: written.bytes.to_vec() };
    index::upsert(scope.into(), vec![object]).await.is_ok()
}

/// What is deleted.
pub struct Deleting<'a> {
    /// A message or a session.
    pub of: Of,
    /// In which session, or which session.
    pub session: &'a SessionId,
    /// The message's id, or the session's.
    pub id: &'a str,
    /// The bytes go too.
    pub physical: bool,
}

/// Deletes the message `id` of the session, or the session; tells the index at once, and returns, for a session, when every
/// store that begins from now on comes after it: about two seconds. Gives what a reader has seen who has seen it.
///
/// # Errors
/// As [`record`].
pub async fn delete(
    state: &State,
    scope: &Scope,
    author: Author,
    known: &Knowledge,
    Deleting { of, session, id, physical }: Deleting<'_>,
) -> Result<Frontier> {
    let base = Base::of(state, scope, &author, known).await?;
    let (kind, id, session) = (Kind::Tombstone, id.to_owned(), session.clone());
    let body = of.encode_as(physical)?;
    let tombstone = Draft { kind, id, session, body };
    let written =
        holdfast_journal::delete(&outside(state), base.pen(), vec![tombstone], base.told()).await?;
    Ok(written.frontier)
}

/// Which thing is deleted.
pub struct Forgetting<'a> {
    /// Its kind, its session where it has one, its id.
    pub name: (ThingKind, Option<&'a SessionId>, &'a str),
    /// The bytes go too.
    pub physical: bool,
}

/// Deletes a thing, as [`delete`] deletes a message; what is written later opens it anew.
///
/// # Errors
/// As [`record`].
pub async fn delete_thing(
    state: &State,
    scope: &Scope,
    author: Author,
    known: &Knowledge,
    Forgetting { name: (kind, session, id), physical }: Forgetting<'_>,
) -> Result<Frontier> {
    let base = Base::of(state, scope, &author, known).await?;
    let of = Of::Thing(kind);
    let body = of.encode_as(physical)?;
    let tombstone = |stamp: &Stamp| Ok(vec![Record::buried(body, (session, id), stamp)]);
    let outside = outside(state);
    let written = holdfast_journal::delete_as(&outside, base.pen(), tombstone, base.told()).await?;
    Ok(written.frontier)
}

/// Erases the user: hides everything, tells the index at once, and returns when every store that begins from now on comes
/// after it. Gives what a reader has seen who has seen it.
///
/// # Errors
/// As [`record`].
pub async fn erase(state: &State, scope: &Scope, author: Author) -> Result<(Erasure, Frontier)> {
    let known = known(scope, "", Vec::new()).await;
    let base = Base::of(state, scope, &author, &known).await?;
    holdfast_journal::erase(&outside(state), &state.ledger(), base.pen(), base.told()).await
}

/// Writes records of the user as a whole as one object, and tells the index.
///
/// # Errors
/// As [`record`].
pub async fn of_user(
    state: &State,
    scope: &Scope,
    author: &Author,
    seen: Frontier,
    make: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
) -> Result<Recorded> {
    Begun::now(state, scope, author).await?.record(state, seen, make).await
}

/// When something began to be read that is written again as something new: dated by that, so that a delete or an erase
/// that begins later lies above it.
pub struct Begun<'a> {
    base: Base<'a>,
    now: u64,
}

impl<'a> Begun<'a> {
    /// Now.
    ///
    /// # Errors
    /// `clock` when this machine's clock cannot be trusted.
    pub async fn now(state: &State, scope: &'a Scope, author: &'a Author) -> Result<Self> {
        let known = known(scope, "", Vec::new()).await;
        let base = Base::of(state, scope, author, &known).await?;
        let now = GuestClock.now().saturating_add_signed(base.offset);
        Ok(Self { base, now })
    }

    /// Writes what `make` makes of what the index said, whose answer had this frontier; tells the index.
    ///
    /// # Errors
    /// As [`record`].
    pub async fn record(
        self,
        state: &State,
        seen: Frontier,
        make: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
    ) -> Result<Recorded> {
        let Self { base, now } = self;
        let seen = base.seen.joined(&seen);
        let stamp = Stamp { at: Hlc::mint(now, [seen.hlc]), by: base.by.clone() };
        let (scope, offset, records) = (base.scope, base.offset, make(&stamp)?);
        let written =
            holdfast_journal::rewrite(&outside(state), scope, &seen, offset, records).await?;
        let indexed = tell(scope, &written).await;
        Ok(Recorded { orders: written.orders, indexed, frontier: written.frontier })
    }
}

/// The answer to a delete of a session that is not there because it was deleted before: the same as the first time, and not earlier
/// than that one's.
///
/// # Errors
/// `clock` when this machine's clock cannot be trusted.
pub async fn deleted_before(state: &State, author: Author, known: &Knowledge) -> Result<Frontier> {
    let offset = offset(state, known).await?;
    holdfast_journal::pass(&GuestClock, offset, Hlc(known.frontier.hlc)).await;
    Ok(author.after.joined(&known.frontier.clone().into()))
}

/// Milliseconds to add to our clock: by what the index knows, else by what this instance has seen. One that has seen
/// nothing asks the store first: an order minted by an unknown clock stays for ever.
pub(crate) async fn offset(state: &State, known: &Knowledge) -> Result<i64> {
    let mut offset = known.clock_offset.or(state.bucket.skew().offset());
    if offset.is_none() {
        state.bucket.list(&key::formats(), None).await?;
        offset = state.bucket.skew().offset();
    }
    match offset {
        Some(offset) if offset.abs() <= MAX_SKEW => Ok(offset),
        Some(offset) => {
            let detail = format!("this machine's clock is {offset} ms off the store's: set it");
            Err(Error::because(Case::Unavailable, "clock", detail))
        }
        None => {
            let detail = "the store does not say what time it is, so nothing can be ordered";
            Err(Error::because(Case::Unavailable, "clock", detail))
        }
    }
}

/// A fresh id: UUIDv7.
pub fn fresh_id(state: &State) -> String {
    let now = state.bucket.now();
    Builder::from_unix_timestamp_millis(now, &GuestIds.random()).into_uuid().to_string()
}

/// An id from an Idempotency-Key: UUIDv5 over tenant, user and `parts`, each after its length so that no two can be
/// mistaken.
pub fn derived_id(scope: &Scope, parts: &[&str]) -> String {
    let owner = [scope.tenant.as_str(), scope.user.as_str()];
    let parts = owner.iter().chain(parts);
    let name: String = parts.map(|part| format!("{}:{part}/", part.len())).collect();
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}
