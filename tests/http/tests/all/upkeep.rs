//! Upkeep: journals are sealed in bounded steps, who reads notices nothing, and who may not tend is refused.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

const COMPACT: &str = "/v1/upkeep/compact";
const COLLECT: &str = "/v1/upkeep/collect";

fn client_with(count: usize) -> Client {
    let client = Client::new(by_words());
    for number in 0..count {
        client.store(
            "s",
            &json!([{"role": "user", "content": format!("the harbour froze {number}")}]),
        );
    }
    client
}

fn tend(client: &Client, path: &str) -> Value {
    let body = json!({"user_id": client.user}).to_string();
    Client { user: None, ..client.clone() }.post(path, &body).expect_status(200).json()
}

#[test]
fn sealing_a_journal_changes_no_page_and_no_answer() {
    let client = client_with(70);
    let search = || {
        let body = json!({"query": "harbour 7", "top_k": 20, "explain": true}).to_string();
        client.post("/v1/search", &body).expect_status(200).json()["data"].clone()
    };
    let (page, found) = (client.messages("s"), search());
    let done = tend(&client, COMPACT);
    assert_eq!((&done["sealed"], &done["corrupt"]), (&json!(70), &json!([])));
    assert!(done["written_bytes"].as_u64().unwrap() > 0);
    assert_eq!((client.messages("s"), search()), (page.clone(), found));
    client.store("s", &json!([{"role": "user", "content": "after"}]));
    assert_eq!(client.messages("s").len(), 71);
    assert_eq!(client.messages("s")[..70], page[..]);
    assert_eq!(tend(&client, COMPACT)["sealed"], 0, "one object more is not worth a segment");
    assert_eq!(tend(&client, COLLECT)["removed"], 0, "nothing goes before the grace");
}

#[test]
fn a_user_with_nothing_to_do_or_who_is_unknown_gives_an_idle_step() {
    for client in [client_with(1), Client::new(by_words())] {
        for path in [COMPACT, COLLECT] {
            let done = tend(&client, path);
            assert_eq!(
                (&done["has_more"], &done["sealed"], &done["removed"]),
                (&json!(false), &json!(0), &json!(0))
            );
        }
    }
}

#[test]
fn a_walk_visits_users_and_says_where_it_goes_on() {
    let client = client_with(1);
    let anybody = Client { user: None, ..client };
    let (mut users, mut cursor) = (0, Value::Null);
    loop {
        let body = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let done = anybody.post(COMPACT, &body.to_string()).expect_status(200).json();
        users += done["users"].as_u64().unwrap();
        cursor = done["next_cursor"].clone();
        assert_eq!(done["has_more"], !cursor.is_null());
        if cursor.is_null() {
            break;
        }
    }
    assert!(users >= 1);
}

#[test]
fn only_a_key_with_admin_tends_and_never_a_user_key() {
    let root = Client::new(by_words());
    let service = root.make_key(&json!({"kind": "service"}));
    root.with_key(&service).post(COMPACT, "{}").problem(403, "denied");
    let bound =
        json!({"kind": "user", "user_id": fresh("bound"), "permissions": ["read", "admin"]});
    root.with_key(&root.make_key(&bound)).post(COLLECT, "{}").problem(403, "denied");
    let admin = root.make_key(&json!({"kind": "admin"}));
    root.with_key(&admin)
        .post(COMPACT, &json!({"user_id": "nobody"}).to_string())
        .expect_status(200);
    root.with_key(&admin).get(&messages_of("s")).any_problem();
}

#[test]
fn what_is_not_known_in_a_body_is_refused() {
    let root = Client { user: None, ..Client::new(by_words()) };
    root.post(COMPACT, r#"{"users":["a"]}"#).any_problem();
    assert_eq!(root.get(COMPACT).header("allow"), Some("POST"));
}
