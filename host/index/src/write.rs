//! What writers tell the index, and what they want to know before they write.

use crate::shard::Shard;
use crate::types::{Knowledge, Pending, Present};
use crate::user::User;
use bytes::Bytes;
use holdfast_core::fold::View;
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::{Error, Key, Result, Scope, key};
use std::rc::Rc;

impl Shard {
    /// What is known now. Loads nothing, waits for nothing.
    pub(crate) fn known(&self, scope: &Scope, session: &str, ids: &[String]) -> Knowledge {
        let remembered = self.memory.borrow().frontier(scope);
        let clock_offset = self.shared.offset();
        let Some(user) = self.present(scope) else {
            return Knowledge { frontier: remembered, clock_offset, ..Knowledge::default() };
        };
        let journal = user.journal.borrow();
        let graves = journal.view().graves();
        let deleted = ids.iter().filter(|id| graves.has_message(session, id)).cloned().collect();
        Knowledge {
            present: present(&user, session, ids),
            deleted,
            session_deleted: graves.has_session(session),
            frontier: journal.frontier_at(self.shared.now()).joined(&remembered),
            clock_offset,
        }
    }

    /// Takes in what was just written: at once, even while the user loads. A user that is not here is loaded beside
    /// it, so that what is written again is recognised; should it leave before, what was written is remembered.
    ///
    /// # Errors
    /// `invalid` when an object is not one of the user's journal; `corrupt` when its bytes are not what its name says.
    pub(crate) fn upsert(
        self: &Rc<Self>,
        scope: &Scope,
        objects: &[(String, Bytes)],
    ) -> Result<()> {
        let objects = checked(scope, objects)?;
        match self.present(scope) {
            Some(user) => self.absorb_all(&user, &objects),
            None => {
                let mut memory = self.memory.borrow_mut();
                objects.iter().try_for_each(|(key, bytes)| memory.note(scope, key, bytes))?;
                drop(memory);
                let user = self.user(scope);
                if user.flight.board(false).1 {
                    self.begin(&user);
                }
                self.absorb_all(&user, &objects)
            }
        }
    }

    fn absorb_all(self: &Rc<Self>, user: &Rc<User>, objects: &[(Key, &Bytes)]) -> Result<()> {
        for (key, bytes) in objects {
            user.absorb(key, bytes, &self.space)?;
        }
        self.weigh(user);
        if user.renew_stale() && user.flight.board(false).1 {
            self.begin(user);
        }
        if user.loaded.get() && user.owes() && !user.flight.running() {
            // It names what is not here: readers would have to wait for it.
            let (shard, user) = (self.clone(), user.clone());
            tokio::task::spawn_local(async move {
                if let Err(error) = shard.catch_up(&user).await {
                    shard.shared.failed(&error);
                }
            });
        }
        Ok(())
    }

    /// Messages of loaded users that wait for vectors, at most `limit`, each user in its turn.
    pub(crate) fn pending(&self, limit: usize) -> Vec<(Scope, Pending)> {
        let users: Vec<Rc<User>> = self.users.borrow().values().cloned().collect();
        let waiting: Vec<_> = users.iter().filter(|user| self.waits(user)).collect();
        let share = limit.div_ceil(waiting.len().max(1));
        let of_user = |user: &&Rc<User>| {
            let (journal, shelf) = (user.journal.borrow(), user.shelf.borrow());
            let view = journal.view();
            let messages = shelf.pending().filter_map(|number| pending(view, number));
            let memories = user.memories.borrow();
            let memories = memories.pending().filter_map(|id| pending_memory(view, id));
            memories
                .chain(messages)
                .take(share)
                .map(|pending| (user.scope.clone(), pending))
                .collect::<Vec<_>>()
        };
        waiting.iter().flat_map(of_user).take(limit).collect()
    }
}

impl Shard {
    /// Has the user anything that waits for vectors?
    fn waits(&self, user: &User) -> bool {
        let journal = user.journal.borrow();
        let mut memories = user.memories.borrow_mut();
        // What cannot be read here is met again, and said, where somebody asks for it.
        let _ = memories.follow(journal.view(), self.shared.now(), &self.space);
        user.shelf.borrow().pending_count() > 0 || memories.pending().next().is_some()
    }
}

fn pending_memory(view: &View, id: &str) -> Option<Pending> {
    let found = view.thing(ThingKind::Memory, "", id)?;
    let last = found.last()?;
    let (text, sources) = (last.text.clone(), last.sources.clone());
    let body = ThingBody { text, sources, vectors: Vec::new() }.encode().ok()?;
    Some(Pending {
        memory: true,
        session: String::new(),
        id: id.to_owned(),
        order: last.order.to_string(),
        at: last.order.hlc,
        by: last.by.clone(),
        body: body.get().to_owned(),
    })
}

fn pending(view: &View, number: u32) -> Option<Pending> {
    let entry = view.found(number)?.entry;
    Some(Pending {
        memory: false,
        session: entry.session.to_string(),
        id: entry.id.to_string(),
        order: entry.order.to_string(),
        at: entry.order.hlc,
        by: entry.by.clone(),
        body: entry.text.to_string(),
    })
}

fn checked<'a>(scope: &Scope, objects: &'a [(String, Bytes)]) -> Result<Vec<(Key, &'a Bytes)>> {
    let wal = key::wal(scope);
    let check = |(text, bytes): &'a (String, Bytes)| {
        let key = Key::below(&wal, text)
            .ok_or_else(|| Error::invalid("an object is not one of this user's journal"))?;
        if key.hash() != Some(key::hash32(bytes).as_str()) {
            return Err(Error::corrupt("its bytes are not what its name says").about(&key));
        }
        Ok((key, bytes))
    };
    objects.iter().map(check).collect()
}

fn present(user: &User, session: &str, ids: &[String]) -> Vec<Present> {
    let (journal, shelf) = (user.journal.borrow(), user.shelf.borrow());
    let view = journal.view();
    let numbers = ids.iter().flat_map(|id| shelf.with_id(view, session, id));
    let mut entries: Vec<_> = numbers.filter_map(|n| view.found(n).map(|f| f.entry)).collect();
    entries.sort_unstable_by_key(|entry| entry.order);
    let present = entries.into_iter().map(|entry| Present {
        id: entry.id.to_string(),
        digest: entry.digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        order: entry.order.to_string(),
    });
    present.collect()
}
