//! A bucket that keeps old versions, asked as the store's own clients would.

use bytes::Bytes;
use holdfast_objects::{Settings, Signer, Transport, sign};
use holdfast_ports::{Limits, ReqwestTransport};
use holdfast_servers::Server;
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

const ENABLED: &str = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";

/// Settings of a new bucket of `server` that keeps versions; `locks`: it can lock them, too.
pub async fn versioned(server: &Server, name: &str, locks: bool) -> Settings {
    let bucket = Settings { bucket: name.to_owned(), ..server.settings() };
    let lock: &[(&str, &str)] =
        if locks { &[("x-amz-bucket-object-lock-enabled", "true")] } else { &[] };
    assert!(ask(&bucket, "PUT", "", lock, "").await.0 < 300);
    assert!(ask(&bucket, "PUT", "?versioning=", &[], ENABLED).await.0 < 300);
    bucket
}

/// How many versions and marks of removals there are below a prefix.
pub async fn count(bucket: &Settings, prefix: &str) -> (usize, usize) {
    let (_, body) = ask(bucket, "GET", &format!("?prefix={prefix}&versions="), &[], "").await;
    (body.matches("<Version>").count(), body.matches("<DeleteMarker>").count())
}

/// Locks the present version of an object for an hour.
pub async fn lock(bucket: &Settings, key: &str) {
    let until = SystemTime::now() + Duration::from_secs(3_600);
    let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let until = holdfast_core::clock::rfc3339(u64::try_from(until).unwrap());
    let body = format!(
        "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
    );
    let (status, answer) = ask(bucket, "PUT", &format!("/{key}?retention="), &[], &body).await;
    assert!(status < 300, "{answer}");
}

async fn ask(
    bucket: &Settings,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let url = format!("{}/{}{path}", bucket.endpoint, bucket.bucket);
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Bytes::from(body.to_owned())).unwrap();
    let signer = Signer::new(&bucket.access_key, &bucket.secret_key, None, &bucket.region);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let sha256 = hex::encode(Sha256::digest(body));
    sign(&mut request, &sha256, &signer, u64::try_from(now).unwrap()).unwrap();
    let answer = ReqwestTransport::new(Limits::default()).unwrap().send(request).await.unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}
