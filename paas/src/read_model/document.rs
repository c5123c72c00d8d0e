//! A document: references to rendered parts, copied on their way out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::hash::Hasher;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// So much is copied at a time: what is still in the processor's cache when a socket takes it.
const PIECE_BYTES: usize = 64 << 10;
/// After so many pieces it is somebody else's turn: a list of thousands of apps goes out between other answers, not before them.
const PIECES_PER_TURN: u8 = 4;

/// Parts in order. As a body it is copied while it is sent, a piece at a time; its length is known from the start.
#[derive(Debug, Default)]
pub struct Document {
    parts: VecDeque<Bytes>,
    /// Of all parts.
    length: usize,
    /// Pieces that were sent in this turn.
    pieces: u8,
}

impl Document {
    /// Appends text of ours.
    pub(super) fn text(&mut self, text: &'static str) {
        self.append(Bytes::from_static(text.as_bytes()));
    }

    /// Appends text that was made for this answer.
    pub(super) fn made(&mut self, text: String) {
        self.append(Bytes::from(text));
    }

    /// Appends a reference to a rendered part.
    pub(super) fn part(&mut self, part: &Bytes) {
        self.append(part.clone());
    }

    /// Appends rendered parts with commas in between.
    pub(super) fn list<'a>(&mut self, parts: impl Iterator<Item = &'a Bytes>) {
        self.separated(parts, |part, out| out.part(part));
    }

    /// Appends what `render` makes of each item, with commas in between.
    pub(super) fn separated<T>(&mut self, items: impl Iterator<Item = T>, render: impl Fn(T, &mut Self)) {
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.text(",");
            }
            render(item, self);
        }
    }

    /// Hands all bytes to `digest`.
    pub(super) fn digest(&self, digest: &mut impl Hasher) {
        self.parts.iter().for_each(|part| digest.write(part));
    }

    /// All of it.
    pub(super) fn whole(mut self) -> Bytes {
        self.take(self.length)
    }

    fn append(&mut self, part: Bytes) {
        self.length += part.len();
        self.parts.push_back(part);
    }

    /// The next bytes: so many, or all that there are.
    fn take(&mut self, bytes_max: usize) -> Bytes {
        let length = self.length.min(bytes_max);
        let mut taken = BytesMut::with_capacity(length);
        while let Some(part) = self.parts.front_mut().filter(|_| taken.len() < length) {
            taken.put(part.take(length - taken.len()));
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
        self.length -= length;
        taken.freeze()
    }
}

impl Body for Document {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let document = self.get_mut();
        if document.is_end_stream() {
            return Poll::Ready(None);
        }
        if document.pieces == PIECES_PER_TURN {
            document.pieces = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        document.pieces += 1;
        Poll::Ready(Some(Ok(Frame::data(document.take(PIECE_BYTES)))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn pieces_are_the_document_and_leave_turns_to_others() {
        let mut document = Document::default();
        let part = Bytes::from("0123456789".repeat(1_000));
        document.text("[");
        document.list(std::iter::repeat_n(&part, 40));
        document.made("x".repeat(2 * PIECE_BYTES));
        document.text("]");
        let list = vec![String::from_utf8(part.to_vec()).unwrap(); 40].join(",");
        let expected = format!("[{list}{}]", "x".repeat(2 * PIECE_BYTES));

        let mut context = Context::from_waker(Waker::noop());
        let (mut sent, mut turns) = (Vec::new(), vec![0]);
        loop {
            assert_eq!(document.size_hint().exact(), Some((expected.len() - sent.len()) as u64));
            match Pin::new(&mut document).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    sent.extend_from_slice(&frame.into_data().unwrap());
                    *turns.last_mut().unwrap() += 1;
                }
                Poll::Pending => turns.push(0),
                Poll::Ready(None) => break,
            }
        }
        assert!(sent == expected.as_bytes());
        assert_eq!(turns, [4, 4, 1]);
        assert!(document.is_end_stream());
    }

    #[test]
    fn a_digest_is_that_of_the_bytes_however_they_are_parted() {
        let digest = |parts: &[&'static str]| {
            let mut document = Document::default();
            parts.iter().for_each(|part| document.text(part));
            let mut digest = std::hash::DefaultHasher::new();
            document.digest(&mut digest);
            (digest.finish(), document.whole())
        };
        assert_eq!(digest(&["one", "", " document"]), digest(&["one document"]));
    }
}
