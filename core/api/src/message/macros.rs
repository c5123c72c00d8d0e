//! The notation in which the wire types are written down.

/// Declares messages: `name: rule Type = tag`, with `(default)` behind the tag for the rule `default`.
///
/// ```text
/// message! {
///     /// What a range is.
///     pub struct Range {
///         begin: required u64 = 1,
///         end: required u64 = 2,
///     }
/// }
/// ```
///
/// A field's rule decides its Rust type: `required T` and `default T` are `T`, `optional T` is `Option<T>`, `repeated T` is `Vec<T>`,
/// `map T` is `BTreeMap<String, T>`. `Default` gives each field the value that Mesos's getters give for an unset one.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident : $rule:ident $type:ty = $tag:literal $( ($default:expr) )? ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[doc = concat!("\n\nProtobuf field ", $tag, ", ", stringify!($rule), $(" (`", stringify!($default), "`)",)? ".")]
                pub $field: $crate::message::macros::field_type!($rule $type)
            ),*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $crate::message::macros::field_default!($type $(, $default)?) ),*
                }
            }
        }

        impl $crate::message::Message for $name {
            const NAME: &'static str = stringify!($name);

            #[allow(unused_variables, reason = "a message without fields writes nothing")]
            fn write_fields(&self, out: &mut Vec<u8>) {
                $( $crate::message::rule::$rule::write_proto(&self.$field, $tag, out); )*
            }

            fn read_fields(input: &mut $crate::message::Reader<'_>) -> Result<Self, $crate::message::Malformed> {
                $( let mut $field = $crate::message::rule::$rule::Slot::<$type>::default(); )*
                while let Some((tag, kind)) = input.key()? {
                    match tag {
                        $( $tag => $crate::message::rule::$rule::read_proto(&mut $field, kind, input)?, )*
                        _ => input.skip(kind)?,
                    }
                }
                Ok(Self {
                    $(
                        $field: $crate::message::rule::$rule::finish(
                            $field,
                            $crate::message::macros::explicit_default!($type $(, $default)?),
                        )
                        .ok_or($crate::message::Malformed::Missing {
                            message: stringify!($name),
                            field: $crate::message::macros::wire_name(stringify!($field)),
                        })?
                    ),*
                })
            }
        }

        impl $crate::message::Wire for $name {
            const KIND: $crate::message::WireKind = $crate::message::WireKind::Delimited;

            fn write_json<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_mut, reason = "a message without fields writes nothing")]
                let mut map = serializer.serialize_map(None)?;
                $( $crate::message::rule::$rule::write_json(
                    &mut map,
                    $crate::message::macros::wire_name(stringify!($field)),
                    &self.$field,
                )?; )*
                ::serde::ser::SerializeMap::end(map)
            }

            fn read_json(
                value: &::serde_json::Value,
                at: &mut $crate::message::Place,
            ) -> Result<Option<Self>, $crate::message::Mismatch> {
                #[allow(unused_variables, reason = "a message without fields reads nothing")]
                let Some(object) = value.as_object() else {
                    return Err(at.unexpected(value));
                };
                $( let $field = $crate::message::rule::$rule::read_json::<$type>(
                    object,
                    $crate::message::macros::wire_name(stringify!($field)),
                    at,
                    $crate::message::macros::explicit_default!($type $(, $default)?),
                )?; )*
                // Every field is read before the first absent one ends it, so that all of them are reported.
                let whole = || Some(Self { $( $field: $field? ),* });
                Ok(whole())
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
            #[allow(unused_variables, reason = "a message without fields has nothing to choose")]
            fn sample(source: &mut $crate::message::sample::Source<'_>) -> Self {
                Self { $( $field: $crate::message::sample::$rule::<$type>(source) ),* }
            }
        }
    )*};
}

/// Declares enums: `Variant "WIRE_NAME" = number`. The first variant is the default, as in proto2.
macro_rules! enumeration {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {
            $(#[$first_meta:meta])* $first:ident $first_text:literal = $first_number:literal
            $( , $(#[$variant_meta:meta])* $variant:ident $text:literal = $number:literal )* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum $name {
            $(#[$first_meta])*
            #[doc = concat!("\n\n`", $first_text, "`, protobuf ", $first_number, ".")]
            #[default]
            $first = $first_number,
            $(
                $(#[$variant_meta])*
                #[doc = concat!("\n\n`", $text, "`, protobuf ", $number, ".")]
                $variant = $number
            ),*
        }

        impl $name {
            /// Every value, in the order of the schema.
            pub const ALL: &'static [Self] = &[Self::$first $(, Self::$variant)*];

            /// The name in JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $( Self::$variant => $text ),*
                }
            }

            /// The value with this name in JSON.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $first_text => Some(Self::$first),
                    $( $text => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// The number in protobuf.
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The value with this number in protobuf.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $first_number => Some(Self::$first),
                    $( $number => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl $crate::message::Wire for $name {
            const KIND: $crate::message::WireKind = $crate::message::WireKind::Varint;

            fn write_json<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }

            fn read_json(
                value: &::serde_json::Value,
                at: &mut $crate::message::Place,
            ) -> Result<Option<Self>, $crate::message::Mismatch> {
                value.as_str().map(Self::from_name).ok_or_else(|| at.unexpected(value))
            }

            fn write_proto(&self, out: &mut Vec<u8>) {
                $crate::message::Wire::write_proto(&self.number(), out);
            }

            fn read_proto(
                input: &mut $crate::message::Reader<'_>,
            ) -> Result<Option<Self>, $crate::message::Malformed> {
                Ok(Self::from_number(input.varint()? as i32))
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::from_name(&name).ok_or_else(|| {
                    ::serde::de::Error::custom(format!("'{name}' is not a {}", stringify!($name)))
                })
            }
        }

        #[cfg(test)]
        impl $crate::message::sample::Sample for $name {
            fn sample(source: &mut $crate::message::sample::Source<'_>) -> Self {
                Self::ALL[source.below(Self::ALL.len())]
            }
        }
    )*};
}

/// serde's traits for a message, so that it can be a part of other documents.
macro_rules! serde_of_wire {
    ($name:ident) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::message::Wire::write_json(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = ::serde_json::Value::deserialize(deserializer)?;
                $crate::message::from_value(&value).map_err(::serde::de::Error::custom)
            }
        }
    };
}

macro_rules! field_type {
    (required $type:ty) => { $type };
    (default $type:ty) => { $type };
    (optional $type:ty) => { Option<$type> };
    (repeated $type:ty) => { Vec<$type> };
    (map $type:ty) => { std::collections::BTreeMap<String, $type> };
}

macro_rules! field_default {
    ($type:ty) => {
        Default::default()
    };
    ($type:ty, $default:expr) => {
        $default
    };
}

macro_rules! explicit_default {
    ($type:ty) => {
        None::<$type>
    };
    ($type:ty, $default:expr) => {
        Some::<$type>($default)
    };
}

/// A field's name on the wire: Rust needs `r#type` where the schema says `type`.
pub(crate) fn wire_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

pub(crate) use {enumeration, explicit_default, field_default, field_type, message, serde_of_wire};
