//! Reads a filter from JSON; what it refuses, it refuses with the place and the nearest word that it knows.

use crate::filter::{ATTRIBUTES, Condition, Field, Filter, Operator};
use holdfast_core::{Case, Error, Result};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MAX_DEPTH: usize = 8;
const MAX_NODES: usize = 64;
const MAX_VALUES: usize = 1000;

const FIELDS: &[&str] = &[
    "id",
    "role",
    "name",
    "session_id",
    "event_time",
    "stored_at",
    "parent_id",
    "tool_call_id",
    "metadata",
    "AND",
    "OR",
    "NOT",
];
const OPERATORS: &[&str] =
    &["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "exists"];

impl Filter {
    /// Reads a filter such as `{"AND":[{"role":{"eq":"user"}},{"event_time":{"gte":"2026-01-01T00:00:00Z"}}]}`.
    /// Several keys in one object must all pass; `{}` passes everything.
    ///
    /// # Errors
    /// `invalid`; `field` is a JSON pointer inside the filter.
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).map_err(|cause| {
            Error::because(Case::Invalid, "malformed_json", "the filter is not valid JSON")
                .caused_by(cause)
        })?;
        Self::from_json(&value)
    }

    /// Reads a filter that is already JSON.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn from_json(value: &Value) -> Result<Self> {
        Reader { nodes: 0 }.filter(value, "", 1)
    }
}

struct Reader {
    nodes: usize,
}

impl Reader {
    fn filter(&mut self, value: &Value, at: &str, depth: usize) -> Result<Filter> {
        if depth > MAX_DEPTH {
            return Err(refuse(at, format!("a filter is at most {MAX_DEPTH} deep")));
        }
        let Value::Object(object) = value else {
            return Err(refuse(
                at,
                "a filter must be an object such as {\"role\":{\"eq\":\"user\"}}",
            ));
        };
        let parts = object.iter().map(|(key, value)| {
            let at = format!("{at}/{}", escape(key));
            match key.as_str() {
                "AND" => self.list(value, &at, depth).map(Filter::And),
                "OR" => self.list(value, &at, depth).map(Filter::Or),
                "NOT" => self.not(value, &at, depth),
                _ => self.field(key, value, &at),
            }
        });
        one_or_all(parts.collect::<Result<_>>()?)
    }

    fn list(&mut self, value: &Value, at: &str, depth: usize) -> Result<Vec<Filter>> {
        self.node(at)?;
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return Err(refuse(at, "must be a list of at least one filter"));
        };
        let items = items.iter().enumerate();
        items.map(|(n, item)| self.filter(item, &format!("{at}/{n}"), depth + 1)).collect()
    }

    fn not(&mut self, value: &Value, at: &str, depth: usize) -> Result<Filter> {
        self.node(at)?;
        Ok(Filter::Not(Box::new(self.filter(value, at, depth + 1)?)))
    }

    fn field(&mut self, name: &str, value: &Value, at: &str) -> Result<Filter> {
        let field = Field::parse(name)
            .ok_or_else(|| unknown(at, "field", name, &[FIELDS, ATTRIBUTES].concat()))?;
        let Some(operators) = value.as_object().filter(|operators| !operators.is_empty()) else {
            return Err(refuse(at, format!("must be an object such as {{\"eq\":{value}}}")));
        };
        let conditions = self.conditions(&field, operators, at)?;
        one_or_all(conditions)
    }

    fn conditions(
        &mut self,
        field: &Field,
        operators: &Map<String, Value>,
        at: &str,
    ) -> Result<Vec<Filter>> {
        let mut conditions = Vec::new();
        for (name, value) in operators {
            let at = format!("{at}/{}", escape(name));
            self.node(&at)?;
            let operator = operator(field, name, value, &at)?;
            conditions.push(Filter::Is(Condition { field: field.clone(), operator }));
        }
        Ok(conditions)
    }

    fn node(&mut self, at: &str) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(refuse(at, format!("a filter has at most {MAX_NODES} nodes")));
        }
        Ok(())
    }
}

