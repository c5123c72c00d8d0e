use std::mem;

use super::EventId;

/// An event is not longer than this.
const FRAME_BYTES_MAX: usize = 16 << 20;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct Frame {
    /// None for frames that concern one stream alone.
    pub(in crate::client) id: Option<EventId>,
    pub(in crate::client) event_type: String,
    /// A JSON object.
    pub(in crate::client) data: String,
}

/// An event is longer than [`FRAME_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes of an event stream to frames, as the HTML standard reads them. Cut anywhere, the bytes give the same frames.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// Up to here `bytes` hold no line end.
    searched: usize,
    id: Option<EventId>,
    event_type: String,
    data: Option<String>,
}

impl Decoder {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame; none until more bytes come.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, TooLong> {
        while let Some(line) = self.line() {
            if let Some(frame) = self.take(&line) {
                return Ok(Some(frame));
            }
        }
        let held = self.bytes.len() + self.data.as_ref().map_or(0, String::len);
        if held > FRAME_BYTES_MAX { Err(TooLong) } else { Ok(None) }
    }

    /// The next line without its end, which is a line feed, with or without a carriage return before it.
    fn line(&mut self) -> Option<String> {
        let Some(length) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + length;
        self.searched = 0;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line).into_owned())
    }

    /// An empty line ends a frame; a frame without data is none.
    fn take(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let (id, event_type) = (self.id.take(), mem::take(&mut self.event_type));
            return self.data.take().map(|data| Frame { id, event_type, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.id = value.trim().parse().ok().map(EventId),
            "event" => self.event_type = value.to_owned(),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments, and fields that have no meaning here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Decoder, EventId, FRAME_BYTES_MAX, Frame, TooLong};

    const STREAM: &str = ":\n\nid: 7\nevent: a\ndata: {\"x\":1}\n\nevent:b\r\ndata: one\r\ndata:  two\r\n\r\nevent: no-data\n\nretry: 5\nid: nonsense\ndata\n\nevent: cut";

    fn frames(decoder: &mut Decoder) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    #[test]
    fn frames_are_what_the_standard_says() {
        let mut decoder = Decoder::default();
        decoder.push(STREAM.as_bytes());
        let frame = |id: Option<u64>, event_type: &str, data: &str| Frame {
            id: id.map(EventId),
            event_type: event_type.to_owned(),
            data: data.to_owned(),
        };
        let expected = [frame(Some(7), "a", "{\"x\":1}"), frame(None, "b", "one\n two"), frame(None, "", "")];
        assert_eq!(frames(&mut decoder), expected);
    }

    #[test]
    fn an_endless_frame_is_an_error() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: ");
        decoder.push(&vec![b'x'; FRAME_BYTES_MAX]);
        assert_eq!(decoder.next(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(cuts in proptest::collection::vec(1usize..20, 1..60)) {
            let mut whole = Decoder::default();
            whole.push(STREAM.as_bytes());
            let mut pieces = Decoder::default();
            let (mut rest, mut seen) = (STREAM.as_bytes(), Vec::new());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                seen.extend(frames(&mut pieces));
                rest = tail;
            }
            prop_assert_eq!(seen, frames(&mut whole));
        }
    }
}
