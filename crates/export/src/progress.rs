//! Where an export stands: objects below `_work/`, each written once; of the records of progress the newest counts.

use crate::asked::Asked;
use bytes::Bytes;
use holdfast_core::ports::{Clock, Ids, Objects, Outside};
use holdfast_core::{Case, Error, Key, Prefix, Result, key};
use holdfast_formats::training::{FileEntry, Report, Split};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use ulid::Ulid;

pub(crate) const CANCELLED: &str = key::EXPORT_CANCELLED;
const ASKED: &str = key::EXPORT_ASKED;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Reading conversations into parts.
    Gathering,
    /// Writing files of parts.
    Publishing,
    /// Looking once more at the sessions in them.
    Looking,
}

/// A part of the examples, as it was gathered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WorkPart {
    /// Name below the export.
    pub name: String,
    pub split: Split,
    pub bytes: u64,
    pub sha256: String,
    pub examples: u64,
}

/// A file that was written, with what goes beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    pub files: Vec<FileEntry>,
    pub split: Option<Split>,
    pub examples: u64,
    /// Sessions in its parts that it does not hold, because of what was said of them meanwhile.
    pub without: Vec<(String, String)>,
    /// Sessions of which it lacks so many examples, because a message in them was deleted meanwhile.
    #[serde(default)]
    pub thinned: Vec<(String, String, u64)>,
    /// Messages that sessions had when their files were written, in LangChain's tree.
    #[serde(default)]
    pub counts: Vec<(String, String, u32)>,
    pub report: Report,
}

/// Where an export stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub v: u32,
    pub phase: Phase,
    /// Users up to here are done.
    pub place: Option<String>,
    /// Users that were asked for and are done, by number.
    pub asked_done: usize,
    /// Where the list of the current user's sessions goes on.
    pub sessions: Option<String>,
    /// Which of that page are done, by id: what is deleted meanwhile moves the others.
    pub page_done: Vec<String>,
    pub parts: Vec<WorkPart>,
    pub published: Vec<Published>,
    pub looked: usize,
    pub report: Report,
    pub replaced: BTreeMap<String, u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            v: VERSION,
            phase: Phase::Gathering,
            place: None,
            asked_done: 0,
            sessions: None,
            page_done: Vec::new(),
            parts: Vec::new(),
            published: Vec::new(),
            looked: 0,
            report: Report::default(),
            replaced: BTreeMap::new(),
        }
    }
}

/// One export in the bucket.
pub(crate) struct Folder<'a, O, C, I> {
    pub outside: &'a Outside<'a, O, C, I>,
    pub prefix: Prefix,
}

