//! From what is written to what is meant: names checked, variables filled in, what this host lacks refused.

use super::{Component, Dependency, Inherit, Manifest, Target, Trigger, names, raw, template};
use crate::outgoing::AllowList;
use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

type Values = BTreeMap<String, String>;

pub(super) fn manifest(raw: raw::Manifest, dir: &Path, given: &Values) -> Result<Manifest> {
    let version = raw.spin_manifest_version;
    ensure!(version == 2, "spin_manifest_version is {version}: only 2 is known");
    for (kind, table) in &raw.application.trigger {
        ensure!(
            kind == "http",
            "[application.trigger.{kind}]: this host serves http triggers only"
        );
        ensure!(table.is_empty(), "[application.trigger.http]: a base path is not supported here");
    }
    let values = variables(&raw.variables, given)?;
    let sources = sources(&raw.component, dir)?;
    let mut components = BTreeMap::new();
    for (id, component) in raw.component {
        let component = self::component(component, dir, &sources, &values, &id)
            .with_context(|| format!("[component.{id}]"))?;
        components.insert(id, component);
    }
    let triggers = triggers(raw.trigger, &components)?;
    let secrets =
        raw.variables.into_iter().filter(|(_, v)| v.secret).map(|(name, _)| name).collect();
    let raw::Application { name, version, .. } = raw.application;
    Ok(Manifest { name, version, triggers, components, secrets })
}

