//! What an instance is given: WASI, HTTP out to what its manifest allows, its variables.

use crate::outgoing::Outgoing;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasmtime::component::{Accessor, HasData, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

#[allow(missing_docs, reason = "generated from WIT")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/deps/spin-variables@3.0.0",
        inline: "
            package standin:host;
            world host { import spin:variables/variables@3.0.0; }
        ",
        world: "standin:host/host",
        imports: { default: trappable },
    });
}

use generated::spin::variables::variables as door;

/// The data of an instance's store.
pub(crate) struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    outgoing: Outgoing,
    variables: Arc<BTreeMap<String, String>>,
}

impl State {
    pub fn new(variables: Arc<BTreeMap<String, String>>, outgoing: Outgoing) -> Self {
        Self {
            wasi: WasiCtxBuilder::new().inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            outgoing,
            variables,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

struct Door;

impl HasData for Door {
    type Data<'a> = &'a mut State;
}

impl door::Host for &mut State {}

impl<T: Send + 'static> door::HostWithStore<T> for Door {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, door::Error>> {
        let value = accessor.with(|mut access| access.get().variables.get(&name).cloned());
        Ok(value.ok_or(door::Error::Undefined(name)))
    }
}

/// All that a stock runtime offers of what our components import, and nothing else.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    door::add_to_linker::<_, Door>(linker, |state| state)
}
