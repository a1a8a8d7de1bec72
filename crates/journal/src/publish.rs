//! Publishing: one manifest that names all segments, and takes the place of the heads that its maker read.

use crate::compact::New;
use crate::covered::About;
use crate::heads::ulid;
use crate::rules::Rules;
use crate::survey::{Named, Segments, Survey};
use crate::write::fresh;
use bytes::Bytes;
use holdfast_core::manifest::Manifest;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Error, Key, Result, Scope, key};
use std::collections::{BTreeSet, HashSet};

/// Adds new segments to those that there are.
pub(crate) fn add(rules: &Rules, segments: &mut Segments, new: Vec<New>) {
    let abouts = segments.values().filter_map(|named| named.about.as_ref());
    let kept: usize = abouts.map(|about| about.wal().len()).sum();
    let mut room = rules.known_names.saturating_sub(kept);
    let named = |new: New| {
        let New { ulid, entry, seg, cov, cover } = new;
        let about = Some(About::of(&cover, &mut room));
        (ulid.0, Named { entry, seg, cov, about, whole: true, gone: false })
    };
    segments.extend(new.into_iter().map(named));
}

/// Publishes the survey's segments, and makes that its only head. `begun` is when its maker began to read; every object with an earlier ULID than `from`
/// that it saw is covered.
pub(crate) async fn publish(
    outside: &Outside<'_, impl Objects, impl Clock, impl Ids>,
    scope: &Scope,
    rules: &Rules,
    survey: &mut Survey,
    begun: u64,
    from: u64,
) -> Result<Key> {
    let (parents, ancestors) = lineage(scope, rules, survey, begun);
    let mut manifest = Manifest::new(begun, from, parents, ancestors);
    manifest.segments = survey.segments.values().map(|named| named.entry.clone()).collect();
    let bytes = Bytes::from(manifest.encode()?);
    let now = outside.clock.now();
    // Half of it is for the store.
    if now.saturating_sub(begun) > rules.void_after / 2 {
        return Err(Error::unavailable("the compaction took so long that it would be void: again"));
    }
    // Above its parents, however clocks differ: what is newest is then nobody's ancestor.
    let parent = survey.heads.iter().filter_map(|(key, _)| ulid(key)).max();
    let at = parent.map_or(now, |parent| now.max(parent.timestamp_ms() + 1));
    let ulid = fresh(at, outside.ids);
    let key = key::manifest_object(scope, ulid, &bytes);
    outside.objects.put(&key, bytes).await?;
    // What it stands for is read; a next one names it as its parent.
    survey.heads.add(&key, ulid, manifest);
    survey.look.corrupt.clear();
    Ok(key)
}

/// The heads, and all ancestors that somebody may still see: those that are listed, and those that are young.
fn lineage(
    scope: &Scope,
    rules: &Rules,
    survey: &Survey,
    begun: u64,
) -> (Vec<String>, Vec<String>) {
    let name = |key: &Key| key::name(scope, key).to_owned();
    let parents: Vec<String> = survey.heads.iter().map(|(key, _)| name(key)).collect();
    let listed: HashSet<&str> = survey.look.listed.iter().map(|one| one.key.as_str()).collect();
    let seen = |name: &&String| {
        let Some(key) = key::named(scope, name) else { return false };
        let at = ulid(&key).map_or(0, |ulid| ulid.timestamp_ms());
        at.saturating_add(rules.orphan()) > begun || listed.contains(key.as_str())
    };
    let manifests = survey.heads.iter().map(|(_, manifest)| manifest);
    let older = manifests.flat_map(|manifest| manifest.parents.iter().chain(&manifest.ancestors));
    let mut ancestors: BTreeSet<String> = older.filter(seen).cloned().collect();
    // All that they stand for was read elsewhere.
    ancestors.extend(survey.look.corrupt.iter().map(name));
    (parents, ancestors.into_iter().collect())
}
