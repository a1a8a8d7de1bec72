//! The table of routes and kinds of keys: a test for each pair, with the status and code that it must get.

use holdfast_http_tests::{Answer, Client, Running, by_words, messages_of};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError, Weak};

const USER: &str = "table user";
const MESSAGES: &str = "/v1/sessions/s/messages";
const DENIED: Expected = Some((403, "denied"));
const UNKNOWN: Expected = Some((401, "unauthenticated"));
const NO_SCOPE: Expected = Some((400, "missing_scope"));
const TWO_SCOPES: Expected = Some((400, "contradicting_scope"));
const OK: Expected = None;

/// Status and code of a refusal; none is success.
type Expected = Option<(u16, &'static str)>;

/// What a route needs of its caller.
#[derive(Clone, Copy)]
enum Needs {
    Read,
    Write,
    Delete,
    Keys,
}

/// A route: method, path, body.
struct Route(Needs, &'static str, &'static str, Option<&'static str>);

/// A kind of caller: what it sends, and what reads, writes, deletes and key routes answer it.
struct Caller {
    key: fn(&Keys) -> Option<&str>,
    /// `Holdfast-User`.
    header: Option<&'static str>,
    /// `user_id` in the query.
    query: Option<&'static str>,
    /// `user_id` in the body, where there is one.
    body: Option<&'static str>,
    read: Expected,
    write: Expected,
    delete: Expected,
    keys: Expected,
}

/// The keys that the table needs, made once.
struct Keys {
    client: Client,
    service: String,
    user: String,
    reader: String,
    deleter: String,
    admin: String,
    revoked: String,
    orphan: String,
    bad_mac: String,
}

static KEYS: Mutex<Weak<Keys>> = Mutex::new(Weak::new());

fn keys() -> Arc<Keys> {
    let mut place = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    place.upgrade().unwrap_or_else(|| {
        let keys = Arc::new(Keys::make(by_words()));
        *place = Arc::downgrade(&keys);
        keys
    })
}

impl Keys {
    fn make(running: Arc<Running>) -> Self {
        let root = Client::new(running).acting_for(USER);
        root.store("s", &json!([{"role": "user", "content": "x", "id": "m"}]));
        // Refused where a table before this one deleted it: then it is deleted again.
        root.post(&messages_of("doomed"), r#"{"role":"user","content":"x","id":"m"}"#);
        for id in ["kept", "doomed"] {
            let memory = json!({"id": id, "text": id});
            root.post("/v1/memories", &memory.to_string());
        }
        for name in ["kept", "doomed"] {
            let path = format!("/v1/sessions/s/attachments/{name}");
            root.send("PUT", &path, &[], Some(b"{}"));
        }
        root.store("doomed too", &json!([{"role": "user", "content": "x"}]));
        let service = root.make_key(&json!({"kind": "service"}));
        let revoke = |key: &str| {
            let kid = key.split('.').nth(1).unwrap();
            root.send("DELETE", &format!("/v1/keys/{kid}"), &[], None).expect_status(200)
        };
        let revoked = root.make_key(&json!({"kind": "service"}));
        revoke(&revoked);
        let parent =
            root.make_key(&json!({"kind": "service", "permissions": ["read", "write", "keys"]}));
        let orphan = root
            .with_key(&parent)
            .make_key(&json!({"kind": "service", "permissions": ["read", "write", "keys"]}));
        revoke(&parent);
        let mut bad_mac = service.clone();
        let last = if bad_mac.pop() == Some('A') { 'Q' } else { 'A' };
        bad_mac.push(last);
        Self {
            user: root.make_key(&json!({"kind": "user", "user_id": USER})),
            reader: root
                .make_key(&json!({"kind": "user", "user_id": USER, "permissions": ["read"]})),
            deleter: root.make_key(
                &json!({"kind": "user", "user_id": USER, "permissions": ["read", "write", "delete"]}),
            ),
            admin: root.make_key(&json!({"kind": "admin"})),
            client: root,
            service,
            revoked,
            orphan,
            bad_mac,
        }
    }
}

fn ask(keys: &Keys, caller: &Caller, route: &Route) -> Answer {
    let Route(_, method, path, body) = route;
    let key = (caller.key)(keys).map(str::to_owned);
    let client = Client { key, user: caller.header.map(str::to_owned), ..keys.client.clone() };
    let path = match caller.query.filter(|_| !path.starts_with("/v1/keys")) {
        Some(user) => format!("{path}?user_id={}", user.replace(' ', "%20")),
        None => (*path).to_owned(),
    };
    let body = body.map(|body| {
        let mut body: Value = serde_json::from_str(body).unwrap();
        if let Some(user) = caller.body.filter(|_| !path.starts_with("/v1/keys")) {
            body["user_id"] = json!(user);
        }
        body.to_string()
    });
    client.send(method, &path, &[], body.as_deref().map(str::as_bytes))
}

fn check(caller: &Caller, route: &Route) {
    let keys = keys();
    let answer = ask(&keys, caller, route);
    let expected = match route.0 {
        Needs::Read => caller.read,
        Needs::Write => caller.write,
        Needs::Delete => caller.delete,
        Needs::Keys => caller.keys,
    };
    match expected {
        None => assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text),
        Some((status, code)) => {
            answer.problem(status, code);
        }
    }
}

/// A test for each route.
macro_rules! routes {
    ($caller:expr; $($name:ident $route:expr;)*) => {
        $(#[test] fn $name() { check(&$caller, &$route); })*
    };
}

/// A module for each caller.
macro_rules! table {
    ($($kind:ident $caller:expr;)*) => {$(
        mod $kind {
            use super::*;
            routes! { $caller;
                stores_a_message Route(Needs::Write, "POST", MESSAGES, Some(r#"{"role":"user","content":"y"}"#));
                reads_messages Route(Needs::Read, "GET", MESSAGES, None);
                reads_one_message Route(Needs::Read, "GET", "/v1/sessions/s/messages/m", None);
                makes_a_session Route(Needs::Write, "POST", "/v1/sessions", Some(r#"{"name":"n"}"#));
                lists_sessions Route(Needs::Read, "GET", "/v1/sessions", None);
                reads_a_session Route(Needs::Read, "GET", "/v1/sessions/s", None);
                changes_a_session Route(Needs::Write, "PATCH", "/v1/sessions/s", Some(r#"{"name":"n"}"#));
                deletes_a_message Route(Needs::Delete, "DELETE", "/v1/sessions/doomed/messages/m", None);
                deletes_a_session Route(Needs::Delete, "DELETE", "/v1/sessions/doomed%20too", None);
                searches Route(Needs::Read, "POST", "/v1/search", Some(r#"{"query":"x"}"#));
                asks_for_context Route(Needs::Read, "POST", "/v1/context", Some(r#"{"query":"x","max_tokens":100}"#));
                saves_a_memory Route(Needs::Write, "POST", "/v1/memories", Some(r#"{"text":"y"}"#));
                lists_memories Route(Needs::Read, "GET", "/v1/memories", None);
                reads_a_memory Route(Needs::Read, "GET", "/v1/memories/kept", None);
                reads_a_history Route(Needs::Read, "GET", "/v1/memories/kept/history", None);
                deletes_a_memory Route(Needs::Delete, "DELETE", "/v1/memories/doomed", None);
                puts_a_context_entry Route(Needs::Write, "PUT", "/v1/sessions/s/contexts/project/k", Some(r#"{"value":1}"#));
                lists_context_entries Route(Needs::Read, "GET", "/v1/sessions/s/contexts", None);
                puts_an_attachment Route(Needs::Write, "PUT", "/v1/sessions/s/attachments/put", Some("{}"));
                lists_attachments Route(Needs::Read, "GET", "/v1/sessions/s/attachments", None);
                reads_an_attachment Route(Needs::Read, "GET", "/v1/sessions/s/attachments/kept", None);
                deletes_an_attachment Route(Needs::Delete, "DELETE", "/v1/sessions/s/attachments/doomed", None);
                lists_relationships Route(Needs::Read, "GET", "/v1/sessions/s/relationships", None);
                reads_statistics Route(Needs::Read, "GET", "/v1/sessions/s/statistics", None);
                gives_feedback Route(Needs::Write, "POST", "/v1/sessions/s/messages/m/feedback", Some(r#"{"rating":"up"}"#));
                lists_feedback Route(Needs::Read, "GET", "/v1/sessions/s/messages/m/feedback", None);
                reads_chunks Route(Needs::Read, "GET", "/v1/sessions/s/messages/m/chunks", None);
                lists_keys Route(Needs::Keys, "GET", "/v1/keys", None);
                makes_a_key Route(Needs::Keys, "POST", "/v1/keys", Some(r#"{"kind":"admin","permissions":[]}"#));
            }
        }
    )*};
}

const PLAIN: Caller = Caller {
    key: |keys| Some(&keys.service),
    header: Some(USER),
    query: None,
    body: None,
    read: OK,
    write: OK,
    delete: OK,
    keys: DENIED,
};
const BOUND: Caller =
    Caller { key: |keys| Some(&keys.user), header: None, delete: DENIED, ..PLAIN };
const NOBODY: Caller =
    Caller { read: UNKNOWN, write: UNKNOWN, delete: UNKNOWN, keys: UNKNOWN, ..PLAIN };
const CONFUSED: Caller =
    Caller { read: TWO_SCOPES, write: TWO_SCOPES, delete: TWO_SCOPES, ..PLAIN };

table! {
    the_first_key Caller { key: |keys| keys.client.key.as_deref(), keys: OK, ..PLAIN };
    a_service_key PLAIN;
    a_service_key_that_names_the_user_in_the_query Caller { header: None, query: Some(USER), ..PLAIN };
    a_service_key_that_names_the_same_user_everywhere Caller { query: Some(USER), body: Some(USER), ..PLAIN };
    a_service_key_that_names_nobody Caller { header: None, read: NO_SCOPE, write: NO_SCOPE, delete: NO_SCOPE, ..PLAIN };
    a_service_key_whose_header_and_query_differ Caller { query: Some("somebody else"), ..CONFUSED };
    a_user_key BOUND;
    a_user_key_that_names_its_user Caller { header: Some(USER), ..BOUND };
    a_user_key_that_names_another_in_the_header Caller { header: Some("somebody else"), read: DENIED, write: DENIED, ..BOUND };
    a_user_key_that_names_another_in_the_query Caller { query: Some("somebody else"), read: DENIED, write: DENIED, ..BOUND };
    a_user_key_that_may_delete Caller { key: |keys| Some(&keys.deleter), delete: OK, ..BOUND };
    a_user_key_that_may_only_read Caller { key: |keys| Some(&keys.reader), write: DENIED, ..BOUND };
    an_admin_key Caller { key: |keys| Some(&keys.admin), read: DENIED, write: DENIED, delete: DENIED, keys: OK, ..PLAIN };
    no_key Caller { key: |_| None, ..NOBODY };
    a_made_up_key Caller { key: |_| Some("hf_default.root.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ..NOBODY };
    something_that_is_no_key Caller { key: |_| Some("sk-1234"), ..NOBODY };
    a_key_whose_mac_is_wrong Caller { key: |keys| Some(&keys.bad_mac), ..NOBODY };
    a_revoked_key Caller { key: |keys| Some(&keys.revoked), ..NOBODY };
    a_key_whose_maker_was_revoked Caller { key: |keys| Some(&keys.orphan), ..NOBODY };
}

/// Routes with a body: there `user_id` may contradict.
fn with_body() -> [Route; 5] {
    [
        Route(Needs::Write, "POST", "/v1/sessions", Some(r#"{"name":"n"}"#)),
        Route(Needs::Write, "POST", MESSAGES, Some(r#"{"role":"user","content":"y"}"#)),
        Route(Needs::Write, "POST", "/v1/memories", Some(r#"{"text":"y"}"#)),
        Route(Needs::Read, "POST", "/v1/search", Some(r#"{"query":"x"}"#)),
        Route(Needs::Read, "POST", "/v1/context", Some(r#"{"query":"x","max_tokens":100}"#)),
    ]
}

#[test]
fn a_body_that_names_another_user_than_the_header_is_refused() {
    let caller = Caller { body: Some("somebody else"), ..CONFUSED };
    with_body().iter().for_each(|route| check(&caller, route));
}

#[test]
fn a_user_key_whose_body_names_another_is_refused() {
    let caller = Caller { body: Some("somebody else"), read: DENIED, write: DENIED, ..BOUND };
    with_body().iter().for_each(|route| check(&caller, route));
}

#[test]
fn a_body_alone_may_name_the_user() {
    let caller = Caller { header: None, body: Some(USER), ..PLAIN };
    with_body().iter().for_each(|route| check(&caller, route));
}

#[test]
fn an_empty_user_is_refused_and_never_everything() {
    let keys = keys();
    for path in ["/v1/sessions?user_id=", "/v1/sessions/s/messages?user_id="] {
        let answer = keys.client.with_key(&keys.service).get(path);
        assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
        answer.any_problem();
    }
}
