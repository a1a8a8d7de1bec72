//! The body of a component's answer, which drives the instance that writes it.

use super::run::Run;
use super::{Failure, Ticket};
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime_wasi_http::WasiBody;

/// Pieces and bytes that are gathered before the head goes out: a short answer is sent in one write with its length.
const GATHER_PIECES: usize = 16;
const GATHER_BYTES: usize = 64 << 10;

/// Body of an answer.
pub enum Answer {
    /// All of it, at once.
    Whole(Option<Bytes>),
    /// As the instance writes it.
    Flowing(Box<Flowing>),
}

/// A body that is still being written. A trap breaks it off: the client sees a broken connection, never a short body.
pub struct Flowing {
    ready: VecDeque<Frame<Bytes>>,
    body: WasiBody,
    run: Run,
    ticket: Arc<Ticket>,
    ended: bool,
}

impl Answer {
    pub(super) fn flowing(body: WasiBody, run: Run, ticket: Arc<Ticket>) -> Flowing {
        Flowing { ready: VecDeque::new(), body, run, ticket, ended: false }
    }

    /// A body that the host made.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Answer::Whole(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }
}

impl Flowing {
    /// Takes what is there without waiting. What fails here fails before the head is sent.
    pub(super) async fn settle(mut self) -> Result<Answer, Failure> {
        poll_fn(|cx| Poll::Ready(self.gather(cx))).await?;
        if !self.ended || self.ready.iter().any(Frame::is_trailers) {
            return Ok(Answer::Flowing(Box::new(self)));
        }
        let mut pieces =
            std::mem::take(&mut self.ready).into_iter().filter_map(|f| f.into_data().ok());
        let first = pieces.next().unwrap_or_default();
        let Some(second) = pieces.next() else { return Ok(Answer::whole(first)) };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        pieces.for_each(|piece| whole.extend_from_slice(&piece));
        Ok(Answer::whole(whole))
    }

    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        let mut bytes = 0;
        while !self.ended && self.ready.len() < GATHER_PIECES && bytes < GATHER_BYTES {
            match self.poll_piece(cx)? {
                Poll::Ready(Some(Ok(frame))) => {
                    bytes += frame.data_ref().map_or(0, Bytes::len);
                    self.ready.push_back(frame);
                }
                Poll::Ready(Some(Err(error))) => {
                    return Err(Failure::ErrorCode(wasmtime::Error::msg(error.to_string())));
                }
                Poll::Ready(None) => break,
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Lets the instance work, then takes what it wrote. The outer error is the instance's.
    #[expect(
        clippy::type_complexity,
        reason = "the poll of a body inside the result of its writer"
    )]
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>>, Failure> {
        if let Poll::Ready(Err(failure)) = self.run.poll(cx) {
            return Err(failure);
        }
        let piece = Pin::new(&mut self.body).poll_frame(cx);
        match &piece {
            Poll::Ready(Some(Ok(_))) => self.ticket.progress(),
            Poll::Ready(_) => self.end(cx)?,
            Poll::Pending => {}
        }
        Ok(piece)
    }

    /// The body is over; the instance often is, too, and goes back to the pool right here.
    fn end(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        self.ended = true;
        self.ticket.answer_over();
        match self.run.poll(cx) {
            Poll::Ready(Err(failure)) => Err(failure),
            _ => Ok(()),
        }
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        self.ticket.answer_over();
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let flowing = match self.get_mut() {
            Answer::Whole(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Answer::Flowing(flowing) => flowing,
        };
        if let Some(frame) = flowing.ready.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if flowing.ended {
            return Poll::Ready(None);
        }
        match flowing.poll_piece(cx) {
            Ok(piece) => piece.map_err(Into::into),
            Err(failure) => Poll::Ready(Some(Err(failure.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(bytes) => bytes.is_none(),
            Answer::Flowing(flowing) => flowing.ended && flowing.ready.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Answer::Flowing(flowing) => {
                let rest = flowing.body.size_hint().exact();
                let ready: usize =
                    flowing.ready.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
                rest.map_or_else(SizeHint::default, |rest| {
                    SizeHint::with_exact(rest + ready as u64)
                })
            }
        }
    }
}
