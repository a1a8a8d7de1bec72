//! What WAL objects say, read without the journal's code, and which message of theirs an answer shows.

use holdfast_sim::checker::Seen;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// A record of a WAL object.
#[derive(Deserialize)]
pub struct Line<'a> {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its hybrid time.
    pub at: String,
    /// Its session; empty for one of the user.
    #[serde(default)]
    pub session: String,
    /// What it says.
    #[serde(borrow)]
    pub body: Option<&'a RawValue>,
}

/// The records of an object.
///
/// # Panics
/// When one cannot be read.
pub fn lines(object: &str) -> Vec<Line<'_>> {
    object.lines().skip(1).map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// Messages as they were stored, by user, session and id.
#[derive(Default)]
pub struct Texts(HashMap<(String, String, String), Vec<String>>);

impl Texts {
    /// Keeps the messages of an object of this user.
    ///
    /// # Panics
    /// When one cannot be read.
    pub fn note(&mut self, user: &str, object: &str) {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            message: &'a RawValue,
        }
        for line in lines(object) {
            let Some(body) = line.body.filter(|_| line.kind == "message") else { continue };
            let body: Body<'_> = serde_json::from_str(body.get()).expect("a message");
            let all = self.0.entry((user.to_owned(), line.session, line.id)).or_default();
            all.push(body.message.get().to_owned());
        }
    }

    /// What an answer shows, with the text as it was stored; with the answer's own where nothing was stored so.
    ///
    /// # Panics
    /// When it is no message.
    pub fn seen(&self, user: &str, session: &str, item: &Value) -> Seen {
        let text = |member: &str| item[member].as_str().expect("a text").to_owned();
        let shown = text("id");
        let id = shown.split_once('~').map_or(&*shown, |(id, _)| id).to_owned();
        let same = |stored: &&String| {
            let stored: BTreeMap<String, Value> = serde_json::from_str(stored).expect("a message");
            stored.iter().all(|(member, value)| member == "id" || item[member] == *value)
        };
        let name = (user.to_owned(), session.to_owned(), id.clone());
        let stored = self.0.get(&name).into_iter().flatten().find(same);
        Seen {
            session: session.to_owned(),
            shown,
            id,
            text: stored.cloned().unwrap_or_else(|| item.to_string()),
            order: text("order"),
            rank: item["index"].as_u64().expect("a rank") as u32,
        }
    }
}
