//! "What do you know about me?": the user's memories, the most important first, and preferences.

use crate::shown::Shown;
use holdfast_core::thing::ThingKind;
use holdfast_core::token::Frontier;
use holdfast_core::{Result, Scope};
use holdfast_kit::index::{Consistency, Reading};
use holdfast_kit::things::all;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is known about a user.
pub struct Profile {
    /// The most important memories, the newest first of those that are alike.
    pub memories: Vec<Shown>,
    /// Memories of each category, those that are left out here counted too; none is the empty name.
    pub categories: BTreeMap<String, usize>,
    /// Preferences that are not sensitive.
    pub preferences: Map<String, Value>,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// What is known about the user: at most `limit` memories.
pub async fn profile(scope: &Scope, limit: usize, reading: Reading) -> Result<Profile> {
    let (found, frontier) = all(scope, (ThingKind::Memory, None, None), reading.clone()).await?;
    let mut memories = found.into_iter().map(Shown::try_from).collect::<Result<Vec<_>>>()?;
    memories.sort_by(|a, b| {
        let newest = b.order.cmp(&a.order);
        b.memory.weight().total_cmp(&a.memory.weight()).then(newest)
    });
    let mut categories = BTreeMap::new();
    for shown in &memories {
        *categories.entry(shown.memory.category.clone().unwrap_or_default()).or_insert(0) += 1;
    }
    memories.truncate(limit);
    let reading = Reading { consistency: Consistency::Local, ..reading };
    let (found, _) = all(scope, (ThingKind::Preference, None, None), reading).await?;
    let preferences = found.into_iter().filter_map(|thing| {
        let held: Value = serde_json::from_str(&thing.last.body).ok()?;
        let plain = held.get("sensitive") != Some(&Value::Bool(true));
        let value = held.get("value").filter(|_| plain)?.as_str()?;
        Some((thing.id, serde_json::from_str(value).ok()?))
    });
    Ok(Profile { memories, categories, preferences: preferences.collect(), frontier })
}

impl Profile {
    /// The same as text, a line each: JSON strings, so that no text can pose as another line.
    pub fn text(&self) -> String {
        let preferences =
            self.preferences.iter().map(|(key, value)| format!("{}: {value}\n", quoted(key)));
        let memories =
            self.memories.iter().map(|shown| format!("{}\n", quoted(&shown.memory.text)));
        preferences.chain(memories).collect()
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
