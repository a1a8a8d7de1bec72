//! Measures the store over loopback: `measure-store <folder> [keys]`.
//!
//! Prints medians of PUT beside the bare file system calls that make it durable, of GET
//! and of LIST pages, then how long a start takes and what memory the keys hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that goes wrong should stop"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Client, Numbers, settings, start};

const ROUNDS: usize = 500;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: measure-store <folder> [keys]");
    let keys: usize = arguments.next().map_or(100_000, |count| count.parse().unwrap());
    let folder = Path::new(&folder);
    let body = Numbers(1).bytes(1024);
    let (running, client) = start(folder).await;
    let (mut put, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Alternating, so that both see the same disk.
        let begun = Instant::now();
        assert_eq!(client.put(&format!("put/{round}"), body.clone()).await.status, 200);
        put.push(begun.elapsed());
        bare.push(durable_file(folder, round, &body));
    }
    let (put, bare) = (median(put), median(bare));
    let share = 100 * bare.as_micros() / put.as_micros();
    println!("PUT 1 KiB p50 {put:?}; its bare write, fsync, link and fsync {bare:?}: {share} %");
    let mut get = Vec::new();
    for round in 0..ROUNDS {
        let begun = Instant::now();
        assert_eq!(client.get(&format!("put/{round}")).await.status, 200);
        get.push(begun.elapsed());
    }
    println!("GET 1 KiB p50 {:?}", median(get));
    for writers in [8, 64] {
        println!("PUT 1 KiB by {writers} writers: {:.0}/s", rate(&client, writers, &body).await);
    }
    let before = resident();
    let begun = Instant::now();
    fill(&client, keys).await;
    println!("{keys} PUTs of 10 bytes by 64 writers took {:?}", begun.elapsed());
    println!("resident memory grew by {} KiB", resident() - before);
    pages(&client, keys).await;
    running.shutdown().await;
    let begun = Instant::now();
    let running = holdfast_store::serve(settings(folder)).await.unwrap();
    println!("start with {keys} objects {:?}", begun.elapsed());
    running.shutdown().await;
}

/// What one PUT must do at least to be durable.
fn durable_file(folder: &Path, round: usize, body: &[u8]) -> Duration {
    let (from, to) = (folder.join("bare"), folder.join("bare-objects"));
    fs::create_dir_all(&from).unwrap();
    fs::create_dir_all(&to).unwrap();
    let begun = Instant::now();
    let from = from.join(round.to_string());
    let mut file = File::create(&from).unwrap();
    file.write_all(body).unwrap();
    file.sync_all().unwrap();
    fs::rename(&from, to.join(round.to_string())).unwrap();
    File::open(&to).unwrap().sync_all().unwrap();
    begun.elapsed()
}

async fn rate(client: &Client, writers: usize, body: &[u8]) -> f64 {
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (client, body) = (client.clone(), body.to_vec());
        tasks.spawn(async move {
            for number in 0..ROUNDS / 4 {
                let key = format!("rate/{writers}/{writer}/{number}");
                assert_eq!(client.put(&key, body.clone()).await.status, 200);
            }
        });
    }
    tasks.join_all().await;
    (writers * (ROUNDS / 4)) as f64 / begun.elapsed().as_secs_f64()
}

async fn fill(client: &Client, keys: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let client = client.clone();
        tasks.spawn(async move {
            for number in (writer..keys).step_by(64) {
                let key = format!("v1/t/tenant/u/user/wal/20260101/{number:026}");
                assert_eq!(client.put(&key, "0123456789").await.status, 200);
            }
        });
    }
    tasks.join_all().await;
}

async fn pages(client: &Client, keys: usize) {
    let (mut times, mut token, mut listed) = (Vec::new(), String::new(), 0);
    loop {
        let begun = Instant::now();
        let page = client.list(&format!("prefix=v1/{token}")).await;
        times.push(begun.elapsed());
        listed += page.elements("Key").len();
        match page.elements("NextContinuationToken").first() {
            Some(next) => token = format!("&continuation-token={next}"),
            None => break,
        }
    }
    assert_eq!(listed, keys);
    let (first, last) = (times[0], times[times.len() - 1]);
    println!("LIST page of 1,000 p50 {:?}, first {first:?}, last {last:?}", median(times));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// KiB of this process in memory; 0 where the system does not say.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
