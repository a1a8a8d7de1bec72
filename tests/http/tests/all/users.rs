//! What is said of a user as a whole, and deletes that take the bytes too.

use holdfast_http_tests::{Client, by_words, fresh, messages_of};
use serde_json::{Value, json};

fn client() -> Client {
    let user = fresh("said").replace(' ', "-");
    Client { user: Some(user), ..Client::new(by_words()) }
}

fn path(client: &Client) -> String {
    format!("/v1/users/{}", client.user.as_deref().unwrap())
}

fn put(client: &Client, body: &Value) -> holdfast_http_tests::Answer {
    client.send("PUT", &path(client), &[], Some(body.to_string().as_bytes()))
}

#[test]
fn what_is_said_of_a_user_stands_until_it_is_said_anew() {
    let client = client();
    let nothing = client.get(&path(&client)).expect_status(200);
    assert_eq!((nothing.json()["names"].clone(), nothing.header("etag")), (json!([]), None));
    let body = json!({"names": ["Ann"], "no_train": true, "retention_days": 30});
    let said = put(&client, &body).expect_status(200);
    let expected = json!({
        "id": client.user, "names": ["Ann"], "no_train": true, "retention_days": 30, "kept_days": 30
    });
    assert_eq!(said.json(), expected);
    assert_eq!(client.get(&path(&client)).expect_status(200).json(), expected);
    let etag = said.header("etag").unwrap().to_owned();
    assert_eq!(put(&client, &body).expect_status(200).header("etag"), Some(etag.as_str()));
    let anew = put(&client, &json!({"names": []})).expect_status(200);
    assert_eq!((&anew.json()["no_train"], &anew.json()["kept_days"]), (&json!(false), &json!(0)));
    let stale = client.send("PUT", &path(&client), &[("If-Match", &etag)], Some(b"{}"));
    stale.problem(412, "precondition_failed");
    let changes = client.get(&format!("{}/changes", path(&client))).expect_status(200).data();
    assert_eq!(
        (&changes[0]["kind"], &changes[0]["fields"]["no_train"]),
        (&json!("user"), &json!(false))
    );
}

#[test]
fn messages_within_the_retention_stay() {
    let client = client();
    client.store("s", &json!([{"role": "user", "content": "one"}]));
    put(&client, &json!({"retention_days": 1})).expect_status(200);
    assert_eq!(client.messages("s").len(), 1);
    let body = json!({"user_id": client.user}).to_string();
    let anybody = Client { user: None, ..client.clone() };
    let done = anybody.post("/v1/upkeep/expire", &body).expect_status(200).json();
    assert_eq!((&done["expired"], &done["has_more"]), (&json!(0), &json!(false)));
    assert_eq!(anybody.get("/v1/upkeep/expire").header("allow"), Some("POST"));
}

#[test]
fn naming_a_retention_takes_the_permission_to_delete() {
    let client = client();
    let user = client.user.clone().unwrap();
    let key = |permissions: &Value| {
        let wanted = json!({"kind": "user", "user_id": user, "permissions": permissions});
        client.with_key(&client.make_key(&wanted))
    };
    let send = |client: &Client, body: &Value| {
        client.send("PUT", &format!("/v1/users/{user}"), &[], Some(body.to_string().as_bytes()))
    };
    let writer = key(&json!(["read", "write"]));
    send(&writer, &json!({"names": ["Ann"]})).expect_status(200);
    send(&writer, &json!({"retention_days": 7})).problem(403, "denied");
    send(&key(&json!(["write", "delete", "read"])), &json!({"retention_days": 7}))
        .expect_status(200);
    send(&key(&json!(["read"])), &json!({})).problem(403, "denied");
    send(&client, &json!({"retention_days": -1})).any_problem();
    send(&client, &json!({"names": "Ann"})).any_problem();
    send(&client, &json!({"name": []})).any_problem();
}

#[test]
fn a_physical_delete_hides_at_once_and_may_follow_a_plain_one() {
    let client = client();
    let wanted = json!([
        {"role": "user", "content": "one", "id": "m1"}, {"role": "user", "content": "two", "id": "m2"}
    ]);
    client.store("s", &wanted);
    let path = |id: &str, more: &str| format!("{}/{id}{more}", messages_of("s"));
    client.send("DELETE", &path("m1", "?mode=physical"), &[], None).expect_status(204);
    client.get(&path("m1", "")).problem(404, "not_found");
    client.send("DELETE", &path("m2", ""), &[], None).expect_status(204);
    client.send("DELETE", &path("m2", "?mode=physical"), &[], None).expect_status(204);
    client.send("DELETE", &path("m2", "?mode=gentle"), &[], None).any_problem();
    client.send("DELETE", &path("m9", "?mode=physical"), &[], None).problem(404, "not_found");
    client.store("s", &json!([{"role": "user", "content": "three", "id": "m3"}]));
    assert_eq!(client.messages("s")[0]["index"], 3);
    client.send("DELETE", "/v1/sessions/s?mode=physical", &[], None).expect_status(204);
    client.send("DELETE", "/v1/sessions/s?mode=physical", &[], None).expect_status(204);
    client.get("/v1/sessions/s").problem(404, "not_found");
}

#[test]
fn what_has_ended_is_deleted_for_ever_by_upkeep_and_what_has_not_stays() {
    let client = client();
    let save = |id: &str, ends: Option<&str>| {
        let body = json!({"id": id, "text": format!("memory {id}"), "expires_at": ends});
        client.post("/v1/memories", &body.to_string()).expect_status(201);
    };
    save("ended", Some("2020-01-01T00:00:00Z"));
    save("ends", Some("2100-01-01T00:00:00Z"));
    save("stays", None);
    client.store("s", &json!([{"role": "user", "content": "one"}]));
    let entry = json!({"value": 1, "expires_at": "2020-01-01T00:00:00Z"}).to_string();
    let path = "/v1/sessions/s/contexts/project/old";
    assert!(client.send("PUT", path, &[], Some(entry.as_bytes())).status < 300);
    let anybody = Client { user: None, ..client.clone() };
    let body = json!({"user_id": client.user}).to_string();
    let expire = || anybody.post("/v1/upkeep/expire", &body).expect_status(200).json();
    let first = expire();
    assert_eq!((&first["ended"], &first["expired"]), (&json!(2), &json!(0)), "{first}");
    assert_eq!((&expire()["ended"], &expire()["has_more"]), (&json!(0), &json!(false)));
    let left = client.get("/v1/memories?order=asc").expect_status(200).data();
    let ids: Vec<&str> = left.iter().map(|memory| memory["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["ends", "stays"]);
    // It is gone, and can be saved anew.
    save("ended", None);
    client.get("/v1/memories/ended").expect_status(200);
}

#[test]
fn a_physical_delete_of_a_memory_hides_at_once_and_opens_it_to_a_new_one() {
    let client = client();
    let save = |text: &str| {
        let body = json!({"id": "m", "text": text}).to_string();
        client.post("/v1/memories", &body).expect_status(201);
    };
    save("before");
    client.send("DELETE", "/v1/memories/m?mode=gentle", &[], None).any_problem();
    client.send("DELETE", "/v1/memories/m?mode=physical", &[], None).expect_status(204);
    client.get("/v1/memories/m").problem(404, "not_found");
    save("anew");
    assert_eq!(client.get("/v1/memories/m").expect_status(200).json()["text"], "anew");
}
