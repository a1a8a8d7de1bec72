//! What every object store must do for Holdfast, one claim a function; tests of each store call them by [`crate::conformance!`].
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests of other crates")]

use bytes::Bytes;
use futures::future::join_all;
use holdfast_core::ports::{Objects, Page, Purged};
use holdfast_core::{Key, Prefix};

/// Makes a test of each claim; `$run` gets a claim as an async closure over a store and runs it to its end.
///
/// `fn run(claim: impl AsyncFnOnce(&MyStore))` may start a fresh store or share one: each claim has a prefix of its own.
#[macro_export]
macro_rules! conformance {
    ($run:path) => {
        $crate::conformance!($run: bytes_that_were_put_are_read_back
            an_empty_object_is_an_object
            a_large_object_round_trips
            an_object_that_was_never_written_is_none
            an_object_in_the_place_of_a_folder_is_none
            a_range_is_exactly_the_bytes_asked_for
            a_range_past_the_end_is_shorter_or_empty
            keys_with_unicode_plus_percent_and_spaces_round_trip
            odd_keys_are_listed_as_they_were_written
            a_list_has_every_key_below_its_prefix_once_in_byte_order
            a_list_begins_after_the_key_it_is_given
            the_pages_of_a_long_list_join_to_the_whole
            an_empty_list_is_an_empty_page
            a_list_knows_sizes
            a_new_object_is_listed_at_once
            putting_the_same_bytes_again_is_safe
            removing_an_object_twice_is_not_an_error
            a_bucket_without_versions_has_nothing_to_purge
            many_puts_at_once_are_all_kept);
    };
    ($run:path: $($claim:ident)*) => {
        $(#[test]
        fn $claim() {
            $run(async |objects: &_| $crate::conformance::$claim(objects).await);
        })*
    };
}

fn key(text: &str) -> Key {
    Key::raw(text)
}

async fn put(objects: &impl Objects, text: &str, bytes: impl Into<Bytes>) {
    objects.put(&key(text), bytes.into()).await.unwrap();
}

async fn get(objects: &impl Objects, text: &str) -> Option<Bytes> {
    objects.get(&key(text)).await.unwrap()
}

async fn range(objects: &impl Objects, text: &str, start: u64, length: u64) -> Option<Bytes> {
    objects.get_range(&key(text), start, length).await.unwrap()
}

async fn page(objects: &impl Objects, prefix: &str, after: Option<&str>) -> Page {
    objects.list(&Prefix::raw(prefix), after).await.unwrap()
}

