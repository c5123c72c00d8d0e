//! Attributes and methods of values.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::schema::{Object, Shape};
use crate::source::Span;
use crate::syntax::ast::Name;
use crate::template::Chain;
use crate::text::{Text, TextBuilder};

use super::value::{Argument, Arguments, Dict, Key, Value};
use super::{At, Evaluator, Failure, Result, fail, number};

const TEXT_METHODS: &[&str] = &[
    "capitalize",
    "count",
    "decode",
    "encode",
    "endswith",
    "find",
    "format",
    "index",
    "isdigit",
    "join",
    "lower",
    "lstrip",
    "partition",
    "replace",
    "rfind",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "zfill",
];
const LIST_METHODS: &[&str] = &["append", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const DICT_METHODS: &[&str] = &[
    "copy",
    "get",
    "has_key",
    "items",
    "iteritems",
    "iterkeys",
    "itervalues",
    "keys",
    "pop",
    "setdefault",
    "update",
    "values",
];
const OBJECT_METHODS: &[&str] = &["bind", "check", "get", "in_scope", "interpolate"];

impl Evaluator<'_> {
    pub(super) fn attribute(&mut self, value: &Value, name: &Name) -> Result<Value> {
        let method = || Ok(Value::Method(Rc::new(value.clone()), Arc::clone(&name.text)));
        let known = match value {
            Value::Unknown => return Err(Failure::Reported),
            Value::Module(module) => return self.module_attribute(*module, name),
            Value::Text(_) => TEXT_METHODS,
            Value::List(_) => LIST_METHODS,
            Value::Tuple(_) => &["count", "index"],
            Value::Dict(_) => DICT_METHODS,
            Value::Set(_) => &["union", "intersection", "difference"],
            Value::File(_) => &["read"],
            Value::Digest(_) => &["hexdigest"],
            Value::Object(object) => {
                let is_field = object.struct_type().is_some_and(|kind| {
                    kind.position(&name.text).is_some()
                        || name.text.strip_prefix("has_").is_some_and(|field| kind.position(field).is_some())
                });
                if is_field {
                    return method();
                }
                OBJECT_METHODS
            }
            _ => &[],
        };
        if known.contains(&&*name.text) {
            return method();
        }
        let mut candidates = known.to_vec();
        if let Value::Object(object) = value
            && let Some(kind) = object.struct_type()
        {
            candidates.extend(kind.field_names());
        }
        let error = Diagnostic::error(Code::Name, name.span, format!("{} has no `{}`", value.kind(), name.text));
        Err(error.help_if(did_you_mean(&name.text, candidates)).into())
    }

    pub(super) fn call_method(
        &mut self,
        receiver: &Value,
        name: &str,
        arguments: Arguments,
        span: Span,
    ) -> Result<Value> {
        match receiver {
            Value::Text(text) => self.text_method(text, name, &arguments, span),
            Value::List(_) | Value::Tuple(_) => self.list_method(receiver, name, &arguments, span),
            Value::Dict(_) => self.dict_method(receiver, name, &arguments, span),
            Value::Set(items) => {
                let other = arguments
                    .plain
                    .first()
                    .map_or(Ok(Vec::new()), |argument| self.iterate(&argument.value, argument.span))?;
                let other = other.iter().map(|item| self.key(item, span)).collect::<Result<Vec<_>>>()?;
                let keys: Vec<Key> = match name {
                    "union" => items.keys().cloned().chain(other).collect(),
                    "intersection" => items.keys().filter(|key| other.contains(key)).cloned().collect(),
                    _ => items.keys().filter(|key| !other.contains(key)).cloned().collect(),
                };
                Ok(Value::Set(Rc::new(keys.into_iter().map(|key| (key, Value::None)).collect())))
            }
            Value::File(bytes) => Ok(Value::Bytes(Rc::clone(bytes))),
            Value::Digest(digest) => Ok(Value::text(&**digest)),
            Value::Object(object) => self.object_method(object, name, &arguments, span),
            other => fail(Code::Type, span, format!("{} has no methods", other.kind())),
        }
    }

    fn object_method(&mut self, object: &Arc<Object>, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        match name {
            "bind" => {
                let environments = self.bound(arguments)?;
                Ok(Value::Object(Arc::new(object.bind(environments))))
            }
            "in_scope" => {
                let environments = self.bound(arguments)?;
                let mut scoped = (**object).clone();
                scoped.binds.extend(environments.into_iter().rev());
                Ok(Value::Object(Arc::new(scoped)))
            }
            "interpolate" => {
                let resolved = self.interpolated(object)?;
                Ok(Value::Tuple(Rc::new([Value::Object(resolved), Value::list(Vec::new())])))
            }
            "check" => fail(Code::Unsupported, span, "`check` is not needed: every job is checked"),
            "get" => Ok(Value::Object(self.plain(object))),
            _ => {
                if let Some(field) = name.strip_prefix("has_")
                    && object.struct_type().is_some_and(|kind| kind.position(name).is_none())
                {
                    return Ok(Value::Boolean(object.field(field).is_some()));
                }
                self.field_value(object, name)
            }
        }
    }

    /// What `object.field()` gives: the field's value, resolved with the object's own scopes.
    pub(crate) fn field_value(&mut self, object: &Arc<Object>, name: &str) -> Result<Value> {
        let Some(field) = object.field(name) else { return Ok(Value::Empty) };
        let outer = Chain { object, outer: None };
        let resolved = self.resolved(|interpolation| interpolation.object(field, Some(&outer)))?;
        Ok(Value::Object(resolved))
    }

    /// The object resolved with what is bound to it, for showing; itself where that fails.
    pub(super) fn plain(&self, object: &Arc<Object>) -> Arc<Object> {
        let mut cache = crate::template::Cache::default();
        let mut interpolation = crate::template::Interpolation::new(self.budget, &mut cache);
        interpolation.object(object, None)
    }

    fn text_method(&mut self, text: &Text, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let given = |index: usize| arguments.plain.get(index).map(|argument| &argument.value);
        let text_at = |this: &Self, index: usize| given(index).map(|value| this.shown(value));
        let needed = |this: &Self, index: usize| {
            text_at(this, index).map_or_else(|| fail(Code::Type, span, format!("`{name}` needs a string")), Ok)
        };
        let s = text.as_str();
        let texts = |parts: Vec<&str>| Value::list(parts.into_iter().map(Value::text).collect());
        let strip_set = |this: &Self| text_at(this, 0).filter(|set| set != "None");
        let limit = |index: usize| match given(index) {
            Some(Value::Integer(count)) if *count >= 0 => usize::try_from(*count).unwrap_or(usize::MAX - 1),
            _ => usize::MAX - 1,
        };
        let position = |found: Option<usize>| found.map_or(-1, |at| s[..at].chars().count() as i64);
        self.budget.text(s.len()).at(span)?;
        Ok(match name {
            "format" => return self.format_braces(text, arguments, span),
            "join" => return self.join(text, arguments, span),
            "lower" => Value::text(s.to_lowercase()),
            "upper" => Value::text(s.to_uppercase()),
            "capitalize" => {
                let mut chars = s.chars();
                let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
                Value::text(first + &chars.as_str().to_lowercase())
            }
            "title" => Value::text(title(s)),
            "encode" | "decode" => Value::Text(text.clone()),
            "strip" | "lstrip" | "rstrip" => {
                let set = strip_set(self);
                let is_stripped = |c: char| set.as_ref().map_or(c.is_whitespace(), |set| set.contains(c));
                let start = if name == "rstrip" { 0 } else { s.len() - s.trim_start_matches(is_stripped).len() };
                let end = if name == "lstrip" { s.len() } else { s.trim_end_matches(is_stripped).len().max(start) };
                let mut out = TextBuilder::default();
                out.push_range(text, start, end);
                Value::Text(out.finish())
            }
            "replace" => {
                let (from, to) = (needed(self, 0)?, needed(self, 1)?);
                let count = s.matches(from.as_str()).count();
                self.budget.text(s.len() + count.saturating_mul(to.len())).at(span)?;
                Value::text(s.replacen(from.as_str(), &to, limit(2)))
            }
            "startswith" | "endswith" => {
                let wanted = match given(0) {
                    Some(Value::Tuple(items)) => items.iter().map(|item| self.shown(item)).collect(),
                    _ => vec![needed(self, 0)?],
                };
                let is_there = |part: &String| {
                    if name == "startswith" { s.starts_with(part.as_str()) } else { s.ends_with(part.as_str()) }
                };
                Value::Boolean(wanted.iter().any(is_there))
            }
            "find" => Value::Integer(position(s.find(needed(self, 0)?.as_str()))),
            "rfind" => Value::Integer(position(s.rfind(needed(self, 0)?.as_str()))),
            "index" => match s.find(needed(self, 0)?.as_str()) {
                Some(at) => Value::Integer(position(Some(at))),
                None => return fail(Code::Type, span, "the text does not contain this"),
            },
            "count" => Value::Integer(s.matches(needed(self, 0)?.as_str()).count() as i64),
            "isdigit" => Value::Boolean(!s.is_empty() && s.chars().all(|c| c.is_ascii_digit())),
            "zfill" => {
                let width = match given(0) {
                    Some(Value::Integer(width)) => usize::try_from(*width).unwrap_or(0).min(1000),
                    _ => return fail(Code::Type, span, "`zfill` needs a width"),
                };
                let missing = width.saturating_sub(s.chars().count());
                let sign = s.len() - s.trim_start_matches(['-', '+']).len();
                Value::text(format!("{}{}{}", &s[..sign], "0".repeat(missing), &s[sign..]))
            }
            "splitlines" => texts(s.lines().collect()),
            "split" => match strip_set(self) {
                None => texts(s.split_whitespace().collect()),
                Some(separator) if separator.is_empty() => return fail(Code::Type, span, "nothing to split at"),
                Some(separator) => texts(s.splitn(limit(1) + 1, separator.as_str()).collect()),
            },
            "rsplit" => match strip_set(self) {
                None => texts(s.split_whitespace().collect()),
                Some(separator) if separator.is_empty() => return fail(Code::Type, span, "nothing to split at"),
                Some(separator) => {
                    let mut parts: Vec<&str> = s.rsplitn(limit(1) + 1, separator.as_str()).collect();
                    parts.reverse();
                    texts(parts)
                }
            },
            _ => {
                let separator = needed(self, 0)?;
                let found = if name == "partition" {
                    s.split_once(separator.as_str())
                } else {
                    s.rsplit_once(separator.as_str())
                };
                let (before, middle, after) = match found {
                    Some((before, after)) => (before, separator.as_str(), after),
                    None if name == "partition" => (s, "", ""),
                    None => ("", "", s),
                };
                Value::Tuple(Rc::new([before, middle, after].map(Value::text)))
            }
        })
    }

    fn join(&mut self, separator: &Text, arguments: &Arguments, span: Span) -> Result<Value> {
        let Some(Argument { value, span: place }) = arguments.plain.first() else {
            return fail(Code::Type, span, "`join` takes a list of strings");
        };
        let items = self.iterate(value, *place)?;
        let mut out = TextBuilder::default();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_text(separator);
            }
            match item {
                Value::Text(text) => out.push_text(text),
                Value::Object(object) if object.raw().is_some() => out.push_written(&self.shown(item), object.span),
                Value::Unknown => return Err(Failure::Reported),
                other => {
                    return fail(
                        Code::Type,
                        *place,
                        format!("`join` takes strings, and element {index} is {}", other.described()),
                    );
                }
            }
            if out.len() > super::budget::TEXT_LIMIT_BYTES {
                break;
            }
        }
        self.budget.text(out.len()).at(span)?;
        Ok(Value::Text(out.finish()))
    }

    fn list_method(&mut self, receiver: &Value, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let given = |index: usize| arguments.plain.get(index).map(|argument| argument.value.clone());
        let needed =
            |index: usize| given(index).map_or_else(|| fail(Code::Type, span, format!("`{name}` needs a value")), Ok);
        if matches!(name, "count" | "index") {
            let (items, wanted) = (self.iterate(receiver, span)?, needed(0)?);
            if name == "count" {
                return Ok(Value::Integer(items.iter().filter(|item| self.equal(item, &wanted)).count() as i64));
            }
            let found = items.iter().position(|item| self.equal(item, &wanted));
            return found.map_or_else(
                || fail(Code::Type, span, "the list does not contain this"),
                |at| Ok(Value::Integer(at as i64)),
            );
        }
        let Value::List(list) = receiver else { return fail(Code::Type, span, "a tuple cannot be changed") };
        let length = list.borrow().len();
        match name {
            "append" => {
                self.budget.elements(length + 1).at(span)?;
                list.borrow_mut().push(needed(0)?);
            }
            "extend" => {
                let more = self.iterate(&needed(0)?, span)?;
                self.budget.elements(length + more.len()).at(span)?;
                list.borrow_mut().extend(more);
            }
            "insert" => {
                self.budget.elements(length + 1).at(span)?;
                let Value::Integer(at) = needed(0)? else { return fail(Code::Type, span, "`insert` needs a position") };
                let at = if at < 0 { at.saturating_add(length as i64).max(0) } else { at };
                list.borrow_mut().insert(usize::try_from(at).unwrap_or(length).min(length), needed(1)?);
            }
            "pop" => {
                let at = match given(0) {
                    Some(Value::Integer(at)) => {
                        if at < 0 {
                            at + length as i64
                        } else {
                            at
                        }
                    }
                    _ => length as i64 - 1,
                };
                return match usize::try_from(at) {
                    Ok(at) if at < length => Ok(list.borrow_mut().remove(at)),
                    _ => fail(Code::Type, span, "there is no such element"),
                };
            }
            "remove" => {
                let wanted = needed(0)?;
                let found = list.borrow().iter().position(|item| self.equal(item, &wanted));
                match found {
                    Some(at) => list.borrow_mut().remove(at),
                    None => return fail(Code::Type, span, "the list does not contain this"),
                };
            }
            "reverse" => list.borrow_mut().reverse(),
            _ => {
                let items = list.borrow().clone();
                let sorted = self.sorted(items, arguments, 0, span)?;
                *list.borrow_mut() = sorted;
            }
        }
        Ok(Value::None)
    }

    fn dict_method(&mut self, receiver: &Value, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let Value::Dict(dict) = receiver else { return fail(Code::Type, span, "this is no dict") };
        let given = |index: usize| arguments.plain.get(index).map(|argument| argument.value.clone());
        let key = |this: &Self| {
            given(0)
                .map_or_else(|| fail(Code::Type, span, format!("`{name}` needs a key")), |value| this.key(&value, span))
        };
        self.budget.elements(dict.borrow().len()).at(span)?;
        Ok(match name {
            "keys" | "iterkeys" => Value::list(dict.borrow().keys().map(Key::to_value).collect()),
            "values" | "itervalues" => Value::list(dict.borrow().values().cloned().collect()),
            "items" | "iteritems" => {
                let pair = |(key, value): (&Key, &Value)| Value::Tuple(Rc::new([key.to_value(), value.clone()]));
                Value::list(dict.borrow().iter().map(pair).collect())
            }
            "copy" => Value::dict(dict.borrow().clone()),
            "has_key" => Value::Boolean(dict.borrow().contains_key(&key(self)?)),
            "get" => dict.borrow().get(&key(self)?).cloned().or_else(|| given(1)).unwrap_or(Value::None),
            "pop" => {
                let removed = dict.borrow_mut().shift_remove(&key(self)?).or_else(|| given(1));
                match removed {
                    Some(value) => value,
                    None => return fail(Code::Name, span, "the dict has no such key"),
                }
            }
            "setdefault" => {
                let key = key(self)?;
                dict.borrow_mut().entry(key).or_insert_with(|| given(1).unwrap_or(Value::None)).clone()
            }
            _ => {
                let mut more = match given(0) {
                    None => Dict::default(),
                    Some(other) => self.dict_of(&other, span)?,
                };
                more.extend(
                    arguments
                        .named
                        .iter()
                        .map(|(name, _, argument)| (Key::Text(Arc::clone(name)), argument.value.clone())),
                );
                dict.borrow_mut().extend(more);
                Value::None
            }
        })
    }

    /// A dict, or pairs as one.
    pub(super) fn dict_of(&mut self, value: &Value, span: Span) -> Result<Dict> {
        if let Value::Dict(dict) = value {
            return Ok(dict.borrow().clone());
        }
        let mut dict = Dict::default();
        for pair in self.iterate(value, span)? {
            match self.iterate(&pair, span)?.as_slice() {
                [key, value] => dict.insert(self.key(key, span)?, value.clone()),
                _ => return fail(Code::Type, span, "a dict is made of pairs"),
            };
        }
        Ok(dict)
    }

    /// The elements in order, with Python's `key` and `reverse`.
    pub(super) fn sorted(
        &mut self,
        items: Vec<Value>,
        arguments: &Arguments,
        skipped: usize,
        span: Span,
    ) -> Result<Vec<Value>> {
        let named = |name: &str| {
            arguments.named.iter().find(|(known, ..)| **known == *name).map(|(_, _, argument)| argument.value.clone())
        };
        if arguments.plain.len() > skipped {
            return fail(Code::Unsupported, span, "elements are compared by `key`, not by a function of two");
        }
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let key = match named("key") {
                Some(function) => self.call_with(&function, vec![item.clone()], span)?,
                None => item.clone(),
            };
            keyed.push((key, item));
        }
        let mut failure = None;
        let mut order = |left: &Value, right: &Value| {
            self.order(left, right, span).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                std::cmp::Ordering::Equal
            })
        };
        // A merge sort of our own order: an order that fails half-way is none the standard sort would accept.
        let mut sorted = merge_sort(keyed, &mut order);
        if let Some(failure) = failure {
            return Err(failure);
        }
        if named("reverse").is_some_and(|reverse| reverse.is_true()) {
            sorted.reverse();
        }
        Ok(sorted.into_iter().map(|(_, item)| item).collect())
    }
}

