//! What the probe says of stores that do one thing otherwise: what changes, and that nothing else does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use futures::executor::block_on;
use holdfast_objects::Verdict::{self, Bad, Good, Warn};
use holdfast_objects::{Finding, Settings};
use support::pretend::{Quirk, pretending};
use support::settings;

const NAMES: [&str; 15] = [
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
];

/// A finding that is another than that of a store without a quirk: its name, its verdict, what it says.
type Change = (&'static str, Verdict, &'static str);

const NO_MD5: &[Change] = &[("ETag", Bad, "is not the MD5"), ("latency", Bad, "a write failed")];
const NO_RANGES: &[Change] = &[("ranges", Warn, "the whole object"), NO_SUFFIX];
const NO_SUFFIX: Change = ("suffix range", Warn, "not what is answered");
const HIDDEN: &[Change] = &[("list", Warn, "does not show"), ("delete", Warn, "still read")];

const BEHAVIOURS: &[(Quirk, &[Change])] = &[
    (Quirk::EtagIsNoMd5, NO_MD5),
    (Quirk::TellsNoDate, &[("clock", Bad, "carry no Date")]),
    (Quirk::Ahead(3), &[("clock", Warn, "3500 ms off")]),
    (Quirk::Ahead(90), &[("clock", Bad, "90500 ms off")]),
    (Quirk::IgnoresRanges, NO_RANGES),
    (Quirk::IgnoresSuffixRanges, &[NO_SUFFIX]),
    (Quirk::IsPublic, &[("public access", Bad, "without any key")]),
    (Quirk::RefusesDeletes, &[("delete", Bad, "AccessDenied")]),
    (Quirk::KeepsWhatIsDeleted, &[("delete", Warn, "still read")]),
    (Quirk::HidesFromLists, HIDDEN),
    (Quirk::TwoWin, &[("put-if-absent race", Good, "one winner in 0 of 20")]),
    (Quirk::SlowPuts(300), &[("latency", Warn, "PUT 300 ms")]),
];

fn probe(quirk: Quirk) -> Vec<Finding> {
    block_on(pretending(quirk, settings()).store.probe())
}

fn glance(quirk: Quirk) -> Vec<Finding> {
    block_on(pretending(quirk, settings()).store.glance())
}

fn names(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.name).collect()
}

fn found<'a>(findings: &'a [Finding], name: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.name == name).unwrap()
}

fn assert_changes(quirk: Quirk, usual: &[Finding], findings: &[Finding], expected: &[Change]) {
    assert_eq!(names(findings), names(usual), "{quirk:?}");
    let both = findings.iter().zip(usual);
    let changed: Vec<_> = both.filter(|(one, usual)| one != usual).map(|(one, _)| one).collect();
    assert_eq!(changed.len(), expected.len(), "{quirk:?}: {changed:?}");
    for (finding, (name, verdict, text)) in changed.into_iter().zip(expected) {
        assert_eq!((finding.name, finding.verdict), (*name, *verdict), "{quirk:?}: {finding:?}");
        assert!(finding.found.contains(text), "{quirk:?}: {finding:?}");
        assert_eq!(finding.advice.is_empty(), *verdict == Good, "{quirk:?}: {finding:?}");
    }
}

#[test]
fn a_store_that_behaves_is_good_in_all_and_nothing_is_left_in_it() {
    let bench = pretending(Quirk::None, settings());
    let findings = block_on(bench.store.probe());
    assert_eq!(names(&findings), [NAMES.as_slice(), &["delete"]].concat());
    assert!(findings.iter().all(|finding| finding.verdict == Good), "{findings:?}");
    for (name, text) in [
        ("put-if-absent", "honoured"),
        ("wrong If-Match", "honoured"),
        ("put-if-absent race", "one winner in 20 of 20 races of 8"),
        ("versioning", "off"),
        ("object lock", "off"),
        ("lifecycle", "no rule touches our keys"),
    ] {
        assert_eq!(found(&findings, name).found, text);
    }
    let left = bench.script.pretender.lock().unwrap();
    assert!(left.as_ref().unwrap().objects.is_empty());
}

#[test]
fn what_a_store_does_otherwise_changes_the_finding_about_it_and_no_other() {
    let usual = probe(Quirk::None);
    for (quirk, expected) in BEHAVIOURS {
        assert_changes(*quirk, &usual, &probe(*quirk), expected);
    }
}

#[test]
fn a_store_that_ignores_conditions_is_good_and_no_race_is_run() {
    let findings = probe(Quirk::IgnoresConditions);
    let but_race = NAMES.iter().chain(&["delete"]).filter(|name| **name != "put-if-absent race");
    assert_eq!(names(&findings), but_race.copied().collect::<Vec<_>>());
    assert!(findings.iter().all(|finding| finding.verdict == Good), "{findings:?}");
    assert_eq!(found(&findings, "put-if-absent").found, "ignored in silence");
    assert_eq!(found(&findings, "wrong If-Match").found, "ignored in silence");
}

