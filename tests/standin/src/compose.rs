//! A component with its dependencies plugged in, as Spin does: one dependency for each WIT package, isolated unless it inherits.

use crate::manifest::{Component, Manifest};
use anyhow::{Context, Result, anyhow, ensure};
use wac_graph::types::{ItemKind, Package};
use wac_graph::{CompositionGraph, EncodeOptions, PackageId};

/// What a dependency must inherit to import; without it a stock runtime gives it a door that denies.
const RIGHTS: [(&str, &str); 2] =
    [("wasi:http/client@", "allowed_outbound_hosts"), ("spin:variables/", "variables")];

/// The bytes of the composed component.
pub(crate) fn compose(manifest: &Manifest, component: &Component) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let bytes = std::fs::read(manifest.dir.join(&component.source))?;
    let socket = register(&mut graph, "socket", bytes)?;
    let instance = graph.instantiate(socket);
    for (name, dependency) in &component.dependencies {
        let path = manifest.dir.join(&dependency.path);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let plug = register(&mut graph, name, bytes)?;
        for (import, _) in world(&graph, plug).0 {
            let right = RIGHTS.iter().find(|(prefix, _)| import.starts_with(prefix));
            let denied =
                right.filter(|(_, key)| !dependency.inherit_configuration.iter().any(|k| k == key));
            ensure!(denied.is_none(), "{name} imports {import} and inherits nothing of it");
        }
        let (package, version) = name.split_once('@').context("a version")?;
        let (imports, exports) = (world(&graph, socket).0, world(&graph, plug).1);
        let made = graph.instantiate(plug);
        let mut used = false;
        for (import, _) in imports {
            let ours = import.strip_prefix(package).is_some_and(|rest| rest.starts_with('/'));
            let there = exports.iter().any(|(export, _)| *export == import);
            if ours && there && import.ends_with(&format!("@{version}")) {
                let alias = graph.alias_instance_export(made, &import)?;
                graph.set_instantiation_argument(instance, &import, alias)?;
                used = true;
            }
        }
        ensure!(used, "{name} satisfies no import");
    }
    for (export, _) in world(&graph, socket).1 {
        let alias = graph.alias_instance_export(instance, &export)?;
        graph.export(alias, &export)?;
    }
    graph.encode(EncodeOptions::default()).map_err(|e| anyhow!("{e:?}"))
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> Result<PackageId> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())?;
    Ok(graph.register_package(package)?)
}

type Items = Vec<(String, ItemKind)>;

/// Imports and exports.
fn world(graph: &CompositionGraph, package: PackageId) -> (Items, Items) {
    let world = &graph.types()[graph[package].ty()];
    let items = |items: &mut dyn Iterator<Item = (&String, &ItemKind)>| {
        items.map(|(name, kind)| (name.clone(), *kind)).collect()
    };
    (items(&mut world.imports.iter()), items(&mut world.exports.iter()))
}
