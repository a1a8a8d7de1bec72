//! A client of one installation's hosts that keeps tokens, and has put on a tape what it was told.

use crate::tape::{Asked, Event, Page, Shown, Tape, now};
use crate::{Answer, Api, Call};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often something is asked for before a client gives up.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// More than a user of these tests has.
const ALL: usize = 1_000;

/// A running host.
#[derive(Clone)]
pub struct Door {
    /// The way to it.
    pub api: Api,
    /// Names its life among all lives of hosts.
    pub host: usize,
}

/// What may happen to requests beside a 503.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// The host may die.
    pub deaths: bool,
    /// What comes from the store may be damaged on its way.
    pub damage: bool,
}

/// Somebody who stores, deletes, erases, reads and walks.
pub struct Client {
    tape: Arc<Tape>,
    /// What may happen to its requests.
    pub expected: Expected,
    /// By user: the last token.
    tokens: BTreeMap<String, String>,
}

/// A walk through a session.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Names it among all walks.
    pub name: String,
    /// Whose session.
    pub user: String,
    /// Which.
    pub session: String,
    /// Messages of a page.
    pub limit: usize,
    cursor: Option<String>,
}

impl Walk {
    /// One that has not begun.
    pub fn new(name: String, (user, session): (&str, &str), limit: usize) -> Self {
        Self { name, user: user.to_owned(), session: session.to_owned(), limit, cursor: None }
    }
}

/// A request.
struct Request<'a> {
    user: &'a str,
    method: Method,
    path: String,
    body: Option<Value>,
    brought: Option<String>,
    /// Statuses of the answers that are waited for.
    fine: &'a [u16],
}

impl Client {
    /// One that has seen nothing.
    pub fn new(tape: &Arc<Tape>) -> Self {
        Self { tape: tape.clone(), expected: Expected::default(), tokens: BTreeMap::new() }
    }

    /// The token that it would bring.
    pub fn token(&self, user: &str) -> Option<String> {
        self.tokens.get(user).cloned()
    }

    /// Stores; tells whether it was acknowledged.
    ///
    /// # Panics
    /// For an answer that nobody may get, as all that follow.
    pub async fn store(&mut self, door: &Door, call: &Call) -> bool {
        let request = || Request {
            user: &call.user,
            method: Method::POST,
            path: call.path(),
            body: Some(call.body()),
            brought: self.token(&call.user),
            // Known with another text, or deleted.
            fine: &[201, 409, 410],
        };
        let Some((answer, asked)) = self.insist(door, request).await else { return false };
        if answer.status != 201 {
            return false;
        }
        let order = |place: &Value| place["order"].as_str().expect("an order").to_owned();
        let places = answer.json()["messages"].as_array().expect("places").clone();
        self.keep(&asked);
        let orders = places.iter().map(order).collect();
        self.tape.add(Event::Stored(asked, call.session.clone(), orders));
        true
    }

    /// Deletes a message, or where no id is named a session; tells whether that was acknowledged.
    pub async fn delete(
        &mut self,
        door: &Door,
        (user, session): (&str, &str),
        id: Option<&str>,
    ) -> bool {
        let below = id.map_or_else(String::new, |id| format!("/messages/{id}"));
        let request = || Request {
            user,
            method: Method::DELETE,
            path: format!("/v1/sessions/{session}{below}?user_id={user}"),
            body: None,
            brought: self.token(user),
            // It never was there, or nothing is there of what was.
            fine: &[204, 404],
        };
        let Some((answer, asked)) = self.insist(door, request).await else { return false };
        if answer.status == 404 {
            return false;
        }
        self.keep(&asked);
        self.tape.add(Event::Deleted(asked, session.to_owned(), id.map(str::to_owned)));
        true
    }

    /// Erases the user, and has all removed that can be now; tells whether that was done.
    pub async fn erase(&mut self, door: &Door, user: &str) -> bool {
        let Some((mut answer, asked)) = self.erasing(door, user, &json!({})).await else {
            return false;
        };
        let id = answer["id"].as_str().expect("an id").to_owned();
        self.keep(&asked);
        self.tape.add(Event::Erased(asked));
        while answer["has_more"] == true {
            match self.erasing(door, user, &json!({"id": id})).await {
                Some((next, _)) => answer = next,
                None => return false,
            }
        }
        true
    }

    /// Has all removed that the last erase of this user left; false when there was none.
    pub async fn sweep(&mut self, door: &Door, user: &str) -> bool {
        let path = format!("/v1/users/{user}/erase");
        let last = door.api.get(&path, None).await;
        if last.status == 404 {
            return false;
        }
        let mut last = last.expect(200).json();
        while last["has_more"] == true {
            let on = json!({"id": last["id"]});
            last = self.erasing(door, user, &on).await.expect("the store is well").0;
        }
        true
    }

