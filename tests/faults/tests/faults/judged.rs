//! Clients of two hosts who store, delete, erase, read by tokens and walk, all judged; and the judge tells of what is lost or
//! comes back.

use crate::verify::files;
use futures::future::join;
use holdfast_core::Key;
use holdfast_core::ports::Objects;
use holdfast_faults::{
    Api, Call, Client, Crowd, Door, Event, Installation, Recorder, Replay, Tape, Walk, copy,
    judge_erase, long, seed,
};
use holdfast_ports::bucket;
use holdfast_servers::{Host, Rclone};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_compact_keep_every_promise_to_clients_who_delete_erase_and_walk() {
    let mut server = Rclone::start();
    let mut crowd = Crowd::before(&mut server, seed() + 140);
    let installation = Installation::behind_proxy(server, seed())
        .with("compact_interval_ms", "300")
        .with("compact_objects", "8");
    let host = installation.start();
    let (other, _kept) = installation.start_beside();
    let doors = [crowd.door(&host), crowd.door(&other)];
    let most = if long() { 300 } else { 40 };
    crowd.live(&doors, &AtomicBool::new(false), most).await;
    let (third, _kept_too) = installation.start_beside();
    let doors = [&doors[..], &[crowd.door(&third)]].concat();
    let counts = crowd.judge(&installation, &host, &doors).await.expect("promises are kept");
    assert!(counts.erased > 0 && counts.sessions > 0 && counts.elsewhere > 0, "{counts}");
    assert!(!files(&installation.bucket_folder(), "/seg/").is_empty(), "nothing was sealed");
}

/// The first one's request sweeps for the second before that one's time is past: others store what it hides until then.
#[tokio::test(flavor = "multi_thread")]
async fn an_erase_amid_another_removes_all_that_it_hides() {
    let (mut server, tape) = (Rclone::start(), Arc::new(Tape::default()));
    let recorder = Recorder::before(&mut server, &tape);
    let installation = Installation::behind_proxy(server, seed()).with("compact_interval_ms", "0");
    let host = installation.start();
    let door = Door { api: Api::of(&host), host: 0 };
    // What is stored at a host that has not heard of an erase is hidden until its time is past.
    let (unaware, _kept) = installation.start_beside();
    let elsewhere = Door { api: Api::of(&unaware), host: 1 };
    let (mut one, mut other) = (Client::new(&tape), Client::new(&tape));
    let mut writer = Client::new(&tape);
    assert!(writer.store(&elsewhere, &call("erase", 0..1)).await);
    let later = async {
        // Half way between the first one's time and the end of its wait.
        let halfway = async || {
            let at = tape.all().iter().find_map(|event| match event {
                Event::Sent(_, bytes) => mark(bytes),
                _ => None,
            });
            at.is_some_and(|at| unix_milliseconds() >= at + 500)
        };
        let mut next = 1;
        while !halfway().await {
            next += usize::from(writer.store(&elsewhere, &call("erase", next..next + 1)).await);
        }
        let writing = async {
            for next in next..next + 300 {
                writer.store(&elsewhere, &call("erase", next..next + 1)).await;
            }
        };
        join(other.erase(&door, "erase"), writing).await
    };
    let (first, (second, ())) = join(one.erase(&door, "erase"), later).await;
    assert!(first && second);
    recorder.settled().await;
    let all = tape.all();
    let mut replay = Replay::new(&installation, &USERS);
    all.iter().try_for_each(|event| replay.hear(event)).expect("promises are kept");
    judge_erase(&installation, &host, &replay, &all, "erase").await.expect("all of it went");
}

/// Unix milliseconds of an erase, by its mark.
fn mark(bytes: &[u8]) -> Option<u64> {
    let json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    u64::from_str_radix(json["at"].as_str()?.get(..12)?, 16).ok()
}

fn unix_milliseconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_millis() as u64
}

/// One for each promise.
const USERS: [&str; 6] = ["message", "session", "again", "walk", "erase", "token"];

fn call(user: &str, ids: std::ops::Range<usize>) -> Call {
    let messages = ids.map(|n| (format!("m{n}"), format!("says {n}"))).collect();
    Call { user: user.to_owned(), session: "s".to_owned(), messages }
}

/// What is judged of what happened, and of what happened after it.
fn heard(installation: &Installation, before: &[Event], after: &[Event]) -> Result<(), String> {
    let mut replay = Replay::new(installation, &USERS);
    before.iter().chain(after).try_for_each(|event| replay.hear(event))
}

