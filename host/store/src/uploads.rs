//! Uploads in parts: a folder per upload, in it a head that names key and attributes, and a file per part.
//!
//! All of them have an object's file format, so a part keeps its own MD5. They survive a restart.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3s::crypto::{Checksum as _, Md5};

use crate::disk::{self, Incoming};
use crate::draft::{Draft, Finished, Written, now};
use crate::fault::Fault;
use crate::files::{Files, Handle};
use crate::head::{Attributes, Etag, Head};

/// S3's least size of a part that is not the last.
const LEAST_PART: u64 = 5 << 20;
const HEAD: &str = "upload";

/// The folder of all uploads.
#[derive(Debug)]
pub(crate) struct Uploads {
    folder: PathBuf,
    incoming: Arc<Incoming>,
}

/// One upload as its bucket, key and id name it.
#[derive(Debug, Clone)]
pub(crate) struct UploadName {
    /// The bucket's name.
    pub(crate) bucket: String,
    /// The key of the object to be.
    pub(crate) key: String,
    /// The id that `begin` gave.
    pub(crate) id: String,
}

impl Uploads {
    /// Opens the folder, and removes what a crash left there of uploads and of buckets that are gone.
    pub(crate) fn open(
        folder: PathBuf,
        incoming: Arc<Incoming>,
        is_bucket: impl Fn(&str) -> bool,
    ) -> io::Result<Self> {
        let files = incoming.files();
        disk::create_folder(files, &folder)?;
        for bucket in files.list(&folder)? {
            let name = bucket.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(&is_bucket) {
                incoming.discard(&bucket)?;
                continue;
            }
            // What is shown from now on must stay.
            disk::sync_folder(files, &bucket)?;
            for upload in files.list(&bucket)? {
                match files.open(&upload.join(HEAD)) {
                    Ok(_) => disk::sync_folder(files, &upload)?,
                    Err(_) => incoming.discard(&upload)?,
                }
            }
        }
        Ok(Self { folder, incoming })
    }

    /// Begins an upload and gives its id; blocks.
    pub(crate) fn begin(
        &self,
        bucket: &str,
        key: &str,
        attributes: Attributes,
    ) -> Result<String, Fault> {
        let id = hex::encode(rand::random::<[u8; 16]>());
        let folder = self.folder.join(bucket).join(&id);
        let written = Draft::new(self.incoming.clone()).finish().describe(key, attributes)?;
        written.file.sync()?;
        disk::create_folder(self.files(), &self.folder.join(bucket))?;
        disk::create_folder(self.files(), &folder)?;
        written.file.publish_new(&folder.join(HEAD))?;
        disk::sync_folder(self.files(), &folder)?;
        Ok(id)
    }

    /// Keeps a part, in place of an earlier one of that number; blocks.
    pub(crate) fn keep_part(
        &self,
        name: &UploadName,
        number: u16,
        body: Finished,
    ) -> Result<Head, Fault> {
        let (folder, _) = self.find(name)?;
        let Written { file, head } = body.describe(&name.key, Attributes::default())?;
        file.sync()?;
        file.publish_over(&folder.join(part_file(number))).map_err(gone)?;
        disk::sync_folder(self.files(), &folder).map_err(gone)?;
        Ok(head)
    }

    /// The parts kept so far, by number; blocks.
    pub(crate) fn parts(&self, name: &UploadName) -> Result<Vec<(u16, Head)>, Fault> {
        let (folder, _) = self.find(name)?;
        let mut parts = Vec::new();
        for path in self.files().list(&folder).map_err(gone)? {
            let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(number) = number {
                parts.push((number, Head::read(&mut *self.files().open(&path)?)?));
            }
        }
        parts.sort_by_key(|(number, _)| *number);
        Ok(parts)
    }

