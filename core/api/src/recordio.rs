//! RecordIO: how messages follow each other on a stream.
//!
//! A record is its length in decimal, a line feed, and as many bytes; nothing follows it. Where the chunks of the transport begin
//! and end means nothing. The same framing serves both directions.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// A length has at most as many digits; leading zeros count.
const LENGTH_DIGITS_MAX: usize = 20;

/// Frames one record, for a write of its own.
pub fn encode(record: &[u8]) -> Bytes {
    let length = record.len().to_string();
    let mut out = Vec::with_capacity(length.len() + 1 + record.len());
    out.extend_from_slice(length.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(record);
    out.into()
}

/// A stream that is not RecordIO, or exceeds the limit. Nothing after it can be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Where a length should be there is something else.
    #[error("expected the length of a record, found {0:?}")]
    Length(String),
    /// A record is empty, which no encoding of a message is.
    #[error("a record of no bytes")]
    Empty,
    /// A record is longer than the limit.
    #[error("a record of {length} bytes, more than the limit of {limit}")]
    TooLong {
        /// The length announced.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// The stream ended within a record.
    #[error("the stream ended within a record")]
    Torn,
}

/// Takes a stream apart into records, whatever its chunks.
///
/// It is either between the records, reading a length (`wanted` is `None`), or within one, waiting for `wanted` bytes. Once it has
/// failed it fails for good.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    pending: BytesMut,
    wanted: Option<usize>,
    failure: Option<RecordError>,
}

impl Decoder {
    /// A decoder for records of at most `limit` bytes. It holds no more than a record and a chunk if it is asked for
    /// records after every chunk.
    pub fn new(limit: usize) -> Self {
        Self { limit, pending: BytesMut::new(), wanted: None, failure: None }
    }

    /// Takes in what has come.
    pub fn push(&mut self, chunk: &[u8]) {
        if self.failure.is_none() {
            self.pending.extend_from_slice(chunk);
        }
    }

    /// The next whole record, or `None` until more has come.
    ///
    /// # Errors
    /// The stream is not RecordIO, or a record exceeds the limit.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, RecordError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.advance().inspect_err(|failure| {
            self.pending = BytesMut::new();
            self.failure = Some(failure.clone());
        })
    }

    /// To be asked when the stream has ended.
    ///
    /// # Errors
    /// [`RecordError::Torn`] when something is left over, or the failure of before.
    pub fn finish(self) -> Result<(), RecordError> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.pending.is_empty() && self.wanted.is_none() => Ok(()),
            None => Err(RecordError::Torn),
        }
    }

    fn advance(&mut self) -> Result<Option<Bytes>, RecordError> {
        let wanted = match self.wanted {
            Some(wanted) => wanted,
            None => match self.length()? {
                Some(length) => *self.wanted.insert(length),
                None => return Ok(None),
            },
        };
        if self.pending.len() < wanted {
            return Ok(None);
        }
        self.wanted = None;
        Ok(Some(self.pending.split_to(wanted).freeze()))
    }

    /// The length at the front, once its line feed is there.
    fn length(&mut self) -> Result<Option<usize>, RecordError> {
        let head = &self.pending[..self.pending.len().min(LENGTH_DIGITS_MAX + 1)];
        let digits = head.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Up to the first byte that is wrong, so that the error does not depend on how much more has come.
        let strange = || RecordError::Length(String::from_utf8_lossy(&head[..head.len().min(digits + 1)]).into_owned());
        match head.get(digits) {
            Some(b'\n') if digits > 0 => {}
            None if digits <= LENGTH_DIGITS_MAX => return Ok(None),
            Some(_) | None => return Err(strange()),
        }
        let text = std::str::from_utf8(&head[..digits]).map_err(|_| strange())?;
        let length: u64 = text.parse().map_err(|_| strange())?;
        self.pending.advance(digits + 1);
        match usize::try_from(length) {
            Ok(0) => Err(RecordError::Empty),
            Ok(length) if length <= self.limit => Ok(Some(length)),
            Ok(_) | Err(_) => Err(RecordError::TooLong { length, limit: self.limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `stream` in pieces of the given sizes (and the rest at once), and collects what comes out.
    fn decode(stream: &[u8], sizes: &[usize], limit: usize) -> (Vec<Bytes>, Result<(), RecordError>) {
        let mut decoder = Decoder::new(limit);
        let mut records = Vec::new();
        let mut rest = stream;
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            decoder.push(piece);
            loop {
                match decoder.next_record() {
                    Ok(Some(record)) => records.push(record),
                    Ok(None) => break,
                    Err(error) => return (records, Err(error)),
                }
            }
        }
        (records, decoder.finish())
    }

    #[test]
    fn frames_as_mesos_does() {
        assert_eq!(encode(br#"{"type":"HEARTBEAT"}"#), &b"20\n{\"type\":\"HEARTBEAT\"}"[..]);
    }

    #[test]
    fn refuses_what_is_not_recordio() {
        let cases: [(&[u8], RecordError); 9] = [
            (b"abc", RecordError::Length("a".into())),
            (b"\n{}", RecordError::Length("\n".into())),
            (b"-1\nx", RecordError::Length("-".into())),
            (b"2\r\n{}", RecordError::Length("2\r".into())),
            (b"111111111111111111111\n", RecordError::Length("111111111111111111111".into())),
            (b"99999999999999999999\n", RecordError::Length("99999999999999999999\n".into())),
            (b"0\n", RecordError::Empty),
            (b"11\n", RecordError::TooLong { length: 11, limit: 10 }),
            (b"18446744073709551615\n", RecordError::TooLong { length: u64::MAX, limit: 10 }),
        ];
        for (stream, expected) in cases {
            assert_eq!(decode(stream, &[], 10), (vec![], Err(expected)));
        }
    }

    #[test]
    fn tells_a_torn_end() {
        for stream in [&b"2\n{"[..], b"2\n", b"2"] {
            assert_eq!(decode(stream, &[], 10), (vec![], Err(RecordError::Torn)), "{stream:?}");
        }
        assert_eq!(decode(b"2\n{}1", &[], 10), (vec!["{}".into()], Err(RecordError::Torn)));
    }

    #[test]
    fn stays_failed() {
        let mut decoder = Decoder::new(10);
        decoder.push(b"x");
        let failure = decoder.next_record().unwrap_err();
        decoder.push(b"2\n{}");
        assert_eq!(decoder.next_record(), Err(failure.clone()));
        assert_eq!(decoder.finish(), Err(failure));
    }

    proptest! {
        #[test]
        fn gives_back_what_was_framed_however_it_is_torn(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            sizes in prop::collection::vec(0usize..50, 0..100),
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|record| encode(record)).collect();
            let (found, end) = decode(&stream, &sizes, 300);
            prop_assert_eq!(found, records);
            prop_assert_eq!(end, Ok(()));
        }

        #[test]
        fn is_torn_alike_by_any_bytes(
            stream in prop::collection::vec(prop_oneof![any::<u8>(), b'0'..=b'9', Just(b'\n')], 0..200),
            sizes in prop::collection::vec(0usize..20, 0..50),
        ) {
            prop_assert_eq!(decode(&stream, &sizes, 50), decode(&stream, &[], 50));
        }
    }
}