/// A client who sees the bucket as it was, and says that it brought this token to a host of this number.
async fn sees(door: &Door, user: &str, latest: bool, token: Option<&str>) -> Vec<Event> {
    let tape = Arc::new(Tape::default());
    assert!(Client::new(&tape).read(door, user, (latest, false), None).await);
    let claim = |mut event| {
        if let Event::Showed(asked, _) = &mut event {
            asked.brought = token.map(str::to_owned);
        }
        event
    };
    tape.all().into_iter().map(claim).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_tells_of_what_a_bucket_of_before_loses_and_brings_back() {
    let (mut server, tape) = (Rclone::start(), Arc::new(Tape::default()));
    let _recorder = Recorder::before(&mut server, &tape);
    let mut installation = Installation::behind_proxy(server, seed())
        .with("compact_interval_ms", "0")
        .with("cache_mib", "0");
    let host = installation.start();
    let (door, mut client) = (Door { api: Api::of(&host), host: 0 }, Client::new(&tape));
    for user in USERS {
        assert!(client.store(&door, &call(user, 0..5)).await);
    }
    let kept = tempfile::tempdir().expect("a folder");
    let backup = kept.path().join("bucket");
    copy(&installation.bucket_folder(), &backup);

    let session = |user| (user, "s");
    assert!(client.delete(&door, session("message"), Some("m1")).await);
    assert!(client.delete(&door, session("session"), None).await);
    assert!(client.delete(&door, session("again"), None).await);
    assert!(client.store(&door, &call("again", 5..6)).await);
    assert!(client.store(&door, &call("walk", 5..8)).await);
    assert!(client.store(&door, &call("token", 5..6)).await);
    assert!(client.erase(&door, "erase").await);
    for user in USERS {
        let token = client.token(user);
        assert!(client.read(&door, user, (true, true), token).await);
    }
    let mut walk = Walk::new("w".to_owned(), session("walk"), 2);
    assert!(client.page(&door, &mut walk).await);
    let before = tape.all();
    heard(&installation, &before, &[]).expect("all is well");

    // The same walk to its end.
    let whole = Arc::new(Tape::default());
    let (mut other, mut same) = (Client::new(&whole), walk.clone());
    while other.page(&door, &mut same).await {}
    heard(&installation, &before, &whole.all()).expect("nothing is skipped");
    receipts_are_judged(&installation, &host, &before).await;

    host.kill();
    installation.restore(&backup);
    let host = installation.start();
    let api = Api::of(&host);
    let (another, same) = (Door { api: api.clone(), host: 1 }, Door { api, host: 0 });
    let broken = async |door: &Door, user: &str, latest: bool, token: Option<&str>| {
        let seen = sees(door, user, latest, token).await;
        heard(&installation, &before, &seen).expect_err("a broken promise")
    };
    for user in ["message", "session", "erase"] {
        let told = broken(&another, user, true, None).await;
        assert!(told.starts_with("P6") && told.contains("is deleted by"), "{user}: {told}");
        let told = broken(&another, user, false, client.token(user).as_deref()).await;
        assert!(told.starts_with("P6") && told.contains("is deleted by"), "{user}: {told}");
    }
    let told = broken(&another, "again", true, None).await;
    assert!(told.starts_with("P1: message m5") && told.ends_with("was acknowledged"), "{told}");
    let told = broken(&another, "token", false, client.token("token").as_deref()).await;
    assert!(told.starts_with("P3: message m5"), "{told}");
    let told = broken(&same, "token", false, None).await;
    assert!(told.starts_with("P1: message m5") && told.ends_with("was there before"), "{told}");
    // What is not asked of it is not told: nobody has promised anything to who comes without a token.
    let seen = sees(&another, "token", false, None).await;
    heard(&installation, &before, &seen).expect("as old as it may be");

    let rest = Arc::new(Tape::default());
    let mut other = Client::new(&rest);
    while other.page(&another, &mut walk).await {}
    let told = heard(&installation, &before, &rest.all()).expect_err("a broken promise");
    assert!(told.starts_with("P5: a walk skipped message m"), "{told}");
}

/// The first half of an erase is judged by what lies in the bucket.
async fn receipts_are_judged(installation: &Installation, host: &Host, tape: &[Event]) {
    let judged = async || {
        let mut replay = Replay::new(installation, &USERS);
        tape.iter().try_for_each(|event| replay.hear(event))?;
        judge_erase(installation, host, &replay, tape, "erase").await
    };
    judged().await.expect("all is well");
    let bucket = bucket(installation.server().expect("a server").settings()).expect("a bucket");
    let wal = tape.iter().find_map(|event| match event {
        Event::Sent(key, bytes) if key.contains("/u/erase/wal/") => Some((key, bytes.clone())),
        _ => None,
    });
    let (wal, bytes) = wal.expect("what was stored");
    bucket.put(&Key::raw(wal), bytes).await.expect("a write");
    let told = judged().await.expect_err("what was erased is there");
    assert!(told.starts_with("P6: wal/") && told.contains("holds what was erased"), "{told}");
    bucket.delete(&Key::raw(wal)).await.expect("a delete");

    for (kind, says) in
        [("-swept.json", "is not of what was removed"), ("-receipt.json", "has no receipt")]
    {
        let all = tape.iter().filter_map(|event| match event {
            Event::Sent(key, bytes) if key.ends_with(kind) => Some((key, bytes.clone())),
            _ => None,
        });
        let all: Vec<_> = all.collect();
        assert!(!all.is_empty(), "no {kind}");
        for (key, _) in &all {
            bucket.delete(&Key::raw(*key)).await.expect("a delete");
        }
        let told = judged().await.expect_err("a ledger that lacks something");
        assert!(told.starts_with("P7") && told.contains(says), "{told}");
        for (key, bytes) in all {
            bucket.put(&Key::raw(key), bytes).await.expect("a write");
        }
    }
    judged().await.expect("all is well again");
}
