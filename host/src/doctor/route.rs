//! `GET /v1/doctor`: the same report over HTTP. Cheap and without a write, unless `full=true` asks for all of it.

use super::fleet::{Bounds, users};
use super::{Depth, Look};
use crate::command::Values;
use crate::http::Native;
use crate::keys::{Keys, json_answer};
use crate::native::apart;
use crate::problem;
use anyhow::Result;
use futures::FutureExt;
use holdfast_core::access::Permission;
use holdfast_core::ports::Clock;
use holdfast_core::{Error, Scope, TenantId};
use holdfast_index::{Index, Loaded};
use holdfast_ports::{SystemClock, bucket, traffic};
use http::{HeaderMap, Method};
use serde_json::Value;
use std::sync::Arc;

/// Journals that a glance looks at: of loaded users, those of the most objects; without an index, the first.
const GLANCED: usize = 20;
/// A full look ends somewhere: it is a request.
const BOUNDS: Bounds = Bounds { objects: 1_000_000, users: 10_000 };

/// What the route needs.
#[derive(Clone)]
pub struct Doctor {
    keys: Keys,
    store: holdfast_objects::Settings,
    root_secret: String,
    root_tenant: TenantId,
    /// Where the manifest's components are the index, the host has none.
    index: Option<Index>,
}

impl Doctor {
    /// Reads what is needed from the settings.
    pub(crate) fn new(values: &Values, keys: &Keys, index: Option<Index>) -> Result<Self> {
        Ok(Self {
            keys: keys.clone(),
            store: values.store()?,
            root_secret: values.text("root_secret").to_owned(),
            root_tenant: TenantId::parse(values.text("root_tenant"))?,
            index,
        })
    }

    /// The route, for the host's own table.
    pub fn route(&self) -> Native {
        let doctor = self.clone();
        Arc::new(move |request| {
            let doctor = doctor.clone();
            async move {
                let (parts, _) = request.into_parts();
                let id = problem::request_id(&parts.headers).to_owned();
                let query = parts.uri.query().unwrap_or_default().to_owned();
                match doctor.serve(parts.method, &query, parts.headers).await {
                    Ok(report) => json_answer(200, &report),
                    Err(error) => problem::answer(&error, &id, false),
                }
            }
            .boxed()
        })
    }

    async fn serve(
        &self,
        method: Method,
        query: &str,
        headers: HeaderMap,
    ) -> holdfast_core::Result<Value> {
        if method != Method::GET {
            return Err(Error::method_not_allowed("/v1/doctor", &["GET"]));
        }
        let full = match query {
            "" | "full=false" => false,
            "full=true" => true,
            _ => return Err(Error::invalid("only full=true or full=false may be asked").at("full")),
        };
        let journals = match &self.index {
            Some(index) => Some(index.journals().await?),
            None => None,
        };
        let doctor = self.clone();
        apart(async move || {
            let store = bucket(doctor.store.clone())?;
            let caller = doctor.keys.caller(&store, &headers).await?;
            caller.may(Permission::Admin)?;
            if caller.user.is_some() {
                return Err(Error::denied("a key of one user asks for no report"));
            }
            let root = caller.tenant == doctor.root_tenant;
            let whose = (!root).then_some(&caller.tenant);
            let depth = match full {
                true => Depth::Whole(whose.cloned(), BOUNDS),
                false => Depth::Glance(match journals {
                    Some(journals) => largest(journals, whose),
                    None => users(&store, whose, Bounds { users: GLANCED, ..BOUNDS }).await?.named,
                }),
            };
            let read = root.then(|| traffic().month(SystemClock.now()));
            let root_secret = Some(doctor.root_secret.clone());
            Ok(Look { root_secret, read, depth }.look(&store).await.json())
        })
        .await
    }
}

/// Users with the most objects, of one tenant or of all.
fn largest(mut journals: Vec<Loaded>, whose: Option<&TenantId>) -> Vec<Scope> {
    journals.retain(|loaded| whose.is_none_or(|tenant| loaded.scope.tenant == *tenant));
    journals.sort_by_key(|loaded| std::cmp::Reverse(loaded.objects));
    journals.into_iter().take(GLANCED).map(|loaded| loaded.scope).collect()
}
