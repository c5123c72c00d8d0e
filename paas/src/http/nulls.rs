use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// JSON without its null members, at any depth. One says no more than an absent one: client libraries write every field that they know
/// of, and write null for those that nobody set. Only in the maps that users fill, where a text is due, is null wrong and kept.
///
/// A member that is there twice is refused: readers disagree on which one counts.
pub(super) struct WithoutNulls(pub(super) Value);

/// Up to here floating point tells whole numbers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;

const FILLED_BY_USERS: [&str; 3] = ["env", "environment", "labels"];

impl<'de> Deserialize<'de> for WithoutNulls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("any JSON")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
                // `3.0` is a whole number to those who have no other kind.
                if value.fract() == 0.0 && value.abs() < EXACT {
                    return Ok((value as i64).into());
                }
                Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
                let mut array = Vec::new();
                while let Some(WithoutNulls(element)) = elements.next_element()? {
                    array.push(element);
                }
                Ok(Value::Array(array))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut object = Map::new();
                while let Some(name) = members.next_key::<String>()? {
                    if object.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    let value = match FILLED_BY_USERS.contains(&name.as_str()) {
                        true => members.next_value()?,
                        false => members.next_value::<WithoutNulls>()?.0,
                    };
                    object.insert(name, value);
                }
                object.retain(|_, value| !value.is_null());
                Ok(Value::Object(object))
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}