fn merge_sort(
    mut items: Vec<(Value, Value)>,
    order: &mut impl FnMut(&Value, &Value) -> std::cmp::Ordering,
) -> Vec<(Value, Value)> {
    if items.len() < 2 {
        return items;
    }
    let second = items.split_off(items.len() / 2);
    let first = merge_sort(items, order);
    let second = merge_sort(second, order);
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    while let (Some(left), Some(right)) = (first.peek(), second.peek()) {
        let from_second = order(&left.0, &right.0).is_gt();
        merged.extend(if from_second { second.next() } else { first.next() });
    }
    merged.extend(first);
    merged.extend(second);
    merged
}

fn title(text: &str) -> String {
    let mut is_inside = false;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        is_inside = c.is_alphabetic();
    }
    out
}

impl Evaluator<'_> {
    /// `int(value)` and `float(value)`.
    pub(super) fn to_number(&self, value: &Value, is_float: bool, span: Span) -> Result<Value> {
        let text = match value {
            Value::Integer(value) => {
                return Ok(if is_float { Value::Float(*value as f64) } else { Value::Integer(*value) });
            }
            Value::Boolean(value) => {
                return Ok(if is_float {
                    Value::Float(f64::from(u8::from(*value)))
                } else {
                    Value::Integer(i64::from(*value))
                });
            }
            Value::Float(value) => {
                return Ok(if is_float { Value::Float(*value) } else { Value::Integer(*value as i64) });
            }
            Value::Unknown => return Err(Failure::Reported),
            Value::Object(object) if matches!(object.shape, Shape::Scalar(..)) => self.shown(value),
            Value::Text(text) => text.as_str().to_owned(),
            other => return fail(Code::Type, span, format!("{} is no number", other.described())),
        };
        let parsed = if is_float {
            number::parse_float(&text).map(Value::Float)
        } else {
            number::parse_integer(&text).map(Value::Integer)
        };
        parsed.map_or_else(|| fail(Code::Type, span, format!("`{text}` is no number")), Ok)
    }
}
