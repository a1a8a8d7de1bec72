//! After an erase no byte says what the user said: in the bucket, in exports, in the index part, on the hosts' disks, whatever
//! it is packed in; and without the erase all of it is found.

use crate::upkeep::until;
use crate::verify::files;
use holdfast_core::cover::Cover;
use holdfast_core::key::hash32;
use holdfast_core::segment;
use holdfast_faults::{Api, Installation};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a user says and names, one canary each.
const SAID: [&str; 13] = [
    "message",
    "message-id",
    "session-id",
    "session-name",
    "metadata",
    "memory",
    "preference",
    "context",
    "feedback",
    "alias",
    "attachment",
    "attachment-name",
    "vector",
];
/// Sixteen components of ±1/4, of length 1: as f16, and in Base64.
const VECTOR: [i8; 16] = [1, 1, 1, -1, 1, -1, -1, 1, 1, 1, -1, 1, -1, 1, 1, -1];
const VECTOR_BASE64: &str = "ADQANAA0ALQANAC0ALQANAA0ADQAtAA0ALQANAA0ALQ=";

/// 32 hex digits: what packs text byte by byte (as parquet's Snappy does) leaves them as they are.
fn canary(of: &str) -> String {
    hash32(of.as_bytes())
}

fn halves() -> Vec<u8> {
    VECTOR.iter().flat_map(|sign| [0, if *sign > 0 { 0x34 } else { 0xb4 }]).collect()
}

/// What a file holds, unpacked.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    if let Ok(lines) = segment::cover_within(bytes).and_then(|cover| segment::open(bytes, &cover)) {
        lines.iter().for_each(|line| all.extend(line.text.as_bytes()));
    }
    if let Ok(cover) = Cover::decode(bytes) {
        all.extend(serde_json::to_vec(&cover).expect("JSON"));
    }
    if let Ok(Some((plain, components))) = holdfast_view::unpack(bytes) {
        all.extend(plain);
        all.extend(components);
    }
    all
}

/// Which canaries are in it.
fn held(bytes: &[u8]) -> Vec<&'static str> {
    let (text, halves) = (String::from_utf8_lossy(bytes), halves());
    let as_halves = || bytes.windows(halves.len()).any(|window| window == halves);
    let holds = |of: &&str| match *of {
        "vector" => text.contains(VECTOR_BASE64) || as_halves(),
        of => text.contains(&canary(of)),
    };
    SAID.into_iter().filter(holds).collect()
}

/// Which canaries are found, and where: the part of the journal, an export's format, or `disk` for what lies elsewhere.
fn found(bucket: &Path, disk: &Path) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut all: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for path in files(bucket, "").iter().chain(&files(disk, "")) {
        let canaries = held(&unpacked(&std::fs::read(path).unwrap_or_default()));
        let name = path.to_string_lossy();
        let part = ["wal", "seg", "cov", "idx", "att", "exp"].into_iter();
        let mut part = part.filter(|part| name.contains(&format!("/{part}/")));
        let part = match part.next().filter(|_| path.starts_with(bucket)) {
            Some("exp") if name.ends_with(".parquet") => "parquet",
            part => part.unwrap_or("disk"),
        };
        for of in canaries {
            all.entry(part.to_owned()).or_default().insert(of);
        }
    }
    all
}

async fn put(api: &Api, path: &str, body: impl Into<bytes::Bytes>) -> Value {
    let answer = api.send(Method::PUT, path, Some(body.into()), None).await.expect("an answer");
    assert!(matches!(answer.status, 200 | 201), "PUT {path}: {}", answer.status);
    answer.json()
}

async fn export(api: &Api, format: &str) {
    let asked = json!({"user_id": "ann", "format": format});
    let mut export = api.post_for(201, "/v1/exports", &asked).await.json();
    let advance = format!("/v1/exports/{}/advance", export["id"].as_str().expect("an id"));
    while export["status"] == "running" {
        export = api.post_for(200, &advance, &json!({})).await.json();
    }
    assert_eq!(export["status"], "done");
}

