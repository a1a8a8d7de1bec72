//! Erasing a user: a mark that hides everything at once, and sweeps that remove it.
//!
//! The mark lies in the ledger and, for those who follow the journal, in the journal. A sweep removes what is named below
//! the erase and a little after it, but WAL objects of that moment that hold something newer. It says in the ledger what it
//! is about to remove before it does, so that the receipt is right wherever it dies. A second sweep a day later takes what
//! came late. What a clock that had been set ahead named later than an erase reaches is no sweep's, because others may
//! wait for the name: compactions seal it without what is hidden, and the receipt is not final before it is gone.

use crate::Rules;
use crate::attachments::named;
use crate::compact::Next;
use crate::exported::exported;
use crate::fetch;
use crate::follow::list_span;
use crate::heads::ulid;
use crate::ledger::{self, Erasure, erasure};
use crate::read::Span;
use crate::write::{
    CLOCK_UNCERTAINTY, MAX_WRITE, Pen, Written, dated_well, fresh, pass, rewrite, told, too_slow,
    until_past,
};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use holdfast_core::attachment::LONGEST;
use holdfast_core::erase::{Erased, LEAD, Ledger, Marker, Receipt, Sweep, encode, moment};
use holdfast_core::graves::Graves;
use holdfast_core::order::MAX_AHEAD;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::record::{Kind, Line, Record, Stamp, WalObject, Writer, WriterKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Hlc, Key, Part, Prefix, Result, Scope, clock, key, segment};
use ulid::Ulid;

/// Between the two sweeps, in milliseconds: whoever has not heard of the erase by then is not writing any more.
pub const SECOND_SWEEP: u64 = 24 * 60 * 60_000;

/// Who ends an erase that its beginner did not end.
pub fn upkeeper() -> Writer {
    Writer { kind: WriterKind::Admin, key: "upkeep".to_owned() }
}

/// Objects that one step removes, at most.
const STEP: usize = 500;
const DELETES_AT_ONCE: usize = 16;

/// Erases the user, for all who read from the answer on: it lies above everything that was acknowledged before, and below
/// everything that is stored after the answer. The bytes go by [`sweep`]. Repeating it erases again. `durable` is called
/// before the wait for that, as soon as the erase cannot be lost any more.
///
/// # Errors
/// `outcome_unknown` when it may have happened; with any other error it may be seen all the same, and is to be repeated.
pub async fn erase(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    ledger: &Ledger,
    pen: Pen<'_>,
    durable: impl AsyncFnOnce(&Written),
) -> Result<(Erasure, Frontier)> {
    let Pen { scope, by, known, offset } = pen;
    let earlier = ledger::erased(outside.objects, ledger, scope).await?.at().unwrap_or_default();
    // An erase by a clock that was set ahead since the last answer would hide what is written for as long after it.
    let offset = told(outside.objects, offset);
    let now = || outside.clock.now().saturating_add_signed(offset);
    let begun = now();
    let recent = highest(outside.objects, scope, begun).await?;
    let at = Hlc::mint(begun, [known.hlc, recent]).max(Hlc::at(now() + CLOCK_UNCERTAINTY));
    let at = at.max(Hlc(earlier.0 + 1));
    let ulid = fresh(begun, outside.ids);
    let marker = Bytes::from(encode(&Marker::new(at))?);
    outside.objects.put(&key::erasure(&ledger.of(scope), ulid), marker).await?;
    // It names nothing: what it would name is gone.
    let known = Frontier { hlc: known.hlc, ..Frontier::default() };
    let record = Record::erase(&ulid.to_string(), &Stamp { at, by });
    let mut written = rewrite(outside, scope, &known, offset, vec![record.clone()]).await?;
    dated_well(outside.objects, offset)?;
    durable(&written).await;
    pass(outside.clock, offset, at).await;
    let minted = written.orders.first().map_or(begun, |order| order.ulid.timestamp_ms());
    if now().saturating_sub(minted) > MAX_WRITE {
        let again = rewrite(outside, scope, &known, offset, vec![record]).await;
        written = again.map_err(|e| too_slow().caused_by(e))?;
    }
    Ok((Erasure { ulid, at, receipt: None }, written.frontier))
}

/// Highest hybrid time of what was written just now: others may be ahead of our clock.
async fn highest(objects: &impl Objects, scope: &Scope, now: u64) -> Result<Hlc> {
    let from = now.saturating_sub(LEAD);
    let day = key::wal_day(scope, &clock::day(from));
    let after = Some(format!("{}{}", day.as_str(), Ulid::from_parts(from, 0)));
    let span = Span { prefix: key::wal(scope), after, until: None };
    let keys = list_span(objects, scope, span).await?;
    let mut highest = Hlc::default();
    for (_, got) in fetch::all(objects, keys).await? {
        let Ok(object) = got.and_then(|bytes| WalObject::decode(&bytes)) else { continue };
        let times = object.records.iter().map(|record| record.at);
        let times = times.filter(|at| *at <= Hlc::at(now + MAX_AHEAD));
        highest = times.fold(highest, Hlc::max);
    }
    Ok(highest)
}

