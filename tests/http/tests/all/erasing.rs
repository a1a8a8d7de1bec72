//! Erasing a user: nothing answers with what was there, nobody else's goes, and the receipt says what went.

use holdfast_http_tests::{Answer, Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

const GONE: &str = "marzipan lighthouse";

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    let user = fresh("erased").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn path(client: &Client) -> String {
    format!("/v1/users/{}/erase", client.user.as_deref().unwrap())
}

/// As an operator asks: the path names the user.
fn asking(client: &Client) -> Client {
    Client { user: None, ..client.clone() }
}

fn erase(client: &Client) -> Answer {
    asking(client).post(&path(client), "{}").expect_status(200)
}

fn two(client: &Client) {
    let text = format!("we met at the {GONE}");
    client.store("s", &json!([{"role": "user", "content": text, "id": "m1"}]));
    client.store("s", &json!([{"role": "user", "content": "two", "id": "m2"}]));
}

fn found(client: &Client) -> Vec<Value> {
    let body = json!({"query": GONE, "mode": "keyword"}).to_string();
    client.post("/v1/search", &body).expect_status(200).data()
}

/// Is there no such session any more?
fn nothing_left(client: &Client) -> bool {
    client.get(&messages_of("s")).status == 404
}

#[test]
fn an_erased_user_is_empty_everywhere_and_others_are_not_touched() {
    let (client, other) = (client(), client());
    two(&client);
    two(&other);
    assert!(!found(&client).is_empty());
    let answer = erase(&client);
    assert!(answer.header("holdfast-after").is_some());
    client.get("/v1/sessions/s").problem(404, "not_found");
    client.get(&format!("{}/m1", messages_of("s"))).problem(404, "not_found");
    assert!(nothing_left(&client) && found(&client).is_empty());
    assert!(client.get("/v1/sessions").expect_status(200).data().is_empty());
    let context = json!({"query": GONE, "max_tokens": 500}).to_string();
    let context = client.post("/v1/context", &context).expect_status(200);
    assert!(!context.text.contains("marzipan"), "{}", context.text);
    assert_eq!((other.messages("s").len(), found(&other).is_empty()), (2, false));
}

#[test]
fn the_receipt_counts_what_went_and_says_when_it_is_final() {
    let client = client();
    two(&client);
    let receipt = erase(&client).json();
    assert_eq!(receipt["user_id"], client.user.clone().unwrap());
    assert_eq!((&receipt["has_more"], &receipt["final"]), (&json!(false), &json!(false)));
    assert_eq!(receipt["removed"], json!({"wal": 2}));
    assert_eq!(receipt["names_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(receipt["id"].as_str().unwrap().len(), 26);
    assert!(receipt["final_after"].as_str().unwrap() > receipt["erased_at"].as_str().unwrap());
    assert!(!receipt.to_string().contains("marzipan"));
    let asked = asking(&client).get(&path(&client)).expect_status(200).json();
    assert_eq!(asked, receipt);
    // Going on with one that is done changes nothing.
    let body = json!({"id": receipt["id"]}).to_string();
    assert_eq!(asking(&client).post(&path(&client), &body).expect_status(200).json(), receipt);
}

#[test]
fn what_is_stored_after_an_erase_stays_and_erasing_again_takes_it() {
    let client = client();
    two(&client);
    let first = erase(&client).json();
    two(&client);
    assert_eq!((client.messages("s").len(), found(&client).is_empty()), (2, false));
    let rank = |message: &Value| message["index"].as_u64().unwrap();
    assert_eq!(client.messages("s").iter().map(rank).collect::<Vec<_>>(), [1, 2]);
    let second = erase(&client).json();
    assert!(second["id"].as_str() > first["id"].as_str());
    assert!(nothing_left(&client) && found(&client).is_empty());
}

#[test]
fn a_user_who_never_was_can_be_erased_and_has_no_receipt_before() {
    let client = client();
    asking(&client).get(&path(&client)).problem(404, "not_found");
    let body = json!({"id": "01KM4A3QHC0000000000000000"}).to_string();
    asking(&client).post(&path(&client), &body).problem(404, "not_found");
    assert_eq!(erase(&client).json()["removed"], json!({}));
    assert!(nothing_left(&client));
}

#[test]
fn only_a_key_that_may_erase_erases_and_a_user_key_only_its_own_user() {
    let client = client();
    two(&client);
    let user = client.user.clone().unwrap();
    let key = |permissions: &Value, user: &str| {
        let wanted = json!({"kind": "user", "user_id": user, "permissions": permissions});
        client.with_key(&client.make_key(&wanted))
    };
    let deleter = key(&json!(["read", "write", "delete"]), &user);
    deleter.post(&path(&client), "{}").problem(403, "denied");
    deleter.get(&path(&client)).problem(403, "denied");
    let stranger = key(&json!(["read", "erase"]), "somebody-else");
    stranger.post(&path(&client), "{}").problem(403, "denied");
    assert_eq!(client.messages("s").len(), 2);
    key(&json!(["read", "erase"]), &user).post(&path(&client), "{}").expect_status(200);
    assert!(nothing_left(&client));
}

#[test]
fn what_is_not_known_in_the_body_or_the_method_is_refused() {
    let client = client();
    two(&client);
    asking(&client).post(&path(&client), r#"{"user":"x"}"#).any_problem();
    assert_eq!(
        asking(&client).send("DELETE", &path(&client), &[], None).header("allow"),
        Some("GET, POST")
    );
    assert_eq!(client.messages("s").len(), 2);
}
