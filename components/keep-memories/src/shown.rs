//! A memory as it is shown, whether it was just written or read.

use holdfast_core::memory::Memory;
use holdfast_core::thing::Source;
use holdfast_core::{Error, Hlc, Result};
use holdfast_formats::{StoredMemory, memory_json};
use holdfast_kit::index::Thing;
use holdfast_kit::things::sources;

/// A memory.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// Its version that stands.
    pub memory: Memory,
    /// Everything that it was made of.
    pub sources: Vec<Source>,
    /// When it was saved.
    pub created_at: Hlc,
    /// When that version was written.
    pub updated_at: Hlc,
    /// Order of that version: its etag.
    pub order: String,
}

impl TryFrom<Thing> for Shown {
    type Error = Error;

    fn try_from(thing: Thing) -> Result<Self> {
        Ok(Self {
            memory: Memory::read(&thing.last.body)?,
            sources: sources(&thing.sources)?,
            created_at: Hlc(thing.created_at),
            updated_at: Hlc(thing.last.at),
            order: thing.last.order,
            id: thing.id,
        })
    }
}

impl Shown {
    /// Its REST form.
    pub fn json(&self) -> String {
        memory_json(&StoredMemory {
            id: &self.id,
            memory: &self.memory,
            sources: &self.sources,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }

    /// Its REST form with one more member, a string.
    pub fn json_with(&self, name: &str, value: &str) -> String {
        let json = self.json();
        let open = json.strip_suffix('}').unwrap_or(&json);
        format!("{open},\"{name}\":\"{value}\"}}")
    }

    /// Joins sources to it that it has not.
    pub fn join(&mut self, more: &[Source]) {
        for source in more {
            if !self.sources.contains(source) {
                self.sources.push(source.clone());
            }
        }
    }
}
