//! Bringing a journal up to what the bucket holds: loads, polls, and what is named.

use crate::fetch::{self, Wanted};
use crate::heads::{self, Heads, Look, ulid};
use crate::ledger::find_erase;
use crate::read::{Journal, Span};
use futures::future::{join, try_join, try_join_all};
use futures::stream::StreamExt;
use holdfast_core::fold::Applied;
use holdfast_core::ports::{Listed, Objects};
use holdfast_core::{Error, Key, Part, Prefix, Result, Scope, key};
use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::pin;

/// So much of what is owed is read before it is asked again what is.
const BATCH: usize = 1024;

/// All WAL keys that a full list of the user's journal shows.
///
/// # Errors
/// What the store may answer.
pub async fn list(objects: &impl Objects, scope: &Scope) -> Result<Vec<Key>> {
    let whole = Span { prefix: key::wal(scope), after: None, until: None };
    Ok(list_span(objects, scope, whole).await?.into_iter().map(|listed| listed.key).collect())
}

/// Begins a load: finds the heads, and lists what they do not reach. All that is to be read is owed then; [`settle`]
/// reads it. `now` is Unix milliseconds; the next [`poll`] is from there. A journal with a ledger is
/// [renewed](Journal::renew) when that shows an erase that it does not know.
///
/// # Errors
/// `not_yet_visible` or `corrupt` for a manifest that may stand for what is nowhere else; what the store may answer.
pub async fn open(objects: &impl Objects, journal: &RefCell<Journal>, now: u64) -> Result<()> {
    let (erased, opened) = join(find_erase(objects, journal), begin(objects, journal, now)).await;
    let Some(erased) = erased? else { return opened };
    // What was begun meanwhile may lack what the erase removed.
    journal.borrow_mut().renew(erased);
    begin(objects, journal, now).await
}

async fn begin(objects: &impl Objects, journal: &RefCell<Journal>, now: u64) -> Result<()> {
    let scope = journal.borrow().scope().clone();
    let wal = key::wal(&scope);
    // Of most users one page is all there is.
    let page = objects.list(&wal, None);
    let ((), page) = try_join(look_again(objects, journal, now), page).await?;
    let rest = page.next.map(|next| journal.borrow().rest(next));
    let rest = rest.into_iter().map(|span| list_span(objects, &scope, span));
    let (rest, ()) = try_join(try_join_all(rest), covers(objects, journal)).await?;
    let page = page.objects.iter().filter_map(|listed| wanted(&wal, listed));
    journal.borrow_mut().owe_listed(page.chain(rest.into_iter().flatten()));
    Ok(())
}

/// Lists the manifests; what the heads name and is not known is owed then.
///
/// # Errors
/// As [`open`].
pub async fn look_again(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    now: u64,
) -> Result<()> {
    let (scope, rules, mut heads) = {
        let journal = journal.borrow();
        (journal.scope().clone(), journal.rules, journal.heads.clone())
    };
    let look = heads::look(objects, &scope, &rules, now, &mut heads).await?;
    let mut journal = journal.borrow_mut();
    journal.looked = now;
    journal.found(look, &heads)
}

/// Keys of recent WAL objects that the journal does not know: what appeared since the list that began at `last`. Now and then
/// the manifests are looked at too, before any of what no list showed can be sealed and gone: what they name is owed then.
///
/// # Errors
/// As [`open`].
pub async fn poll(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    last: u64,
    now: u64,
) -> Result<Vec<Key>> {
    let offset = || objects.skew().offset().unwrap_or_default();
    let (before, margin) = (offset(), journal.borrow().rules.margin);
    let mut keys = poll_at(objects, journal, last, now).await?;
    // A clock that was set since the last answer of the store listed the wrong days.
    let set = offset().saturating_sub(before);
    if set.unsigned_abs() > margin / 2 {
        keys.extend(poll_at(objects, journal, last, now.saturating_add_signed(set)).await?);
    }
    Ok(keys)
}

