//! The data folder: its lock, its buckets and the files on their way in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::bucket::Bucket;
use crate::disk::{self, Folder, Incoming};
use crate::draft::Draft;
use crate::fault::{Error, Fault};
use crate::files::{Files, Lock};
use crate::load;
use crate::uploads::Uploads;

/// A data folder that is open; no other process can have it open.
#[derive(Debug)]
pub(crate) struct Store {
    files: Arc<dyn Files>,
    root: PathBuf,
    incoming: Arc<Incoming>,
    buckets: RwLock<BTreeMap<String, Arc<Bucket>>>,
    /// Uploads in parts.
    pub(crate) uploads: Uploads,
    /// Held while the store lives: the index and the key locks are this process's only.
    _lock: Lock,
}

impl Store {
    /// Opens the folder, cleans up after a crash and reads every object's description.
    pub(crate) fn open(
        files: Arc<dyn Files>,
        root: &Path,
        buckets: &[String],
    ) -> Result<Self, Error> {
        let folder = |source| Error::Folder { folder: root.into(), source };
        disk::create_root(&*files, root).map_err(folder)?;
        let lock = files.lock(&root.join("lock")).map_err(folder)?;
        let lock = lock.ok_or_else(|| Error::InUse { folder: root.into() })?;
        let incoming = Incoming::open(files.clone(), root.join("incoming")).map_err(folder)?;
        let incoming = Arc::new(incoming);
        disk::create_folder(&*files, &root.join("buckets")).map_err(folder)?;
        let mut found = BTreeMap::new();
        for path in files.list(&root.join("buckets")).map_err(folder)? {
            if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                let opened = Folder::open(files.clone(), path.clone()).map_err(folder)?;
                // What a process that was killed had not synced is shown from now on, so it must stay.
                opened.sync().map_err(|fault| folder(std::io::Error::other(fault)))?;
                let entries = load::entries(&*files, &path, &root.join("damaged"))?;
                found.insert(name.to_owned(), Arc::new(Bucket::new(opened, entries)));
            }
        }
        let is_bucket = |name: &str| found.contains_key(name);
        let uploads = Uploads::open(root.join("uploads"), incoming.clone(), is_bucket);
        let uploads = uploads.map_err(folder)?;
        let buckets_found = RwLock::new(found);
        let root = root.to_owned();
        let store = Self { files, root, incoming, buckets: buckets_found, uploads, _lock: lock };
        store.create_missing(buckets)?;
        Ok(store)
    }

    fn create_missing(&self, buckets: &[String]) -> Result<(), Error> {
        for name in buckets {
            if !s3s::path::check_bucket_name(name) {
                return Err(Error::BucketName { name: name.clone() });
            }
            match self.create_bucket(name) {
                Ok(()) | Err(Fault::BucketExists) => {}
                Err(Fault::Io(source)) => {
                    return Err(Error::Folder { folder: self.root.clone(), source });
                }
                Err(other) => {
                    let source = std::io::Error::other(other);
                    return Err(Error::Folder { folder: self.root.clone(), source });
                }
            }
        }
        Ok(())
    }

    /// A body to receive.
    pub(crate) fn draft(&self) -> Draft {
        Draft::new(self.incoming.clone())
    }

    /// The bucket of that name.
    pub(crate) fn bucket(&self, name: &str) -> Result<Arc<Bucket>, Fault> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or(Fault::NoSuchBucket)
    }

    /// Names of all buckets with the time each was made, where the file system keeps it.
    pub(crate) fn buckets(&self) -> Vec<(String, SystemTime)> {
        let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
        let made = |bucket: &Bucket| self.files.made(bucket.path());
        buckets.iter().map(|(name, bucket)| (name.clone(), made(bucket))).collect()
    }

    /// Makes a bucket, durably; blocks.
    pub(crate) fn create_bucket(&self, name: &str) -> Result<(), Fault> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if buckets.contains_key(name) {
            return Err(Fault::BucketExists);
        }
        let folder = Folder::open(self.files.clone(), self.root.join("buckets").join(name))?;
        buckets.insert(name.to_owned(), Arc::new(Bucket::new(folder, Vec::new())));
        Ok(())
    }

    /// Removes a bucket that holds nothing; blocks.
    pub(crate) fn delete_bucket(&self, name: &str) -> Result<(), Fault> {
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.get(name).ok_or(Fault::NoSuchBucket)?;
        if !bucket.index.is_empty() {
            return Err(Fault::BucketNotEmpty);
        }
        match disk::remove_empty_folder(&*self.files, bucket.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                return Err(Fault::BucketNotEmpty);
            }
            done => done?,
        }
        self.uploads.forget(name)?;
        buckets.remove(name);
        Ok(())
    }
}
