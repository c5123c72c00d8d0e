//! The functions every configuration has.

use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Helper, Shape, Type};
use crate::source::Span;
use crate::syntax::ast::Name;

use super::number::Number;
use super::sort::Sorting;
use super::value::{Argument, Arguments, Dict, Key, Module, TypeMaker, Value};
use super::{At, Evaluator, Failure, Result, arithmetic, fail, operator};

/// A builtin function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Abs,
    All,
    Any,
    BaseName,
    Bin,
    Bool,
    Chr,
    Compare,
    Dict,
    DirectoryName,
    DivMod,
    Enumerate,
    Filter,
    Float,
    GetAttribute,
    GetEnvironment,
    GetUser,
    HasAttribute,
    Hex,
    Include,
    Int,
    IsInstance,
    JoinPath,
    Len,
    List,
    Map,
    Max,
    Md5,
    Min,
    Object,
    Oct,
    Open,
    Ord,
    Power,
    Range,
    Reduce,
    Repr,
    Reversed,
    Round,
    Set,
    Sha256,
    Sorted,
    Str,
    Sum,
    Tuple,
    UnicodeChr,
    Zip,
}

const NAMES: &[(&str, Builtin)] = &[
    ("abs", Builtin::Abs),
    ("all", Builtin::All),
    ("any", Builtin::Any),
    ("basestring", Builtin::Str),
    ("bin", Builtin::Bin),
    ("bool", Builtin::Bool),
    ("chr", Builtin::Chr),
    ("cmp", Builtin::Compare),
    ("dict", Builtin::Dict),
    ("divmod", Builtin::DivMod),
    ("enumerate", Builtin::Enumerate),
    ("filter", Builtin::Filter),
    ("float", Builtin::Float),
    ("frozenset", Builtin::Set),
    ("getattr", Builtin::GetAttribute),
    ("hasattr", Builtin::HasAttribute),
    ("hex", Builtin::Hex),
    ("include", Builtin::Include),
    ("int", Builtin::Int),
    ("isinstance", Builtin::IsInstance),
    ("len", Builtin::Len),
    ("list", Builtin::List),
    ("long", Builtin::Int),
    ("map", Builtin::Map),
    ("max", Builtin::Max),
    ("min", Builtin::Min),
    ("object", Builtin::Object),
    ("oct", Builtin::Oct),
    ("open", Builtin::Open),
    ("ord", Builtin::Ord),
    ("pow", Builtin::Power),
    ("range", Builtin::Range),
    ("reduce", Builtin::Reduce),
    ("repr", Builtin::Repr),
    ("reversed", Builtin::Reversed),
    ("round", Builtin::Round),
    ("set", Builtin::Set),
    ("sorted", Builtin::Sorted),
    ("str", Builtin::Str),
    ("sum", Builtin::Sum),
    ("tuple", Builtin::Tuple),
    ("unichr", Builtin::UnicodeChr),
    ("unicode", Builtin::Str),
    ("xrange", Builtin::Range),
    ("zip", Builtin::Zip),
];

