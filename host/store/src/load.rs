//! Rebuilds a bucket's index from its object files when the store starts.

use std::path::{Path, PathBuf};
use std::thread;

use crate::bucket::read_entry;
use crate::disk;
use crate::fault::{Error, Fault};
use crate::files::Files;
use crate::index::Entry;

type Entries = Vec<(Box<str>, Entry)>;

/// Reads the entry of every object in `folder`. A file that is damaged is moved to
/// `damaged` with its bytes and named in the log; one of a newer store stops the start.
pub(crate) fn entries(disk: &dyn Files, folder: &Path, damaged: &Path) -> Result<Entries, Error> {
    let files =
        disk.list(folder).map_err(|source| Error::Folder { folder: folder.into(), source })?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let readers: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || read_all(disk, files, damaged)))
            .collect();
        let mut entries = Vec::with_capacity(files.len());
        for reader in readers {
            match reader.join() {
                Ok(read) => entries.extend(read?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(entries)
    })
}

fn read_all(disk: &dyn Files, files: &[PathBuf], damaged: &Path) -> Result<Entries, Error> {
    let mut entries = Vec::with_capacity(files.len());
    for file in files {
        match read_entry(disk, file) {
            Ok(entry) => entries.push(entry),
            Err(Fault::Newer) => return Err(Error::Newer { file: file.clone() }),
            Err(Fault::Io(source)) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
                return Err(Error::Folder { folder: file.clone(), source });
            }
            Err(_) => set_aside(disk, file, damaged)?,
        }
    }
    Ok(entries)
}

fn set_aside(files: &dyn Files, file: &Path, damaged: &Path) -> Result<(), Error> {
    tracing::error!(file = %file.display(), "object file is damaged, set aside");
    let failed = |source| Error::Folder { folder: file.into(), source };
    disk::set_aside(files, file, damaged).map_err(failed)
}
