//! Attachments of a session: `/v1/sessions/:session/attachments[/:name]`. Bytes first, the record after.

use crate::things::{self, times};
use crate::verbs;
use holdfast_core::access::Permission;
use holdfast_core::attachment::{Attachment, check_name};
use holdfast_core::thing::{ThingBody, ThingKind};
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Result, Scope, SessionId};
use holdfast_formats::entity::{Ranged, digest, disposition, media_type, names_tag, ranged};
use holdfast_kit::attach::{self, Coming};
use holdfast_kit::index::{self, Selection, Thing};
use holdfast_kit::read::{Asked, Cursors, MAX_PAGE, PAGE, latest, named};
use holdfast_kit::things::{find, missing, remove};
use holdfast_kit::write::{Author, Forgetting, NewThing, delete_thing, known, record_things};
use holdfast_kit::{Answer, Call, problem};
use serde_json::Value;

const KIND: ThingKind = ThingKind::Attachment;
/// What nobody says the type of.
const BYTES: &str = "application/octet-stream";

/// Whose it is, in which session, and its name.
struct Place<'a> {
    scope: Scope,
    session: SessionId,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn new(scope: Scope, session: &str, name: &'a str) -> Result<Self> {
        Ok(Self { scope, session: SessionId::parse(session)?, name: check_name(name)? })
    }

    fn thing(&self) -> things::Name<'_> {
        (KIND, Some(&self.session), self.name)
    }
}

/// What a request says of its bytes.
struct Sent {
    media_type: String,
    sha256: Option<String>,
}

impl Sent {
    fn of(call: &Call) -> Result<Self> {
        if call.header("content-encoding")?.is_some_and(|coding| coding.trim() != "identity") {
            let detail = "bytes are kept as they are: send them without Content-Encoding";
            return Err(Error::because(Case::Invalid, "unsupported_media_type", detail));
        }
        let kind = call.header("content-type")?.unwrap_or_else(|| BYTES.to_owned());
        let media_type = media_type(&kind).ok_or_else(|| {
            let detail = "Content-Type must be a media type of at most 255 plain characters";
            Error::invalid(detail).at("Content-Type")
        })?;
        let sha256 = match call.header("content-digest")? {
            None => None,
            Some(named) => Some(digest(&named).ok_or_else(|| {
                let detail = "Content-Digest must name a SHA-256 in base64, as sha-256=:…:";
                Error::invalid(detail).at("Content-Digest")
            })?),
        };
        Ok(Self { media_type: media_type.to_owned(), sha256 })
    }
}

/// Puts an attachment: the same name again takes its place, and the same bytes again write nothing.
pub async fn put(call: &Call, session: &str, name: &str) -> Result<Answer> {
    call.query.only(&["user_id"])?;
    let caller = call.caller(Permission::Write).await?;
    let place = Place::new(call.scope(&caller, None)?, session, name)?;
    let sent = Sent::of(call)?;
    let author = call.author(&caller, &place.scope)?;
    standing(call, &place, &author).await?;
    let first = known(&place.scope, place.session.as_str(), Vec::new()).await;
    let mut coming = attach::begin(call.state, &place.scope, &first).await?;
    let came = receive(call, &mut coming, &sent).await;
    // Much may have happened while it came.
    let (attachment, before) = match came {
        Ok(attachment) => match standing(call, &place, &author).await {
            Ok(before) => (attachment, before),
            Err(error) => return withdrawn(coming, error).await,
        },
        Err(error) => return withdrawn(coming, error).await,
    };
    if let (Some(thing), frontier) = &before
        && same(&Attachment::read(&thing.last.body)?, &attachment)
        && attach::is_there(call.state, &place.scope, &Attachment::read(&thing.last.body)?).await?
    {
        coming.withdraw().await;
        return shown(call, &place.scope, 200, thing, frontier);
    }
    let body = ThingBody::new(&attachment, Vec::new())?;
    let text = body.text.to_string();
    let (session, id) = (Some(place.session.clone()), place.name.to_owned());
    let new = NewThing { kind: KIND, session, id, body };
    let by = author.by.clone();
    // What others wrote while it came lies below it.
    let author = Author { by: author.by, after: before.1.clone() };
    let known = known(&place.scope, place.session.as_str(), Vec::new()).await;
    let written = match record_things(call.state, &place.scope, author, &known, &[new]).await {
        Ok(written) => written,
        // The record may be there, or come: it must have its bytes.
        Err(error) if error.reason == "outcome_unknown" => return Err(error),
        Err(error) => return withdrawn(coming, error).await,
    };
    match coming.check().await {
        // The user was erased meanwhile: all that stood there went with that, and this goes after it. Its bytes go by what
        // looks whether anything names them: a record by a clock that was set ahead may stand above the delete.
        Err(error) if error.case == Case::Conflict => {
            let author = Author { by, after: written.frontier };
            let forgetting = Forgetting { name: place.thing(), physical: true };
            delete_thing(call.state, &place.scope, author, &known, forgetting).await?;
            return Err(error);
        }
        // The record stands, and has its bytes.
        Err(error) => return Err(unsure(error)),
        Ok(()) => {}
    }
    let status = if before.0.is_some() { 200 } else { 201 };
    let order = written.orders.first().ok_or_else(|| Error::internal("nothing was written"))?;
    let thing = things::made(place.thing(), &by.key, *order, text, before.0.as_ref());
    shown(call, &place.scope, status, &thing, &written.frontier)
}

