//! What is said of a user as a whole: names, whether it may train, how long messages are kept.

use holdfast_core::access::Permission;
use holdfast_core::record::{Kind, Record};
use holdfast_core::retention::UserFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope};
use holdfast_formats::Body;
use holdfast_kit::index::{self, Reading};
use holdfast_kit::read::{latest, reading};
use holdfast_kit::write::{Author, of_user};
use holdfast_kit::{Answer, Call, State};
use serde_json::json;

const FIELDS: &[&str] = &["names", "no_train", "retention_days", "user_id"];
/// A century.
const MOST_DAYS: u32 = 36_500;
const MOST_NAMES: usize = 32;

/// What is said of a user, and how long that makes messages be kept.
pub struct Known {
    /// What was said last.
    pub fields: UserFields,
    /// Messages are kept for so many days; 0 is for ever.
    pub kept_days: u32,
    /// Order of the record that said it; empty when none did.
    pub order: String,
    /// What the answer saw.
    pub frontier: Frontier,
}

/// What is said of the user now.
pub async fn get(scope: &Scope, reading: Reading) -> Result<Known> {
    let found = index::find_user(scope.into(), reading).await?;
    let fields = found.body.as_deref().map(UserFields::decode).transpose()?;
    Ok(Known {
        fields: fields.unwrap_or_default(),
        kept_days: found.retention_days,
        order: found.order,
        frontier: found.frontier.into(),
    })
}

/// Says it anew.
///
/// # Errors
/// `precondition_failed` when `if_match` is not its etag now; `invalid` for a retention or names beyond measure.
pub async fn put(
    state: &State,
    scope: &Scope,
    fields: UserFields,
    if_match: Option<&str>,
    author: Author,
) -> Result<Known> {
    if fields.retention_days.is_some_and(|days| days > MOST_DAYS) {
        let detail = format!("retention_days must be a whole number from 0 to {MOST_DAYS}");
        return Err(Error::invalid(detail).at("retention_days"));
    }
    if fields.names.len() > MOST_NAMES || fields.names.iter().any(|name| name.len() > 256) {
        let detail = format!("names must be at most {MOST_NAMES} of at most 256 bytes each");
        return Err(Error::invalid(detail).at("names"));
    }
    let now = get(scope, latest(&author.after)).await?;
    if if_match.is_some_and(|etag| etag.trim_matches('"') != now.order && etag != "*") {
        let detail = "the user was changed meanwhile: read it again";
        return Err(Error::because(Case::Conflict, "precondition_failed", detail).at("If-Match"));
    }
    if fields == now.fields && !now.order.is_empty() {
        return Ok(now);
    }
    let body = fields.encode()?;
    let written = of_user(state, scope, &author, now.frontier, |stamp| {
        Ok(vec![Record::of_user(Kind::User, scope.user.as_str(), stamp, body)])
    });
    let frontier = written.await?.frontier;
    get(scope, latest(&frontier)).await
}

/// `/v1/users/:user`.
pub async fn route(call: &Call, user: &str) -> Result<Answer> {
    match call.method.as_str() {
        "GET" => read(call, user).await,
        "PUT" => write(call, user).await,
        _ => Err(call.no_route(&["GET", "PUT"])),
    }
}

async fn read(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id", "consistency"])?;
    let caller = call.caller(Permission::Read).await?;
    let scope = call.scope(&caller, Some(user))?;
    let reading = reading(call.query.get("consistency"), call.after(&scope)?)?;
    Ok(shown(call, &scope, &get(&scope, reading).await?))
}

/// A retention deletes: naming one takes that permission, too.
async fn write(call: &Call, user: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let limits = &call.state.settings.limits;
    let bytes = call.body(limits.batch_bytes).await?;
    let mut body = Body::open(&bytes, limits, "a user", FIELDS)?;
    let fields = UserFields {
        names: body.strings("names").unwrap_or_default(),
        no_train: body.flag("no_train", false),
        retention_days: body.whole("retention_days", 0, MOST_DAYS),
    };
    let user_id = body.string("user_id");
    body.close()?;
    if user_id.is_some_and(|named| named != user) {
        let detail = "body and path name different users: name one";
        return Err(Error::because(Case::Invalid, "contradicting_scope", detail).at("user_id"));
    }
    if fields.retention_days.is_some_and(|days| days > 0) {
        caller.may(Permission::Delete)?;
    }
    let scope = call.scope(&caller, Some(user))?;
    let (author, if_match) = (call.author(&caller, &scope)?, call.header("if-match")?);
    let known = put(call.state, &scope, fields, if_match.as_deref(), author).await?;
    Ok(shown(call, &scope, &known))
}

fn shown(call: &Call, scope: &Scope, known: &Known) -> Answer {
    let body = json!({
        "id": scope.user.as_str(),
        "names": known.fields.names,
        "no_train": known.fields.no_train,
        "retention_days": known.fields.retention_days,
        "kept_days": known.kept_days,
    });
    let answer = Answer::json(200, &body).seen(call.state, scope, &known.frontier);
    match known.order.as_str() {
        "" => answer,
        order => answer.with("etag", format!("\"{order}\"")),
    }
}
