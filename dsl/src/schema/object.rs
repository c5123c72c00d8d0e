//! Values of the schema: structs, lists, maps and scalars with the environments bound to them.

use std::fmt::Write as _;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Map as JsonMap, Value as Json};

use crate::evaluate::number;
use crate::source::Span;
use crate::template::literal;
use crate::text::Text;

use super::types::{StructType, Type};

/// A value of the schema.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) shape: Shape,
    /// What was bound to it, strongest first.
    pub(crate) binds: Vec<Arc<Environment>>,
    /// The call or literal it was made by.
    pub(crate) span: Option<Span>,
    /// The other struct of a choice that a dict would have fitted as well.
    pub(crate) fits_also: Option<Arc<StructType>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Scalar(Type, Raw),
    List(Arc<Type>, Vec<Arc<Object>>),
    Map(Arc<Type>, Arc<Type>, Vec<(Arc<Object>, Arc<Object>)>),
    /// A field's object at the field's position, or nothing where it is empty.
    Struct(Arc<StructType>, Vec<Option<Arc<Object>>>),
}

/// What a scalar was given: it is only checked against its type once its templates are resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Text(Text),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Something no scalar can be made of, as text for the message.
    Other(Arc<str>),
}

impl Raw {
    /// The value as templates show it.
    pub(crate) fn to_text(&self) -> Text {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(value) => value.to_string().into(),
            Self::Float(value) => number::float_text(*value).into(),
            Self::Boolean(true) => "True".into(),
            Self::Boolean(false) => "False".into(),
            Self::Other(text) => (&**text).into(),
        }
    }
}

/// Names bound to values. A name is a reference as templates write it, as in `packer[app].copy`.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    entries: FxHashMap<Arc<str>, Bound>,
    /// Whether it came from `--bind`, whose use is watched.
    pub(crate) is_option: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Text(Text),
    Object(Arc<Object>),
}

impl Environment {
    pub(crate) fn option() -> Self {
        Self { is_option: true, ..Self::default() }
    }

    pub(crate) fn insert(&mut self, name: Arc<str>, bound: Bound) {
        self.entries.insert(name, bound);
    }

    pub(crate) fn get(&self, name: &str) -> Option<(&Arc<str>, &Bound)> {
        self.entries.get_key_value(name)
    }

    /// The bound names, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }
}

impl Object {
    pub(crate) fn new(shape: Shape, span: impl Into<Option<Span>>) -> Self {
        Self { shape, binds: Vec::new(), span: span.into(), fits_also: None }
    }

    /// The same value without the places it was written at: those of the schema's own text are not the user's.
    pub(crate) fn placeless(&self) -> Arc<Self> {
        let shape = match &self.shape {
            Shape::Scalar(kind, Raw::Text(text)) => Shape::Scalar(kind.clone(), Raw::Text(text.as_str().into())),
            Shape::Scalar(kind, raw) => Shape::Scalar(kind.clone(), raw.clone()),
            Shape::List(element, items) => {
                Shape::List(Arc::clone(element), items.iter().map(|item| item.placeless()).collect())
            }
            Shape::Map(key, value, entries) => {
                let entry = |(key, value): &(Arc<Self>, Arc<Self>)| (key.placeless(), value.placeless());
                Shape::Map(Arc::clone(key), Arc::clone(value), entries.iter().map(entry).collect())
            }
            Shape::Struct(kind, values) => {
                let value = |value: &Option<Arc<Self>>| value.as_ref().map(|value| value.placeless());
                Shape::Struct(Arc::clone(kind), values.iter().map(value).collect())
            }
        };
        Arc::new(Self { shape, binds: self.binds.clone(), span: None, fits_also: self.fits_also.clone() })
    }

    /// The same value with more bound to it, each stronger than the one before.
    pub(crate) fn bind(&self, environments: impl IntoIterator<Item = Arc<Environment>>) -> Self {
        let mut bound = self.clone();
        for environment in environments {
            bound.binds.insert(0, environment);
        }
        bound
    }

    /// The struct's type; none for other values.
    pub(crate) fn struct_type(&self) -> Option<&Arc<StructType>> {
        match &self.shape {
            Shape::Struct(kind, _) => Some(kind),
            Shape::Scalar(..) | Shape::List(..) | Shape::Map(..) => None,
        }
    }

