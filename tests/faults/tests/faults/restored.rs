//! A bucket that is restored from a backup of before an erase: with a ledger outside the bucket nobody is back.

use crate::doctor::bucket_of;
use bytes::Bytes;
use holdfast_core::ports::Objects;
use holdfast_core::{Scope, TenantId, UserId, key};
use holdfast_faults::{Api, Installation, copy};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use ulid::Ulid;

const SECRET: &str = "the canary sings at dawn";

/// Puts what an index might have made of the user's journal just now: a copy of the text.
async fn copied(installation: &Installation) {
    let bucket = bucket_of(installation.server().expect("a server"));
    let scope =
        Scope { tenant: TenantId::parse("default").unwrap(), user: UserId::parse("ann").unwrap() };
    let made = Ulid::from_parts(bucket.now(), 7);
    let bytes = Bytes::from_static(SECRET.as_bytes());
    bucket.put(&key::index_part(&scope, made, &bytes), bytes).await.expect("an index part");
}

/// Whether any file below the folder holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    let found = Command::new("grep").args(["-rqF", text]).arg(folder).status().expect("grep");
    found.success()
}

/// Whether the user is there; asks again while the user is loaded.
async fn knows(api: &Api) -> bool {
    for _ in 0..20 {
        let answer = api.get("/v1/sessions/s/messages?user_id=ann", None).await;
        match answer.status {
            503 => {}
            404 => return false,
            _ => return answer.expect(200).status == 200,
        }
    }
    panic!("the user does not load");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_not_back_in_a_bucket_from_a_backup() {
    let outside = tempfile::tempdir().unwrap();
    let plain = Installation::rclone();
    let bucket = plain.bucket_folder();
    let backup = outside.path().join("backup");
    let ledger = outside.path().join("ledger");
    std::fs::create_dir(&ledger).unwrap();
    let installation = plain.with("erase_ledger", ledger.to_str().unwrap());

    let host = installation.start();
    let api = Api::of(&host);
    let message = json!({"user_id": "ann", "id": "m", "role": "user", "content": SECRET});
    api.post_for(201, "/v1/sessions/s/messages", &message).await;
    copied(&installation).await;
    copy(&bucket, &backup);
    let erased = api.post_for(200, "/v1/users/ann/erase", &json!({})).await.json();
    assert_eq!(erased["removed"]["idx"], 1, "{erased}");
    assert!(!knows(&api).await && !holds(&bucket, SECRET));
    host.stop();

    let mut installation = installation.with("erase_ledger", "");
    installation.restore(&backup);
    installation.lose_local_directory();
    let host = installation.start();
    assert!(knows(&Api::of(&host)).await, "without the ledger the backup brings her back");
    host.stop();

    let mut installation = installation.with("erase_ledger", ledger.to_str().unwrap());
    installation.restore(&backup);
    installation.lose_local_directory();
    let host = installation.start();
    let api = Api::of(&host);
    assert!(!knows(&api).await);
    let erasure = api.get("/v1/users/ann/erase", None).await.expect(200).json();
    let goes_on = json!({"id": erasure["id"]});
    api.post_for(200, "/v1/users/ann/erase", &goes_on).await;
    assert!(!holds(&bucket, SECRET));
    assert!(!holds(&ledger, "ann"), "the ledger does not say who it is");
    host.stop();
}
