//! Items of other formats, kept and given back as they came.

use crate::json;
use crate::object::Content;
use crate::stored::Stored;
use holdfast_core::message::{Message, Original};

/// The item `text`, to be kept beside its content.
///
/// Text whose JSON is written as we would write it, and blocks, are not kept twice.
pub(crate) fn keep(format: &str, text: &str, content: &Content<'_>) -> Original {
    let literal = match content {
        Content::Text(said, literal) if json::quote(said) == **literal => Some(*literal),
        Content::Blocks(literal) => Some(*literal),
        _ => None,
    };
    let (before, after) = match literal.and_then(|literal| json::around(text, literal)) {
        Some((before, after)) => (before, Some(after.to_owned())),
        None => (text, None),
    };
    Original { format: format.to_owned(), before: before.to_owned(), after }
}

/// The item of `format` that the message came as.
pub(crate) fn give_back(format: &str, message: &Message) -> Option<String> {
    let original = message.original.as_ref().filter(|original| original.format == format)?;
    Some(match &original.after {
        Some(after) => format!("{}{}{after}", original.before, content(message)),
        None => original.before.clone(),
    })
}

/// JSON of a message's content: a string, an array of blocks or `null`.
pub(crate) fn content(message: &Message) -> String {
    match (&message.content, &message.blocks) {
        (Some(text), _) => json::quote(text),
        (None, Some(blocks)) => blocks.clone(),
        (None, None) => "null".to_owned(),
    }
}

/// What the server knows about a message, for annotated answers.
pub(crate) fn annotation(stored: &Stored<'_>) -> String {
    let mut object = ObjectText::default();
    object.text("id", stored.id);
    object.raw("index", &stored.index.to_string());
    object.text("order", &stored.order.to_string());
    object.text("stored_at", &stored.stored_at());
    if let Some(id) = stored.conflict_of {
        object.text("conflict_of", id);
    }
    object.end()
}

/// The object `text` with `name` set to the JSON `value`; all else stays as it stands.
pub(crate) fn with_field(text: &str, name: &str, value: &str) -> String {
    if let Some(old) = json::field(text, name) {
        return json::replaced(text, old, value);
    }
    let Some((body, _)) = text.rsplit_once('}') else { return text.to_owned() };
    let comma = if json::fields(text).is_some_and(|f| f.is_empty()) { "" } else { "," };
    format!("{body}{comma}{}:{value}}}", json::quote(name))
}

/// An object that is being written.
#[derive(Default)]
pub(crate) struct ObjectText(String);

impl ObjectText {
    /// Adds a field whose value is JSON.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(&json::quote(name));
        self.0.push(':');
        self.0.push_str(json);
    }

    /// Adds a field whose value is text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &json::quote(text));
    }

    /// Adds a field whose value is text or `null`.
    pub fn text_or_null(&mut self, name: &str, text: Option<&str>) {
        self.raw(name, &text.map_or("null".to_owned(), json::quote));
    }

    /// The object.
    pub fn end(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "{}" } else { "}" });
        self.0
    }
}

/// Array of items that are JSON.
pub(crate) fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}
