//! Search: by word, by meaning, inside a session and across, under filters, with its stages.

use holdfast_http_tests::{Client, by_meaning, by_words, fresh};
use serde_json::{Value, json};

fn library(client: Client) -> Client {
    client.store(
        "travel",
        &json!([
            {"role": "user", "name": "Ann", "content": "We fly to Lisbon on 3 May, window seats please.", "metadata": {"topic": "travel", "n": 1}, "event_time": "2026-02-01T10:00:00Z"},
            {"role": "assistant", "content": "Booked: two window seats to Lisbon.", "metadata": {"topic": "travel", "n": 2}},
            {"role": "user", "name": "Ann", "content": "The hotel near the harbour has a sauna.", "metadata": {"topic": "hotel", "n": 3, "tags": ["warm"]}},
        ]),
    );
    client.store(
        "kitchen",
        &json!([
            {"role": "user", "name": "Ann", "content": "My bread never rises, the yeast must be dead.", "metadata": {"topic": "baking"}},
            {"role": "assistant", "content": "Try lukewarm water and a pinch of sugar.", "metadata": {"topic": "baking"}},
            {"role": "user", "name": "Ann", "content": "I adopted a kitten called Miso.", "metadata": {"topic": "pets"}},
        ]),
    );
    client
}

fn words() -> Client {
    library(Client::new(by_words()))
}

fn search(client: &Client, body: &Value) -> Value {
    client.post("/v1/search", &body.to_string()).expect_status(200).json()
}

fn found(answer: &Value) -> Vec<&str> {
    let hits = answer["data"].as_array().unwrap().iter();
    hits.map(|hit| hit["message"]["content"].as_str().unwrap()).collect()
}

#[test]
fn a_word_finds_its_message_first() {
    let answer = search(&words(), &json!({"query": "yeast"}));
    assert!(found(&answer)[0].contains("yeast"), "{answer}");
}

#[test]
fn a_message_is_found_at_once_after_it_was_stored() {
    let client = words();
    for n in 0..20 {
        client.store(
            &format!("fast {n}"),
            &json!([{"role": "user", "content": format!("the code word is zebrafinch{n}")}]),
        );
        let answer = search(&client, &json!({"query": format!("zebrafinch{n}")}));
        assert!(found(&answer)[0].ends_with(&format!("zebrafinch{n}")), "{answer}");
    }
}

#[test]
fn a_hit_has_the_form_that_clients_rely_on() {
    let client = words();
    let answer = search(&client, &json!({"query": "Lisbon seats"}));
    let hit = &answer["data"][0];
    assert_eq!(hit["type"], "message");
    assert_eq!(hit["session_id"], "travel");
    let id = hit["message"]["id"].as_str().unwrap();
    let whole = client.messages("travel").into_iter().find(|m| m["id"] == id).unwrap();
    assert_eq!(hit["message"], whole);
    assert!(hit.get("explain").is_none());
    assert!(answer["indexed_through"].is_string());
}

#[test]
fn scores_lie_between_0_and_1_and_fall() {
    let answer = search(&words(), &json!({"query": "window seats Lisbon harbour", "top_k": 50}));
    let scores: Vec<f64> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["score"].as_f64().unwrap())
        .collect();
    assert!(scores.len() > 1);
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
}

#[test]
fn a_search_inside_a_session_finds_nothing_of_another() {
    let client = words();
    let inside =
        search(&client, &json!({"query": "Lisbon yeast", "session_id": "kitchen", "top_k": 50}));
    let sessions = inside["data"].as_array().unwrap().iter().map(|hit| &hit["session_id"]);
    assert!(sessions.clone().count() > 0);
    assert!(sessions.into_iter().all(|session| session == "kitchen"), "{inside}");
}

#[test]
fn a_search_across_sessions_finds_both() {
    let answer = search(&words(), &json!({"query": "Lisbon yeast", "top_k": 50}));
    let texts = found(&answer).join("\n");
    assert!(texts.contains("Lisbon") && texts.contains("yeast"), "{texts}");
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let client = Client::new(by_words());
    let answer = search(&client, &json!({"query": "anything"}));
    assert_eq!(answer["data"], json!([]));
    let client = words();
    assert_eq!(
        search(&client, &json!({"query": "Lisbon", "session_id": "none"}))["data"],
        json!([])
    );
}