/// Does what is to be done now about the user's last erase: the first sweep, or a day later the second, a bounded step a
/// call; where attachments were stored about its moment, one reads the journal as a collection does. Repeating is safe, and
/// so is stopping anywhere. `by` writes the journal's own mark where it is missing.
///
/// # Errors
/// What the store may answer; `corrupt` when the ledger cannot be read.
pub async fn sweep(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    ledger: &Ledger,
    scope: &Scope,
    by: &Writer,
    rules: &Rules,
) -> Result<Next> {
    let now = outside.clock.now();
    let Some(erasure) = erasure(outside.objects, ledger, scope).await? else {
        return Ok(Next::Done);
    };
    let last = match &erasure.receipt {
        Some(receipt) if receipt.last => return Ok(Next::Done),
        Some(receipt) if now < receipt.written.saturating_add(SECOND_SWEEP) => {
            return Ok(Next::Done);
        }
        first => first.is_some(),
    };
    let offset = told(outside.objects, 0);
    let early = until_past(outside.clock, offset, erasure.at);
    let mut found = find(outside.objects, scope, erasure.at).await?;
    if !last && found.whole && !found.marked {
        let stamp = Stamp { at: erasure.at, by: by.clone() };
        let record = Record::erase(&erasure.ulid.to_string(), &stamp);
        rewrite(outside, scope, &Frontier::default(), 0, vec![record]).await?;
    }
    let prefix = ledger.of(scope);
    // What is the user's own goes first, whatever becomes of exports.
    remove(outside, scope, &prefix, &erasure, &found.doomed).await?;
    if !found.whole {
        return Ok(Next::More);
    }
    let unread = found.keep_named(outside, (scope, ledger), rules, erasure.at).await?;
    remove(outside, scope, &prefix, &erasure, &found.attached).await?;
    // What is begun later looks at a user who is erased.
    let until = erasure.at.milliseconds() + LEAD;
    let exports = exported(outside.objects, ledger, scope, (until, last), STEP).await?;
    remove(outside, scope, &prefix, &erasure, &exports).await?;
    if exports.len() >= STEP {
        return Ok(Next::More);
    }
    if !last && early > 0 {
        // Who erases waits for that too. Until then others acknowledge what it hides, and a receipt would be of less.
        if early > MAX_AHEAD + CLOCK_UNCERTAINTY {
            return Ok(Next::Done);
        }
        pass(outside.clock, offset, erasure.at).await;
        return Ok(Next::More);
    }
    let purged = outside.objects.purge(&key::user(scope)).await?;
    let exports = outside.objects.purge(&key::exports(&scope.tenant)).await?;
    if purged.more || exports.more {
        return Ok(Next::More);
    }
    let versions = purged.versions.and(exports.versions);
    if last && (unread || holds_hidden(outside.objects, found.missed, erasure.at).await?) {
        return Ok(Next::Done);
    }
    let sweeps = ledger::sweeps(outside.objects, &prefix, erasure.ulid).await?;
    let now = outside.clock.now();
    let receipt = Receipt::new(erasure.at, now, last, &sweeps, versions);
    let name = fresh(outside.clock.now(), outside.ids);
    let key = key::erase_receipt(&prefix, erasure.ulid, name, last);
    outside.objects.put(&key, Bytes::from(encode(&receipt)?)).await?;
    Ok(Next::Done)
}

/// Says what goes, and removes it.
async fn remove(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    prefix: &Prefix,
    erasure: &Erasure,
    doomed: &[Key],
) -> Result<()> {
    if doomed.is_empty() {
        return Ok(());
    }
    let step = fresh(outside.clock.now(), outside.ids);
    let key = key::erase_sweep(prefix, erasure.ulid, step);
    let sweep = Bytes::from(encode(&Sweep::new(scope, doomed))?);
    outside.objects.put(&key, sweep).await?;
    let deletes = stream::iter(doomed.iter().map(|key| outside.objects.delete(key)));
    deletes.buffer_unordered(DELETES_AT_ONCE).try_collect().await
}

#[derive(Default)]
struct Found {
    doomed: Vec<Key>,
    /// These are all.
    whole: bool,
    /// Parts of attachments: what is named about the moment of the erase may be of what was stored after it.
    attached: Vec<Key>,
    /// The erase's own record is in the journal.
    marked: bool,
    /// It reaches none of these, and they may hold what it hides.
    missed: Vec<Key>,
}

