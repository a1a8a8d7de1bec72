//! Creating, reading, changing and deleting sessions: each change is a record that says what it sets.

use holdfast_core::clock::rfc3339;
use holdfast_core::graves::Of;
use holdfast_core::record::Kind;
use holdfast_core::session::SessionFields;
use holdfast_core::token::Frontier;
use holdfast_core::{Case, Error, Hlc, Order, Result, Scope, SessionId};
use holdfast_journal::Draft;
use holdfast_kit::State;
use holdfast_kit::index::{self, Reading};
use holdfast_kit::read::{Asked, Cursors, in_filters, latest, named};
use holdfast_kit::write::{
    self, Author, Deleting, deleted_before, derived_id, fresh_id, known, record,
};

/// A session as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// Its fields, defaults filled in.
    pub fields: SessionFields,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_activity: String,
    /// Messages in this view.
    pub messages: u32,
    /// Order of the record that last set fields; empty when none did.
    pub order: String,
}

/// A session after a change, and what a reader has seen who has seen it.
pub struct Changed {
    /// The session.
    pub session: Shown,
    /// It was there already, the same.
    pub existed: bool,
    /// What a reader has seen who has seen this.
    pub frontier: Frontier,
}

impl TryFrom<index::Session> for Shown {
    type Error = Error;

    fn try_from(found: index::Session) -> Result<Self> {
        let fields: SessionFields = serde_json::from_str(&found.body).map_err(|e| {
            Error::corrupt(format!("session {} cannot be read", found.id)).caused_by(e)
        })?;
        Ok(Self {
            id: found.id,
            fields: fields.with_defaults(),
            created_at: rfc3339(Hlc(found.created_at).milliseconds()),
            last_activity: rfc3339(Hlc(found.last_activity).milliseconds()),
            messages: found.messages,
            order: found.order,
        })
    }
}

/// A fresh session id, or one derived from the Idempotency-Key.
pub fn new_id(state: &State, scope: &Scope, idempotency_key: Option<&str>) -> String {
    match idempotency_key {
        Some(key) => derived_id(scope, &["session", key]),
        None => fresh_id(state),
    }
}

/// Creates a session. One that exists and holds what is asked for is not an error and writes nothing.
///
/// # Errors
/// `conflict` where the view knows one that differs.
pub async fn create(
    state: &State,
    scope: &Scope,
    id: &SessionId,
    fields: SessionFields,
    author: Author,
) -> Result<Changed> {
    if let Some((item, frontier)) = existing(scope, id, &author.after).await?
        && !item.order.is_empty()
    {
        let session: Shown = item.try_into()?;
        let same = session.fields == fields.with_defaults();
        let frontier = author.after.joined(&frontier);
        return if same {
            Ok(Changed { session, existed: true, frontier })
        } else {
            let detail = format!("session {id} exists and differs: change it with PATCH");
            Err(Error::new(Case::Conflict, detail).at("id"))
        };
    }
    set(state, scope, id, fields.with_defaults(), author).await
}

/// The session, where the view at hand knows it: a store never waits for that. One that is known is looked at again, as
/// another host may have deleted it.
async fn existing(
    scope: &Scope,
    id: &SessionId,
    seen: &Frontier,
) -> Result<Option<(index::Session, Frontier)>> {
    let find =
        async |reading: Reading| index::find_session(scope.into(), id.to_string(), reading).await;
    match find(local(seen)).await {
        Ok(found) if found.item.is_some() => {
            let found = find(latest(seen)).await?;
            Ok(found.item.map(|item| (item, found.frontier.into())))
        }
        _ => Ok(None),
    }
}

