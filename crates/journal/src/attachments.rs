//! Collecting attachments: bytes that no record names, because their writer died before it, because another version took
//! their place, or because a delete that removes bytes took the record.
//!
//! Names of parts are given once, and only the record that is written right after them names them, within
//! [`LONGEST`](holdfast_core::attachment::LONGEST). So what is older than the grace and is named by nothing that the whole
//! journal holds is named by nothing ever. What was deleted without removing bytes keeps them.

use crate::collect::remove;
use crate::compact::Next;
use crate::fetch::{self, Seen};
use crate::follow::{open, settle};
use crate::read::Journal;
use crate::{Collected, Rules, ledger};
use holdfast_core::attachment::Attachment;
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::fold::{FoundThing, Within};
use holdfast_core::ports::{Clock, Objects, Outside};
use holdfast_core::thing::ThingKind;
use holdfast_core::{Result, Scope, key};
use std::cell::RefCell;
use std::collections::HashSet;

/// Removes the bytes of attachments that may go of those that were `seen`, at most so much as one step takes.
///
/// # Errors
/// What the store may answer, and what a read of the journal may meet: nothing is removed then.
pub(crate) async fn collect<I>(
    outside: &Outside<'_, impl Objects, impl Clock, I>,
    scope: &Scope,
    ledger: &Ledger,
    rules: &Rules,
    mut seen: Vec<Seen>,
    collected: &mut Collected,
) -> Result<()> {
    let objects = outside.objects;
    if seen.is_empty() {
        return Ok(());
    }
    let now = outside.clock.now();
    // Ages are by the store's clock, which may not agree with ours.
    let aged = now.saturating_sub(rules.margin);
    let erasure = ledger::erasure(objects, ledger, scope).await?;
    let ended = erasure.filter(|erasure| erasure.receipt.as_ref().is_some_and(|r| r.last));
    let late = ended.map(|erasure| Erased::by(erasure.at));
    seen.retain(|one| {
        let old = one.modified.saturating_add(rules.grace) <= aged;
        old || late.is_some_and(|erased| erased.settles(&one.key))
    });
    if seen.is_empty() {
        return Ok(());
    }
    // Whatever names one of these was written long before this read of the journal began.
    let named = named(objects, (scope, ledger), rules, now, late.unwrap_or_default()).await?;
    let Some(named) = named else { return Ok(()) };
    let doomed = seen.into_iter().filter(|one| !named.contains(key::name(scope, &one.key)));
    let mut doomed: Vec<Seen> = doomed.collect();
    if doomed.len() > rules.step_objects {
        collected.next = Next::More;
        doomed.truncate(rules.step_objects);
    }
    remove(objects, doomed, collected).await
}

/// Names of the parts that the journal's records keep, for who knows of this erase whatever the ledger lists. None where
/// something cannot be read, which may name any.
pub(crate) async fn named(
    objects: &impl Objects,
    (scope, ledger): (&Scope, &Ledger),
    rules: &Rules,
    now: u64,
    erased: Erased,
) -> Result<Option<HashSet<String>>> {
    let only = Within { only: Some(ThingKind::Attachment), ..Within::default() };
    let mut journal = Journal::with_rules(scope.clone(), *rules).with_ledger(ledger).within(only);
    journal.renew(erased);
    let journal = RefCell::new(journal);
    let read = async {
        read(objects, &journal, now).await?;
        let (journal, mut named) = (journal.borrow(), HashSet::new());
        for found in journal.view().all_things() {
            keeps(&found, now.saturating_sub(rules.grace), &mut named)?;
        }
        Ok(named)
    };
    match read.await {
        Err(error) if fetch::concerns_one(&error) => Ok(None),
        named => named.map(Some),
    }
}

async fn read(objects: &impl Objects, journal: &RefCell<Journal>, now: u64) -> Result<()> {
    loop {
        open(objects, journal, now).await?;
        let settled = settle(objects, journal, now, async |_| Ok(())).await;
        if !journal.borrow_mut().renew_stale() {
            return settled;
        }
    }
}

/// The version that stands, and those that others took the place of since `moment` (Unix milliseconds).
fn keeps(found: &FoundThing<'_>, moment: u64, named: &mut HashSet<String>) -> Result<()> {
    let next = found.versions.iter().skip(1).map(Some).chain([None]);
    for (version, next) in found.versions.iter().zip(next) {
        if next.is_none_or(|next| next.order.hlc.milliseconds() > moment) {
            let parts = Attachment::read(&version.text)?.parts;
            named.extend(parts.into_iter().map(|part| part.name));
        }
    }
    Ok(())
}
