//! `cargo xtask rows`: every promise of `tests/rows.toml` has a test that is there, or says why it has none yet.

use crate::run::root;
use crate::tidy::files;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Formats and how many rows each has.
const FORMATS: [(&str, usize); 4] = [("F0", 16), ("F1", 13), ("F2", 20), ("F3", 30)];

/// Checks every row.
pub fn rows() -> Result<()> {
    let text = fs::read_to_string(root().join("tests/rows.toml"))?;
    let table: toml::Table = text.parse().context("tests/rows.toml")?;
    let faults = faults(&table, &tests()?);
    faults.iter().for_each(|fault| eprintln!("  {fault}"));
    ensure!(faults.is_empty(), "{} rows are not in order", faults.len());
    Ok(())
}

/// Names of all tests, and whether each runs.
fn tests() -> Result<BTreeMap<String, bool>> {
    let mut all = BTreeMap::new();
    for path in files(&root(), "rs")? {
        named(&fs::read_to_string(&path)?, &mut all);
    }
    Ok(all)
}

/// Takes the tests of a source in: an attribute that ends in `test]`, others, and the function.
fn named(text: &str, all: &mut BTreeMap<String, bool>) {
    let (mut test, mut ignored) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            test |= line.starts_with("#[test]") || line.contains("::test");
            ignored |= line.starts_with("#[ignore");
            continue;
        }
        let function = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some(name) = function.and_then(|rest| rest.split(['(', '<']).next())
            && test
        {
            let runs = all.entry(name.to_owned()).or_default();
            *runs |= !ignored;
        }
        (test, ignored) = (false, false);
    }
}

fn faults(table: &toml::Table, tests: &BTreeMap<String, bool>) -> Vec<String> {
    let mut faults = Vec::new();
    let known: BTreeSet<&str> = FORMATS.iter().map(|(format, _)| *format).collect();
    for name in table.keys().filter(|name| !known.contains(name.as_str())) {
        faults.push(format!("{name}: no such format"));
    }
    for (format, count) in FORMATS {
        let rows = table.get(format).and_then(toml::Value::as_table);
        let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
        for number in &numbers {
            let row = rows.and_then(|rows| rows.get(number));
            let fault = row.map_or(Some("is missing".to_owned()), |row| fault(row, tests));
            faults.extend(fault.map(|fault| format!("{format}-{number} {fault}")));
        }
        let more = rows.into_iter().flatten().filter(|(number, _)| !numbers.contains(number));
        faults.extend(more.map(|(number, _)| format!("{format}-{number}: no such row")));
    }
    faults
}

fn fault(row: &toml::Value, tests: &BTreeMap<String, bool>) -> Option<String> {
    let later = row.get("later").and_then(toml::Value::as_str).filter(|why| !why.is_empty());
    let named = row.get("test").and_then(toml::Value::as_array);
    let named: Vec<&str> = named.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    let measured = row.get("measured").and_then(toml::Value::as_str);
    if [later.is_some(), measured.is_some(), !named.is_empty()].iter().filter(|has| **has).count()
        != 1
    {
        return Some(
            "must have either tests, or what measures it, or a reason for later".to_owned(),
        );
    }
    if let Some(path) = measured.filter(|path| !root().join(path).is_file()) {
        return Some(format!("is measured by {path}, which is not there"));
    }
    named.iter().find_map(|name| match tests.get(*name) {
        None => Some(format!("names the test {name}, which is not there")),
        Some(false) => Some(format!("names the test {name}, which is ignored")),
        Some(true) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_test_that_runs_or_a_reason() {
        let mut tests = BTreeMap::new();
        let source = "#[test]\n#[ignore = \"slow\"]\nfn asleep() {}\n#[tokio::test]\nasync fn awake() {}\nfn helper() {}";
        named(source, &mut tests);
        assert_eq!(tests.len(), 2);
        let fault = |row: &str| {
            let table: toml::Table = format!("row = {row}").parse().unwrap();
            fault(&table["row"], &tests)
        };
        assert_eq!(fault("{ test = [\"awake\"] }"), None);
        assert_eq!(fault("{ later = \"why\" }"), None);
        assert_eq!(fault("{ measured = \"bench/src/main.rs\" }"), None);
        for bad in [
            "{ test = [\"asleep\"] }",
            "{ test = [\"awake\", \"helper\"] }",
            "{ test = [] }",
            "{ later = \"\" }",
            "{ measured = \"bench/src/nothing.rs\" }",
            "{ measured = \"bench/src/main.rs\", later = \"why\" }",
            "{ test = [\"awake\"], later = \"why\" }",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn every_row_is_looked_for() {
        let faults = faults(&toml::Table::new(), &BTreeMap::new());
        assert_eq!(faults.len(), 79);
        let table: toml::Table = "[F4]\n1 = 1\n[F0]\n17 = 1".parse().unwrap();
        assert_eq!(super::faults(&table, &BTreeMap::new()).len(), 81);
    }
}