impl Field {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "role" => Self::Role,
            "name" => Self::Name,
            "session_id" => Self::SessionId,
            "event_time" => Self::EventTime,
            "stored_at" => Self::StoredAt,
            "parent_id" => Self::ParentId,
            "tool_call_id" => Self::ToolCallId,
            _ => match ATTRIBUTES.iter().find(|known| **known == name) {
                Some(known) => Self::Attribute(known),
                None => Self::Metadata(
                    name.strip_prefix("metadata.").filter(|path| !path.is_empty())?.to_owned(),
                ),
            },
        })
    }

    fn is_time(&self) -> bool {
        match self {
            Self::EventTime | Self::StoredAt | Self::Attribute("last_activity") => true,
            Self::Attribute(name) => name.ends_with("_at"),
            _ => false,
        }
    }

    /// May be a number.
    fn is_free(&self) -> bool {
        matches!(self, Self::Metadata(_) | Self::Attribute("importance" | "relevance_score"))
    }
}

fn operator(field: &Field, name: &str, value: &Value, at: &str) -> Result<Operator> {
    let one = || operand(field, value, at);
    let ordered = || one().and_then(|value| has_order(value, at));
    Ok(match name {
        "eq" => Operator::Eq(one()?),
        "ne" => Operator::Ne(one()?),
        "in" => Operator::In(operands(field, value, at)?),
        "nin" => Operator::Nin(operands(field, value, at)?),
        "gt" => Operator::Gt(ordered()?),
        "gte" => Operator::Gte(ordered()?),
        "lt" => Operator::Lt(ordered()?),
        "lte" => Operator::Lte(ordered()?),
        "contains" if field.is_time() => {
            return Err(refuse(at, "a time cannot be asked what it contains"));
        }
        "contains" => Operator::Contains(one()?),
        "exists" => {
            Operator::Exists(value.as_bool().ok_or_else(|| refuse(at, "must be true or false"))?)
        }
        _ => return Err(unknown(at, "operator", name, OPERATORS)),
    })
}

fn operands(field: &Field, value: &Value, at: &str) -> Result<Vec<Value>> {
    let values = value.as_array().ok_or_else(|| refuse(at, "must be a list of values"))?;
    if values.len() > MAX_VALUES {
        return Err(refuse(at, format!("must hold at most {MAX_VALUES} values")));
    }
    values
        .iter()
        .enumerate()
        .map(|(n, value)| operand(field, value, &format!("{at}/{n}")))
        .collect()
}

fn operand(field: &Field, value: &Value, at: &str) -> Result<Value> {
    match (field, value) {
        (field, _) if field.is_free() => Ok(value.clone()),
        (field, Value::Number(number)) if field.is_time() => match number.as_u64() {
            Some(_) => Ok(value.clone()),
            None => Err(refuse(at, "must be Unix milliseconds or an RFC 3339 time")),
        },
        (field, Value::String(text)) if field.is_time() => milliseconds(text, at),
        (_, Value::String(_)) if !field.is_time() => Ok(value.clone()),
        (field, _) if field.is_time() => {
            Err(refuse(at, "must be an RFC 3339 time such as \"2026-01-01T00:00:00Z\""))
        }
        _ => Err(refuse(at, "must be a text")),
    }
}

fn milliseconds(text: &str, at: &str) -> Result<Value> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|cause| {
        refuse(at, "must be an RFC 3339 time such as \"2026-01-01T00:00:00Z\"").caused_by(cause)
    })?;
    let milliseconds = time.unix_timestamp_nanos() / 1_000_000;
    Ok(i64::try_from(milliseconds).unwrap_or(i64::MAX).into())
}

fn has_order(value: Value, at: &str) -> Result<Value> {
    match value {
        Value::Number(_) | Value::String(_) => Ok(value),
        _ => Err(refuse(at, "must be a number or a text")),
    }
}

fn one_or_all(mut filters: Vec<Filter>) -> Result<Filter> {
    match filters.pop() {
        Some(only) if filters.is_empty() => Ok(only),
        Some(last) => {
            filters.push(last);
            Ok(Filter::And(filters))
        }
        None => Ok(Filter::And(filters)),
    }
}

fn refuse(at: &str, detail: impl Into<String>) -> Error {
    Error::unprocessable(at, detail)
}

fn unknown(at: &str, what: &str, name: &str, known: &[&str]) -> Error {
    let nearest = known.iter().min_by_key(|known| distance(name, known)).copied().unwrap_or("");
    let name: String = name.chars().take(40).collect();
    let nearest = if nearest == "metadata" { "metadata.<path>" } else { nearest };
    let detail = format!("no {what} {name:?}; the nearest is {nearest:?}");
    Error::because(Case::Invalid, "unknown_field", detail).at(at)
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let changed = corner + usize::from(!x.eq_ignore_ascii_case(y));
            corner = *cell;
            left = changed.min(corner + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
