//! Which WAL objects segments cover, in bounded memory: the names of all that a user ever wrote are too many.

use crate::fetch;
use crate::heads::{ulid, ulid_of_name};
use crate::survey::Named;
use holdfast_core::cover::Cover;
use holdfast_core::ports::Objects;
use holdfast_core::purge::Purge;
use holdfast_core::{Hlc, Key, Result, segment};
use std::sync::Arc;
use ulid::Ulid;

/// What tells a user's WAL objects apart, without the text about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WalId {
    ulid: Ulid,
    hash: u128,
}

impl WalId {
    /// Of a name; none of what is no such name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let hash = name.rsplit('/').next()?.get(26..)?.strip_prefix('-')?.get(..32)?;
        Some(Self { ulid: ulid_of_name(name)?, hash: u128::from_str_radix(hash, 16).ok()? })
    }

    /// Of a key; none of what is none of a WAL object.
    pub(crate) fn of_key(key: &Key) -> Option<Self> {
        let hash = u128::from_str_radix(key.hash()?, 16).ok()?;
        Some(Self { ulid: ulid(key)?, hash })
    }
}

/// What is kept of a cover.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub purges: Vec<Purge>,
    /// When the oldest of its records was written.
    pub oldest: Option<Hlc>,
    /// What it covers, sorted. None where there was no room for it.
    wal: Option<Arc<[WalId]>>,
}

impl About {
    /// Keeps as many names as there is `room` for, all or none, and takes those off it.
    pub(crate) fn of(cover: &Cover, room: &mut usize) -> Self {
        let left = room.checked_sub(cover.wal.len());
        *room = left.unwrap_or(*room);
        let oldest = cover.sessions.iter().map(|frames| frames.first.hlc).min();
        Self { purges: cover.purges.clone(), oldest, wal: left.map(|_| ids(cover).into()) }
    }

    /// There was no room for what it covers.
    pub(crate) fn is_short(&self) -> bool {
        self.wal.is_none()
    }

    /// What it covers, as far as that is kept.
    pub(crate) fn wal(&self) -> &[WalId] {
        self.wal.as_deref().unwrap_or_default()
    }
}

fn ids(cover: &Cover) -> Vec<WalId> {
    let mut ids: Vec<WalId> = cover.wal.iter().filter_map(|name| WalId::of(name)).collect();
    ids.sort_unstable();
    ids
}

/// What a segment covers, sorted: read again where it is not kept.
///
/// # Errors
/// As [`read_cover`].
pub(crate) async fn ids_of(objects: &impl Objects, named: &Named) -> Result<Vec<WalId>> {
    match named.about.as_ref().and_then(|about| about.wal.as_ref()) {
        Some(wal) => Ok(wal.to_vec()),
        None => Ok(ids(&read_cover(objects, named).await?)),
    }
}

/// Leaves what none of these segments covers. Covers whose names are not kept are read again, where they may matter.
///
/// # Errors
/// What the store may answer; what concerns one such cover, which was there before.
pub(crate) async fn uncovered<'s, T>(
    objects: &impl Objects,
    segments: impl IntoIterator<Item = &'s Named>,
    mut all: Vec<T>,
    id: impl Fn(&T) -> Option<WalId>,
) -> Result<Vec<T>> {
    let mut unkept = Vec::new();
    for named in segments {
        match named.about.as_ref().map(|about| &about.wal) {
            Some(Some(wal)) => leave(&mut all, wal, &id),
            Some(None) => unkept.push(named),
            None => {}
        }
    }
    for named in unkept {
        let span = named.entry.oldest..=named.entry.newest;
        if all.iter().filter_map(&id).any(|id| span.contains(&id.ulid)) {
            leave(&mut all, &ids(&read_cover(objects, named).await?), &id);
        }
    }
    Ok(all)
}

/// Leaves what is not among these, which are sorted.
fn leave<T>(all: &mut Vec<T>, covered: &[WalId], id: impl Fn(&T) -> Option<WalId>) {
    all.retain(|one| id(one).is_none_or(|id| covered.binary_search(&id).is_err()));
}

/// The cover of a segment: the object beside it, or what lies within.
///
/// # Errors
/// What the store may answer; what is wrong with the segment, where neither can be read.
pub(crate) async fn read_cover(objects: &impl Objects, named: &Named) -> Result<Cover> {
    let beside = fetch::get(objects, &named.cov).await.and_then(|bytes| Cover::decode(&bytes));
    match beside {
        Err(error) if fetch::concerns_one(&error) => {
            segment::cover_within(&fetch::get(objects, &named.seg).await?)
        }
        cover => cover,
    }
}
