//! What an instance keeps between requests. A cache, never a truth: every instance has its own and may vanish.

use crate::outside::{Bucket, GuestClock, GuestIds, WasiTransport};
use crate::settings::Settings;
use holdfast_core::erase::Ledger;
use holdfast_core::ports::Outside;
use holdfast_core::token::Signer;
use holdfast_core::{Result, Scope};
use holdfast_journal::Authority;
use std::cell::{OnceCell, RefCell};

/// Settings, the bucket, and who may use it.
pub struct State {
    /// Settings.
    pub settings: Settings,
    /// The bucket.
    pub bucket: Bucket,
    pub(crate) authority: Authority,
}

impl State {
    /// Where erases of users are recorded.
    pub fn ledger(&self) -> Ledger {
        Ledger::new(&self.settings.root_secret)
    }

    /// The bucket, the clock and fresh names, as the crates take them.
    pub fn outside(&self) -> Outside<'_, Bucket, GuestClock, GuestIds> {
        Outside { objects: &self.bucket, clock: &GuestClock, ids: &GuestIds }
    }

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
    let authority = Authority {
        root_secret: settings.root_secret.clone(),
        root_key_sha256: settings.root_key_sha256.clone(),
        root_tenant: settings.root_tenant.clone(),
        key_ttl: settings.key_ttl,
        verdicts: RefCell::default(),
    };
    let made = State { settings, bucket, authority };
    // Lives as long as the instance; a second request that came meanwhile made one too, and the first stands.
    Ok(STATE.with(|cell| *cell.get_or_init(|| Box::leak(Box::new(made)))))
}
