//! What `spin.toml` asks for, by Spin 4's rules: what Spin refuses is refused, what this host lacks is said.

mod draft;
mod locked;
pub mod names;
mod raw;
mod resolve;
mod template;

use crate::outgoing::AllowList;
use crate::variables::Variables;
use anyhow::Result;
pub use draft::Draft;
use holdfast_compose::Name;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An application, its variables resolved.
pub struct Manifest {
    /// Name of the application.
    pub name: String,
    /// Version of the application; empty when it says none.
    pub version: String,
    /// What answers which path, in the order of the file.
    pub triggers: Vec<Trigger>,
    /// Components by id.
    pub components: BTreeMap<String, Component>,
    /// Names of the application variables that hold secrets.
    pub secrets: Vec<String>,
}

/// One `[[trigger.http]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `/x`, `/x/...`, `/:p/y`; none for a private one, which the outside cannot reach.
    pub route: Option<String>,
    /// What answers.
    pub target: Target,
}

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The component with this id.
    Component(String),
    /// The same answer always.
    Static {
        /// HTTP status.
        status: u16,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// Body.
        body: String,
    },
}

/// One `[component.ID]`.
pub struct Component {
    /// Its `.wasm`.
    pub source: PathBuf,
    /// Its variables, resolved.
    pub variables: Variables,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Where it may send requests.
    pub allow: AllowList,
    /// What its imports are composed with, by the name in the manifest.
    pub dependencies: Vec<Dependency>,
}

/// One entry of `[component.ID.dependencies]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// `namespace:package@version`, `namespace:package/interface@version`, or a plain name.
    pub name: String,
    /// Its `.wasm`.
    pub source: PathBuf,
    /// Export that satisfies the import, when it has another name.
    pub export: Option<String>,
    /// What of its parent's rights it shares.
    pub inherit: Inherit,
}

/// What a dependency shares of its parent's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherit {
    /// Everything.
    All,
    /// Nothing but these: `allowed_outbound_hosts`, `variables`, `environment`, ...
    Only(Vec<String>),
}

impl Inherit {
    /// Does the dependency share `key`?
    pub fn includes(&self, key: &str) -> bool {
        match self {
            Inherit::All => true,
            Inherit::Only(keys) => keys.iter().any(|own| own == key),
        }
    }
}

impl Manifest {
    /// Reads the file at `path`. `values` are the application variables given from outside, by name.
    pub fn read(path: &Path, values: &BTreeMap<String, String>) -> Result<Self> {
        Draft::read(path)?.resolve(values)
    }

    /// Parses the text of a manifest that lies in `dir`.
    pub fn parse(text: &str, dir: &Path, values: &BTreeMap<String, String>) -> Result<Self> {
        Draft::parse(text, dir)?.resolve(values)
    }

    /// Does a component have a dependency whose package is not in `native`, and that is composed in?
    pub fn composes(&self, native: &[&str]) -> bool {
        let mut dependencies = self.components.values().flat_map(|one| &one.dependencies);
        dependencies.any(|one| !native.contains(&Name::parse(&one.name).package))
    }
}

#[cfg(test)]
mod tests;
