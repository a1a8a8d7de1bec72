//! Taking an attachment in: its parts, each durable, before the record that will name them.

use crate::ledger::erased;
use crate::write::fresh;
use bytes::BytesMut;
use holdfast_core::attachment::{Attachment, LONGEST, PART, Part};
use holdfast_core::erase::{Erased, Ledger};
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Case, Error, Key, Result, Scope, key};
use sha2::{Digest, Sha256};

/// An attachment on its way into the bucket: at most one part of it is in memory. Who drops it leaves parts that nothing
/// names, and those are [collected](fn@crate::collect).
pub struct Upload<'a, O, C, I> {
    outside: Outside<'a, O, C, I>,
    scope: &'a Scope,
    ledger: Ledger,
    /// To add to this machine's clock.
    offset: i64,
    begun: u64,
    erased: Erased,
    held: BytesMut,
    hash: Sha256,
    size: u64,
    parts: Vec<(Key, u64)>,
    /// The next part is not named before: names are in the order of the parts.
    next: u64,
}

impl<'a, O: Objects, C: Clock, I: Ids> Upload<'a, O, C, I> {
    /// Nothing yet. `offset` is what to add to this machine's clock.
    ///
    /// # Errors
    /// What the store may answer when it is asked for the user's erases: the parts get names that none of those takes.
    pub async fn begin(
        outside: Outside<'a, O, C, I>,
        scope: &'a Scope,
        ledger: Ledger,
        offset: i64,
    ) -> Result<Self> {
        let begun = outside.clock.now().saturating_add_signed(offset);
        let erased = erased(outside.objects, &ledger, scope).await?;
        let (held, hash) = (BytesMut::new(), Sha256::new());
        let parts = Vec::new();
        let next = erased.clear(begun);
        Ok(Self { outside, scope, ledger, offset, begun, erased, held, hash, size: 0, parts, next })
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes more bytes in; whole parts are durable when it returns.
    ///
    /// # Errors
    /// What the store may answer.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.held.len()));
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == PART {
                self.put().await?;
            }
        }
        Ok(())
    }

    async fn put(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.held).freeze();
        let moment = self.now().max(self.next);
        self.next = moment + 1;
        let ulid = fresh(moment, self.outside.ids);
        let key = key::attachment_object(self.scope, ulid, &bytes);
        self.parts.push((key.clone(), bytes.len() as u64));
        self.outside.objects.put(&key, bytes).await
    }

    fn now(&self) -> u64 {
        self.outside.clock.now().saturating_add_signed(self.offset)
    }

    /// What the record is to say, once all of it is durable.
    ///
    /// # Errors
    /// What the store may answer, and as [`check`](Self::check).
    pub async fn finish(&mut self, media_type: &str) -> Result<Attachment> {
        if !self.held.is_empty() {
            self.put().await?;
        }
        self.check().await?;
        let part = |(key, bytes): &(Key, u64)| Part {
            name: key::name(self.scope, key).to_owned(),
            bytes: *bytes,
        };
        Ok(Attachment {
            media_type: media_type.to_owned(),
            size: self.size,
            sha256: hex::encode(self.hash.clone().finalize()),
            parts: self.parts.iter().map(part).collect(),
        })
    }

    /// May its record be written, and, once more, be acknowledged? An erase that came meanwhile takes the parts.
    ///
    /// # Errors
    /// `conflict` when the user was erased meanwhile; `unavailable` when it took too long for anybody to be sure that
    /// the parts are not taken for ones that nothing names.
    pub async fn check(&self) -> Result<()> {
        if self.now().saturating_sub(self.begun) > LONGEST {
            let detail =
                "the attachment came too slowly: send it again, faster or in smaller files";
            return Err(Error::unavailable(detail));
        }
        if erased(self.outside.objects, &self.ledger, self.scope).await? > self.erased {
            let detail = "the user was erased while the attachment came: send it again";
            return Err(Error::new(Case::Conflict, detail));
        }
        Ok(())
    }

    /// Removes what is durable of it, as far as that goes: nothing names it, and nothing will.
    pub async fn withdraw(self) {
        for (key, _) in &self.parts {
            let _ = self.outside.objects.delete(key).await;
        }
    }
}
