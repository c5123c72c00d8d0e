//! The values of the language while it is evaluated.

use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHasher};

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::schema::{Environment, Helper, Object, Type};
use crate::source::Span;
use crate::syntax::ast::Function;
use crate::text::Text;

use super::builtin::Builtin;
use super::number::{self, Number};
use super::{Result, fail};

/// A dict, in the order of insertion: no outcome depends on anything else.
pub(crate) type Dict = IndexMap<Key, Value, BuildHasherDefault<FxHasher>>;

/// A value.
#[derive(Clone)]
pub(crate) enum Value {
    None,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(Text),
    List(Rc<RefCell<Vec<Value>>>),
    Tuple(Rc<[Value]>),
    Set(Rc<RefCell<Dict>>),
    Dict(Rc<RefCell<Dict>>),
    Function(Rc<Closure>),
    Builtin(Builtin),
    Helper(Helper),
    /// A method, with the value it belongs to.
    Method(Rc<Value>, Arc<str>),
    Module(Module),
    Type(Type),
    /// `List`, `Map`, … before they are given their types; `Struct`, the base of all structs.
    TypeMaker(TypeMaker),
    /// `Required(T)`, `Default(T, value)`.
    Field(Rc<FieldValue>),
    Object(Arc<Object>),
    Environment(Arc<Environment>),
    /// `Empty`, which clears a field.
    Empty,
    /// A class that is no struct, and an object of it: hooks. Nothing of it ever runs.
    Class(Arc<str>),
    Instance(Arc<str>),
    /// What a file contains, opened by `with`.
    File(Rc<[u8]>),
    Bytes(Rc<[u8]>),
    /// A checksum in hexadecimal, before it is asked for.
    Digest(Arc<str>),
    /// What a statement would have defined that failed and was reported: its users stay silent.
    Unknown,
}

/// A function with the names it sees from where it was defined.
pub(crate) struct Closure {
    pub(crate) function: Rc<Function>,
    pub(crate) defaults: Vec<Option<Value>>,
    pub(crate) enclosing: Option<Rc<Frame>>,
}

/// The local names of one call.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) names: RefCell<FxHashMap<Arc<str>, Value>>,
    pub(crate) enclosing: Option<Rc<Frame>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module {
    Os,
    OsPath,
    OsEnviron,
    Getpass,
    Hashlib,
    /// `Options`, `Processes`, `Tasks`: the schema's helpers under their long names.
    Options,
    Processes,
    Tasks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeMaker {
    Struct,
    List,
    Map,
    Enum,
    Choice,
    Required,
    Default,
    Environment,
}

pub(crate) struct FieldValue {
    pub(crate) kind: Type,
    pub(crate) is_required: bool,
    pub(crate) default: Option<Arc<Object>>,
}

/// What may be a key of a dict or an element of a set. `1`, `1.0` and `True` are the same key.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    None,
    Boolean(bool),
    Integer(i64),
    /// A float by its bits.
    Float(u64),
    Text(Arc<str>),
    Tuple(Vec<Key>),
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(first), Self::Text(second)) => first == second,
            (Self::Tuple(first), Self::Tuple(second)) => first == second,
            (Self::Text(_) | Self::Tuple(_), _) | (_, Self::Text(_) | Self::Tuple(_)) => false,
            _ => self.simple() == other.simple(),
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => text.hash(state),
            Self::Tuple(items) => items.hash(state),
            Self::None | Self::Boolean(_) | Self::Integer(_) | Self::Float(_) => self.simple().hash(state),
        }
    }
}

/// A key that is neither a text nor a tuple, in the form in which equal ones are the same.
#[derive(PartialEq, Eq, Hash)]
enum SimpleKey {
    None,
    Whole(i64),
    Float(u64),
    Other,
}

impl Key {
    fn simple(&self) -> SimpleKey {
        match self {
            Self::None => SimpleKey::None,
            Self::Boolean(value) => SimpleKey::Whole(i64::from(*value)),
            Self::Integer(value) => SimpleKey::Whole(*value),
            Self::Float(bits) => {
                let value = f64::from_bits(*bits);
                let is_whole = value.fract() == 0.0 && value.abs() < 9e15;
                if is_whole { SimpleKey::Whole(value as i64) } else { SimpleKey::Float(*bits) }
            }
            Self::Text(_) | Self::Tuple(_) => SimpleKey::Other,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::None | Self::Boolean(_) | Self::Integer(_) | Self::Float(_) | Self::Tuple(_) => None,
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::None => Value::None,
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(bits) => Value::Float(f64::from_bits(*bits)),
            Self::Text(text) => Value::Text(Text::from(&**text)),
            Self::Tuple(items) => Value::Tuple(items.iter().map(Self::to_value).collect()),
        }
    }
}

impl Value {
    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    /// A set is a dict without values.
    pub(crate) fn set(keys: Dict) -> Self {
        Self::Set(Rc::new(RefCell::new(keys)))
    }

    /// A number, or a boolean as one.
    pub(crate) fn number(&self) -> Option<Number> {
        match self {
            Self::Integer(value) => Some(Number::Integer(*value)),
            Self::Boolean(value) => Some(Number::Integer(i64::from(*value))),
            Self::Float(value) => Some(Number::Float(*value)),
            _ => None,
        }
    }

