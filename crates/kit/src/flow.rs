//! A body that is made while it is sent: whoever asks for it slowly makes it slowly, and it never lies in memory whole.

use bytes::Bytes;
use futures::Stream;
use holdfast_core::{Error, Result};
use http_body::{Body, Frame};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The pieces of a body.
pub(crate) struct Flow(Pin<Box<dyn Stream<Item = Result<Bytes>>>>);

impl Flow {
    pub(crate) fn new(pieces: impl Stream<Item = Result<Bytes>> + 'static) -> Self {
        Self(Box::pin(pieces))
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flow")
    }
}

/// The body of an answer: there already, or flowing.
#[derive(Debug)]
pub struct Reply(State);

#[derive(Debug)]
enum State {
    Whole(Option<Bytes>),
    Flowing(Flow),
}

impl Reply {
    pub(crate) fn of(flow: Option<Flow>, whole: Bytes) -> Self {
        match flow {
            Some(flow) => Self(State::Flowing(flow)),
            None => Self(State::Whole(Some(whole).filter(|bytes| !bytes.is_empty()))),
        }
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self(State::Whole(None))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.get_mut().0 {
            State::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            State::Flowing(flow) => {
                flow.0.as_mut().poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }
}
