//! A store that takes a write and never says so: the caller hears that the outcome is unknown, with the ids under which to ask again.

use holdfast_faults::{Answer, Api, Installation, seed};
use holdfast_servers::{Fault, Rclone, Weather};
use http::Method;
use serde_json::{Value, json};

const PATH: &str = "/v1/sessions/s/messages";

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_said_to_be_unknown_and_is_there_once_when_it_is_repeated()
{
    // Nothing in the background writes in its place.
    let quiet = [
        "compact_interval_ms",
        "upkeep_interval_ms",
        "export_interval_ms",
        "summarize_interval_ms",
    ];
    let installation = Installation::behind_proxy(Rclone::start(), seed());
    let installation = quiet.into_iter().fold(installation, |all, name| all.with(name, "0"));
    let installation = installation.with("s3_deadline_ms", "1500");
    let host = installation.start();
    let (api, proxy) = (Api::of(&host), installation.proxy());
    let _ = store(&api, &json!([said("before", None)])).await.expect(201);
    let _ = read(&api).await;

    proxy.set(Weather::Ends(1));
    let answer = store(&api, &json!([said("one", None), said("two", None)])).await.expect(503);
    let problem = answer.json();
    assert_eq!(proxy.struck().get(&Fault::LostAnswer), Some(&1), "{:?}", proxy.struck());
    assert_eq!(
        (&problem["code"], &problem["outcome"]),
        (&json!("outcome_unknown"), &json!("unknown")),
        "{problem}"
    );
    let ids: Vec<&str> =
        problem["ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(ids.len(), 2, "{problem}");

    proxy.set(Weather::Calm);
    let again = json!([said("one", Some(ids[0])), said("two", Some(ids[1]))]);
    for _ in 0..2 {
        let body = json!({"user_id": "ann", "messages": again}).to_string();
        let stored = api.patiently(Method::POST, PATH, Some(body.into()), None).await;
        assert!([200, 201].contains(&stored.status), "{stored:?}");
        let messages = stored.json()["messages"].clone();
        assert_eq!((&messages[0]["id"], &messages[1]["id"]), (&json!(ids[0]), &json!(ids[1])));
    }
    let expected =
        [("one", ids[0]), ("two", ids[1])].map(|(text, id)| (id.to_owned(), text.to_owned()));
    let (other, _kept) = installation.start_beside();
    for api in [&api, &Api::of(&other)] {
        let all = read(api).await;
        assert_eq!(all.len(), 3, "{all:?}");
        assert_eq!(all[1..], expected);
    }
}

fn said(text: &str, id: Option<&str>) -> Value {
    let mut message = json!({"role": "user", "content": text});
    if let Some(id) = id {
        message["id"] = json!(id);
    }
    message
}

async fn store(api: &Api, messages: &Value) -> Answer {
    let body = json!({"user_id": "ann", "messages": messages});
    api.post(PATH, &body, None).await.unwrap()
}

/// Ids and texts.
async fn read(api: &Api) -> Vec<(String, String)> {
    let path = format!("{PATH}?user_id=ann");
    let answer = api.patiently(Method::GET, &path, None, None).await.expect(200).json();
    let text = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
    let all = answer["data"].as_array().unwrap().iter();
    all.map(|message| (text(message, "id"), text(message, "content"))).collect()
}
