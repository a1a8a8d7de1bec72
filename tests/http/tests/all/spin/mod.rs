//! A double of `spin up` for an application with an external trigger: it locks the manifest and starts the plugin as Spin 4 does.
//!
//! What it does is what Spin's sources say (`src/commands/up.rs`, `src/commands/external.rs`, `crates/locked-app`): the locked
//! application lies in `spin.lock` of a working folder, its URL and some more are in the environment, the arguments that Spin
//! does not know come as they were written, and the end is SIGTERM.

use holdfast_http_tests::root;
use holdfast_servers::{Host, HostSettings};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A machine with the plugin installed, and an application.
pub struct Spin {
    /// The application's folder, where Spin keeps its state too.
    pub app: TempDir,
    working: TempDir,
    plugins: TempDir,
}

/// A plugin that runs.
pub struct Plugin {
    child: Child,
    pub url: String,
    pub key: String,
    /// What it logs, once it has ended.
    log: std::thread::JoinHandle<String>,
}

impl Spin {
    /// Installs the program as the plugin, and locks a manifest whose paths begin in the workspace's root.
    pub fn with(manifest: &str) -> Self {
        let folder = || tempfile::tempdir().unwrap();
        let spin = Self { app: folder(), working: folder(), plugins: folder() };
        let installed = spin.plugins.path().join("trigger-holdfast");
        std::fs::create_dir(&installed).unwrap();
        let program = Host::command("up", &[], &HostSettings::default());
        let program = std::fs::canonicalize(program.get_program()).unwrap();
        std::os::unix::fs::symlink(program, installed.join("trigger-holdfast")).unwrap();
        // Compiled components are the same for all: they are named by their content.
        let (data, cache) =
            (spin.app.path().join(".spin/holdfast"), root().join("target/tests/cache"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(&cache).unwrap();
        std::os::unix::fs::symlink(std::path::absolute(cache).unwrap(), data.join("cache"))
            .unwrap();
        spin.lock(&locked(&manifest.parse().unwrap()));
        spin
    }

    pub fn lock(&self, locked: &Value) {
        let text = serde_json::to_string_pretty(locked).unwrap();
        std::fs::write(self.working.path().join("spin.lock"), text).unwrap();
    }

    /// The plugin as Spin runs it, with nothing else of ours in the environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command =
            Command::new(self.plugins.path().join("trigger-holdfast/trigger-holdfast"));
        for (name, _) in std::env::vars() {
            if name.starts_with("HOLDFAST_") || name.starts_with("SPIN_") {
                command.env_remove(name);
            }
        }
        let lock = self.working.path().join("spin.lock");
        command.args(arguments).current_dir(self.working.path());
        command.env("SPIN_LOCKED_URL", format!("file://{}", lock.display()));
        command.env("SPIN_WORKING_DIR", self.working.path());
        command.env("SPIN_LOCAL_APP_DIR", self.app.path());
        command.env("SPIN_BIN_PATH", "/nowhere/spin").env("SPIN_VERSION", "4.0.0");
        if std::env::var_os("HOLDFAST_NO_MODEL").is_none() {
            command.env("HOLDFAST_MODEL_DIR", root().join("target/models/minilm-l6-v2"));
        } else {
            command.env("HOLDFAST_NO_MODEL", "1");
        }
        command
    }

    /// Runs a plugin that is to end by itself.
    pub fn ends(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

impl Plugin {
    /// Starts it, and waits until it says that it is up.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut url, mut key) = (String::new(), String::new());
        for line in lines.by_ref().map_while(Result::ok) {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("address"), Some(address)) => url = address.to_owned(),
                (Some("key"), Some(made)) => key = made.to_owned(),
                (Some("search"), _) => break,
                _ => {}
            }
        }
        if url.is_empty() {
            panic!("the plugin ended before it was up: {}", log.join().unwrap());
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, key, log }
    }

    /// Ends it with a signal (`TERM`, `INT`), which must end it well; gives its log.
    pub fn end(mut self, signal: &str) -> String {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let ended = self.child.wait().unwrap();
        let log = self.log.join().unwrap();
        assert!(ended.success(), "{ended}: {log}");
        log
    }
}

/// What Spin makes of a manifest.
pub fn locked(manifest: &toml::Table) -> Value {
    let manifest = serde_json::to_value(manifest).unwrap();
    let (mut triggers, mut components) = (Vec::new(), Vec::new());
    for (kind, tables) in manifest["trigger"].as_object().unwrap() {
        for (at, table) in tables.as_array().unwrap().iter().enumerate() {
            let id = format!("trigger--{kind}-{at}");
            triggers.push(json!({ "id": id, "trigger_type": kind, "trigger_config": table }));
        }
    }
    for (id, component) in manifest["component"].as_object().unwrap() {
        components.push(component_of(id, component));
    }
    let mut variables = manifest["variables"].clone();
    for variable in variables.as_object_mut().unwrap().values_mut() {
        variable.as_object_mut().unwrap().remove("required");
    }
    json!({
        "spin_lock_version": 0,
        "metadata": {
            "name": manifest["application"]["name"], "version": manifest["application"]["version"],
            "origin": "file:///somewhere/spin.toml", "triggers": { "holdfast": {} },
        },
        "variables": variables, "triggers": triggers, "components": components,
    })
}

fn component_of(id: &str, component: &Value) -> Value {
    let mut dependencies = Map::new();
    for (name, entry) in component["dependencies"].as_object().into_iter().flatten() {
        let mut told = json!({ "source": source(&entry["path"]), "export": null });
        if !entry["inherit_configuration"].is_null() {
            told["inherit"] = json!({ "Some": entry["inherit_configuration"] });
        }
        dependencies.insert(name.clone(), told);
    }
    let mut told = json!({
        "id": id, "metadata": {}, "source": source(&component["source"]), "dependencies": dependencies,
    });
    // What is empty Spin leaves out.
    if let Some(variables) = component.get("variables") {
        told["config"] = variables.clone();
    }
    // Spin finds these out by itself; here a manifest says them.
    if let Some(needs) = component.get("host_requirements") {
        told["host_requirements"] = needs.clone();
    }
    for key in ["allowed_outbound_hosts", "key_value_stores"] {
        if let Some(list) = component.get(key) {
            told["metadata"][key] = list.clone();
        }
    }
    told
}

fn source(path: &Value) -> Value {
    let path: PathBuf = Path::new(&root()).join(path.as_str().unwrap());
    let path = std::path::absolute(path).unwrap();
    json!({ "content_type": "application/wasm", "source": format!("file://{}", path.display()) })
}
