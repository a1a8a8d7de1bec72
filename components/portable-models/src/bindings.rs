//! Generated bindings of the exported doors.
#![allow(clippy::all, missing_docs, reason = "generated")]

spin_sdk::wit_bindgen::generate!({
    path: "../../wit/models",
    world: "holdfast:models/models@0.1.0",
    runtime_path: "::spin_sdk::wit_bindgen::rt",
    generate_all,
});

export!(Door);

/// The doors' keeper: see `door.rs`.
pub struct Door;