fn unsure(error: Error) -> Error {
    let detail = "the attachment is stored, and whether the user was erased meanwhile is not known: repeat the request";
    Error::because(Case::Unavailable, "outcome_unknown", detail).caused_by(error)
}

async fn withdrawn(coming: Coming<'_>, error: Error) -> Result<Answer> {
    coming.withdraw().await;
    Err(error)
}

async fn receive(call: &Call, coming: &mut Coming<'_>, sent: &Sent) -> Result<Attachment> {
    let limit = call.state.settings.attachment_bytes;
    call.pieces(limit, async |piece| coming.push(&piece).await).await?;
    let attachment = coming.finish(&sent.media_type).await?;
    if sent.sha256.as_ref().is_some_and(|sha256| *sha256 != attachment.sha256) {
        let detail = "the bytes are not those that Content-Digest names: send them again";
        return Err(Error::unprocessable("Content-Digest", detail));
    }
    Ok(attachment)
}

fn same(one: &Attachment, other: &Attachment) -> bool {
    (&one.sha256, one.size, &one.media_type) == (&other.sha256, other.size, &other.media_type)
}

/// What stands there now, in a session that is there, as the request's conditions want it.
async fn standing(
    call: &Call,
    place: &Place<'_>,
    author: &Author,
) -> Result<(Option<Thing>, Frontier)> {
    verbs::get(&place.scope, &place.session, latest(&author.after)).await?;
    let found = find(&place.scope, place.thing(), latest(&author.after)).await?;
    let tag = found.item.as_ref().map(|thing| Attachment::read(&thing.last.body)).transpose()?;
    let tag = tag.map(|attachment| attachment.sha256);
    let wanted = call.header("if-match")?;
    let unwanted = call.header("if-none-match")?;
    let names = |list: &String| tag.as_ref().is_some_and(|tag| names_tag(list, tag));
    if wanted.as_ref().is_some_and(|list| !names(list)) {
        return Err(changed(place.name, "If-Match"));
    }
    if unwanted.as_ref().is_some_and(names) {
        return Err(changed(place.name, "If-None-Match"));
    }
    Ok((found.item, author.after.joined(&found.frontier.into())))
}

fn changed(name: &str, field: &str) -> Error {
    let detail = format!("attachment {name} is not as the request wants it: read it again");
    Error::because(Case::Conflict, "precondition_failed", detail).at(field)
}

