//! Variables of an application that were given from outside, as Spin takes them: `SPIN_VARIABLE_NAME` and `--variable name=value`.

use anyhow::Result;
use holdfast_core::Error;
use holdfast_core::settings::{Reader, SETTINGS};
use std::collections::BTreeMap;

const PREFIX: &str = "SPIN_VARIABLE_";

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// `name=value` of those flags that are settings of ours: the host needs them, too.
    pub settings: Vec<String>,
    /// The others.
    pub variables: Variables,
}

/// Variables that are no settings of ours.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Of the environment: one that the application does not define is not for it.
    environment: BTreeMap<String, String>,
    /// Of flags: one that the application does not define is a mistake.
    flags: BTreeMap<String, String>,
}

impl Given {
    /// Gathers them.
    ///
    /// # Errors
    /// `invalid` for a flag that is not `name=value`.
    pub fn gather(
        environment: impl Iterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Self> {
        let mut given = Self::default();
        for (name, value) in environment {
            if let Some(name) = variable(&name).filter(|name| !is_setting(name)) {
                given.variables.environment.insert(name, value);
            }
        }
        for flag in flags {
            let wrong = || Error::invalid(format!("--variable {flag}: write name=value"));
            let (name, value) = flag.split_once('=').ok_or_else(wrong)?;
            if is_setting(name) {
                given.settings.push(flag.clone());
            } else {
                given.variables.flags.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(given)
    }
}

impl Variables {
    /// Values for an application that defines `names`; `settings` are those of ours.
    pub fn of<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        settings: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for name in names {
            let value = settings.get(name).or_else(|| self.environment.get(name));
            values.extend(value.map(|value| (name.to_owned(), value.clone())));
        }
        values.extend(self.flags.clone());
        values
    }
}

/// The variable that an environment's name stands for.
pub fn variable(name: &str) -> Option<String> {
    name.strip_prefix(PREFIX).map(str::to_ascii_lowercase)
}

/// Is it a setting that components read?
pub fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name && setting.reader == Reader::Both)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_flag_that_is_a_setting_is_one_for_the_host_too() {
        let flags = ["s3_bucket=b".to_owned(), "greeting=hello".to_owned()];
        let given = Given::gather(std::iter::empty(), &flags).unwrap();
        assert_eq!(given.settings, ["s3_bucket=b"]);
        assert_eq!(given.variables.flags, BTreeMap::from([pair("greeting", "hello")]));
        assert!(Given::gather(std::iter::empty(), &["greeting".to_owned()]).is_err());
    }

    #[test]
    fn an_application_gets_what_it_defines_and_every_flag() {
        let environment = [pair("SPIN_VARIABLE_GREETING", "hi"), pair("SPIN_VARIABLE_OTHER", "x")];
        let given = Given::gather(environment.into_iter(), &["extra=1".to_owned()]).unwrap();
        let settings = BTreeMap::from([pair("s3_bucket", "b"), pair("s3_region", "r")]);
        let values = given.variables.of(["greeting", "s3_bucket"].into_iter(), &settings);
        let wanted = [pair("greeting", "hi"), pair("s3_bucket", "b"), pair("extra", "1")];
        assert_eq!(values, wanted.into());
    }
}
