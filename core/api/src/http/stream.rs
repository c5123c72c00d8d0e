//! The body of an event stream: a queue between a producer that never waits and a reader that may stall.
//!
//! The producer pushes whole records; the reader gets each as one frame, which HTTP/1.1 sends as one chunk. Pending bytes and the
//! time since the reader last took something are limited. Past a limit the stream is cut: its queue is freed, its owner is
//! told, the connection (when it is this stream's own) closed. Nobody else notices.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::Connection;

/// What one stream may hold for a reader that does not read.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Pending bytes. A single record larger than this still passes through an empty queue.
    pub max_pending_bytes: usize,
    /// How long records may be pending while the reader takes none.
    pub max_stall: Duration,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The producer finished it.
    Finished,
    /// The reader went away.
    ReaderGone,
    /// The reader left too many bytes unread.
    TooManyPending,
    /// The reader took nothing for too long.
    Stalled,
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            StreamEnd::Finished => "finished",
            StreamEnd::ReaderGone => "the reader closed the connection",
            StreamEnd::TooManyPending => "the reader does not keep up: too many bytes are pending",
            StreamEnd::Stalled => "the reader has taken nothing for too long",
        })
    }
}

/// The stream has ended; the record was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream has ended: {0}")]
pub struct StreamEnded(pub StreamEnd);

type EndHook = Box<dyn FnOnce(StreamEnd) + Send>;

/// The producer's half. Clones feed the same stream; dropping them does not end it, [`StreamSender::finish`] does.
#[derive(Clone)]
pub struct StreamSender(Arc<Shared>);

/// The reader's half: the body of the response. Dropping it ends the stream.
pub struct StreamBody(Arc<Shared>);

struct Shared {
    limits: StreamLimits,
    connection: Option<Connection>,
    state: Mutex<State>,
}

struct State {
    pending: VecDeque<Bytes>,
    pending_bytes: usize,
    /// When the reader last took a record, or the first record was pushed into an empty queue.
    progress: Instant,
    reader: Option<Waker>,
    end: Option<StreamEnd>,
    on_end: Option<EndHook>,
}

/// Makes a stream. `on_end` is called exactly once, from whichever side ends it; it must not block. `connection` is
/// closed when the stream is cut.
pub fn channel(
    limits: StreamLimits,
    connection: Option<Connection>,
    on_end: impl FnOnce(StreamEnd) + Send + 'static,
) -> (StreamSender, StreamBody) {
    let state = State {
        pending: VecDeque::new(),
        pending_bytes: 0,
        progress: Instant::now(),
        reader: None,
        end: None,
        on_end: Some(Box::new(on_end)),
    };
    let shared = Arc::new(Shared { limits, connection, state: Mutex::new(state) });
    (StreamSender(shared.clone()), StreamBody(shared))
}

impl StreamSender {
    /// Queues one record; never waits. Fails once the stream has ended, also when this very record was too much.
    pub fn send(&self, record: Bytes) -> Result<(), StreamEnded> {
        let mut state = self.0.lock();
        if let Some(end) = state.end {
            return Err(StreamEnded(end));
        }
        if state.pending.is_empty() {
            state.progress = Instant::now();
        } else if state.pending_bytes + record.len() > self.0.limits.max_pending_bytes {
            return Err(self.0.cut(state, StreamEnd::TooManyPending));
        } else if state.progress.elapsed() > self.0.limits.max_stall {
            return Err(self.0.cut(state, StreamEnd::Stalled));
        }
        state.pending_bytes += record.len();
        state.pending.push_back(record);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Ok(())
    }

    /// Ends the stream after what is pending.
    pub fn finish(&self) {
        let mut state = self.0.lock();
        let hook = state.finish(StreamEnd::Finished);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        if let Some(hook) = hook {
            hook(StreamEnd::Finished);
        }
    }

    /// Bytes that the reader has not taken yet.
    pub fn pending_bytes(&self) -> usize {
        self.0.lock().pending_bytes
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and each change leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, mut state: MutexGuard<'_, State>, end: StreamEnd) -> StreamEnded {
        let pending_bytes = state.pending_bytes;
        let hook = state.finish(end);
        state.pending.clear();
        state.pending_bytes = 0;
        let reader = state.reader.take();
        drop(state);
        tracing::warn!(pending_bytes, reason = %end, "event stream cut");
        wake(reader);
        if let Some(connection) = &self.connection {
            connection.abort();
        }
        if let Some(hook) = hook {
            hook(end);
        }
        StreamEnded(end)
    }
}

impl State {
    /// Notes the end; the hook, when this is the first one.
    fn finish(&mut self, end: StreamEnd) -> Option<EndHook> {
        if self.end.is_none() {
            self.end = Some(end);
        }
        self.on_end.take()
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = StreamEnded;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamEnded>>> {
        let mut state = self.0.lock();
        if let Some(record) = state.pending.pop_front() {
            state.pending_bytes -= record.len();
            state.progress = Instant::now();
            return Poll::Ready(Some(Ok(Frame::data(record))));
        }
        match state.end {
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Some(StreamEnd::Finished | StreamEnd::ReaderGone) => Poll::Ready(None),
            // An error, so that the reader can tell a cut stream from a finished one.
            Some(end @ (StreamEnd::TooManyPending | StreamEnd::Stalled)) => Poll::Ready(Some(Err(StreamEnded(end)))),
        }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let hook = state.finish(StreamEnd::ReaderGone);
        state.pending.clear();
        state.pending_bytes = 0;
        drop(state);
        if let Some(hook) = hook {
            hook(StreamEnd::ReaderGone);
        }
    }
}
