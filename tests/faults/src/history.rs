//! A session read back in pages, as its JSON text.

use crate::{Api, long};
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A page as it came.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// The JSON text of `data`.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// What is compared of a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Its rank, from 1.
    pub index: u64,
    /// Its order.
    pub order: String,
    /// Its text.
    pub content: String,
}

/// Every message of a session, and the text of its pages; empty when there is no such session.
///
/// # Panics
/// For any answer but 200 and, at the first page, 404.
pub async fn history(
    api: &Api,
    user: &str,
    session: &str,
    after: Option<&str>,
    consistency: &str,
) -> (Vec<Item>, Vec<String>) {
    // Small pages try the cursors. Each looks at the store again, and the long form's journals are long.
    let limit = if long() { 500 } else { 17 };
    let path = format!(
        "/v1/sessions/{session}/messages?user_id={user}&limit={limit}&consistency={consistency}"
    );
    let (mut items, mut texts, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let answer = api.patiently(Method::GET, &format!("{path}{cursor}"), None, after).await;
        if answer.status == 404 && texts.is_empty() {
            return (items, texts);
        }
        let answer = answer.expect(200);
        let page: Page<'_> = serde_json::from_slice(&answer.body).expect("a page");
        items.extend(serde_json::from_str::<Vec<Item>>(page.data.get()).expect("messages"));
        texts.push(page.data.get().to_owned());
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, texts),
        }
    }
}
