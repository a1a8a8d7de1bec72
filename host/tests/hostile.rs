//! Components that misbehave: each fails its own request with a clear answer, and nobody else's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Host, probe, problem, raw, settings};
use std::time::{Duration, Instant};

/// A host with 64 MiB and two seconds for each request.
async fn strict() -> Host {
    let mut settings = settings();
    settings.instance.memory = 64 << 20;
    settings.instance.deadline = Duration::from_secs(2);
    Host::start(&probe(""), settings).await
}

/// While `misbehave` runs, others are served as if nothing were; afterwards, too.
async fn others_go_on(host: &Host, misbehave: impl Future<Output = ()>) {
    let others = async {
        let mut answers = 0;
        let until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < until || answers < 20 {
            assert_eq!(host.get("/hello").await, (200, "hello".into()));
            answers += 1;
        }
    };
    tokio::join!(misbehave, others, host.get("/sleep?200"));
    assert_eq!(host.get("/hello").await, (200, "hello".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_bomb_fails_its_own_request() {
    let host = strict().await;
    others_go_on(&host, async {
        let response = host.client.get(host.url("/memory?1024")).send().await.unwrap();
        assert_eq!(response.status(), 500);
        let problem = problem(response).await;
        assert_eq!(problem["code"], "internal");
        assert!(problem["detail"].as_str().unwrap().contains("64 MiB"), "{problem}");
    })
    .await;
    assert_eq!(
        host.metric("holdfast_failures_total{component=\"probe\",reason=\"memory\"}").await,
        1
    );
    assert_eq!(host.get("/memory?32").await, (200, (32_usize << 20).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_ends_at_the_deadline() {
    let host = strict().await;
    others_go_on(&host, async {
        let started = Instant::now();
        let response = host.client.get(host.url("/loop")).send().await.unwrap();
        let took = started.elapsed();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(problem(response).await["code"], "unavailable");
        assert!(took > Duration::from_millis(1900) && took < Duration::from_secs(10), "{took:?}");
    })
    .await;
    assert_eq!(
        host.metric("holdfast_failures_total{component=\"probe\",reason=\"deadline\"}").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_without_end_ends_at_the_deadline() {
    let host = strict().await;
    let response = host.client.get(host.url("/sleep?60000")).send().await.unwrap();
    assert_eq!(response.status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_stopped_says_that_its_outcome_is_unknown() {
    let host = strict().await;
    let response = host.client.post(host.url("/sleep?60000")).send().await.unwrap();
    let stopped = problem(response).await;
    assert_eq!(
        (&stopped["code"], &stopped["outcome"]),
        (&"outcome_unknown".into(), &"unknown".into())
    );
    let response = host.client.post(host.url("/panic")).send().await.unwrap();
    assert_eq!(problem(response).await["outcome"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_before_the_answer_is_500() {
    let host = strict().await;
    others_go_on(&host, async {
        let response = host.client.get(host.url("/panic")).send().await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(problem(response).await["code"], "internal");
    })
    .await;
    assert_eq!(
        host.metric("holdfast_failures_total{component=\"probe\",reason=\"trap\"}").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_within_the_body_breaks_the_connection_off() {
    let host = strict().await;
    others_go_on(&host, async {
        let request = "GET /panic-in-body?3 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let (text, _) = raw(host.address, request).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("xxxxxxxx"), "some of the body came");
        assert!(!text.ends_with("0\r\n\r\n"), "the body must not look whole");
        let broken =
            host.client.get(host.url("/panic-in-body?3")).send().await.unwrap().bytes().await;
        assert!(broken.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_within_the_body_breaks_the_connection_off() {
    let host = strict().await;
    others_go_on(&host, async {
        let broken =
            host.client.get(host.url("/loop-in-body?2")).send().await.unwrap().bytes().await;
        assert!(broken.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panics_fail_nobody_elses_request_in_flight() {
    let host = strict().await;
    let innocent = (0..24).map(|_| host.get("/sleep?250"));
    let guilty = (0..24).map(|_| host.get("/panic"));
    let (innocent, guilty) =
        tokio::join!(futures::future::join_all(innocent), futures::future::join_all(guilty));
    assert!(innocent.iter().all(|answer| *answer == (200, "awake".into())));
    assert!(guilty.iter().all(|answer| answer.0 == 500));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_does_not_keep_an_instance() {
    let mut settings = settings();
    settings.instance.count = 1;
    let host = Host::start(&probe(""), settings).await;
    let gone =
        host.client.get(host.url("/sleep?300")).timeout(Duration::from_millis(50)).send().await;
    assert!(gone.unwrap_err().is_timeout());
    assert_eq!(host.get("/hello").await, (200, "hello".into()));
    let made = host.metric("holdfast_instances_made_total{component=\"probe\"}").await;
    assert_eq!(made, 1, "the work went on to its end and the instance was used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_queue_are_503_and_the_rest_is_served() {
    let mut settings = settings();
    settings.instance.count = 2;
    settings.instance.waiting = 2;
    let host = Host::start(&probe(""), settings).await;
    let calls = (0..8).map(|_| host.client.get(host.url("/sleep?300")).send());
    let answers = futures::future::join_all(calls).await;
    let mut statuses: Vec<u16> =
        answers.iter().map(|a| a.as_ref().unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 503, 503, 503, 503]);
    for answer in answers.into_iter().map(Result::unwrap).filter(|a| a.status() == 503) {
        assert_eq!(answer.headers()["retry-after"], "1");
        problem(answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_413_announced_or_not() {
    let mut settings = settings();
    settings.max_body = 100_000;
    let host = Host::start(&probe(""), settings).await;
    for path in ["/length", "/echo", "/hello"] {
        let announced = host.client.post(host.url(path)).body(vec![0; 100_001]);
        let response = announced.send().await.unwrap();
        assert_eq!(response.status(), 413, "{path}");
        assert_eq!(problem(response).await["code"], "too_large");
    }
    let pieces =
        futures::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 10_000])));
    let streamed = host.client.post(host.url("/length")).body(reqwest::Body::wrap_stream(pieces));
    let response = streamed.send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(problem(response).await["code"], "too_large");
    let fits = host.client.post(host.url("/length")).body(vec![0; 100_000]).send().await.unwrap();
    assert_eq!(fits.text().await.unwrap(), "100000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_coming_ends_its_request() {
    let mut settings = settings();
    settings.read_timeout = Duration::from_millis(100);
    let host = Host::start(&probe(""), settings).await;
    let request = "POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc";
    let (text, _) = raw(host.address, request).await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
}
