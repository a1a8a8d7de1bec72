//! A component's README against what was built: what it exports, what of ours it imports, how large it is.

use crate::run::root;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;

/// Rows that every README has.
const ROWS: [&str; 6] =
    ["exports", "imports of ours", "imports of the runtime", "permissions", "settings", "size"];
/// So far a size may be off, in percent: a few lines of code are no news.
const TOLERANCE: f64 = 10.0;
/// Without a model its table is empty.
const WITHOUT_TABLE: (&str, usize) = ("portable-models", 2_000_000);

/// Checks the README of a component; `imports` and `exports` are what was built, whose size is `bytes`.
pub fn check(
    component: &str,
    imports: &BTreeSet<String>,
    exports: &BTreeSet<String>,
    bytes: usize,
) -> Result<()> {
    let path = root().join("components").join(component).join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    against(&text, imports, exports, bytes, component)
        .with_context(|| format!("components/{component}/README.md"))
}

fn against(
    text: &str,
    imports: &BTreeSet<String>,
    exports: &BTreeSet<String>,
    bytes: usize,
    component: &str,
) -> Result<()> {
    for name in ROWS {
        row(text, name)?;
    }
    let ours = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names.iter().filter(|name| name.starts_with("holdfast:")).cloned().collect()
    };
    // What it exports it may import the types of.
    let imported = ours(imports).difference(exports).cloned().collect::<BTreeSet<_>>();
    let said = ours(&named(row(text, "imports of ours")?));
    ensure!(said == imported, "it imports {imported:?}, and the page says {said:?}");
    let said = named(row(text, "exports")?);
    ensure!(&said == exports, "it exports {exports:?}, and the page says {said:?}");
    if component == WITHOUT_TABLE.0 && bytes < WITHOUT_TABLE.1 {
        eprintln!("  skipped: {component} was built without its table, and its size says nothing");
        return Ok(());
    }
    let said = row(text, "size")?.split_whitespace().next().unwrap_or_default();
    let said: f64 = said.parse().with_context(|| format!("{said} is no size in MB"))?;
    let real = bytes as f64 / 1e6;
    let off = (said / real - 1.0).abs() * 100.0;
    ensure!(off <= TOLERANCE, "it has {real:.2} MB, and the page says {said}");
    Ok(())
}

/// The text of a row.
fn row<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let begin = format!("| {name} | ");
    let row = text.lines().find_map(|line| line.strip_prefix(&begin));
    Ok(row.with_context(|| format!("no row {name:?}"))?.trim_end_matches('|').trim())
}

/// Interfaces that stand between backquotes.
fn named(row: &str) -> BTreeSet<String> {
    let quoted = row.split('`').skip(1).step_by(2);
    quoted.filter(|text| text.contains('@')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# x\n| | |\n|---|---|\n| exports | `holdfast:memory/messages@0.1.0`, `wasi:http/handler@0.3.0` |\n\
        | imports of ours | `holdfast:index/index@0.1.0` |\n| imports of the runtime | clocks |\n\
        | permissions | none |\n| settings | none |\n| size | 1.20 MB |\n";

    fn checked(page: &str, import: &str, bytes: usize) -> Result<()> {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let exports = set(&["holdfast:memory/messages@0.1.0", "wasi:http/handler@0.3.0"]);
        against(page, &set(&[import, "wasi:http/client@0.3.0"]), &exports, bytes, "x")
    }

    #[test]
    fn a_page_must_say_what_was_built() {
        let index = "holdfast:index/index@0.1.0";
        checked(PAGE, index, 1_250_000).unwrap();
        let wrong = |done: Result<()>| done.unwrap_err().to_string();
        assert!(wrong(checked(PAGE, index, 1_400_000)).contains("1.40 MB"));
        assert!(wrong(checked(PAGE, "holdfast:models/tokens@0.1.0", 1_200_000)).contains("tokens"));
        let silent = PAGE.replace("| permissions | none |\n", "");
        assert!(wrong(checked(&silent, index, 1_200_000)).contains("permissions"));
        let less = PAGE.replace("`holdfast:memory/messages@0.1.0`, ", "");
        assert!(wrong(checked(&less, index, 1_200_000)).contains("exports"));
    }
}
