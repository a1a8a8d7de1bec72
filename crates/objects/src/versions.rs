//! Old versions: what a bucket with versioning keeps of objects that were removed.
//!
//! No key of ours is ever written twice with other bytes, so every version that is not the latest is of a removed object, or
//! a copy of the same bytes. The marks of removals go last: one that went before its versions would bring the object back.

use crate::answer::{self, Version, VersionsBody};
use crate::fault::{Class, Fault, success};
use crate::operations::{Call, cut_off};
use crate::store::Store;
use crate::{Transport, address};
use futures::stream::{self, StreamExt, TryStreamExt};
use holdfast_core::erase::Versions;
use holdfast_core::ports::{Clock, Ids, Purged};
use holdfast_core::{Prefix, Result};
use std::collections::HashSet;

/// Versions that one call removes, and marks, about.
const MOST: usize = 1_000;
const AT_ONCE: usize = 16;

/// What the store refused to remove.
#[derive(Default)]
struct Kept {
    keys: HashSet<String>,
    count: u64,
    until: Option<u64>,
}

impl Kept {
    fn versions(&self) -> Versions {
        match self.count {
            0 => Versions::None,
            count => Versions::Kept { count, until: self.until },
        }
    }
}

impl<T: Transport, C: Clock, I: Ids> Store<T, C, I> {
    /// See [`Objects::purge`](holdfast_core::ports::Objects::purge).
    pub(crate) async fn purge_versions(&self, prefix: &Prefix) -> Result<Purged> {
        let left = |versions| Purged { more: false, versions };
        match self.keeps_versions().await? {
            None => return Ok(left(Versions::Unknown)),
            Some(false) => return Ok(left(Versions::None)),
            Some(true) => {}
        }
        let (mut kept, mut marks, mut removed) = (Kept::default(), Vec::new(), 0);
        let mut from = None;
        loop {
            let VersionsBody { versions, next, .. } = self.versions(prefix, from.as_ref()).await?;
            let ours = versions.into_iter().filter(|one| one.key.starts_with(prefix.as_str()));
            let (found, old): (Vec<_>, Vec<_>) =
                ours.filter(|one| one.marker || !one.latest).partition(|one| one.marker);
            marks.extend(found);
            removed += self.remove_versions(old, &mut kept).await?;
            if removed >= MOST {
                return Ok(Purged { more: true, versions: kept.versions() });
            }
            match next {
                Some(next) if from.as_ref() != Some(&next) => from = Some(next),
                _ => break,
            }
        }
        // What was removed just now may have been all: a look that finds nothing more comes before the marks go.
        let more = removed > 0 || marks.len() > MOST;
        if removed == 0 {
            marks.retain(|mark| !kept.keys.contains(&mark.key));
            marks.truncate(MOST);
            self.remove_versions(marks, &mut kept).await?;
        }
        Ok(Purged { more, versions: kept.versions() })
    }

    /// Whether the bucket keeps old versions, or did; `None` when it does not say.
    async fn keeps_versions(&self) -> Result<Option<bool>> {
        let call = Call::asking("versioning", address::aspect(&self.settings, "versioning="))?;
        let judge = |answer| match success(answer) {
            Ok(answer) => Ok(Some(String::from_utf8_lossy(answer.body()).contains("<Status>"))),
            Err(fault) if fault.status == 403 && fault.class == Class::Refused => Ok(None),
            // A store that does not know the question keeps none.
            Err(fault) if matches!(fault.class, Class::Refused | Class::NoKey) => Ok(Some(false)),
            Err(fault) => Err(fault),
        };
        self.call(&call, judge).await
    }

    async fn versions(
        &self,
        prefix: &Prefix,
        from: Option<&(String, String)>,
    ) -> Result<VersionsBody> {
        let url = address::versions(&self.settings, prefix.as_str(), from);
        let call = Call::asking(prefix.as_str(), url)?;
        let judge = |answer| {
            answer::versions(success(answer)?.body()).ok_or_else(|| cut_off("no list of versions"))
        };
        self.call(&call, judge).await
    }

    /// Removes what the store lets go; says how many.
    async fn remove_versions(&self, versions: Vec<Version>, kept: &mut Kept) -> Result<usize> {
        let one = |version: Version| async {
            Ok::<_, holdfast_core::Error>((self.remove_version(&version).await?, version))
        };
        let done = stream::iter(versions.into_iter().map(one)).buffer_unordered(AT_ONCE);
        let mut removed = 0;
        for (gone, version) in done.try_collect::<Vec<_>>().await? {
            if gone {
                removed += 1;
            } else {
                kept.count += 1;
                kept.until = kept.until.max(self.locked_until(&version).await);
                kept.keys.insert(version.key);
            }
        }
        Ok(removed)
    }

    /// Removes one version; false when the store refuses.
    async fn remove_version(&self, version: &Version) -> Result<bool> {
        let url = address::version(&self.settings, &version.key, "", &version.id);
        let judge = |answer| match success(answer) {
            Ok(_) => Ok(true),
            Err(Fault { class: Class::NoKey, .. }) => Ok(true),
            Err(fault) if fault.class == Class::Refused && fault.code == "AccessDenied" => {
                Ok(false)
            }
            Err(fault) => Err(fault),
        };
        self.call(&Call::removing(&version.key, url)?, judge).await
    }

    /// Until when the store keeps a version, where it says.
    async fn locked_until(&self, version: &Version) -> Option<u64> {
        let url = address::version(&self.settings, &version.key, "retention=&", &version.id);
        let call = Call::asking(&version.key, url).ok()?;
        let judge = |answer| Ok(answer::retained_until(success(answer)?.body()));
        self.call(&call, judge).await.ok().flatten()
    }
}
