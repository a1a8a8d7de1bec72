//! What a caller wants, and the steps towards it.

use crate::source::Indexed;
use holdfast_core::clock::parse_rfc3339;
use holdfast_core::ports::Outside;
use holdfast_core::{Error, Result, TenantId, UserId};
use holdfast_export::{Asked, Rated, Selection, Shown, Status};
use holdfast_formats::training::{Format, Shares};
use holdfast_kit::{Bucket, GuestClock, GuestIds, State};
use serde_json::{Map, Value};

/// A call advances for about so many milliseconds.
const CALL: u64 = 8_000;

/// A wish as HTTP and the door have it.
#[derive(Debug, Default)]
pub struct Wish {
    pub format: String,
    pub users: Vec<String>,
    pub sessions: Vec<String>,
    pub since: Option<String>,
    pub until: Option<String>,
    pub metadata: Option<String>,
    pub feedback: Option<String>,
    pub shares: Shares,
    pub seed: u64,
    pub anonymize: bool,
    pub untrusted: bool,
    pub as_of: Option<String>,
    /// Key id of who wishes.
    pub by: String,
    /// The one user that a user's key acts for.
    pub owner: Option<String>,
}

/// The ports of an export.
pub fn outside(state: &State) -> Outside<'_, Bucket, GuestClock, GuestIds> {
    Outside { objects: &state.bucket, clock: &GuestClock, ids: &GuestIds }
}

/// Begins what is wished for.
///
/// # Errors
/// `invalid` with the field at fault; what the store may answer.
pub async fn begin(state: &State, tenant: &TenantId, wish: Wish) -> Result<Shown> {
    let asked = asked(wish, state.bucket.now())?;
    holdfast_export::start(&outside(state), tenant, asked).await
}

fn asked(wish: Wish, now: u64) -> Result<Asked> {
    let time = |name: &'static str, text: Option<&str>| {
        text.map(parse_rfc3339).transpose().map_err(|error| error.at(name))
    };
    let users = match &wish.owner {
        Some(owner) if wish.users.iter().any(|user| user != owner) => {
            return Err(Error::denied("this key acts for one user: name no other in users"));
        }
        Some(owner) => vec![owner.clone()],
        None => wish.users.clone(),
    };
    for user in &users {
        UserId::parse(user).map_err(|error| error.at("users"))?;
    }
    if wish.shares.validation + wish.shares.test > 900 {
        let detail =
            "validation and test take at most nine sessions of ten: leave some to learn from";
        return Err(Error::unprocessable("split", detail));
    }
    let as_of = time("as_of", wish.as_of.as_deref())?.unwrap_or(now).min(now);
    Ok(Asked {
        v: 1,
        format: format(&wish.format)?,
        selection: Selection {
            users,
            sessions: wish.sessions.clone(),
            from: time("since", wish.since.as_deref())?,
            to: time("until", wish.until.as_deref())?,
            metadata: metadata(wish.metadata.as_deref())?,
            feedback: wish.feedback.as_deref().map(rated).transpose()?,
        },
        shares: wish.shares,
        seed: wish.seed,
        anonymize: wish.anonymize,
        untrusted: wish.untrusted,
        as_of,
        created: now,
        by: wish.by,
        owner: wish.owner,
    })
}

fn format(name: &str) -> Result<Format> {
    Format::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
        Error::unprocessable("format", format!("format must be one of {}", names.join(", ")))
    })
}

fn rated(name: &str) -> Result<Rated> {
    let known = Rated::ALL.into_iter().find(|rated| rated.name() == name);
    known.ok_or_else(|| Error::unprocessable("feedback", "feedback must be up, down or any"))
}

fn metadata(text: Option<&str>) -> Result<Map<String, Value>> {
    match text.map(serde_json::from_str) {
        None => Ok(Map::new()),
        Some(Ok(Value::Object(map))) => Ok(map),
        Some(_) => Err(Error::unprocessable("metadata", "metadata must be an object")),
    }
}

/// Goes on for a while.
///
/// # Errors
/// `not_found`; what index and store may answer.
pub async fn advance(
    state: &State,
    tenant: &TenantId,
    id: &str,
    owner: Option<&str>,
) -> Result<Shown> {
    let outside = outside(state);
    let mut shown = holdfast_export::show(&outside, tenant, id, owner).await?;
    let source = Indexed { state, tenant };
    let begun = state.bucket.now();
    let secret = &state.settings.root_secret;
    while shown.status == Status::Running && state.bucket.now().saturating_sub(begun) < CALL {
        shown = holdfast_export::advance(&outside, &source, tenant, id, secret).await?;
    }
    Ok(shown)
}
