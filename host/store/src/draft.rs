//! A body on its way in: in memory while it is small, in a temporary file from then on.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use s3s::crypto::{Checksum as _, Md5};

use crate::disk::{Incoming, Temporary};
use crate::fault::Fault;
use crate::head::{Attributes, Etag, Head};

/// Bytes held in memory before they go to the file; small objects are one write.
const SPILL: usize = 1 << 20;

/// A body that is being received.
pub(crate) struct Draft {
    incoming: Arc<Incoming>,
    file: Option<Temporary>,
    buffer: Vec<u8>,
    size: u64,
    md5: Md5,
}

/// A whole object in a temporary file, not yet synced.
pub(crate) struct Written {
    /// The file; gone when dropped unpublished.
    pub(crate) file: Temporary,
    /// What its description says.
    pub(crate) head: Head,
}

impl Draft {
    /// An empty draft.
    pub(crate) fn new(incoming: Arc<Incoming>) -> Self {
        Self { incoming, file: None, buffer: Vec::new(), size: 0, md5: Md5::new() }
    }

    /// Takes the next bytes of the body; touches no file.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.size += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether `spill` is due.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= SPILL
    }

    /// Bytes taken so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Moves what is in memory to the file; blocks.
    pub(crate) fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.incoming.create()?),
        };
        file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Takes all of a reader as the next bytes of the body; blocks.
    pub(crate) fn push_from(&mut self, from: &mut impl io::Read) -> io::Result<()> {
        let mut block = vec![0; SPILL / 4];
        loop {
            let read = from.read(&mut block)?;
            let Some(bytes) = block.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(());
            };
            self.push(bytes);
            if self.is_full() {
                self.spill()?;
            }
        }
    }

    /// The digest of the body, and the draft ready to be described; nothing may be pushed after.
    pub(crate) fn finish(self) -> Finished {
        let etag = Etag { md5: self.md5.finalize(), parts: 0 };
        Finished {
            incoming: self.incoming,
            file: self.file,
            buffer: self.buffer,
            size: self.size,
            etag,
        }
    }
}

/// A body that came in whole and whose digest is known.
pub(crate) struct Finished {
    incoming: Arc<Incoming>,
    file: Option<Temporary>,
    buffer: Vec<u8>,
    size: u64,
    /// The digest of the body.
    pub(crate) etag: Etag,
}

impl Finished {
    /// Writes what is left and the description behind it; blocks.
    pub(crate) fn describe(self, key: &str, attributes: Attributes) -> Result<Written, Fault> {
        let (size, etag) = (self.size, self.etag);
        let head = Head { key: key.to_owned(), size, etag, modified: now(), attributes };
        let mut file = match self.file {
            Some(file) => file,
            None => self.incoming.create()?,
        };
        let mut rest = self.buffer;
        rest.extend_from_slice(&head.encode()?);
        file.append(&rest)?;
        Ok(Written { file, head })
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
