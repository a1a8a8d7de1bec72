//! An installation's variables and first key, as a self-hoster makes them, over a real object store.

use holdfast_core::access::ApiKey;
use holdfast_core::{KeyId, TenantId};
use holdfast_http_tests::transcripts;
use holdfast_servers::Server;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const ROOT_SECRET: &str = "a root secret of forty bytes, for tests.";

/// The first key.
pub fn key() -> ApiKey {
    let (tenant, kid) = (TenantId::parse("default").unwrap(), KeyId::parse("root").unwrap());
    ApiKey::mint(tenant, kid, &[7; 18], ROOT_SECRET.as_bytes())
}

/// The variables of an installation on `store`.
pub fn variables(store: &Server) -> BTreeMap<String, String> {
    [
        ("s3_endpoint", store.endpoint.as_str()),
        ("s3_region", &store.region),
        ("s3_bucket", &store.bucket),
        ("s3_access_key", &store.access_key),
        ("s3_secret_key", &store.secret_key),
        ("root_secret", ROOT_SECRET),
        ("root_key_sha256", &key().sha256()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The transcripts that this build can play.
pub fn files() -> Vec<PathBuf> {
    let model = std::env::var_os("HOLDFAST_NO_MODEL").is_none();
    let meaning = |file: &Path| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("meaning"))
    };
    transcripts().into_iter().filter(|file| model || !meaning(file)).collect()
}
