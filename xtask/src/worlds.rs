//! Built components against their worlds in `wit/components`: they export what the world says, and import nothing else.

use crate::build::{dir, names};
use crate::{readme, wit};
use anyhow::{Context, Result, anyhow, ensure};
use std::collections::BTreeSet;
use std::fs;
use wit_component::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

/// What Rust's standard library imports beside everything; every runtime has it.
const STANDARD_LIBRARY: &str = "@0.2.";

/// Names of imports and of exports.
struct Names {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

/// Checks every component that was built.
pub fn worlds() -> Result<()> {
    let (declared, package) = wit::resolve("components")?;
    for name in names("components")? {
        let world = declared.select_world(&[package], Some(&name))?;
        let bytes = fs::read(dir().join(format!("{name}.wasm")))?;
        let DecodedWasm::Component(resolve, built) = decode(&bytes)? else {
            return Err(anyhow!("{name}.wasm is no component"));
        };
        let (wanted, built) = (named(&declared, world)?, named(&resolve, built)?);
        let foreign: Vec<_> = built
            .imports
            .difference(&wanted.imports)
            .filter(|import| !import.contains(STANDARD_LIBRARY))
            // Who exports an interface may import its types; decoded, both are one interface with all its functions.
            .filter(|import| !built.exports.contains(*import))
            .collect();
        ensure!(foreign.is_empty(), "{name}.wasm imports what its world does not: {foreign:?}");
        let missing: Vec<_> = wanted.exports.difference(&built.exports).collect();
        ensure!(missing.is_empty(), "{name}.wasm does not export {missing:?}");
        let more: Vec<_> = built.exports.difference(&wanted.exports).collect();
        ensure!(more.is_empty(), "{name}.wasm exports what its world does not: {more:?}");
        readme::check(&name, &built.imports, &built.exports, bytes.len())?;
    }
    Ok(())
}

fn named(resolve: &Resolve, world: WorldId) -> Result<Names> {
    let world = resolve.worlds.get(world).context("a world is not in its own text")?;
    let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
        // An interface of which only types are used needs nobody to satisfy it.
        let used = items.filter(|(_, item)| !is_types_only(resolve, item));
        used.map(|(key, _)| resolve.name_world_key(key)).collect()
    };
    let (imports, exports) = (&mut world.imports.iter(), &mut world.exports.iter());
    Ok(Names { imports: names(imports), exports: names(exports) })
}

fn is_types_only(resolve: &Resolve, item: &WorldItem) -> bool {
    let WorldItem::Interface { id, .. } = item else { return false };
    resolve.interfaces.get(*id).is_some_and(|interface| interface.functions.is_empty())
}
