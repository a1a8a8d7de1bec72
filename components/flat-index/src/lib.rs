//! The component `flat-index`: the door `holdfast:index` for any runtime, from the bucket alone.

mod bindings;
mod door;
mod held;
