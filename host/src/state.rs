//! What one instance holds on the host's side: WASI, its variables, its limits, the request it works for.

use crate::doors::Doors;
use crate::outgoing::Outgoing;
use crate::pool::Ticket;
use crate::variables::Variables;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The data of an instance's store.
pub struct State {
    /// Id of the component in `spin.toml`.
    pub component: Arc<str>,
    /// The host's own doors (index, models).
    pub doors: Arc<Doors>,
    /// The component's variables.
    pub variables: Arc<Variables>,
    /// Handles that the guest holds.
    pub table: ResourceTable,
    /// What the instance may use.
    pub limits: Limits,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outgoing: Outgoing,
    pub(crate) ticket: Arc<Ticket>,
}

impl State {
    /// Id of the request that the instance works for now, for logs.
    pub fn request_id(&self) -> &str {
        &self.ticket.request_id
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

/// Memory of an instance: what it may have, what it has, and whether it asked for more.
#[derive(Debug)]
pub struct Limits {
    memory: usize,
    table_elements: usize,
    memory_used: usize,
    table_used: usize,
    pub(crate) exceeded: bool,
}

impl Limits {
    pub(crate) fn new(memory: usize, table_elements: usize) -> Self {
        Self { memory, table_elements, memory_used: 0, table_used: 0, exceeded: false }
    }

    /// Bytes of linear memory in use.
    pub fn memory_used(&self) -> usize {
        self.memory_used
    }
}

impl wasmtime::ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.memory_used.saturating_add(desired.saturating_sub(current));
        if used > self.memory {
            self.exceeded = true;
            return Ok(false);
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.table_used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.table_elements;
        if fits {
            self.table_used = used;
        }
        Ok(fits)
    }
}
