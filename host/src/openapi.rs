//! `/openapi.json`, and `/docs`: the same to read and to try.

use crate::http::Native;
use crate::pool::Answer;
use crate::problem;
use bytes::Bytes;
use futures::FutureExt;
use holdfast_core::Error;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa_swagger_ui::Config;

/// The one source: what a client may send, and what it is answered.
const DOCUMENT: &str = include_str!("../../docs/openapi.json");
/// The page loads nothing from elsewhere, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The routes.
pub fn routes() -> BTreeMap<String, Native> {
    let config = Arc::new(Config::from("/openapi.json").persist_authorization(false));
    let document = || file("application/json", DOCUMENT.as_bytes().to_vec());
    BTreeMap::from([
        ("/openapi.json".to_owned(), native(move |_| document())),
        ("/docs".to_owned(), native(|_| to_the_page())),
        ("/docs/".to_owned(), native(move |path| page(path, &config))),
    ])
}

fn native(answer: impl Fn(&str) -> Response<Answer> + Send + Sync + 'static) -> Native {
    Arc::new(move |request| {
        let path = request.uri().path();
        let answer = if [Method::GET, Method::HEAD].contains(request.method()) {
            answer(path)
        } else {
            let error = Error::method_not_allowed(path, &["GET"]);
            problem::answer(&error, problem::request_id(request.headers()), false)
        };
        async move { answer }.boxed()
    })
}

fn page(path: &str, config: &Arc<Config<'static>>) -> Response<Answer> {
    let name = path.strip_prefix("/docs/").filter(|name| !name.is_empty()).unwrap_or("index.html");
    match utoipa_swagger_ui::serve(name, Arc::clone(config)) {
        Ok(Some(found)) => file(&found.content_type, found.bytes.into_owned()),
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn to_the_page() -> Response<Answer> {
    let mut response = status(StatusCode::PERMANENT_REDIRECT);
    set(&mut response, LOCATION, "/docs/");
    response
}

fn file(kind: &str, bytes: Vec<u8>) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(Bytes::from(bytes)));
    set(&mut response, CONTENT_TYPE, kind);
    set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    set(&mut response, CACHE_CONTROL, "no-cache");
    response
}

fn status(status: StatusCode) -> Response<Answer> {
    let mut response = Response::new(Answer::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn set(response: &mut Response<Answer>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