/// Says every canary.
async fn say_all(api: &Api) {
    let session = canary("session-id");
    let fields = json!({"id": session, "user_id": "ann", "name": canary("session-name")});
    let _ = api.post_for(201, "/v1/sessions", &fields).await;
    let vector: Vec<f32> = VECTOR.iter().map(|sign| f32::from(*sign) / 4.0).collect();
    let space = "canaries/f32/16/cos";
    let messages = format!("/v1/sessions/{session}/messages");
    for n in 0..6 {
        // Much text: an index part is left of a user who is much to read.
        let text: String =
            (0..12_000).map(|word| format!("{}-{n}-{word} ", canary("message"))).collect();
        // A turn and its answer: an export makes an example of both.
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        let said = json!({
            "user_id": "ann", "role": role, "content": text,
            "id": format!("{}-{n}", canary("message-id")),
            "metadata": {"kept": canary("metadata")},
            "embedding": {"space": space, "vector": vector},
        });
        let _ = api.post_for(201, &messages, &said).await;
    }
    let memory = json!({"user_id": "ann", "text": canary("memory")});
    let _ = api.post_for(201, "/v1/memories", &memory).await;
    let value = |of| json!({"value": canary(of)}).to_string();
    put(api, "/v1/users/ann/preferences/tea", value("preference")).await;
    let context = format!("/v1/sessions/{session}/contexts/project/k?user_id=ann");
    put(api, &context, value("context")).await;
    let feedback = format!("{messages}/{}-0/feedback?user_id=ann", canary("message-id"));
    let _ = api.post_for(201, &feedback, &json!({"comment": canary("feedback")})).await;
    put(api, "/v1/users/ann", json!({"names": [canary("alias")]}).to_string()).await;
    let attachment =
        format!("/v1/sessions/{session}/attachments/{}?user_id=ann", canary("attachment-name"));
    put(api, &attachment, canary("attachment")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_user_said_is_in_no_object_export_index_part_or_cache() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let installation = installation.with("compact_objects", "3");
    let bucket = installation.bucket_folder();
    let host = installation.start();
    let api = Api::of(&host);
    say_all(&api).await;
    let _ = api.post_for(200, "/v1/upkeep/compact", &json!({"user_id": "ann"})).await;
    export(&api, "langchain").await;
    export(&api, "parquet").await;
    host.kill();
    // Whoever loads the user anew has the segments on its disk; an instance that may vanish leaves an index part.
    let host = installation.start();
    let api = Api::of(&host);
    let page = format!("/v1/sessions/{}/messages?user_id=ann&limit=1", canary("session-id"));
    let _ = api.get(&page, None).await.expect(200);
    {
        let (portable, _kept) = installation.start_portable();
        let _ = Api::of(&portable).get(&page, None).await.expect(200);
        // It comes after the answer.
        until("an index part is left", || !files(&bucket, "/idx/").is_empty()).await;
    }
    let (second, other) = installation.start_beside();
    let _ = Api::of(&second).get(&page, None).await.expect(200);
    second.kill();

    let before = found(&bucket, installation.folder());
    let all = BTreeSet::from(SAID);
    let but = |without: &[&'static str]| &all - &BTreeSet::from_iter(without.iter().copied());
    // An index looks at no bytes of attachments, and one that may vanish at no vectors of another's space.
    for (part, without) in [
        ("wal", ["attachment"].as_slice()),
        ("seg", &["attachment"]),
        ("idx", &["attachment", "vector"]),
        ("disk", &["attachment"]),
    ] {
        assert_eq!(before.get(part), Some(&but(without)), "{part}: {before:?}");
    }
    assert_eq!(before.get("cov"), Some(&BTreeSet::from(["session-id"])));
    assert_eq!(before.get("att"), Some(&BTreeSet::from(["attachment"])));
    for part in ["exp", "parquet"] {
        let said = BTreeSet::from(["message", "message-id"]);
        assert!(
            before.get(part).is_some_and(|found| found.is_superset(&said)),
            "{part}: {before:?}"
        );
    }

    let mut erased: Value = api.post_for(200, "/v1/users/ann/erase", &json!({})).await.json();
    while erased["has_more"] == true {
        let on = json!({"id": erased["id"]});
        erased = api.post_for(200, "/v1/users/ann/erase", &on).await.json();
    }
    until("nothing is found", || found(&bucket, installation.folder()).is_empty()).await;
    // Nor on the disk of another host that was down meanwhile, and of which nobody asks for the user any more.
    let elsewhere = || found(&bucket, other.path());
    assert_eq!(Vec::from_iter(elsewhere().keys()), ["disk"]);
    let _tending = installation.start_in(other.path());
    until("nothing is found elsewhere", || elsewhere().is_empty()).await;
}
