//! Which messages may be in an answer: conditions on their fields, decided before anything is ranked.

use crate::{Entry, UserIndex};
use serde_json::Value;
use std::cmp::Ordering;

/// A filter: a tree of conditions.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All pass; with none, everything passes.
    And(Vec<Filter>),
    /// One passes.
    Or(Vec<Filter>),
    /// It does not pass.
    Not(Box<Filter>),
    /// A field holds what the operator wants.
    Is(Condition),
}

/// One field and what it must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The field.
    pub field: Field,
    /// What it must hold.
    pub operator: Operator,
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Its id.
    Id,
    /// Its role.
    Role,
    /// Its `name`.
    Name,
    /// Its session.
    SessionId,
    /// When it happened, in Unix milliseconds.
    EventTime,
    /// When it was stored, in Unix milliseconds.
    StoredAt,
    /// The message it answers.
    ParentId,
    /// The tool call it answers.
    ToolCallId,
    /// A place in its metadata: names joined by dots. A name that itself holds dots is found by its whole text.
    Metadata(String),
    /// A field that only memories, or only sessions, have: one of [`ATTRIBUTES`]. Times are Unix milliseconds.
    Attribute(&'static str),
}

/// Fields that messages do not have.
pub const ATTRIBUTES: &[&str] = &[
    "type",
    "status",
    "category",
    "importance",
    "content_hash",
    "source_sessions",
    "created_at",
    "updated_at",
    "expires_at",
    "last_activity",
    "relevance_score",
];

/// What a field must hold. A field that is missing passes `ne`, `nin` and `exists: false`, nothing else.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// The same value; numbers by value, so 1 is 1.0.
    Eq(Value),
    /// Not `eq`.
    Ne(Value),
    /// One of the values.
    In(Vec<Value>),
    /// None of the values.
    Nin(Vec<Value>),
    /// More: numbers by value, texts by code point; else false.
    Gt(Value),
    /// More or the same.
    Gte(Value),
    /// Less.
    Lt(Value),
    /// Less or the same.
    Lte(Value),
    /// A text holds the text, a list holds the value.
    Contains(Value),
    /// The field is there, and not null.
    Exists(bool),
}

impl Filter {
    /// Does a message of `index` pass?
    pub fn passes(&self, index: &UserIndex, entry: &Entry) -> bool {
        self.passes_by(&|field| field.held(index, entry))
    }

    /// Does a thing pass whose fields are the members of `object`? Times are Unix milliseconds.
    pub fn passes_json(&self, object: &Value) -> bool {
        self.passes_by(&|field| {
            let value = match field {
                Field::Metadata(path) => find(object.get("metadata")?, path)?,
                field => object.get(field.name())?,
            };
            (!value.is_null()).then_some(Held::Json(value))
        })
    }

