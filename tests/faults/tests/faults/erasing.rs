//! After an erase no byte says what the user said: in the bucket, in the export, in the index part, on the host's disk, whatever
//! it is packed in; and without the erase it is found in all of these.

use crate::upkeep::until;
use crate::verify::files;
use holdfast_core::segment;
use holdfast_faults::{Api, Installation};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const CANARY: &str = "canary-kept-by-nobody";

/// What a file holds, unpacked.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    if let Ok(lines) = segment::cover_within(bytes).and_then(|cover| segment::open(bytes, &cover)) {
        lines.iter().for_each(|line| all.extend(line.text.as_bytes()));
    }
    if let Ok(Some((plain, _))) = holdfast_view::unpack(bytes) {
        all.extend(plain);
    }
    all
}

/// Where it is found: the part of the journal, or `exp`, or `disk` for what lies elsewhere.
fn found(bucket: &Path, disk: &Path) -> BTreeSet<String> {
    let holds = |path: &Path| {
        let bytes = unpacked(&std::fs::read(path).unwrap_or_default());
        bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
    };
    let part = |path: &Path| {
        let path = path.to_string_lossy().into_owned();
        let parts = ["/wal/", "/seg/", "/cov/", "/idx/", "/att/", "/exp/"];
        let part = parts.into_iter().find(|part| path.contains(part));
        part.map_or(path.clone(), |part| part.trim_matches('/').to_owned())
    };
    let mut all: BTreeSet<String> =
        files(bucket, "").iter().filter(|path| holds(path)).map(|path| part(path)).collect();
    all.extend(files(disk, "").iter().any(|path| holds(path)).then(|| "disk".to_owned()));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erased_user_said_is_in_no_object_export_index_part_or_cache() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let installation = installation.with("compact_objects", "3");
    let bucket = installation.bucket_folder();
    let host = installation.start();
    let api = Api::of(&host);
    for n in 0..6 {
        let text: String = (0..12_000).map(|word| format!("{CANARY}-{n}-{word} ")).collect();
        let said = json!({"user_id": "ann", "role": "user", "content": text});
        let _ = api.post_for(201, "/v1/sessions/s/messages", &said).await;
    }
    let _ = api.post_for(200, "/v1/upkeep/compact", &json!({"user_id": "ann"})).await;
    let asked = json!({"user_id": "ann", "format": "langchain"});
    let mut export = api.post_for(201, "/v1/exports", &asked).await.json();
    let advance = format!("/v1/exports/{}/advance", export["id"].as_str().expect("an id"));
    while export["status"] == "running" {
        export = api.post_for(200, &advance, &json!({})).await.json();
    }
    assert_eq!(export["status"], "done");
    host.kill();
    // Whoever loads the user anew has the segments on its disk; an instance that may vanish leaves an index part.
    let host = installation.start();
    let api = Api::of(&host);
    let page = "/v1/sessions/s/messages?user_id=ann&limit=1";
    let _ = api.get(page, None).await.expect(200);
    {
        let (portable, _kept) = installation.start_portable();
        let _ = Api::of(&portable).get(page, None).await.expect(200);
    }
    let (second, other) = installation.start_beside();
    let _ = Api::of(&second).get(page, None).await.expect(200);
    second.kill();
    let everywhere = ["disk", "exp", "idx", "seg", "wal"].map(str::to_owned);
    assert_eq!(found(&bucket, installation.folder()), BTreeSet::from(everywhere));

    let mut erased: Value = api.post_for(200, "/v1/users/ann/erase", &json!({})).await.json();
    while erased["has_more"] == true {
        let on = json!({"id": erased["id"]});
        erased = api.post_for(200, "/v1/users/ann/erase", &on).await.json();
    }
    until("nothing is found", || found(&bucket, installation.folder()).is_empty()).await;
    // Nor on the disk of another host, of which nobody asks for the user any more.
    let elsewhere = || found(&bucket, other.path());
    assert_eq!(elsewhere(), BTreeSet::from(["disk".to_owned()]));
    let installation = installation.with("upkeep_interval_ms", "300");
    let _tending = installation.start_in(other.path());
    until("nothing is found elsewhere", || elsewhere().is_empty()).await;
}
