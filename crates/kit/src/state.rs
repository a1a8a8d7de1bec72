//! What an instance keeps between requests. A cache, never a truth: every instance has its own and may vanish.

use crate::auth::Verdicts;
use crate::outside::{Bucket, GuestClock, GuestIds, WasiTransport};
use crate::settings::Settings;
use holdfast_core::token::Signer;
use holdfast_core::{Result, Scope};
use std::cell::{OnceCell, RefCell};

/// Settings, the bucket, and verdicts on keys.
pub struct State {
    /// Settings.
    pub settings: Settings,
    /// The bucket.
    pub bucket: Bucket,
    pub(crate) verdicts: RefCell<Verdicts>,
}

impl State {
    /// Signs and reads tokens and cursors of a scope.
    pub fn signer<'a>(&'a self, scope: &'a Scope) -> Signer<'a> {
        Signer::new(self.settings.root_secret.as_bytes(), scope)
    }
}

thread_local! {
    static STATE: OnceCell<&'static State> = const { OnceCell::new() };
}

/// The instance's state, made at its first request.
///
/// # Errors
/// `unavailable` when a setting is missing or wrong; tried again at the next request.
pub async fn state() -> Result<&'static State> {
    if let Some(state) = STATE.with(|cell| cell.get().copied()) {
        return Ok(state);
    }
    let settings = Settings::read().await?;
    let bucket = Bucket::new(settings.store.clone(), WasiTransport, GuestClock, GuestIds)?;
    let made = State { settings, bucket, verdicts: RefCell::default() };
    // Lives as long as the instance; a second request that came meanwhile made one too, and the first stands.
    Ok(STATE.with(|cell| *cell.get_or_init(|| Box::leak(Box::new(made)))))
}