    fn passes_by<'a>(&self, held: &dyn Fn(&Field) -> Option<Held<'a>>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|filter| filter.passes_by(held)),
            Self::Or(any) => any.iter().any(|filter| filter.passes_by(held)),
            Self::Not(filter) => !filter.passes_by(held),
            Self::Is(condition) => condition.passes(held(&condition.field)),
        }
    }

    /// Does it speak of `metadata.archived`? Then archived messages are shown as it says.
    pub fn mentions_archived(&self) -> bool {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().any(Self::mentions_archived),
            Self::Not(filter) => filter.mentions_archived(),
            Self::Is(condition) => {
                matches!(&condition.field, Field::Metadata(path) if path == "archived")
            }
        }
    }
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Held<'a> {
    Text(&'a str),
    Time(u64),
    Json(&'a Value),
}

impl Condition {
    fn passes(&self, held: Option<Held<'_>>) -> bool {
        let ordered = |wanted: &Value, allowed: &[Ordering]| {
            held.and_then(|held| held.compare(wanted)).is_some_and(|found| allowed.contains(&found))
        };
        let equal = |wanted: &Value| held.is_some_and(|held| held.equals(wanted));
        match &self.operator {
            Operator::Eq(wanted) => equal(wanted),
            Operator::Ne(wanted) => !equal(wanted),
            Operator::In(wanted) => wanted.iter().any(equal),
            Operator::Nin(wanted) => !wanted.iter().any(equal),
            Operator::Gt(wanted) => ordered(wanted, &[Ordering::Greater]),
            Operator::Gte(wanted) => ordered(wanted, &[Ordering::Greater, Ordering::Equal]),
            Operator::Lt(wanted) => ordered(wanted, &[Ordering::Less]),
            Operator::Lte(wanted) => ordered(wanted, &[Ordering::Less, Ordering::Equal]),
            Operator::Contains(wanted) => held.is_some_and(|held| held.contains(wanted)),
            Operator::Exists(wanted) => held.is_some() == *wanted,
        }
    }
}

impl Field {
    fn held<'a>(&self, index: &'a UserIndex, entry: &'a Entry) -> Option<Held<'a>> {
        match self {
            Self::Id => Some(Held::Text(&entry.id)),
            Self::Role => text(index.strings.text(entry.role)),
            Self::Name => entry.name.map(|name| Held::Text(index.strings.text(name))),
            // A memory stands alone, under a name that no session can have.
            Self::SessionId => {
                text(index.session_name(entry.session)).filter(|_| entry.attributes.is_none())
            }
            Self::EventTime => entry.event_time.map(Held::Time),
            Self::StoredAt => Some(Held::Time(entry.stored_at)),
            Self::ParentId => entry.parent_id.as_deref().map(Held::Text),
            Self::ToolCallId => entry.tool_call_id.as_deref().map(Held::Text),
            Self::Metadata(path) => {
                let value = find(entry.metadata.as_deref()?, path)?;
                (!value.is_null()).then_some(Held::Json(value))
            }
            Self::Attribute(name) => {
                let value = entry.attributes.as_deref()?.get(name)?;
                (!value.is_null()).then_some(Held::Json(value))
            }
        }
    }

    /// Its name in a filter, but for a place in the metadata.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Role => "role",
            Self::Name => "name",
            Self::SessionId => "session_id",
            Self::EventTime => "event_time",
            Self::StoredAt => "stored_at",
            Self::ParentId => "parent_id",
            Self::ToolCallId => "tool_call_id",
            Self::Metadata(_) => "metadata",
            Self::Attribute(name) => name,
        }
    }
}

fn text(text: &str) -> Option<Held<'_>> {
    (!text.is_empty()).then_some(Held::Text(text))
}

/// The value at a path: the whole rest as one name first, then name by name.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.get(path).or_else(|| {
        let (head, rest) = path.split_once('.')?;
        find(value.get(head)?, rest)
    })
}

impl Held<'_> {
    fn equals(self, wanted: &Value) -> bool {
        match self {
            Self::Json(held) if !held.is_number() => held == wanted,
            _ => self.compare(wanted) == Some(Ordering::Equal),
        }
    }

    /// `None` where the two are not of a kind that has an order.
    fn compare(self, wanted: &Value) -> Option<Ordering> {
        match (self, wanted) {
            (Self::Text(held), Value::String(wanted)) => Some(held.cmp(wanted)),
            (Self::Json(Value::String(held)), Value::String(wanted)) => Some(held.cmp(wanted)),
            (Self::Time(held), Value::Number(wanted)) => compare_numbers(&held.into(), wanted),
            (Self::Json(Value::Number(held)), Value::Number(wanted)) => {
                compare_numbers(held, wanted)
            }
            _ => None,
        }
    }

    fn contains(self, wanted: &Value) -> bool {
        match (self, wanted) {
            (Self::Text(held), Value::String(wanted)) => held.contains(wanted.as_str()),
            (Self::Json(Value::String(held)), Value::String(wanted)) => {
                held.contains(wanted.as_str())
            }
            (Self::Json(Value::Array(held)), wanted) => {
                held.iter().any(|held| Held::Json(held).equals(wanted))
            }
            _ => false,
        }
    }
}

/// Integers exactly, anything else as floats.
fn compare_numbers(a: &serde_json::Number, b: &serde_json::Number) -> Option<Ordering> {
    let integer = |number: &serde_json::Number| {
        number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
    };
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}
