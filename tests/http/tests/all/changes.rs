//! The feed of changes: a page is what came, in the order in which it came, and a cursor goes on there.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    let user = fresh("followed").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn path(client: &Client, more: &str) -> String {
    format!("/v1/users/{}/changes{more}", client.user.as_deref().unwrap())
}

fn changes(client: &Client, more: &str) -> Value {
    client.get(&path(client, more)).expect_status(200).json()
}

fn since(client: &Client, page: &Value) -> Value {
    changes(client, &format!("?cursor={}", page["next_cursor"].as_str().unwrap()))
}

fn kinds(page: &Value) -> Vec<(&str, &str)> {
    let items = page["data"].as_array().unwrap().iter();
    items.map(|c| (c["kind"].as_str().unwrap(), c["id"].as_str().unwrap_or_default())).collect()
}

#[test]
fn everything_that_comes_is_told_once_and_says_enough_to_be_applied() {
    let client = client();
    let session = json!({"id": "s", "name": "Trip", "metadata": {"b": 1, "a": 2}}).to_string();
    client.post("/v1/sessions", &session).expect_status(201);
    client
        .store("s", &json!([{"role": "user", "content": "one", "id": "m1", "metadata": {"x": 1}}]));
    let first = changes(&client, "");
    assert_eq!(kinds(&first), [("session", "s"), ("message", "m1")]);
    let (fields, message) = (&first["data"][0], &first["data"][1]);
    assert_eq!(fields["fields"]["name"], "Trip");
    assert_eq!(fields["fields"]["metadata"], json!({"b": 1, "a": 2}));
    assert_eq!(message["message"], client.messages("s")[0]);
    assert_eq!(
        (&message["session_id"], &message["order"]),
        (&json!("s"), &message["message"]["order"])
    );
    assert_eq!(message["digest"].as_str().unwrap().len(), 64);
    assert!(message["arrived"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&first["has_more"], &first["poll_after_seconds"]), (&json!(false), &json!(2)));
    let second = since(&client, &first);
    assert_eq!(second["data"], json!([]));
    client.store("s", &json!([{"role": "user", "content": "two", "id": "m2"}]));
    client.send("PATCH", "/v1/sessions/s", &[], Some(br#"{"name":"Voyage"}"#)).expect_status(200);
    client.send("DELETE", &format!("{}/m1", messages_of("s")), &[], None).expect_status(204);
    let third = since(&client, &second);
    assert_eq!(kinds(&third), [("message", "m2"), ("session", "s"), ("tombstone", "m1")]);
    assert_eq!(
        (&third["data"][1]["fields"], &third["data"][2]["of"]),
        (&json!({"name": "Voyage"}), &json!("message"))
    );
    assert_eq!(since(&client, &third)["data"], json!([]));
}

#[test]
fn what_is_deleted_is_told_as_a_place_without_a_word_of_it() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "marzipan", "id": "m1"}]));
    client.send("DELETE", &format!("{}/m1", messages_of("s")), &[], None).expect_status(204);
    let page = changes(&client, "");
    assert_eq!(kinds(&page), [("message", "m1"), ("tombstone", "m1")]);
    assert_eq!(
        (&page["data"][0]["deleted"], &page["data"][0]["message"]),
        (&json!(true), &Value::Null)
    );
    assert!(!page.to_string().contains("marzipan"));
    client.send("DELETE", "/v1/sessions/s", &[], None).expect_status(404);
}

#[test]
fn pages_go_on_where_the_last_ended_also_once_all_is_sealed() {
    let client = client();
    for number in 0..70 {
        client.store(
            "s",
            &json!([{"role": "user", "content": format!("{number}"), "id": format!("m{number}")}]),
        );
    }
    let (mut page, mut ids) = (changes(&client, "?limit=30"), Vec::new());
    let body = json!({"user_id": client.user}).to_string();
    Client { user: None, ..client.clone() }.post("/v1/upkeep/compact", &body).expect_status(200);
    loop {
        ids.extend(kinds(&page).iter().map(|(_, id)| (*id).to_owned()));
        if page["has_more"] == false {
            break;
        }
        assert_eq!(page["poll_after_seconds"], 0);
        page = changes(
            &client,
            &format!("?limit=30&cursor={}", page["next_cursor"].as_str().unwrap()),
        );
    }
    assert_eq!(ids, (0..70).map(|number| format!("m{number}")).collect::<Vec<_>>());
}

#[test]
fn an_erase_is_told_first_and_what_came_before_it_no_more() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "one", "id": "m1"}]));
    let page = changes(&client, "");
    let erase = format!("/v1/users/{}/erase", client.user.as_deref().unwrap());
    Client { user: None, ..client.clone() }.post(&erase, "{}").expect_status(200);
    client.store("s", &json!([{"role": "user", "content": "two", "id": "m2"}]));
    let page = since(&client, &page);
    assert_eq!(kinds(&page), [("erase", ""), ("message", "m2")]);
    assert!(page["data"][0]["order"].as_str() < page["data"][1]["order"].as_str());
    assert_eq!(since(&client, &page)["data"], json!([]));
}

#[test]
fn a_cursor_serves_its_user_only_and_a_key_only_its_own() {
    let (client, other) = (client(), client());
    client.store("s", &json!([{"role": "user", "content": "one"}]));
    let cursor = changes(&client, "")["next_cursor"].as_str().unwrap().to_owned();
    other.get(&path(&other, &format!("?cursor={cursor}"))).problem(400, "invalid_cursor");
    client.get(&path(&client, "?cursor=x")).problem(400, "invalid_cursor");
    client.get(&path(&client, "?limit=0")).any_problem();
    let wanted = json!({"kind": "user", "user_id": other.user, "permissions": ["read"]});
    let bound = client.with_key(&client.make_key(&wanted));
    bound.get(&path(&client, "")).problem(403, "denied");
    bound.get(&path(&other, "")).expect_status(200);
    let writer = json!({"kind": "user", "user_id": other.user, "permissions": ["write"]});
    client.with_key(&client.make_key(&writer)).get(&path(&other, "")).problem(403, "denied");
    let answer = client.post(&path(&client, ""), "{}");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
}

#[test]
fn a_user_who_never_was_has_an_empty_feed_that_goes_on() {
    let client = client();
    let page = changes(&client, "");
    assert_eq!(page["data"], json!([]));
    client.store("s", &json!([{"role": "user", "content": "one", "id": "m1"}]));
    assert_eq!(kinds(&since(&client, &page)), [("message", "m1")]);
}
