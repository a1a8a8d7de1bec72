//! The promises, each against what one reader sees at one moment, and at the end.

use super::{
    Broken, Checker, Copies, Copy, Edit, Grave, Item, Number, Promise, Reading, Seen, Snapshot,
    digest,
};
use std::collections::{BTreeSet, HashMap};

impl Checker {
    /// A reader got a whole view.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn saw(&mut self, snapshot: &Snapshot, reading: &Reading<'_>) -> Result<Promise, Broken> {
        self.reads += 1;
        let numbers = self.numbers(snapshot.user, &snapshot.items)?;
        let present: BTreeSet<Number> = numbers.iter().copied().collect();
        if present.len() != numbers.len() {
            return Err("P1: a message is there twice".to_owned());
        }
        self.orders(snapshot, &numbers)?;
        self.conflicts(snapshot, &numbers)?;
        let mut absent = reading.promised.items.difference(&present);
        let excused = |n: &Number| self.may_be_hidden(*n) || self.is_orphaned(*n);
        if let Some(missing) = absent.find(|number| !excused(number)) {
            return Err(format!("P3: {} was promised by the token", self.name(*missing)));
        }
        self.buried(snapshot, &reading.promised.graves)?;
        self.closed(&numbers, &snapshot.items, &present)?;
        if reading.latest {
            self.complete(snapshot, reading, &present)?;
        }
        let known = |at, key: &str| reading.latest && at < reading.began && !(reading.omitted)(key);
        self.none_is_past(snapshot, &known)?;
        self.edits(snapshot, reading)?;
        let memory = self.buried.get(&(snapshot.host, snapshot.life)).into_iter().flatten();
        let mut graves: BTreeSet<Number> = memory.copied().collect();
        graves.retain(|number| self.graves.get(*number).is_some_and(|g| g.user == snapshot.user));
        graves.extend(&reading.promised.graves);
        Ok(Promise { items: present, graves })
    }

    /// P4: each is where its order says, and its order is one that it was sent with.
    fn orders(&self, snapshot: &Snapshot, numbers: &[Number]) -> Result<(), Broken> {
        let mut last: HashMap<&str, (&str, u32)> = HashMap::new();
        let mut counts: HashMap<&str, u32> = HashMap::new();
        for (seen, number) in snapshot.items.iter().zip(numbers) {
            let known = self.items.get(*number).is_some_and(|i| i.copies.contains_key(&seen.order));
            if !known {
                return Err(format!("P4: {seen:?} never had this order"));
            }
            *counts.entry(&seen.session).or_default() += 1;
            let before = last.insert(&seen.session, (&seen.order, seen.rank));
            let (order, rank) = before.unwrap_or(("", 0));
            let session = Some(&seen.session);
            let gap = |g: &Grave| g.id.is_some() && g.session.as_ref() == session;
            let gap = self.graves.iter().any(gap);
            let ranked = if gap { seen.rank > rank } else { seen.rank == rank + 1 };
            if order >= seen.order.as_str() || !ranked {
                return Err(format!("P4: {seen:?} comes after {order}, rank {rank}"));
            }
        }
        for session in &snapshot.sessions {
            let count = counts.get(session.id.as_str()).copied().unwrap_or(0);
            if count != session.messages {
                return Err(format!(
                    "session {} counts {}, not {count}",
                    session.id, session.messages
                ));
            }
        }
        Ok(())
    }

    /// Of several with one id the lowest has it, the others are named by their digests too.
    fn conflicts(&self, snapshot: &Snapshot, numbers: &[Number]) -> Result<(), Broken> {
        let mut first: HashMap<(&str, &str), Number> = HashMap::new();
        for (seen, number) in snapshot.items.iter().zip(numbers) {
            let owner = *first.entry((&seen.session, &seen.id)).or_insert(*number);
            let expected = match owner == *number {
                true => seen.id.clone(),
                false => format!("{}~{}", seen.id, digest(&seen.text)),
            };
            if seen.shown != expected {
                return Err(format!("{} is shown as {}, not {expected}", seen.id, seen.shown));
            }
        }
        Ok(())
    }

    /// P2: what an object names that is in the view is in the view.
    fn closed(
        &self,
        numbers: &[Number],
        seen: &[Seen],
        present: &BTreeSet<Number>,
    ) -> Result<(), Broken> {
        for (number, seen) in numbers.iter().zip(seen) {
            let key = self.items.get(*number).and_then(|item| item.copies.get(&seen.order));
            let object = key.and_then(|copy| self.objects.get(&copy.key));
            let named = object.into_iter().flat_map(|object| &object.prev);
            let named = named.filter_map(|key| self.objects.get(key)).flat_map(|o| &o.items);
            let mut absent = named.filter(|n| !present.contains(n) && !self.may_be_hidden(**n));
            if let Some(missing) = absent.next() {
                let (one, other) = (self.name(*number), self.name(*missing));
                return Err(format!("P2: {one} is shown without {other}, which it names"));
            }
        }
        Ok(())
    }

    /// P1: what a memory has shown or taken in it shows again, at the same place or before. To be asked at the very
    /// moment of the answer.
    ///
    /// # Errors
    /// What it does not.
    pub fn answers(&mut self, snapshot: &Snapshot) -> Result<(), Broken> {
        let numbers = self.numbers(snapshot.user, &snapshot.items)?;
        let present: BTreeSet<Number> = numbers.iter().copied().collect();
        if let Some(graves) = self.buried.get(&(snapshot.host, snapshot.life)) {
            self.buried(snapshot, graves)?;
        }
        let hidden: BTreeSet<Number> = self.hidden(snapshot.user);
        let shown = self.shown.entry((snapshot.host, snapshot.life)).or_default();
        let lost = shown.keys().find(|n| !present.contains(n) && !hidden.contains(n)).copied();
        for (number, seen) in numbers.iter().zip(&snapshot.items) {
            let before = shown.insert(*number, seen.order.clone());
            if before.is_some_and(|b| b < seen.order) && !hidden.contains(number) {
                return Err(format!("P4: {seen:?} went back in order"));
            }
        }
        match lost {
            Some(lost) => Err(format!("P1: {} was there before", self.name(lost))),
            None => Ok(()),
        }
    }

    /// P1: what was acknowledged before, and what no list ever left out, is there.
    fn complete(
        &self,
        snapshot: &Snapshot,
        reading: &Reading<'_>,
        present: &BTreeSet<Number>,
    ) -> Result<(), Broken> {
        let visible = |acked: &Option<(u64, String)>| {
            acked.as_ref().is_some_and(|(at, key)| *at < reading.began && !(reading.omitted)(key))
        };
        let all = self.items.iter().enumerate().filter(|(_, item)| item.user == snapshot.user);
        for (number, item) in all {
            if visible(&item.acked) && !present.contains(&number) && !self.may_be_hidden(number) {
                return Err(format!("P1: {} was acknowledged", self.name(number)));
            }
        }
        let known = |grave: &Grave| {
            grave.acked.is_some_and(|at| at < reading.began) && !(reading.omitted)(&grave.key)
        };
        let graves = self.graves.iter().enumerate().filter(|(_, grave)| known(grave));
        self.buried(snapshot, &graves.map(|(number, _)| number).collect())?;
        let kept = |edit: &&Edit| edit.user == snapshot.user && !self.edit_may_be_hidden(edit);
        for edit in self.edits.iter().filter(kept) {
            let shown = snapshot.sessions.iter().find(|session| session.id == edit.session);
            let shown = shown.and_then(|session| session.order.as_ref());
            let acked = edit.acked.as_ref().filter(|_| visible(&edit.acked)).map(|(_, key)| key);
            let order =
                edit.copies.iter().find(|(_, copy)| Some(&copy.key) == acked).map(|(o, _)| o);
            let lowest = edit.copies.keys().next();
            if let (Some(_), Some(lowest)) = (order, lowest)
                && shown.is_none_or(|shown| shown < lowest)
            {
                return Err(format!(
                    "P1: the edit {} of {} was acknowledged",
                    edit.name, edit.session
                ));
            }
        }
        Ok(())
    }

    /// The name that a session shows is that of the edit whose order it shows.
    fn edits(&self, snapshot: &Snapshot, _: &Reading<'_>) -> Result<(), Broken> {
        for session in &snapshot.sessions {
            let (Some(order), Some(name)) = (&session.order, &session.name) else { continue };
            let at = order.get(..16).unwrap_or_default().to_owned();
            let name = (snapshot.user, session.id.clone(), name.clone(), at);
            let edit = self.edit_numbers.get(&name).and_then(|number| self.edits.get(*number));
            if !edit.is_some_and(|edit| edit.copies.contains_key(order)) {
                return Err(format!("P4: {session:?} shows a name that has another order"));
            }
        }
        Ok(())
    }

    /// At the end, when nothing is hidden: everything that landed is there, once, at its lowest order.
    ///
    /// # Errors
    /// What is not.
    pub fn settled(&self, snapshot: &Snapshot) -> Result<(), Broken> {
        let landed = |key: &String| self.objects.get(key).is_some_and(|object| object.landed);
        let mine = self.graves.iter().filter(|g| g.user == snapshot.user && landed(&g.key));
        let erased = self.erased_until(snapshot.user);
        // What was deleted before is erased, and the delete with it.
        let graves: Vec<&Grave> = mine.filter(|g| g.at.as_str() > erased).collect();
        let lowest = |session: &str, copies: &Copies| {
            let of_session = |g: &&&Grave| g.id.is_none() && g.session.as_deref() == Some(session);
            let until = graves.iter().filter(of_session).map(|g| g.at.as_str()).max();
            let until = until.unwrap_or_default().max(erased);
            let mut landed = copies.iter().filter(|(_, copy)| landed(&copy.key));
            landed.find(|(_, copy)| copy.judged.as_str() > until).map(|(order, _)| order.clone())
        };
        let deleted = |item: &&Item| graves.iter().any(|g| g.id.is_some() && g.covers(item));
        // What may have passed in this very moment is not looked at.
        let (past, maybe) = self.unsure(snapshot.user);
        let unsure = |judged: &str| past.as_str() < judged && judged <= maybe.as_str();
        let any_unsure = |item: &Item| item.copies.values().any(|copy| unsure(&copy.judged));
        let place = |item: &Item| {
            let later = |(order, copy): (&String, &Copy)| {
                (copy.judged > past).then(|| (order.clone(), copy.clone()))
            };
            let copies: Copies = item.copies.iter().filter_map(later).collect();
            lowest(&item.session, &copies)
        };
        let mine = self.items.iter().filter(|i| i.user == snapshot.user && !any_unsure(i));
        let mut expected: Vec<(&str, String, &str)> = mine
            .filter(|item| !deleted(item))
            .filter_map(|item| Some((item.session.as_str(), place(item)?, &*item.text)))
            .collect();
        expected.sort();
        let numbers = self.numbers(snapshot.user, &snapshot.items)?;
        let sure =
            snapshot.items.iter().zip(numbers).filter(|(_, number)| {
                self.items.get(*number).is_some_and(|item| !any_unsure(item))
            });
        let mut found: Vec<(&str, String, &str)> =
            sure.map(|(i, _)| (&*i.session, i.order.clone(), &*i.text)).collect();
        found.sort();
        if expected != found {
            let lost = expected.iter().find(|item| !found.contains(item));
            let other = found.iter().find(|item| !expected.contains(item));
            return Err(format!("P1: at the end, missing {lost:?}, unexpected {other:?}"));
        }
        let all = || self.items.iter().filter(|item| item.user == snapshot.user);
        if !all().any(any_unsure) {
            let places = all().filter_map(|item| Some((item.session.as_str(), place(item)?)));
            ranked(snapshot, places.collect())?;
        }
        let held = |item: &Item| item.copies.values().any(|copy| landed(&copy.key));
        let unheld = |item: &&Item| item.acked.is_some() && !held(item);
        if let Some(item) = self.items.iter().find(unheld) {
            return Err(format!("P1: {} was acknowledged and is nowhere", item.id));
        }
        for session in &snapshot.sessions {
            let edits = self.edits.iter();
            let of_session = edits.filter(|e| e.user == snapshot.user && e.session == session.id);
            let last = of_session
                .filter_map(|edit| Some((lowest(&edit.session, &edit.copies)?, &edit.name)))
                .max();
            if session.name.as_ref() != last.as_ref().map(|(_, name)| *name) {
                return Err(format!("P4: at the end {session:?}, the last edit is {last:?}"));
            }
        }
        Ok(())
    }

    fn hidden(&self, user: usize) -> BTreeSet<Number> {
        let mine =
            (0..self.items.len()).filter(|n| self.items.get(*n).is_some_and(|i| i.user == user));
        match self.graves.is_empty() && !self.may_pass() {
            true => BTreeSet::new(),
            false => mine.filter(|number| self.may_be_hidden(*number)).collect(),
        }
    }

    fn edit_may_be_hidden(&self, edit: &Edit) -> bool {
        let mut graves = self.graves.iter().filter(|grave| {
            let session = grave.session.as_ref();
            let of_session = session.is_none_or(|session| *session == edit.session);
            grave.id.is_none() && grave.user == edit.user && of_session
        });
        graves.any(|grave| edit.copies.values().any(|copy| grave.above(copy)))
    }
}

/// P4: what was deleted by itself keeps its place: the others have the ranks that they would have beside it.
fn ranked(snapshot: &Snapshot, mut places: Vec<(&str, String)>) -> Result<(), Broken> {
    places.sort_unstable();
    for seen in &snapshot.items {
        let before = |(session, order): &&(&str, String)| {
            *session == seen.session && order.as_str() <= seen.order.as_str()
        };
        let rank = places.iter().filter(before).count();
        if u32::try_from(rank) != Ok(seen.rank) {
            return Err(format!("P4: at the end {seen:?} has not the rank {rank}"));
        }
    }
    Ok(())
}