    async fn erasing(&self, door: &Door, user: &str, body: &Value) -> Option<(Value, Asked)> {
        let request = || Request {
            user,
            method: Method::POST,
            path: format!("/v1/users/{user}/erase"),
            body: Some(body.clone()),
            brought: self.token(user),
            fine: &[200],
        };
        let (answer, asked) = self.insist(door, request).await?;
        Some((answer.json(), asked))
    }

    /// Looks at all that a user has, with this token; tells whether that was shown.
    pub async fn read(
        &mut self,
        door: &Door,
        user: &str,
        (latest, last): (bool, bool),
        brought: Option<String>,
    ) -> bool {
        let consistency = if latest { "latest" } else { "local" };
        let request = || Request {
            user,
            method: Method::GET,
            path: format!("/v1/users/{user}/timeline?limit={ALL}&consistency={consistency}"),
            body: None,
            brought: brought.clone(),
            fine: &[200],
        };
        let Some((answer, asked)) = self.insist(door, request).await else { return false };
        self.keep(&asked);
        let (items, counts) = moments(&answer.json());
        self.tape.add(Event::Showed(asked, Shown { latest, last, items, counts }));
        true
    }

    /// The next page of a walk; tells whether it goes on.
    pub async fn page(&mut self, door: &Door, walk: &mut Walk) -> bool {
        let Walk { name, user, session, limit, cursor } = walk;
        let on = cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let request = || Request {
            user,
            method: Method::GET,
            path: format!("/v1/sessions/{session}/messages?user_id={user}&limit={limit}{on}"),
            body: None,
            brought: self.token(user),
            // No such session: nothing more is to be met.
            fine: if on.is_empty() { &[200, 404] } else { &[200] },
        };
        let Some((answer, asked)) = self.insist(door, request).await else { return false };
        self.keep(&asked);
        let json = if answer.status == 200 { answer.json() } else { json!({"data": []}) };
        let list = |member: &str| json[member].as_array().cloned().unwrap_or_default();
        cursor.clone_from(&json["next_cursor"].as_str().map(str::to_owned));
        let more = cursor.is_some();
        let (walk, session) = (name.clone(), session.clone());
        let (items, late) = (list("data"), list("late"));
        self.tape.add(Event::Paged(asked, Page { walk, session, items, late, more }));
        more
    }

    fn keep(&mut self, asked: &Asked) {
        if let Some(token) = &asked.token {
            self.tokens.insert(asked.user.clone(), token.clone());
        }
    }

    /// Asks until there is an answer that is waited for; none when patience or the host ended.
    async fn insist<'a>(
        &self,
        door: &Door,
        request: impl Fn() -> Request<'a>,
    ) -> Option<(Answer, Asked)> {
        let first = now();
        for _ in 0..ATTEMPTS {
            let Request { user, method, path, body, brought, fine } = request();
            // An earlier attempt may be what stores or deletes.
            let began = if method == Method::GET { now() } else { first };
            let body = body.map(|body| body.to_string().into());
            let said = format!("{method} {path}");
            let answer = match door.api.send(method, &path, body, brought.as_deref()).await {
                Ok(answer) => answer,
                Err(_) if self.expected.deaths => return None,
                Err(error) => panic!("{said}: {error}"),
            };
            if fine.contains(&answer.status) {
                let (user, token) = (user.to_owned(), answer.after.clone());
                let (host, ended) = (door.host, now());
                return Some((answer, Asked { user, host, began, ended, brought, token }));
            }
            let damaged = || self.expected.damage && answer.json()["code"] == "corrupt";
            assert!(answer.status == 503 || damaged(), "{said}: nobody may get {answer:?}");
            tokio::time::sleep(PAUSE).await;
        }
        None
    }
}

/// Messages with their session, and sessions with how many they have.
type Moments = (Vec<(String, Value)>, Vec<(String, u32)>);

/// Sessions and messages of a timeline, session by session in order, and what sessions say how many they have.
fn moments(timeline: &Value) -> Moments {
    assert_eq!(timeline["next_cursor"], Value::Null, "a user of these tests fits into a page");
    let (mut items, mut counts, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for moment in timeline["data"].as_array().expect("moments").iter().rev() {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        if moment["type"] == "message" {
            seen.insert(text(&moment["session_id"]));
            items.push((text(&moment["session_id"]), moment["message"].clone()));
        } else {
            let count = moment["session"]["message_count"].as_u64().expect("a count") as u32;
            counts.push((text(&moment["session"]["id"]), count));
        }
    }
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(seen.iter().all(|id| counts.iter().any(|(other, _)| other == id)), "no such session");
    (items, counts)
}
