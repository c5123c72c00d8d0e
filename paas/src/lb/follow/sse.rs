//! The text of an event stream, cut into events.

/// An event may be so large; a definition with all its labels is far smaller.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// The `id:` line; empty without one.
    pub(super) id: String,
    /// The `event:` line.
    pub(super) event_type: String,
    /// The `data:` lines.
    pub(super) data: String,
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// The beginning of a line.
    line: Vec<u8>,
    frame: Frame,
    /// Of the frame.
    bytes: usize,
}

/// An event without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event stream has an event of more than {EVENT_BYTES_MAX} bytes")]
pub(super) struct TooLarge;

impl Parser {
    /// Takes in a piece of the stream; the events that it completes are added to `out`.
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<Frame>) -> Result<(), TooLarge> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (rest_of_line, rest) = piece.split_at(end);
            piece = &rest[1..];
            self.grow(rest_of_line)?;
            let line = std::mem::take(&mut self.line);
            self.take_line(line.strip_suffix(b"\r").unwrap_or(&line), out);
        }
        self.grow(piece)
    }

    fn grow(&mut self, piece: &[u8]) -> Result<(), TooLarge> {
        self.bytes += piece.len();
        if self.bytes > EVENT_BYTES_MAX {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<Frame>) {
        if line.is_empty() {
            self.bytes = 0;
            let frame = std::mem::take(&mut self.frame);
            // Without data it is a comment to keep the connection alive.
            if !frame.data.is_empty() {
                out.push(frame);
            }
            return;
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => value.clone_into(&mut self.frame.id),
            "event" => value.clone_into(&mut self.frame.event_type),
            "data" => {
                if !self.frame.data.is_empty() {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str =
        ":\n\nid: 7\nevent: a\ndata: {\"x\":1}\n\nevent: b\r\ndata: one\r\ndata: two\r\n\r\nid: 8\n\n: c\n\n";

    fn frame(id: &str, event_type: &str, data: &str) -> Frame {
        Frame { id: id.into(), event_type: event_type.into(), data: data.into() }
    }

    proptest! {
        #[test]
        fn pieces_make_the_same_events_wherever_they_are_cut(mut cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            cuts.sort_unstable();
            let (mut parser, mut frames, mut from) = (Parser::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                parser.push(&STREAM.as_bytes()[from..cut], &mut frames).unwrap();
                from = cut;
            }
            prop_assert_eq!(frames, vec![frame("7", "a", "{\"x\":1}"), frame("", "b", "one\ntwo")]);
        }
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX];
        assert_eq!(parser.push(&piece, &mut Vec::new()), Ok(()));
        assert_eq!(parser.push(b"x", &mut Vec::new()), Err(TooLarge));
    }
}
