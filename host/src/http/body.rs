//! A request's body on its way to a component: counted, timed, and an answer in itself when it breaks a limit.

use crate::pool::{BodyFault, Ticket};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

/// Bytes of a refused body that are read and dropped, so that its sender comes to read the answer.
const SPILL: u64 = 16 << 20;

/// A body with a limit of bytes and a limit of time between two pieces.
pub(crate) struct Limited {
    incoming: WasiBody,
    ticket: Arc<Ticket>,
    limit: u64,
    left: u64,
    /// Bytes beyond the limit that were read and dropped.
    spilled: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Nothing comes any more.
    ended: bool,
}

impl Limited {
    /// `incoming` with at most `limit` bytes, and at most `pause` between two pieces.
    pub(crate) fn body(
        incoming: WasiBody,
        ticket: Arc<Ticket>,
        limit: u64,
        pause: Duration,
    ) -> WasiBody {
        let (left, spilled, sleep, ended) = (limit, 0, None, false);
        Self { incoming, ticket, limit, left, spilled, pause, sleep, ended }.boxed_unsync()
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let pause = self.pause;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        sleep.as_mut().poll(cx).map(|()| {
            self.ticket.body_fault(BodyFault::Stalled);
            Error::ConnectionReadTimeout
        })
    }

    /// The piece, unless the body is too large with it: then none, and once enough was dropped, the error.
    fn take(&mut self, frame: Frame<Bytes>) -> Option<Result<Frame<Bytes>, Error>> {
        self.ticket.progress();
        if let Some(sleep) = &mut self.sleep {
            sleep.as_mut().reset(Instant::now() + self.pause);
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Some(Ok(frame))
            }
            None => {
                self.left = 0;
                self.spilled += length;
                (self.spilled > SPILL).then(|| Err(self.too_large()))
            }
        }
    }

    fn too_large(&self) -> Error {
        self.ticket.body_fault(BodyFault::TooLarge);
        Error::HttpRequestBodySize(Some(self.limit))
    }
}

/// Reads and drops a body that is refused, as far as [`SPILL`] and for so long: who still writes when the connection is
/// closed may never see the answer.
pub(super) async fn drop_whole(mut incoming: impl Body<Data = Bytes> + Unpin, time: Duration) {
    let mut dropped = 0;
    let read = async {
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            dropped += frame.data_ref().map_or(0, |data| data.len() as u64);
            if dropped > SPILL {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(time, read).await;
}

/// A component that answers before it has read everything: the rest is read and dropped beside the answer.
impl Drop for Limited {
    fn drop(&mut self) {
        if self.ended || self.incoming.is_end_stream() {
            return;
        }
        let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let rest = std::mem::replace(&mut self.incoming, nothing);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(drop_whole(rest, self.pause));
        }
    }
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let body = self.get_mut();
        loop {
            return match Pin::new(&mut body.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match body.take(frame) {
                    Some(taken) => Poll::Ready(Some(taken)),
                    None => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    body.ended = true;
                    Poll::Ready(Some(Err(error)))
                }
                Poll::Ready(None) => {
                    body.ended = true;
                    Poll::Ready((body.spilled > 0).then(|| Err(body.too_large())))
                }
                Poll::Pending => body.poll_stalled(cx).map(|error| Some(Err(error))),
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
