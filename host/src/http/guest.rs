//! A request as a component gets it: a whole URI, and Spin's headers about the route that matched.

use super::service::Call;
use crate::app::Answerer;
use crate::route::Found;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use hyper::body::Incoming;

const PREFIX: &str = "spin-";

pub(super) fn request(call: Call, found: &Found<'_, Answerer>) -> http::Request<Incoming> {
    let Call { mut request, peer, host, ticket } = call;
    *request.uri_mut() = whole_uri(request.uri(), &host);
    let url = request.uri().to_string();
    let headers = request.headers_mut();
    forget_ours(headers);
    set(headers, "x-request-id", &ticket.request_id);
    set(headers, "spin-path-info", &found.rest);
    set(headers, "spin-full-url", &url);
    set(headers, "spin-matched-route", &found.route.pattern);
    set(headers, "spin-base-path", "/");
    set(headers, "spin-raw-component-route", &found.route.pattern);
    set(headers, "spin-component-route", &found.route.prefix);
    set(headers, "spin-client-addr", &peer.to_string());
    for (name, value) in &found.params {
        let name = HeaderName::try_from(format!("spin-path-match-{}", name.to_ascii_lowercase()));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    request
}

/// A request of one component to another: its headers as they were sent, and what Spin says of a route that matches all.
pub(crate) fn within<B>(mut request: http::Request<B>, request_id: &str) -> http::Request<B> {
    let url = request.uri().to_string();
    let path = request.uri().path().to_owned();
    let headers = request.headers_mut();
    forget_ours(headers);
    if !headers.contains_key("x-request-id") {
        set(headers, "x-request-id", request_id);
    }
    set(headers, "spin-path-info", &path);
    set(headers, "spin-full-url", &url);
    set(headers, "spin-matched-route", "/...");
    set(headers, "spin-base-path", "/");
    set(headers, "spin-raw-component-route", "/...");
    set(headers, "spin-component-route", "");
    request
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// `http://host/path?query`: handlers expect a scheme and an authority.
fn whole_uri(uri: &Uri, host: &HeaderValue) -> Uri {
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(host.as_bytes())
        .path_and_query(target)
        .build()
        .unwrap_or_else(|_| uri.clone())
}

/// Only the host may say what the host says.
fn forget_ours(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(PREFIX)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}
