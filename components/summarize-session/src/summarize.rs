//! Covering the oldest messages that no summary covers; nothing is generated when there is nothing to cover.

use crate::spend::{self, Budget};
use holdfast_core::clock::rfc3339;
use holdfast_core::summary::{Idle, Rules, Summary, Weighed, oldest};
use holdfast_core::thing::{Source, ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId};
use holdfast_kit::index::{self, Consistency, Page, Reading, Thing};
use holdfast_kit::read::{latest, noun};
use holdfast_kit::things::{all, sources};
use holdfast_kit::write::{Author, NewThing, derived_id, known, record_things};
use holdfast_kit::{State, generator, tokens};
use std::collections::HashSet;

/// Tokens of a summary that names none, and the bounds of those that do.
pub const TOKENS: u32 = 400;
pub const TOKENS_RANGE: (u32, u32) = (64, 4_000);

/// Messages that one summary covers, at most.
const MOST: usize = 256;
/// Bytes of their text, at most: unless one message alone has more.
const BYTES: usize = 256 << 10;
/// Messages of one call to the index: they may have a megabyte each.
const PAGE: u32 = 50;
/// A summary that is so many times longer than asked for is none.
const LONGER: usize = 2;

/// What a summary shall be.
pub struct Wish {
    pub max_tokens: Option<usize>,
    pub keep: usize,
    pub tokens: u32,
    pub store: bool,
}

/// A summary with what it covers.
pub struct Shown {
    /// None when it is not stored.
    pub id: Option<String>,
    pub summary: Summary,
    pub covers: Vec<Source>,
    /// RFC 3339; none when it is not stored.
    pub stored_at: Option<String>,
}

/// What came of a call.
pub struct Outcome {
    pub made: Result<Shown, Idle>,
    /// More can be covered now.
    pub more: bool,
    /// What the tenant has spent today, where that is limited and something was spent.
    pub budget: Option<Budget>,
    pub frontier: Frontier,
}

/// A message that no summary covers.
struct Open {
    source: Source,
    speaker: String,
    at: u64,
    text: String,
    tokens: u64,
}

/// All of a session's summaries, in the order of what they cover.
pub async fn list(
    scope: &Scope,
    session: &SessionId,
    reading: Reading,
) -> Result<(Vec<Shown>, Frontier)> {
    let (found, frontier) = all(scope, (ThingKind::Summary, Some(session), None), reading).await?;
    let mut shown = found.iter().map(shown).collect::<Result<Vec<_>>>()?;
    shown.sort_by_key(|one| one.covers.first().map(|source| source.order));
    Ok((shown, frontier))
}

fn shown(thing: &Thing) -> Result<Shown> {
    Ok(Shown {
        id: Some(thing.id.clone()),
        summary: Summary::read(&thing.last.body)?,
        // Those of the record that stands: an earlier one of the same beginning may have covered more.
        covers: sources(&thing.last.sources)?,
        stored_at: Some(rfc3339(Hlc(thing.last.at).milliseconds())),
    })
}

/// Covers the oldest messages that no summary covers.
pub async fn summarize(
    state: &State,
    scope: &Scope,
    session: &SessionId,
    wish: &Wish,
    author: Author,
) -> Result<Outcome> {
    let exists =
        index::find_session(scope.into(), session.to_string(), latest(&author.after)).await?;
    if exists.item.is_none() {
        return Err(Error::not_found(format!("there is no session {session}")));
    }
    let local = Reading { consistency: Consistency::Local, after: None, as_of: None };
    let (summaries, frontier) = list(scope, session, local.clone()).await?;
    let read = read(scope, session, &summaries, local).await?;
    let texts: Vec<String> = summaries.iter().map(|one| one.summary.text.clone()).collect();
    let told: usize = tokens::count(&texts).into_iter().map(|count| count as usize).sum();
    let rules = Rules { max_tokens: wish.max_tokens, keep: wish.keep, most: MOST };
    let range = match oldest(&read.weighed, told, &rules) {
        Ok(range) => range,
        Err(idle) => {
            return Ok(Outcome { made: Err(idle), more: false, budget: None, frontier });
        }
    };
    let count = bounded(&read.open, range.len());
    let open = read.open.get(..count).unwrap_or_default();
    let Made { summary, tokens, budget } = generated(state, scope, open, wish.tokens).await?;
    let more = {
        let mut after = read.weighed;
        let done = after.iter_mut().skip(range.start).take(count);
        done.for_each(|one| one.covered = true);
        oldest(&after, told + tokens, &rules).is_ok()
    };
    let covers: Vec<Source> = open.iter().map(|one| one.source.clone()).collect();
    if !wish.store || !state.settings.store_summaries {
        let made = Ok(Shown { id: None, summary, covers, stored_at: None });
        return Ok(Outcome { made, more, budget, frontier });
    }
    let (shown, frontier) = store(state, (scope, session), summary, covers, author).await?;
    Ok(Outcome { made: Ok(shown), more, budget, frontier })
}

