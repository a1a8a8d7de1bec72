//! The typed door `training`: for the whole tenant.

use crate::bindings::Door;
use crate::bindings::exports::holdfast::memory::training::{
    Guest, TrainingSet, TrainingSets, Wish,
};
use crate::wish;
use holdfast_core::clock::rfc3339;
use holdfast_core::{Result, TenantId};
use holdfast_export::Shown;
use holdfast_formats::training::Shares;
use holdfast_kit::{memory, state};

impl Guest for Door {
    async fn start(tenant: String, wish: Wish) -> Result<TrainingSet, memory::Error> {
        Ok(begin(&tenant, wish).await?)
    }

    async fn advance(tenant: String, id: String) -> Result<TrainingSet, memory::Error> {
        Ok(go_on(&tenant, &id).await?)
    }

    async fn status(tenant: String, id: String) -> Result<TrainingSet, memory::Error> {
        Ok(show(&tenant, &id).await?)
    }

    async fn list(
        tenant: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<TrainingSets, memory::Error> {
        Ok(all(&tenant, after, limit).await?)
    }

    async fn cancel(tenant: String, id: String) -> Result<TrainingSet, memory::Error> {
        Ok(end(&tenant, &id).await?)
    }
}

async fn begin(tenant: &str, wish: Wish) -> Result<TrainingSet> {
    let wish = wish::Wish {
        format: wish.format,
        users: wish.selection.users,
        sessions: wish.selection.sessions,
        since: wish.selection.since,
        until: wish.selection.until,
        metadata: wish.selection.metadata,
        feedback: wish.selection.feedback,
        shares: Shares { validation: wish.validation, test: wish.test },
        seed: wish.seed,
        anonymize: wish.anonymize,
        untrusted: wish.untrusted,
        as_of: wish.as_of,
        by: "door".to_owned(),
        owner: None,
    };
    shown(wish::begin(state().await?, &TenantId::parse(tenant)?, wish).await?)
}

async fn go_on(tenant: &str, id: &str) -> Result<TrainingSet> {
    shown(wish::advance(state().await?, &TenantId::parse(tenant)?, id, None).await?)
}

async fn show(tenant: &str, id: &str) -> Result<TrainingSet> {
    let (state, tenant) = (state().await?, TenantId::parse(tenant)?);
    shown(holdfast_export::show(&wish::outside(state), &tenant, id, None).await?)
}

async fn all(tenant: &str, after: Option<String>, limit: u32) -> Result<TrainingSets> {
    let (state, tenant) = (state().await?, TenantId::parse(tenant)?);
    let limit = usize::try_from(limit.clamp(1, 100)).unwrap_or(100);
    let outside = wish::outside(state);
    let listed = holdfast_export::list(&outside, &tenant, after.as_deref(), limit, None).await?;
    let items = listed.items.into_iter().map(shown).collect::<Result<_>>()?;
    Ok(TrainingSets { items, next: listed.next })
}

async fn end(tenant: &str, id: &str) -> Result<TrainingSet> {
    let (state, tenant) = (state().await?, TenantId::parse(tenant)?);
    shown(holdfast_export::cancel(&wish::outside(state), &tenant, id, None).await?)
}

fn shown(shown: Shown) -> Result<TrainingSet> {
    let manifest = shown.manifest.as_ref().map(serde_json::to_string).transpose();
    let manifest = manifest
        .map_err(|e| holdfast_core::Error::internal("a manifest cannot be written").caused_by(e))?;
    Ok(TrainingSet {
        id: shown.id,
        status: shown.status.name().to_owned(),
        format: shown.asked.format.name().to_owned(),
        created_at: rfc3339(shown.asked.created),
        as_of: rfc3339(shown.asked.as_of),
        sessions: shown.report.sessions,
        messages: shown.report.messages,
        examples: shown.report.examples,
        manifest,
    })
}