async fn poll_at(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    last: u64,
    now: u64,
) -> Result<Vec<Key>> {
    let plan = journal.borrow_mut().poll_plan(last, now);
    let (scope, looks) = {
        let journal = journal.borrow();
        (journal.scope().clone(), journal.looks(now))
    };
    let lists = plan.into_iter().map(|span| list_span(objects, &scope, span));
    let lists = try_join_all(lists).await?;
    // What was removed before these lists began is in manifests that were published long before.
    if looks {
        look_again(objects, journal, now).await?;
    }
    Ok(journal.borrow().missing(lists.into_iter().flatten().map(|listed| listed.key)))
}

/// Reads all that is owed, and what that names in turn. What was folded goes to `sink` at once, a part of an object at a
/// time; no other change of the journal comes between.
///
/// What cannot be read is taken from elsewhere where it can: a segment's records from before it was sealed, a WAL object
/// from a segment that a newer manifest names. `now` is Unix milliseconds.
///
/// # Errors
/// `not_yet_visible` when a named object cannot be read yet; `corrupt` when one is not what was written; both only after
/// everything else was read. What the store may answer, and what `sink` does.
pub async fn settle(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    now: u64,
    mut sink: impl AsyncFnMut(Vec<Applied>) -> Result<()>,
) -> Result<()> {
    let mut looked = false;
    loop {
        let mut failed = Vec::new();
        rounds(objects, journal, None, &mut failed, &mut sink).await?;
        let gone = |error: &Error| error.reason == "not_yet_visible";
        let lacking = failed.into_iter().find(|(key, error)| {
            let mut journal = journal.borrow_mut();
            journal.owes_key(key) && !(looked && gone(error) && journal.outlives(key))
        });
        match lacking {
            None => return Ok(()),
            Some((_, error)) if looked => return Err(error),
            Some(_) => look_again(objects, journal, now).await?,
        }
        looked = true;
    }
}

/// Reads all that is owed but segments, and what that names in turn: true when nothing else is owed then. What was
/// folded goes to `sink`, as in [`settle`].
///
/// # Errors
/// What the store may answer, and what `sink` does.
pub async fn settle_tail(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    mut sink: impl AsyncFnMut(Vec<Applied>) -> Result<()>,
) -> Result<bool> {
    let mut failed = Vec::new();
    rounds(objects, journal, Some(Part::Segment), &mut failed, &mut sink).await?;
    Ok(failed.is_empty() && !journal.borrow().owes_but(Part::Segment))
}

async fn rounds(
    objects: &impl Objects,
    journal: &RefCell<Journal>,
    but: Option<Part>,
    failed: &mut Vec<(Key, Error)>,
    sink: &mut impl AsyncFnMut(Vec<Applied>) -> Result<()>,
) -> Result<()> {
    let mut tried = HashSet::new();
    loop {
        let wanted = journal.borrow().wanted(&tried, but, BATCH);
        if wanted.is_empty() {
            return Ok(());
        }
        tried.extend(wanted.iter().map(|one| one.key.clone()));
        let mut reads = pin!(fetch::each(objects, wanted));
        while let Some((key, got)) = reads.next().await {
            let taken = match got {
                Ok(bytes) => take(journal, &key, &bytes, sink).await?,
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                failed.extend(stand_in(journal, key, error)?);
            }
        }
    }
}

/// One that cannot be read.
fn stand_in(journal: &RefCell<Journal>, key: Key, error: Error) -> Result<Option<(Key, Error)>> {
    if !fetch::concerns_one(&error) {
        return Err(error);
    }
    let lacks = journal.borrow_mut().lacks(&key, error);
    Ok(lacks.err().map(|error| (key, error)))
}

