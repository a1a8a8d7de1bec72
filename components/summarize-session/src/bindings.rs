//! Generated bindings of the exported door.
#![allow(clippy::all, missing_docs, reason = "generated")]

spin_sdk::wit_bindgen::generate!({
    path: ["../../wit/models", "../../wit/index", "../../wit/memory"],
    world: "holdfast:memory/summarize-session-door@0.1.0",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    with: {
        "holdfast:index/types@0.1.0": holdfast_kit::wit::holdfast::index::types,
        "holdfast:index/index@0.1.0": holdfast_kit::wit::holdfast::index::index,
        "holdfast:models/types@0.1.0": holdfast_kit::wit::holdfast::models::types,
        "holdfast:models/tokens@0.1.0": holdfast_kit::wit::holdfast::models::tokens,
        "holdfast:models/generator@0.1.0": holdfast_kit::wit::holdfast::models::generator,
        "holdfast:memory/types@0.1.0": holdfast_kit::wit::holdfast::memory::types,
    },
});

export!(Door);

/// The door's keeper: see `door.rs`.
pub struct Door;
