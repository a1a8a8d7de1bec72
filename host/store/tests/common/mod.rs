//! What the store's tests share: a server, a signing client, and the store as a process.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use holdfast_store::{Running, Settings, serve};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub const BUCKET: &str = "holdfast";
pub const ACCESS_KEY: &str = "holdfast";
pub const SECRET_KEY: &str = "holdfast-secret";

/// S3's own rule for a key in a path.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Settings for a store in `folder` on a free port.
pub fn settings(folder: &Path) -> Settings {
    Settings {
        data_dir: folder.to_owned(),
        buckets: vec![BUCKET.to_owned()],
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
    }
}

/// A store in this process and a client of it.
pub async fn start(folder: &Path) -> (Running, Client) {
    let running = serve(settings(folder)).await.unwrap();
    let client = Client::new(running.address());
    (running, client)
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The text of each element of that name, as it stands.
    pub fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let rest = self.text().split(open.as_str()).skip(1);
        rest.filter_map(|rest| rest.split_once(close.as_str()).map(|(text, _)| text)).collect()
    }

    pub fn error_code(&self) -> &str {
        self.elements("Code").first().copied().unwrap_or_default()
    }
}

/// A client that signs as S3 asks.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    access_key: String,
    secret_key: String,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self::with_keys(address, ACCESS_KEY, SECRET_KEY)
    }

    pub fn with_keys(address: SocketAddr, access_key: &str, secret_key: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { http, address, access_key: access_key.into(), secret_key: secret_key.into() }
    }

    pub async fn put(&self, key: &str, body: impl Into<Bytes>) -> Answer {
        self.put_with(key, &[], body).await
    }

    pub async fn put_with(
        &self,
        key: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.send("PUT", &object(key), headers, body.into()).await
    }

    pub async fn get(&self, key: &str) -> Answer {
        self.get_with(key, &[]).await
    }

    pub async fn get_with(&self, key: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", &object(key), headers, Bytes::new()).await
    }

    pub async fn delete(&self, key: &str) -> Answer {
        self.send("DELETE", &object(key), &[], Bytes::new()).await
    }

    /// `query` is as it stands in the URL.
    pub async fn list(&self, query: &str) -> Answer {
        let path = format!("/{BUCKET}?list-type=2&encoding-type=url&{query}");
        self.send("GET", &path, &[], Bytes::new()).await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        self.try_send(method, path, headers, body.clone(), body).await.unwrap()
    }

    /// Signs one body and sends another.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        signed: Bytes,
        sent: Bytes,
    ) -> Result<Answer, legacy::Error> {
        let uri = format!("http://{}{path}", self.address);
        let mut builder = Request::builder().method(method).uri(&uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let mut request = builder.body(Full::new(sent)).unwrap();
        self.sign(&mut request, method, &uri, headers, &signed);
        let response = self.http.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The head of a signed PUT as it goes over the wire, for a test that sends the body itself.
    pub fn head_of_put(&self, key: &str, body: &[u8]) -> String {
        let (path, uri) = (object(key), format!("http://{}{}", self.address, object(key)));
        let mut request = Request::put(&uri).body(Full::new(Bytes::new())).unwrap();
        self.sign(&mut request, "PUT", &uri, &[], body);
        let headers: String = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()))
            .collect();
        let (address, length) = (self.address, body.len());
        format!(
            "PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n{headers}\r\n"
        )
    }

    fn sign(
        &self,
        request: &mut Request<Full<Bytes>>,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity =
            Credentials::new(&self.access_key, &self.secret_key, None, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("anywhere")
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let signable =
            SignableRequest::new(method, uri, headers.iter().copied(), SignableBody::Bytes(body));
        let (instructions, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
        instructions.apply_to_request_http1x(request);
    }
}

/// The path of a key.
pub fn object(key: &str) -> String {
    format!("/{BUCKET}/{}", encoded(key))
}

/// A key as it stands in a URL.
pub fn encoded(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

/// The key that a URL-encoded text stands for.
pub fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// A sequence of numbers that a seed determines (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// The store as a process of its own, killed with SIGKILL when dropped.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    pub fn start(folder: &Path) -> Self {
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().and_then(Path::parent).unwrap().join("examples/embedded-s3");
        let mut child = Command::new(&program)
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --example embedded-s3` first", program.display())
            });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit_once('/').map(|(_, address)| address.parse());
        let address = address.expect("the store's first line names its address").unwrap();
        Self { child, address }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}
