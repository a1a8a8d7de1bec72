//! A request's body on its way to a component: counted, timed, and an answer in itself when it breaks a limit.

use crate::pool::{BodyFault, Ticket};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// A body with a limit of bytes and a limit of time between two pieces.
pub(super) struct Limited {
    incoming: Incoming,
    ticket: Arc<Ticket>,
    limit: u64,
    left: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Limited {
    pub(super) fn new(
        incoming: Incoming,
        ticket: Arc<Ticket>,
        limit: u64,
        pause: Duration,
    ) -> Self {
        Self { incoming, ticket, limit, left: limit, pause, sleep: None }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let pause = self.pause;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
        sleep.as_mut().poll(cx).map(|()| {
            self.ticket.body_fault(BodyFault::Stalled);
            Error::ConnectionReadTimeout
        })
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        self.ticket.progress();
        if let Some(sleep) = &mut self.sleep {
            sleep.as_mut().reset(Instant::now() + self.pause);
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => {
                self.ticket.body_fault(BodyFault::TooLarge);
                return Err(Error::HttpRequestBodySize(Some(self.limit)));
            }
        }
        Ok(frame)
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
        match Pin::new(&mut body.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(body.take(frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Error::Hyper(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => body.poll_stalled(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