impl Builtin {
    /// How many values it takes at least and at most, and which by name; nothing where any name will do.
    fn signature(self) -> (usize, usize, Option<&'static [&'static str]>) {
        match self {
            Self::GetUser | Self::Object => (0, 0, Some(&[])),
            Self::Bool | Self::Float | Self::List | Self::Md5 | Self::Set | Self::Sha256 | Self::Str | Self::Tuple => {
                (0, 1, Some(&[]))
            }
            Self::Dict => (0, 1, None),
            Self::Int => (0, 2, Some(&["base"])),
            Self::Zip => (0, usize::MAX, Some(&[])),
            Self::Abs
            | Self::All
            | Self::Any
            | Self::BaseName
            | Self::Bin
            | Self::Chr
            | Self::DirectoryName
            | Self::Hex
            | Self::Include
            | Self::Len
            | Self::Oct
            | Self::Ord
            | Self::Repr
            | Self::Reversed
            | Self::UnicodeChr => (1, 1, Some(&[])),
            Self::Open => (1, 2, Some(&["mode"])),
            Self::Round => (1, 2, Some(&["ndigits"])),
            Self::Enumerate => (1, 2, Some(&["start"])),
            Self::GetEnvironment | Self::Sum => (1, 2, Some(&[])),
            Self::Range => (1, 3, Some(&[])),
            Self::Sorted => (1, 4, Some(&["cmp", "key", "reverse"])),
            Self::Max | Self::Min => (1, usize::MAX, Some(&["key"])),
            Self::JoinPath => (1, usize::MAX, Some(&[])),
            Self::Compare | Self::DivMod | Self::Filter | Self::HasAttribute | Self::IsInstance => (2, 2, Some(&[])),
            Self::GetAttribute | Self::Power | Self::Reduce => (2, 3, Some(&[])),
            Self::Map => (2, usize::MAX, Some(&[])),
        }
    }

    /// What configurations call it.
    fn name(self) -> &'static str {
        match self {
            Self::BaseName => "basename",
            Self::DirectoryName => "dirname",
            Self::GetEnvironment => "getenv",
            Self::GetUser => "getuser",
            Self::JoinPath => "join",
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
            Self::Abs => "abs",
            Self::All => "all",
            Self::Any => "any",
            Self::Bin => "bin",
            Self::Bool => "bool",
            Self::Chr => "chr",
            Self::Compare => "cmp",
            Self::Dict => "dict",
            Self::DivMod => "divmod",
            Self::Enumerate => "enumerate",
            Self::Filter => "filter",
            Self::Float => "float",
            Self::GetAttribute => "getattr",
            Self::HasAttribute => "hasattr",
            Self::Hex => "hex",
            Self::Include => "include",
            Self::Int => "int",
            Self::IsInstance => "isinstance",
            Self::Len => "len",
            Self::List => "list",
            Self::Map => "map",
            Self::Max => "max",
            Self::Min => "min",
            Self::Object => "object",
            Self::Oct => "oct",
            Self::Open => "open",
            Self::Ord => "ord",
            Self::Power => "pow",
            Self::Range => "range",
            Self::Reduce => "reduce",
            Self::Repr => "repr",
            Self::Reversed => "reversed",
            Self::Round => "round",
            Self::Set => "set",
            Self::Sorted => "sorted",
            Self::Str => "str",
            Self::Sum => "sum",
            Self::Tuple => "tuple",
            Self::UnicodeChr => "unichr",
            Self::Zip => "zip",
        }
    }
}

/// Makes what a name means: a value may hold what is no constant.
type Maker = fn() -> Value;

const OTHERS: &[(&str, Maker)] = &[
    ("String", || Value::Type(Type::String)),
    ("Integer", || Value::Type(Type::Integer)),
    ("Float", || Value::Type(Type::Float)),
    ("Boolean", || Value::Type(Type::Boolean)),
    ("Struct", || Value::TypeMaker(TypeMaker::Struct)),
    ("List", || Value::TypeMaker(TypeMaker::List)),
    ("Map", || Value::TypeMaker(TypeMaker::Map)),
    ("Enum", || Value::TypeMaker(TypeMaker::Enum)),
    ("Choice", || Value::TypeMaker(TypeMaker::Choice)),
    ("Required", || Value::TypeMaker(TypeMaker::Required)),
    ("Default", || Value::TypeMaker(TypeMaker::Default)),
    ("Environment", || Value::TypeMaker(TypeMaker::Environment)),
    ("Empty", || Value::Empty),
    ("Options", || Value::Module(Module::Options)),
    ("Processes", || Value::Module(Module::Processes)),
    ("Tasks", || Value::Module(Module::Tasks)),
    ("order", || Value::Helper(Helper::Order)),
    ("SequentialTask", || Value::Helper(Helper::Sequential)),
    ("SimpleTask", || Value::Helper(Helper::Simple)),
    ("combine_tasks", || Value::Helper(Helper::Combine)),
    ("concat_tasks", || Value::Helper(Helper::Concatenate)),
    ("java_options", || Value::Helper(Helper::JavaOptions)),
    ("python_options", || Value::Helper(Helper::PythonOptions)),
];

/// What a name of the language means.
pub(super) fn named(name: &str) -> Option<Value> {
    if let Ok(at) = NAMES.binary_search_by(|(known, _)| (*known).cmp(name)) {
        return Some(Value::Builtin(NAMES[at].1));
    }
    OTHERS.iter().find(|(known, _)| *known == name).map(|(_, value)| value())
}

/// The names of the language.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name).chain(OTHERS.iter().map(|(name, _)| *name))
}

