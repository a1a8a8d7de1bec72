//! The typed doors, through a component of somebody's application that has one of ours for `holdfast:memory`.

use holdfast_http_tests::{Client, Running, root};
use holdfast_servers::HostSettings;
use serde_json::json;
use std::sync::Arc;

const SETTINGS: &[&str] = &[
    "s3_endpoint",
    "s3_path",
    "s3_region",
    "s3_bucket",
    "s3_access_key",
    "s3_secret_key",
    "s3_session_token",
    "s3_etag_is_not_md5",
    "s3_deadline_ms",
    "root_secret",
    "root_key_sha256",
    "root_tenant",
    "tenant_key",
    "key_ttl_ms",
];

/// Our manifest with the neighbour in it.
fn manifest() -> String {
    let ours = std::fs::read_to_string(root().join("spin.toml")).unwrap();
    let guest = "target/wasm32-wasip2/guest/guest_neighbour.wasm";
    assert!(root().join(guest).exists(), "{guest} is not there: run `cargo xtask build`");
    let variables: String =
        SETTINGS.iter().map(|name| format!("{name} = \"{{{{ {name} }}}}\"\n")).collect();
    let neighbour = format!(
        "\n[[trigger.http]]\nroute = \"/neighbour/...\"\ncomponent = \"neighbour\"\n\
         [component.neighbour]\nsource = \"{guest}\"\nallowed_outbound_hosts = [\"{{{{ s3_endpoint }}}}\"]\n\
         [component.neighbour.variables]\n{variables}\
         [component.neighbour.dependencies]\n\
         \"holdfast:memory@0.1.0\" = {{ path = \"target/components/manage-sessions.wasm\", inherit_configuration = true }}\n"
    );
    let root = root().canonicalize().unwrap();
    (ours + &neighbour).replace("\"target/", &format!("\"{}/target/", root.display()))
}

#[test]
fn another_component_keeps_contexts_preferences_and_relationships_through_the_typed_door() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    std::fs::write(&path, manifest()).unwrap();
    let settings = HostSettings { manifest: Some(path), ..HostSettings::default() };
    let running = Running::start(settings.with("tenant_key", "ab".repeat(32)));
    let client = Client { user: Some("ann".to_owned()), ..Client::new(Arc::new(running)) };
    let told = client.get("/neighbour/ann").expect_status(200).text;
    let expected = [
        "context: {\"b\":1,\"a\":2} 0.5 {\"b\" : 1, \"a\":2}",
        "same beginning: true",
        "a stale etag: conflict precondition_failed",
        "no JSON: invalid unprocessable",
        "null: invalid unprocessable",
        "too much: invalid unprocessable",
        "no session: not-found not_found",
        "deleted: not-found not_found",
        "contexts: k",
        "contexts: ",
        "pin: Some(\"1234\") true",
        "preference: language Some(\"\\\"pt\\\"\") {}",
        "preference: pin None {}",
        "no target: invalid unprocessable",
        "no type: invalid unprocessable",
        "itself: invalid unprocessable",
        "related: s reference t 0.25",
        "moment: session t",
        "moment: session s",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    // And over HTTP it is the same.
    let entry = client.get("/v1/sessions/s/contexts/project/k").expect_status(200).json();
    assert_eq!((&entry["value"], &entry["relevance_score"]), (&json!("anew"), &json!(0.5)));
    assert_eq!(entry["metadata"], json!({"a": 2, "b": 1}));
    assert_eq!(client.get("/v1/users/ann/preferences/pin").json()["value"], json!(1234));
    let related = client.get("/v1/sessions/s/relationships").data();
    assert_eq!((related.len(), &related[0]["target_session_id"]), (1, &json!("t")));
}
