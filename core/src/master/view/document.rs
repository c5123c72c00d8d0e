//! A JSON document put together from fragments, and sent piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// How much of a document is copied at a time.
const PIECE_BYTES: usize = 64 << 10;

enum Piece {
    Punctuation(&'static str),
    Text(Arc<str>),
}

impl Piece {
    fn as_str(&self) -> &str {
        match self {
            Piece::Punctuation(text) => text,
            Piece::Text(text) => text,
        }
    }
}

/// What a list or an object begins and ends with.
#[derive(Debug, Clone, Copy)]
enum Bracket {
    Square,
    Curly,
}

/// An object under construction. Fragments are shared with the read model; their bytes are copied when they are sent.
pub(in crate::master) struct Document {
    pieces: Vec<Piece>,
    len_bytes: usize,
    /// The open brackets, and whether something stands in each already.
    open: Vec<(Bracket, bool)>,
    /// Held until the last byte is on its way.
    permit: Option<OwnedSemaphorePermit>,
}

impl Document {
    /// `{`
    pub(in crate::master) fn new() -> Document {
        let mut document = Document { pieces: Vec::new(), len_bytes: 0, open: Vec::new(), permit: None };
        document.bracket(Bracket::Curly);
        document
    }

    /// An empty document of an admitted reader.
    pub(in crate::master) fn admitted(permit: OwnedSemaphorePermit) -> Document {
        Document { permit: Some(permit), ..Document::new() }
    }

    /// A document that is rendered already.
    pub(in crate::master) fn whole(text: impl Into<Arc<str>>) -> Document {
        let mut document = Document { pieces: Vec::new(), len_bytes: 0, open: Vec::new(), permit: None };
        document.push(Piece::Text(text.into()));
        document
    }

    /// Rendered members of the open object.
    pub(in crate::master) fn members(&mut self, members: String) {
        if !members.is_empty() {
            self.separate();
            self.push(Piece::Text(members.into()));
        }
    }

    /// A list as member of the open object; its elements follow.
    pub(in crate::master) fn open_list(&mut self, name: &str) {
        self.separate();
        self.push(Piece::Text(format!("\"{name}\":").into()));
        self.bracket(Bracket::Square);
    }

    /// An object as element of the open list; its members follow.
    pub(in crate::master) fn open_element(&mut self) {
        self.separate();
        self.bracket(Bracket::Curly);
    }

    /// A rendered element of the open list.
    pub(in crate::master) fn element(&mut self, element: Arc<str>) {
        self.separate();
        self.push(Piece::Text(element));
    }

    /// Closes what was opened last.
    pub(in crate::master) fn close(&mut self) {
        match self.open.pop() {
            Some((Bracket::Square, _)) => self.push(Piece::Punctuation("]")),
            Some((Bracket::Curly, _)) => self.push(Piece::Punctuation("}")),
            None => {}
        }
    }

    /// The whole document as a body of known length; as the argument of a call when a function is named (JSONP).
    pub(in crate::master) fn finish(mut self, function: Option<&str>) -> DocumentBody {
        while !self.open.is_empty() {
            self.close();
        }
        if let Some(function) = function {
            let call = format!("{function}(");
            self.len_bytes += call.len();
            self.pieces.insert(0, Piece::Text(call.into()));
            self.push(Piece::Punctuation(")"));
        }
        let breath = Breath::default();
        DocumentBody { left_bytes: self.len_bytes, pieces: self.pieces.into_iter(), breath, _permit: self.permit }
    }

    fn bracket(&mut self, bracket: Bracket) {
        self.push(Piece::Punctuation(match bracket {
            Bracket::Square => "[",
            Bracket::Curly => "{",
        }));
        self.open.push((bracket, false));
    }

    fn separate(&mut self) {
        if let Some((_, follows)) = self.open.last_mut()
            && std::mem::replace(follows, true)
        {
            self.push(Piece::Punctuation(","));
        }
    }

    fn push(&mut self, piece: Piece) {
        self.len_bytes += piece.as_str().len();
        self.pieces.push(piece);
    }
}

/// The bytes of a [`Document`].
pub(in crate::master) struct DocumentBody {
    left_bytes: usize,
    pieces: vec::IntoIter<Piece>,
    breath: Breath,
    _permit: Option<OwnedSemaphorePermit>,
}

/// A pause between any two pieces of a body, in which others get their turn: a reader that takes all it can get would otherwise hold the
/// thread for as long as its socket takes more.
#[derive(Debug, Default)]
pub(super) struct Breath {
    due: bool,
}

impl Breath {
    /// Whether others come first now.
    pub(super) fn is_due(&mut self, context: &Context<'_>) -> bool {
        self.due = !self.due;
        if !self.due {
            context.waker().wake_by_ref();
        }
        !self.due
    }
}

impl Body for DocumentBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.breath.is_due(context) {
            return Poll::Pending;
        }
        let mut buffer = BytesMut::with_capacity(self.left_bytes.min(PIECE_BYTES + PIECE_BYTES / 4));
        while buffer.len() < PIECE_BYTES {
            match self.pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece.as_str().as_bytes()),
                None => break,
            }
        }
        self.left_bytes -= buffer.len();
        Poll::Ready((!buffer.is_empty()).then(|| Ok(Frame::data(buffer.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes as u64)
    }
}