/// Values of the application variables: given from outside, else their defaults.
fn variables(defined: &BTreeMap<String, raw::Variable>, given: &Values) -> Result<Values> {
    if let Some(unknown) = given.keys().find(|name| !defined.contains_key(*name)) {
        let near = names::nearest(unknown, defined.keys().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!(": did you mean {near:?}?"));
        bail!("the variable {unknown:?} was given, but [variables] does not define it{hint}");
    }
    let mut values = Values::new();
    for (name, variable) in defined {
        names::snake(name).map_err(|why| anyhow!("[variables] {why}"))?;
        ensure!(
            variable.required != variable.default.is_some(),
            "[variables] {name:?} must have either required = true or a default"
        );
        let value = given.get(name).or(variable.default.as_ref());
        let value = value.with_context(|| {
            format!("[variables] {name:?} is required and has no value: give one from outside")
        })?;
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}

fn sources(
    components: &BTreeMap<String, raw::Component>,
    dir: &Path,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut sources = BTreeMap::new();
    for (id, component) in components {
        names::kebab(id).map_err(|why| anyhow!("[component] id {why}"))?;
        let source = source(&component.source, dir).with_context(|| format!("[component.{id}]"))?;
        sources.insert(id.clone(), source);
    }
    Ok(sources)
}

fn source(value: &toml::Value, dir: &Path) -> Result<PathBuf> {
    match value {
        toml::Value::String(path) => Ok(dir.join(path)),
        toml::Value::Table(table) if table.contains_key("url") => {
            bail!("source: this host does not download components: give a path")
        }
        toml::Value::Table(table) if table.contains_key("package") => {
            bail!("source: this host does not read component registries: give a path")
        }
        _ => bail!("source: must be the path of a .wasm file"),
    }
}

fn component(
    raw: raw::Component,
    dir: &Path,
    sources: &BTreeMap<String, PathBuf>,
    values: &Values,
    id: &str,
) -> Result<Component> {
    refuse_unsupported(&raw)?;
    let mut variables = Values::new();
    for (name, text) in &raw.variables {
        names::snake(name).map_err(|why| anyhow!("variables: {why}"))?;
        let value = template::fill(text, values).with_context(|| format!("variables.{name}"))?;
        variables.insert(name.clone(), value);
    }
    let hosts: Vec<String> = raw
        .allowed_outbound_hosts
        .iter()
        .map(|entry| template::fill(entry, values))
        .collect::<Result<_>>()
        .context("allowed_outbound_hosts")?;
    let allow = AllowList::parse(&hosts).context("allowed_outbound_hosts")?;
    let inherit = raw.dependencies_inherit_configuration.unwrap_or(false);
    let dependencies = raw
        .dependencies
        .into_iter()
        .map(|(name, value)| {
            dependency(&name, value, dir, sources, inherit)
                .with_context(|| format!("dependencies.{name:?}"))
        })
        .collect::<Result<Vec<_>>>()?;
    disjoint(&dependencies)?;
    let source = sources.get(id).cloned().context("source")?;
    Ok(Component { source, variables, environment: raw.environment, allow, dependencies })
}

fn refuse_unsupported(raw: &raw::Component) -> Result<()> {
    ensure!(
        raw.allowed_http_hosts.is_empty(),
        "allowed_http_hosts is deprecated: use allowed_outbound_hosts"
    );
    let lacking = [
        ("files", raw.files.is_empty()),
        ("key_value_stores", raw.key_value_stores.is_empty()),
        ("sqlite_databases", raw.sqlite_databases.is_empty()),
        ("ai_models", raw.ai_models.is_empty()),
    ];
    for (key, empty) in lacking {
        ensure!(empty, "{key}: this host does not provide it");
    }
    Ok(())
}

fn dependency(
    name: &str,
    value: toml::Value,
    dir: &Path,
    sources: &BTreeMap<String, PathBuf>,
    inherit_all: bool,
) -> Result<Dependency> {
    ensure!(!value.is_str(), "this host does not read component registries: give a path");
    let raw = raw::Dependency::deserialize(value)?;
    ensure!(raw.version.is_none(), "this host does not read component registries: give a path");
    ensure!(raw.url.is_none(), "this host does not download components: give a path");
    let source = match (raw.path, raw.component) {
        (Some(path), None) => dir.join(path),
        (None, Some(id)) => {
            sources.get(&id).cloned().with_context(|| format!("there is no [component.{id}]"))?
        }
        _ => bail!("give a path, or the id of a component"),
    };
    let whole_package = name.contains(':') && !name.contains('/');
    ensure!(
        raw.export.is_none() || !whole_package,
        "an export cannot stand for a whole package: name the interface"
    );
    let inherit = match raw.inherit_configuration {
        Some(raw::Inherit::All(true)) => Inherit::All,
        Some(raw::Inherit::All(false)) => Inherit::Only(Vec::new()),
        Some(raw::Inherit::Keys(keys)) => Inherit::Only(keys),
        None if inherit_all => Inherit::All,
        None => Inherit::Only(Vec::new()),
    };
    Ok(Dependency { name: name.to_owned(), source, export: raw.export, inherit })
}

/// Spin takes one entry for each WIT package.
fn disjoint(dependencies: &[Dependency]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for dependency in dependencies {
        let (path, version) = dependency.name.split_once('@').unwrap_or((&dependency.name, ""));
        let package = path.split_once('/').map_or(path, |(package, _)| package);
        if let Some(other) = seen.insert((package, version), &dependency.name) {
            bail!(
                "dependencies: {other:?} and {:?} are of one package: write one entry",
                dependency.name
            );
        }
    }
    Ok(())
}

fn triggers(
    raw: BTreeMap<String, Vec<toml::Table>>,
    components: &BTreeMap<String, Component>,
) -> Result<Vec<Trigger>> {
    let mut triggers = Vec::new();
    for (kind, tables) in raw {
        // The same routes, where `spin up` starts this host for them.
        let served = kind == "http" || kind == "holdfast";
        ensure!(served, "[[trigger.{kind}]]: this host serves http triggers only");
        for (at, table) in tables.into_iter().enumerate() {
            let trigger = trigger(table, components)
                .with_context(|| format!("[[trigger.{kind}]] number {}", at + 1))?;
            triggers.push(trigger);
        }
    }
    Ok(triggers)
}

fn trigger(table: toml::Table, components: &BTreeMap<String, Component>) -> Result<Trigger> {
    let raw = raw::HttpTrigger::deserialize(toml::Value::Table(table))?;
    ensure!(
        raw.components.is_empty() && raw.dependencies.is_empty(),
        "middleware components are not supported by this host"
    );
    if let Some(executor) = &raw.executor {
        let kind = executor.get("type").and_then(toml::Value::as_str);
        ensure!(
            kind == Some("http"),
            "executor: this host serves components of type \"http\" only"
        );
    }
    let target = match (raw.component, raw.static_response) {
        (Some(toml::Value::String(id)), None) => {
            ensure!(components.contains_key(&id), "there is no [component.{id}]");
            Target::Component(id)
        }
        (Some(_), None) => bail!("component: give the id of a [component.ID]"),
        (None, Some(answer)) => Target::Static {
            status: status(answer.status_code)?,
            headers: answer.headers,
            body: answer.body,
        },
        (Some(_), Some(_)) => bail!("give a component or a static_response, not both"),
        (None, None) => bail!("give a component or a static_response"),
    };
    Ok(Trigger { route: route(&raw.route)?, target })
}

fn status(code: Option<u16>) -> Result<u16> {
    let code = code.unwrap_or(200);
    ensure!((200..600).contains(&code), "static_response: {code} is no final HTTP status");
    Ok(code)
}

fn route(value: &toml::Value) -> Result<Option<String>> {
    match value {
        toml::Value::String(route) => Ok(Some(route.clone())),
        toml::Value::Table(table)
            if table.len() == 1 && table.get("private") == Some(&toml::Value::Boolean(true)) =>
        {
            Ok(None)
        }
        _ => bail!("route: must be a string or {{ private = true }}"),
    }
}