/// The messages of a session, weighed, and the oldest of those that are not covered.
struct Read {
    weighed: Vec<Weighed>,
    /// Without a gap, as many as one summary may cover.
    open: Vec<Open>,
}

async fn read(
    scope: &Scope,
    session: &SessionId,
    summaries: &[Shown],
    reading: Reading,
) -> Result<Read> {
    let covered: HashSet<Order> =
        summaries.iter().flat_map(|one| one.covers.iter().map(|source| source.order)).collect();
    let mut read = Read { weighed: Vec::new(), open: Vec::new() };
    let (mut after, mut ended, mut bytes) = (None, false, 0);
    loop {
        let page = Page { after, rank: None, limit: PAGE, descending: false };
        let found =
            index::history(scope.into(), session.to_string(), page, reading.clone()).await?;
        let nouns = found.items.iter().map(noun).collect::<Result<Vec<_>>>()?;
        let texts: Vec<String> = nouns.iter().map(|message| message.text()).collect();
        let counts = tokens::count(&texts);
        for (((message, noun), text), tokens) in
            found.items.iter().zip(nouns).zip(texts).zip(counts)
        {
            let order = Order::parse(&message.order)?;
            let covered = covered.contains(&order);
            read.weighed.push(Weighed { tokens: tokens as usize, covered });
            ended |= covered && !read.open.is_empty();
            if covered || ended || read.open.len() >= MOST || bytes > BYTES {
                continue;
            }
            bytes += text.len();
            let stored_as = message.conflict_of.clone().unwrap_or_else(|| message.id.clone());
            read.open.push(Open {
                source: Source {
                    session: session.clone(),
                    message: Some(stored_as),
                    order,
                    start: None,
                    end: None,
                },
                speaker: noun.name.clone().unwrap_or_else(|| noun.role.name().to_owned()),
                at: Hlc(message.at).milliseconds(),
                text,
                tokens: u64::from(tokens),
            });
        }
        after = found.items.last().map(|last| last.order.clone());
        if !found.more {
            return Ok(read);
        }
    }
}

/// How many of the first `most` fit into what a summary may cover: at least one.
fn bounded(open: &[Open], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |one: &&Open| {
        bytes += one.text.len();
        bytes <= BYTES
    };
    open.iter().take(most).take_while(fits).count().max(1).min(most)
}

/// A summary with its tokens.
struct Made {
    summary: Summary,
    tokens: usize,
    budget: Option<Budget>,
}

async fn generated(state: &State, scope: &Scope, open: &[Open], max_tokens: u32) -> Result<Made> {
    let said = open.iter().map(|one| generator::Utterance {
        speaker: one.speaker.clone(),
        at: Some(one.at),
        text: one.text.clone(),
    });
    let said = (said.collect(), open.iter().map(|one| one.tokens).sum());
    let bought = spend::summary(state, &scope.tenant, said, max_tokens).await?;
    let (made, budget) = (bought.written, bought.budget);
    let counted = tokens::count(std::slice::from_ref(&made.text)).into_iter().sum::<u32>() as usize;
    if counted > LONGER * max_tokens as usize {
        let detail = "the generator wrote more than it was asked for: nothing is stored";
        return Err(Error::because(Case::Unavailable, "model_unavailable", detail));
    }
    let summary = Summary {
        text: made.text,
        by: made.by,
        prompt_tokens: made.prompt_tokens,
        completion_tokens: made.completion_tokens,
    };
    Ok(Made { summary, tokens: counted, budget })
}

/// Keeps a summary. Two that begin with the same message are one: the later stands.
async fn store(
    state: &State,
    (scope, session): (&Scope, &SessionId),
    summary: Summary,
    covers: Vec<Source>,
    author: Author,
) -> Result<(Shown, Frontier)> {
    let first = covers.first().map(|source| source.order.to_string()).unwrap_or_default();
    let id = derived_id(scope, &["summary", session.as_str(), &first]);
    let body = ThingBody::new(&summary, covers.clone())?;
    let new =
        NewThing { kind: ThingKind::Summary, session: Some(session.clone()), id: id.clone(), body };
    let known = known(scope, session.as_str(), Vec::new()).await;
    let written = record_things(state, scope, author, &known, &[new]).await?;
    let at = written.orders.first().map(|order| rfc3339(order.hlc.milliseconds()));
    Ok((Shown { id: Some(id), summary, covers, stored_at: at }, written.frontier))
}
