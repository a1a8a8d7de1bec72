//! Generated bindings of the imports that components share, and of the nouns of `holdfast:memory`.
#![allow(clippy::all, missing_docs, reason = "generated")]

spin_sdk::wit_bindgen::generate!({
    inline: "
        package holdfast:kit@0.1.0;
        world kit {
            import holdfast:index/index@0.1.0;
            import holdfast:models/embedder@0.1.0;
            import holdfast:models/tokens@0.1.0;
            import holdfast:models/generator@0.1.0;
            import holdfast:memory/types@0.1.0;
        }
    ",
    path: ["../../wit/models", "../../wit/index", "../../wit/memory"],
    world: "holdfast:kit/kit@0.1.0",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

/// The door `index` and its nouns.
pub mod index {
    pub use super::holdfast::index::index::*;
    pub use super::holdfast::index::types::{
        Boosts, Consistency, Error, Hit, Mode, Moment, Problem, Stage, Thing, ThingHit,
        ThingRecall, Version,
    };
}

/// The door `embedder` and its nouns.
pub mod embedder {
    pub use super::holdfast::models::embedder::*;
    pub use super::holdfast::models::types::{Error, Problem};
}

/// The door `tokens`.
pub mod tokens {
    pub use super::holdfast::models::tokens::*;
}

/// The door `generator`.
pub mod generator {
    pub use super::holdfast::models::generator::*;
}

/// The nouns of `holdfast:memory`.
pub mod memory {
    pub use super::holdfast::memory::types::*;
}
