//! Work in the background that writes, as `host/src/background.rs` does, and erases.

use super::{Host, User, writer};
use crate::executor::Owner;
use crate::plan::DERIVING;
use holdfast_core::ports::{Clock, Outside};
use holdfast_core::record::{Kind, Record, Stamp};
use holdfast_core::{Error, Hlc, Order, Result, SessionId};
use holdfast_journal::{self as journal, Pen, Written};
use serde_json::value::RawValue;
use std::rc::Rc;

impl Host {
    /// Writes one message that the view knows again, as embedding does.
    ///
    /// # Errors
    /// As `holdfast_journal::rewrite`.
    pub async fn embed(self: Rc<Self>, user: usize) -> Result<()> {
        let Some(known) = self.users.borrow().get(&user).cloned() else { return Ok(()) };
        let Some(record) = self.some_record(&known) else { return Ok(()) };
        self.rewritten(user, record).await
    }

    /// Makes something of a session, which takes a while: a record that is as old as its newest source.
    ///
    /// # Errors
    /// As `holdfast_journal::rewrite`.
    pub async fn derive(self: Rc<Self>, user: usize, name: String) -> Result<()> {
        let Some(known) = self.users.borrow().get(&user).cloned() else { return Ok(()) };
        let Some((session, from)) = self.some_source(&known) else { return Ok(()) };
        self.bucket.sleep(self.world.random.skewed(DERIVING)).await;
        let now = self.bucket.now().saturating_add_signed(self.offset().await?);
        let stamp = Stamp { at: Hlc::mint(now, [self.known(user).hlc]), by: writer() };
        let body = format!(r#"{{"message":{{"role":"system","content":"{name} of {from}"}}}}"#);
        let mut record = Record::new(Kind::Message, &name, &session, &stamp, raw(body)?);
        record.from = Some(from.to_string());
        self.rewritten(user, record).await
    }

    async fn rewritten(self: &Rc<Self>, user: usize, record: Record) -> Result<()> {
        let offset = self.offset().await?;
        let frontier = self.known(user);
        let scope = self.world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let outside = Outside { objects: &self.bucket, clock: &self.bucket, ids: &self.bucket };
        // What was erased meanwhile is not written again.
        let erased = journal::erased(&self.bucket, &self.world.ledger, scope).await?;
        let order = Order { hlc: record.at, ulid: ulid::Ulid::nil(), position: 0 };
        if erased.at() >= Some(holdfast_core::graves::judged(&record, order)) {
            return Ok(());
        }
        let written = journal::rewrite(&outside, scope, &frontier, offset, vec![record]).await?;
        self.upsert(user, &written)
    }

    fn some_record(&self, user: &User) -> Option<Record> {
        let journal = user.journal.borrow();
        let count = journal.view().numbers();
        let number = u32::try_from(self.world.random.below(count.into())).ok()?;
        let found = journal.view().found(number)?;
        let entry = found.entry;
        // One that was derived is made anew, not written again.
        if entry.id.starts_with("sum") {
            return None;
        }
        let body = raw(format!("{{\"message\":{},\"vectors\":[]}}", entry.text)).ok()?;
        let stamp = Stamp { at: entry.order.hlc, by: entry.by.clone() };
        let session = SessionId::parse(&entry.session).ok()?;
        Some(Record::new(Kind::Message, &entry.id, &session, &stamp, body))
    }

    /// A session and the highest order of what was said there.
    fn some_source(&self, user: &User) -> Option<(SessionId, Order)> {
        let journal = user.journal.borrow();
        let view = journal.view();
        let (sessions, _) = view.sessions(None, usize::MAX, false);
        let session = self.world.random.pick(&sessions)?.id;
        let (found, _) = view.page(session, None, usize::MAX, false);
        let sources = found.iter().filter(|found| !found.entry.id.starts_with("sum"));
        let from = sources.map(|found| found.entry.order).max()?;
        Some((SessionId::parse(session).ok()?, from))
    }

    /// Erases the user: when that is, in text, and the token. What it takes is removed beside it.
    ///
    /// # Errors
    /// As `holdfast_journal::erase`.
    pub async fn erase(
        self: Rc<Self>,
        user: usize,
        after: Option<String>,
    ) -> Result<(String, String)> {
        let offset = self.offset().await?;
        let after = self.after(user, after.as_deref())?;
        let known = after.joined(&self.known(user));
        let scope = self.world.users.get(user).ok_or_else(|| Error::not_found("user"))?;
        let clock = self.clock(&after);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope, by: writer(), known: &known, offset };
        let told = async |written: &Written| drop(self.upsert(user, written));
        let ledger = &self.world.ledger;
        let (erasure, frontier) = journal::erase(&outside, ledger, pen, told).await?;
        let host = self.clone();
        self.world.executor.spawn(Owner::Host(self.id), async move {
            // Whoever tends the journal goes on with it.
            let _ = host.swept(user).await;
        });
        Ok((erasure.at.to_string(), self.signer(user)?.after(&frontier)))
    }
}

fn raw(json: String) -> Result<Box<RawValue>> {
    RawValue::from_string(json).map_err(|e| Error::internal("not JSON").caused_by(e))
}
