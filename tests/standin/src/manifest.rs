//! What is read of `spin.toml`: variables, routes, components and their dependencies.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file, and where it lies.
pub struct Manifest {
    pub(crate) file: File,
    pub(crate) dir: PathBuf,
    values: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct File {
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    pub trigger: Triggers,
    pub component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Variable {
    default: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Triggers {
    pub http: Vec<Trigger>,
}

#[derive(Deserialize)]
pub(crate) struct Trigger {
    pub route: String,
    pub component: String,
}

#[derive(Deserialize)]
pub(crate) struct Component {
    pub source: PathBuf,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub path: PathBuf,
    #[serde(default)]
    pub inherit_configuration: Vec<String>,
}

impl Manifest {
    /// Reads a manifest; `given` are the values of variables that have no default, or another.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path, given: &BTreeMap<String, String>) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self::parse(&text, dir, given)
    }

    /// As [`read`](Self::read), of a text whose paths begin at `dir`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, dir: PathBuf, given: &BTreeMap<String, String>) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut values = BTreeMap::new();
        for (name, variable) in &file.variables {
            let value = given.get(name).or(variable.default.as_ref());
            values.insert(
                name.clone(),
                value.with_context(|| format!("no value for {name}"))?.clone(),
            );
        }
        Ok(Self { file, dir, values })
    }

    /// A text with its `{{ name }}` filled in.
    pub(crate) fn fill(&self, text: &str) -> Result<String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { bail!("{text}: no end") };
            let value = self.values.get(name.trim());
            filled.push_str(before);
            filled.push_str(value.with_context(|| format!("{text}: no such variable"))?);
            rest = behind;
        }
        Ok(filled + rest)
    }
}
