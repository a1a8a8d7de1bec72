//! Settings from flag > environment > file > default, all of the one table in `holdfast_core::settings`.

use super::given;
use crate::admission::{Admission, Rates};
use crate::settings::{InstanceLimits, Settings};
use anyhow::{Context, Result};
use holdfast_core::settings::{Reader, SETTINGS, find};
use holdfast_core::{Case, Error};
use holdfast_journal::Rules;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

const PREFIX: &str = "HOLDFAST_";
/// Environment names with this prefix that are no settings.
const OTHERS: &[&str] = &["HOLDFAST_KEY", "HOLDFAST_NO_MODEL", "HOLDFAST_URL", "HOLDFAST_USER"];
/// The route of attachments, as the manifest spells it.
const ATTACHMENTS: &str = "/v1/sessions/:session/attachments/...";
/// Environment names of tests and tools, which the program ignores.
const TOOLS: &str = "HOLDFAST_TEST_";

/// Values by name: what was set, else defaults.
#[derive(Debug, Clone)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Gathers settings.
    ///
    /// # Errors
    /// `invalid` for a setting that is not known, naming the nearest.
    pub fn gather(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &[String],
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        if let Some(path) = file {
            values.extend(read_file(path)?);
        }
        let environment: Vec<_> = environment.collect();
        for (name, value) in &environment {
            // Spin's name of the same.
            let variable = given::variable(name).filter(|name| given::is_setting(name));
            values.extend(variable.map(|name| (name, value.clone())));
        }
        for (name, value) in environment {
            let Some(short) = name.strip_prefix(PREFIX) else { continue };
            if OTHERS.contains(&name.as_str()) || name.starts_with(TOOLS) {
                continue;
            }
            let short = short.to_ascii_lowercase();
            find(&short).with_context(|| format!("environment {name}"))?;
            values.insert(short, value);
        }
        for flag in flags {
            let (name, value) = flag
                .split_once('=')
                .ok_or_else(|| Error::invalid(format!("--set {flag}: write name=value")))?;
            find(name).context("--set")?;
            values.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self(values))
    }

    /// A setting's value; empty when it has neither value nor default.
    pub fn text(&self, name: &str) -> &str {
        let set = self.0.get(name).map(String::as_str);
        set.or_else(|| find(name).ok().and_then(|setting| setting.default)).unwrap_or_default()
    }

    /// Somebody set it.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    /// Sets it, unless somebody did.
    pub fn set_default(&mut self, name: &str, value: impl Into<String>) {
        if !self.is_set(name) {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// A value of another type.
    ///
    /// # Errors
    /// `invalid` that names the setting.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.text(name);
        let wrong = || {
            Error::new(Case::Invalid, format!("setting {name} is {text:?}: not readable")).at(name)
        };
        Ok(text.parse().map_err(|_| wrong())?)
    }

    /// A setting that is a number of milliseconds.
    pub fn milliseconds(&self, name: &str) -> Result<Duration> {
        Ok(Duration::from_millis(self.parsed(name)?))
    }

    /// The variables of components, all of them.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let shared = SETTINGS.iter().filter(|setting| setting.reader == Reader::Both);
        shared.map(|s| (s.name.to_owned(), self.text(s.name).to_owned())).collect()
    }

    /// The bucket.
    pub fn store(&self) -> Result<holdfast_objects::Settings> {
        let mut settings = holdfast_objects::Settings {
            endpoint: self.text("s3_endpoint").to_owned(),
            path: self.text("s3_path").to_owned(),
            region: self.text("s3_region").to_owned(),
            bucket: self.text("s3_bucket").to_owned(),
            access_key: self.text("s3_access_key").to_owned(),
            secret_key: self.text("s3_secret_key").to_owned(),
            session_token: Some(self.text("s3_session_token").to_owned()).filter(|t| !t.is_empty()),
            etag_is_not_md5: self.parsed("s3_etag_is_not_md5")?,
            ..holdfast_objects::Settings::default()
        };
        settings.policy.deadline = self.parsed("s3_deadline_ms")?;
        Ok(settings.check()?)
    }

    /// The numbers of the protocol: when a journal is worth sealing is as set.
    pub fn rules(&self) -> Result<Rules> {
        Ok(Rules {
            least_objects: self.parsed("compact_objects")?,
            least_bytes: self.parsed("compact_bytes")?,
            seal_after: self.parsed("compact_age_ms")?,
            ..Rules::default()
        })
    }

    /// The runtime below the doors.
    pub fn runtime(&self) -> Result<Settings> {
        let hosts = self.text("hosts").split(',').filter(|name| !name.is_empty());
        Ok(Settings {
            hosts: hosts.map(|name| name.trim().to_owned()).collect(),
            drain: self.milliseconds("drain_ms")?,
            larger_bodies: BTreeMap::from([(
                ATTACHMENTS.to_owned(),
                self.parsed("attachment_bytes")?,
            )]),
            instance: InstanceLimits {
                memory: self.parsed::<usize>("instance_memory_mib")? << 20,
                count: self.parsed("instances")?,
                deadline: self.milliseconds("request_deadline_ms")?,
                ..InstanceLimits::default()
            },
            ..Settings::default()
        })
    }

    /// The index, for vectors of `space`.
    pub fn index(&self, space: &str) -> Result<holdfast_index::Settings> {
        let mut settings = holdfast_index::Settings::new(space);
        let shards: usize = self.parsed("index_shards")?;
        if shards > 0 {
            settings.shards = shards;
        }
        settings.ledger = Some(self.ledger());
        settings.retention_days = self.parsed("retention_days")?;
        settings.single_host = self.parsed("single_host")?;
        settings.memory = self.parsed::<usize>("index_memory_mib")? << 20;
        settings.load_deadline = self.milliseconds("load_deadline_ms")?;
        settings.tenant_loads = self.parsed("tenant_loads")?;
        Ok(settings)
    }

    /// Where erases of users are recorded.
    pub fn ledger(&self) -> holdfast_core::erase::Ledger {
        holdfast_core::erase::Ledger::new(self.text("root_secret"))
    }

    /// Who may come in how often.
    pub fn admission(&self) -> Result<Admission> {
        let rates = Rates {
            tenant_requests: self.parsed("tenant_requests")?,
            tenant_bytes: self.parsed("tenant_bytes")?,
            address_requests: self.parsed("address_requests")?,
        };
        Ok(Admission::new(rates, self.text("root_secret"), self.text("root_key_sha256")))
    }

    /// Bytes of disk for objects of the bucket.
    pub fn cache(&self) -> Result<u64> {
        Ok(self.parsed::<u64>("cache_mib")?.saturating_mul(1 << 20))
    }

    /// Longest wait for passages.
    pub fn embed_deadline(&self) -> Result<Duration> {
        self.milliseconds("embed_deadline_ms")
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("read {}", path.display()))?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        find(&name).with_context(|| path.display().to_string())?;
        let text = match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        values.insert(name, text);
    }
    Ok(values)
}

