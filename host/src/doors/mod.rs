//! The host's own doors: `holdfast:index` and `holdfast:models`, served natively to every component.

mod embedder;
mod error;
mod generator;
mod index;
mod tokens;

pub use embedder::Models;
pub use generator::Generator;

use crate::state::State;
use crate::written::Written;
use holdfast_index::Index;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker};

#[allow(missing_docs, reason = "generated from WIT")]
mod generated {
    wasmtime::component::bindgen!({
        inline: "
            package holdfast:host@0.1.0;
            world doors {
                import holdfast:index/index@0.1.0;
                import holdfast:models/embedder@0.1.0;
                import holdfast:models/tokens@0.1.0;
                import holdfast:models/generator@0.1.0;
            }
        ",
        path: ["../wit/models", "../wit/index"],
        world: "holdfast:host/doors",
        imports: { default: trappable },
    });
}

/// What the doors need at run time, shared by all instances. A door that is not there answers `unavailable`.
#[derive(Default)]
pub struct Doors {
    /// The index.
    pub index: Option<Index>,
    /// Whom components wrote.
    pub written: Arc<Written>,
    /// The embedder, the token counter and the generator.
    pub models: Models,
}

/// Packages that the host serves itself.
pub const NATIVE: &[&str] = &["holdfast:index", "holdfast:models"];

/// Puts one door's functions into the linker of every component.
pub type Link = fn(&mut Linker<State>) -> wasmtime::Result<()>;

/// All doors.
pub const LINKS: &[Link] = &[index::link, embedder::link, tokens::link, generator::link];

/// The host's side of every door.
struct Door;

impl HasData for Door {
    type Data<'a> = &'a mut State;
}
