//! The protobuf wire format, version 2: keys, varints, lengths.

use super::limits::Limits;
use super::{DecodeError, Malformed, Message, Wire};

/// The largest field number.
const TAG_MAX: u64 = (1 << 29) - 1;

/// How a value is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireKind {
    /// Seven bits per byte, least significant first.
    Varint = 0,
    /// Eight bytes, little endian.
    Fixed64 = 1,
    /// A length as varint, then as many bytes.
    Delimited = 2,
    /// Four bytes, little endian.
    Fixed32 = 5,
}

/// Encodes as protobuf.
pub fn encode_proto<T: Message>(message: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    message.write_fields(&mut out);
    out
}

/// Decodes a message from protobuf. Unknown fields are skipped; of a singular field that occurs more than once the last
/// occurrence counts (embedded messages are not merged: no encoder splits them).
///
/// # Errors
/// [`DecodeError::Proto`].
pub fn decode_proto<T: Message>(bytes: &[u8]) -> Result<T, DecodeError> {
    let limits = Limits::default();
    let mut input = Reader { rest: bytes, limits: &limits };
    T::read_fields(&mut input).map_err(|source| DecodeError::Proto { message: T::NAME, source })
}

pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn write_key(tag: u32, kind: WireKind, out: &mut Vec<u8>) {
    write_varint(u64::from(tag) << 3 | kind as u64, out);
}

/// Appends what `body` writes, preceded by its length.
///
/// One byte is set aside for the length, which suffices for most values; the body of a longer one is moved up. That is cheaper
/// than measuring every message before writing it, and half the code.
pub fn write_delimited(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    body(out);
    let length = out.len() - start - 1;
    if length < 0x80 {
        out[start] = length as u8;
    } else {
        let mut prefix = Vec::with_capacity(10);
        write_varint(length as u64, &mut prefix);
        out.splice(start..=start, prefix);
    }
}

/// Reads the wire format from the front of a slice.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    pub(super) limits: &'a Limits,
}

impl<'a> Reader<'a> {
    /// The next field's number and framing, or `None` at the end.
    pub fn key(&mut self) -> Result<Option<(u32, WireKind)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let kind = match key & 7 {
            0 => WireKind::Varint,
            1 => WireKind::Fixed64,
            2 => WireKind::Delimited,
            5 => WireKind::Fixed32,
            other => return Err(Malformed::WireType(other as u8)),
        };
        match key >> 3 {
            tag @ 1..=TAG_MAX => Ok(Some((tag as u32, kind))),
            _ => Err(Malformed::Tag),
        }
    }

    /// A varint.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for index in 0..10 {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return Err(Malformed::Varint);
            }
            value |= bits << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// The bytes of a length-delimited value.
    pub fn delimited(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A reader for the inside of a length-delimited value.
    pub fn nested(&mut self) -> Result<Reader<'a>, Malformed> {
        Ok(Reader { rest: self.delimited()?, limits: self.limits })
    }

    /// Passes over a value.
    pub fn skip(&mut self, kind: WireKind) -> Result<(), Malformed> {
        match kind {
            WireKind::Varint => self.varint().map(drop),
            WireKind::Fixed64 => self.array::<8>().map(drop),
            WireKind::Delimited => self.delimited().map(drop),
            WireKind::Fixed32 => self.array::<4>().map(drop),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A value framed as `T` is; one framed otherwise is skipped like an unknown field.
    pub(super) fn value<T: Wire>(&mut self, kind: WireKind) -> Result<Option<T>, Malformed> {
        if kind == T::KIND {
            T::read_proto(self)
        } else {
            self.skip(kind)?;
            Ok(None)
        }
    }
}
