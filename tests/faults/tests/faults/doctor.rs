//! `holdfast doctor` against real stores: it says what each really does, and leaves nothing behind.

use holdfast_core::ports::Objects;
use holdfast_core::{Prefix, key};
use holdfast_ports::bucket;
use holdfast_servers::{Host, HostSettings, Rclone, SeaweedFs, Server};
use serde_json::Value;
use std::process::Output;

fn doctor(server: &Server, change: impl FnOnce(HostSettings) -> HostSettings) -> Output {
    Host::command("doctor", &["--json"], &change(HostSettings::default().on(server)))
        .output()
        .expect("run holdfast doctor")
}

fn findings(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a finding a line")).collect()
}

/// Verdict and text of the finding of this name.
fn found(findings: &[Value], name: &str) -> (String, String) {
    let finding = findings.iter().find(|finding| finding["name"] == name);
    let finding = finding.unwrap_or_else(|| panic!("nothing about {name}: {findings:?}"));
    let text = |member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("found"))
}

async fn leaves_nothing(server: &Server) {
    let settings = holdfast_objects::Settings {
        endpoint: server.endpoint.clone(),
        region: server.region.clone(),
        bucket: server.bucket.clone(),
        access_key: server.access_key.clone(),
        secret_key: server.secret_key.clone(),
        ..holdfast_objects::Settings::default()
    };
    let probes = Prefix::raw("v1/probe/");
    let page = bucket(settings).unwrap().list(&probes, None).await.unwrap();
    assert!(page.objects.is_empty(), "{:?}", page.objects);
    assert_ne!(key::formats(), probes);
}

#[tokio::test]
async fn rclone_is_fit_and_ignores_conditions_in_silence() {
    let server = Rclone::start();
    let output = doctor(&server, |settings| settings);
    let findings = findings(&output);
    assert!(output.status.success(), "{findings:?}");
    for name in
        ["reach and credentials", "clock", "ETag", "write and read back", "ranges", "delete"]
    {
        assert_eq!(found(&findings, name).0, "ok", "{name}: {findings:?}");
    }
    assert_eq!(found(&findings, "put-if-absent").1, "ignored in silence");
    assert_eq!(found(&findings, "wrong If-Match").1, "ignored in silence");
    leaves_nothing(&server).await;
}

#[tokio::test]
async fn seaweedfs_is_fit_and_honours_conditions() {
    let server = SeaweedFs::start();
    let output = doctor(&server, |settings| settings);
    let findings = findings(&output);
    assert!(output.status.success(), "{findings:?}");
    assert_eq!(found(&findings, "put-if-absent").1, "honoured");
    assert_eq!(found(&findings, "put-if-absent race").1, "one winner in 20 of 20 races of 8");
    leaves_nothing(&server).await;
}

#[test]
fn a_store_that_refuses_the_key_is_bad_and_the_exit_code_says_so() {
    let server = Rclone::start();
    let output = doctor(&server, |settings| settings.with("s3_secret_key", "wrong"));
    let findings = findings(&output);
    assert_eq!(found(&findings, "reach and credentials").0, "bad");
    assert_eq!((findings.len(), output.status.code()), (1, Some(7)));
}