/// Changes a session's fields; what is none stays.
///
/// # Errors
/// `not_found` when there is none; `precondition_failed` when `if_match` is not its etag now.
pub async fn update(
    state: &State,
    scope: &Scope,
    id: &SessionId,
    fields: SessionFields,
    if_match: Option<&str>,
    author: Author,
) -> Result<Changed> {
    let (now, _) = get(scope, id, latest(&author.after)).await?;
    if if_match.is_some_and(|etag| etag.trim_matches('"') != now.order && etag != "*") {
        let detail = "the session was changed meanwhile: read it again";
        return Err(Error::because(Case::Conflict, "precondition_failed", detail).at("If-Match"));
    }
    if fields == SessionFields::default() {
        return Err(Error::unprocessable(
            "",
            "nothing to change: give name, type, status or metadata",
        ));
    }
    let before = now.clone();
    let mut changed = set(state, scope, id, fields.clone(), author).await?;
    let order = changed.session.order;
    let fields = before.fields.overlaid(&fields);
    changed.session =
        Shown { fields, order, last_activity: changed.session.last_activity, ..before };
    Ok(changed)
}

/// Deletes a session with everything in it. Deleting it again is not an error; later writes open it anew, empty.
///
/// # Errors
/// `not_found` for one that never was there.
pub async fn delete(
    state: &State,
    scope: &Scope,
    id: &SessionId,
    physical: bool,
    author: Author,
) -> Result<Frontier> {
    let reading = latest(&author.after);
    let found = index::find_session(scope.into(), id.to_string(), reading).await?;
    let known = known(scope, id.as_str(), Vec::new()).await;
    let deleting = Deleting { of: Of::Session, session: id, id: id.as_str(), physical };
    match found.item {
        Some(_) => write::delete(state, scope, author, &known, deleting).await,
        // What was hidden before may have left its bytes.
        None if known.session_deleted && physical => {
            write::delete(state, scope, author, &known, deleting).await
        }
        None if known.session_deleted => deleted_before(state, author, &known).await,
        None => Err(Error::not_found(format!("there is no session {id}"))),
    }
}

async fn set(
    state: &State,
    scope: &Scope,
    id: &SessionId,
    fields: SessionFields,
    author: Author,
) -> Result<Changed> {
    let draft = Draft {
        kind: Kind::Session,
        id: id.to_string(),
        session: id.clone(),
        body: fields.encode()?,
    };
    let known = known(scope, id.as_str(), Vec::new()).await;
    let written = record(state, scope, author, &known, vec![draft]).await?;
    let order = written.orders.first().copied();
    let at = order.map_or(0, |order: Order| order.hlc.milliseconds());
    let session = Shown {
        id: id.to_string(),
        fields,
        created_at: rfc3339(at),
        last_activity: rfc3339(at),
        messages: 0,
        order: order.map(|order| order.to_string()).unwrap_or_default(),
    };
    Ok(Changed { session, existed: false, frontier: written.frontier })
}

fn local(after: &Frontier) -> Reading {
    let after = Some(after.clone().into()).filter(|frontier: &index::Frontier| frontier.hlc > 0);
    Reading { consistency: index::Consistency::Local, after, as_of: None }
}

/// One session.
pub async fn get(scope: &Scope, id: &SessionId, reading: Reading) -> Result<(Shown, Frontier)> {
    let found = index::find_session(scope.into(), id.to_string(), reading).await?;
    let item = found.item.ok_or_else(|| Error::not_found(format!("there is no session {id}")))?;
    Ok((item.try_into()?, found.frontier.into()))
}

/// A page of sessions by last activity, the cursor of the next, and what the answer saw.
pub async fn list(
    state: &State,
    scope: &Scope,
    filter: Option<String>,
    asked: &Asked,
    reading: Reading,
) -> Result<(Vec<Shown>, Option<String>, Frontier)> {
    let what = format!("sessions {}", filter.as_deref().unwrap_or_default());
    let cursors = Cursors::new(state, scope, &named(what, &reading), asked.descending);
    let page = cursors.page(asked)?;
    let found = match filter {
        None => index::list_sessions(scope.into(), page, reading).await,
        Some(filter) => index::select_sessions(scope.into(), filter, page, reading).await,
    };
    let found = found.map_err(|error| in_filters(error.into(), "filters"))?;
    let next = cursors.next(found.next.as_deref().map(|next| (next, 0)))?;
    let shown = found.items.into_iter().map(Shown::try_from).collect::<Result<_>>()?;
    Ok((shown, next, found.frontier.into()))
}
