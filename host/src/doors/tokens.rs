//! The door `holdfast:models/tokens`.

use super::Door;
use super::generated::holdfast::models::tokens as door;
use crate::state::State;
use wasmtime::component::Linker;

impl door::Host for &mut State {
    fn count(&mut self, texts: Vec<String>) -> wasmtime::Result<Vec<u32>> {
        let count = |text: &String| u32::try_from(self.doors.models.tokens.count(text));
        Ok(texts.iter().map(|text| count(text).unwrap_or(u32::MAX)).collect())
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    door::add_to_linker::<_, Door>(linker, |state| state)
}