/// All keys below `prefix` after `after`, page by page.
async fn all(objects: &impl Objects, prefix: &str, after: Option<&str>) -> Vec<String> {
    let (mut keys, mut after) = (vec![], after.map(str::to_owned));
    loop {
        let page = page(objects, prefix, after.as_deref()).await;
        keys.extend(page.objects.into_iter().map(|object| object.key));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
}

/// A put and a get.
pub async fn bytes_that_were_put_are_read_back(objects: &impl Objects) {
    let bytes: Vec<u8> = (0..=255).collect();
    put(objects, "c01/a", bytes.clone()).await;
    assert_eq!(get(objects, "c01/a").await.unwrap(), bytes);
}

/// No bytes are not no object.
pub async fn an_empty_object_is_an_object(objects: &impl Objects) {
    put(objects, "c02/a", Bytes::new()).await;
    assert_eq!(get(objects, "c02/a").await, Some(Bytes::new()));
    assert_eq!(range(objects, "c02/a", 0, 10).await, Some(Bytes::new()));
}

/// 9 MiB: above the chunk sizes of the servers that we know.
pub async fn a_large_object_round_trips(objects: &impl Objects) {
    let bytes: Vec<u8> =
        (0..9_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    put(objects, "c03/a", bytes.clone()).await;
    assert!(get(objects, "c03/a").await.unwrap() == bytes);
    let part = range(objects, "c03/a", 4 << 20, 100_000).await.unwrap();
    assert!(part == bytes[4 << 20..(4 << 20) + 100_000]);
}

/// Absence is an answer, not an error.
pub async fn an_object_that_was_never_written_is_none(objects: &impl Objects) {
    assert_eq!(get(objects, "c04/never").await, None);
    assert_eq!(range(objects, "c04/never", 0, 1).await, None);
}

/// A store that keeps keys as files must not take a folder for an object.
pub async fn an_object_in_the_place_of_a_folder_is_none(objects: &impl Objects) {
    put(objects, "c05/folder/a", "x").await;
    assert_eq!(get(objects, "c05/folder").await, None);
}

/// Any part.
pub async fn a_range_is_exactly_the_bytes_asked_for(objects: &impl Objects) {
    put(objects, "c06/a", "0123456789").await;
    for (start, length) in [(0, 1), (0, 10), (3, 4), (9, 1), (5, 0)] {
        let (from, to) = (start as usize, (start + length) as usize);
        let part = range(objects, "c06/a", start, length).await.unwrap();
        assert_eq!(part, "0123456789".as_bytes()[from..to], "{start} {length}");
    }
}

/// The end of an object ends a range.
pub async fn a_range_past_the_end_is_shorter_or_empty(objects: &impl Objects) {
    put(objects, "c07/a", "0123456789").await;
    assert_eq!(range(objects, "c07/a", 8, 100).await.unwrap(), "89");
    assert_eq!(range(objects, "c07/a", 10, 5).await.unwrap(), "");
    assert_eq!(range(objects, "c07/a", 1000, 5).await.unwrap(), "");
}

const ODD: [&str; 9] = [
    "plain",
    "with space",
    "plus+plus",
    "percent%2Fpercent%",
    "é-ü-日本語-🦀",
    "a&b=c;d,e@f:g$h",
    "quote'(paren)*!~",
    "question?hash#",
    "tilde~41~~x",
];

/// Bytes that URLs treat specially.
pub async fn keys_with_unicode_plus_percent_and_spaces_round_trip(objects: &impl Objects) {
    for odd in ODD {
        put(objects, &format!("c08/{odd}/x {odd}"), odd).await;
    }
    for odd in ODD {
        assert_eq!(get(objects, &format!("c08/{odd}/x {odd}")).await.unwrap(), odd);
    }
}

/// What a list names can be read.
pub async fn odd_keys_are_listed_as_they_were_written(objects: &impl Objects) {
    for odd in ODD {
        put(objects, &format!("c09/{odd}"), odd).await;
    }
    let mut expected = ODD.map(|odd| format!("c09/{odd}"));
    expected.sort_unstable();
    assert_eq!(all(objects, "c09/", None).await, expected);
}

/// `-` and `.` sort before `/`, which stores of folders forget; a prefix ends at its slash. (No key is a folder of
/// another, here as in our layout: a store of files cannot have both.)
pub async fn a_list_has_every_key_below_its_prefix_once_in_byte_order(objects: &impl Objects) {
    let keys = ["c10/a-1", "c10/a.b", "c10/a/1", "c10/a/2/3", "c10/a0", "c10/b/1"];
    for text in keys.iter().rev().chain(&["c10-other/a", "c1/a"]) {
        put(objects, text, "x").await;
    }
    assert_eq!(all(objects, "c10/", None).await, keys);
    assert_eq!(all(objects, "c10/a/", None).await, ["c10/a/1", "c10/a/2/3"]);
}

/// The key itself is not listed again, and need not exist.
pub async fn a_list_begins_after_the_key_it_is_given(objects: &impl Objects) {
    for text in ["c11/d/1", "c11/d/2", "c11/d/3", "c11/e/1"] {
        put(objects, text, "x").await;
    }
    assert_eq!(all(objects, "c11/", Some("c11/d/2")).await, ["c11/d/3", "c11/e/1"]);
    assert_eq!(all(objects, "c11/d/", Some("c11/d/15")).await, ["c11/d/2", "c11/d/3"]);
    assert_eq!(all(objects, "c11/", Some("c11/e/1")).await, [""; 0]);
}

/// More than a page of 1,000, in several folders.
pub async fn the_pages_of_a_long_list_join_to_the_whole(objects: &impl Objects) {
    let keys: Vec<String> = (0..1234).map(|n| format!("c12/{}/{n:04}", n / 300)).collect();
    for some in keys.chunks(16) {
        join_all(some.iter().map(|text| put(objects, text, "x"))).await;
    }
    assert_eq!(all(objects, "c12/", None).await, keys);
}

/// Nothing there.
pub async fn an_empty_list_is_an_empty_page(objects: &impl Objects) {
    let page = page(objects, "c13/", None).await;
    assert!(page.objects.is_empty() && page.next.is_none());
}

/// Bytes of each object.
pub async fn a_list_knows_sizes(objects: &impl Objects) {
    put(objects, "c14/a", "").await;
    put(objects, "c14/b", vec![0; 70_000]).await;
    let sizes: Vec<u64> =
        page(objects, "c14/", None).await.objects.iter().map(|o| o.size).collect();
    assert_eq!(sizes, [0, 70_000]);
}

/// Not promised by every store, but by all that we test with.
pub async fn a_new_object_is_listed_at_once(objects: &impl Objects) {
    for n in 0..20 {
        put(objects, &format!("c15/{n:02}"), "x").await;
        assert_eq!(page(objects, "c15/", None).await.objects.len(), n + 1);
    }
}

/// The retry of a write whose answer was lost.
pub async fn putting_the_same_bytes_again_is_safe(objects: &impl Objects) {
    put(objects, "c16/a", "x").await;
    put(objects, "c16/a", "x").await;
    assert_eq!(get(objects, "c16/a").await.unwrap(), "x");
    assert_eq!(page(objects, "c16/", None).await.objects.len(), 1);
}

/// The retry of a removal whose answer was lost.
pub async fn removing_an_object_twice_is_not_an_error(objects: &impl Objects) {
    put(objects, "c17/a", "x").await;
    objects.delete(&key("c17/a")).await.unwrap();
    assert_eq!(get(objects, "c17/a").await, None);
    objects.delete(&key("c17/a")).await.unwrap();
    assert!(page(objects, "c17/", None).await.objects.is_empty());
}

/// The buckets of these tests keep none; what is there stays.
pub async fn a_bucket_without_versions_has_nothing_to_purge(objects: &impl Objects) {
    put(objects, "c19/a", "x").await;
    put(objects, "c19/b", "x").await;
    objects.delete(&key("c19/b")).await.unwrap();
    assert_eq!(objects.purge(&Prefix::raw("c19/")).await.unwrap(), Purged::default());
    assert_eq!(get(objects, "c19/a").await.unwrap(), "x");
}

/// 200 writers, each with a key of its own.
pub async fn many_puts_at_once_are_all_kept(objects: &impl Objects) {
    let name = |n: usize| format!("c18/{n:03}");
    join_all((0..200).map(|n| async move { put(objects, &name(n), name(n)).await })).await;
    let found = join_all((0..200).map(|n| async move { get(objects, &name(n)).await })).await;
    assert!(
        found.iter().enumerate().all(|(n, bytes)| bytes.as_deref() == Some(name(n).as_bytes()))
    );
}
