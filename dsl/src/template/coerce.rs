//! Makes a value of a scalar type out of what was written, once its templates are resolved.

use crate::diagnostic::did_you_mean;
use crate::evaluate::number;
use crate::schema::{Raw, Type};

/// The value in the type's own form, or what is wrong with it.
pub(crate) fn coerce(kind: &Type, raw: &Raw) -> Result<Raw, String> {
    let wrong = || format!("`{}` is no {kind}", raw.to_text().as_str());
    if let Raw::Other(text) = raw {
        return Err(format!("{text} is no {kind}"));
    }
    match kind {
        Type::String => Ok(Raw::Text(raw.to_text())),
        Type::Integer => match raw {
            Raw::Integer(value) => Ok(Raw::Integer(*value)),
            Raw::Boolean(value) => Ok(Raw::Integer(i64::from(*value))),
            Raw::Float(value) if value.is_finite() && value.abs() < 9e18 => Ok(Raw::Integer(*value as i64)),
            Raw::Text(text) => number::parse_integer(text.as_str()).map(Raw::Integer).ok_or_else(wrong),
            Raw::Float(_) | Raw::Other(_) => Err(wrong()),
        },
        Type::Float => match raw {
            Raw::Float(value) => Ok(Raw::Float(*value)),
            Raw::Integer(value) => Ok(Raw::Float(*value as f64)),
            Raw::Boolean(value) => Ok(Raw::Float(f64::from(u8::from(*value)))),
            Raw::Text(text) => number::parse_float(text.as_str()).map(Raw::Float).ok_or_else(wrong),
            Raw::Other(_) => Err(wrong()),
        },
        Type::Boolean => match raw {
            Raw::Boolean(value) => Ok(Raw::Boolean(*value)),
            Raw::Integer(value) => Ok(Raw::Boolean(*value != 0)),
            Raw::Float(value) => Ok(Raw::Boolean(*value != 0.0)),
            Raw::Text(text) => match text.as_str().to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Raw::Boolean(true)),
                "false" | "0" => Ok(Raw::Boolean(false)),
                _ => Err(wrong()),
            },
            Raw::Other(_) => Err(wrong()),
        },
        Type::Enum(values) => {
            let text = raw.to_text();
            if values.values.iter().any(|value| **value == *text.as_str()) {
                return Ok(Raw::Text(text));
            }
            let advice = did_you_mean(text.as_str(), values.values.iter().map(|value| &**value));
            let advice = advice.map(|advice| format!(" ({advice})")).unwrap_or_default();
            Err(format!("`{}` is none of {}{advice}", text.as_str(), values.values.join(", ")))
        }
        Type::List(_) | Type::Map(..) | Type::Struct(_) | Type::Choice(_) | Type::Named(_) => Err(wrong()),
    }
}
