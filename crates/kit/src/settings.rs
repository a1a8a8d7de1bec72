//! Settings of a guest, read once an instance from `spin:variables`.

use holdfast_core::seal::SealingKey;
use holdfast_core::settings::SETTINGS;
use holdfast_core::{Error, Result, TenantId, space};
use holdfast_formats::Limits;
use spin_sdk::variables;

/// What a component reads of the one settings table.
#[derive(Debug)]
pub struct Settings {
    /// The bucket and its credentials.
    pub store: holdfast_objects::Settings,
    /// What keys, tokens and cursors are signed with.
    pub root_secret: String,
    /// SHA-256 (hex) of the first key; empty when there is none.
    pub root_key_sha256: String,
    /// Tenant of the first key.
    pub root_tenant: TenantId,
    /// What sensitive preferences are sealed with.
    pub tenant_key: Option<SealingKey>,
    /// How long the verdict on a key is kept, in milliseconds.
    pub key_ttl: u64,
    /// Longest wait for the embedder in a store, in milliseconds.
    pub embed_deadline: u64,
    /// Longest time for a user's load, in milliseconds.
    pub load_deadline: u64,
    /// Embedding space of the index, where one is named.
    pub embedding_space: String,
    /// The models of an OpenAI-compatible API, where one is named.
    pub remote: Option<Remote>,
    /// Tokens that summaries of one tenant may take of a model each day; 0 is without limit.
    pub tenant_generate_tokens: u64,
    /// Summaries are kept.
    pub store_summaries: bool,
    /// Sessions are idle after so many milliseconds; 0 is never.
    pub summarize_idle: u64,
    /// Largest attachment, in bytes.
    pub attachment_bytes: u64,
    /// Longest query, in bytes.
    pub query_bytes: usize,
    /// Messages of all users are kept for so many days at most; 0 is for ever.
    pub retention_days: u32,
    /// A delete that names no mode removes the bytes, too.
    pub delete_physically: bool,
    /// When a journal is worth sealing: objects in no segment,
    pub compact_objects: usize,
    /// bytes of them,
    pub compact_bytes: u64,
    /// or the age of the oldest, in milliseconds.
    pub compact_age: u64,
    /// Limits of what is stored.
    pub limits: Limits,
    /// Origins of web pages that may ask `/mcp`.
    pub mcp_origins: Vec<String>,
    /// Over MCP user keys may delete, too.
    pub mcp_user_deletes: bool,
}

impl Settings {
    /// Reads the variables of this component.
    ///
    /// # Errors
    /// `unavailable` that names the variable and what is wrong with it: the operator must mend it.
    pub async fn read() -> Result<Self> {
        let flag = |text: String| text == "true";
        let deadline = number("s3_deadline_ms").await?;
        let policy = holdfast_objects::Policy { deadline, ..holdfast_objects::Policy::default() };
        Ok(Self {
            store: holdfast_objects::Settings {
                endpoint: text("s3_endpoint").await?,
                path: text("s3_path").await?,
                region: text("s3_region").await?,
                bucket: text("s3_bucket").await?,
                access_key: text("s3_access_key").await?,
                secret_key: text("s3_secret_key").await?,
                session_token: Some(text("s3_session_token").await?).filter(|t| !t.is_empty()),
                etag_is_not_md5: flag(text("s3_etag_is_not_md5").await?),
                policy,
                ..holdfast_objects::Settings::default()
            },
            root_secret: root_secret().await?,
            root_key_sha256: text("root_key_sha256").await?,
            root_tenant: TenantId::parse(&text("root_tenant").await?)?,
            tenant_key: SealingKey::parse(&text("tenant_key").await?)?,
            key_ttl: number("key_ttl_ms").await?,
            embed_deadline: number("embed_deadline_ms").await?,
            load_deadline: number("load_deadline_ms").await?,
            embedding_space: text("embedding_space").await?,
            remote: Remote::read().await?,
            tenant_generate_tokens: number("tenant_generate_tokens").await?,
            store_summaries: flag(text("store_summaries").await?),
            summarize_idle: number("summarize_idle_ms").await?,
            attachment_bytes: number("attachment_bytes").await?,
            query_bytes: number("query_bytes").await?,
            retention_days: number("retention_days").await?,
            delete_physically: delete_mode().await?,
            compact_objects: number("compact_objects").await?,
            compact_bytes: number("compact_bytes").await?,
            compact_age: number("compact_age_ms").await?,
            limits: Limits {
                message_bytes: number("message_bytes").await?,
                batch_bytes: number("batch_bytes").await?,
                batch_items: number("batch_items").await?,
                metadata_bytes: number("metadata_bytes").await?,
                json_depth: number("json_depth").await?,
            },
            mcp_origins: list(&text("mcp_origins").await?),
            mcp_user_deletes: flag(text("mcp_user_deletes").await?),
        })
    }
}

