//! A store that is killed keeps every object it acknowledged, and none that is torn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{Client, Numbers, Process, object, start};

/// Bodies from empty to well above what is held in memory, so that all ways to disk are taken.
fn body(writer: u64, number: u64) -> Vec<u8> {
    let mut numbers = Numbers(writer << 32 | number);
    let length = match number % 8 {
        0 => 0,
        7 => 3 << 20,
        _ => numbers.below(4096),
    };
    numbers.bytes(length)
}

async fn write_until_it_dies(
    client: Client,
    writer: u64,
    acknowledged: Arc<Mutex<HashMap<String, (u64, u64)>>>,
    count: Arc<AtomicUsize>,
) {
    for number in 0.. {
        let key = format!("{writer}/{number}");
        let body = Bytes::from(body(writer, number));
        let sent = client.try_send("PUT", &object(&key), &[], body.clone(), body).await;
        match sent {
            Ok(answer) if answer.status == 200 => {
                acknowledged.lock().unwrap().insert(key, (writer, number));
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(answer) => panic!("{key}: {answer:?}"),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_amid_concurrent_writes_it_keeps_all_that_was_acknowledged_and_nothing_torn() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Arc::new(Mutex::new(HashMap::new()));
    for (round, wanted) in [40, 90, 160].into_iter().enumerate() {
        let mut process = Process::start(folder.path());
        let count = Arc::new(AtomicUsize::new(0));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let writer = (round as u64) << 8 | writer;
            let client = Client::new(process.address);
            writers.spawn(write_until_it_dies(client, writer, acknowledged.clone(), count.clone()));
        }
        while count.load(Ordering::SeqCst) < wanted {
            tokio::task::yield_now().await;
        }
        process.kill();
        writers.join_all().await;
        let acknowledged = acknowledged.lock().unwrap().clone();
        check(folder.path(), &acknowledged).await;
    }
}

async fn check(folder: &std::path::Path, acknowledged: &HashMap<String, (u64, u64)>) {
    let (running, client) = start(folder).await;
    for (key, (writer, number)) in acknowledged {
        let answer = client.get(key).await;
        assert_eq!(answer.status, 200, "acknowledged {key} is gone");
        assert_eq!(answer.body, body(*writer, *number), "{key}");
    }
    let mut listed = 0;
    let mut token = String::new();
    loop {
        let page = client.list(&format!("max-keys=1000{token}")).await;
        for key in page.elements("Key") {
            let key = common::decoded(key);
            let (writer, number) = key.split_once('/').unwrap();
            let expected = body(writer.parse().unwrap(), number.parse().unwrap());
            assert_eq!(client.get(&key).await.body, expected, "{key} is torn");
            listed += 1;
        }
        match page.elements("NextContinuationToken").first() {
            Some(next) => token = format!("&continuation-token={next}"),
            None => break,
        }
    }
    assert!(listed >= acknowledged.len());
    running.shutdown().await;
    let left: Vec<_> = std::fs::read_dir(folder.join("incoming")).unwrap().collect();
    assert!(left.is_empty(), "files of the crash are left: {left:?}");
    assert!(!folder.join("damaged").exists(), "a damaged object was set aside");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_amid_overwrites_of_one_key_it_holds_one_of_the_bodies_whole() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut process = Process::start(folder.path());
        let last = Arc::new(AtomicUsize::new(0));
        let writer = tokio::spawn({
            let (client, last) = (Client::new(process.address), last.clone());
            async move {
                for number in 1.. {
                    let body = Bytes::from(vec![b'a' + (number % 26) as u8; 10_000 + number]);
                    let sent =
                        client.try_send("PUT", &object("one"), &[], body.clone(), body).await;
                    match sent {
                        Ok(answer) if answer.status == 200 => last.store(number, Ordering::SeqCst),
                        _ => return,
                    }
                }
            }
        });
        while last.load(Ordering::SeqCst) < 20 + round * 7 {
            tokio::task::yield_now().await;
        }
        process.kill();
        writer.await.unwrap();
        let (running, client) = start(folder.path()).await;
        let stored = client.get("one").await.body;
        let number = stored.len() - 10_000;
        let acknowledged = last.load(Ordering::SeqCst);
        assert!(number == acknowledged || number == acknowledged + 1, "{number} {acknowledged}");
        assert!(stored.iter().all(|byte| *byte == b'a' + (number % 26) as u8));
        running.shutdown().await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_set_aside_and_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("whole", "text").await;
    client.put("cut", "text").await;
    running.shutdown().await;
    let objects = folder.path().join("buckets/holdfast");
    let cut = std::fs::read_dir(&objects)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| std::fs::read(path).unwrap().windows(5).any(|text| text == b"\"cut\""))
        .unwrap();
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 3]).unwrap();
    let (running, client) = start(folder.path()).await;
    assert_eq!(client.list("").await.elements("Key"), ["whole"]);
    assert_eq!(client.put_with("cut", &[("if-none-match", "*")], "anew").await.status, 200);
    running.shutdown().await;
    let aside = folder.path().join("damaged").join(cut.file_name().unwrap());
    assert_eq!(std::fs::read(aside).unwrap(), bytes[..bytes.len() - 3]);
}

#[tokio::test]
async fn an_object_of_a_newer_version_stops_the_start_with_a_message_to_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let (running, client) = start(folder.path()).await;
    client.put("key", "text").await;
    running.shutdown().await;
    let objects = folder.path().join("buckets/holdfast");
    let file = std::fs::read_dir(objects).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() = b'2';
    std::fs::write(&file, bytes).unwrap();
    let refused = holdfast_store::serve(common::settings(folder.path())).await.unwrap_err();
    assert!(refused.to_string().contains("upgrade"), "{refused}");
    assert!(file.exists());
}
