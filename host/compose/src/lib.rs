//! Components made into one: what one imports, another exports. The program does it for each `[component.ID.dependencies]` and
//! as `holdfast compose`, and `cargo xtask build` makes `holdfast-memory.wasm` with it.

mod composition;
mod join;
mod name;

pub use composition::{Composition, Item, Part};
pub use join::{Joined, doors, join};
pub use name::Name;
