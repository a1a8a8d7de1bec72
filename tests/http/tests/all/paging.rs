//! Pages: in both directions they are the whole, and a cursor serves its own query only.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

fn with_messages(count: usize) -> Client {
    let client = Client::new(by_words());
    let sent: Vec<Value> =
        (0..count).map(|n| json!({"role": "user", "content": format!("{n}")})).collect();
    client.store("s", &json!(sent));
    client
}

fn walk(client: &Client, query: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            client.get(&format!("{}?{query}{cursor}", messages_of("s"))).expect_status(200).json();
        found.extend(page["data"].as_array().unwrap().iter().cloned());
        let next = page["next_cursor"].as_str();
        assert_eq!(page["has_more"], next.is_some());
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        assert!(found.len() <= 1_000, "the walk does not end");
    }
}

fn first_cursor(client: &Client, query: &str) -> String {
    let page = client.get(&format!("{}?{query}", messages_of("s"))).expect_status(200).json();
    page["next_cursor"].as_str().expect("more than a page").to_owned()
}

#[test]
fn pages_forward_are_the_whole() {
    let client = with_messages(23);
    let whole = client.messages("s");
    assert_eq!(whole.len(), 23);
    for limit in [1, 5, 22, 23, 24] {
        assert_eq!(walk(&client, &format!("limit={limit}")), whole, "{limit}");
    }
}

#[test]
fn pages_backward_are_the_whole_from_its_end() {
    let client = with_messages(23);
    let mut whole = client.messages("s");
    whole.reverse();
    for limit in [1, 7, 23] {
        assert_eq!(walk(&client, &format!("order=desc&limit={limit}")), whole, "{limit}");
    }
}

#[test]
fn a_walk_finds_what_was_stored_after_it_began() {
    let client = with_messages(5);
    let cursor = first_cursor(&client, "limit=3");
    client.store("s", &json!([{"role": "user", "content": "late"}]));
    let rest = client.get(&format!("{}?limit=10&cursor={cursor}", messages_of("s"))).data();
    assert_eq!(rest.iter().map(|m| m["content"].clone()).collect::<Vec<_>>(), ["3", "4", "late"]);
}

#[test]
fn a_cursor_of_another_session_is_refused() {
    let client = with_messages(5);
    let cursor = first_cursor(&client, "limit=2");
    client.store("other", &json!([{"role": "user", "content": "x"}]));
    client
        .get(&format!("{}?limit=2&cursor={cursor}", messages_of("other")))
        .problem(400, "invalid_cursor");
}

#[test]
fn a_cursor_of_the_other_direction_is_refused() {
    let client = with_messages(5);
    let cursor = first_cursor(&client, "limit=2");
    let path = format!("{}?limit=2&order=desc&cursor={cursor}", messages_of("s"));
    client.get(&path).problem(400, "invalid_cursor");
}

#[test]
fn a_cursor_of_another_user_is_refused() {
    let client = with_messages(5);
    let cursor = first_cursor(&client, "limit=2");
    let other = client.acting_for(&fresh("other"));
    other.store("s", &json!([{"role": "user", "content": "x"}]));
    other
        .get(&format!("{}?limit=2&cursor={cursor}", messages_of("s")))
        .problem(400, "invalid_cursor");
}

#[test]
fn a_changed_cursor_is_refused() {
    let client = with_messages(5);
    let cursor = first_cursor(&client, "limit=2");
    for changed in
        [format!("{cursor}A"), cursor.replacen('.', "", 1), "x.y".to_owned(), "%00".to_owned()]
    {
        client
            .get(&format!("{}?limit=2&cursor={changed}", messages_of("s")))
            .problem(400, "invalid_cursor");
    }
}

#[test]
fn an_unknown_parameter_is_refused_and_names_the_nearest_known_one() {
    let client = with_messages(1);
    let problem = client.get(&format!("{}?limt=2", messages_of("s"))).problem(400, "unknown_field");
    assert!(problem["detail"].as_str().unwrap().contains("limit"), "{problem}");
    assert_eq!(problem["pointer"], "limt");
}

#[test]
fn a_parameter_that_stands_twice_is_refused() {
    let client = with_messages(1);
    client.get(&format!("{}?limit=2&limit=3", messages_of("s"))).problem(400, "invalid");
}
