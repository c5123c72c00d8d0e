//! The scalar types of fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serializer;
use serde_json::{Number, Value};

use super::json::shorten;
use super::proto::write_varint;
use super::{Malformed, Mismatch, Place, Reader, Wire, WireKind, write_delimited};

/// A JSON number, or a string that holds one.
fn number(value: &Value, at: &Place) -> Result<Number, Mismatch> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        Value::String(text) => {
            serde_json::from_str(text).map_err(|_| Mismatch::Number { number: shorten(text), path: at.path() })
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(at.unexpected(value)),
    }
}

/// An integer; JSON may write it with a fraction of zero.
fn integer<T: TryFrom<i128>>(value: &Value, at: &Place) -> Result<Option<T>, Mismatch> {
    let number = number(value, at)?;
    let whole = number.as_i128().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2e19)?;
        Some(float as i128)
    });
    let converted = whole.and_then(|whole| T::try_from(whole).ok());
    converted.map(Some).ok_or_else(|| Mismatch::Number { number: number.to_string(), path: at.path() })
}

/// Integers travel as varints of their 64-bit two's complement.
macro_rules! integers {
    ($($type:ty => $serialize:ident),*) => {$(
        impl Wire for $type {
            const KIND: WireKind = WireKind::Varint;

            fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.$serialize(*self)
            }

            fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
                integer(value, at)
            }

            fn write_proto(&self, out: &mut Vec<u8>) {
                write_varint(*self as u64, out);
            }

            fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
                // Like every protobuf reader we cut a number that is too wide for its field.
                Ok(Some(input.varint()? as $type))
            }
        }
    )*};
}

integers!(i32 => serialize_i32, i64 => serialize_i64, u32 => serialize_u32, u64 => serialize_u64);

impl Wire for bool {
    const KIND: WireKind = WireKind::Varint;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        value.as_bool().map(Some).ok_or_else(|| at.unexpected(value))
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(Some(input.varint()? != 0))
    }
}

impl Wire for f64 {
    const KIND: WireKind = WireKind::Fixed64;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_finite() {
            serializer.serialize_f64(*self)
        } else if self.is_nan() {
            serializer.serialize_str("NaN")
        } else if self.is_sign_positive() {
            serializer.serialize_str("Infinity")
        } else {
            serializer.serialize_str("-Infinity")
        }
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        match value.as_str() {
            Some("Infinity") => Ok(Some(f64::INFINITY)),
            Some("-Infinity") => Ok(Some(f64::NEG_INFINITY)),
            Some("NaN") => Ok(Some(f64::NAN)),
            Some(_) | None => Ok(number(value, at)?.as_f64()),
        }
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(Some(f64::from_le_bytes(input.array()?)))
    }
}

impl Wire for String {
    const KIND: WireKind = WireKind::Delimited;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| at.unexpected(value))
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        write_delimited(out, |out| out.extend_from_slice(self.as_bytes()));
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let text = std::str::from_utf8(input.delimited()?).map_err(|_| Malformed::Utf8)?;
        Ok(Some(text.to_owned()))
    }
}

impl Wire for Bytes {
    const KIND: WireKind = WireKind::Delimited;

    fn write_json<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self))
    }

    fn read_json(value: &Value, at: &mut Place) -> Result<Option<Self>, Mismatch> {
        let text = value.as_str().ok_or_else(|| at.unexpected(value))?;
        let bytes = STANDARD.decode(text);
        bytes
            .map(|bytes| Some(bytes.into()))
            .map_err(|error| Mismatch::Base64 { path: at.path(), reason: error.to_string() })
    }

    fn write_proto(&self, out: &mut Vec<u8>) {
        write_delimited(out, |out| out.extend_from_slice(self));
    }

    fn read_proto(input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(Some(Bytes::copy_from_slice(input.delimited()?)))
    }
}
