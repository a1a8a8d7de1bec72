//! The two files of the model: their names, sizes and hashes, which are what is trusted.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What a file of the model must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name inside the model's folder.
    pub name: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hex.
    pub sha256: &'static str,
}

/// The weights of all-MiniLM-L6-v2 in f32.
pub const WEIGHTS: ModelFile = ModelFile {
    name: "model.safetensors",
    bytes: 90_868_376,
    sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
};

/// Its WordPiece tokenizer.
pub const TOKENIZER: ModelFile = ModelFile {
    name: "tokenizer.json",
    bytes: 466_247,
    sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
};

/// All files that make the model.
pub const FILES: [ModelFile; 2] = [WEIGHTS, TOKENIZER];

/// Why a file of the model cannot be used.
#[derive(Debug)]
pub enum FileFault {
    /// It is not there.
    Missing(PathBuf),
    /// It is there and cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It has other bytes than the ones that are trusted.
    Corrupt(PathBuf),
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "model file {} is missing: fetch it", path.display()),
            Self::Unreadable(path, _) => {
                write!(f, "model file {} cannot be read: check its permissions", path.display())
            }
            Self::Corrupt(path) => write!(
                f,
                "model file {} is not the file this version trusts (size or sha-256 differ): delete it and fetch it again",
                path.display()
            ),
        }
    }
}

impl std::error::Error for FileFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, source) => Some(source),
            Self::Missing(_) | Self::Corrupt(_) => None,
        }
    }
}

/// Checks a file's size and hash without keeping its bytes.
pub fn verify(dir: &Path, file: &ModelFile) -> Result<(), FileFault> {
    scan(dir, file, |_| ())
}

/// Reads a file whole and checks it: its bytes are given back only if they are the trusted ones.
pub fn read_verified(dir: &Path, file: &ModelFile) -> Result<Vec<u8>, FileFault> {
    let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
    scan(dir, file, |block| bytes.extend_from_slice(block))?;
    Ok(bytes)
}

/// Files are read in blocks of this many bytes; only the last is shorter.
const BLOCK: usize = 256 * 1024;

/// Passes a file's blocks on while it hashes them; an error says that none of them may be used.
pub(crate) fn scan(
    dir: &Path,
    file: &ModelFile,
    mut sink: impl FnMut(&[u8]),
) -> Result<(), FileFault> {
    let path = dir.join(file.name);
    let mut source = open_sized(&path, file)?;
    let mut hash = Sha256::new();
    let mut block = Vec::with_capacity(BLOCK);
    loop {
        block.clear();
        let part = source.by_ref().take(BLOCK as u64);
        { part }.read_to_end(&mut block).map_err(|e| FileFault::Unreadable(path.clone(), e))?;
        if block.is_empty() {
            break;
        }
        hash.update(&block);
        sink(&block);
    }
    if hex::encode(hash.finalize()) == file.sha256 { Ok(()) } else { Err(FileFault::Corrupt(path)) }
}

fn open_sized(path: &Path, file: &ModelFile) -> Result<File, FileFault> {
    let unreadable = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => FileFault::Missing(path.to_owned()),
        _ => FileFault::Unreadable(path.to_owned(), e),
    };
    let source = File::open(path).map_err(unreadable)?;
    let found = source.metadata().map_err(unreadable)?.len();
    if found == file.bytes { Ok(source) } else { Err(FileFault::Corrupt(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: ModelFile = ModelFile {
        name: "hello",
        bytes: 5,
        sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    };

    #[test]
    fn a_file_with_the_trusted_bytes_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hello"), "hello").unwrap();
        assert_eq!(read_verified(dir.path(), &HELLO).unwrap(), b"hello");
        verify(dir.path(), &HELLO).unwrap();
    }

    #[test]
    fn a_file_with_one_other_byte_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("hello"), "hallo").unwrap();
        let fault = read_verified(dir.path(), &HELLO).unwrap_err().to_string();
        assert!(fault.contains("delete it and fetch it again"), "{fault}");
    }

    #[test]
    fn a_cut_file_is_corrupt_and_an_absent_one_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(verify(dir.path(), &HELLO), Err(FileFault::Missing(_))));
        std::fs::write(dir.path().join("hello"), "hell").unwrap();
        assert!(matches!(verify(dir.path(), &HELLO), Err(FileFault::Corrupt(_))));
    }
}
