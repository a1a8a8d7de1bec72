//! A file system in memory that keeps only what was synced when its power is cut.
//!
//! It promises what POSIX does and nothing more: a sync of a file keeps its bytes, a sync of a folder
//! the names in it. Of all else each name and the end of each file is kept or not, one by one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::files::{Files, Handle, Lock};

/// How a machine ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// The process alone: all it did is there, and still not synced.
    Killed,
    /// The power: nothing that was not synced is there.
    Lost,
    /// The power: of what was not synced some is there, as the seed says.
    Mixed(u64),
}

/// The file system; a clone is the same one.
#[derive(Debug, Clone)]
pub(super) struct Medium(Arc<Mutex<State>>);

#[derive(Debug, Clone)]
struct State {
    nodes: Vec<Node>,
    /// Changes and syncs so far.
    steps: u64,
    /// Syncs among them.
    syncs: u64,
    /// After this step the power is off.
    cut: u64,
    /// This sync does nothing and says that all is well.
    skipped: Option<u64>,
}

#[derive(Debug, Clone)]
enum Node {
    File { bytes: Vec<u8>, synced: usize },
    Folder { names: Names, unsynced: BTreeMap<OsString, Vec<Option<usize>>> },
}

type Names = BTreeMap<OsString, usize>;

impl Node {
    fn folder() -> Self {
        Self::Folder { names: Names::new(), unsynced: BTreeMap::new() }
    }
}

const ROOT: usize = 0;

