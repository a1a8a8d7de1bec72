//! A locked application, as `spin up` hands it to a trigger: told again in the words of `spin.toml`, and read by the same rules.

use super::raw;
use anyhow::{Context, Result, bail, ensure};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Newest version of the format that is read; 0 is 1 without requirements.
const VERSION: u64 = 1;
/// What an application may demand of its host.
const OFFERED: [&str; 1] = ["local_service_chaining"];
/// Fields that a host must not overlook, all of which are read here.
const UNDERSTOOD: [&str; 2] = ["host_requirements", "component_host_requirements"];

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    must_understand: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    host_requirements: BTreeMap<String, Value>,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    triggers: Vec<Trigger>,
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
struct Trigger {
    #[serde(default)]
    id: String,
    trigger_type: String,
    trigger_config: Map<String, Value>,
    #[serde(default)]
    trigger_dependencies: Map<String, Value>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    #[serde(default)]
    metadata: Map<String, Value>,
    source: Content,
    #[serde(default)]
    env: Map<String, Value>,
    #[serde(default)]
    files: Vec<Value>,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
    #[serde(default)]
    host_requirements: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Dependency {
    source: Content,
    export: Option<String>,
    #[serde(default)]
    inherit: Inherit,
}

#[derive(Deserialize)]
enum Inherit {
    All,
    Some(Vec<String>),
}

impl Default for Inherit {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

/// Where a component's bytes are.
#[derive(Deserialize)]
struct Content {
    source: Option<String>,
    digest: Option<String>,
}

/// What the triggers of this `kind` serve.
pub(super) fn manifest(bytes: &[u8], kind: &str) -> Result<raw::Manifest> {
    let value: Value = serde_json::from_slice(bytes).context("it is not JSON")?;
    let version = value.get("spin_lock_version").and_then(Value::as_u64);
    let version = version.context("it says no spin_lock_version")?;
    ensure!(
        version <= VERSION,
        "its spin_lock_version is {version}, and this program reads {VERSION} at most: use a newer one"
    );
    let locked: Locked = serde_json::from_value(value)?;
    let (triggers, wanted) = triggers(&locked, kind)?;
    understood(&locked, &wanted)?;
    let mut components = Map::new();
    for id in wanted {
        let component = locked.components.iter().find(|component| component.id == id);
        let component = component
            .with_context(|| format!("a trigger names the component {id:?}, which is not there"))?;
        let told = told(component).with_context(|| format!("component {id:?}"))?;
        components.insert(id, told);
    }
    let variables: Map<String, Value> = locked.variables.into_iter().map(variable).collect();
    let text = |key: &str| locked.metadata.get(key).and_then(Value::as_str).unwrap_or_default();
    Ok(serde_json::from_value(json!({
        "spin_manifest_version": 2,
        "application": { "name": text("name"), "version": text("version") },
        "variables": variables,
        "trigger": { "http": triggers },
        "component": components,
    }))?)
}

/// Refuses what asks for more than there is.
fn understood(locked: &Locked, wanted: &BTreeSet<String>) -> Result<()> {
    let strange = locked.must_understand.iter().find(|field| !UNDERSTOOD.contains(&field.as_str()));
    if let Some(field) = strange {
        bail!("it must be read with {field:?}, which this program does not know: use a newer one");
    }
    // What other triggers serve is theirs to understand.
    let ours = locked.components.iter().filter(|one| wanted.contains(&one.id));
    let of_components = ours.flat_map(|one| one.host_requirements.iter());
    for (name, how) in locked.host_requirements.iter().chain(of_components) {
        let optional = how.as_str() == Some("optional");
        ensure!(
            optional || OFFERED.contains(&name.as_str()),
            "it requires {name:?} of its host, which this one does not have"
        );
    }
    Ok(())
}

/// Tables of the triggers of this kind, and ids of the components that they lead to.
fn triggers(locked: &Locked, kind: &str) -> Result<(Vec<Value>, BTreeSet<String>)> {
    let (mut tables, mut wanted) = (Vec::new(), BTreeSet::new());
    for trigger in locked.triggers.iter().filter(|trigger| trigger.trigger_type == kind) {
        ensure!(
            trigger.trigger_dependencies.is_empty(),
            "trigger {:?}: middleware components are not supported by this host",
            trigger.id
        );
        let component = trigger.trigger_config.get("component").and_then(Value::as_str);
        wanted.extend(component.map(str::to_owned));
        let given = trigger.trigger_config.iter().filter(|(_, value)| !value.is_null());
        tables.push(Value::Object(given.map(|(k, v)| (k.clone(), v.clone())).collect()));
    }
    ensure!(!tables.is_empty(), "it has no trigger of the type {kind:?}");
    Ok((tables, wanted))
}

fn variable((name, Variable { default, secret }): (String, Variable)) -> (String, Value) {
    let told = match default {
        Some(default) => json!({ "default": default, "secret": secret }),
        None => json!({ "required": true, "secret": secret }),
    };
    (name, told)
}

/// The component's table.
fn told(component: &Component) -> Result<Value> {
    let list = |key: &str| component.metadata.get(key).cloned().unwrap_or_else(|| json!([]));
    let mut dependencies = Map::new();
    for (name, dependency) in &component.dependencies {
        let path = dependency.source.path().with_context(|| format!("dependency {name:?}"))?;
        let inherit = match &dependency.inherit {
            Inherit::All => json!(true),
            Inherit::Some(keys) => json!(keys),
        };
        let mut entry = json!({ "path": path, "inherit_configuration": inherit });
        if let (Some(export), Some(entry)) = (&dependency.export, entry.as_object_mut()) {
            entry.insert("export".to_owned(), json!(export));
        }
        dependencies.insert(name.clone(), entry);
    }
    Ok(json!({
        "source": component.source.path()?,
        "variables": component.config,
        "environment": component.env,
        "files": component.files,
        "allowed_outbound_hosts": list("allowed_outbound_hosts"),
        "key_value_stores": list("key_value_stores"),
        "sqlite_databases": list("databases"),
        "ai_models": list("ai_models"),
        "dependencies": dependencies,
    }))
}

impl Content {
    /// The file, whose bytes are those that were locked.
    fn path(&self) -> Result<PathBuf> {
        let source = self.source.as_deref().context("its bytes are in no file")?;
        let path = source.strip_prefix("file://").with_context(|| {
            format!("its bytes are at {source}, and this host reads files only")
        })?;
        let path = path.strip_prefix("localhost").unwrap_or(path);
        let path = PathBuf::from(percent_decode_str(path).decode_utf8()?.into_owned());
        if let Some(digest) = &self.digest {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let own = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
            ensure!(&own == digest, "{} is not what was locked: {own}", path.display());
        }
        Ok(path)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application of one component, with what `change` makes of it.
    fn refusal(change: impl FnOnce(&mut Value)) -> String {
        let mut locked = json!({
            "spin_lock_version": 1,
            "metadata": { "name": "t" },
            "triggers": [{
                "id": "one", "trigger_type": "holdfast",
                "trigger_config": { "route": "/...", "component": "a", "executor": null },
            }],
            "components": [{
                "id": "a",
                "source": { "content_type": "application/wasm", "source": "file:///tmp/a%20b.wasm" },
            }],
        });
        change(&mut locked);
        match manifest(&serde_json::to_vec(&locked).unwrap(), "holdfast") {
            Ok(raw) => format!("{:?}", raw.component["a"].source),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn a_path_is_what_its_url_says() {
        assert!(refusal(|_| ()).contains("/tmp/a b.wasm"), "{}", refusal(|_| ()));
        // Spin writes 0 where nothing is required.
        assert!(refusal(|locked| locked["spin_lock_version"] = json!(0)).contains("/tmp/a b.wasm"));
    }

    #[test]
    fn what_cannot_be_served_is_refused_with_its_name() {
        type Change = fn(&mut Value);
        let cases: [(Change, &str); 9] = [
            (|it| it["spin_lock_version"] = json!(2), "spin_lock_version is 2"),
            (|it| it["spin_lock_version"] = json!(null), "says no spin_lock_version"),
            (|it| it["must_understand"] = json!(["weather"]), "\"weather\""),
            (|it| it["host_requirements"] = json!({ "sun": "required" }), "\"sun\""),
            (|it| it["triggers"][0]["trigger_type"] = json!("http"), "no trigger of the type"),
            (|it| it["components"][0]["id"] = json!("b"), "component \"a\", which is not there"),
            (|it| it["components"][0]["source"]["source"] = json!("https://x/a"), "files only"),
            (|it| it["components"][0]["source"] = json!({ "content_type": "" }), "in no file"),
            (|it| it["triggers"][0]["trigger_dependencies"] = json!({ "m": [] }), "middleware"),
        ];
        for (change, words) in cases {
            let said = refusal(change);
            assert!(said.contains(words), "{words}: {said}");
        }
        let optional = |it: &mut Value| it["host_requirements"] = json!({ "sun": "optional" });
        assert!(refusal(optional).contains("a b.wasm"));
    }

    #[test]
    fn bytes_that_are_not_those_that_were_locked_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        std::fs::write(&path, b"abc").unwrap();
        let said = |digest: &str| {
            refusal(|it| {
                let source = &mut it["components"][0]["source"];
                source["source"] = json!(format!("file://{}", path.display()));
                source["digest"] = json!(digest);
            })
        };
        let right = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(said(right).contains("a.wasm\""));
        assert!(said("sha256:00").contains("is not what was locked"));
    }
}