    /// Joins the listed parts to one object, not yet published; blocks.
    pub(crate) fn join(
        &self,
        name: &UploadName,
        listed: &[(u16, Option<String>)],
    ) -> Result<Written, Fault> {
        let (folder, upload) = self.find(name)?;
        if listed.is_empty() {
            return Err(Fault::InvalidPart);
        }
        if !listed.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(Fault::InvalidPartOrder);
        }
        let mut parts = Vec::with_capacity(listed.len());
        for (number, etag) in listed {
            parts.push(open_part(self.files(), &folder.join(part_file(*number)), etag.as_deref())?);
        }
        let earlier = parts.len().saturating_sub(1);
        if parts.iter().take(earlier).any(|(_, head)| head.size < LEAST_PART) {
            return Err(Fault::PartTooSmall);
        }
        self.concatenate(parts, upload)
    }

    fn concatenate(
        &self,
        parts: Vec<(Box<dyn Handle>, Head)>,
        upload: Head,
    ) -> Result<Written, Fault> {
        let mut file = self.incoming.create()?;
        let mut digests = Md5::new();
        let mut size = 0;
        let count = u16::try_from(parts.len()).map_err(|_| Fault::InvalidPart)?;
        for (mut part, head) in parts {
            digests.update(&head.etag.md5);
            part.rewind()?;
            size += file.append_from(&mut part.take(head.size))?;
        }
        let etag = Etag { md5: digests.finalize(), parts: count };
        let head = Head { size, etag, modified: now(), ..upload };
        file.append(&head.encode()?)?;
        Ok(Written { file, head })
    }

    /// Forgets an upload and its parts; blocks.
    pub(crate) fn end(&self, name: &UploadName) -> Result<(), Fault> {
        let (folder, _) = self.find(name)?;
        Ok(self.incoming.discard(&folder)?)
    }

    /// Forgets every upload of a bucket; blocks.
    pub(crate) fn forget(&self, bucket: &str) -> Result<(), Fault> {
        Ok(self.incoming.discard(&self.folder.join(bucket))?)
    }

    /// Uploads of a bucket that were begun and neither completed nor aborted; blocks.
    pub(crate) fn list(&self, bucket: &str) -> Result<Vec<(String, Head)>, Fault> {
        let folder = self.folder.join(bucket);
        let mut uploads = Vec::new();
        if !self.files().is_folder(&folder) {
            return Ok(uploads);
        }
        for path in self.files().list(&folder)? {
            // An upload whose head is missing was being begun or forgotten: not one to list.
            if let Ok(mut file) = self.files().open(&path.join(HEAD)) {
                let id = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                uploads.push((id.to_owned(), Head::read(&mut *file)?));
            }
        }
        uploads.sort_by(|(one, a), (other, b)| (&a.key, one).cmp(&(&b.key, other)));
        Ok(uploads)
    }

    fn files(&self) -> &dyn Files {
        self.incoming.files()
    }

    fn find(&self, name: &UploadName) -> Result<(PathBuf, Head), Fault> {
        let safe = name.id.len() == 32 && name.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !safe {
            return Err(Fault::NoSuchUpload);
        }
        let folder = self.folder.join(&name.bucket).join(&name.id);
        let head = Head::read(&mut *self.files().open(&folder.join(HEAD)).map_err(gone)?)?;
        if head.key == name.key { Ok((folder, head)) } else { Err(Fault::NoSuchUpload) }
    }
}

fn part_file(number: u16) -> String {
    format!("{number:05}")
}

fn open_part(
    files: &dyn Files,
    path: &Path,
    etag: Option<&str>,
) -> Result<(Box<dyn Handle>, Head), Fault> {
    let mut file = files.open(path).map_err(|_| Fault::InvalidPart)?;
    let head = Head::read(&mut *file)?;
    match etag {
        Some(etag) if etag != head.etag.to_string() => Err(Fault::InvalidPart),
        _ => Ok((file, head)),
    }
}

fn gone(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NoSuchUpload,
        _ => Fault::Io(error),
    }
}
