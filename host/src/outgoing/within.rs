//! Calls of one component to another of the same application (`http://ID.spin.internal`): in process, as part of the
//! request that the caller works for, without a second admission.

use crate::http::body::Limited;
use crate::http::guest;
use crate::pool::{Answer, Pool, Ticket};
use crate::settings::Settings;
use bytes::Bytes;
use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};
use wasmtime_wasi_http::{Error, Result, WasiBody};

/// The components of an application, for each other; there once all are loaded.
#[derive(Clone)]
pub struct Neighbours {
    pools: Arc<OnceLock<BTreeMap<String, Weak<Pool>>>>,
    max_body: u64,
    read_timeout: Duration,
}

type Piece = Result<Frame<Bytes>>;

impl Neighbours {
    /// Nobody yet.
    pub fn new(settings: &Settings) -> Self {
        let (max_body, read_timeout) = (settings.max_body, settings.read_timeout);
        Self { pools: Arc::default(), max_body, read_timeout }
    }

    /// All are loaded.
    pub fn are(&self, pools: &BTreeMap<String, Arc<Pool>>) {
        self.pools.get_or_init(|| {
            pools.iter().map(|(id, pool)| (id.clone(), Arc::downgrade(pool))).collect()
        });
    }

    /// The answer of the component `id`, which works for the request of `caller` meanwhile.
    pub(super) async fn send(
        &self,
        id: &str,
        request: http::Request<WasiBody>,
        caller: &Arc<Ticket>,
    ) -> Result<http::Response<WasiBody>> {
        let Some(pool) = self.pools.get().and_then(|pools| pools.get(id)?.upgrade()) else {
            tracing::warn!("outgoing request refused: no component {id:?} serves HTTP here");
            return Err(Error::DestinationNotFound);
        };
        let Some(ticket) = Ticket::within(caller) else {
            tracing::warn!(
                request_id = caller.request_id,
                "outgoing request refused: too many calls of components, one inside the other"
            );
            return Err(Error::LoopDetected);
        };
        let (ticket, max_body) = (Arc::new(ticket), self.max_body);
        let request = guest::within(request, &ticket.request_id);
        let request =
            request.map(|body| Limited::body(body, ticket.clone(), max_body, self.read_timeout));
        let (head, headed) = oneshot::channel();
        // A task of its own: one instance never runs inside another's, and work that has begun is not torn apart.
        tokio::spawn(async move {
            let started = Instant::now();
            let response = pool.answer(request, &ticket, max_body).await;
            pool.metrics.answered(response.status().as_u16(), started.elapsed());
            let (parts, body) = response.into_parts();
            let (pieces, flowing) = mpsc::channel(1);
            let flowing = StreamBody::new(flowing).boxed_unsync();
            if head.send(http::Response::from_parts(parts, flowing)).is_ok() {
                pour(body, pieces).await;
            }
        });
        headed.await.map_err(|_| Error::ConnectionTerminated)
    }
}

/// Hands the pieces of an answer on as they are taken, until its end or until nobody wants more.
async fn pour(mut body: Answer, mut pieces: mpsc::Sender<Piece>) {
    while let Some(piece) = body.frame().await {
        let piece = piece.map_err(|e| Error::InternalError(Some(e.to_string())));
        let broken = piece.is_err();
        if pieces.send(piece).await.is_err() || broken {
            return;
        }
    }
}
