//! Attachments: the bytes that stand are there (P1), those that were deleted with their bytes are not (P6), nor those that
//! nothing names (P7).

use super::{Broken, Checker, Grave, Number};
use crate::store::Stored;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A record that names the parts of an attachment.
pub(super) struct Attached {
    pub user: usize,
    pub session: String,
    pub name: String,
    pub order: String,
    pub key: String,
    pub sha256: String,
    pub parts: Vec<String>,
}

/// A delete of an attachment by itself.
pub(super) struct Detached {
    pub user: usize,
    pub session: String,
    pub name: String,
    pub at: String,
    pub key: String,
    pub physical: bool,
}

/// All that was heard of them.
#[derive(Default)]
pub(super) struct Attachments {
    pub attached: Vec<Attached>,
    pub detached: Vec<Detached>,
}

/// What becomes of the bytes of a version.
#[derive(PartialEq, Eq)]
enum Fate {
    Stands,
    /// It was deleted, and its bytes were not.
    Hidden,
    Goes,
}

impl Checker {
    /// Bytes that were read: somebody stored them so.
    ///
    /// # Errors
    /// P1: when nobody did.
    pub fn read_attached(
        &self,
        user: usize,
        (session, name): (&str, &str),
        bytes: &[u8],
    ) -> Result<(), Broken> {
        let sha256 = hex::encode(Sha256::digest(bytes));
        let mut all = self.attachments.attached.iter();
        let sent = |one: &Attached| {
            (one.user, &*one.session, &*one.name, &one.sha256) == (user, session, name, &sha256)
        };
        match all.any(sent) {
            true => Ok(()),
            false => Err(format!("P1: {name} of {session} never had these bytes: {bytes:?}")),
        }
    }

    /// At the end: names of a user's attachments that anybody stored, each with the hash of what stands there, if anything.
    pub fn standing(&self, user: usize) -> BTreeMap<(String, String), Option<String>> {
        let mut standing = BTreeMap::new();
        for number in 0..self.attachments.attached.len() {
            let Some(one) = self.attachments.attached.get(number).filter(|one| one.user == user)
            else {
                continue;
            };
            let name = (one.session.clone(), one.name.clone());
            let stands = standing.entry(name).or_insert(None);
            if self.fate(number) == Fate::Stands {
                *stands = Some(one.sha256.clone());
            }
        }
        standing
    }

    /// P7: parts that nothing keeps.
    pub(super) fn useless_parts<'s>(&self, user: usize, parts: &[&'s str]) -> Vec<&'s str> {
        let all = self.attachments.attached.iter().enumerate().filter(|(_, one)| one.user == user);
        let kept = all.filter(|(number, _)| self.fate(*number) != Fate::Goes);
        let kept: BTreeSet<&str> = kept.flat_map(|(_, o)| &o.parts).map(String::as_str).collect();
        parts.iter().filter(|name| !kept.contains(*name)).copied().collect()
    }

    /// P1: the bytes of every attachment that stands lie there.
    ///
    /// # Errors
    /// One that does not.
    pub fn parts_are_there(&self, user: usize, stored: &[Stored]) -> Result<(), Broken> {
        let prefix = self.homes.get(user).map_or("", |home| home.journal.as_str());
        let there = stored.iter().filter_map(|one| one.key.strip_prefix(prefix));
        let there: BTreeSet<&str> = there.collect();
        for (number, one) in self.attachments.attached.iter().enumerate() {
            let lost = one.parts.iter().find(|part| !there.contains(part.as_str()));
            if let (true, Some(part)) = (one.user == user, lost)
                && self.fate(number) == Fate::Stands
            {
                return Err(format!("P1: {part} of {}, {} is gone", one.session, one.name));
            }
        }
        Ok(())
    }

    /// Versions that landed and of which nothing is kept.
    pub(super) fn detached_of(&self, user: usize) -> u64 {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let all = self.attachments.attached.iter().enumerate();
        let mine = all.filter(|(_, one)| one.user == user && landed(&one.key));
        mine.filter(|(number, _)| self.fate(*number) == Fate::Goes).count() as u64
    }

    fn fate(&self, number: Number) -> Fate {
        let Some(one) = self.attachments.attached.get(number) else { return Fate::Goes };
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let at = one.order.get(..16).unwrap_or_default();
        if !landed(&one.key) || at <= self.erased_until(one.user) {
            return Fate::Goes;
        }
        let of_session = |g: &&Grave| g.session.as_ref() == Some(&one.session) && g.id.is_none();
        let sessions = self.graves.iter().filter(|g| g.user == one.user).filter(of_session);
        let sessions = sessions.filter(|g| landed(&g.key) && g.at.as_str() >= at);
        let own = self.attachments.detached.iter().filter(|d| {
            (d.user, &d.session, &d.name) == (one.user, &one.session, &one.name)
                && landed(&d.key)
                && d.at.as_str() >= at
        });
        let deletes = sessions.map(|g| g.physical).chain(own.map(|d| d.physical));
        match deletes.max() {
            Some(true) => Fate::Goes,
            Some(false) => Fate::Hidden,
            None if self.is_replaced(one) => Fate::Goes,
            None => Fate::Stands,
        }
    }

    /// Copies of one record are one.
    fn is_replaced(&self, one: &Attached) -> bool {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let same = |other: &Attached| {
            (other.user, &other.session, &other.name) == (one.user, &one.session, &one.name)
        };
        let mut others = self.attachments.attached.iter().filter(|other| same(other));
        others.any(|o| o.order > one.order && o.parts != one.parts && landed(&o.key))
    }
}
