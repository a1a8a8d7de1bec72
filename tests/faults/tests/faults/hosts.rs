//! Several hosts on one bucket that ignores conditions: what one acknowledged the other shows.

use futures::future::join_all;
use holdfast_faults::{Answer, Api, Installation, history, long};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const HOSTS: usize = 3;
const WRITERS: usize = 8;
const EACH: usize = 25;

async fn say(api: &Api, session: &str, id: &str, text: &str, after: Option<&str>) -> Answer {
    let body = json!({"user_id": "ann", "id": id, "role": "user", "content": text});
    let path = format!("/v1/sessions/{session}/messages");
    api.patiently(Method::POST, &path, Some(body.to_string().into()), after).await.expect(201)
}

async fn find(api: &Api, word: &str, consistency: &str, after: Option<&str>) -> Vec<String> {
    let body =
        json!({"user_id": "ann", "query": word, "mode": "keyword", "consistency": consistency});
    let body = Some(body.to_string().into());
    let answer = api.patiently(Method::POST, "/v1/search", body, after).await.expect(200);
    let id = |hit: &Value| hit["message"]["id"].as_str().expect("an id").to_owned();
    answer.json()["data"].as_array().expect("hits").iter().map(id).collect()
}

async fn last(api: &Api, session: &str, consistency: &str, after: Option<&str>) -> Option<String> {
    let (items, _) = history(api, "ann", session, after, consistency).await;
    items.last().map(|item| item.id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_acknowledged_another_shows_at_once() {
    let installation = Installation::rclone();
    let (one, _kept) = installation.start_beside();
    let (other, _kept_too) = installation.start_beside();
    let hosts = [Api::of(&one), Api::of(&other)];
    for round in 0..12 {
        let (writer, reader) = (&hosts[round % 2], &hosts[(round + 1) % 2]);
        let (id, word) = (format!("m-{round}"), format!("unheard{round}"));
        let stored = say(writer, "talk", &id, &format!("the word is {word}"), None).await;
        let token = stored.after.as_deref().expect("Holdfast-After");
        if round % 4 < 2 {
            // By the store's own list, without a word from the writer.
            assert_eq!(last(reader, "talk", "latest", None).await.as_deref(), Some(id.as_str()));
            assert!(find(reader, &word, "latest", None).await.contains(&id), "round {round}");
        } else {
            // By name, from the token alone.
            let seen = find(reader, &word, "local", Some(token)).await;
            assert!(seen.contains(&id), "round {round}: {seen:?}");
            let newest = last(reader, "talk", "local", Some(token)).await;
            assert_eq!(newest.as_deref(), Some(id.as_str()));
        }
    }
}

/// 20 rounds in the long form.
#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_over_three_hosts_lose_nothing_and_all_hosts_tell_one_order() {
    let installation = Installation::rclone();
    let started: Vec<_> = (0..HOSTS).map(|_| installation.start_beside()).collect();
    let hosts: Vec<Api> = started.iter().map(|(host, _)| Api::of(host)).collect();
    let rounds = if long() { 20 } else { 3 };
    let mut stories = Vec::new();
    for round in 0..rounds {
        let session = format!("talk-{round}");
        let writers = (0..WRITERS).map(|writer| {
            let (hosts, session) = (hosts.clone(), session.clone());
            tokio::spawn(async move { write(&hosts, &session, writer).await })
        });
        for written in join_all(writers).await {
            let _token = written.expect("a writer");
        }
        stories.push((session.clone(), told(&hosts, &session).await));
    }
    // The rounds after it changed nothing of a session: not its order, not a byte.
    for (session, told) in &stories {
        for host in &hosts {
            assert_eq!(&history(host, "ann", session, None, "latest").await.1, told, "{session}");
        }
    }
    println!("{HOSTS} hosts, {rounds} rounds: {} messages, none lost", rounds * WRITERS * EACH);
}

/// What all hosts tell of a session into which all writers wrote: the same, and all of it, each writer's in its own order.
async fn told(hosts: &[Api], session: &str) -> Vec<String> {
    let (items, texts) = history(&hosts[0], "ann", session, None, "latest").await;
    for host in hosts {
        let (_, others) = history(host, "ann", session, None, "latest").await;
        assert_eq!(texts, others, "{session}: two hosts tell different stories");
    }
    let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!((items.len(), ids.len()), (WRITERS * EACH, WRITERS * EACH), "{session}");
    for writer in 0..WRITERS {
        let own = items.iter().filter(|item| item.id.starts_with(&format!("w{writer}-")));
        let own: Vec<_> = own.map(|item| item.id.clone()).collect();
        let said: Vec<_> = (0..EACH).map(|n| format!("w{writer}-{n:02}")).collect();
        assert_eq!(own, said, "{session}: a writer's own order");
    }
    texts
}

/// One writer goes from host to host and shows each what it has seen.
async fn write(hosts: &[Api], session: &str, writer: usize) -> String {
    let mut after: Option<String> = None;
    for n in 0..EACH {
        let api = &hosts[(writer + n) % hosts.len()];
        let id = format!("w{writer}-{n:02}");
        let stored = say(api, session, &id, &format!("{writer} says {n}"), after.as_deref()).await;
        after = stored.after;
    }
    after.expect("Holdfast-After")
}
