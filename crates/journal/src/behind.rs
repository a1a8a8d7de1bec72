//! What manifests behind the heads still hold: records that a lost segment of the heads is sealed anew of.

use crate::compact::lines_of_wal;
use crate::fetch;
use crate::heads::{self, ulid_of_name};
use crate::survey::{Segments, Survey, segments};
use holdfast_core::manifest::{Entry, Manifest};
use holdfast_core::ports::Objects;
use holdfast_core::record::Line;
use holdfast_core::{Key, Part, Result, Scope, key, segment};
use std::collections::{BTreeSet, HashSet};

/// Segments that the heads do not name, of manifests that they took the place of, as far as those can be read. What an erase
/// settles is none.
pub(crate) async fn behind(
    objects: &impl Objects,
    scope: &Scope,
    survey: &Survey,
) -> Result<Segments> {
    let erased = survey.heads.erased;
    let older =
        survey.heads.iter().flat_map(|(_, head)| head.parents.iter().chain(&head.ancestors));
    let older = older.filter_map(|name| key::named(scope, name));
    let older = older.filter(|key| key.part() == Part::Manifest && !erased.settles(key));
    let older: BTreeSet<Key> = older.collect();
    let mut entries: Vec<Entry> = Vec::new();
    for (_, got) in fetch::all(objects, older).await? {
        let manifest = got.and_then(|bytes| Manifest::decode(&bytes));
        entries.extend(manifest.into_iter().flat_map(|manifest| manifest.segments));
    }
    let other = |entry: &Entry| {
        let parts = heads::parts(scope, &entry.seg, &entry.cov);
        parts.is_ok_and(|(ulid, ..)| !survey.segments.contains_key(&ulid.0))
    };
    entries.retain(other);
    let mut behind = segments(objects, scope, entries.iter(), &Segments::new()).await?;
    behind.retain(|_, one| one.cover.is_some() && !erased.settles(&one.seg));
    Ok(behind)
}

/// All records of the WAL objects of these names: from segments `behind` the heads, of the newest first, and from those objects
/// themselves. None while some are nowhere.
pub(crate) async fn records(
    objects: &impl Objects,
    scope: &Scope,
    behind: &Segments,
    names: &[String],
) -> Result<Option<Vec<Line>>> {
    let (mut lines, mut left): (Vec<Line>, HashSet<&str>) =
        (Vec::new(), names.iter().map(String::as_str).collect());
    for named in behind.values().rev() {
        let Some(cover) = &named.cover else { continue };
        let held: Vec<&str> =
            cover.wal.iter().map(String::as_str).filter(|name| left.contains(name)).collect();
        if held.is_empty() {
            continue;
        }
        let read = fetch::get(objects, &named.seg).await;
        let all = match read.and_then(|bytes| segment::open(&bytes, cover)) {
            Err(error) if fetch::concerns_one(&error) => continue,
            all => all?,
        };
        let ulids: HashSet<_> = held.iter().filter_map(|name| ulid_of_name(name)).collect();
        lines.extend(all.into_iter().filter(|line| ulids.contains(&line.order.ulid)));
        held.iter().for_each(|name| _ = left.remove(name));
    }
    let left: Vec<String> = left.into_iter().map(str::to_owned).collect();
    let more = lines_of_wal(objects, scope, &left).await?;
    Ok(more.map(|more| {
        lines.extend(more);
        lines
    }))
}