impl<O: Objects, C: Clock, I: Ids> Folder<'_, O, C, I> {
    pub fn key(&self, name: &str) -> Result<Key> {
        Key::below(&self.prefix, &format!("{}{name}", self.prefix.as_str()))
            .ok_or_else(|| Error::not_found("an export has no file of this name"))
    }

    pub async fn put(&self, name: &str, bytes: impl Into<Bytes>) -> Result<FileEntry> {
        let bytes: Bytes = bytes.into();
        let entry = FileEntry {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            sha256: hex::encode(Sha256::digest(&bytes)),
            examples: 0,
        };
        self.outside.objects.put(&self.key(name)?, bytes).await?;
        Ok(entry)
    }

    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.outside.objects.get(&self.key(name)?).await
    }

    /// What was gathered, checked against what was written.
    pub async fn part(&self, part: &WorkPart) -> Result<Bytes> {
        let bytes = self.get(&part.name).await?;
        bytes.filter(|bytes| hex::encode(Sha256::digest(bytes)) == part.sha256).ok_or_else(|| {
            Error::corrupt("a part of an export is not what was gathered: begin it anew")
        })
    }

    pub async fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(bytes) = self.get(name).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|e| Error::corrupt("an export's state cannot be read").caused_by(e))
    }

    pub async fn asked(&self) -> Result<Option<Asked>> {
        let asked: Option<Asked> = self.json(ASKED).await?;
        asked.map(|asked| known(asked.v).map(|()| asked)).transpose()
    }

    pub async fn ask(&self, asked: &Asked) -> Result<()> {
        self.put(ASKED, text(asked)?).await.map(drop)
    }

    pub async fn is_cancelled(&self) -> Result<bool> {
        Ok(self.get(CANCELLED).await?.is_some())
    }

    pub async fn cancel(&self) -> Result<()> {
        self.put(CANCELLED, "{}").await.map(drop)
    }

    /// The newest record of progress, and its ULID.
    pub async fn progress(&self) -> Result<(Progress, Option<Ulid>)> {
        let mut newest: Option<Ulid> = None;
        for key in self.work().await? {
            let name = key.strip_prefix(self.prefix.as_str()).unwrap_or_default();
            newest = newest.max(stepped(name));
        }
        let Some(ulid) = newest else { return Ok((Progress::default(), None)) };
        let progress: Option<Progress> = self.json(&format!("_work/at-{ulid}.json")).await?;
        let progress = progress.unwrap_or_default();
        known(progress.v)?;
        Ok((progress, newest))
    }

    /// Writes progress after `last`, so that it is the newest whatever the clock says.
    pub async fn save(&self, progress: &Progress, last: Option<Ulid>) -> Result<()> {
        let ulid = self.ulid();
        let ulid =
            last.filter(|last| *last >= ulid).and_then(|last| last.increment()).unwrap_or(ulid);
        self.put(&format!("_work/at-{ulid}.json"), text(progress)?).await?;
        if let Some(last) = last {
            self.outside.objects.delete(&self.key(&format!("_work/at-{last}.json"))?).await?;
        }
        Ok(())
    }

    /// A fresh ULID.
    pub fn ulid(&self) -> Ulid {
        fresh(self.outside)
    }

    /// Keys of everything below `_work/`.
    pub async fn work(&self) -> Result<Vec<String>> {
        let prefix = key::export_work(&self.prefix);
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = self.outside.objects.list(&prefix, after.as_deref()).await?;
            keys.extend(page.objects.into_iter().map(|listed| listed.key));
            after = page.next;
            if after.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Removes what was needed while it ran; what was asked stays, that it was cancelled, and whose messages are in it.
    pub async fn tidy(&self) -> Result<()> {
        for key in self.work().await? {
            let name = key.strip_prefix(self.prefix.as_str()).unwrap_or_default();
            let kept = [ASKED, CANCELLED].contains(&name) || name.starts_with(key::EXPORT_USERS);
            if let Some(key) = Key::below(&self.prefix, &key).filter(|_| !kept) {
                self.outside.objects.delete(&key).await?;
            }
        }
        Ok(())
    }
}

/// The moment of a record of progress, by its name below the export.
pub(crate) fn stepped(name: &str) -> Option<Ulid> {
    let ulid = name.strip_prefix("_work/at-")?.strip_suffix(".json")?;
    Ulid::from_string(ulid).ok()
}

/// Version of what is kept while an export runs.
pub(crate) const VERSION: u32 = 1;

fn known(v: u32) -> Result<()> {
    if v <= VERSION {
        return Ok(());
    }
    let detail = format!("the export has version {v}, this program reads up to {VERSION}: upgrade");
    Err(Error::because(Case::Corrupt, "newer_format", detail))
}

/// A ULID of now.
pub(crate) fn fresh<O, C: Clock, I: Ids>(outside: &Outside<'_, O, C, I>) -> Ulid {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().skip(6).zip(outside.ids.random()) {
        *to = from;
    }
    Ulid::from_parts(outside.clock.now(), u128::from_be_bytes(bytes))
}

pub(crate) fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::internal("an export's state cannot be written").caused_by(e))
}