/// The contents of what passes a filter.
fn passing(filter: Value) -> Vec<String> {
    let client = words();
    let answer = search(
        &client,
        &json!({"query": "Lisbon window hotel yeast water kitten", "filters": filter, "top_k": 100}),
    );
    let mut texts: Vec<String> =
        found(&answer).iter().map(|text| text.chars().take(6).collect()).collect();
    texts.sort();
    texts
}

#[test]
fn a_filter_on_the_role_holds() {
    assert_eq!(passing(json!({"role": {"eq": "assistant"}})), ["Booked", "Try lu"]);
}

#[test]
fn a_filter_on_metadata_holds() {
    assert_eq!(passing(json!({"metadata.topic": {"in": ["hotel", "pets"]}})), ["I adop", "The ho"]);
}

#[test]
fn a_filter_of_and_or_not_holds() {
    let filter =
        json!({"AND": [{"metadata.topic": {"eq": "travel"}}, {"NOT": {"role": {"eq": "user"}}}]});
    assert_eq!(passing(filter), ["Booked"]);
    let filter = json!({"OR": [{"metadata.n": {"gte": 3}}, {"metadata.topic": {"eq": "pets"}}]});
    assert_eq!(passing(filter), ["I adop", "The ho"]);
}

#[test]
fn filters_that_exist_and_contain_hold() {
    assert_eq!(passing(json!({"metadata.tags": {"contains": "warm"}})), ["The ho"]);
    assert_eq!(passing(json!({"metadata.n": {"exists": true}})), ["Booked", "The ho", "We fly"]);
}

#[test]
fn a_filter_on_the_time_of_the_event_holds() {
    assert_eq!(passing(json!({"event_time": {"lt": "2026-03-01T00:00:00Z"}})), ["We fly"]);
}

