//! The one pair of keys that may use the store.

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

/// An access key and its secret.
pub(super) struct OnePair {
    access_key: String,
    secret_key: SecretKey,
}

impl OnePair {
    /// A pair.
    pub(super) fn new(access_key: String, secret_key: String) -> Self {
        Self { access_key, secret_key: secret_key.into() }
    }
}

#[async_trait::async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            return Ok(self.secret_key.clone());
        }
        Err(s3_error!(InvalidAccessKeyId, "the access key is not known to this store"))
    }
}