    pub(crate) fn dict(entries: Dict) -> Self {
        Self::Dict(Rc::new(RefCell::new(entries)))
    }

    pub(crate) fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// The value as a key; nothing for what cannot be one.
    pub(crate) fn to_key(&self) -> Option<Key> {
        Some(match self {
            Self::None => Key::None,
            Self::Boolean(value) => Key::Boolean(*value),
            Self::Integer(value) => Key::Integer(*value),
            Self::Float(value) => Key::Float(value.to_bits()),
            Self::Text(text) => Key::Text(text.as_str().into()),
            Self::Tuple(items) => Key::Tuple(items.iter().map(Self::to_key).collect::<Option<_>>()?),
            Self::Object(object) => Key::Text(object.raw()?.to_text().as_str().into()),
            _ => return None,
        })
    }

    /// The elements of a list or tuple; nothing for other values.
    pub(crate) fn listed(&self) -> Option<Vec<Value>> {
        match self {
            Self::List(items) => Some(items.borrow().clone()),
            Self::Tuple(items) => Some(items.to_vec()),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::None | Self::Empty => false,
            Self::Boolean(value) => *value,
            Self::Integer(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.as_str().is_empty(),
            Self::List(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Set(items) => !items.borrow().is_empty(),
            Self::Dict(entries) => !entries.borrow().is_empty(),
            _ => true,
        }
    }

    /// What kind of value it is, for messages: `a list`.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Boolean(_) => "a boolean".to_owned(),
            Self::Integer(_) => "a whole number".to_owned(),
            Self::Float(_) => "a number".to_owned(),
            Self::Text(_) | Self::Bytes(_) => "a string".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Tuple(_) => "a tuple".to_owned(),
            Self::Set(_) => "a set".to_owned(),
            Self::Dict(_) => "a dict".to_owned(),
            Self::Function(_) | Self::Builtin(_) | Self::Helper(_) | Self::Method(..) => "a function".to_owned(),
            Self::Module(_) => "a module".to_owned(),
            Self::Type(_) | Self::TypeMaker(_) => "a type".to_owned(),
            Self::Field(_) => "a field's definition".to_owned(),
            Self::Object(object) => match object.struct_type() {
                Some(kind) => format!("a {}", kind.name),
                None => "a value of the schema".to_owned(),
            },
            Self::Environment(_) => "an environment".to_owned(),
            Self::Empty => "Empty".to_owned(),
            Self::Class(name) => format!("the class {name}"),
            Self::Instance(name) => format!("a {name}"),
            Self::File(_) => "a file".to_owned(),
            Self::Digest(_) => "a checksum".to_owned(),
            Self::Unknown => "an unknown value".to_owned(),
        }
    }

    /// A short value itself, a long one by its kind.
    pub(crate) fn described(&self) -> String {
        match self {
            Self::Text(text) if text.as_str().len() <= 40 => format!("`{}`", quoted(text.as_str())),
            Self::Boolean(true) => "`True`".to_owned(),
            Self::Boolean(false) => "`False`".to_owned(),
            Self::Integer(value) => format!("`{value}`"),
            Self::Float(value) => format!("`{}`", number::float_repr(*value)),
            _ => self.kind(),
        }
    }
}

/// A string as Python 2 quotes it: everything that is not ASCII as bytes.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&format!("\\x{byte:02x}"));
                }
            }
        }
    }
    out.push(quote);
    out
}

/// A value and where it was written.
#[derive(Clone)]
pub(crate) struct Argument {
    pub(crate) value: Value,
    pub(crate) span: Span,
}

/// The arguments of a call, evaluated.
#[derive(Clone, Default)]
pub(crate) struct Arguments {
    pub(crate) plain: Vec<Argument>,
    /// With the place of the name.
    pub(crate) named: Vec<(Arc<str>, Span, Argument)>,
}

impl Arguments {
    /// The value given by that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(known, ..)| **known == *name).map(|(_, _, argument)| &argument.value)
    }

    /// The value given at that position or by that name.
    pub(crate) fn value(&self, position: usize, name: &str) -> Option<&Value> {
        self.plain.get(position).map(|argument| &argument.value).or_else(|| self.named(name))
    }

    /// Refuses too few and too many values, and names that the function does not have; `names` is nothing where it takes any.
    pub(crate) fn check(
        &self,
        function: &str,
        least: usize,
        most: usize,
        names: Option<&[&str]>,
        span: Span,
    ) -> Result<()> {
        let given = self.plain.len();
        let allowed = || match (least, most) {
            (0, 0) => "no values".to_owned(),
            (1, 1) => "one value".to_owned(),
            _ if least == most => format!("{least} values"),
            (_, usize::MAX) => format!("{least} values or more"),
            _ => format!("{least} to {most} values"),
        };
        if given > most || given + self.named.len() < least {
            return fail(Code::Type, span, format!("`{function}` takes {}, and {given} are given", allowed()));
        }
        let Some(names) = names else { return Ok(()) };
        match self.named.iter().find(|(name, ..)| !names.contains(&&**name)) {
            Some((name, place, _)) => {
                let error = Diagnostic::error(Code::Type, *place, format!("`{function}` has no parameter `{name}`"));
                Err(error.help_if(did_you_mean(name, names.iter().copied())).into())
            }
            None => Ok(()),
        }
    }
}
