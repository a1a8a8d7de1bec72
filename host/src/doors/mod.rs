//! What the host gives components beyond WASI, outgoing HTTP and variables.

use crate::state::State;
use wasmtime::component::Linker;

/// What the doors need at run time, shared by all instances.
#[derive(Debug, Default)]
pub struct Doors {}

/// Puts one door's functions into the linker of every component.
pub type Link = fn(&mut Linker<State>) -> wasmtime::Result<()>;
