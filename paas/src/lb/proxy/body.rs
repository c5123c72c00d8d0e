//! Bodies on their way through.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Sleep;

use super::upstream::{Permit, Upstream};
use crate::lb::traffic::{AppTraffic, OpenRequest};

/// A client that sends nothing of its body for so long is given up.
const CLIENT_SILENCE_MAX: Duration = Duration::from_secs(30);

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the other side's body broke off")]
    Broken(#[from] hyper::Error),
    #[error("the client sent nothing for {} seconds", CLIENT_SILENCE_MAX.as_secs())]
    Slow,
}

/// What goes to a backend.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// Nothing.
    Empty,
    /// What the client sends.
    Client(Box<ClientBody>),
}

/// The body of a client's request.
#[derive(Debug)]
pub(super) struct ClientBody {
    incoming: Incoming,
    /// Runs while the client is waited for.
    silence: Option<Pin<Box<Sleep>>>,
    traffic: Arc<AppTraffic>,
    /// The upstream that it goes to.
    upstream: Option<Arc<Upstream>>,
}

impl RequestBody {
    pub(super) fn of(incoming: Incoming, traffic: &Arc<AppTraffic>) -> Self {
        if incoming.is_end_stream() {
            return Self::Empty;
        }
        let traffic = Arc::clone(traffic);
        Self::Client(Box::new(ClientBody { incoming, silence: None, traffic, upstream: None }))
    }

    /// Bytes are counted for this upstream from now on.
    pub(super) fn goes_to(&mut self, to: &Arc<Upstream>) {
        match self {
            Self::Empty => {}
            Self::Client(body) => body.upstream = Some(Arc::clone(to)),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(body) => body.incoming.size_hint(),
        }
    }
}

impl ClientBody {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                self.silence = None;
                if let Some(Ok(frame)) = &frame {
                    let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                    self.traffic.bytes_in.fetch_add(bytes, Ordering::Relaxed);
                    if let Some(upstream) = &self.upstream {
                        upstream.count.bytes_in.fetch_add(bytes, Ordering::Relaxed);
                    }
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
            Poll::Pending => {
                let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(CLIENT_SILENCE_MAX)));
                silence.as_mut().poll(context).map(|()| Some(Err(BodyError::Slow)))
            }
        }
    }
}

/// What goes to a client.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// A text of ours.
    Text(Option<Bytes>),
    /// What a backend sends.
    Backend(Box<BackendBody>),
}

/// The body of a backend's response. While it exists its request is in progress.
#[derive(Debug)]
pub(super) struct BackendBody {
    incoming: Incoming,
    stage: Stage,
    /// Goes back to the upstream when the body has ended.
    sender: Option<SendRequest<RequestBody>>,
    permit: Permit,
    request: OpenRequest,
}

/// How far a body was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Ended,
}

impl ResponseBody {
    pub(super) fn of(
        incoming: Incoming,
        sender: SendRequest<RequestBody>,
        permit: Permit,
        request: OpenRequest,
    ) -> Self {
        Self::Backend(Box::new(BackendBody { incoming, stage: Stage::Open, sender: Some(sender), permit, request }))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Backend(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Backend(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Backend(body) => body.incoming.size_hint(),
        }
    }
}

impl BackendBody {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.incoming).poll_frame(context).map(|frame| {
            match &frame {
                None => self.stage = Stage::Ended,
                Some(Ok(frame)) => {
                    let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                    self.request.traffic().bytes_out.fetch_add(bytes, Ordering::Relaxed);
                    self.permit.upstream().count.bytes_out.fetch_add(bytes, Ordering::Relaxed);
                }
                Some(Err(_)) => self.request.failed(),
            }
            frame.map(|frame| frame.map_err(BodyError::Broken))
        })
    }
}

impl Drop for BackendBody {
    /// A connection is used again only when its response was read to the end.
    fn drop(&mut self) {
        let ended = self.stage == Stage::Ended || self.incoming.is_end_stream();
        if let Some(sender) = self.sender.take().filter(|_| ended) {
            self.permit.upstream().keep(sender);
        }
    }
}
