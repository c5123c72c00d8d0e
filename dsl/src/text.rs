//! A string of a configuration that knows where in the files each part of it was written.

use std::fmt;
use std::sync::Arc;

use crate::source::Span;

/// How many pieces an origin keeps; a text put together from more knows only where the first ones were.
const PIECES_LIMIT: usize = 64;

/// A part of a text that was written in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The first byte of the text it covers, up to the next piece.
    pub(crate) at: u32,
    /// Where it was written, byte by byte.
    pub(crate) span: Option<Span>,
}

/// A string and its origin. Cheap to clone; equal when the characters are.
#[derive(Clone)]
pub struct Text {
    text: Arc<str>,
    pieces: Option<Arc<[Piece]>>,
}

impl Text {
    /// A text that was written in pieces.
    pub(crate) fn written(text: &str, pieces: &[Piece]) -> Self {
        let kept = &pieces[..pieces.len().min(PIECES_LIMIT)];
        Self { text: text.into(), pieces: if kept.is_empty() { None } else { Some(kept.into()) } }
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the bytes `start..end` were written, as far as that is known.
    pub(crate) fn span_of(&self, start: usize, end: usize) -> Option<Span> {
        let pieces = self.pieces.as_deref()?;
        let index = pieces.partition_point(|piece| piece.at as usize <= start).checked_sub(1)?;
        let piece = pieces.get(index)?;
        let span = piece.span?;
        let first = (span.start + (start - piece.at as usize) as u32).min(span.end);
        let last = (first + (end - start) as u32).min(span.end);
        Some(Span { file: span.file, start: first, end: last.max(first) })
    }

    /// Where the first occurrence of `part` was written.
    pub(crate) fn span_of_part(&self, part: &str) -> Option<Span> {
        let start = self.text.find(part)?;
        self.span_of(start, start + part.len())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self { text: text.into(), pieces: None }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text: text.into(), pieces: None }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

/// Puts a text together and keeps where its parts were written.
#[derive(Default)]
pub(crate) struct TextBuilder {
    text: String,
    pieces: Vec<Piece>,
}

impl TextBuilder {
    pub(crate) fn push_text(&mut self, text: &Text) {
        self.push_range(text, 0, text.as_str().len());
    }

    /// Appends the bytes `start..end` of a text.
    pub(crate) fn push_range(&mut self, text: &Text, start: usize, end: usize) {
        let at = self.text.len() as u32;
        if let Some(pieces) = &text.pieces {
            let first = pieces.partition_point(|piece| piece.at as usize <= start).saturating_sub(1);
            for piece in pieces[first..].iter().take_while(|piece| (piece.at as usize) < end.max(start + 1)) {
                let cut = start.saturating_sub(piece.at as usize) as u32;
                let span = piece.span.map(|span| Span { start: (span.start + cut).min(span.end), ..span });
                self.piece(Piece { at: at + (piece.at as usize).saturating_sub(start) as u32, span });
            }
        } else {
            self.piece(Piece { at, span: None });
        }
        self.text.push_str(text.as_str().get(start..end).unwrap_or_default());
    }

    /// Appends text that stands for what is written at `span`.
    pub(crate) fn push_written(&mut self, text: &str, span: Option<Span>) {
        self.piece(Piece { at: self.text.len() as u32, span });
        self.text.push_str(text);
    }

    fn piece(&mut self, piece: Piece) {
        if self.pieces.len() < PIECES_LIMIT {
            self.pieces.push(piece);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn finish(self) -> Text {
        Text::written(&self.text, &self.pieces)
    }
}
