//! A component and its dependencies become one component, as `[component.ID.dependencies]` says.
//!
//! Each entry stands for one WIT package. Packages that the host serves itself are left as imports. A dependency that
//! is isolated (Spin's default) must not import what gives rights; Spin composes a denying adapter in, this host
//! refuses to start, so that neither grants anything.

use crate::manifest::{Component, Dependency, Inherit};
use anyhow::{Context, Result, bail, ensure};
use holdfast_compose::{Composition, Item, Name, Part};

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
    let mut whole = Composition::default();
    let mut socket = whole.add("component", component)?;
    whole.instantiate(&mut socket);
    for (name, dependency) in &parts {
        let context = || format!("the dependency {:?}", dependency.name);
        let path = &dependency.source;
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()));
        let mut part = whole.add(&dependency.name, bytes.with_context(context)?)?;
        let environment = !entry.environment.is_empty();
        let imports = whole.imports(&part);
        refuse_rights(&imports, &dependency.inherit, environment).with_context(context)?;
        plug(&mut whole, &mut socket, &mut part, name, dependency).with_context(context)?;
    }
    for export in whole.exports(&socket) {
        whole.export(&mut socket, &export.name)?;
    }
    whole.finish()
}

fn plug(
    whole: &mut Composition,
    socket: &mut Part,
    part: &mut Part,
    name: &Name<'_>,
    dependency: &Dependency,
) -> Result<()> {
    let exports = whole.exports(part);
    let mut used = false;
    for import in whole.imports(socket) {
        if !name.covers(&import.name) {
            continue;
        }
        let export = dependency.export.as_deref().unwrap_or(&import.name);
        if !exports.iter().any(|own| own.name == export) {
            ensure!(import.types_only, "it does not export {export:?}");
            continue;
        }
        whole.connect((part, export), (socket, &import.name))?;
        used = true;
    }
    ensure!(used, "the component imports nothing that it could satisfy: remove it");
    Ok(())
}

fn refuse_rights(imports: &[Item], inherit: &Inherit, environment: bool) -> Result<()> {
    for Item { name: import, .. } in imports.iter().filter(|import| !import.types_only) {
        let right = RIGHTS.iter().find(|(prefix, _)| import.starts_with(prefix));
        let Some((_, key)) = right else { continue };
        if (*key != "environment" || environment) && !inherit.includes(key) {
            bail!("it is isolated but imports {import:?}: it must inherit {key}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolated_dependency_must_not_import_rights() {
        let refused = |import: &str, inherit: &Inherit, environment: bool| {
            let import = Item { name: import.to_owned(), types_only: false };
            refuse_rights(&[import], inherit, environment).is_err()
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
