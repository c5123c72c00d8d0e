//! One notation for a wire message, from which its struct, its JSON and its protobuf come.
//!
//! `message!` and `enumeration!` are written like the schema they follow. What a field's rule (`required`, `optional`,
//! `repeated`, `default`, `map`) means in either encoding is in [`rule`], what a single value looks like is in `scalar` and in
//! the code that the macros generate.
//!
//! JSON follows Mesos's own mapping: fields by their proto names; an unset optional and an empty repeated field are absent;
//! a field with an explicit default is always written; on input `null` means unset and an unknown field is ignored.

mod error;
pub(crate) mod id;
mod json;
mod limits;
pub(crate) mod macros;
mod proto;
pub mod rule;
#[cfg(test)]
pub(crate) mod sample;
mod scalar;
#[cfg(test)]
mod tests;

use serde::Serializer;
use serde_json::Value;

pub use error::{DecodeError, Malformed, Mismatch};
pub(crate) use id::identifier;
pub(crate) use json::from_value;
pub use json::{Json, Place, decode_json, encode_json};
pub use limits::{Exceeded, Nested};
pub(crate) use macros::{enumeration, message};
pub use proto::{Reader, WireKind, decode_proto, encode_proto, write_delimited};

/// A value that can stand in a field: a scalar, an enum or a message.
pub trait Wire: Sized {
    /// How protobuf frames the value.
    const KIND: WireKind;

    /// Writes the value in Mesos's JSON mapping.
    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads the value from JSON. `None`: an enum name that we do not know, or a message that lacks a required field (which
    /// `at` has noted down).
    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch>;

    /// Appends the value without its key; a length-delimited value begins with its length.
    fn write_proto(&self, out: &mut Vec<u8>);

    /// Reads one value without its key. `None`: an enum number that we do not know.
    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed>;
}

/// A message: what a body or a RecordIO record holds.
pub trait Message: Wire {
    /// The message's name in error texts.
    const NAME: &'static str;

    /// Appends the fields without a length.
    fn write_fields(&self, out: &mut Vec<u8>);

    /// Reads fields until `input` ends.
    fn read_fields(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// A box keeps what is large and rarely set out of the way; it is not seen on the wire.
impl<T: Wire> Wire for Box<T> {
    const KIND: WireKind = T::KIND;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).write_json(serializer)
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        Ok(T::read_json(value, at)?.map(Box::new))
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        (**self).write_proto(out);
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(T::read_proto(input)?.map(Box::new))
    }
}
