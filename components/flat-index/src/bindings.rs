//! Generated bindings of the exported door.
#![allow(clippy::all, missing_docs, reason = "generated")]

spin_sdk::wit_bindgen::generate!({
    path: "../../wit/index",
    world: "holdfast:index/indexer@0.1.0",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

export!(Door);

/// The door's keeper: see `door.rs`.
pub struct Door;
