//! Ids: strings that travel as `{"value": …}`, each kind a type of its own.

/// Declares id types over `Arc<str>`.
macro_rules! identifier {
    ($( $(#[$meta:meta])* pub struct $name:ident; )*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl Ord for $name {
            /// Where the tasks of a framework are ordered, its id is compared with itself again and again: that needs no look at the text.
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                match std::sync::Arc::ptr_eq(&self.0, &other.0) {
                    true => std::cmp::Ordering::Equal,
                    false => self.0.cmp(&other.0),
                }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// Takes any text; [`check_id`](crate::v1::check_id) has the rules for ids that clients choose.
            pub fn new(value: impl Into<std::sync::Arc<str>>) -> Self {
                Self(value.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new("")
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self::new(value)
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self::new(value)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({:?})", stringify!($name), self.as_str())
            }
        }

        impl $crate::message::Message for $name {
            const NAME: &'static str = stringify!($name);

            fn write_fields(&self, out: &mut Vec<u8>) {
                $crate::message::id::write_value(self.as_str(), out);
            }

            fn read_fields(input: &mut $crate::message::Reader<'_>) -> Result<Self, $crate::message::Malformed> {
                $crate::message::id::read_value(stringify!($name), input).map(Self::new)
            }
        }

        impl $crate::message::Wire for $name {
            const KIND: $crate::message::WireKind = $crate::message::WireKind::Delimited;

            fn write_json<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("value", self.as_str())])
            }

            fn read_json(
                value: &::serde_json::Value,
                at: &mut $crate::message::Place,
            ) -> Result<Option<Self>, $crate::message::Mismatch> {
                let object = value.as_object().ok_or_else(|| at.unexpected(value))?;
                let text = $crate::message::rule::required::read_json::<String>(object, "value", at, None)?;
                Ok(text.map(Self::new))
            }

            fn write_proto(&self, out: &mut Vec<u8>) {
                $crate::message::write_delimited(out, |out| $crate::message::Message::write_fields(self, out));
            }

            fn read_proto(
                input: &mut $crate::message::Reader<'_>,
            ) -> Result<Option<Self>, $crate::message::Malformed> {
                <Self as $crate::message::Message>::read_fields(&mut input.nested()?).map(Some)
            }
        }

        $crate::message::macros::serde_of_wire!($name);

        #[cfg(test)]
        impl $crate::message::sample::Sample for $name {
            fn sample(source: &mut $crate::message::sample::Source<'_>) -> Self {
                Self::new(<String as $crate::message::sample::Sample>::sample(source))
            }
        }
    )*};
}

use super::proto::write_key;
use super::{Malformed, Reader, WireKind, rule, write_delimited};

/// Writes the only field of an id.
pub(crate) fn write_value(value: &str, out: &mut Vec<u8>) {
    write_key(1, WireKind::Delimited, out);
    write_delimited(out, |out| out.extend_from_slice(value.as_bytes()));
}

/// Reads the only field of an id.
pub(crate) fn read_value(message: &'static str, input: &mut Reader<'_>) -> Result<String, Malformed> {
    let mut value = None;
    while let Some((tag, kind)) = input.key()? {
        match tag {
            1 => rule::required::read_proto(&mut value, kind, input)?,
            _ => input.skip(kind)?,
        }
    }
    value.ok_or(Malformed::Missing { message, field: "value" })
}

pub(crate) use identifier;
