//! What deletes take with its bytes: at the end no object holds it (P6), and nothing else went with it.

use super::garbage::{Sorted, texts};
use super::heard::Line;
use super::{Broken, Checker, Copy, Grave, Item};
use crate::store::Stored;

impl Checker {
    /// P6: what objects still hold of what was deleted with its bytes. What lies in WAL objects that are too large to be
    /// sealed stays, and what such an object deletes.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn unpurged(
        &self,
        user: usize,
        stored: &[Stored],
        largest: u64,
    ) -> Result<Vec<String>, Broken> {
        let purges = self.purges_of(user, largest);
        let passed = self.passed_for_ever(user, largest);
        let prefix = self.homes.get(user).map_or("", |home| home.journal.as_str());
        if purges.is_empty() && passed.is_none() {
            return Ok(Vec::new());
        }
        let gone: Vec<&Item> = self.taken(user, &purges, passed).collect();
        let Sorted { parts, others, .. } = Sorted::of(prefix, stored)?;
        let mut left = Vec::new();
        for (name, one) in parts {
            // Texts stand in it as they are.
            let text = String::from_utf8_lossy(&one.bytes);
            let held = gone.iter().find(|item| text.contains(&item.text));
            left.extend(held.map(|i| format!("P6: {name} holds what was purged: {}", i.text)));
        }
        for (name, one) in others {
            if name.starts_with("wal/") && one.bytes.len() as u64 > largest {
                continue;
            }
            let texts = texts(name, one)?;
            let held = texts.iter().filter(|text| {
                let line = serde_json::from_str::<Line<'_>>(text);
                line.is_ok_and(|line| {
                    let message = ["message", "gone"].contains(&line.kind.as_str());
                    message && passed >= Some(line.judged())
                        || purges.iter().any(|purge| purge.takes(&line))
                }) || gone.iter().any(|item| text.contains(&item.text))
            });
            left.extend(held.map(|text| format!("P6: {name} holds what was purged: {text}")));
        }
        Ok(left)
    }

    /// Counts what was found to be gone.
    pub fn count_gone(&mut self, user: usize, largest: u64) {
        let passed = self.passed_for_ever(user, largest);
        let gone = self.taken(user, &self.purges_of(user, largest), passed).count();
        self.gone += gone as u64;
        self.detached += self.detached_of(user);
    }

    /// Purges that landed and that no erase made void.
    fn purges_of(&self, user: usize, largest: u64) -> Vec<&Grave> {
        let erased = self.erased_until(user);
        let sealable = |grave: &Grave| {
            self.objects.get(&grave.key).is_some_and(|o| o.landed && o.bytes <= largest)
        };
        let mine = self.graves.iter().filter(|grave| grave.user == user && grave.physical);
        mine.filter(|grave| grave.at.as_str() > erased && sealable(grave)).collect()
    }

    /// Messages that landed, and of which the purges take every copy.
    fn taken<'c>(
        &'c self,
        user: usize,
        purges: &'c [&'c Grave],
        passed: Option<&'c str>,
    ) -> impl Iterator<Item = &'c Item> {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let lay = move |item: &&Item| item.copies.values().any(|copy| landed(&copy.key));
        let mine = self.items.iter().filter(move |item| item.user == user).filter(lay);
        mine.filter(move |item| {
            let covering = || purges.iter().filter(|purge| purge.covers(item));
            let goes = |copy: &Copy| {
                passed >= Some(copy.judged.as_str()) || covering().any(|purge| purge.above(copy))
            };
            covering().any(|purge| purge.id.is_some()) || item.copies.values().all(goes)
        })
    }
}

impl Grave {
    /// A record of which the purge leaves nothing. Of a message that is deleted by itself a record of kind `gone` stays.
    fn takes(&self, line: &Line<'_>) -> bool {
        if self.session.as_ref() != Some(&line.session) {
            return false;
        }
        match (&self.id, line.kind.as_str()) {
            (_, "tombstone") => false,
            (Some(id), kind) => kind == "message" && *id == line.id,
            (None, _) => line.judged() <= self.at.as_str(),
        }
    }
}
