//! Every call that changes the file system, and the order that makes it durable.
//!
//! All else in this crate changes files through this module only, so that what is
//! promised about crashes can be read, and later replaced in a test, in one place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::fault::Fault;

/// The folder of files that are not objects yet; on the same file system as the objects.
#[derive(Debug)]
pub(crate) struct Incoming {
    folder: PathBuf,
    next: AtomicU64,
}

impl Incoming {
    /// Opens the folder and removes what a crash left in it.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self { folder, next: AtomicU64::new(0) })
    }

    /// A new empty file under a name that nothing else uses.
    pub(crate) fn create(&self) -> io::Result<Temporary> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(number.to_string());
        let file = OpenOptions::new().write(true).read(true).create_new(true).open(&path)?;
        Ok(Temporary { path, file })
    }
}

/// A file that goes away unless it is published.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    /// Appends bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Appends all of another reader.
    pub(crate) fn append_from(&mut self, from: &mut impl io::Read) -> io::Result<u64> {
        io::copy(from, &mut self.file)
    }

    /// Returns once the bytes are on the medium.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the file its name; fails with `AlreadyExists` where that name is taken.
    pub(crate) fn publish_new(&self, target: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, target)
    }

    /// Gives the file its name, in one step in place of what had it.
    pub(crate) fn publish_over(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename the name is gone; a name that stays is removed at the next start.
        let _gone = fs::remove_file(&self.path);
    }
}

/// A folder whose entries are made durable together: one fsync serves all who wait for it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    handle: File,
    asked: AtomicU64,
    synced: Mutex<Synced>,
}

#[derive(Debug)]
struct Synced {
    upto: u64,
    failed: bool,
}

impl Folder {
    /// Creates the folder where it is missing, durably, and opens it.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        create_folder(&path)?;
        let handle = File::open(&path)?;
        let synced = Mutex::new(Synced { upto: 0, failed: false });
        Ok(Self { path, handle, asked: AtomicU64::new(0), synced })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns once every entry that was made or removed before the call is on the medium.
    ///
    /// After one failure all later calls fail: the system forgets what it could not write,
    /// so a second fsync that succeeds would promise what is not there.
    pub(crate) fn sync(&self) -> Result<(), Fault> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.failed {
            return Err(Fault::Unsynced);
        }
        if synced.upto >= mine {
            return Ok(());
        }
        let upto = self.asked.load(Ordering::SeqCst);
        if let Err(source) = self.handle.sync_all() {
            synced.failed = true;
            return Err(source.into());
        }
        synced.upto = upto;
        Ok(())
    }
}

/// Creates a folder and makes its entry durable; one that exists is fine.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Removes a folder that must be empty.
pub(crate) fn remove_empty_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

/// Removes a folder with all in it; one that is not there is fine.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Moves a file that cannot be read out of the way, keeping its bytes.
pub(crate) fn set_aside(file: &Path, folder: &Path) -> io::Result<()> {
    create_folder(folder)?;
    let name = file.file_name().unwrap_or_default();
    fs::rename(file, folder.join(name))
}
