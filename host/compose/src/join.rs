//! Several components and what satisfies their imports, as one component.

use crate::{Composition, Part};
use anyhow::{Context, Result, ensure};

/// What came of it.
pub struct Joined {
    /// The component.
    pub bytes: Vec<u8>,
    /// What it imports: whoever runs it must have all of these.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

/// A component's name for messages, and its bytes.
type Named = (String, Vec<u8>);

/// Makes `rooms` one component that exports what they export under a name that `wanted` takes. Each of `plugs` is there once, and
/// satisfies every import of its exports' names, those of the plugs before it too.
///
/// # Errors
/// When something is no component or does not fit, when a plug satisfies nothing, or when two rooms export the same name.
pub fn join(rooms: Vec<Named>, plugs: Vec<Named>, wanted: impl Fn(&str) -> bool) -> Result<Joined> {
    let mut whole = Composition::default();
    let mut sockets = parts(&mut whole, rooms)?;
    let count = sockets.len();
    for (name, bytes) in plugs {
        let mut plug = whole.add(&name, bytes).with_context(|| name.clone())?;
        let used = plug_in(&mut whole, &mut plug, &mut sockets).with_context(|| name.clone())?;
        ensure!(used, "{name} exports nothing that one of the others imports: leave it out");
        sockets.push(plug);
    }
    for room in sockets.iter_mut().take(count) {
        whole.instantiate(room);
        for export in whole.exports(room) {
            if wanted(&export.name) {
                whole.export(room, &export.name)?;
            }
        }
    }
    let bytes = whole.finish()?;
    let (imports, exports) = doors(bytes.clone()).context("read what was composed")?;
    Ok(Joined { bytes, imports, exports })
}

fn parts(whole: &mut Composition, named: Vec<Named>) -> Result<Vec<Part>> {
    let add = |(name, bytes): Named| whole.add(&name, bytes).context(name);
    named.into_iter().map(add).collect()
}

/// True when the plug satisfied something.
fn plug_in(whole: &mut Composition, plug: &mut Part, sockets: &mut [Part]) -> Result<bool> {
    let exports = whole.exports(plug);
    let mut used = false;
    for socket in sockets {
        for import in whole.imports(socket) {
            if exports.iter().any(|export| export.name == import.name) {
                whole.connect((plug, &import.name), (socket, &import.name))?;
                used |= !import.types_only;
            }
        }
    }
    Ok(used)
}

/// Names of what a component imports and of what it exports, without interfaces of types alone.
///
/// # Errors
/// When the bytes are no component.
pub fn doors(bytes: Vec<u8>) -> Result<(Vec<String>, Vec<String>)> {
    let mut graph = Composition::default();
    let part = graph.add("component", bytes)?;
    let names = |items: Vec<crate::Item>| {
        let used = items.into_iter().filter(|item| !item.types_only);
        used.map(|item| item.name).collect()
    };
    Ok((names(graph.imports(&part)), names(graph.exports(&part))))
}
