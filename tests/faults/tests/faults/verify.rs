//! `holdfast verify` on a real bucket: its exit code says whether all is there, and `--repair` mends what it can.

use crate::doctor::{bucket_of, findings, found};
use futures::future::join_all;
use holdfast_core::Key;
use holdfast_core::ports::Objects;
use holdfast_faults::{Api, Installation, history};
use holdfast_servers::Host;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;

/// Enough to be sealed.
const MANY: usize = 66;

/// Files of the bucket's folder whose path contains this, in order.
pub fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(folder) {
            // A host removed it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.expect("a folder"),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false if path.to_string_lossy().contains(part) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn run(installation: &Installation, arguments: &[&str]) -> Output {
    let arguments = [&["--json"], arguments].concat();
    let output = Host::command("verify", &arguments, installation.settings()).output();
    output.expect("run holdfast verify")
}

/// Flips a bit.
fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).expect("its bytes");
    bytes[9] ^= 1;
    std::fs::write(file, bytes).expect("damage");
}

/// The exit code, and what is said of the one user.
pub fn verify(installation: &Installation, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(installation, arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or("null");
    (output.status.code(), serde_json::from_str(line).expect("a line of JSON"))
}

pub async fn store(api: &Api, ids: impl Iterator<Item = usize>) {
    let messages = ids.map(|n| json!({"user_id": "ann", "id": format!("m{n}"), "role": "user", "content": format!("text {n}")}));
    join_all(messages.map(|message| {
        let api = api.clone();
        async move { api.post_for(201, "/v1/sessions/s/messages", &message).await }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_is_8_while_something_is_wrong_and_repair_mends_a_segment() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let folder = installation.server().expect("a server").folder().to_owned();
    let host = installation.start();
    let api = Api::of(&host);
    store(&api, 0..MANY).await;
    let sealed = api.post_for(200, "/v1/upkeep/compact", &json!({"user_id": "ann"})).await.json();
    assert_eq!(sealed["sealed"], MANY);
    let before = history(&api, "ann", "s", None, "latest").await;
    host.kill();
    let (code, whole) = verify(&installation, &[]);
    assert_eq!(
        (code, &whole["whole"], &whole["tenant"]),
        (Some(0), &json!(true), &json!("default"))
    );

    damage(&files(&folder, "/seg/").pop().expect("a segment"));
    let (code, damaged) = verify(&installation, &["--user", "ann"]);
    assert_eq!((code, &damaged["readable"]), (Some(8), &json!(true)), "{damaged}");
    assert!(damaged["corrupt"][0].as_str().expect("a key").contains("/seg/"), "{damaged}");
    let (code, mended) = verify(&installation, &["--repair"]);
    assert_eq!((code, &mended["mended"]), (Some(0), &json!(1)), "{mended}");
    assert_eq!(verify(&installation, &[]).0, Some(0));

    let host = installation.start();
    let api = Api::of(&host);
    assert_eq!(
        history(&api, "ann", "s", None, "latest").await,
        before,
        "what was mended reads as before"
    );
    // One that a later one names, and that no segment holds.
    store(&api, MANY..=MANY).await;
    let newest = files(&folder, "/wal/").pop().expect("an object");
    let root = installation.bucket_folder();
    let lost = newest.strip_prefix(&root).expect("in the bucket").to_string_lossy().into_owned();
    store(&api, MANY + 1..MANY + 2).await;
    let server = installation.server().expect("a server");
    bucket_of(server).delete(&Key::raw(&lost)).await.expect("lose it");
    let (code, missing) = verify(&installation, &[]);
    assert_eq!((code, &missing["readable"]), (Some(8), &json!(false)), "{missing}");
    assert_eq!(missing["missing"], json!([lost]));

    // What an erase removed is not missing.
    api.post_for(200, "/v1/users/ann/erase", &json!({})).await;
    host.kill();
    let (code, erased) = verify(&installation, &[]);
    assert_eq!(
        (code, &erased["whole"], &erased["missing"]),
        (Some(0), &json!(true), &json!([])),
        "{erased}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_keys_hold_a_hash_is_told_of_and_only_looked_at_by_name() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let folder = installation.server().expect("a server").folder().to_owned();
    let host = installation.start();
    let api = Api::of(&host);
    let long = "é".repeat(70);
    for user in ["ann", &long] {
        let message = json!({"user_id": user, "role": "user", "content": "text"});
        api.post_for(201, "/v1/sessions/s/messages", &message).await;
    }
    host.kill();
    assert!(!files(&folder, "/u/~~").is_empty(), "its keys hold a hash");

    let all = run(&installation, &[]);
    let said = String::from_utf8_lossy(&all.stderr);
    assert_eq!(all.status.code(), Some(7), "{said}");
    assert!(said.contains("1 users were not looked at"), "{said}");
    assert!(said.contains("--user <id>"), "{said}");
    assert_eq!(verify(&installation, &["--tenant", "default"]).0, Some(7));
    for user in ["ann", &long] {
        let (code, whole) = verify(&installation, &["--user", user]);
        assert_eq!((code, &whole["user"]), (Some(0), &json!(user)), "{whole}");
        assert_eq!(whole["whole"], json!(true), "{whole}");
        assert!(whole["objects"].as_u64() > Some(0), "{whole}");
    }

    let doctor = Host::command("doctor", &["--json"], installation.settings()).output();
    let doctor = doctor.expect("run holdfast doctor");
    let (verdict, text) = found(&findings(&doctor), "long ids");
    assert_eq!((doctor.status.code(), verdict.as_str()), (Some(0), "warning"));
    assert!(text.starts_with("1 of the 2 users were not looked at"), "{text}");

    // What is wrong with another comes first, and it is found in the one that is named.
    for (part, arguments) in [("/u/~~", vec!["--user", &long]), ("/u/ann/", vec![])] {
        let file =
            files(&folder, part).into_iter().find(|file| file.to_string_lossy().contains("/wal/"));
        damage(&file.expect("an object"));
        assert_eq!(verify(&installation, &arguments).0, Some(8), "{part}");
    }
}
