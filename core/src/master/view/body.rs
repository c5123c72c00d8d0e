//! The body of a response that is written piece by piece while it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// How much is written at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A part of a body.
pub(in crate::master) trait Piece {
    /// Writes it.
    fn write(&self, out: &mut BytesMut);
}

/// Pieces, one after the other.
pub(in crate::master) struct PiecesBody<P> {
    pieces: vec::IntoIter<P>,
    /// `None` when it is known only once it is written.
    left_bytes: Option<usize>,
    breath: Breath,
    /// Held until the last byte is on its way.
    _permit: Option<OwnedSemaphorePermit>,
}

impl<P> PiecesBody<P> {
    /// The body of these pieces.
    pub(super) fn new(pieces: Vec<P>, len_bytes: Option<usize>, permit: Option<OwnedSemaphorePermit>) -> Self {
        let breath = Breath::default();
        Self { pieces: pieces.into_iter(), left_bytes: len_bytes, breath, _permit: permit }
    }
}

/// A pause between any two frames of a body, in which others get their turn: a reader that takes all it can get would otherwise hold the
/// thread for as long as its socket takes more.
#[derive(Debug, Default)]
struct Breath {
    due: bool,
}

impl Breath {
    /// Whether others come first now.
    fn is_due(&mut self, context: &Context<'_>) -> bool {
        self.due = !self.due;
        if !self.due {
            context.waker().wake_by_ref();
        }
        !self.due
    }
}

impl<P: Piece + Unpin> Body for PiecesBody<P> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.breath.is_due(context) {
            return Poll::Pending;
        }
        let room = PIECE_BYTES + PIECE_BYTES / 4;
        let mut buffer = BytesMut::with_capacity(self.left_bytes.map_or(room, |left| left.min(room)));
        while buffer.len() < PIECE_BYTES {
            match self.pieces.next() {
                Some(piece) => piece.write(&mut buffer),
                None => break,
            }
        }
        self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(buffer.len()));
        Poll::Ready((!buffer.is_empty()).then(|| Ok(Frame::data(buffer.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left_bytes.map_or_else(SizeHint::default, |left| SizeHint::with_exact(left as u64))
    }
}
