//! A client of the REST interface that says what came back, and never repeats a request by itself.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::error::Error;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one host with one key. Cloning shares its connections.
#[derive(Clone)]
pub struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    key: String,
}

/// What a host answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// `Holdfast-After`.
    pub after: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// This answer, which must have this status.
    ///
    /// # Panics
    /// When it has another, with the body.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        self
    }
}

impl Api {
    /// A client of the host at `url`.
    pub fn new(url: &str, key: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client =
            Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
        Self { client, url: url.to_owned(), key: key.to_owned() }
    }

    /// A client of a running host.
    pub fn of(host: &holdfast_servers::Host) -> Self {
        Self::new(&host.url, &host.key)
    }

    /// Sends one request; `Err` says why there is no answer.
    ///
    /// # Errors
    /// A connection that broke, or no answer within a minute.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        after: Option<&str>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.key));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(after) = after {
            request = request.header("holdfast-after", after);
        }
        let request = request.body(Full::new(body.unwrap_or_default()))?;
        tokio::time::timeout(PATIENCE, self.answer(request)).await?
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let answer = self.client.request(request).await?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let after = header("holdfast-after").map(str::to_owned);
        let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body, after, retry_after })
    }

    /// As [`Api::send`], and as any client: while the answer is 503, again when that says. A 503 that says nothing stands.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn patiently(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        after: Option<&str>,
    ) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.send(method.clone(), path, body.clone(), after).await;
            let answer = answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
            match answer.retry_after {
                Some(seconds) if answer.status == 503 && begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                _ => return answer,
            }
        }
    }

    /// `POST`s JSON.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        after: Option<&str>,
    ) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        self.send(Method::POST, path, Some(body.to_string().into()), after).await
    }

    /// `GET`s; an answer must come.
    ///
    /// # Panics
    /// Without an answer.
    pub async fn get(&self, path: &str, after: Option<&str>) -> Answer {
        let answer = self.send(Method::GET, path, None, after).await;
        answer.unwrap_or_else(|e| panic!("GET {path}: {e}"))
    }

    /// `POST`s JSON; an answer of this status must come.
    ///
    /// # Panics
    /// Without one.
    pub async fn post_for(&self, status: u16, path: &str, body: &Value) -> Answer {
        let answer = self.post(path, body, None).await;
        answer.unwrap_or_else(|e| panic!("POST {path}: {e}")).expect(status)
    }
}
