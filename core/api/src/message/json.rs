//! JSON in and out: the writer's escaping, and the reader's memory of where it is and what it misses.

use std::fmt::Write as _;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::Formatter;

use super::limits::{JSON_VALUES_MAX, Limits};
use super::{DecodeError, Message, Mismatch, Wire};

/// As many missing fields are listed; the rest of a hopeless document is not worth the bytes.
const MISSING_LIMIT: usize = 32;

/// As many characters of foreign text are quoted in an error.
const QUOTE_LIMIT: usize = 100;

/// A value written in Mesos's JSON mapping, for use inside other serde structures.
#[derive(Debug)]
pub struct Json<'a, T>(pub &'a T);

impl<T: Wire> Serialize for Json<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write_json(serializer)
    }
}

/// Encodes as one line of ASCII JSON; anything serde can write is taken, so that documents of other shapes look alike.
///
/// # Panics
/// When `value` itself refuses to be serialized or has map keys that are not strings; none of this crate's messages does.
pub fn encode_json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Ascii);
    match value.serialize(&mut serializer) {
        Ok(()) => out,
        Err(error) => unreachable!("messages serialize to memory without fail: {error}"),
    }
}

/// Decodes a message from JSON.
///
/// # Errors
/// [`DecodeError::Syntax`] when it is not JSON, [`DecodeError::Mismatch`] when it is JSON of another shape, and
/// [`DecodeError::TooManyValues`].
pub fn decode_json<T: Message>(bytes: &[u8]) -> Result<T, DecodeError> {
    // Every value but the first follows one of these; those within strings count in vain.
    let values = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{' | b',' | b':')).count();
    if values >= JSON_VALUES_MAX {
        return Err(DecodeError::TooManyValues);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| syntax_error(bytes, error))?;
    from_value(&value).map_err(|reason| DecodeError::Mismatch { message: T::NAME, reason })
}

/// Decodes a message from a parsed document.
pub(crate) fn from_value<T: Message>(value: &Value) -> Result<T, Mismatch> {
    let mut at = Place::default();
    match T::read_json(value, &mut at)? {
        Some(message) if at.missing.is_empty() => Ok(message),
        Some(_) | None => Err(Mismatch::Missing { paths: at.missing }),
    }
}

fn syntax_error(bytes: &[u8], source: serde_json::Error) -> DecodeError {
    let line = source.line().max(1);
    let text = bytes.split(|byte| *byte == b'\n').nth(line - 1).unwrap_or_default();
    let rest = text.get(source.column().saturating_sub(1)..).unwrap_or_default();
    // At the end of the input serde points at the last byte read, which is not in error.
    let near = if source.is_eof() { String::new() } else { shorten(&String::from_utf8_lossy(rest)) };
    DecodeError::Syntax { line, near, source }
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(QUOTE_LIMIT).collect()
}

/// Where the reader is in the document, and which required fields it has missed so far.
#[derive(Debug, Default)]
pub struct Place {
    path: String,
    missing: Vec<String>,
    pub(super) limits: Limits,
}

impl Place {
    /// Reads one level down, in the field `name` of the current object.
    pub fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Reads one level down, in the element of the current array or map that `key` names.
    pub fn element<T>(&mut self, key: impl std::fmt::Display, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        // Writing to a string does not fail.
        let _ = write!(self.path, "[{key}]");
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Notes that the required field `name` of the current object is absent.
    pub fn miss(&mut self, name: &str) {
        if self.missing.len() < MISSING_LIMIT {
            let path = self.field(name, |at| at.path.clone());
            self.missing.push(path);
        }
    }

    pub(super) fn path(&self) -> String {
        self.path.clone()
    }

    /// The error for a value of a type that does not fit here.
    pub fn unexpected(&self, value: &Value) -> Mismatch {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if self.path.is_empty() { Mismatch::NotAnObject } else { Mismatch::Type { found, path: self.path() } }
    }
}

/// Compact output in which everything beyond ASCII is escaped: some clients count characters where they should count bytes.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        for character in fragment.chars() {
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}
