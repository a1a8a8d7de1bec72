//! The client of the store against each fault alone: what one repetition mends, its caller never hears of.

use bytes::Bytes;
use holdfast_core::ports::Objects;
use holdfast_core::{Key, Prefix, Scope, TenantId, UserId, key};
use holdfast_faults::seed;
use holdfast_objects::{Policy, Settings};
use holdfast_ports::{Bucket, bucket};
use holdfast_servers::{Fault, Proxy, Rclone, SeaweedFs, Server};
use http::Method;
use ulid::Ulid;

#[tokio::test(flavor = "multi_thread")]
async fn no_single_fault_before_rclone_is_noticed_by_the_caller() {
    each_alone(Rclone::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_single_fault_before_seaweedfs_is_noticed_by_the_caller() {
    each_alone(SeaweedFs::start()).await;
}

async fn each_alone(server: Server) {
    let proxy = Proxy::before(&server, seed());
    let bucket = through(&proxy, &server);
    for (n, fault) in (1_u64..).zip(Fault::ALL) {
        let bytes = Bytes::from(format!("object {n}, which is written and read under {fault:?}"));
        let (key, prefix) = place(n, &bytes);
        if fault.strikes(&Method::PUT, false) {
            proxy.next(fault);
        }
        bucket.put(&key, bytes.clone()).await.unwrap_or_else(|e| panic!("PUT, {fault:?}: {e:?}"));
        struck(&proxy, fault, "PUT");
        if fault.strikes(&Method::GET, false) {
            proxy.next(fault);
        }
        let read = bucket.get(&key).await.unwrap_or_else(|e| panic!("GET, {fault:?}: {e:?}"));
        assert_eq!(read, Some(bytes), "{fault:?}");
        struck(&proxy, fault, "GET");
        if fault.strikes(&Method::GET, true) {
            proxy.next(fault);
        }
        let page = bucket.list(&prefix, None).await;
        let page = page.unwrap_or_else(|e| panic!("LIST, {fault:?}: {e:?}"));
        assert_eq!(page.objects.len(), 1, "{fault:?}");
        struck(&proxy, fault, "LIST");
        if fault.strikes(&Method::DELETE, false) {
            proxy.next(fault);
        }
        bucket.delete(&key).await.unwrap_or_else(|e| panic!("DELETE, {fault:?}: {e:?}"));
        struck(&proxy, fault, "DELETE");
    }
    println!("{} requests, faults: {:?}", proxy.requests(), proxy.struck());
    assert_eq!(proxy.struck().len(), Fault::ALL.len());
}

/// A client that soon gives up on an answer.
fn through(proxy: &Proxy, server: &Server) -> Bucket {
    bucket(Settings {
        endpoint: proxy.endpoint.clone(),
        policy: Policy { attempt: 500, burst: 1000, ..Policy::default() },
        ..server.settings()
    })
    .unwrap()
}

/// A key that holds its bytes' hash, alone below its prefix.
fn place(n: u64, bytes: &[u8]) -> (Key, Prefix) {
    let user = UserId::parse(&format!("user-{n}")).unwrap();
    let scope = Scope { tenant: TenantId::parse("faults").unwrap(), user };
    let ulid = Ulid::from_parts(1_774_000_000_000 + n, u128::from(n));
    (key::wal_object(&scope, ulid, bytes), key::wal(&scope))
}

fn struck(proxy: &Proxy, fault: Fault, what: &str) {
    assert_eq!(proxy.left(), 0, "{what} was not struck by {fault:?}");
}
