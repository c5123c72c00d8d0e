//! `str(value)` and `repr(value)` as Python 2 writes them.

use crate::schema::Shape;

use super::Evaluator;
use super::number;
use super::value::{Key, Value, quoted};

/// How long a text may get before the rest is left out: only a value that contains itself or is absurdly large gets there.
const SHOWN_LIMIT_BYTES: usize = super::budget::TEXT_LIMIT_BYTES;

const DEPTH_LIMIT: usize = 50;

impl Evaluator<'_> {
    /// `str(value)`.
    pub(crate) fn shown(&self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.as_str().to_owned(),
            Value::Float(value) => number::float_text(*value),
            Value::Object(object) => self.plain(object).shown(),
            Value::Digest(digest) => digest.to_string(),
            _ => self.repr(value),
        }
    }

    /// `repr(value)`.
    pub(super) fn repr(&self, value: &Value) -> String {
        let mut out = String::new();
        self.repr_into(&mut out, value, DEPTH_LIMIT);
        out
    }

    fn repr_into(&self, out: &mut String, value: &Value, depth: usize) {
        if depth == 0 || out.len() > SHOWN_LIMIT_BYTES || self.budget.spend(1).is_err() {
            out.push_str("...");
            return;
        }
        match value {
            Value::None => out.push_str("None"),
            Value::Boolean(true) => out.push_str("True"),
            Value::Boolean(false) => out.push_str("False"),
            Value::Integer(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&number::float_repr(*value)),
            Value::Text(text) => out.push_str(&quoted(text.as_str())),
            Value::List(items) => self.sequence(out, "[", &items.borrow(), "]", depth),
            Value::Tuple(items) => self.sequence(out, "(", items, if items.len() == 1 { ",)" } else { ")" }, depth),
            Value::Set(items) => {
                let items: Vec<Value> = items.borrow().keys().map(Key::to_value).collect();
                self.sequence(out, "set([", &items, "])", depth);
            }
            Value::Dict(entries) => {
                out.push('{');
                for (index, (key, value)) in entries.borrow().iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    self.repr_into(out, &key.to_value(), depth - 1);
                    out.push_str(": ");
                    self.repr_into(out, value, depth - 1);
                }
                out.push('}');
            }
            Value::Object(object) => match &self.plain(object).shape {
                Shape::Scalar(kind, raw) => out.push_str(&format!("{kind}({})", raw.to_text().as_str())),
                Shape::List(..) | Shape::Map(..) | Shape::Struct(..) => out.push_str(&self.plain(object).shown()),
            },
            other => out.push_str(&format!("<{}>", other.kind())),
        }
    }

    fn sequence(&self, out: &mut String, open: &str, items: &[Value], close: &str, depth: usize) {
        out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            self.repr_into(out, item, depth - 1);
        }
        out.push_str(close);
    }
}