/// The bytes, all or a range of them; a browser keeps them and runs nothing of them.
pub async fn get(call: &Call, session: &str, name: &str) -> Result<Answer> {
    let place = Place::new(things::reads(call, None, &[]).await?, session, name)?;
    let (thing, frontier) = things::get(call, &place.scope, place.thing()).await?;
    let attachment = Attachment::read(&thing.last.body)?;
    let (tag, size) = (attachment.sha256.as_str(), attachment.size);
    let dressed = |answer: Answer| {
        answer
            .with("etag", format!("\"{tag}\""))
            .with("accept-ranges", "bytes")
            .with("content-disposition", disposition(place.name))
            .with("content-security-policy", "default-src 'none'; sandbox")
            .seen(call.state, &place.scope, &frontier)
    };
    if call.header("if-match")?.is_some_and(|list| !names_tag(&list, tag)) {
        return Err(changed(place.name, "If-Match"));
    }
    if call.header("if-none-match")?.is_some_and(|list| names_tag(&list, tag)) {
        let mut answer = Answer::nothing();
        answer.status = 304;
        return Ok(dressed(answer));
    }
    let fresh = call.header("if-range")?.is_none_or(|one| one != "*" && names_tag(&one, tag));
    let range = call.header("range")?.filter(|_| fresh);
    let flow = async |status, range| {
        attach::answer(call.state, &place.scope, &attachment, status, range).await
    };
    match ranged(range.as_deref(), size) {
        Ranged::Whole => Ok(dressed(flow(200, (0, size)).await?)),
        Ranged::Part(start, end) => {
            let stands = format!("bytes {start}-{}/{size}", end - 1);
            Ok(dressed(flow(206, (start, end)).await?).with("content-range", stands))
        }
        Ranged::Unsatisfiable => {
            let detail = format!("attachment {name} has {size} bytes");
            let error = Error::because(Case::Invalid, "range_not_satisfiable", detail).at("Range");
            let answer = problem(&error, &call.request_id, None);
            Ok(answer.with("content-range", format!("bytes */{size}")))
        }
    }
}

/// The attachments of a session, by when they were put.
pub async fn list(call: &Call, session: &str) -> Result<Answer> {
    let scope = things::reads(call, None, &["limit", "cursor", "order"]).await?;
    let session = SessionId::parse(session)?;
    let limit = call.query.number("limit", PAGE, MAX_PAGE)?;
    let descending = call.query.choice("order", &["asc", "desc"])? == "desc";
    let cursor = call.query.get("cursor").map(str::to_owned);
    let how = things::how(call, &scope)?;
    verbs::get(&scope, &session, how.clone()).await?;
    let what = named(format!("attachments {session}"), &how);
    let cursors = Cursors::new(call.state, &scope, &what, descending);
    let page = cursors.page(&Asked { cursor, limit, descending })?;
    let (kind, session) = (KIND.name().to_owned(), Some(session.to_string()));
    let selection = Selection { kind, session, filter: None };
    let found = index::list_things((&scope).into(), selection, page, how).await?;
    let next = cursors.next(found.next.as_deref().map(|next| (next, 0)))?;
    let items: Vec<String> = found.items.iter().map(json).collect::<Result<_>>()?;
    Ok(Answer::list(&items, next.as_deref()).seen(call.state, &scope, &found.frontier.into()))
}

/// Deletes an attachment; its bytes go after the grace when the delete is a physical one.
pub async fn delete(call: &Call, session: &str, name: &str) -> Result<Answer> {
    let (scope, author) = things::deleting(call, None).await?;
    let place = Place::new(scope, session, name)?;
    if let Some(list) = call.header("if-match")? {
        let found = find(&place.scope, place.thing(), latest(&author.after)).await?;
        let thing = found.item.ok_or_else(|| missing(KIND, name))?;
        if !names_tag(&list, &Attachment::read(&thing.last.body)?.sha256) {
            return Err(changed(name, "If-Match"));
        }
    }
    let forgetting = Forgetting { name: place.thing(), physical: call.physical()? };
    let frontier = remove(call.state, &place.scope, forgetting, None, author).await?;
    Ok(Answer::nothing().seen(call.state, &place.scope, &frontier))
}

fn shown(
    call: &Call,
    scope: &Scope,
    status: u16,
    thing: &Thing,
    frontier: &Frontier,
) -> Result<Answer> {
    let tag = format!("\"{}\"", Attachment::read(&thing.last.body)?.sha256);
    Ok(Answer::raw(status, json(thing)?).with("etag", tag).seen(call.state, scope, frontier))
}

fn json(thing: &Thing) -> Result<String> {
    let attachment = Attachment::read(&thing.last.body)?;
    Ok(format!(
        "{{\"session_id\":{},\"name\":{},\"media_type\":{},\"size\":{},\"sha256\":\"{}\",{}}}",
        Value::from(thing.session.as_deref()),
        Value::from(thing.id.as_str()),
        Value::from(attachment.media_type),
        attachment.size,
        attachment.sha256,
        times(thing),
    ))
}