impl Evaluator<'_> {
    pub(super) fn call_builtin(&mut self, builtin: Builtin, arguments: Arguments, span: Span) -> Result<Value> {
        let (least, most, names) = builtin.signature();
        arguments.check(builtin.name(), least, most, names, span)?;
        let given = |index: usize| arguments.plain.get(index).map(|argument| argument.value.clone());
        let needed =
            |index: usize| given(index).map_or_else(|| fail(Code::Type, span, "a value is missing in this call"), Ok);
        let whole = |index: usize| match needed(index)?.number() {
            Some(Number::Integer(value)) => Ok(value),
            Some(Number::Float(_)) | None => {
                fail(Code::Type, span, format!("{} is no whole number", needed(index)?.described()))
            }
        };
        if arguments.plain.iter().any(|argument| matches!(argument.value, Value::Unknown)) {
            return Err(Failure::Reported);
        }
        Ok(match builtin {
            Builtin::Include => return self.include(&arguments, span),
            Builtin::Open => return self.open(&arguments, span),
            Builtin::BaseName
            | Builtin::DirectoryName
            | Builtin::GetEnvironment
            | Builtin::GetUser
            | Builtin::JoinPath
            | Builtin::Md5
            | Builtin::Sha256 => return self.call_module(builtin, &arguments, span),
            Builtin::Object => return fail(Code::Unsupported, span, "plain objects are of no use in config files"),
            Builtin::Str => {
                let value = given(0).unwrap_or_else(|| Value::text(""));
                let text = match value {
                    Value::Text(text) => return Ok(Value::Text(text)),
                    other => self.shown(&other),
                };
                self.budget.text(text.len()).at(span)?;
                Value::text(text)
            }
            Builtin::Repr => {
                let text = self.repr(&needed(0)?);
                self.budget.text(text.len()).at(span)?;
                Value::text(text)
            }
            Builtin::Int => {
                return match (given(0), arguments.value(1, "base")) {
                    (Some(Value::Text(text)), Some(Value::Integer(base))) => {
                        self.integer_of_base(text.as_str(), *base, span)
                    }
                    (_, Some(_)) => fail(Code::Type, span, "a base goes with a string"),
                    (value, None) => self.to_number(&value.unwrap_or(Value::Integer(0)), false, span),
                };
            }
            Builtin::Float => return self.to_number(&given(0).unwrap_or(Value::Integer(0)), true, span),
            Builtin::Bool => Value::Boolean(given(0).is_some_and(|value| value.is_true())),
            Builtin::Len => Value::Integer(self.length(&needed(0)?, span)? as i64),
            Builtin::Range => return self.range(&arguments, span),
            Builtin::List => Value::list(given(0).map_or(Ok(Vec::new()), |value| self.iterate(&value, span))?),
            Builtin::Tuple => Value::Tuple(given(0).map_or(Ok(Vec::new()), |value| self.iterate(&value, span))?.into()),
            Builtin::Set => Value::set(given(0).map_or(Ok(Dict::default()), |value| self.set_of(&value, span))?),
            Builtin::Dict => {
                let mut dict = given(0).map_or(Ok(Dict::default()), |value| self.dict_of(&value, span))?;
                dict.extend(
                    arguments.named.iter().map(|(name, _, argument)| (Key::Text(name.clone()), argument.value.clone())),
                );
                Value::dict(dict)
            }
            Builtin::Enumerate => {
                let start = match arguments.value(1, "start") {
                    Some(Value::Integer(start)) => *start,
                    Some(other) => return fail(Code::Type, span, format!("{} is no whole number", other.described())),
                    None => 0,
                };
                let items = self.iterate(&needed(0)?, span)?;
                let pair =
                    |(index, item)| Value::Tuple(Rc::new([Value::Integer(start.saturating_add(index as i64)), item]));
                Value::list(items.into_iter().enumerate().map(pair).collect())
            }
            Builtin::Zip => {
                let columns = arguments
                    .plain
                    .iter()
                    .map(|Argument { value, span }| self.iterate(value, *span))
                    .collect::<Result<Vec<_>>>()?;
                let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
                let row = |index: usize| Value::Tuple(columns.iter().map(|column| column[index].clone()).collect());
                Value::list((0..rows).map(row).collect())
            }
            Builtin::Map => {
                let function = needed(0)?;
                let columns = arguments
                    .plain
                    .iter()
                    .skip(1)
                    .map(|Argument { value, span }| self.iterate(value, *span))
                    .collect::<Result<Vec<_>>>()?;
                // Python 2 fills the shorter ones with None, and takes None for a function that gives what it gets.
                let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
                let mut out = Vec::with_capacity(rows);
                for index in 0..rows {
                    let row = columns.iter().map(|column| column.get(index).cloned().unwrap_or(Value::None));
                    let mut row: Vec<Value> = row.collect();
                    out.push(match (&function, row.len()) {
                        (Value::None, 1) => row.remove(0),
                        (Value::None, _) => Value::Tuple(row.into()),
                        (function, _) => self.call_with(function, row, span)?,
                    });
                }
                Value::list(out)
            }
            Builtin::Filter => {
                let (function, items) = (needed(0)?, needed(1)?);
                let mut out = Vec::new();
                for item in self.iterate(&items, span)? {
                    let is_kept = match &function {
                        Value::None => item.is_true(),
                        function => self.call_with(function, vec![item.clone()], span)?.is_true(),
                    };
                    if is_kept {
                        out.push(item);
                    }
                }
                operator::collected(&items, out)
            }
            Builtin::Reduce => {
                let function = needed(0)?;
                let mut items = self.iterate(&needed(1)?, span)?.into_iter();
                let Some(mut value) = given(2).or_else(|| items.next()) else {
                    return fail(Code::Type, span, "`reduce` of nothing needs a first value");
                };
                for item in items {
                    value = self.call_with(&function, vec![value, item], span)?;
                }
                value
            }
            Builtin::Sorted => {
                let items = self.iterate(&needed(0)?, span)?;
                Value::list(self.sorted(items, &Sorting::of(&arguments, 1), span)?)
            }
            Builtin::Reversed => Value::list(self.iterate(&needed(0)?, span)?.into_iter().rev().collect()),
            Builtin::Sum => {
                let items = self.iterate(&needed(0)?, span)?;
                let start = given(1).unwrap_or(Value::Integer(0));
                items.into_iter().try_fold(start, |sum, item| {
                    self.binary(sum, crate::syntax::ast::BinaryOperator::Add, item, span)
                })?
            }
            Builtin::Min | Builtin::Max => {
                let items = match arguments.plain.as_slice() {
                    [only] => self.iterate(&only.value, span)?,
                    several => several.iter().map(|argument| argument.value.clone()).collect(),
                };
                return self.extreme(builtin, items, &arguments, span);
            }
            Builtin::All => Value::Boolean(self.iterate(&needed(0)?, span)?.iter().all(Value::is_true)),
            Builtin::Any => Value::Boolean(self.iterate(&needed(0)?, span)?.iter().any(Value::is_true)),
            Builtin::Abs => match needed(0)? {
                Value::Integer(value) => Value::Integer(value.saturating_abs()),
                Value::Float(value) => Value::Float(value.abs()),
                other => return fail(Code::Type, span, format!("{} is no number", other.described())),
            },
            Builtin::Round => {
                let digits = match arguments.value(1, "ndigits") {
                    Some(Value::Integer(digits)) => *digits,
                    Some(other) => return fail(Code::Type, span, format!("{} is no whole number", other.described())),
                    None => 0,
                };
                match needed(0)?.number() {
                    Some(number) => Value::Float(arithmetic::rounded(number.as_float(), digits)),
                    None => return fail(Code::Type, span, format!("{} is no number", needed(0)?.described())),
                }
            }
            Builtin::Bin => Value::text(arithmetic::in_base(whole(0)?, "0b")),
            Builtin::Hex => Value::text(arithmetic::in_base(whole(0)?, "0x")),
            Builtin::Oct => Value::text(arithmetic::in_base(whole(0)?, "0")),
            Builtin::Compare => Value::Integer(self.order(&needed(0)?, &needed(1)?, span)? as i64),
            Builtin::DivMod => return self.divided(needed(0)?, needed(1)?, span),
            Builtin::Power => return self.power(needed(0)?, needed(1)?, given(2), span),
            Builtin::GetAttribute | Builtin::HasAttribute => {
                let Value::Text(text) = needed(1)? else {
                    return fail(Code::Type, span, "the name of an attribute is a string");
                };
                let name = Name { text: text.as_str().into(), span };
                return match (builtin, self.attribute(&needed(0)?, &name), given(2)) {
                    (Builtin::HasAttribute, found, _) => Ok(Value::Boolean(found.is_ok())),
                    (_, Err(Failure::New(_)), Some(default)) => Ok(default),
                    (_, found, _) => found,
                };
            }
            Builtin::UnicodeChr => match u32::try_from(whole(0)?).ok().and_then(char::from_u32) {
                Some(c) => Value::text(c.to_string()),
                None => return fail(Code::Type, span, format!("{} is no character", needed(0)?.described())),
            },
            Builtin::Chr => match needed(0)? {
                Value::Integer(code @ 0..=127) => Value::text(char::from(code as u8).to_string()),
                other => return fail(Code::Type, span, format!("{} is no character", other.described())),
            },
            Builtin::Ord => match needed(0)? {
                Value::Text(text) if text.as_str().chars().count() == 1 => {
                    Value::Integer(text.as_str().chars().next().map_or(0, |c| i64::from(u32::from(c))))
                }
                other => return fail(Code::Type, span, format!("{} is no single character", other.described())),
            },
            Builtin::IsInstance => {
                let (value, kinds) = (needed(0)?, needed(1)?);
                let kinds = kinds.listed().unwrap_or_else(|| vec![kinds]);
                let mut is_one = false;
                for kind in &kinds {
                    is_one |= is_instance(&value, kind)
                        .ok_or_else(|| Failure::from(Diagnostic::error(Code::Type, span, "this is no type")))?;
                }
                Value::Boolean(is_one)
            }
        })
    }

    /// The smallest or the greatest element: the first of those that are equal.
    fn extreme(&mut self, builtin: Builtin, items: Vec<Value>, arguments: &Arguments, span: Span) -> Result<Value> {
        let key = arguments.named("key").filter(|key| !matches!(key, Value::None));
        let mut best: Option<(Value, Value)> = None;
        for item in items {
            let ranked = match key {
                Some(function) => self.call_with(function, vec![item.clone()], span)?,
                None => item.clone(),
            };
            let is_better = match &best {
                None => true,
                Some((known, _)) => {
                    let order = self.order(&ranked, known, span)?;
                    if builtin == Builtin::Min { order.is_lt() } else { order.is_gt() }
                }
            };
            if is_better {
                best = Some((ranked, item));
            }
        }
        best.map_or_else(|| fail(Code::Type, span, "there is nothing to choose from"), |(_, item)| Ok(item))
    }

    fn range(&mut self, arguments: &Arguments, span: Span) -> Result<Value> {
        let mut numbers = Vec::new();
        for argument in &arguments.plain {
            match argument.value.number() {
                Some(Number::Integer(number)) => numbers.push(number),
                Some(Number::Float(_)) | None => {
                    let message = format!("{} is no whole number", argument.value.described());
                    return fail(Code::Type, argument.span, message);
                }
            }
        }
        let (start, end, step) = match numbers[..] {
            [end] => (0, end, 1),
            [start, end] => (start, end, 1),
            [start, end, step] if step != 0 => (start, end, step),
            _ => return fail(Code::Type, span, "`range` takes an end, or a start, an end and a step that is not 0"),
        };
        let distance = if step > 0 { i128::from(end) - i128::from(start) } else { i128::from(start) - i128::from(end) };
        let width = i128::from(step.unsigned_abs());
        let count = if distance <= 0 { 0 } else { (distance + width - 1) / width };
        self.budget.elements(usize::try_from(count).unwrap_or(usize::MAX)).at(span)?;
        Ok(Value::list((0..count as i64).map(|index| Value::Integer(start + index * step)).collect()))
    }
}

