//! Attributes and methods of values.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::schema::Object;
use crate::source::Span;
use crate::syntax::ast::Name;
use crate::template::Chain;

use super::builtin::Builtin;
use super::sort::Sorting;
use super::value::{Arguments, Dict, Key, Value};
use super::{At, Evaluator, Failure, Result, fail, set, text_method};

const LIST_METHODS: &[&str] = &["append", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const DICT_METHODS: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
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
/// About what an element takes in a list.
const ELEMENT_BYTES: usize = 16;

const OBJECT_METHODS: &[&str] = &["bind", "check", "get", "in_scope", "interpolate"];

impl Evaluator<'_> {
    pub(super) fn attribute(&mut self, value: &Value, name: &Name) -> Result<Value> {
        let method = || Ok(Value::Method(Rc::new(value.clone()), Arc::clone(&name.text)));
        let known: &[&str] = match value {
            Value::Unknown => return Err(Failure::Reported),
            Value::Module(module) => return self.module_attribute(*module, name),
            // A method of a type, as in `map(str.strip, lines)`, takes the value as its first argument.
            Value::Text(_) | Value::Builtin(Builtin::Str) => text_method::METHODS,
            Value::List(_) | Value::Builtin(Builtin::List) => LIST_METHODS,
            Value::Tuple(_) => &["count", "index"],
            Value::Dict(_) | Value::Builtin(Builtin::Dict) => DICT_METHODS,
            Value::Set(_) => set::METHODS,
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
            Value::Set(set) => self.set_method(set, name, &arguments, span),
            Value::Builtin(kind) => self.type_method(*kind, name, arguments, span),
            Value::File(bytes) => Ok(Value::Bytes(Rc::clone(bytes))),
            Value::Digest(digest) => Ok(Value::text(&**digest)),
            Value::Object(object) => self.object_method(object, name, &arguments, span),
            other => fail(Code::Type, span, format!("{} has no methods", other.kind())),
        }
    }

    /// A method of a type called with the value first, as in `str.strip(text)`.
    fn type_method(&mut self, kind: Builtin, name: &str, mut arguments: Arguments, span: Span) -> Result<Value> {
        if name == "fromkeys" {
            arguments.check(name, 1, 2, Some(&[]), span)?;
            let keys =
                arguments.plain.first().map_or(Ok(Dict::default()), |keys| self.set_of(&keys.value, keys.span))?;
            let value = arguments.plain.get(1).map_or(Value::None, |argument| argument.value.clone());
            return Ok(Value::dict(keys.into_keys().map(|key| (key, value.clone())).collect()));
        }
        let is_fitting = arguments.plain.first().is_some_and(|first| match kind {
            Builtin::Str => matches!(first.value, Value::Text(_)),
            Builtin::List => matches!(first.value, Value::List(_)),
            _ => matches!(first.value, Value::Dict(_)),
        });
        if !is_fitting {
            return fail(Code::Type, span, format!("this `{name}` takes the value whose method it is first"));
        }
        let receiver = arguments.plain.remove(0).value;
        self.call_method(&receiver, name, arguments, span)
    }

    fn object_method(&mut self, object: &Arc<Object>, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        match name {
            "bind" => {
                let environments = self.bound(arguments)?;
                self.budget.elements(object.binds.len()).at(span)?;
                Ok(Value::Object(Arc::new(object.bind(environments))))
            }
            "in_scope" => {
                let environments = self.bound(arguments)?;
                self.budget.elements(object.binds.len()).at(span)?;
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

    fn list_method(&mut self, receiver: &Value, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let (least, most, named): (usize, usize, &[&str]) = match name {
            "reverse" => (0, 0, &[]),
            "pop" => (0, 1, &[]),
            "insert" => (2, 2, &[]),
            "sort" => (0, 3, &["cmp", "key", "reverse"]),
            _ => (1, 1, &[]),
        };
        arguments.check(name, least, most, Some(named), span)?;
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
                self.budget.grow(length, 1).at(span)?;
                list.borrow_mut().push(needed(0)?);
            }
            "extend" => {
                let more = self.iterate(&needed(0)?, span)?;
                self.budget.grow(length, more.len()).at(span)?;
                list.borrow_mut().extend(more);
            }
            "insert" => {
                self.budget.grow(length, 1).at(span)?;
                self.budget.scan(length * ELEMENT_BYTES).at(span)?;
                let Value::Integer(at) = needed(0)? else { return fail(Code::Type, span, "`insert` needs a position") };
                let at = if at < 0 { at.saturating_add(length as i64).max(0) } else { at };
                list.borrow_mut().insert(usize::try_from(at).unwrap_or(length).min(length), needed(1)?);
            }
            "pop" => {
                // What is taken from the front moves the rest.
                if !arguments.plain.is_empty() {
                    self.budget.scan(length * ELEMENT_BYTES).at(span)?;
                }
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
                self.budget.scan(length * ELEMENT_BYTES).at(span)?;
                let found = list.borrow().iter().position(|item| self.equal(item, &wanted));
                match found {
                    Some(at) => list.borrow_mut().remove(at),
                    None => return fail(Code::Type, span, "the list does not contain this"),
                };
            }
            "reverse" => list.borrow_mut().reverse(),
            _ => {
                let items = list.borrow().clone();
                let sorted = self.sorted(items, &Sorting::of(arguments, 0), span)?;
                *list.borrow_mut() = sorted;
            }
        }
        Ok(Value::None)
    }

    fn dict_method(&mut self, receiver: &Value, name: &str, arguments: &Arguments, span: Span) -> Result<Value> {
        let Value::Dict(dict) = receiver else { return fail(Code::Type, span, "this is no dict") };
        let (least, most, named): (usize, usize, Option<&[&str]>) = match name {
            "get" | "pop" | "setdefault" => (1, 2, Some(&[])),
            "has_key" => (1, 1, Some(&[])),
            "update" => (0, 1, None),
            "fromkeys" => (1, 2, Some(&[])),
            _ => (0, 0, Some(&[])),
        };
        arguments.check(name, least, most, named, span)?;
        let given = |index: usize| arguments.plain.get(index).map(|argument| argument.value.clone());
        let key = |this: &Self| {
            given(0)
                .map_or_else(|| fail(Code::Type, span, format!("`{name}` needs a key")), |value| this.key(&value, span))
        };
        if !matches!(name, "clear" | "get" | "has_key" | "pop" | "setdefault") {
            self.budget.elements(dict.borrow().len()).at(span)?;
        }
        Ok(match name {
            "keys" | "iterkeys" => Value::list(dict.borrow().keys().map(Key::to_value).collect()),
            "values" | "itervalues" => Value::list(dict.borrow().values().cloned().collect()),
            "items" | "iteritems" => {
                let pair = |(key, value): (&Key, &Value)| Value::Tuple(Rc::new([key.to_value(), value.clone()]));
                Value::list(dict.borrow().iter().map(pair).collect())
            }
            "clear" => {
                dict.borrow_mut().clear();
                Value::None
            }
            "copy" => Value::dict(dict.borrow().clone()),
            "fromkeys" => return self.type_method(Builtin::Dict, name, arguments.clone(), span),
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
}
