//! Exports that nobody advances: the host goes on with them beside everything else.

mod source;

use crate::command::Values;
use crate::native::apart;
use anyhow::Result;
use holdfast_core::TenantId;
use holdfast_core::ports::Outside;
use holdfast_export::{Status, advance, running};
use holdfast_index::Index;
use holdfast_journal::tenants;
use holdfast_ports::{Bucket, SystemClock, SystemIds, bucket};
use source::Indexed;
use std::time::Duration;

/// What goes on with exports.
pub struct Exporting {
    index: Index,
    store: holdfast_objects::Settings,
    secret: String,
    /// How long nobody has stepped an export before the host does.
    every: Duration,
}

impl Exporting {
    /// As the settings say.
    pub fn new(index: Index, values: &Values) -> Result<Self> {
        let (store, secret) = (values.store()?, values.text("root_secret").to_owned());
        Ok(Self { index, store, secret, every: values.milliseconds("export_interval_ms")? })
    }

    /// Runs for ever. What fails is logged, and tried again in its turn.
    pub async fn run(self) {
        while !self.every.is_zero() {
            tokio::time::sleep(self.every).await;
            let (index, store) = (self.index.clone(), self.store.clone());
            let (secret, every) = (self.secret.clone(), self.every);
            let done = apart(async move || {
                let store = bucket(store)?;
                for tenant in tenants(&store).await? {
                    of_tenant((&index, &store), &tenant, &secret, every).await?;
                }
                Ok(())
            });
            if let Err(error) = done.await {
                tracing::warn!("{}: exports go on later: {error}", error.reason);
            }
        }
    }
}

/// Advances each export of the tenant that nobody else does, to its end.
async fn of_tenant(
    (index, store): (&Index, &Bucket),
    tenant: &TenantId,
    secret: &str,
    every: Duration,
) -> holdfast_core::Result<()> {
    let outside = Outside { objects: store, clock: &SystemClock, ids: &SystemIds };
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    for (id, last) in running(&outside, tenant).await? {
        if store.now().saturating_sub(last) < every {
            continue;
        }
        let source = Indexed { index, store, tenant };
        let advanced = async {
            while advance(&outside, &source, tenant, &id, secret).await?.status == Status::Running {
            }
            Ok::<_, holdfast_core::Error>(())
        };
        // One export's trouble is not the others'.
        if let Err(error) = advanced.await {
            tracing::warn!("{}: export {id} goes on later: {error}", error.reason);
        }
    }
    Ok(())
}