/// What an erase takes, at most so much as one step removes.
async fn find(objects: &impl Objects, scope: &Scope, at: Hlc) -> Result<Found> {
    let (prefix, erased) = (key::user(scope), Erased::by(at));
    let (mut found, mut unsure, mut after) = (Found::default(), Vec::new(), None::<String>);
    let attachments = key::attachments(scope);
    while found.doomed.len() < STEP {
        let page = objects.list(&prefix, after.as_deref()).await?;
        for one in page.objects {
            let Some(key) = Key::below(&prefix, &one.key) else { continue };
            let attached = key.as_str().starts_with(attachments.as_str());
            // Whoever began it then may have written its record after the erase, which it did not see.
            let young = |named: u64| named.saturating_add(LONGEST) >= at.milliseconds();
            match moment(&key) {
                Some(named) if attached && erased.settles(&key) && young(named) => {
                    found.attached.push(key);
                }
                Some(_) if erased.settles(&key) => found.doomed.push(key),
                Some(_) if key.part() == Part::Wal && erased.may_lack(&key) => unsure.push(key),
                None if erased.reaches(one.modified) => found.doomed.push(key),
                Some(_) if erased.misses(&key, one.modified) => found.missed.push(key),
                _ => {}
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => {
                found.whole = true;
                found.judge(objects, unsure, at).await?;
                break;
            }
        }
    }
    Ok(found)
}

impl Found {
    /// Adds those of the WAL objects that hold nothing newer than the erase.
    async fn judge(&mut self, objects: &impl Objects, unsure: Vec<Key>, at: Hlc) -> Result<()> {
        let mut graves = Graves::default();
        graves.erase(at);
        for (key, got) in fetch::all(objects, unsure).await? {
            let Some(ulid) = ulid(&key) else { continue };
            let object = match got.and_then(|bytes| WalObject::decode(&bytes)) {
                Ok(object) => object,
                Err(error) if error.reason == "corrupt" => {
                    // One that is named after the erase may hold what was acknowledged after it: readers must hear of it.
                    self.doomed.extend((ulid.timestamp_ms() <= at.milliseconds()).then_some(key));
                    continue;
                }
                Err(_) => continue,
            };
            let mark = |record: &Record| record.kind == Kind::Erase && record.at == at;
            self.marked |= object.records.iter().any(mark);
            let hidden = |(position, record): (usize, &Record)| {
                graves.hides(record, WalObject::order(record, ulid, position))
            };
            // One that holds no record at all names others, which are settled.
            if object.records.iter().enumerate().all(hidden) {
                self.doomed.push(key);
            }
        }
        Ok(())
    }

    /// Leaves those parts alone that something newer than the erase names; all, where that cannot be read: it says so then.
    async fn keep_named<I>(
        &mut self,
        outside: &Outside<'_, impl Objects, impl Clock, I>,
        (scope, ledger): (&Scope, &Ledger),
        rules: &Rules,
        at: Hlc,
    ) -> Result<bool> {
        if self.attached.is_empty() {
            return Ok(false);
        }
        let (objects, now) = (outside.objects, outside.clock.now());
        let named = named(objects, (scope, ledger), rules, now, Erased::by(at)).await?;
        let may_go = |key: &Key| named.as_ref().is_some_and(|n| !n.contains(key::name(scope, key)));
        self.attached.retain(may_go);
        Ok(named.is_none())
    }
}

/// Which lines an erase of this time hides; none that cannot be read.
pub(crate) fn hidden_by(at: Hlc) -> impl Fn(&Line) -> bool {
    let mut graves = Graves::default();
    graves.erase(at);
    move |line| line.record().is_ok_and(|record| graves.hides(&record, line.order))
}

/// Does one of these WAL objects and segments hold what the erase hides? What cannot be read tells nothing.
async fn holds_hidden(objects: &impl Objects, keys: Vec<Key>, at: Hlc) -> Result<bool> {
    let hides = hidden_by(at);
    // One after the other: a segment may be large.
    for key in keys {
        let open = |bytes: Bytes| match (key.part(), ulid(&key)) {
            (Part::Wal, Some(ulid)) => WalObject::lines(ulid, &bytes).map(|(_, lines)| lines),
            (Part::Segment, _) => segment::open(&bytes, &segment::cover_within(&bytes)?),
            _ => Ok(Vec::new()),
        };
        let lines = match fetch::get(objects, &key).await.and_then(open) {
            Err(error) if !fetch::concerns_one(&error) => return Err(error),
            lines => lines.unwrap_or_default(),
        };
        if lines.iter().any(&hides) {
            return Ok(true);
        }
    }
    Ok(false)
}
