//! One signed request over a fresh connection, for making the bucket and asking whether a server is ready.

use crate::process::Server;
use bytes::Bytes;
use holdfast_objects::{Signer, sign};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

/// Status of the answer to a request about the bucket (`path` empty) or an object in it; `None` without an answer.
pub(crate) fn send(server: &Server, method: &str, path: &str, body: &'static [u8]) -> Option<u16> {
    let target = format!("/{}{path}", server.bucket);
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("{}{target}", server.endpoint))
        .body(Bytes::from_static(body))
        .ok()?;
    let signer = Signer::new(&server.access_key, &server.secret_key, None, &server.region);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis();
    let sha256 = hex::encode(Sha256::digest(body));
    sign(&mut request, &sha256, &signer, u64::try_from(now).ok()?).ok()?;
    let authority = server.endpoint.strip_prefix("http://")?;
    let mut text =
        format!("{method} {target} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\r\n", value.to_str().ok()?);
    }
    text += &format!("content-length: {}\r\n\r\n", body.len());
    let mut connection = TcpStream::connect(authority).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(15))).ok()?;
    connection.write_all(&[text.as_bytes(), body].concat()).ok()?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).ok()?;
    let line = String::from_utf8_lossy(&answer);
    line.split(' ').nth(1)?.parse().ok()
}