#[test]
fn another_etag_is_good_where_the_settings_say_so() {
    let settings = Settings { etag_is_not_md5: true, ..settings() };
    let findings = block_on(pretending(Quirk::EtagIsNoMd5, settings).store.probe());
    assert!(findings.iter().all(|finding| finding.verdict == Good), "{findings:?}");
    assert!(found(&findings, "ETag").found.contains("every write is read back"));
}

#[test]
fn a_store_that_refuses_the_key_is_asked_once_and_nothing_else_is_said() {
    let bench = pretending(Quirk::RefusesAll, settings());
    let findings = block_on(bench.store.probe());
    assert_eq!((names(&findings), bench.requests()), (vec!["reach and credentials"], 1));
    assert_eq!((findings[0].verdict, findings), (Bad, glance(Quirk::RefusesAll)));
}

#[test]
fn a_glance_is_four_requests_that_write_nothing() {
    let bench = pretending(Quirk::None, settings());
    let findings = block_on(bench.store.glance());
    let expected = ["reach and credentials", "clock", "versioning", "object lock", "lifecycle"];
    assert_eq!((names(&findings), bench.requests()), (expected.to_vec(), 4));
    assert!(bench.script.seen.lock().unwrap().iter().all(|request| request.method() == "GET"));
}

const ON: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
const SUSPENDED: &str =
    "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
const EMPTY: &str = "<VersioningConfiguration><Status></Status></VersioningConfiguration>";
const CUT_OFF: &str = "<VersioningConfiguration><Status>Enabled</Status>";
const LOCKED: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const EXPIRES: &str = "<LifecycleConfiguration><Rule><Filter><Prefix/></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
const EXPIRES_LOGS: &str = "<LifecycleConfiguration><Rule><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
const NO_LOCK: &str = "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>";
const NO_RULES: &str = "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>";

#[test]
fn an_answer_about_a_sub_resource_is_judged() {
    let usual = glance(Quirk::None);
    for (query, status, body, expected) in [
        ("versioning", 200, ON, Some((Warn, "on: removed objects stay"))),
        ("versioning", 200, SUSPENDED, Some((Warn, "was on: old versions stay"))),
        ("versioning", 200, EMPTY, None),
        ("object-lock", 200, LOCKED, Some((Warn, "on: nothing can be removed"))),
        ("object-lock", 200, "<ObjectLockConfiguration/>", None),
        ("object-lock", 404, NO_LOCK, None),
        ("lifecycle", 200, EXPIRES, Some((Bad, "1 rules expire or move our objects"))),
        ("lifecycle", 200, EXPIRES_LOGS, None),
        ("lifecycle", 404, NO_RULES, None),
    ] {
        let quirk = Quirk::Tells(query, status, body);
        let change = expected.map(|(verdict, text)| (name(query), verdict, text));
        assert_changes(quirk, &usual, &glance(quirk), change.as_slice());
    }
}

#[test]
fn an_answer_to_another_question_is_a_warning_that_the_store_does_not_tell() {
    const LIST: &str = "<ListBucketResult><Name>the-bucket</Name><Contents><Key>v1/x</Key><Size>1</Size></Contents></ListBucketResult>";
    const DENIED: &str = "<Error><Code>AccessDenied</Code></Error>";
    const NO_BUCKET: &str = "<Error><Code>NoSuchBucket</Code></Error>";
    let usual = glance(Quirk::None);
    let not_told = |query, status, body, text| {
        let quirk = Quirk::Tells(query, status, body);
        assert_changes(quirk, &usual, &glance(quirk), &[(name(query), Warn, text)]);
    };
    for query in ["versioning", "object-lock", "lifecycle"] {
        not_told(query, 200, LIST, "not told (ListBucketResult)");
        not_told(query, 200, "<html><body>hello</body></html>", "not told (html)");
        not_told(query, 200, "", "not told (200)");
        not_told(query, 403, DENIED, "not told (AccessDenied)");
        not_told(query, 404, "", "not told (404)");
        not_told(query, 404, NO_BUCKET, "not told (NoSuchBucket)");
        not_told(query, 501, "", "not told (501)");
    }
    not_told("versioning", 200, CUT_OFF, "not told (200)");
    not_told("versioning", 404, NO_RULES, "not told (NoSuchLifecycleConfiguration)");
    not_told("object-lock", 404, NO_RULES, "not told (NoSuchLifecycleConfiguration)");
    not_told("lifecycle", 404, NO_LOCK, "not told (ObjectLockConfigurationNotFoundError)");
    not_told("lifecycle", 200, NO_RULES, "not told (Error)");
    not_told("lifecycle", 200, ON, "not told (VersioningConfiguration)");
}

fn name(query: &str) -> &'static str {
    NAMES.into_iter().find(|name| name.replace(' ', "-") == query).unwrap()
}