/// `docs/settings.md`.
pub fn page() -> String {
    let mut page = String::from(
        "# Settings\n\nGenerated by `holdfast settings`; do not edit. A setting `name` is the flag `--set name=value`, the \
         environment\n`HOLDFAST_NAME`, a line in the file of `--settings`, and where components read it a variable of \
         `spin.toml`,\nwhich is `SPIN_VARIABLE_NAME` in the environment, too. Flag before environment before file before default.\n\n\
         | setting | default | read by | what it does |\n|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let default = match setting.default {
            None => "(none)".to_owned(),
            Some("") => "(empty)".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        let reader = if setting.reader == Reader::Both { "components" } else { "host" };
        let secret = if setting.secret { " (secret)" } else { "" };
        let _ = writeln!(
            page,
            "| `{}` | {default} | {reader} | {}{secret} |",
            setting.name, setting.doc
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(environment: &[(&str, &str)], flags: &[&str]) -> Result<Values> {
        let environment = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Values::gather(None, environment, &flags)
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_default() {
        let values = gather(&[("HOLDFAST_S3_REGION", "eu-1")], &["s3_region=eu-2"]).unwrap();
        assert_eq!(values.text("s3_region"), "eu-2");
        assert_eq!(
            gather(&[("HOLDFAST_S3_REGION", "eu-1")], &[]).unwrap().text("s3_region"),
            "eu-1"
        );
        assert_eq!(gather(&[], &[]).unwrap().text("s3_region"), "us-east-1");
    }

    #[test]
    fn spins_name_of_a_variable_counts_below_our_own() {
        let spin = ("SPIN_VARIABLE_S3_REGION", "eu-3");
        assert_eq!(gather(&[spin], &[]).unwrap().text("s3_region"), "eu-3");
        let both = [("HOLDFAST_S3_REGION", "eu-1"), spin];
        assert_eq!(gather(&both, &[]).unwrap().text("s3_region"), "eu-1");
        // A host's own setting is none, and another application's variable neither.
        let others = [("SPIN_VARIABLE_INSTANCES", "1"), ("SPIN_VARIABLE_GREETING", "hi")];
        assert_eq!(gather(&others, &[]).unwrap().text("instances"), "64");
    }

    #[test]
    fn an_unknown_setting_refuses_to_start_and_names_the_nearest() {
        let error = gather(&[("HOLDFAST_S3_BUKET", "x")], &[]).unwrap_err();
        assert!(format!("{error:#}").contains("did you mean s3_bucket?"), "{error:#}");
        assert!(gather(&[], &["nonsense"]).is_err());
    }

    #[test]
    fn journals_are_sealed_by_the_numbers_of_the_protocol_where_nothing_is_set() {
        assert_eq!(gather(&[], &[]).unwrap().rules().unwrap(), Rules::default());
        let set = gather(&[("HOLDFAST_COMPACT_OBJECTS", "3")], &[]).unwrap();
        assert_eq!(set.rules().unwrap(), Rules { least_objects: 3, ..Rules::default() });
        let wrong = gather(&[("HOLDFAST_COMPACT_BYTES", "many")], &[]).unwrap();
        assert!(format!("{:#}", wrong.rules().unwrap_err()).contains("compact_bytes"));
    }

    #[test]
    fn docs_settings_md_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            page(),
            "run: holdfast settings > docs/settings.md"
        );
    }

    #[test]
    fn spin_toml_knows_every_setting_that_components_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml");
        let manifest: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let listed: Vec<&String> = manifest["variables"].as_table().unwrap().keys().collect();
        let mut shared: Vec<&str> =
            SETTINGS.iter().filter(|s| s.reader == Reader::Both).map(|s| s.name).collect();
        shared.sort_unstable();
        let mut listed: Vec<&str> = listed.into_iter().map(String::as_str).collect();
        listed.sort_unstable();
        assert_eq!(listed, shared);
    }
}
