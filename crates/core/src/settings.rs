//! The one table of settings that guests read as variables and the host as flags, environment and file.
//!
//! A setting `s3_endpoint` is the variable `s3_endpoint` in `spin.toml`, the environment `HOLDFAST_S3_ENDPOINT`, and on
//! stock Spin `SPIN_VARIABLE_S3_ENDPOINT`. `docs/settings.md` is generated from this table.

use crate::{Error, Result};

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value when nobody sets it; none when somebody must.
    pub default: Option<&'static str>,
    /// It never shows.
    pub secret: bool,
    /// Who reads it.
    pub reader: Reader,
    /// What it does, with its unit.
    pub doc: &'static str,
}

/// Who reads a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Components, as a variable; the host too.
    Both,
    /// The native host only.
    Host,
}

macro_rules! settings {
    ($($name:ident $reader:ident $default:expr, $secret:literal, $doc:literal;)*) => {
        /// Every setting.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name), default: $default, secret: $secret, reader: Reader::$reader, doc: $doc,
        }),*];
    };
}

settings! {
    s3_endpoint Both None, false, "origin of the object store: scheme, host and port, nothing else";
    s3_path Both Some(""), false, "path below the origin, before the bucket";
    s3_region Both Some("us-east-1"), false, "region that requests are signed for";
    s3_bucket Both None, false, "the bucket";
    s3_access_key Both None, true, "access key id of the bucket";
    s3_secret_key Both None, true, "secret access key of the bucket";
    s3_session_token Both Some(""), true, "session token of temporary credentials";
    s3_etag_is_not_md5 Both Some("false"), false, "the store's ETags are not MD5 sums (SSE-KMS, SSE-C): verify writes by reading";
    s3_deadline_ms Both Some("20000"), false, "longest time for one operation on the store, retries included, in milliseconds";
    root_secret Both None, true, "secret that keys, tokens and cursors are signed with, and erased users are named by; at least 32 bytes; changing it voids them, and leaves second sweeps of erases undone";
    root_key_sha256 Both Some(""), true, "SHA-256 (hex) of the installation's first key, which needs no look-up";
    root_tenant Both Some("default"), false, "tenant of the first key";
    tenant_key Both Some(""), true, "key that sensitive preferences are sealed with: 64 hex digits; without it they are refused, without the old one they cannot be read";
    key_ttl_ms Both Some("30000"), false, "how long the verdict on a key is kept, in milliseconds";
    embed_deadline_ms Both Some("5000"), false, "longest wait for the embedder in a store, in milliseconds; what is late is embedded in the background";
    load_deadline_ms Both Some("5000"), false, "longest wait for a user's first load, in milliseconds; the load goes on, in `flat-index` with the next request";
    embedding_space Both Some(""), false, "embedding space that `flat-index` searches; empty is that of `remote-models` where `embed_endpoint` is set, else that of `portable-models`";
    embed_endpoint Both Some(""), false, "origin of an OpenAI-compatible API for `remote-models`: scheme, host and port, nothing else";
    embed_path Both Some("/v1/embeddings"), false, "path of its embeddings below the origin";
    embed_key Both Some(""), true, "key of that API, sent as a bearer token; empty sends none";
    embed_model Both Some(""), false, "model that it is asked for";
    embed_dimensions Both Some("0"), false, "components of that model's vectors";
    generate_endpoint Both Some(""), false, "origin of an OpenAI-compatible API that writes summaries: scheme, host and port, nothing else; empty makes them of what was said, without a model";
    generate_path Both Some("/v1/chat/completions"), false, "path of its chat completions below the origin";
    generate_key Both Some(""), true, "key of that API, sent as a bearer token; empty sends none";
    generate_model Both Some(""), false, "model that it is asked for";
    generate_deadline_ms Both Some("20000"), false, "longest wait for a summary of that API, in milliseconds";
    tenant_generate_tokens Both Some("0"), false, "tokens that the model behind `generate_endpoint` may read and write for one tenant each day (UTC), by what the bucket says was spent; a summary that may go beyond is 429; 0 is without limit";
    store_summaries Both Some("true"), false, "summaries are kept; false makes them for the answer only";
    summarize_idle_ms Both Some("0"), false, "sessions in which nothing was said for so long, and which are long, are summed up by the native host, of users whom it has loaded, and by `POST /v1/upkeep/summarize`, in milliseconds; 0 is never";
    message_bytes Both Some("1048576"), false, "largest message, in bytes";
    batch_bytes Both Some("8388608"), false, "largest request body, in bytes";
    batch_items Both Some("1000"), false, "most messages of one request";
    metadata_bytes Both Some("16384"), false, "largest metadata of a message or session, in bytes";
    attachment_bytes Both Some("1073741824"), false, "largest attachment, in bytes";
    query_bytes Both Some("8192"), false, "longest query, in bytes";
    retention_days Both Some("0"), false, "messages are kept for so many days, and hidden from then on; a user's own retention may be shorter; 0 is for ever";
    delete_mode Both Some("hide"), false, "what a delete does that names no mode: hide, or physical, which also removes the bytes after the grace";
    compact_objects Both Some("64"), false, "a journal is sealed into segments once so many objects of it are in none";
    compact_bytes Both Some("262144"), false, "or so many bytes of them, in bytes";
    compact_age_ms Both Some("604800000"), false, "or one that is so old, in milliseconds";
    json_depth Both Some("32"), false, "deepest JSON";
    start_deadline_ms Host Some("60000"), false, "how long a host that starts asks a store that does not answer again, in milliseconds; 0 asks once";
    mcp_origins Both Some(""), false, "origins of web pages that may ask `/mcp` (`https://chat.example.com`), comma separated; those of this machine always may";
    mcp_user_deletes Both Some("false"), false, "over MCP user keys may delete, too, where they hold the permission `delete`";
    single_host Host Some("false"), false, "this host is the bucket's only writer: nothing is listed to learn of others";
    index_memory_mib Host Some("2048"), false, "memory for loaded users, in MiB; the least recently used leave first";
    index_shards Host Some("0"), false, "threads that hold users; 0 means one a core";
    tenant_loads Host Some("64"), false, "users of one tenant that load at once; 0 is without limit";
    cache_mib Host Some("1024"), false, "objects of the bucket kept on disk so that a restart reads less from it, in MiB; 0 keeps none, as with the embedded store";
    compact_interval_ms Host Some("60000"), false, "how often journals that grew are sealed into segments, in milliseconds; 0 is never";
    upkeep_interval_ms Host Some("21600000"), false, "how often the journals of users who were written (once a week: of all) are compacted and collected, in milliseconds; 0 is never";
    export_interval_ms Host Some("60000"), false, "an export that nobody has advanced for so long is advanced by the host, in milliseconds; 0 is never";
    summarize_interval_ms Host Some("60000"), false, "how often the host looks for sessions of loaded users that are idle by `summarize_idle_ms`, in milliseconds; 0 is never";
    erase_ledger Host Some(""), false, "folder outside the bucket, on another disk, that keeps a copy of every erase: a bucket restored from a backup does not bring back who was erased; empty keeps none";
    model_dir Host Some(""), false, "folder of the embedding model; empty means below the data directory";
    embedder_threads Host Some("1"), false, "embedding jobs at a time";
    tokenizer Host Some("o200k_base"), false, "how tokens are counted: o200k_base or cl100k_base";
    instance_memory_mib Host Some("64"), false, "memory limit of one component instance, in MiB";
    instances Host Some("64"), false, "most instances of one component";
    request_deadline_ms Host Some("30000"), false, "longest time for one request, in milliseconds";
    drain_ms Host Some("10000"), false, "longest wait for requests in flight at a shutdown, in milliseconds";
    tenant_requests Host Some("1000"), false, "requests of one tenant each second; 0 is without limit";
    tenant_bytes Host Some("67108864"), false, "bytes of one tenant's request bodies each second; 0 is without limit";
    address_requests Host Some("50"), false, "requests without a valid key from one address each second; 0 is without limit";
    hosts Host Some(""), false, "names, beside localhost, that requests may give as Host on loopback; comma separated";
    log Host Some("info"), false, "what is logged, as tracing filters say it";
    log_format Host Some("text"), false, "text or json";
}

/// The setting of this name.
///
/// # Errors
/// `invalid` that names the nearest setting.
pub fn find(name: &str) -> Result<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| {
        let near = nearest(name, SETTINGS.iter().map(|setting| setting.name));
        let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Error::invalid(format!("there is no setting {name}{hint}")).at(name)
    })
}

/// The name that is spelled most like `name`, when one is near.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long name is cut: the distance takes the product of both lengths.
    let name: String = name.chars().take(64).collect();
    let far = name.chars().count() / 2 + 1;
    names
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(&name, other), other))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_names_the_nearest_known_one() {
        assert!(find("s3_endpiont").unwrap_err().detail.contains("did you mean s3_endpoint?"));
        assert!(!find("zzz").unwrap_err().detail.contains("did you mean"));
        assert_eq!(find("s3_bucket").unwrap().name, "s3_bucket");
    }
}
