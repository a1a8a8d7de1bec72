//! A host with an empty disk meets a bucket of 3,000 sessions (10,000 in the long form): it knows the newest at once without reading the others, and
//! all of them when it is asked for all.

use holdfast_faults::{Api, long, many_sessions};
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn f1_7_a_cold_host_lists_the_newest_of_many_sessions_without_reading_them() {
    let count_of_all = if long() { 10_000 } else { 3_000 };
    let installation = many_sessions(count_of_all).await;
    // With nothing on its disk.
    let (host, _kept) = installation.start_beside();
    let api = Api::of(&host);
    let _ = api.get("/v1/sessions?user_id=nobody", None).await.expect(200);
    let count = || (installation.proxy().requests(), installation.proxy().bytes());
    let before = count();
    let page = api.get("/v1/sessions?user_id=ann&limit=50", None).await.expect(200).json();
    let first = count();
    let sessions = page["data"].as_array().expect("sessions");
    assert_eq!((sessions.len(), &page["has_more"]), (50, &true.into()));
    for session in sessions {
        let number: usize = session["id"].as_str().expect("an id")[2..].parse().expect("a number");
        assert!(number >= count_of_all - 100, "{number} is among the newest 50");
        assert_eq!(session["message_count"], 2);
    }
    // All of them, from the pages after it.
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut cursor = None;
    loop {
        let more = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/sessions?user_id=ann&limit=1000{more}");
        let page = api.get(&path, None).await.expect(200).json();
        let ids = page["data"].as_array().expect("sessions").iter();
        known.extend(ids.map(|session| session["id"].as_str().expect("an id").to_owned()));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(known.len(), count_of_all);
    let all = count();
    let (requests, bytes) = (first.0 - before.0, first.1 - before.1);
    let whole = all.1 - first.1;
    println!(
        "{count_of_all} sessions: the newest 50 took {requests} requests and {bytes} bytes; all of them {whole} bytes"
    );
    // The WAL is listed while it is there, a page for 1,000 objects; the rest is what the page shows.
    let lists = count_of_all as u64 / 1_000 + 5;
    assert!(requests <= lists + 80, "{requests} requests");
    // Lists and the cover are of all sessions; of what was said in them, only the page's is read.
    assert!(bytes * 2 < whole, "{bytes} bytes, of {whole}");
    host.kill();
}
