//! Writing: one PUT of a new key a call, acknowledged only when it is durable.

use bytes::Bytes;
use holdfast_core::clock::MAX_SKEW;
use holdfast_core::graves::Of;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::purge::Purge;
use holdfast_core::record::{
    Header, Kind, MAX_FRONTIER, Record, Stamp, VERSION, WalObject, Writer,
};
use holdfast_core::token::{Frontier, MAX_NAMED};
use holdfast_core::{Case, Error, Hlc, Key, Order, Result, Scope, SessionId, key};
use serde_json::value::RawValue;
use ulid::Ulid;

/// Longest time between minting an object's ULID and its acknowledgement, in milliseconds. Readers list from a little
/// before the present, so what becomes visible later than this is written again under a fresh name.
pub const MAX_WRITE: u64 = 30_000;

/// How far the clocks of writers may lie apart, in milliseconds. What hides by time (a session's delete, an erase) is dated
/// so far ahead of its writer's clock, above everything that anybody acknowledged before, and answered when that moment
/// has passed by everybody's clock.
pub const CLOCK_UNCERTAINTY: u64 = 1_000;

const TRIES: u32 = 3;

/// A record that has no time and writer yet.
#[derive(Debug)]
pub struct Draft {
    /// What it is about.
    pub kind: Kind,
    /// Id of the thing.
    pub id: String,
    /// The session that it belongs to.
    pub session: SessionId,
    /// What it says.
    pub body: Box<RawValue>,
}

/// What was written, durably.
#[derive(Debug)]
pub struct Written {
    /// Where.
    pub key: Key,
    /// The object's bytes.
    pub bytes: Bytes,
    /// Order of each record, in the order of the drafts.
    pub orders: Vec<Order>,
    /// What a reader has seen who has seen this.
    pub frontier: Frontier,
}

/// Whose journal is written, and by whom.
#[derive(Debug)]
pub struct Pen<'a> {
    /// Whose.
    pub scope: &'a Scope,
    /// By whom.
    pub by: Writer,
    /// What the writer has seen: its own view joined with the request's token.
    pub known: &'a Frontier,
    /// Milliseconds to add to our clock, by what the store's answers allow.
    pub offset: i64,
}

/// Writes `drafts` as one object of the user's journal.
///
/// # Errors
/// `outcome_unknown` when the object may have been written; any other error means that it was not and will not be.
pub async fn write(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    pen: Pen<'_>,
    drafts: Vec<Draft>,
) -> Result<Written> {
    write_as(outside, pen, |stamp| Ok(stamped(drafts, stamp))).await
}

/// Writes what `records` makes of the moment and the writer as one object of the user's journal.
///
/// # Errors
/// As [`write()`], and what `records` gives; nothing is written then.
pub async fn write_as(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    pen: Pen<'_>,
    records: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
) -> Result<Written> {
    let Pen { scope, by, known, offset } = pen;
    let now = outside.clock.now().saturating_add_signed(offset);
    let stamp = Stamp { at: Hlc::mint(now, [known.hlc]), by };
    put(outside, scope, known, offset, records(&stamp)?, 0).await
}

/// Writes tombstones (see [`holdfast_core::graves`]) as one object of the user's journal. Those of messages hold for ever,
/// whatever the time; with one of a session among them it returns when the moment that they are dated has passed by
/// everybody's clock: every store that begins from then on comes after them. `durable` is called before that wait, as soon
/// as the object cannot be lost any more.
///
/// # Errors
/// As [`write()`].
pub async fn delete(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    pen: Pen<'_>,
    tombstones: Vec<Draft>,
    durable: impl AsyncFnOnce(&Written),
) -> Result<Written> {
    let for_ever =
        tombstones.iter().all(|one| matches!(Of::decode(&one.body), Ok(Some(Of::Message))));
    bury(outside, pen, for_ever, |stamp| Ok(stamped(tombstones, stamp)), durable).await
}

/// Writes the tombstones that `records` makes of the moment and the writer, as [`delete`] does: none of them holds for ever.
///
/// # Errors
/// As [`delete`], and what `records` gives; nothing is written then.
pub async fn delete_as(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    pen: Pen<'_>,
    records: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
    durable: impl AsyncFnOnce(&Written),
) -> Result<Written> {
    bury(outside, pen, false, records, durable).await
}

async fn bury(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    pen: Pen<'_>,
    for_ever: bool,
    records: impl FnOnce(&Stamp) -> Result<Vec<Record>>,
    durable: impl AsyncFnOnce(&Written),
) -> Result<Written> {
    let Pen { scope, by, known, offset } = pen;
    let now = || outside.clock.now().saturating_add_signed(offset);
    let begun = now();
    let ahead = if for_ever { 0 } else { CLOCK_UNCERTAINTY };
    let at = Hlc::mint(begun, [known.hlc]).max(Hlc::at(begun + ahead));
    let records = records(&Stamp { at, by })?;
    let written = put(outside, scope, known, offset, records.clone(), 0).await?;
    if !for_ever {
        dated_well(outside.objects, offset)?;
    }
    durable(&written).await;
    if !for_ever {
        pass(outside.clock, offset, at).await;
    }
    let minted = written.orders.first().map_or(begun, |order| order.ulid.timestamp_ms());
    if now().saturating_sub(minted) <= MAX_WRITE {
        return Ok(written);
    }
    rewrite(outside, scope, known, offset, records).await.map_err(|e| too_slow().caused_by(e))
}

/// An error when the answer since shows that a time which lies [`CLOCK_UNCERTAINTY`] ahead by `offset` is not ahead: our
/// clock was set back, and what the time should hide may lie above it.
pub(crate) fn dated_well(objects: &impl Objects, offset: i64) -> Result<()> {
    let back = latest(objects, offset).saturating_sub(offset);
    if back.unsigned_abs() <= CLOCK_UNCERTAINTY {
        return Ok(());
    }
    Err(set_meanwhile())
}

