//! The WIT packages: each resolves alone with what it names, each item says what it is, and tools find them where they look.

use crate::run::root;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use wit_component::{DecodedWasm, decode, encode};
use wit_parser::{Docs, Interface, PackageId, Resolve, Type, TypeDef, TypeDefKind, WorldKey};

/// Packages of others, in an order in which each comes after what it names.
const VENDORED: [&str; 7] = [
    "clocks@0.3.0",
    "random@0.3.0",
    "filesystem@0.3.0",
    "sockets@0.3.0",
    "cli@0.3.0",
    "http@0.3.0",
    "spin-variables@3.0.0",
];

/// Our packages, by folder: those of ours that each names, and whether it names others'.
const OURS: [(&str, &[&str], bool); 4] = [
    ("models", &[], false),
    ("index", &[], false),
    ("memory", &["models", "index"], false),
    ("components", &["models", "index", "memory"], true),
];

/// Packages that applications import.
pub const PUBLISHED: [&str; 3] = ["models", "index", "memory"];

/// The package in `wit/<folder>` with what it names, and nothing else.
pub fn resolve(folder: &str) -> Result<(Resolve, PackageId)> {
    let (_, ours, others) =
        OURS.iter().find(|(name, ..)| *name == folder).context("a package of ours")?;
    let mut resolve = Resolve::default();
    let named = VENDORED.iter().filter(|_| *others).map(|name| format!("deps/{name}"));
    for name in named.chain(ours.iter().map(|&name| name.to_owned())) {
        push(&mut resolve, &name)?;
    }
    let package = push(&mut resolve, folder)?;
    Ok((resolve, package))
}

fn push(resolve: &mut Resolve, name: &str) -> Result<PackageId> {
    let path = root().join("wit").join(name);
    Ok(resolve.push_dir(&path).with_context(|| format!("read {}", path.display()))?.0)
}

/// Checks every package of ours.
pub fn check() -> Result<()> {
    let vendored = fs::read_dir(root().join("wit/deps"))?.count();
    ensure!(vendored == VENDORED.len(), "wit/deps has other packages: name them in wit.rs");
    let mut faults = Vec::new();
    for (folder, ..) in OURS {
        let (resolve, package) = resolve(folder)?;
        let own = resolve.packages.get(package).context("a package is in its own text")?;
        ensure!(own.name.version.is_some(), "{} has no version", own.name);
        undocumented(&resolve, package, &mut faults);
    }
    for folder in PUBLISHED {
        let bytes = binary(folder)?;
        let whole = matches!(decode(&bytes)?, DecodedWasm::WitPackage(..));
        ensure!(whole, "wit/{folder} is not the same package when it is read back");
    }
    faults.iter().for_each(|fault| eprintln!("  {fault}"));
    ensure!(faults.is_empty(), "{} items do not say what they are (///)", faults.len());
    Ok(())
}

/// A package as registries keep it.
pub fn binary(folder: &str) -> Result<Vec<u8>> {
    let (resolve, package) = resolve(folder)?;
    encode(&resolve, package).with_context(|| format!("encode wit/{folder}"))
}

/// The name of a package and its version.
pub fn name(folder: &str) -> Result<(String, String)> {
    let (resolve, package) = resolve(folder)?;
    let own = &resolve.packages.get(package).context("a package is in its own text")?.name;
    let version = own.version.as_ref().context("a package has a version")?;
    Ok((format!("{}-{}", own.namespace, own.name), version.to_string()))
}

/// Writes all packages to `to` as tools expect them: the worlds of our components, and in `deps` a folder a package.
pub fn lay_out(to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    copy(&root().join("wit/components"), to)?;
    for name in VENDORED {
        copy(&root().join("wit/deps").join(name), &to.join("deps").join(name))?;
    }
    for folder in PUBLISHED {
        let (name, version) = name(folder)?;
        copy(&root().join("wit").join(folder), &to.join("deps").join(format!("{name}@{version}")))?;
    }
    let mut resolve = Resolve::default();
    resolve.push_dir(to).with_context(|| format!("read {}", to.display()))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Names every item of the package that says nothing of itself.
fn undocumented(resolve: &Resolve, package: PackageId, faults: &mut Vec<String>) {
    let own = resolve.interfaces.iter().filter(|(_, one)| one.package == Some(package));
    for (_, interface) in own {
        of_interface(resolve, interface, faults);
    }
    for (_, world) in resolve.worlds.iter().filter(|(_, one)| one.package == Some(package)) {
        said(&world.docs, || format!("world {}", world.name), faults);
        let inline = world.imports.keys().chain(world.exports.keys());
        for name in inline.filter_map(|key| match key {
            WorldKey::Name(name) => Some(name),
            WorldKey::Interface(_) => None,
        }) {
            faults.push(format!("world {}: {name} is no interface of a package", world.name));
        }
    }
}

fn of_interface(resolve: &Resolve, interface: &Interface, faults: &mut Vec<String>) {
    let name = interface.name.clone().unwrap_or_default();
    said(&interface.docs, || format!("interface {name}"), faults);
    for (function, item) in &interface.functions {
        said(&item.docs, || format!("{name}.{function}"), faults);
    }
    for (typename, id) in &interface.types {
        let Some(item) = resolve.types.get(*id) else { continue };
        // A name taken over by `use`.
        if !matches!(item.kind, TypeDefKind::Type(Type::Id(_))) {
            said(&item.docs, || format!("{name}.{typename}"), faults);
        }
        for (part, docs) in parts(item) {
            said(docs, || format!("{name}.{typename}.{part}"), faults);
        }
    }
}

/// Fields and cases.
fn parts(item: &TypeDef) -> Vec<(&str, &Docs)> {
    match &item.kind {
        TypeDefKind::Record(record) => {
            record.fields.iter().map(|field| (&*field.name, &field.docs)).collect()
        }
        TypeDefKind::Variant(variant) => {
            variant.cases.iter().map(|case| (&*case.name, &case.docs)).collect()
        }
        TypeDefKind::Enum(one) => one.cases.iter().map(|case| (&*case.name, &case.docs)).collect(),
        _ => Vec::new(),
    }
}

fn said(docs: &Docs, what: impl Fn() -> String, faults: &mut Vec<String>) {
    if docs.contents.as_deref().is_none_or(|text| text.trim().is_empty()) {
        faults.push(what());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_of_ours_resolves_alone_and_says_what_its_items_are() {
        check().unwrap();
    }

    #[test]
    fn an_item_that_says_nothing_is_found() {
        let text = "package a:b@0.1.0;\n/// Said.\ninterface i {\n record r { f: u32 }\n /// Said.\n g: func();\n}";
        let mut resolve = Resolve::default();
        let package = resolve.push_str("a.wit", text).unwrap();
        let mut faults = Vec::new();
        undocumented(&resolve, package, &mut faults);
        assert_eq!(faults, ["i.r", "i.r.f"]);
    }
}