impl Medium {
    /// An empty one.
    pub(super) fn new() -> Self {
        let nodes = vec![Node::folder()];
        let state = State { nodes, steps: 0, syncs: 0, cut: u64::MAX, skipped: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Steps so far: changes, and syncs.
    pub(super) fn steps(&self) -> (u64, u64) {
        let state = self.state();
        (state.steps, state.syncs)
    }

    /// Cuts the power after that many more steps.
    pub(super) fn cut_after(&self, steps: u64) {
        let mut state = self.state();
        state.cut = state.steps + steps;
    }

    /// Has the sync of that number, counted from now, do nothing.
    pub(super) fn skip_sync(&self, number: u64) {
        let mut state = self.state();
        state.skipped = Some(state.syncs + number);
    }

    /// What is there after the machine ended so; the old one stays off for ever.
    pub(super) fn after(&self, end: End) -> Self {
        let mut state = self.state();
        state.cut = 0;
        let mut next = State { cut: u64::MAX, skipped: None, ..state.clone() };
        match end {
            End::Killed => {}
            End::Lost => next.nodes.iter_mut().for_each(|node| node.lose(&mut |_| 0)),
            End::Mixed(seed) => {
                let mut seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
                let mut choose = |choices: usize| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    usize::try_from(seed % choices as u64).unwrap()
                };
                next.nodes.iter_mut().for_each(|node| node.lose(&mut choose));
            }
        }
        Self(Arc::new(Mutex::new(next)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Keeps of what was not synced what `choose` says: 0 is all that was synced and nothing more.
    fn lose(&mut self, choose: &mut impl FnMut(usize) -> usize) {
        match self {
            Self::File { bytes, synced } => {
                // A prefix is there; what follows it may be zeros, as file systems that allocate late leave.
                let kept = *synced + choose(bytes.len() - *synced + 1);
                match choose(2) {
                    0 => bytes.truncate(kept),
                    _ => bytes[kept..].fill(0),
                }
                *synced = bytes.len();
            }
            Self::Folder { names, unsynced } => {
                for (name, values) in std::mem::take(unsynced) {
                    match values[choose(values.len())] {
                        Some(node) => drop(names.insert(name, node)),
                        None => drop(names.remove(&name)),
                    }
                }
            }
        }
    }
}

impl State {
    fn on(&self) -> io::Result<()> {
        if self.cut == 0 || self.steps >= self.cut { Err(off()) } else { Ok(()) }
    }

    fn step(&mut self) -> io::Result<()> {
        self.on()?;
        self.steps += 1;
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        path.components().skip(1).try_fold(ROOT, |at, part| match &self.nodes[at] {
            Node::Folder { names, .. } => names.get(part.as_os_str()).copied().ok_or_else(none),
            Node::File { .. } => Err(none()),
        })
    }

    /// The folder that a path is in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(usize, OsString)> {
        let parent = self.find(path.parent().ok_or_else(none)?)?;
        Ok((parent, path.file_name().ok_or_else(none)?.to_owned()))
    }

    fn names(&self, folder: usize) -> io::Result<&Names> {
        match &self.nodes[folder] {
            Node::Folder { names, .. } => Ok(names),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn set(&mut self, folder: usize, name: OsString, node: Option<usize>) {
        let Node::Folder { names, unsynced } = &mut self.nodes[folder] else { unreachable!() };
        let old = names.get(&name).copied();
        unsynced.entry(name.clone()).or_insert_with(|| vec![old]).push(node);
        match node {
            Some(node) => drop(names.insert(name, node)),
            None => drop(names.remove(&name)),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<usize> {
        let (folder, name) = self.place(path)?;
        if self.names(folder)?.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.step()?;
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        self.set(folder, name, Some(node));
        Ok(node)
    }

    fn sync(&mut self, node: usize) -> io::Result<()> {
        self.step()?;
        self.syncs += 1;
        if self.skipped == Some(self.syncs) {
            return Ok(());
        }
        match &mut self.nodes[node] {
            Node::File { bytes, synced } => *synced = bytes.len(),
            Node::Folder { unsynced, .. } => unsynced.clear(),
        }
        Ok(())
    }
}

fn none() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl Files for Medium {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let node = self.state().add(path, Node::File { bytes: Vec::new(), synced: 0 })?;
        Ok(Box::new(Open { medium: self.clone(), node, at: 0 }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let state = self.state();
        state.on()?;
        let node = state.find(path)?;
        Ok(Box::new(Open { medium: self.clone(), node, at: 0 }))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (node, (folder, name)) = (state.find(from)?, state.place(to)?);
        if state.names(folder)?.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.step()?;
        state.set(folder, name, Some(node));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (node, old, (folder, name)) = (state.find(from)?, state.place(from)?, state.place(to)?);
        state.step()?;
        state.set(folder, name, Some(node));
        state.set(old.0, old.1, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (node, (folder, name)) = (state.find(path)?, state.place(path)?);
        if matches!(state.nodes[node], Node::Folder { .. }) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.step()?;
        state.set(folder, name, None);
        Ok(())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.state().add(path, Node::folder()).map(drop)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let (node, (folder, name)) = (state.find(path)?, state.place(path)?);
        if !state.names(node)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.step()?;
        state.set(folder, name, None);
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.state();
        state.on()?;
        Ok(state.names(state.find(folder)?)?.keys().map(|name| folder.join(name)).collect())
    }

    fn is_folder(&self, path: &Path) -> bool {
        let state = self.state();
        let node = state.find(path).map(|node| &state.nodes[node]);
        node.is_ok_and(|node| matches!(node, Node::Folder { .. }))
    }

    fn made(&self, _folder: &Path) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Box::new(())))
    }
}

/// An open file or folder.
#[derive(Debug)]
struct Open {
    medium: Medium,
    node: usize,
    at: usize,
}

impl Handle for Open {
    fn sync(&self) -> io::Result<()> {
        self.medium.state().sync(self.node)
    }
}

impl Write for Open {
    fn write(&mut self, given: &[u8]) -> io::Result<usize> {
        let mut state = self.medium.state();
        state.step()?;
        let Node::File { bytes, .. } = &mut state.nodes[self.node] else { return Err(none()) };
        assert_eq!(self.at, bytes.len(), "the store only appends");
        bytes.extend_from_slice(given);
        self.at = bytes.len();
        Ok(given.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Open {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let state = self.medium.state();
        state.on()?;
        let Node::File { bytes, .. } = &state.nodes[self.node] else { return Err(none()) };
        let read = bytes.get(self.at..).unwrap_or_default().read(into)?;
        self.at += read;
        Ok(read)
    }
}

impl Seek for Open {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let state = self.medium.state();
        let Node::File { bytes, .. } = &state.nodes[self.node] else { return Err(none()) };
        let (from, by) = match to {
            SeekFrom::Start(at) => (0, i64::try_from(at).unwrap()),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (bytes.len(), by),
        };
        let at = from.checked_add_signed(isize::try_from(by).unwrap());
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at as u64)
    }
}
