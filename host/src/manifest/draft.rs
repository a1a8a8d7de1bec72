//! An application as it is written, before its variables have values.

use super::{Manifest, locked, raw, resolve};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An application whose variables have no values yet.
pub struct Draft {
    raw: raw::Manifest,
    /// Where its relative paths begin.
    dir: PathBuf,
    /// Where it was read, for messages.
    place: String,
}

impl Draft {
    /// The `spin.toml` at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or holds what Spin does not know.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("read the manifest {}", path.display()))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        let place = path.display().to_string();
        let draft = Self::parse(&text, dir).with_context(|| format!("in {place}"))?;
        Ok(Self { place, ..draft })
    }

    /// The text of a `spin.toml` that lies in `dir`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, dir: &Path) -> Result<Self> {
        let raw = toml::from_str(text)?;
        Ok(Self { raw, dir: dir.to_owned(), place: dir.display().to_string() })
    }

    /// The locked application that `spin up` hands to the trigger `kind`.
    ///
    /// # Errors
    /// When it is of a version that is not known, lacks what it names, or needs what this host does not have.
    pub fn locked(path: &Path, kind: &str) -> Result<Self> {
        let place = path.display().to_string();
        let bytes =
            std::fs::read(path).with_context(|| format!("read the locked application {place}"))?;
        let raw = locked::manifest(&bytes, kind).context("the locked application")?;
        Ok(Self { raw, dir: PathBuf::from("/"), place })
    }

    /// Names of the variables that it defines.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.raw.variables.keys().map(String::as_str)
    }

    /// The application with `values` of its variables, by name.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn resolve(self, values: &BTreeMap<String, String>) -> Result<Manifest> {
        resolve::manifest(self.raw, &self.dir, values).with_context(|| format!("in {}", self.place))
    }
}
