//! Statistics of a session: `/v1/sessions/:session/statistics`. Nothing is stored: all nine are counted from what is there.

use crate::things;
use crate::verbs;
use holdfast_core::clock::rfc3339;
use holdfast_core::message::Role;
use holdfast_core::thing::ThingKind;
use holdfast_core::{Hlc, Result, SessionId};
use holdfast_kit::index::{self, Consistency, Page, Reading};
use holdfast_kit::read::{MAX_PAGE, noun};
use holdfast_kit::things::all;
use holdfast_kit::{Answer, Call, tokens};
use serde_json::json;

#[derive(Default)]
struct Counts {
    messages: u64,
    human: u64,
    ai: u64,
    tokens: u64,
    characters: u64,
    first: Option<u64>,
    last: Option<u64>,
}

impl Counts {
    fn add(&mut self, page: &[index::Message]) -> Result<()> {
        let mut texts = Vec::with_capacity(page.len());
        for message in page {
            let said = noun(message)?;
            self.messages += 1;
            self.human += u64::from(said.role == Role::User);
            self.ai += u64::from(said.role == Role::Assistant);
            let at = Hlc(message.at).milliseconds();
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = self.last.max(Some(at));
            let text = said.text();
            self.characters += text.chars().count() as u64;
            texts.push(text);
        }
        self.tokens += tokens::count(&texts).into_iter().map(u64::from).sum::<u64>();
        Ok(())
    }
}

/// The nine fields.
pub async fn get(call: &Call, session: &str) -> Result<Answer> {
    let scope = things::reads(call, None, &[]).await?;
    let (session, how) = (SessionId::parse(session)?, things::how(call, &scope)?);
    let (shown, frontier) = verbs::get(&scope, &session, how.clone()).await?;
    let local = Reading { consistency: Consistency::Local, ..how };
    let (mut counts, mut after) = (Counts::default(), None);
    loop {
        let page = Page { after, rank: None, limit: MAX_PAGE, descending: false };
        let found =
            index::history((&scope).into(), session.to_string(), page, local.clone()).await?;
        counts.add(&found.items)?;
        after = found.items.last().map(|last| last.order.clone());
        if !found.more {
            break;
        }
    }
    let (entries, _) = all(&scope, (ThingKind::Context, Some(&session), None), local).await?;
    let average = match counts.messages {
        0 => 0.0,
        #[expect(clippy::cast_precision_loss, reason = "a session has fewer characters than 2^52")]
        messages => counts.characters as f64 / messages as f64,
    };
    let duration = counts.first.zip(counts.last).map_or(0, |(first, last)| last - first);
    let body = json!({
        "session_id": session,
        "message_count": counts.messages,
        "human_message_count": counts.human,
        "ai_message_count": counts.ai,
        "total_tokens": counts.tokens,
        "average_message_length": average,
        "context_count": entries.len(),
        "session_duration": milliseconds(duration),
        "last_summary_update": counts.last.map_or(shown.last_activity, rfc3339),
    });
    Ok(Answer::json(200, &body).seen(call.state, &scope, &frontier))
}

/// Seconds.
#[expect(clippy::cast_precision_loss, reason = "a session lasts less than 2^52 milliseconds")]
fn milliseconds(duration: u64) -> f64 {
    duration as f64 / 1000.0
}
