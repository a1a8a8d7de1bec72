//! The door `spin:variables@3.0.0`: a component sees the variables of its own table in `spin.toml`, nothing else.

use crate::state::State;
use std::collections::BTreeMap;
use wasmtime::component::{Accessor, HasData, Linker};

#[allow(missing_docs, reason = "generated from WIT")]
mod generated {
    wasmtime::component::bindgen!({
        inline: r#"
            package spin:variables@3.0.0;

            interface variables {
                get: async func(name: string) -> result<string, error>;
                variant error {
                    invalid-name(string),
                    undefined(string),
                    provider(string),
                    other(string),
                }
            }

            world host { import variables; }
        "#,
        imports: { default: trappable },
    });
}

use generated::spin::variables::variables as door;

/// Values by name, resolved once at start.
pub type Variables = BTreeMap<String, String>;

struct Door;

impl HasData for Door {
    type Data<'a> = &'a mut State;
}

impl door::Host for &mut State {}

impl<T: Send + 'static> door::HostWithStore<T> for Door {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, door::Error>> {
        if crate::manifest::names::snake(&name).is_err() {
            return Ok(Err(door::Error::InvalidName(name)));
        }
        let value = accessor.with(|mut access| access.get().variables.get(&name).cloned());
        Ok(value.ok_or_else(|| door::Error::Undefined(format!("no variable {name:?}"))))
    }
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}
