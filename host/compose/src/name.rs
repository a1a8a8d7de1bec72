//! Names of imports and exports.

/// The name of an import, or of an entry that stands for some: `namespace:package[/interface][@version]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// `namespace:package`.
    pub package: &'a str,
    /// The interface; none for a whole package.
    pub interface: Option<&'a str>,
    /// The version; none for any.
    pub version: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// The parts of a name.
    pub fn parse(text: &'a str) -> Self {
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
    pub fn covers(&self, import: &str) -> bool {
        let import = Name::parse(import);
        self.package == import.package
            && (self.interface.is_none() || self.interface == import.interface)
            && (self.version.is_none() || self.version == import.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
