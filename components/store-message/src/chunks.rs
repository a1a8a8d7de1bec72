//! Parts of messages and messages by their content: `…/messages/:id/chunks`, `?content_hash=`.

use crate::history;
use holdfast_core::access::Permission;
use holdfast_core::{Error, Result, SessionId};
use holdfast_formats::rest;
use holdfast_kit::index;
use holdfast_kit::read::{as_of, noun, reading, stored};
use holdfast_kit::{Answer, Call};
use serde_json::{Value, json};

/// The chunks of a message as it is searched: byte ranges of its text, which rejoin to it exactly.
pub async fn list(call: &Call, session: &str, id: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency", "as_of"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, None)?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let reading = as_of(reading, call.query.get("as_of"))?;
    let found = history::get(&scope, &SessionId::parse(session)?, id, reading).await?;
    let item = found.item.ok_or_else(|| Error::not_found("there is no such message"))?;
    let text = noun(&item)?.text();
    let chunk = |(index, range): (usize, std::ops::Range<usize>)| {
        let content = text.get(range.clone()).unwrap_or_default();
        let (start, end) = (range.start, range.end);
        json!({"response_id": item.id, "chunk_index": index, "start": start, "end": end, "content": content})
    };
    let chunks = holdfast_search::chunks(&text).into_iter().enumerate().map(chunk);
    let items: Vec<String> = chunks.map(|chunk| chunk.to_string()).collect();
    Ok(Answer::list(&items, None).seen(call.state, &scope, &found.frontier.into()))
}

/// Messages whose searched text has a SHA-256, oldest first, of a session or of all.
pub async fn by_content(call: &Call, user: Option<&str>, session: Option<&str>) -> Result<Answer> {
    call.query.only(&["user_id", "content_hash", "consistency"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, user)?;
    let hash = call.query.get("content_hash").unwrap_or_default().to_ascii_lowercase();
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let detail = "content_hash must be the SHA-256 of a text: 64 hex digits";
        return Err(Error::invalid(detail).at("content_hash"));
    }
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    let session = session.map(|id| SessionId::parse(id).map(|id| id.to_string())).transpose()?;
    let found = index::find_content((&scope).into(), session, hash, reading).await?;
    let message = |item: &index::Message| {
        let json = rest::message_json(&stored(item, &noun(item)?)?);
        let open = json.strip_suffix('}').unwrap_or(&json);
        Ok(format!("{open},\"session_id\":{}}}", Value::from(item.session.as_str())))
    };
    let items: Vec<String> = found.items.iter().map(message).collect::<Result<_>>()?;
    Ok(Answer::list(&items, None).seen(call.state, &scope, &found.frontier.into()))
}
