//! The rules that names in `spin.toml` follow.

/// Words of lower- or upper-case letters and digits, joined by `-`.
pub fn kebab(name: &str) -> Result<(), String> {
    words(name, '-', false)
}

/// Words of lower-case letters and digits, joined by `_`.
pub fn snake(name: &str) -> Result<(), String> {
    words(name, '_', true)
}

fn words(name: &str, joint: char, lower: bool) -> Result<(), String> {
    if name.is_empty() {
        return Err("a name is empty".into());
    }
    let wrong = if joint == '-' { '_' } else { '-' };
    if name.contains(wrong) {
        return Err(format!("{name:?}: words are joined by {joint:?}, not {wrong:?}"));
    }
    for (at, word) in name.split(joint).enumerate() {
        self::word(word, at == 0, lower).map_err(|why| format!("{name:?}: {why}"))?;
    }
    Ok(())
}

fn word(word: &str, first: bool, lower: bool) -> Result<(), String> {
    let Some(start) = word.chars().next() else { return Err("a word is empty".into()) };
    if !(start.is_ascii_alphabetic() || (!first && start.is_ascii_digit())) {
        return Err(format!("a word starts with {start:?}, not with a letter"));
    }
    if let Some(odd) = word.chars().find(|c| !c.is_ascii_alphanumeric() && *c != ':') {
        return Err(format!("it holds {odd:?}: only letters and digits are allowed"));
    }
    let upper = word.chars().any(|c| c.is_ascii_uppercase());
    if upper && lower {
        return Err("it must be lower case".into());
    }
    if upper && word.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(format!("{word:?} mixes upper and lower case"));
    }
    Ok(())
}

/// The known name that is spelled most like `name`, if any comes near.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let best = known.map(|other| (distance(name, other), other)).min()?;
    (best.0 <= 1 + name.len() / 3).then_some(best.1)
}

/// Edits (Levenshtein) that turn one name into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut above_left = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = (above_left + usize::from(x != y)).min(*cell + 1).min(left + 1);
            above_left = std::mem::replace(cell, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kebab_case() {
        for good in ["a", "store-message", "a1-2b", "HTTP-door"] {
            assert_eq!(kebab(good), Ok(()), "{good}");
        }
        for bad in ["", "store_message", "-a", "a-", "1a", "aB", "a b", "a--b"] {
            assert!(kebab(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_are_lower_snake_case() {
        for good in ["a", "s3_endpoint", "root_key_sha256"] {
            assert_eq!(snake(good), Ok(()), "{good}");
        }
        for bad in ["", "s3-endpoint", "S3", "_a", "a_", "3a"] {
            assert!(snake(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_edits() {
        let known = ["s3_endpoint", "s3_bucket", "root_tenant"];
        assert_eq!(nearest("s3_endpont", known.into_iter()), Some("s3_endpoint"));
        assert_eq!(nearest("completely_else", known.into_iter()), None);
    }
}
