//! Answers of stores that take liberties with lists and ranges.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use bytes::Bytes;
use futures::executor::block_on;
use holdfast_core::ports::{Objects, Page};
use holdfast_core::{Key, Prefix};
use http::Response;
use support::{Bench, Step, bench, object};

fn page(keys: &[&str], truncated: bool, token: &str) -> Step {
    let mut body = format!("<ListBucketResult><IsTruncated>{truncated}</IsTruncated>");
    if !token.is_empty() {
        body += &format!("<NextContinuationToken>{token}</NextContinuationToken>");
    }
    for key in keys {
        body += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Contents>"
        );
    }
    Step::Answer(Response::new((body + "</ListBucketResult>").into()))
}

fn list(bench: &Bench, after: Option<&str>) -> holdfast_core::Result<Page> {
    block_on(bench.store.list(&Prefix::raw("p/"), after))
}

fn keys(page: &Page) -> Vec<&str> {
    page.objects.iter().map(|object| &*object.key).collect()
}

#[test]
fn a_truncated_page_goes_on_after_its_last_key() {
    let bench = bench([page(&["p/a", "p/b"], true, "t")]);
    assert_eq!(list(&bench, None).unwrap().next.as_deref(), Some("p/b"));
    assert_eq!(bench.store.stats().lists, 1);
}

#[test]
fn keys_out_of_order_before_the_start_twice_or_outside_the_prefix_do_not_reach_the_caller() {
    let bench = bench([page(&["p/c", "p/a", "p/b", "p/c", "q/d"], false, "")]);
    assert_eq!(keys(&list(&bench, Some("p/a")).unwrap()), ["p/b", "p/c"]);
}

#[test]
fn a_store_that_does_not_know_start_after_is_followed_by_its_own_tokens() {
    let bench = bench([page(&["p/a"], true, "t1"), page(&["p/b"], true, "t2")]);
    assert_eq!(keys(&list(&bench, Some("p/a")).unwrap()), ["p/b"]);
    let seen = bench.script.seen.lock().unwrap();
    assert!(seen[1].uri().query().unwrap().contains("continuation-token=t1"));
}

#[test]
fn a_list_that_does_not_go_on_is_an_error_and_never_taken_for_complete() {
    let bench = bench([page(&[], true, "")]);
    assert_eq!(list(&bench, None).unwrap_err().reason, "store_unavailable");
}

#[test]
fn a_list_that_is_cut_off_is_asked_for_again() {
    let cut = Step::Answer(Response::new("<ListBucketResult><Contents><Key>p/a".into()));
    let bench = bench([cut, page(&["p/a"], false, "")]);
    assert_eq!(keys(&list(&bench, None).unwrap()), ["p/a"]);
}

fn part(range: &str, body: &'static str) -> Step {
    let answer = Response::builder().status(206).header("content-range", range);
    Step::Answer(answer.body(Bytes::from_static(body.as_bytes())).unwrap())
}

fn range(bench: &Bench, start: u64, length: u64) -> Bytes {
    block_on(bench.store.get_range(&Key::raw("a"), start, length)).unwrap().unwrap()
}

#[test]
fn a_store_that_ignores_ranges_gives_the_right_bytes_all_the_same() {
    assert_eq!(range(&bench([object(b"0123456789")]), 2, 3), "234");
    assert_eq!(range(&bench([object(b"0123456789")]), 8, 30), "89");
    assert_eq!(range(&bench([object(b"0123456789")]), 80, 30), "");
}

#[test]
fn another_range_than_was_asked_for_is_asked_for_again() {
    for wrong in [part("bytes 0-2/10", "012"), part("bytes 2-3/10", "23"), part("nonsense", "234")]
    {
        let bench = bench([wrong, part("bytes 2-4/10", "234")]);
        assert_eq!((range(&bench, 2, 3), bench.requests()), (Bytes::from_static(b"234"), 2));
    }
}
