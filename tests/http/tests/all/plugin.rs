//! The program as a trigger that `spin up` starts, played by a double of Spin: what it serves, what it refuses, how it ends.

use crate::spin::{Plugin, Spin, locked};
use holdfast_http_tests::{Player, plain, root};
use holdfast_servers::Rclone;
use serde_json::{Value, json};
use std::path::Path;

/// The application of the repository with our trigger.
fn manifest() -> String {
    let stock = std::fs::read_to_string(root().join("spin.toml")).unwrap();
    stock.replace("[[trigger.http]]", "[[trigger.holdfast]]")
}

/// The same with a part that stock Spin serves itself, of which ours need not know.
fn mixed() -> String {
    manifest()
        + "\n[[trigger.http]]\nroute = \"/kv\"\ncomponent = \"other\"\n\
           [component.other]\nsource = \"nowhere.wasm\"\nkey_value_stores = [\"default\"]\n\
           host_requirements = { accelerator = \"required\" }\n"
}

#[test]
fn spin_up_serves_messages_and_search_by_meaning_from_a_bucket_that_variables_name() {
    let (spin, store) = (Spin::with(&mixed()), Rclone::start());
    let region = format!("s3_region={}", store.region);
    let mut command = spin.command(&["--holdfast-listen", "127.0.0.1:0", "--variable", &region]);
    command.env("SPIN_VARIABLE_S3_ENDPOINT", &store.endpoint);
    command.env("SPIN_VARIABLE_S3_BUCKET", &store.bucket);
    command.env("SPIN_VARIABLE_S3_ACCESS_KEY", &store.access_key);
    command.env("SPIN_VARIABLE_S3_SECRET_KEY", &store.secret_key);
    let plugin = Plugin::start(&mut command);
    let player = Player::new(&plugin.url, &plugin.key);
    player.play(&root().join("tests/http/transcripts/messages.http"));
    let model = std::env::var_os("HOLDFAST_NO_MODEL").is_none();
    if model {
        player.play(&root().join("tests/http/transcripts/meaning.http"));
    } else {
        println!("skipped in part: HOLDFAST_NO_MODEL is set, so meaning finds nothing");
    }
    let there = plain().get(format!("{}/kv", plugin.url)).send().unwrap().status();
    assert_eq!(there, 404, "the other trigger's routes are not ours");
    let log = plugin.end("TERM");
    assert!(log.contains("holdfast:index@0.1.0 is served by the host itself"), "{log}");
    let kept = Path::new(store.folder()).join("data").join(&store.bucket).join("v1");
    assert!(kept.is_dir(), "the bucket that the variables named holds the messages");
}

#[test]
fn spin_up_without_a_bucket_is_a_local_installation_beside_the_manifest_and_ends_at_an_interrupt() {
    let spin = Spin::with(&manifest());
    // An application of one trigger type gets every argument: Spin's own name for the address is taken, too.
    let plugin = Plugin::start(&mut spin.command(&["--listen", "127.0.0.1:0"]));
    let player = Player::new(&plugin.url, &plugin.key);
    player.play(&root().join("tests/http/transcripts/repeating.http"));
    plugin.end("INT");
    assert!(spin.app.path().join(".spin/holdfast/store").is_dir());
}

#[test]
fn a_locked_application_that_cannot_be_served_is_refused_with_what_to_do() {
    let spin = Spin::with(&manifest());
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let mut lock = locked(&manifest().parse().unwrap());
        change(&mut lock);
        spin.lock(&lock);
        let ended = spin.ends(&["--holdfast-listen", "127.0.0.1:0"]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains(words), "{words}: {said}");
    };
    refused(&|lock| lock["spin_lock_version"] = json!(7), "its spin_lock_version is 7");
    refused(&|lock| drop(lock["components"].as_array_mut().unwrap().drain(..)), "is not there");
    refused(
        &|lock| lock["components"][0]["source"]["source"] = json!("file:///nowhere/gone.wasm"),
        "/nowhere/gone.wasm",
    );
    let strange = "--strange-flag";
    let ended = spin.ends(&[strange]);
    assert!(!ended.status.success() && String::from_utf8_lossy(&ended.stderr).contains(strange));
}

#[test]
fn without_spin_the_plugin_says_who_starts_it() {
    let spin = Spin::with(&manifest());
    let ended = spin.command(&[]).env_remove("SPIN_LOCKED_URL").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && said.contains("spin up"), "{said}");
}

#[test]
fn spin_is_told_the_plugins_flags() {
    let spin = Spin::with(&manifest());
    // `spin up` of several triggers reads this from the errors' stream.
    let told: Value =
        serde_json::from_slice(&spin.ends(&["--launch-metadata-only"]).stderr).unwrap();
    let flags: Vec<_> = told["all_flags"].as_array().unwrap().iter().map(|f| &f["long"]).collect();
    assert!(flags.contains(&&json!("--holdfast-listen")), "{flags:?}");
    assert!(!flags.contains(&&json!("--listen")), "the http trigger's address is not ours");
    let help = String::from_utf8(spin.ends(&["--help-args-only"]).stdout).unwrap();
    assert!(help.contains("--holdfast-listen") && !help.contains("--help"), "{help}");
}
