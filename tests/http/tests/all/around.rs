//! What lies around messages: feedback, chunks, look-up by the hash of their content.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::json;
use sha2::{Digest, Sha256};

/// A client for a user whose id stands in a path as it is.
fn client() -> Client {
    let user = fresh("around").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn say(client: &Client, session: &str, text: &str) -> String {
    client.store(session, &json!([{"role": "user", "content": text}])).remove(0)
}

fn of_user(client: &Client, rest: &str) -> String {
    format!("/v1/users/{}/{rest}", client.user.as_deref().unwrap())
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn f2_20_feedback_is_kept_with_its_message_and_gone_with_it() {
    let client = client();
    let id = say(&client, "s", "x");
    let path = format!("{}/{id}/feedback", messages_of("s"));
    let body = r#"{"rating":"down","better_answer":"y","comment":"no","metadata":{"a":1}}"#;
    let key = ("Idempotency-Key", "f1");
    let made = client.post_with(&path, key, body).expect_status(201);
    let again = client.post_with(&path, key, body).expect_status(201);
    assert_eq!((made.json(), again.header("idempotency-replayed")), (again.json(), Some("true")));
    client.post_with(&path, key, r#"{"rating":"up"}"#).problem(422, "idempotency_mismatch");
    client.post(&path, r#"{"rating":"up"}"#).expect_status(201);
    let all = client.get(&path).expect_status(200).data();
    assert_eq!((all.len(), &all[0]), (2, &made.json()));
    assert_eq!((&all[0]["rating"], &all[0]["better_answer"]), (&json!("down"), &json!("y")));
    client.post(&path, "{}").problem(422, "unprocessable");
    client.post(&path, r#"{"rating":"so-so"}"#).problem(422, "unprocessable");
    let none = format!("{}/none/feedback", messages_of("s"));
    client.post(&none, r#"{"rating":"up"}"#).problem(404, "not_found");
    client.send("DELETE", &format!("{}/{id}", messages_of("s")), &[], None).expect_status(204);
    client.get(&path).problem(404, "not_found");
}

#[test]
fn f2_3_chunks_rejoin_to_the_exact_bytes() {
    let client = client();
    let code = "fn main() {\r\n\tprintln!(\"{}\", \"é😀\"); // x = \"y\"\r\n}\n\n".repeat(60);
    let line = "the wörds of a lóng message, with an emoji now and then: 👩‍👩‍👧 {\r\n";
    // As near to 1 MB as whole lines go.
    let long = line.repeat(1_000_000 / line.len());
    for text in [code.as_str(), long.as_str(), "short", "\r\n\r\n e\u{301} \u{0}"] {
        let id = say(&client, "s", text);
        let chunks = client.get(&format!("{}/{id}/chunks", messages_of("s"))).expect_status(200);
        let (mut joined, mut end) = (Vec::new(), 0);
        for (index, chunk) in chunks.data().iter().enumerate() {
            assert_eq!((&chunk["response_id"], &chunk["chunk_index"]), (&json!(id), &json!(index)));
            let (from, to) = (chunk["start"].as_u64().unwrap(), chunk["end"].as_u64().unwrap());
            assert_eq!(from, end);
            end = to;
            let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
            let content = chunk["content"].as_str().unwrap();
            assert_eq!(text.as_bytes()[range], *content.as_bytes());
            joined.extend_from_slice(content.as_bytes());
        }
        assert_eq!(joined, text.as_bytes());
    }
}

#[test]
fn f3_22_messages_are_looked_up_by_the_hash_of_their_content() {
    let client = client();
    let first = say(&client, "s", "ok");
    let second = say(&client, "t", "ok");
    say(&client, "s", "ok?");
    let ids = |path: String| -> Vec<String> {
        let found = client.get(&path).expect_status(200).data();
        found.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
    };
    let query = format!("content_hash={}", hash("ok"));
    assert_eq!(ids(format!("{}?{query}", of_user(&client, "messages"))), [first.clone(), second]);
    assert_eq!(ids(format!("{}?{query}", messages_of("s"))), std::slice::from_ref(&first));
    client.send("DELETE", &format!("{}/{first}", messages_of("s")), &[], None).expect_status(204);
    assert!(ids(format!("{}?{query}", messages_of("s"))).is_empty());
    let third = say(&client, "s", "ok");
    assert_eq!(ids(format!("{}?{query}", messages_of("s"))), [third]);
    client.get(&format!("{}?content_hash=abc", messages_of("s"))).problem(400, "invalid");
}
