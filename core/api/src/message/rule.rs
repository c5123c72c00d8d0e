//! What each field rule means: one module per rule, each with the same five functions, called by the code that
//! `message!` generates.
//!
//! `read_json` and `finish` answer `None` when a required field is absent; a rule that cannot miss anything always answers
//! `Some`. `default` is the field's explicit default and is given by the rule of that name only.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde_json::{Map, Value};

use super::proto::write_key;
use super::{Json, Malformed, Mismatch, Place, Reader, Wire, WireKind};

type Object = Map<String, Value>;

/// The member `name`, unless it is absent or `null`.
fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn write_one<T: Wire>(value: &T, tag: u32, out: &mut Vec<u8>) {
    write_key(tag, T::KIND, out);
    value.write_proto(out);
}

/// Always there; a document without it is refused.
pub mod required {
    use super::*;

    /// What is known of the field while protobuf is read.
    pub type Slot<T> = Option<T>;

    /// Writes the field.
    pub fn write_json<M: SerializeMap, T: Wire>(map: &mut M, name: &'static str, value: &T) -> Result<(), M::Error> {
        map.serialize_entry(name, &Json(value))
    }

    /// Reads the field.
    pub fn read_json<T: Wire>(
        object: &Object,
        name: &str,
        at: &mut Place,
        _: Option<T>,
    ) -> Result<Option<T>, Mismatch> {
        let Some(value) = member(object, name) else {
            at.miss(name);
            return Ok(None);
        };
        let read = at.field(name, |at| T::read_json(value, at))?;
        match (read, value) {
            // Only an enum reads a string and finds nothing.
            (None, Value::String(name)) => Err(Mismatch::Enum { name: super::super::json::shorten(name) }),
            (read, _) => Ok(read),
        }
    }

    /// Writes the field.
    pub fn write_proto<T: Wire>(value: &T, tag: u32, out: &mut Vec<u8>) {
        write_one(value, tag, out);
    }

    /// Reads one occurrence.
    pub fn read_proto<T: Wire>(slot: &mut Slot<T>, kind: WireKind, input: &mut Reader<'_>) -> Result<(), Malformed> {
        if let Some(value) = input.value(kind)? {
            *slot = Some(value);
        }
        Ok(())
    }

    /// The field's value after the last occurrence.
    pub fn finish<T>(slot: Slot<T>, _: Option<T>) -> Option<T> {
        slot
    }
}

/// May be unset, which is told apart from every value.
pub mod optional {
    use super::*;

    pub use super::required::{Slot, read_proto};

    /// Writes the field if it is set.
    pub fn write_json<M: SerializeMap, T: Wire>(
        map: &mut M,
        name: &'static str,
        value: &Option<T>,
    ) -> Result<(), M::Error> {
        value.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, &Json(value)))
    }

    /// Reads the field.
    pub fn read_json<T: Wire>(
        object: &Object,
        name: &str,
        at: &mut Place,
        _: Option<T>,
    ) -> Result<Option<Option<T>>, Mismatch> {
        let read = member(object, name).map(|value| at.field(name, |at| T::read_json(value, at)));
        Ok(Some(read.transpose()?.flatten()))
    }

    /// Writes the field if it is set.
    pub fn write_proto<T: Wire>(value: &Option<T>, tag: u32, out: &mut Vec<u8>) {
        if let Some(value) = value {
            write_one(value, tag, out);
        }
    }

    /// The field's value after the last occurrence.
    pub fn finish<T>(slot: Slot<T>, _: Option<T>) -> Option<Option<T>> {
        Some(slot)
    }
}

/// Optional on input with an explicit default, always written.
pub mod default {
    use super::*;

    pub use super::required::{Slot, read_proto, write_json, write_proto};

    /// Reads the field.
    pub fn read_json<T: Wire>(
        object: &Object,
        name: &str,
        at: &mut Place,
        default: Option<T>,
    ) -> Result<Option<T>, Mismatch> {
        let read = member(object, name).map(|value| at.field(name, |at| T::read_json(value, at)));
        Ok(read.transpose()?.flatten().or(default))
    }

    /// The field's value after the last occurrence.
    pub fn finish<T>(slot: Slot<T>, default: Option<T>) -> Option<T> {
        slot.or(default)
    }
}

/// Any number of values, in order.
pub mod repeated {
    use super::*;

    /// What is known of the field while protobuf is read.
    pub type Slot<T> = Vec<T>;

    /// Writes the field unless it is empty.
    pub fn write_json<M: SerializeMap, T: Wire>(map: &mut M, name: &'static str, values: &[T]) -> Result<(), M::Error> {
        if values.is_empty() {
            return Ok(());
        }
        map.serialize_entry(name, &List(values))
    }

