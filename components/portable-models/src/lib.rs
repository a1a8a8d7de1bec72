//! The component `portable-models`: vectors and token counts with nothing outside itself.

mod bindings;
mod door;