#[test]
fn an_unknown_field_in_a_filter_is_refused_with_its_place() {
    let client = words();
    let answer =
        client.post("/v1/search", r#"{"query":"x","filters":{"AND":[{"rolle":{"eq":"user"}}]}}"#);
    assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
    let problem = answer.any_problem();
    assert_eq!(problem["pointer"], "/filters/AND/0/rolle", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("role"), "{problem}");
}

#[test]
fn top_k_bounds_the_hits() {
    let client = words();
    let all = search(&client, &json!({"query": "Lisbon window", "top_k": 100}));
    let one = search(&client, &json!({"query": "Lisbon window", "top_k": 1}));
    assert!(found(&all).len() > 1);
    assert_eq!(found(&one), [found(&all)[0]]);
}

#[test]
fn a_threshold_leaves_out_what_scores_less() {
    let client = words();
    let all = search(&client, &json!({"query": "Lisbon window seats yeast", "top_k": 100}));
    let scores: Vec<f64> =
        all["data"].as_array().unwrap().iter().map(|h| h["score"].as_f64().unwrap()).collect();
    let (first, last) = (scores[0], scores[scores.len() - 1]);
    assert!(first > last);
    let least = f64::midpoint(first, last);
    let some = search(
        &client,
        &json!({"query": "Lisbon window seats yeast", "top_k": 100, "threshold": least}),
    );
    let expected: Vec<&str> = found(&all)
        .into_iter()
        .zip(&scores)
        .filter(|(_, s)| **s >= least)
        .map(|(t, _)| t)
        .collect();
    assert_eq!(found(&some), expected);
}

#[test]
fn explain_names_the_stages_of_each_hit() {
    let answer = search(&words(), &json!({"query": "yeast", "explain": true}));
    let stages = answer["data"][0]["explain"].as_object().expect("stages");
    assert!(!stages.is_empty());
    assert!(stages.values().all(Value::is_number), "{stages:?}");
}

#[test]
fn without_a_model_a_hybrid_search_says_that_it_went_by_words() {
    assert_eq!(search(&words(), &json!({"query": "yeast"}))["mode"], "keyword");
}

#[test]
fn without_a_model_a_search_by_meaning_alone_is_unavailable_and_says_what_to_do() {
    let answer = words().post("/v1/search", r#"{"query":"yeast","mode":"vector"}"#);
    let problem = answer.problem(503, "model_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("keyword"));
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_search_without_a_query_is_refused() {
    for body in ["{}", r#"{"query":""}"#, r#"{"query":"  "}"#, r#"{"query":7}"#, "[]", ""] {
        words().post("/v1/search", body).problem(422, "unprocessable");
    }
}

#[test]
fn an_unknown_mode_is_refused() {
    words().post("/v1/search", r#"{"query":"x","mode":"magic"}"#).problem(422, "unprocessable");
}

#[test]
fn a_paraphrase_without_a_common_word_is_found_by_meaning() {
    let Some(running) = by_meaning() else { return };
    let client = library(Client::new(running));
    for mode in ["hybrid", "vector"] {
        let answer = search(&client, &json!({"query": "which pet lives with her?", "mode": mode}));
        assert_eq!(answer["mode"], mode);
        assert!(found(&answer)[0].contains("kitten"), "{mode}: {answer}");
    }
    let by_word =
        search(&client, &json!({"query": "which pet lives with her?", "mode": "keyword"}));
    assert!(!found(&by_word).iter().any(|text| text.contains("kitten")), "{by_word}");
}

#[test]
fn explain_shows_both_the_meaning_and_the_words() {
    let Some(running) = by_meaning() else { return };
    let client = library(Client::new(running));
    let answer = search(&client, &json!({"query": "Where do we fly in May?", "explain": true}));
    let stages = answer["data"][0]["explain"].as_object().unwrap();
    for stage in ["cosine", "bm25", "fused"] {
        assert!(stages[stage].as_f64().is_some_and(|value| value > 0.0), "{stage}: {stages:?}");
    }
}

#[test]
fn the_same_search_gives_the_same_answer_with_the_same_scores() {
    let Some(running) = by_meaning() else { return };
    let client = library(Client::new(running));
    let body = json!({"query": "a journey by plane", "top_k": 50, "explain": true});
    assert_eq!(search(&client, &body), search(&client, &body));
}

#[test]
fn a_callers_vector_in_our_space_takes_a_service_key() {
    let Some(running) = by_meaning() else { return };
    let client = Client::new(running);
    let user = fresh("bound");
    let key = client.make_key(&json!({"kind": "user", "user_id": user}));
    let vector: Vec<f32> = (0..384).map(|n| if n == 0 { 1.0 } else { 0.0 }).collect();
    let body = json!({"role": "user", "content": "x", "embedding": {"space": "minilm-l6-v2/f32/384/cos/t256/spk1", "vector": vector}});
    let path = "/v1/sessions/s/messages";
    client.with_key(&key).post(path, &body.to_string()).problem(403, "denied");
    client.post(path, &body.to_string()).expect_status(201);
}

/// Answers a message with a vector of so many components in a space.
fn with_vector(client: &Client, space: &str, components: usize) -> holdfast_http_tests::Answer {
    let vector: Vec<f32> = (0..components).map(|n| if n == 0 { 1.0 } else { 0.0 }).collect();
    let embedding = json!({"space": space, "vector": vector});
    let body = json!({"role": "user", "content": "x", "embedding": embedding});
    client.post("/v1/sessions/s/messages", &body.to_string())
}

#[test]
fn without_a_model_too_a_vector_in_a_runtimes_space_takes_a_service_key_and_its_dimensions() {
    let service = Client::new(by_words());
    let bound = json!({"kind": "user", "user_id": fresh("bound")});
    let user = service.with_key(&service.make_key(&bound));
    for space in ["minilm-l6-v2/f32/384/cos/t256/spk1", "minilm-l6-v2-static/i8/384/cos/sif1/spk1"]
    {
        for components in [384, 3] {
            let problem = with_vector(&user, space, components).problem(403, "denied");
            assert_eq!(problem["pointer"], "embedding", "{problem}");
        }
        let problem = with_vector(&service, space, 3).problem(422, "unprocessable");
        assert!(problem["detail"].as_str().unwrap().contains("384"), "{problem}");
        with_vector(&service, space, 384).expect_status(201);
    }
    with_vector(&user, "mine", 3).expect_status(201);
    assert_eq!(user.messages("s").len(), 1, "what was refused is not there");
}

#[test]
fn a_search_and_a_context_of_the_past_are_refused() {
    let client = words();
    let time = "2026-01-31T12:00:00Z";
    for (path, body) in [
        ("/v1/search", json!({"query": "yeast"})),
        ("/v1/context", json!({"query": "yeast", "max_tokens": 500})),
    ] {
        client.post(path, &body.to_string()).expect_status(200);
        let asked = client.post(&format!("{path}?as_of={time}"), &body.to_string());
        assert_eq!(asked.problem(400, "unknown_field")["pointer"], "as_of");
        let mut past = body.clone();
        past["as_of"] = json!(time);
        let problem = client.post(path, &past.to_string()).problem(400, "unknown_field");
        assert_eq!(problem["pointer"], "/as_of", "{problem}");
    }
}
