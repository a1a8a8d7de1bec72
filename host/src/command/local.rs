//! What a local installation makes for itself and keeps in its data directory: secrets, the first key, an S3 store.

use super::settings::Values;
use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use holdfast_core::access::ApiKey;
use holdfast_core::seal::SealingKey;
use holdfast_core::{Error, KeyId, TenantId};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const FILE: &str = "local.json";
const TENANT: &str = "default";
const BUCKET: &str = "holdfast";

/// What is kept, mode 0600.
#[derive(Serialize, Deserialize)]
struct Local {
    root_secret: String,
    key: String,
    s3_access_key: String,
    s3_secret_key: String,
}

/// The first key, and whether this installation made it for itself.
pub struct FirstKey {
    /// What a client sends.
    pub text: String,
    /// Nobody gave it: it was made here.
    pub made_here: bool,
}

/// Fills in what nobody set: secrets and the first key. `given` is `HOLDFAST_KEY`.
///
/// # Errors
/// `invalid` when the given key is none, or when a made one would serve more than this machine.
pub fn secrets(
    values: &mut Values,
    data_dir: &Path,
    listen: SocketAddr,
    given: Option<String>,
) -> Result<FirstKey> {
    let local = read_or_make(data_dir)?;
    let secret_made = !values.is_set("root_secret");
    values.set_default("root_secret", local.root_secret);
    let hash_given = values.is_set("root_key_sha256");
    let (text, made_here) = match given {
        Some(text) => (text, false),
        None => (local.key, !hash_given),
    };
    if (secret_made || made_here) && !listen.ip().is_loopback() {
        bail!(Error::invalid(format!(
            "on {listen}, which others can reach, set root_secret (32 bytes or more) and HOLDFAST_KEY \
             (or root_key_sha256): what is made up here serves this machine only"
        )));
    }
    if SealingKey::parse(values.text("tenant_key")).is_err() {
        bail!(Error::invalid("tenant_key must be 64 hex digits").at("tenant_key"));
    }
    if values.text("root_secret").len() < 32 {
        bail!(Error::invalid("root_secret must have at least 32 bytes").at("root_secret"));
    }
    let key = ApiKey::parse_unchecked(&text).ok_or_else(|| {
        Error::invalid("HOLDFAST_KEY must have the form hf_<tenant>.<kid>.<secret>")
    })?;
    if !hash_given {
        values.set_default("root_key_sha256", key.sha256());
        values.set_default("root_tenant", key.tenant.as_str());
    }
    Ok(FirstKey { text, made_here })
}

/// Starts the embedded store and points the settings at it, when no endpoint is set.
pub async fn store(
    values: &mut Values,
    data_dir: &Path,
) -> Result<Option<holdfast_store::Running>> {
    if values.is_set("s3_endpoint") {
        return Ok(None);
    }
    let local = read_or_make(data_dir)?;
    // It lies on this machine's disk already.
    values.set_default("cache_mib", "0");
    values.set_default("s3_access_key", local.s3_access_key);
    values.set_default("s3_secret_key", local.s3_secret_key);
    values.set_default("s3_bucket", BUCKET);
    values.set_default("single_host", "true");
    let running = holdfast_store::serve(holdfast_store::Settings {
        data_dir: data_dir.join("store"),
        buckets: vec![values.text("s3_bucket").to_owned()],
        access_key: values.text("s3_access_key").to_owned(),
        secret_key: values.text("s3_secret_key").to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    })
    .await
    .context("start the embedded store")?;
    values.set_default("s3_endpoint", format!("http://{}", running.address()));
    Ok(Some(running))
}

/// As [`store`], for an installation that is there.
///
/// # Errors
/// `invalid` when neither an endpoint is set nor a local installation is in `data_dir`.
pub async fn existing_store(
    values: &mut Values,
    data_dir: &Path,
) -> Result<Option<holdfast_store::Running>> {
    if !values.is_set("s3_endpoint") && !data_dir.join(FILE).exists() {
        let detail = format!(
            "no bucket is named (s3_endpoint, s3_bucket, s3_access_key, s3_secret_key), and there is no local installation \
             in {}",
            data_dir.display()
        );
        bail!(Error::invalid(detail).at("s3_endpoint"));
    }
    store(values, data_dir).await
}

/// The first key of a local installation, where one is in `data_dir`.
///
/// # Errors
/// When its file cannot be read.
pub fn kept_key(data_dir: &Path) -> Result<Option<String>> {
    if !data_dir.join(FILE).exists() {
        return Ok(None);
    }
    Ok(Some(read_or_make(data_dir)?.key))
}

fn read_or_make(data_dir: &Path) -> Result<Local> {
    let path = data_dir.join(FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return serde_json::from_str(&text).with_context(|| format!("read {}", path.display()));
    }
    let root_secret = random(32);
    let (tenant, kid) = (TenantId::parse(TENANT)?, KeyId::parse("root")?);
    let key = ApiKey::mint(tenant, kid, &rand::random(), root_secret.as_bytes()).reveal();
    let local = Local { root_secret, key, s3_access_key: random(12), s3_secret_key: random(24) };
    std::fs::create_dir_all(data_dir).with_context(|| format!("make {}", data_dir.display()))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("make {}", path.display()))?;
    file.write_all(&serde_json::to_vec_pretty(&local)?)?;
    file.sync_all()?;
    Ok(local)
}

fn random(bytes: usize) -> String {
    let bytes: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}
