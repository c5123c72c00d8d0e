//! What a value may be.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::object::Object;

/// The type of a field.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    String,
    Integer,
    Float,
    Boolean,
    Enum(Arc<EnumType>),
    List(Arc<Type>),
    Map(Arc<Type>, Arc<Type>),
    Struct(Arc<StructType>),
    Choice(Arc<[Type]>),
    /// A struct of ours by its name: what contains itself is written so.
    Named(&'static str),
}

/// One of a few words.
#[derive(Debug)]
pub(crate) struct EnumType {
    pub(crate) values: Vec<Arc<str>>,
}

/// A struct: its fields in the order of their definition.
#[derive(Debug)]
pub(crate) struct StructType {
    pub(crate) name: Arc<str>,
    pub(crate) fields: Vec<Field>,
    index: FxHashMap<Arc<str>, usize>,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Type,
    pub(crate) is_required: bool,
    pub(crate) default: Option<Arc<Object>>,
}

impl StructType {
    /// A struct of these fields; of two with one name the later one counts.
    pub(crate) fn new(name: Arc<str>, defined: Vec<Field>) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        let mut index = FxHashMap::default();
        for field in defined {
            match index.get(&field.name) {
                Some(at) => {
                    let at: usize = *at;
                    fields[at] = field;
                }
                None => {
                    index.insert(Arc::clone(&field.name), fields.len());
                    fields.push(field);
                }
            }
        }
        Self { name, fields, index }
    }

    /// Where the field is in [`StructType::fields`] and in the objects of this type.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(crate) fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| &*field.name)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("String"),
            Self::Integer => formatter.write_str("Integer"),
            Self::Float => formatter.write_str("Float"),
            Self::Boolean => formatter.write_str("Boolean"),
            Self::Enum(values) => write!(formatter, "Enum({})", values.values.join(", ")),
            Self::List(element) => write!(formatter, "List({element})"),
            Self::Map(key, value) => write!(formatter, "Map({key}, {value})"),
            Self::Struct(kind) => formatter.write_str(&kind.name),
            Self::Named(name) => formatter.write_str(name),
            Self::Choice(kinds) => {
                let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                write!(formatter, "Choice({})", names.join(", "))
            }
        }
    }
}
