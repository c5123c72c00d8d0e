//! Request bodies that end: limited in size and in time.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::{BoxError, Limits};

/// Why a body could not be read. The text is for the client; [`BodyError::status`] is what to answer.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More bytes than [`Limits::max_body_bytes`].
    #[error("The request body is larger than {limit_bytes} bytes, the most that is accepted here")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// Not complete after [`Limits::body_timeout`].
    #[error("The request body did not arrive within {} seconds", limit.as_secs_f64())]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// The client broke off, or its framing is wrong.
    #[error("The request body could not be read to its end")]
    Broken(#[source] BoxError),
}

impl BodyError {
    /// 413, 408 or 400.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Found in a request's extensions: lifts the limits from its body, for a handler that reads a stream piece by piece.
#[derive(Debug, Clone, Default)]
pub struct BodyPatience(Arc<AtomicBool>);

impl BodyPatience {
    /// From now on the body may take any time, and be of any size.
    pub fn lift(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_lifted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request's body as the server hands it to its service: an [`Incoming`] that fails with a [`BodyError`] when it
/// grows too large or takes too long.
pub struct RequestBody {
    inner: Incoming,
    left_bytes: usize,
    limits: Limits,
    patience: BodyPatience,
    /// Made when the body is first found incomplete: most requests come in one read.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, limits: Limits, patience: BodyPatience) -> RequestBody {
        RequestBody { inner, left_bytes: limits.max_body_bytes, limits, patience, deadline: None }
    }

    fn poll_inner(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.patience.is_lifted() && self.inner.size_hint().lower() > self.left_bytes as u64 {
            return Poll::Ready(Some(Err(self.too_large())));
        }
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error.into())))),
            Some(Ok(frame)) => frame,
        };
        let len = frame.data_ref().map_or(0, Bytes::len);
        if self.patience.is_lifted() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match self.left_bytes.checked_sub(len) {
            Some(left) => {
                self.left_bytes = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(self.too_large()))),
        }
    }

    fn too_large(&self) -> BodyError {
        BodyError::TooLarge { limit_bytes: self.limits.max_body_bytes }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let ready = self.poll_inner(context);
        if ready.is_ready() || self.patience.is_lifted() {
            return ready;
        }
        let limit = self.limits.body_timeout;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::TooSlow { limit })))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Reads a body to its end. Works through wrappers (axum's `Body`): a [`BodyError`] is found wherever it is wrapped.
pub async fn read_body<B>(body: B) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(unwrapped(error.into())),
    }
}

fn unwrapped(error: BoxError) -> BodyError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error.as_ref());
    while let Some(current) = cause {
        match current.downcast_ref() {
            Some(BodyError::TooLarge { limit_bytes }) => return BodyError::TooLarge { limit_bytes: *limit_bytes },
            Some(BodyError::TooSlow { limit }) => return BodyError::TooSlow { limit: *limit },
            Some(BodyError::Broken(_)) => break,
            None => cause = current.source(),
        }
    }
    BodyError::Broken(error)
}
