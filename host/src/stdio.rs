//! What components print becomes lines of the host's log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// A line longer than this is cut into several.
const MAX_LINE: usize = 8 << 10;

/// Which of the two streams.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Out,
    Err,
}

/// A component's stream.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    component: Arc<str>,
    kind: Kind,
    rest: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(component: Arc<str>, kind: Kind) -> Self {
        Self { component, kind, rest: Vec::new() }
    }

    fn emit(&mut self) {
        let line = String::from_utf8_lossy(&self.rest);
        if !line.trim().is_empty() {
            match self.kind {
                Kind::Out => {
                    tracing::info!(target: "guest", component = &*self.component, "{line}")
                }
                Kind::Err => {
                    tracing::warn!(target: "guest", component = &*self.component, "{line}")
                }
            }
        }
        self.rest.clear();
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let lines = self.get_mut();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) =
                piece.strip_suffix(b"\n").map_or((piece, false), |line| (line, true));
            lines.rest.extend_from_slice(line);
            if ends || lines.rest.len() >= MAX_LINE {
                lines.emit();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().emit();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.emit();
    }
}
