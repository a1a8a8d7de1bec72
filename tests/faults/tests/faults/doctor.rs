//! `holdfast doctor` against real stores: it says what each really does, and leaves nothing behind.

use futures::{StreamExt, stream};
use holdfast_core::ports::Objects;
use holdfast_core::{Prefix, key};
use holdfast_faults::{Api, Installation};
use holdfast_ports::{Bucket, bucket};
use holdfast_servers::{Host, HostSettings, Rclone, SeaweedFs, Server};
use serde_json::{Value, json};
use std::process::Output;
use tempfile::tempdir;

fn doctor(server: &Server, change: impl FnOnce(HostSettings) -> HostSettings) -> Output {
    Host::command("doctor", &["--json"], &change(HostSettings::default().on(server)))
        .output()
        .expect("run holdfast doctor")
}

pub fn findings(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a finding a line")).collect()
}

/// All that a doctor looks at, in its order: none may vanish.
const NAMES: [&str; 21] = [
    "reach and credentials",
    "clock",
    "ETag",
    "write and read back",
    "list",
    "ranges",
    "suffix range",
    "latency",
    "put-if-absent",
    "wrong If-Match",
    "put-if-absent race",
    "public access",
    "versioning",
    "object lock",
    "lifecycle",
    "delete",
    "installations",
    "stored",
    "egress",
    "compaction",
    "long ids",
];

/// What a glance looks at.
const GLANCED: [&str; 8] = [
    "reach and credentials",
    "clock",
    "versioning",
    "object lock",
    "lifecycle",
    "installations",
    "egress",
    "compaction",
];

fn names(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["name"].as_str().unwrap_or_default()).collect()
}

/// Without the race, which is run where conditions are honoured.
fn names_without_race() -> Vec<&'static str> {
    NAMES.into_iter().filter(|name| *name != "put-if-absent race").collect()
}

/// Verdict and text of the finding of this name.
pub fn found(findings: &[Value], name: &str) -> (String, String) {
    let finding = findings.iter().find(|finding| finding["name"] == name);
    let finding = finding.unwrap_or_else(|| panic!("nothing about {name}: {findings:?}"));
    let text = |member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("found"))
}

/// The bucket of a server, without anything between.
pub fn bucket_of(server: &Server) -> Bucket {
    bucket(server.settings()).unwrap()
}

async fn leaves_nothing(server: &Server) {
    let probes = Prefix::raw("v1/probe/");
    let page = bucket_of(server).list(&probes, None).await.unwrap();
    assert!(page.objects.is_empty(), "{:?}", page.objects);
    assert_ne!(key::formats(), probes);
}

#[tokio::test]
async fn rclone_is_fit_and_ignores_conditions_in_silence() {
    let server = Rclone::start();
    let output = doctor(&server, |settings| settings);
    let findings = findings(&output);
    assert!(output.status.success(), "{findings:?}");
    assert_eq!(names(&findings), names_without_race());
    for name in [
        "reach and credentials",
        "clock",
        "ETag",
        "write and read back",
        "ranges",
        "suffix range",
        "delete",
        "long ids",
    ] {
        assert_eq!(found(&findings, name).0, "ok", "{name}: {findings:?}");
    }
    // It does not know these sub-resources, and answers a list of its objects.
    for name in ["object lock", "lifecycle"] {
        let (verdict, text) = found(&findings, name);
        assert_eq!(verdict, "warning", "{name}: {text}");
        assert!(text.starts_with("not told ("), "{name}: {text}");
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
    assert_eq!(names(&findings), NAMES);
    assert_eq!(found(&findings, "suffix range").0, "ok", "{findings:?}");
    assert_eq!(found(&findings, "versioning"), ("ok".to_owned(), "off".to_owned()));
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

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_one_root_secret_are_one_installation_and_another_secret_is_told_of() {
    let installation = Installation::rclone();
    let server = installation.server().unwrap();
    let (one, _kept) = installation.start_beside();
    let (two, _kept_too) = installation.start_beside();
    let found_by = |secret: &str| {
        let output = doctor(server, |settings| settings.with("root_secret", secret));
        assert!(output.status.success());
        found(&findings(&output), "installations")
    };
    let own = installation.settings().set.iter().find(|(name, _)| name == "root_secret").unwrap();
    assert_eq!(found_by(&own.1), ("ok".to_owned(), "this is the only one".to_owned()));
    let other = "another secret, which has more than 32 bytes";
    assert_eq!(found_by(other).0, "warning", "whoever asks is not the one that is there");
    drop((one, two));
    let folder = tempdir().unwrap();
    let settings = HostSettings::default().on(server).with("root_secret", other);
    drop(Host::start(folder.path(), &settings));
    let (verdict, text) = found_by(&own.1);
    assert_eq!((verdict.as_str(), text.matches("v1/format/").count()), ("warning", 1), "{text}");
}

/// So many objects that no segment holds are too many.
const MANY: usize = 660;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_reports_to_an_admin_alone_and_tells_of_journals_that_nobody_tends() {
    let installation = Installation::rclone().with("compact_interval_ms", "0");
    let host = installation.start();
    let api = Api::of(&host);
    let store = async |from: usize, to: usize| {
        let stored = (from..to).map(|n| {
            let message = json!({"user_id": "ann", "role": "user", "content": format!("says {n}")});
            let api = api.clone();
            async move { api.post_for(201, "/v1/sessions/s/messages", &message).await }
        });
        let stored: Vec<_> = stream::iter(stored).buffer_unordered(8).collect().await;
        assert_eq!(stored.len(), to - from);
    };
    store(0, 3).await;
    // A glance is at the users whom the host holds: this one comes while a store is answered, or right after.
    let _ = api.get("/v1/sessions/s/messages?user_id=ann", None).await.expect(200);
    let report = api.get("/v1/doctor", None).await.expect(200).json();
    let findings = report["findings"].as_array().unwrap();
    assert_ne!(report["verdict"], "bad", "{report}");
    assert_eq!(names(findings), GLANCED);
    let compaction = found(findings, "compaction").1;
    assert!(compaction.starts_with("of the 1 users none is behind"), "{compaction}");
    assert!(found(findings, "egress").1.contains("read by this host"));
    assert!(findings.iter().all(|f| f["name"] != "write and read back"), "a glance writes nothing");

    let service = api.post_for(201, "/v1/keys", &json!({"kind": "service"})).await.json();
    let service = Api::new(&host.url, service["key"].as_str().unwrap());
    assert_eq!(service.get("/v1/doctor", None).await.expect(403).json()["code"], "denied");
    assert_eq!(api.get("/v1/doctor?deep=1", None).await.status, 400);

    store(3, MANY).await;
    let full = Host::command(
        "doctor",
        &["--url", &host.url, "--full", "--json"],
        &HostSettings { key: Some(host.key.clone()), ..HostSettings::default() },
    );
    let output = { full }.output().unwrap();
    let found_by_url = self::findings(&output);
    assert!(output.status.success(), "{found_by_url:?}");
    let (verdict, text) = found(&found_by_url, "compaction");
    assert_eq!(verdict, "warning");
    assert!(text.contains(&format!("default/ann ({MANY} objects)")), "{text}");
    assert_eq!(names(&found_by_url), names_without_race());
    assert_eq!(found(&found_by_url, "write and read back").0, "ok");
    assert!(found(&found_by_url, "stored").1.contains(" objects, "));
    assert!(found(&found_by_url, "egress").1.contains("% of what is stored"));
    leaves_nothing(installation.server().unwrap()).await;
}