    /// The value of a struct's field; none for an empty or unknown field.
    pub(crate) fn field(&self, name: &str) -> Option<&Arc<Self>> {
        match &self.shape {
            Shape::Struct(kind, values) => values.get(kind.position(name)?)?.as_ref(),
            Shape::Scalar(..) | Shape::List(..) | Shape::Map(..) => None,
        }
    }

    /// The elements of a list; none for other values.
    pub(crate) fn items(&self) -> &[Arc<Self>] {
        match &self.shape {
            Shape::List(_, items) => items,
            Shape::Scalar(..) | Shape::Map(..) | Shape::Struct(..) => &[],
        }
    }

    pub(crate) fn entries(&self) -> &[(Arc<Self>, Arc<Self>)] {
        match &self.shape {
            Shape::Map(_, _, entries) => entries,
            Shape::Scalar(..) | Shape::List(..) | Shape::Struct(..) => &[],
        }
    }

    pub(crate) fn raw(&self) -> Option<&Raw> {
        match &self.shape {
            Shape::Scalar(_, raw) => Some(raw),
            Shape::List(..) | Shape::Map(..) | Shape::Struct(..) => None,
        }
    }

    /// The text of a scalar field, literal braces shown as braces.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(literal::reveal(self.field(name)?.raw()?.to_text().as_str()).into_owned())
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.field(name)?.raw()? {
            Raw::Integer(value) => Some(*value),
            Raw::Text(_) | Raw::Float(_) | Raw::Boolean(_) | Raw::Other(_) => None,
        }
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.field(name).and_then(|field| field.raw()) == Some(&Raw::Boolean(true))
    }

    /// The value as JSON; empty fields are left out.
    pub(crate) fn to_json(&self) -> Json {
        match &self.shape {
            Shape::Scalar(_, raw) => match raw {
                Raw::Integer(value) => Json::from(*value),
                Raw::Float(value) => Json::from(*value),
                Raw::Boolean(value) => Json::from(*value),
                Raw::Text(text) => Json::from(literal::reveal(text.as_str())),
                Raw::Other(text) => Json::from(&**text),
            },
            Shape::List(_, items) => items.iter().map(|item| item.to_json()).collect(),
            Shape::Map(_, _, entries) => {
                let entry = |(key, value): &(Arc<Self>, Arc<Self>)| {
                    (literal::reveal(&key.shown()).into_owned(), value.to_json())
                };
                Json::Object(entries.iter().map(entry).collect())
            }
            Shape::Struct(kind, values) => {
                let mut object = JsonMap::new();
                for (field, value) in kind.fields.iter().zip(values) {
                    if let Some(value) = value {
                        object.insert(field.name.to_string(), value.to_json());
                    }
                }
                Json::Object(object)
            }
        }
    }

    /// The value as a template shows it: a scalar's text, `IntegerList(1, 2)`, `Process(name=a)`.
    pub(crate) fn shown(&self) -> String {
        let mut out = String::new();
        self.show_into(&mut out);
        out
    }

    fn show_into(&self, out: &mut String) {
        let separate = |out: &mut String, index: usize| {
            if index > 0 {
                out.push_str(", ");
            }
        };
        match &self.shape {
            Shape::Scalar(_, raw) => out.push_str(raw.to_text().as_str()),
            Shape::List(element, items) => {
                let _ = write!(out, "{element}List(");
                for (index, item) in items.iter().enumerate() {
                    separate(out, index);
                    item.show_into(out);
                }
                out.push(')');
            }
            Shape::Map(key, value, entries) => {
                let _ = write!(out, "{key}{value}Map(");
                for (index, (key, value)) in entries.iter().enumerate() {
                    separate(out, index);
                    key.show_into(out);
                    out.push_str(" => ");
                    value.show_into(out);
                }
                out.push(')');
            }
            Shape::Struct(kind, values) => {
                let _ = write!(out, "{}(", kind.name);
                let given = kind.fields.iter().zip(values).filter_map(|(field, value)| Some((field, value.as_ref()?)));
                for (index, (field, value)) in given.enumerate() {
                    separate(out, index);
                    let _ = write!(out, "{}=", field.name);
                    value.show_into(out);
                }
                out.push(')');
            }
        }
    }
}
