//! One composition: parts, the lines between them, and what the whole exports. What no line satisfies the whole imports.

use anyhow::{Result, anyhow};
use wac_graph::types::{ItemKind, Package};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// A component within a composition.
pub struct Part {
    package: PackageId,
    /// Its one instance, once a line leads to it or from it.
    instance: Option<NodeId>,
}

/// An import or an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name, `holdfast:index/index@0.1.0`.
    pub name: String,
    /// An interface of which only types are used: nobody need satisfy it.
    pub types_only: bool,
}

/// Components and the lines between them.
#[derive(Default)]
pub struct Composition(CompositionGraph);

impl Composition {
    /// One more component; `name` is for messages, and no two may have the same.
    ///
    /// # Errors
    /// When the bytes are no component.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<Part> {
        let package = Package::from_bytes(name, None, bytes, self.0.types_mut())?;
        let package = self.0.register_package(package).map_err(|e| anyhow!("{e}"))?;
        Ok(Part { package, instance: None })
    }

    /// What a part imports.
    pub fn imports(&self, part: &Part) -> Vec<Item> {
        let world = &self.0.types()[self.0[part.package].ty()];
        world.imports.iter().map(|(name, kind)| self.item(name, *kind)).collect()
    }

    /// What a part exports.
    pub fn exports(&self, part: &Part) -> Vec<Item> {
        let world = &self.0.types()[self.0[part.package].ty()];
        world.exports.iter().map(|(name, kind)| self.item(name, *kind)).collect()
    }

    fn item(&self, name: &str, kind: ItemKind) -> Item {
        let types_only = match kind {
            ItemKind::Instance(id) => {
                let mut exports = self.0.types()[id].exports.values();
                exports.all(|kind| matches!(kind, ItemKind::Type(_)))
            }
            _ => false,
        };
        Item { name: name.to_owned(), types_only }
    }

    /// A part that no line touches is instantiated all the same.
    pub fn instantiate(&mut self, part: &mut Part) -> NodeId {
        *part.instance.get_or_insert_with(|| self.0.instantiate(part.package))
    }

    /// `export` of one part satisfies `import` of another.
    ///
    /// # Errors
    /// When there is no such export or import, or they do not fit.
    pub fn connect(
        &mut self,
        (from, export): (&mut Part, &str),
        (to, import): (&mut Part, &str),
    ) -> Result<()> {
        let (from, to) = (self.instantiate(from), self.instantiate(to));
        let alias = self.0.alias_instance_export(from, export).map_err(|e| anyhow!("{e}"))?;
        self.0
            .set_instantiation_argument(to, import, alias)
            .map_err(|e| anyhow!("{import:?} does not fit: {e:?}"))
    }

    /// The whole exports what `part` exports under this name.
    ///
    /// # Errors
    /// When there is no such export, or another part's has this name already.
    pub fn export(&mut self, part: &mut Part, name: &str) -> Result<()> {
        let instance = self.instantiate(part);
        let alias = self.0.alias_instance_export(instance, name).map_err(|e| anyhow!("{e}"))?;
        self.0.export(alias, name).map_err(|e| anyhow!("{e}"))?;
        Ok(())
    }

    /// The bytes of the whole.
    ///
    /// # Errors
    /// When parts import the same name with types that do not fit each other.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.0.encode(EncodeOptions::default()).map_err(|e| anyhow!("compose: {e:?}"))
    }
}