async fn delete_mode() -> Result<bool> {
    match text("delete_mode").await?.as_str() {
        "hide" => Ok(false),
        "physical" => Ok(true),
        _ => Err(wrong("delete_mode", "must be hide or physical")),
    }
}

impl Settings {
    /// The embedding space whose vectors an index searches.
    pub fn space(&self) -> String {
        match (&*self.embedding_space, &self.remote) {
            ("", Some(remote)) => remote.space(),
            ("", None) => space::PORTABLE.to_owned(),
            (named, _) => named.to_owned(),
        }
    }
}

/// What `remote-models` needs to ask an OpenAI-compatible API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Origin: scheme, host and port.
    pub endpoint: String,
    /// Path of the embeddings.
    pub path: String,
    /// Bearer token; empty sends none.
    pub key: String,
    /// The model.
    pub model: String,
    /// Components of its vectors.
    pub dimensions: u32,
    /// Longest wait, in milliseconds.
    pub deadline: u64,
}

impl Remote {
    /// Reads the variables of this component; none where no endpoint is named.
    ///
    /// # Errors
    /// `unavailable` that names the variable and what is wrong with it. A runtime may answer a wrong origin by refusing
    /// every outgoing request of the component: this says which one it is.
    pub async fn read() -> Result<Option<Self>> {
        let endpoint = text("embed_endpoint").await?;
        if endpoint.is_empty() {
            return Ok(None);
        }
        space::origin(&endpoint).map_err(|what| wrong("embed_endpoint", what))?;
        let remote = Self {
            endpoint,
            path: text("embed_path").await?,
            key: text("embed_key").await?,
            model: text("embed_model").await?,
            dimensions: number("embed_dimensions").await?,
            deadline: number("embed_deadline_ms").await?,
        };
        if !remote.path.starts_with('/') {
            return Err(wrong("embed_path", "must begin with /"));
        }
        if remote.model.is_empty() {
            return Err(wrong("embed_model", "is not set, and embed_endpoint is"));
        }
        if remote.dimensions == 0 {
            return Err(wrong("embed_dimensions", "is not set, and embed_endpoint is"));
        }
        Ok(Some(remote))
    }

    /// The embedding space of its vectors.
    pub fn space(&self) -> String {
        space::remote(&self.model, self.dimensions)
    }
}

/// What `remote-models` needs to have an OpenAI-compatible API write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generating {
    /// Origin: scheme, host and port.
    pub endpoint: String,
    /// Path of the chat completions.
    pub path: String,
    /// Bearer token; empty sends none.
    pub key: String,
    /// The model.
    pub model: String,
    /// Longest wait, in milliseconds.
    pub deadline: u64,
}

impl Generating {
    /// Reads the variables of this component; none where no endpoint is named.
    ///
    /// # Errors
    /// As [`Remote::read`].
    pub async fn read() -> Result<Option<Self>> {
        let endpoint = text("generate_endpoint").await?;
        if endpoint.is_empty() {
            return Ok(None);
        }
        let (path, model) = (text("generate_path").await?, text("generate_model").await?);
        space::generator(&endpoint, &path, &model).map_err(|(name, what)| wrong(name, what))?;
        let (key, deadline) = (text("generate_key").await?, number("generate_deadline_ms").await?);
        Ok(Some(Self { endpoint, path, key, model, deadline }))
    }
}

async fn root_secret() -> Result<String> {
    let secret = text("root_secret").await?;
    if secret.len() < 32 {
        return Err(wrong("root_secret", "must have at least 32 bytes"));
    }
    Ok(secret)
}

/// The variable, or the default of the table.
async fn text(name: &'static str) -> Result<String> {
    match variables::get(name).await {
        Ok(value) => Ok(value),
        Err(variables::Error::Undefined(_) | variables::Error::InvalidName(_)) => SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .and_then(|setting| setting.default)
            .map(str::to_owned)
            .ok_or_else(|| wrong(name, "is not set")),
        Err(e) => Err(wrong(name, "cannot be read").caused_by(e)),
    }
}

/// What stands between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

async fn number<T: std::str::FromStr>(name: &'static str) -> Result<T> {
    text(name).await?.parse().map_err(|_| wrong(name, "must be a whole number"))
}

fn wrong(name: &str, what: &str) -> Error {
    Error::unavailable(format!("the setting {name} {what}: tell the operator"))
}
