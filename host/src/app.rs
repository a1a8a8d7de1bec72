//! An application: the components of a manifest compiled, linked and pooled, and the routes that lead to them.

use crate::compose;
use crate::doors::{Doors, Link};
use crate::manifest::{Component as Entry, Manifest, Target};
use crate::metrics::{ComponentMetrics, Metrics};
use crate::outgoing::{self, Neighbours, Outgoing};
use crate::pool::{Pool, Ticket};
use crate::route::Routes;
use crate::settings::Settings;
use crate::state::{Limits, State};
use crate::{engine, variables};
use anyhow::{Context, Result, anyhow, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::handler::ProxyPre;

/// What the host gives components beyond the standard interfaces.
#[derive(Clone, Default)]
pub struct Hooks {
    /// What the doors need at run time; every instance's [`State`] holds it.
    pub doors: Arc<Doors>,
    /// Puts each door into the linker.
    pub link: Vec<Link>,
    /// Packages (`holdfast:index`) that those doors serve in place of a manifest's dependencies.
    pub native: Vec<String>,
}

/// A running application.
pub struct App {
    pub(crate) routes: Routes<Answerer>,
    pools: BTreeMap<String, Arc<Pool>>,
}

/// What answers a route.
#[derive(Clone)]
pub(crate) enum Answerer {
    Pool(Arc<Pool>),
    Static(Arc<Fixed>),
}

/// An answer that is always the same.
pub(crate) struct Fixed {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: bytes::Bytes,
    pub metrics: Arc<ComponentMetrics>,
}

impl App {
    /// Compiles (or loads) and links the components that routes lead to; must be called within a tokio runtime.
    ///
    /// Fails with a message that names the component when a file cannot be read, is no component, does not handle
    /// HTTP, or imports what nobody provides.
    pub fn load(
        manifest: Manifest,
        settings: &Settings,
        hooks: &Hooks,
        metrics: &Metrics,
    ) -> Result<Self> {
        let engine = engine::start(settings)?;
        let linker = linker(&engine, &hooks.link)?;
        let neighbours = Neighbours::new(settings);
        let mut pools = BTreeMap::new();
        for (id, entry) in &manifest.components {
            let target = Target::Component(id.clone());
            if manifest.triggers.iter().any(|trigger| trigger.target == target) {
                let pool = pool(id, entry, &linker, settings, hooks, metrics, &neighbours)
                    .with_context(|| format!("component {id:?}"))?;
                pools.insert(id.clone(), pool);
            }
        }
        neighbours.are(&pools);
        let fixed = metrics.component("static".into());
        let mut routes = Vec::new();
        for trigger in manifest.triggers {
            let answerer = answerer(trigger.target, &pools, &fixed)?;
            routes.extend(trigger.route.map(|route| (route, answerer)));
        }
        Ok(Self { routes: Routes::new(routes)?, pools })
    }

    /// The instances of a component, by its id.
    pub fn pool(&self, id: &str) -> Option<&Arc<Pool>> {
        self.pools.get(id)
    }

    /// Waits until no request is in any instance, at most until `deadline`. True when none is.
    pub async fn drained(&self, deadline: Instant) -> bool {
        let mut all = true;
        for pool in self.pools.values() {
            all &= pool.drained(deadline).await;
        }
        all
    }
}

fn answerer(
    target: Target,
    pools: &BTreeMap<String, Arc<Pool>>,
    metrics: &Arc<ComponentMetrics>,
) -> Result<Answerer> {
    match target {
        Target::Component(id) => {
            let pool = pools.get(&id).with_context(|| format!("there is no component {id:?}"))?;
            Ok(Answerer::Pool(pool.clone()))
        }
        Target::Static { status, headers, body } => {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                let name = HeaderName::try_from(name).context("static_response: headers")?;
                let value = HeaderValue::try_from(value).context("static_response: headers")?;
                map.append(name, value);
            }
            let status = StatusCode::from_u16(status)?;
            let metrics = metrics.clone();
            Ok(Answerer::Static(Arc::new(Fixed {
                status,
                headers: map,
                body: body.into(),
                metrics,
            })))
        }
    }
}