fn set_meanwhile() -> Error {
    let detail = "this machine's clock was set while it wrote: repeat the request";
    Error::because(Case::Unavailable, "outcome_unknown", detail)
}

/// Does the answer since show that our clock had been set ahead, by more than `before` allowed for? A name by it is newer
/// than whatever anybody lists.
fn named_ahead(objects: &impl Objects, before: Option<i64>) -> bool {
    let told = before.zip(objects.skew().offset());
    told.is_some_and(|(before, now)| before.saturating_sub(now) > MAX_SKEW)
}

/// Milliseconds to add to our clock, by the answer that came since: what it showed before counts, too, because a slow
/// answer tells less.
fn latest(objects: &impl Objects, offset: i64) -> i64 {
    objects.skew().offset().map_or(offset, |now| now.max(offset))
}

/// Milliseconds to add to our clock, which the answers since may show to have been set.
pub(crate) fn told(objects: &impl Objects, offset: i64) -> i64 {
    let told = objects.skew().offset().unwrap_or(offset);
    if told.abs_diff(offset) > CLOCK_UNCERTAINTY { told } else { offset }
}

/// Waits until a hybrid time lies in the past by everybody's clock.
pub async fn pass(clock: &impl Clock, offset: i64, at: Hlc) {
    loop {
        match until_past(clock, offset, at) {
            0 => return,
            left => clock.sleep(left).await,
        }
    }
}

/// How long it is until then, in milliseconds.
pub(crate) fn until_past(clock: &impl Clock, offset: i64, at: Hlc) -> u64 {
    let now = clock.now().saturating_add_signed(offset);
    (at.milliseconds() + 1 + CLOCK_UNCERTAINTY).saturating_sub(now)
}

/// Writes records again as they are, with what came to them since (vectors): the copy with the lower order stands, so
/// nothing moves.
///
/// # Errors
/// As [`write()`].
pub async fn rewrite(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    known: &Frontier,
    offset: i64,
    records: Vec<Record>,
) -> Result<Written> {
    // The name of the first copy was minted when its records were. Ours must be higher, by any clock.
    let newest = records.iter().map(|record| record.at.milliseconds()).max();
    let above = newest.map_or(0, |at| at + CLOCK_UNCERTAINTY);
    put(outside, scope, known, offset, records, above).await
}

/// Writes records as one object whose name is not older than `above` (Unix milliseconds).
async fn put(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    known: &Frontier,
    mut offset: i64,
    records: Vec<Record>,
    mut above: u64,
) -> Result<Written> {
    let now = |offset| outside.clock.now().saturating_add_signed(offset);
    let object = WalObject { header: header(known), records };
    let bytes = Bytes::from(object.encode()?);
    let purges = object.records.iter().any(|record| Purge::of(record).is_some());
    for earlier in 0..TRIES {
        let (minted, before) = (now(offset), outside.objects.skew().offset());
        let ulid = fresh(minted.max(above), outside.ids);
        above = ulid.timestamp_ms() + 1;
        let key = match purges {
            true => key::purging_object(scope, ulid, &bytes),
            false => key::wal_object(scope, ulid, &bytes),
        };
        let put = outside.objects.put(&key, bytes.clone()).await;
        // A copy that came too late to be acknowledged is there all the same.
        put.map_err(|e| if earlier == 0 { e } else { too_slow().caused_by(e) })?;
        if named_ahead(outside.objects, before) {
            return Err(set_meanwhile());
        }
        // A clock that was set back since the last answer made the name older than it says.
        offset = latest(outside.objects, offset);
        if now(offset).saturating_sub(minted) <= MAX_WRITE {
            return Ok(written(key, ulid, bytes, &object.records, known));
        }
    }
    Err(too_slow())
}

pub(crate) fn too_slow() -> Error {
    let detail = "the store is too slow to acknowledge a write: repeat it with the same ids";
    Error::because(Case::Unavailable, "outcome_unknown", detail)
}

fn header(known: &Frontier) -> Header {
    let prev = known.keys.iter().take(MAX_FRONTIER).cloned().collect();
    Header { v: VERSION, prev, head: known.head.clone() }
}

fn stamped(drafts: Vec<Draft>, stamp: &Stamp) -> Vec<Record> {
    let record = |d: Draft| Record::new(d.kind, &d.id, &d.session, stamp, d.body);
    drafts.into_iter().map(record).collect()
}

pub(crate) fn fresh(now: u64, ids: &impl Ids) -> Ulid {
    let mut random = [0; 16];
    random[6..].copy_from_slice(&ids.random());
    Ulid::from_parts(now, u128::from_be_bytes(random))
}

fn written(key: Key, ulid: Ulid, bytes: Bytes, records: &[Record], known: &Frontier) -> Written {
    let order = |(position, record)| WalObject::order(record, ulid, position);
    let orders: Vec<Order> = records.iter().enumerate().map(order).collect();
    let hlc = orders.iter().map(|order| order.hlc).max().unwrap_or_default();
    // A time so far ahead that it raised nothing is promised to nobody.
    let seen = known.hlc.followed(ulid.timestamp_ms()).unwrap_or_default();
    // What it names in `prev` need not be named again.
    let rest = known.keys.iter().skip(MAX_FRONTIER).take(MAX_NAMED - 1).cloned();
    let keys = std::iter::once(key.as_str().to_owned()).chain(rest).collect();
    let frontier = Frontier { hlc: hlc.max(seen), head: known.head.clone(), keys };
    Written { key, bytes, orders, frontier }
}
