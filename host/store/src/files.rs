//! What the store asks of a file system, and the machine's own.
//!
//! All else in this crate touches files through [`Files`] only, so that a test can put one in its
//! place that forgets what was not synced (`s3/power/`).

use std::any::Any;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that is open, or a folder that is to be synced.
pub(crate) trait Handle: Read + Write + Seek + fmt::Debug + Send + Sync {
    /// Returns once what was written (of a folder: each name made or removed in it) is on the medium.
    fn sync(&self) -> io::Result<()>;
}

/// A file system.
pub(crate) trait Files: fmt::Debug + Send + Sync {
    /// Makes an empty file, open for reading and writing; `AlreadyExists` where the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// Opens a file for reading, or a folder to sync it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// Gives a file one more name; `AlreadyExists` where that is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file or folder another name, in one step in place of the file that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away from a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder in one that is there; `AlreadyExists` where the name is taken.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder that is empty.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// All that is in a folder, in any order.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Whether there is a folder of that name.
    fn is_folder(&self, path: &Path) -> bool;
    /// When a folder was made; 1970 where that is not known.
    fn made(&self, folder: &Path) -> SystemTime;
    /// A lock that no other process has, held until it is dropped; `None` where one has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// A lock that is held until it is dropped.
pub(crate) type Lock = Box<dyn Any + Send + Sync>;

/// The machine's file system.
#[derive(Debug)]
pub(crate) struct Disk;

impl Handle for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Files for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let file = OpenOptions::new().write(true).read(true).create_new(true).open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        Ok(Box::new(File::open(path)?))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn made(&self, folder: &Path) -> SystemTime {
        let made = fs::metadata(folder).and_then(|folder| folder.created());
        made.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = File::create(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(source),
        }
    }
}
