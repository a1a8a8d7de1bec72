//! Text with variables: `{{ name }}` stands for the value of an application variable.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// Fills in `text`; an unmatched `{{` and a name without a value are errors.
pub(super) fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) =
            after.split_once("}}").with_context(|| format!("{text:?} has {{{{ without }}}}"))?;
        let name = name.trim();
        let Some(value) = values.get(name) else {
            bail!("{text:?} names the variable {name:?}, which [variables] does not define");
        };
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_the_rest_is_kept() {
        let values = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(fill("x{{ a }}-{{a}}}y", &values).unwrap(), "x1-1}y");
        assert!(fill("{{ b }}", &values).is_err());
        assert!(fill("{{ a", &values).is_err());
    }

    #[test]
    fn a_value_is_not_read_as_a_template() {
        let values = BTreeMap::from([("a".to_owned(), "{{ b }}".to_owned())]);
        assert_eq!(fill("{{ a }}", &values).unwrap(), "{{ b }}");
    }
}