/// Takes an object in, a session of it at a time where it is a segment.
async fn take(
    journal: &RefCell<Journal>,
    key: &Key,
    bytes: &[u8],
    sink: &mut impl AsyncFnMut(Vec<Applied>) -> Result<()>,
) -> Result<Result<()>> {
    let Some(ulid) = ulid(key).filter(|_| key.part() == Part::Segment) else {
        let absorbed = journal.borrow_mut().absorb(key, bytes);
        return match absorbed {
            Ok(absorbed) => sink(absorbed.applied).await.map(Ok),
            Err(error) => Ok(Err(error)),
        };
    };
    let (cover, renewals) = {
        let journal = journal.borrow();
        (journal.cover_of(ulid, bytes), journal.renewals)
    };
    let cover = match cover {
        Ok(Some(cover)) => cover,
        Ok(None) => return Ok(Ok(())),
        Err(error) => return Ok(Err(error.about(key))),
    };
    // One that was renewed meanwhile has to take it from the beginning.
    let same = || journal.borrow().renewals == renewals;
    for frames in &cover.sessions {
        if !same() {
            return Ok(Ok(()));
        }
        let applied = journal.borrow_mut().take_frames(bytes, frames);
        match applied {
            Ok(applied) => sink(applied).await?,
            Err(error) => return Ok(Err(error.about(key))),
        }
    }
    if same() {
        journal.borrow_mut().finish(ulid, &cover);
    }
    Ok(Ok(()))
}

/// Reads the covers that are owed.
async fn covers(objects: &impl Objects, journal: &RefCell<Journal>) -> Result<()> {
    let mut wanted = journal.borrow().wanted(&HashSet::new(), None, usize::MAX);
    wanted.retain(|one| one.key.part() == Part::Cover);
    for (key, got) in fetch::all(objects, wanted).await? {
        let mut journal = journal.borrow_mut();
        let taken = got.and_then(|bytes| journal.absorb(&key, &bytes));
        taken.map(|_| ()).or_else(|error| journal.lacks(&key, error))?;
    }
    Ok(())
}

impl Journal {
    /// Some of what is owed and was not `tried`, `but` such a part: what says what else is to be read comes first, then what
    /// is oldest.
    fn wanted(&self, tried: &HashSet<Key>, but: Option<Part>, most: usize) -> Vec<Wanted> {
        let round = |key: &Key| key.part().min(Part::Segment);
        let wanted = |(key, _): &(&Key, &u64)| Some(key.part()) != but && !tried.contains(*key);
        let untried = || self.owed.iter().filter(wanted);
        let Some(first) = untried().map(|(key, _)| round(key)).min() else { return Vec::new() };
        let those = untried().filter(|(key, _)| round(key) == first).take(most);
        those.map(|(key, bytes)| Wanted { key: key.clone(), bytes: *bytes }).collect()
    }

    /// Takes in what a look at the manifests found, of which `heads` are the heads.
    fn found(&mut self, look: Look, heads: &Heads) -> Result<()> {
        let Look { found, void, corrupt, .. } = look;
        for key in void.iter().chain(&corrupt) {
            if let Some(ulid) = ulid(key) {
                self.heads.settle(ulid);
            }
        }
        for (key, manifest) in found {
            let Some(ulid) = ulid(&key) else { continue };
            if heads.iter().any(|(head, _)| *head == key) {
                self.take_manifest(&key, ulid, manifest).map_err(|e| e.about(&key))?;
            } else {
                self.heads.settle(ulid);
            }
        }
        // What a manifest named that others took the place of may be gone: it is not waited for.
        let counting = self.heads.counting();
        self.pending.keep(|manifest| counting.contains(&manifest));
        self.forgive();
        Ok(())
    }
}

/// WAL objects that a list of the span shows.
pub(crate) async fn list_span(
    objects: &impl Objects,
    scope: &Scope,
    span: Span,
) -> Result<Vec<Wanted>> {
    let Span { prefix, mut after, until } = span;
    let wal = key::wal(scope);
    let within = |next: &String| until.as_ref().is_none_or(|until| next < until);
    let mut found = Vec::new();
    loop {
        let page = objects.list(&prefix, after.as_deref()).await?;
        found.extend(page.objects.iter().filter_map(|listed| wanted(&wal, listed)));
        match page.next.filter(within) {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

fn wanted(below: &Prefix, listed: &Listed) -> Option<Wanted> {
    Some(Wanted { key: Key::below(below, &listed.key)?, bytes: listed.size })
}
