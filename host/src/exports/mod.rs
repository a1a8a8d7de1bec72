//! Exports that nobody advances: the host goes on with them beside everything else.

mod source;

use crate::command::Values;
use crate::native::apart;
use crate::pool::Pool;
use anyhow::Result;
use holdfast_core::TenantId;
use holdfast_core::ports::Outside;
use holdfast_export::{Status, advance, running};
use holdfast_index::Index;
use holdfast_journal::tenants;
use holdfast_ports::{Bucket, SystemClock, SystemIds, bucket};
use source::Indexed;
use std::sync::Arc;
use std::time::Duration;

/// The component that begins and advances exports when it is asked to.
pub const COMPONENT: &str = "export-training-set";

/// The bucket is listed at least each so many pauses: another host may have left an export behind.
const ROUNDS: u32 = 60;

/// What goes on with exports.
pub struct Exporting {
    index: Index,
    pool: Option<Arc<Pool>>,
    store: holdfast_objects::Settings,
    secret: String,
    /// How long nobody has stepped an export before the host does.
    every: Duration,
}

impl Exporting {
    /// As the settings say.
    pub fn new(index: Index, pool: Option<Arc<Pool>>, values: &Values) -> Result<Self> {
        let (store, secret) = (values.store()?, values.text("root_secret").to_owned());
        let every = values.milliseconds("export_interval_ms")?;
        Ok(Self { index, pool, store, secret, every })
    }

    /// Runs for ever. What fails is logged, and tried again in its turn.
    ///
    /// Lists nothing while nobody asks for exports here and none was found running, but at the start and now and then.
    pub async fn run(self) {
        let (mut asked, mut round, mut busy) = (0, 0, false);
        while !self.every.is_zero() {
            tokio::time::sleep(self.every).await;
            let now = self.pool.as_ref().map_or(0, |pool| pool.metrics.requests());
            let look = round == 0 || busy || now != asked;
            (asked, round) = (now, (round + 1) % ROUNDS);
            if !look {
                continue;
            }
            let (index, store) = (self.index.clone(), self.store.clone());
            let (secret, every) = (self.secret.clone(), self.every);
            let done = apart(async move || {
                let store = bucket(store)?;
                let mut busy = false;
                for tenant in tenants(&store).await? {
                    busy |= of_tenant((&index, &store), &tenant, &secret, every).await?;
                }
                Ok(busy)
            });
            busy = done.await.unwrap_or_else(|error| {
                tracing::warn!("{}: exports go on later: {error}", error.reason);
                true
            });
        }
    }
}

/// Advances each export of the tenant that nobody else does, to its end. Did any run?
async fn of_tenant(
    (index, store): (&Index, &Bucket),
    tenant: &TenantId,
    secret: &str,
    every: Duration,
) -> holdfast_core::Result<bool> {
    let outside = Outside { objects: store, clock: &SystemClock, ids: &SystemIds };
    let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    let all = running(&outside, tenant).await?;
    let busy = !all.is_empty();
    for (id, last) in all {
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
    Ok(busy)
}
