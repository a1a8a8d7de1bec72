//! `spin.toml` as it is written: every key that Spin 4 knows, and no other.

use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub spin_manifest_version: i64,
    pub application: Application,
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    pub trigger: BTreeMap<String, Vec<toml::Table>>,
    #[serde(default)]
    pub component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    pub name: String,
    #[serde(default)]
    pub version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<Target>,
    #[serde(default)]
    pub trigger: BTreeMap<String, toml::Table>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
}

/// An environment that `spin build` checks against.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum Target {
    Catalogue(#[expect(dead_code, reason = "parsed to be refused when wrong")] String),
    Url {
        #[serde(rename = "url")]
        _url: String,
    },
    File {
        #[serde(rename = "path")]
        _path: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub required: bool,
    pub default: Option<String>,
    #[serde(default)]
    pub secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    pub component: Option<toml::Value>,
    #[serde(default)]
    pub components: toml::Table,
    #[serde(default)]
    pub dependencies: toml::Table,
    pub route: toml::Value,
    pub executor: Option<toml::Value>,
    pub static_response: Option<StaticResponse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticResponse {
    pub status_code: Option<u16>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    pub source: toml::Value,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub files: Vec<toml::Value>,
    #[serde(default, rename = "exclude_files")]
    _exclude_files: Vec<String>,
    #[serde(default)]
    pub allowed_http_hosts: Vec<String>,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    #[serde(default)]
    pub ai_models: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<Target>,
    #[serde(default, rename = "build")]
    _build: Option<Build>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
    pub dependencies_inherit_configuration: Option<bool>,
    #[serde(default)]
    pub dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "profile")]
    _profile: BTreeMap<String, toml::Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    #[serde(rename = "command")]
    _command: Commands,
    #[serde(default, rename = "workdir")]
    _workdir: Option<String>,
    #[serde(default, rename = "watch")]
    _watch: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Commands {
    One(#[expect(dead_code, reason = "parsed to be refused when wrong")] String),
    Many(#[expect(dead_code, reason = "parsed to be refused when wrong")] Vec<String>),
}

/// Every shape that a dependency can have; which one it is shows in the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dependency {
    pub path: Option<String>,
    pub component: Option<String>,
    pub export: Option<String>,
    pub inherit_configuration: Option<Inherit>,
    pub url: Option<String>,
    #[serde(rename = "digest")]
    _digest: Option<String>,
    pub version: Option<String>,
    #[serde(rename = "registry")]
    _registry: Option<String>,
    #[serde(rename = "package")]
    _package: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Inherit {
    All(bool),
    Keys(Vec<String>),
}
