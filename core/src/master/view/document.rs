//! A JSON document put together from fragments, and sent piece by piece.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{self, PiecesBody};

/// A part of the text.
pub(in crate::master) enum Piece {
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

impl body::Piece for Piece {
    fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.as_str().as_bytes());
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
    pub(in crate::master) fn finish(mut self, function: Option<&str>) -> PiecesBody<Piece> {
        while !self.open.is_empty() {
            self.close();
        }
        if let Some(function) = function {
            let call = format!("{function}(");
            self.len_bytes += call.len();
            self.pieces.insert(0, Piece::Text(call.into()));
            self.push(Piece::Punctuation(")"));
        }
        PiecesBody::new(self.pieces, Some(self.len_bytes), self.permit)
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
