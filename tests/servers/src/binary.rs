//! Finds the servers' programs; a test that has none fails with the command that installs them.

use std::path::{Path, PathBuf};

const INSTALL: &str = "python3 -m venv target/tools/venv && target/tools/venv/bin/pip install -r tests/requirements.txt";

/// The program `name`: where `variable` says, else in the workspace's venv, else in `PATH`.
pub(crate) fn find(name: &str, variable: &str) -> PathBuf {
    if let Some(given) = std::env::var_os(variable) {
        let given = PathBuf::from(given);
        assert!(given.is_file(), "{variable} names no file: {}", given.display());
        return given;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = root.join("target/tools/venv");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(venv.join("bin"))
        .chain(packages(&venv))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed. In the workspace's root, run:\n  {INSTALL}\nor set {variable}"))
}

/// Folders of the venv's packages and their `bin`.
fn packages(venv: &Path) -> Vec<PathBuf> {
    let children = |folder: PathBuf| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    children(venv.join("lib"))
        .flat_map(|python| children(python.join("site-packages")))
        .flat_map(|package| [package.join("bin"), package])
        .collect()
}
