//! Attachments: as `components/manage-sessions/src/attachments.rs` takes them in and gives them out.

use super::{Host, Reading, Stored, writer};
use holdfast_core::attachment::{Attachment, read_whole};
use holdfast_core::graves::Of;
use holdfast_core::ports::Outside;
use holdfast_core::record::{Record, Stamp};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_journal::{self as journal, Pen, Upload, Written};
use std::rc::Rc;

/// Of which session, and by which name.
#[derive(Debug, Clone)]
pub struct Place {
    /// The session.
    pub session: String,
    /// The name.
    pub name: String,
}

impl Host {
    /// Stores bytes under a name of a session.
    ///
    /// # Errors
    /// As [`write`](Self::write), and as `holdfast_journal::Upload`.
    pub async fn attach(
        self: Rc<Self>,
        user: usize,
        place: Place,
        after: Option<String>,
        bytes: Vec<u8>,
    ) -> Result<Stored> {
        let offset = self.offset().await?;
        let after = self.after(user, after.as_deref())?;
        let clock = self.clock(&after);
        let outside = || Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let scope = self.scope(user)?;
        let ledger = self.world.ledger.clone();
        let mut upload = Upload::begin(outside(), scope, ledger, offset).await?;
        let came = async {
            upload.push(&bytes).await?;
            let attachment = upload.finish("text/plain").await?;
            // What others wrote while it came lies below it.
            self.ready(user, true, &after).await.map(|_| attachment)
        };
        let known = |host: &Self| after.joined(&host.known(user));
        let written = match came.await {
            Ok(attachment) => self.named(user, &place, &attachment, &known(&self), offset).await,
            Err(error) => Err(error),
        };
        let written = match written {
            Ok(written) => written,
            // The record may be there, or come: it must have its bytes.
            Err(error) if error.reason == "outcome_unknown" => return Err(error),
            Err(error) => {
                upload.withdraw().await;
                return Err(error);
            }
        };
        match upload.check().await {
            Ok(()) => self.stored(user, &written),
            Err(error) if error.case == Case::Conflict => {
                self.clone().detach(user, place, written.frontier, true).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn named(
        self: &Rc<Self>,
        user: usize,
        place: &Place,
        attachment: &Attachment,
        known: &Frontier,
        offset: i64,
    ) -> Result<Written> {
        let session = SessionId::parse(&place.session)?;
        let body = ThingBody::new(attachment, Vec::new())?;
        let clock = self.clock(known);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope: self.scope(user)?, by: writer(), known, offset };
        let name = (Some(&session), place.name.as_str());
        let record =
            |stamp: &Stamp| Ok(vec![Record::thing(ThingKind::Attachment, name, stamp, &body)?]);
        let written = journal::write_as(&outside, pen, record).await?;
        let _ = self.upsert(user, &written);
        Ok(written)
    }

    /// Deletes an attachment.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn detach(
        self: Rc<Self>,
        user: usize,
        place: Place,
        known: Frontier,
        physical: bool,
    ) -> Result<Stored> {
        let offset = self.offset().await?;
        let known = known.joined(&self.known(user));
        let session = SessionId::parse(&place.session)?;
        let clock = self.clock(&known);
        let outside = Outside { objects: &self.bucket, clock: &clock, ids: &self.bucket };
        let pen = Pen { scope: self.scope(user)?, by: writer(), known: &known, offset };
        let body = Of::Thing(ThingKind::Attachment).encode_as(physical)?;
        let name = (Some(&session), place.name.as_str());
        let record = |stamp: &Stamp| Ok(vec![Record::buried(body, name, stamp)]);
        let told = async |written: &Written| drop(self.upsert(user, written));
        let written = journal::delete_as(&outside, pen, record, told).await?;
        self.stored(user, &written)
    }

    /// The bytes that stand there.
    ///
    /// # Errors
    /// As [`read`](Self::read); `gone` for what was replaced or deleted meanwhile.
    pub async fn attached(
        self: Rc<Self>,
        user: usize,
        place: Place,
        reading: Reading,
    ) -> Result<Option<Vec<u8>>> {
        self.answered().await?;
        let after = self.after(user, reading.after.as_deref())?;
        let known = self.ready(user, reading.latest, &after).await?;
        let standing = {
            let journal = known.journal.borrow();
            let found = journal.view().thing(ThingKind::Attachment, &place.session, &place.name);
            found.and_then(|found| found.last().map(|version| Attachment::read(&version.text)))
        };
        let Some(attachment) = standing.transpose()? else { return Ok(None) };
        let bytes = read_whole(&self.bucket, self.scope(user)?, &attachment).await?;
        Ok(Some(bytes.to_vec()))
    }

    fn scope(&self, user: usize) -> Result<&Scope> {
        self.world.users.get(user).ok_or_else(|| Error::not_found("user"))
    }
}
