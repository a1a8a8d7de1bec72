//! A component and its dependencies become one component, as `[component.ID.dependencies]` says.
//!
//! Each entry stands for one WIT package. Packages that the host serves itself are left as imports. A dependency that
//! is isolated (Spin's default) must not import what gives rights; Spin composes a denying adapter in, this host
//! refuses to start, so that neither grants anything.

use crate::manifest::{Component, Dependency, Inherit};
use anyhow::{Context, Result, anyhow, bail, ensure};
use wac_graph::types::{ItemKind, Package};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// Imports that give rights, and what must be inherited to have them. A component without an environment has none to
/// share, so that import (which the standard library always has) then counts for nothing.
const RIGHTS: [(&str, &str); 6] = [
    ("wasi:http/client@", "allowed_outbound_hosts"),
    ("wasi:http/outgoing-handler@", "allowed_outbound_hosts"),
    ("spin:variables/", "variables"),
    ("wasi:config/", "variables"),
    ("wasi:cli/environment@", "environment"),
    ("holdfast:", "everything: write inherit_configuration = true"),
];

/// Composes `component` with those of its dependencies whose package is not in `native`, and says so in the log.
pub fn compose(
    id: &str,
    component: Vec<u8>,
    entry: &Component,
    native: &[String],
) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for dependency in &entry.dependencies {
        let name = Name::parse(&dependency.name);
        if native.iter().any(|package| package == name.package) {
            tracing::info!(component = id, "{} is served by the host itself", dependency.name);
        } else {
            tracing::info!(component = id, "{} is composed in", dependency.name);
            parts.push((name, dependency));
        }
    }
    if parts.is_empty() {
        return Ok(component);
    }
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "component", component)?;
    let instance = graph.instantiate(socket);
    for (name, dependency) in &parts {
        let context = || format!("the dependency {:?}", dependency.name);
        let path = &dependency.source;
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()));
        let part = register(&mut graph, &dependency.name, bytes.with_context(context)?)?;
        let environment = !entry.environment.is_empty();
        let mut imports = items(&graph, part, true);
        imports.retain(|(_, kind)| !is_types_only(&graph, *kind));
        refuse_rights(&imports, &dependency.inherit, environment).with_context(context)?;
        plug(&mut graph, (socket, instance), part, name, dependency).with_context(context)?;
    }
    export_all(&mut graph, socket, instance)?;
    graph.encode(EncodeOptions::default()).map_err(|e| anyhow!("compose: {e:?}"))
}

/// The name of an import or of an entry: `namespace:package[/interface][@version]`.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    package: &'a str,
    interface: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Self {
        let (path, version) = match text.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (text, None),
        };
        let (package, interface) = match path.split_once('/') {
            Some((package, interface)) => (package, Some(interface)),
            None => (path, None),
        };
        Self { package, interface, version }
    }

    /// Does an entry with this name stand for `import`?
    fn covers(&self, import: &str) -> bool {
        let import = Name::parse(import);
        self.package == import.package
            && (self.interface.is_none() || self.interface == import.interface)
            && (self.version.is_none() || self.version == import.version)
    }
}

fn register(graph: &mut CompositionGraph, name: &str, bytes: Vec<u8>) -> Result<PackageId> {
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())?;
    graph.register_package(package).map_err(|e| anyhow!("{e}"))
}

fn items(graph: &CompositionGraph, package: PackageId, imports: bool) -> Vec<(String, ItemKind)> {
    let world = &graph.types()[graph[package].ty()];
    let items = if imports { &world.imports } else { &world.exports };
    items.iter().map(|(name, kind)| (name.clone(), *kind)).collect()
}

fn plug(
    graph: &mut CompositionGraph,
    (socket, instance): (PackageId, NodeId),
    part: PackageId,
    name: &Name<'_>,
    dependency: &Dependency,
) -> Result<()> {
    let exports = items(graph, part, false);
    let mut node = None;
    for (import, kind) in items(graph, socket, true) {
        if !name.covers(&import) {
            continue;
        }
        let export = dependency.export.as_deref().unwrap_or(&import);
        if !exports.iter().any(|(name, _)| name == export) {
            ensure!(is_types_only(graph, kind), "it does not export {export:?}");
            continue;
        }
        let node = *node.get_or_insert_with(|| graph.instantiate(part));
        let alias = graph.alias_instance_export(node, export).map_err(|e| anyhow!("{e}"))?;
        graph
            .set_instantiation_argument(instance, &import, alias)
            .map_err(|e| anyhow!("{import:?} does not fit: {e:?}"))?;
    }
    ensure!(node.is_some(), "the component imports nothing that it could satisfy: remove it");
    Ok(())
}

fn is_types_only(graph: &CompositionGraph, kind: ItemKind) -> bool {
    let ItemKind::Instance(interface) = kind else { return false };
    graph.types()[interface].exports.values().all(|kind| matches!(kind, ItemKind::Type(_)))
}

fn refuse_rights(
    imports: &[(String, ItemKind)],
    inherit: &Inherit,
    environment: bool,
) -> Result<()> {
    for (import, _) in imports {
        let right = RIGHTS.iter().find(|(prefix, _)| import.starts_with(prefix));
        let Some((_, key)) = right else { continue };
        if (*key != "environment" || environment) && !inherit.includes(key) {
            bail!("it is isolated but imports {import:?}: it must inherit {key}");
        }
    }
    Ok(())
}

fn export_all(graph: &mut CompositionGraph, socket: PackageId, instance: NodeId) -> Result<()> {
    for (name, _) in items(graph, socket, false) {
        let alias = graph.alias_instance_export(instance, &name).map_err(|e| anyhow!("{e}"))?;
        graph.export(alias, &name).map_err(|e| anyhow!("{e}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wac_graph::types::{PrimitiveType, ValueType};

    #[test]
    fn an_entry_covers_the_imports_of_its_package_and_version() {
        for (entry, import, expected) in [
            ("holdfast:index@0.1.0", "holdfast:index/index@0.1.0", true),
            ("holdfast:index@0.1.0", "holdfast:index/types@0.1.0", true),
            ("holdfast:index@0.1.0", "holdfast:index/index@0.2.0", false),
            ("holdfast:index", "holdfast:index/index@0.2.0", true),
            ("holdfast:index/types@0.1.0", "holdfast:index/index@0.1.0", false),
            ("holdfast:index/index@0.1.0", "holdfast:index/index@0.1.0", true),
            ("holdfast:models@0.1.0", "holdfast:index/index@0.1.0", false),
        ] {
            assert_eq!(Name::parse(entry).covers(import), expected, "{entry} {import}");
        }
    }

    #[test]
    fn an_isolated_dependency_must_not_import_rights() {
        let refused = |import: &str, inherit: &Inherit, environment: bool| {
            let kind = ItemKind::Value(ValueType::Primitive(PrimitiveType::Bool));
            refuse_rights(&[(import.to_owned(), kind)], inherit, environment).is_err()
        };
        let isolated = Inherit::Only(Vec::new());
        assert!(refused("wasi:http/client@0.3.0", &isolated, false));
        assert!(refused("spin:variables/variables@3.0.0", &isolated, false));
        assert!(refused("wasi:cli/environment@0.2.6", &isolated, true));
        assert!(!refused("wasi:cli/environment@0.2.6", &isolated, false));
        assert!(!refused("wasi:clocks/monotonic-clock@0.3.0", &isolated, true));
        assert!(!refused("wasi:http/client@0.3.0", &Inherit::All, true));
        let some = Inherit::Only(vec!["variables".into()]);
        assert!(!refused("spin:variables/variables@3.0.0", &some, true));
    }
}