fn is_instance(value: &Value, kind: &Value) -> Option<bool> {
    Some(match kind {
        Value::Builtin(Builtin::Str) => matches!(value, Value::Text(_)),
        Value::Builtin(Builtin::Int) => matches!(value, Value::Integer(_) | Value::Boolean(_)),
        Value::Builtin(Builtin::Float) => matches!(value, Value::Float(_)),
        Value::Builtin(Builtin::Bool) => matches!(value, Value::Boolean(_)),
        Value::Builtin(Builtin::List) => matches!(value, Value::List(_)),
        Value::Builtin(Builtin::Tuple) => matches!(value, Value::Tuple(_)),
        Value::Builtin(Builtin::Dict) => matches!(value, Value::Dict(_)),
        Value::Builtin(Builtin::Set) => matches!(value, Value::Set(_)),
        Value::Type(Type::Struct(kind)) => {
            matches!(value, Value::Object(object) if object.struct_type().is_some_and(|known| std::sync::Arc::ptr_eq(known, kind)))
        }
        Value::Type(kind) => {
            matches!(value, Value::Object(object) if matches!(&object.shape, Shape::Scalar(known, _) if known.to_string() == kind.to_string()))
        }
        Value::Class(name) => matches!(value, Value::Instance(class) if class == name),
        _ => return None,
    })
}