fn linker(engine: &Engine, doors: &[Link]) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    link_all(&mut linker, doors)
        .map_err(|e| anyhow!("{e:#}"))
        .context("link the host's interfaces")?;
    Ok(linker)
}

fn link_all(linker: &mut Linker<State>, doors: &[Link]) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    variables::link(linker)?;
    doors.iter().try_for_each(|link| link(linker))
}

fn pool(
    id: &str,
    entry: &Entry,
    linker: &Linker<State>,
    settings: &Settings,
    hooks: &Hooks,
    metrics: &Metrics,
    neighbours: &Neighbours,
) -> Result<Arc<Pool>> {
    let bytes = std::fs::read(&entry.source)
        .with_context(|| format!("read {}: build it first", entry.source.display()))?;
    let bytes = compose::compose(id, bytes, entry, &hooks.native)?;
    let engine = linker.engine();
    let component = Component::new(engine, &bytes).map_err(|e| anyhow!("compile: {e:#}"))?;
    let pre = linker.instantiate_pre(&component).map_err(|e| anyhow!("{e:#}"))?;
    let pre = handler(pre)?;
    let id: Arc<str> = id.into();
    let counters = metrics.component(id.clone());
    let make_state = make_state(id.clone(), entry, settings, hooks, neighbours)?;
    let limits = settings.instance.clone();
    let pool = Pool::new(id.clone(), engine.clone(), pre, limits, counters, make_state);
    let gauged = Arc::downgrade(&pool);
    metrics.gauge(id, move || {
        gauged.upgrade().map_or_else(Vec::new, |pool| {
            let (busy, idle) = (pool.busy_instances() as u64, pool.idle_instances() as u64);
            vec![("instances_busy", busy), ("instances_idle", idle)]
        })
    });
    Ok(pool)
}

/// The component's HTTP handler, of WASI 0.3 or else of 0.2.
fn handler(pre: InstancePre<State>) -> Result<ProxyPre<State>> {
    if let Ok(service) = wasmtime_wasi_http::p3::bindings::ServicePre::new(pre.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    wasmtime_wasi_http::p2::bindings::ProxyPre::new(pre)
        .map(ProxyPre::P2)
        .map_err(|e| anyhow!("it exports no HTTP handler of WASI 0.3 or 0.2: {e:#}"))
}

fn make_state(
    component: Arc<str>,
    entry: &Entry,
    settings: &Settings,
    hooks: &Hooks,
    neighbours: &Neighbours,
) -> Result<crate::pool::MakeState> {
    let limits = &settings.instance;
    ensure!(limits.count > 0, "at least one instance must be allowed");
    let (memory, table_elements) = (limits.memory, limits.table_elements);
    let (allow, neighbours) = (entry.allow.clone(), neighbours.clone());
    let outgoing = outgoing::Shared::new(component.clone(), allow, settings, neighbours);
    let outgoing = Arc::new(outgoing);
    let variables = Arc::new(entry.variables.clone());
    let environment: Vec<(String, String)> =
        entry.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let doors = hooks.doors.clone();
    Ok(Box::new(move |ticket: Arc<Ticket>| State {
        component: component.clone(),
        doors: doors.clone(),
        variables: variables.clone(),
        table: ResourceTable::new(),
        limits: Limits::new(memory, table_elements),
        wasi: WasiCtxBuilder::new()
            .envs(&environment)
            .stdout(crate::stdio::Lines::new(component.clone(), crate::stdio::Kind::Out))
            .stderr(crate::stdio::Lines::new(component.clone(), crate::stdio::Kind::Err))
            .allow_ip_name_lookup(false)
            .build(),
        http: WasiHttpCtx::new(),
        outgoing: Outgoing::new(outgoing.clone(), ticket.clone()),
        ticket,
    }))
}
