//! What reads share: what an answer must include, the index's messages as nouns, tokens and lists on the way out.

use crate::wit::{index, memory};
use crate::{Answer, State};
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::message::Message;
use holdfast_core::token::{Frontier, Signer};
use holdfast_core::{Error, Hlc, Order, Result, Scope};
use holdfast_formats::Stored;

/// Largest page of a list.
pub const MAX_PAGE: u32 = 1_000;
/// Page of a list that names none.
pub const PAGE: u32 = 100;

/// What an answer must include, from the words of a request.
///
/// # Errors
/// `invalid` when `consistency` is neither `latest` nor `local`.
pub fn reading(consistency: Option<&str>, after: Option<Frontier>) -> Result<index::Reading> {
    let consistency = match consistency {
        None | Some("latest") => index::Consistency::Latest,
        Some("local") => index::Consistency::Local,
        Some(_) => {
            let detail = "consistency must be latest or local";
            return Err(Error::invalid(detail).at("consistency"));
        }
    };
    Ok(index::Reading { consistency, after: after.map(index::Frontier::from), as_of: None })
}

/// The same reading as of a time, RFC 3339 (its whole millisecond), when there is one.
///
/// # Errors
/// `invalid` when it is no time.
pub fn as_of(reading: index::Reading, time: Option<&str>) -> Result<index::Reading> {
    let until = |time: &str| {
        let milliseconds = parse_rfc3339(time).map_err(|error| error.at("as_of"))?;
        Ok::<_, Error>(Hlc::at(milliseconds + 1).0 - 1)
    };
    Ok(index::Reading { as_of: time.map(until).transpose()?, ..reading })
}

/// Checks that a typed door's reading asks for the present.
///
/// # Errors
/// `invalid` when it has an `as-of`.
pub fn present(how: &memory::Reading) -> Result<()> {
    match how.as_of {
        None => Ok(()),
        Some(_) => Err(Error::invalid("this knows only the present: leave as_of out").at("as_of")),
    }
}

/// What names a list's query beside its own words: cursors of one time serve no other.
pub fn named(list: String, reading: &index::Reading) -> String {
    match reading.as_of {
        None => list,
        Some(until) => format!("{list} as of {until}"),
    }
}

/// The index names places inside a filter; the caller knows them below `filters`: a parameter, or a pointer into the body.
pub fn in_filters(error: Error, filters: &str) -> Error {
    match error.field.clone() {
        Some(at) if at.is_empty() || at.starts_with('/') => error.at(format!("{filters}{at}")),
        _ => error,
    }
}

/// A reading of the latest, which includes what was seen before.
pub fn latest(seen: &Frontier) -> index::Reading {
    let after = Some(seen.clone().into()).filter(|seen: &index::Frontier| seen.hlc > 0);
    index::Reading { consistency: index::Consistency::Latest, after, as_of: None }
}

/// What a typed door's `after` says that the answer must include.
///
/// # Errors
/// `invalid_token`.
pub fn after(state: &State, scope: &Scope, text: Option<&str>) -> Result<Option<Frontier>> {
    text.map(|text| state.signer(scope).read_after(text, state.bucket.now())).transpose()
}

/// The caller's part of a message of the index.
///
/// # Errors
/// `corrupt` when its record cannot be read.
pub fn noun(found: &index::Message) -> Result<Message> {
    serde_json::from_str(&found.body)
        .map_err(|e| Error::corrupt(format!("message {} cannot be read", found.id)).caused_by(e))
}

/// A message of the index as the formats write it.
///
/// # Errors
/// `corrupt` when its order cannot be read.
pub fn stored<'a>(found: &'a index::Message, message: &'a Message) -> Result<Stored<'a>> {
    let order = Order::parse(&found.order)
        .map_err(|e| Error::corrupt(format!("message {} has no order", found.id)).caused_by(e))?;
    Ok(Stored {
        id: &found.id,
        conflict_of: found.conflict_of.as_deref(),
        index: found.rank,
        order,
        restored_from: found.restored_from.as_deref(),
        message,
    })
}

/// A part of a list, in the words of a request.
pub struct Asked {
    /// The cursor of the page before.
    pub cursor: Option<String>,
    /// At most so many items.
    pub limit: u32,
    /// Newest first.
    pub descending: bool,
}

impl From<memory::Page> for Asked {
    fn from(page: memory::Page) -> Self {
        let limit = page.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
        Self { cursor: page.cursor, limit, descending: page.descending }
    }
}

/// A list's cursors: they serve one scope and one query.
pub struct Cursors<'a> {
    signer: Signer<'a>,
    query: String,
}

impl<'a> Cursors<'a> {
    /// Cursors over the list `what`, in one direction.
    pub fn new(state: &'a State, scope: &'a Scope, what: &str, descending: bool) -> Self {
        let direction = if descending { "desc" } else { "asc" };
        Self { signer: state.signer(scope), query: format!("{what} {direction}") }
    }

    /// The page that is asked for.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub fn page(&self, asked: &Asked) -> Result<index::Page> {
        let read = |cursor: &String| self.signer.read_cursor(&self.query, cursor);
        let after = asked.cursor.as_ref().map(read).transpose()?;
        let rank = after.map(|(_, rank)| rank);
        let after = after.map(|(order, _)| order.to_string());
        Ok(index::Page { after, rank, limit: asked.limit, descending: asked.descending })
    }

    /// The cursor after the item of this order and rank, when there is one.
    ///
    /// # Errors
    /// `invalid` when the order is none.
    pub fn next(&self, last: Option<(&str, u32)>) -> Result<Option<String>> {
        let Some((order, rank)) = last else { return Ok(None) };
        Ok(Some(self.signer.cursor(&self.query, Order::parse(order)?, rank)))
    }
}

impl Answer {
    /// With the token of what the answer saw.
    #[must_use]
    pub fn seen(self, state: &State, scope: &Scope, frontier: &Frontier) -> Self {
        self.with("holdfast-after", state.signer(scope).after(frontier))
    }

    /// A list whose items are JSON texts.
    pub fn list(items: &[String], next_cursor: Option<&str>) -> Self {
        Self::list_with(items, &[], next_cursor)
    }

    /// A list, and what came late into the pages before this one.
    pub fn list_with(items: &[String], late: &[String], next_cursor: Option<&str>) -> Self {
        let next = next_cursor.map_or("null".to_owned(), |next| format!("\"{next}\""));
        let (data, more) = (items.join(","), next_cursor.is_some());
        let late = match late {
            [] => String::new(),
            late => format!(",\"late\":[{}]", late.join(",")),
        };
        let list = format!("\"data\":[{data}],\"next_cursor\":{next},\"has_more\":{more}");
        Self::raw(200, format!("{{{list}{late}}}"))
    }
}
