//! What is deleted never comes back: after `kill -9` amid deletes, and on another host.

use futures::future::join_all;
use holdfast_faults::{Answer, Api, Installation};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

const DELETES: usize = 24;
const KILL_AFTER: usize = 8;
const MESSAGES: usize = 5;

fn messages(session: &str) -> String {
    format!("/v1/sessions/{session}/messages")
}

async fn say(api: &Api, session: &str, id: &str, after: Option<&str>) -> Answer {
    let text = format!("the word is word{session}{id}");
    let body = json!({"user_id": "ann", "id": id, "role": "user", "content": text});
    api.post(&messages(session), &body, after).await.expect("an answer")
}

/// Deletes; none when no answer came.
async fn delete(api: &Api, path: &str) -> Option<Answer> {
    api.send(Method::DELETE, &format!("{path}?user_id=ann"), None, None).await.ok()
}

/// Ids and indexes of a session's messages; none when there is no such session.
async fn read(api: &Api, session: &str, rest: &str, after: Option<&str>) -> Vec<(String, u64)> {
    let path = format!("{}?user_id=ann&limit=1000{rest}", messages(session));
    let answer = api.get(&path, after).await;
    if answer.status == 404 {
        return Vec::new();
    }
    let placed = |item: &Value| {
        (item["id"].as_str().expect("an id").to_owned(), item["index"].as_u64().expect("an index"))
    };
    answer.expect(200).json()["data"].as_array().expect("data").iter().map(placed).collect()
}

async fn finds(api: &Api, session: &str, id: &str) -> bool {
    let word = format!("word{session}{id}");
    let body = json!({"user_id": "ann", "query": word, "mode": "keyword", "top_k": 1});
    let hits = api.post_for(200, "/v1/search", &body).await.json();
    let found = |hit: &Value| hit["session_id"] == session && hit["message"]["id"] == id;
    hits["data"].as_array().expect("hits").iter().any(found)
}

fn placed(all: &[(usize, u64)]) -> Vec<(String, u64)> {
    all.iter().map(|(id, index)| (format!("m{id}"), *index)).collect()
}

/// What a session shows before and after the delete of `number`: a whole session, or its third message.
fn shows(number: usize, deleted: bool) -> Vec<(String, u64)> {
    match (deleted, number.is_multiple_of(2)) {
        (false, _) => placed(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
        (true, true) => Vec::new(),
        (true, false) => placed(&[(0, 1), (1, 2), (3, 4), (4, 5)]),
    }
}

/// Deletes one after another, a little apart, and kills the host amid them: which were acknowledged.
async fn delete_and_kill(host: holdfast_servers::Host) -> Vec<bool> {
    let api = Api::of(&host);
    let (tell, mut told) = mpsc::unbounded_channel();
    let deletes = (0..DELETES).map(|number| {
        let (api, tell) = (api.clone(), tell.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(number as u64 * 100)).await;
            let path = match number.is_multiple_of(2) {
                true => format!("/v1/sessions/s{number}"),
                false => format!("{}/m2", messages(&format!("s{number}"))),
            };
            let answered = delete(&api, &path).await.map(|answer| answer.status);
            let _ = tell.send(());
            assert!(answered.is_none_or(|status| status == 204), "{answered:?}");
            answered.is_some()
        })
    });
    let deletes: Vec<_> = deletes.collect();
    for _ in 0..KILL_AFTER {
        told.recv().await.expect("a delete");
    }
    host.kill();
    join_all(deletes).await.into_iter().map(|one| one.expect("a delete")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_deleted_before_it_died_stays_deleted() {
    let mut installation = Installation::embedded();
    let host = installation.start();
    let api = Api::of(&host);
    for number in 0..DELETES {
        for message in 0..MESSAGES {
            let stored = say(&api, &format!("s{number}"), &format!("m{message}"), None).await;
            let _ = stored.expect(201);
        }
    }
    let acknowledged = delete_and_kill(host).await;
    let count = acknowledged.iter().filter(|one| **one).count();
    println!("killed after {count} of {DELETES} acknowledgements");
    assert!((KILL_AFTER..DELETES).contains(&count), "the kill was not amid them");

    let mut before: Option<Vec<bool>> = None;
    for _ in 0..2 {
        installation.lose_local_directory();
        let host = installation.start();
        let api = Api::of(&host);
        let mut deleted = Vec::new();
        for (number, acknowledged) in acknowledged.iter().enumerate() {
            let session = format!("s{number}");
            let found = read(&api, &session, "", None).await;
            let is_deleted = found != shows(number, false);
            assert_eq!(found, shows(number, is_deleted), "{session}: half of it is there");
            assert!(is_deleted || !acknowledged, "{session}: an acknowledged delete came back");
            assert_eq!(finds(&api, &session, "m2").await, !is_deleted, "{session}");
            deleted.push(is_deleted);
        }
        // What is known of an unanswered delete is the same from the first start on.
        assert!(before.is_none_or(|before| before == deleted));
        before = Some(deleted);
        host.kill();
    }

    let host = installation.start();
    let api = Api::of(&host);
    for (number, deleted) in before.unwrap_or_default().into_iter().enumerate() {
        let session = format!("s{number}");
        match (deleted, number.is_multiple_of(2)) {
            (true, true) => {
                let _ = say(&api, &session, "m2", None).await.expect(201);
                assert_eq!(read(&api, &session, "", None).await, placed(&[(2, 1)]), "{session}");
            }
            (true, false) => drop(say(&api, &session, "m2", None).await.expect(410)),
            (false, _) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_deleted_another_does_not_show() {
    let installation = Installation::rclone();
    let (one, _kept) = installation.start_beside();
    let (other, _kept_too) = installation.start_beside();
    let hosts = [Api::of(&one), Api::of(&other)];
    for round in 0..6 {
        let (writer, reader) = (&hosts[round % 2], &hosts[(round + 1) % 2]);
        let (session, local) = (format!("s{round}"), "&consistency=local");
        for id in ["m0", "m1", "m2"] {
            let _ = say(writer, &session, id, None).await.expect(201);
        }
        assert_eq!(read(reader, &session, "", None).await.len(), 3);
        let answer = delete(writer, &format!("{}/m1", messages(&session))).await;
        let after = answer.expect("an answer").expect(204).after;
        let token = after.as_deref().filter(|_| round < 3);
        let rest = if round < 3 { local } else { "" };
        assert_eq!(read(reader, &session, rest, token).await, placed(&[(0, 1), (2, 3)]));
        // The other host writes the same id again, knowing of the delete.
        let _ = say(reader, &session, "m1", None).await.expect(410);
        let answer = delete(reader, &format!("/v1/sessions/{session}")).await;
        let after = answer.expect("an answer").expect(204).after;
        let _ = say(writer, &session, "m2", None).await.expect(201);
        for api in &hosts {
            let found = read(api, &session, "", after.as_deref()).await;
            assert_eq!(found, placed(&[(2, 1)]), "round {round}");
        }
    }
}