    struct List<'a, T>(&'a [T]);

    impl<T: Wire> serde::Serialize for List<'_, T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.iter().map(Json))
        }
    }

    /// Reads the field; names that an enum does not know are left out.
    pub fn read_json<T: Wire>(
        object: &Object,
        name: &str,
        at: &mut Place,
        _: Option<T>,
    ) -> Result<Option<Vec<T>>, Mismatch> {
        let Some(value) = member(object, name) else {
            return Ok(Some(Vec::new()));
        };
        at.field(name, |at| {
            let Value::Array(elements) = value else {
                return Err(at.unexpected(value));
            };
            let mut values = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                at.limits.element::<T>()?;
                values.extend(at.element(index, |at| T::read_json(element, at))?);
            }
            Ok(Some(values))
        })
    }

    /// Writes each value with its own key (version 2 packs nothing unasked).
    pub fn write_proto<T: Wire>(values: &[T], tag: u32, out: &mut Vec<u8>) {
        for value in values {
            write_one(value, tag, out);
        }
    }

    /// Reads one occurrence: one value, or many numbers packed together.
    pub fn read_proto<T: Wire>(slot: &mut Slot<T>, kind: WireKind, input: &mut Reader<'_>) -> Result<(), Malformed> {
        if kind == WireKind::Delimited && T::KIND != WireKind::Delimited {
            let mut packed = input.nested()?;
            while !packed.is_empty() {
                input.limits.element::<T>()?;
                slot.extend(T::read_proto(&mut packed)?);
            }
        } else {
            input.limits.element::<T>()?;
            slot.extend(input.value(kind)?);
        }
        Ok(())
    }

    /// The field's value after the last occurrence.
    pub fn finish<T>(slot: Slot<T>, _: Option<T>) -> Option<Vec<T>> {
        Some(slot)
    }
}

/// Values by a string, each once.
pub mod map {
    use super::*;

    /// What is known of the field while protobuf is read.
    pub type Slot<T> = BTreeMap<String, T>;

    /// Writes the field unless it is empty.
    pub fn write_json<M: SerializeMap, T: Wire>(
        map: &mut M,
        name: &'static str,
        values: &BTreeMap<String, T>,
    ) -> Result<(), M::Error> {
        if values.is_empty() {
            return Ok(());
        }
        map.serialize_entry(name, &Members(values))
    }

    struct Members<'a, T>(&'a BTreeMap<String, T>);

    impl<T: Wire> serde::Serialize for Members<'_, T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(key, value)| (key, Json(value))))
        }
    }

    /// Reads the field.
    pub fn read_json<T: Wire>(
        object: &Object,
        name: &str,
        at: &mut Place,
        _: Option<T>,
    ) -> Result<Option<BTreeMap<String, T>>, Mismatch> {
        let Some(value) = member(object, name) else {
            return Ok(Some(BTreeMap::new()));
        };
        at.field(name, |at| {
            let Value::Object(members) = value else {
                return Err(at.unexpected(value));
            };
            let mut values = BTreeMap::new();
            for (key, member) in members {
                at.limits.element::<(String, T)>()?;
                if let Some(value) = at.element(key, |at| T::read_json(member, at))? {
                    values.insert(key.clone(), value);
                }
            }
            Ok(Some(values))
        })
    }

    /// Writes each entry as a message of key (1) and value (2).
    pub fn write_proto<T: Wire>(values: &BTreeMap<String, T>, tag: u32, out: &mut Vec<u8>) {
        for (key, value) in values {
            write_key(tag, WireKind::Delimited, out);
            super::super::write_delimited(out, |out| {
                write_one(key, 1, out);
                write_one(value, 2, out);
            });
        }
    }

    /// Reads one entry; one without a key has the empty key, one without a value is left out.
    pub fn read_proto<T: Wire>(slot: &mut Slot<T>, kind: WireKind, input: &mut Reader<'_>) -> Result<(), Malformed> {
        if kind != WireKind::Delimited {
            return input.skip(kind);
        }
        input.limits.element::<(String, T)>()?;
        let mut entry = input.nested()?;
        let (mut key, mut value) = (None::<String>, None::<T>);
        while let Some((tag, kind)) = entry.key()? {
            match tag {
                1 => required::read_proto(&mut key, kind, &mut entry)?,
                2 => required::read_proto(&mut value, kind, &mut entry)?,
                _ => entry.skip(kind)?,
            }
        }
        if let Some(value) = value {
            slot.insert(key.unwrap_or_default(), value);
        }
        Ok(())
    }

    /// The field's value after the last occurrence.
    pub fn finish<T>(slot: Slot<T>, _: Option<T>) -> Option<BTreeMap<String, T>> {
        Some(slot)
    }
}
