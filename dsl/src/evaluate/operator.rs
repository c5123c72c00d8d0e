//! Operators, order and equality, items and slices.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Environment, Object, Shape};
use crate::source::Span;
use crate::syntax::ast::BinaryOperator;
use crate::text::{Text, TextBuilder};

use super::number::Number;
use super::set;
use super::value::{Dict, Key, Value};
use super::{At, Evaluator, Failure, Result, fail};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, left: Value, operator: BinaryOperator, right: Value, span: Span) -> Result<Value> {
        if matches!(left, Value::Unknown) || matches!(right, Value::Unknown) {
            return Err(Failure::Reported);
        }
        if let (BinaryOperator::Remainder, Value::Text(format)) = (operator, &left) {
            return self.format_percent(format, &right, span);
        }
        if let (Some(left), Some(right)) = (left.number(), right.number()) {
            return match (left, right) {
                (Number::Integer(left), Number::Integer(right)) => integers(left, operator, right, span),
                (left, right) => floats(left.as_float(), operator, right.as_float(), span),
            };
        }
        match (operator, &left, &right) {
            (BinaryOperator::Add, Value::Text(first), Value::Text(second)) => self.concatenate(first, second, span),
            (BinaryOperator::Add, Value::List(first), Value::List(second)) => {
                let items = first.borrow().iter().chain(second.borrow().iter()).cloned().collect::<Vec<_>>();
                self.budget.elements(items.len()).at(span)?;
                Ok(Value::list(items))
            }
            (BinaryOperator::Add, Value::Tuple(first), Value::Tuple(second)) => {
                self.budget.elements(first.len() + second.len()).at(span)?;
                Ok(Value::Tuple(first.iter().chain(second.iter()).cloned().collect()))
            }
            (BinaryOperator::Multiply, value, Value::Integer(count))
            | (BinaryOperator::Multiply, Value::Integer(count), value) => self.repeat(value, *count, span),
            (BinaryOperator::Multiply, value, Value::Boolean(is_once))
            | (BinaryOperator::Multiply, Value::Boolean(is_once), value) => {
                self.repeat(value, i64::from(*is_once), span)
            }
            (_, Value::Set(first), Value::Set(second)) => {
                self.budget.elements(first.borrow().len() + second.borrow().len()).at(span)?;
                let result = set::combined(&first.borrow(), operator, &second.borrow());
                let Some(result) = result else {
                    let message = format!("`{}` does not work on sets", operator.sign());
                    let error = Diagnostic::error(Code::Type, span, message);
                    return Err(error.help("of sets there are `|`, `&`, `-` and `^`").into());
                };
                Ok(Value::set(result))
            }
            (BinaryOperator::Remainder, Value::Object(object), Value::Dict(_) | Value::Environment(_)) => {
                let environment = self.environment(&right, span)?;
                let bound = Arc::new(object.bind([environment]));
                self.interpolated(&bound).map(Value::Object)
            }
            (BinaryOperator::Add, Value::Text(text), Value::Object(object))
            | (BinaryOperator::Add, Value::Object(object), Value::Text(text))
                if object.raw().is_some() =>
            {
                let other = object.raw().map(crate::schema::Raw::to_text).unwrap_or_else(|| "".into());
                let (first, second) = if matches!(left, Value::Text(_)) { (text, &other) } else { (&other, text) };
                self.concatenate(first, second, span)
            }
            _ => {
                let message = format!("`{}` does not work on {} and {}", operator.sign(), left.kind(), right.kind());
                let error = Diagnostic::error(Code::Type, span, message);
                let is_mixed = matches!((&left, &right), (Value::Text(_), _) | (_, Value::Text(_)))
                    && operator == BinaryOperator::Add;
                Err(error.help_if(is_mixed.then(|| "write str(value), or '…%s…' % value".to_owned())).into())
            }
        }
    }

    /// `+=` and its like: a list grows in place, as whoever else holds it sees.
    pub(super) fn augment(&mut self, left: Value, operator: BinaryOperator, right: Value, span: Span) -> Result<Value> {
        if let (BinaryOperator::Add, Value::List(items)) = (operator, &left) {
            let more = self.iterate(&right, span)?;
            self.budget.grow(items.borrow().len(), more.len()).at(span)?;
            items.borrow_mut().extend(more);
            return Ok(left);
        }
        self.binary(left, operator, right, span)
    }

    fn concatenate(&self, first: &Text, second: &Text, span: Span) -> Result<Value> {
        self.budget.text(first.as_str().len() + second.as_str().len()).at(span)?;
        let mut out = TextBuilder::default();
        out.push_text(first);
        out.push_text(second);
        Ok(Value::Text(out.finish()))
    }

    fn repeat(&self, value: &Value, count: i64, span: Span) -> Result<Value> {
        let count = usize::try_from(count).unwrap_or(0);
        match value {
            Value::Text(text) => {
                self.budget.text(text.as_str().len().saturating_mul(count)).at(span)?;
                Ok(Value::text(text.as_str().repeat(count)))
            }
            Value::List(items) => {
                let items = items.borrow();
                self.budget.elements(items.len().saturating_mul(count)).at(span)?;
                Ok(Value::list(items.iter().cycle().take(items.len() * count).cloned().collect()))
            }
            Value::Tuple(items) => {
                self.budget.elements(items.len().saturating_mul(count)).at(span)?;
                Ok(Value::Tuple(items.iter().cycle().take(items.len() * count).cloned().collect()))
            }
            other => fail(Code::Type, span, format!("{} cannot be multiplied", other.kind())),
        }
    }

    pub(super) fn key(&self, value: &Value, span: Span) -> Result<Key> {
        if let Value::Text(text) = value {
            self.budget.text(text.as_str().len()).at(span)?;
        }
        match value.to_key() {
            Some(key) => Ok(key),
            None if matches!(value, Value::Unknown) => Err(Failure::Reported),
            None => fail(Code::Type, span, format!("{} cannot be a key", value.described())),
        }
    }

    pub(super) fn equal(&self, left: &Value, right: &Value) -> bool {
        self.equal_within(left, right, 50)
    }

    fn equal_within(&self, left: &Value, right: &Value, depth: usize) -> bool {
        if depth == 0 || self.budget.spend(1).is_err() {
            return false;
        }
        let all = |first: &[Value], second: &[Value]| {
            first.len() == second.len()
                && first.iter().zip(second).all(|(left, right)| self.equal_within(left, right, depth - 1))
        };
        match (left, right) {
            (Value::Text(first), Value::Text(second)) => {
                let is_scanned = self.budget.scan(first.as_str().len().min(second.as_str().len()));
                is_scanned.is_ok() && first == second
            }
            (Value::List(first), Value::List(second)) => {
                Rc::ptr_eq(first, second) || all(&first.borrow(), &second.borrow())
            }
            (Value::Tuple(first), Value::Tuple(second)) => all(first, second),
            (Value::Dict(first), Value::Dict(second)) => {
                let (first, second) = (first.borrow(), second.borrow());
                let has = |(key, value): (&Key, &Value)| {
                    second.get(key).is_some_and(|other| self.equal_within(value, other, depth - 1))
                };
                first.len() == second.len() && first.iter().all(has)
            }
            (Value::Set(first), Value::Set(second)) => {
                let (first, second) = (first.borrow(), second.borrow());
                first.len() == second.len() && first.keys().all(|key| second.contains_key(key))
            }
            (Value::Object(first), Value::Object(second)) => Arc::ptr_eq(first, second) || self.same(first, second),
            // `String('a') == 'a'` is false in pystachio.
            (Value::Object(_), _) | (_, Value::Object(_)) => false,
            (Value::Empty, Value::Empty) | (Value::None, Value::None) => true,
            (Value::Type(first), Value::Type(second)) => first.to_string() == second.to_string(),
            (Value::Builtin(first), Value::Builtin(second)) => first == second,
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => left.equals(&right),
                _ => matches!((left.to_key(), right.to_key()), (Some(left), Some(right)) if left == right),
            },
        }
    }

    /// Whether two values of the schema are of one type and come to the same.
    fn same(&self, first: &Arc<Object>, second: &Arc<Object>) -> bool {
        let (first, second) = (self.plain(first), self.plain(second));
        match (&first.shape, &second.shape) {
            (Shape::Scalar(first, left), Shape::Scalar(second, right)) => {
                first.to_string() == second.to_string() && left == right
            }
            (Shape::Struct(left, _), Shape::Struct(right, _)) => {
                Arc::ptr_eq(left, right) && first.to_json() == second.to_json()
            }
            (Shape::List(..), Shape::List(..)) | (Shape::Map(..), Shape::Map(..)) => {
                first.to_json() == second.to_json()
            }
            (Shape::Scalar(..) | Shape::List(..) | Shape::Map(..) | Shape::Struct(..), _) => false,
        }
    }

    /// `is`: the same object, where two of the same value are told apart.
    pub(super) fn is_same(&self, left: &Value, right: &Value) -> bool {
        match (left, right) {
            (Value::List(first), Value::List(second)) => Rc::ptr_eq(first, second),
            (Value::Dict(first), Value::Dict(second)) | (Value::Set(first), Value::Set(second)) => {
                Rc::ptr_eq(first, second)
            }
            (Value::Object(first), Value::Object(second)) => Arc::ptr_eq(first, second),
            (Value::Boolean(first), Value::Boolean(second)) => first == second,
            (Value::Boolean(_), _) | (_, Value::Boolean(_)) => false,
            (Value::Integer(_), Value::Float(_)) | (Value::Float(_), Value::Integer(_)) => false,
            _ => self.equal(left, right),
        }
    }

    pub(super) fn contains(&mut self, container: &Value, item: &Value, span: Span) -> Result<bool> {
        match (container, item) {
            (Value::Text(text), Value::Text(part)) => {
                self.budget.scan(text.as_str().len()).at(span)?;
                Ok(text.as_str().contains(part.as_str()))
            }
            (Value::Text(_), other) => {
                let message = format!("a string contains strings, and {} is none", other.described());
                Err(Diagnostic::error(Code::Type, span, message).help("write str(value)").into())
            }
            (Value::Dict(entries), _) | (Value::Set(entries), _) => {
                let key = self.key(item, span)?;
                Ok(entries.borrow().contains_key(&key))
            }
            (Value::Module(module), _) => self.module_contains(*module, item, span),
            (Value::Object(map), _) if matches!(map.shape, Shape::Map(..)) => {
                let wanted = self.shown(item);
                Ok(map.entries().iter().any(|(key, _)| key.shown() == wanted))
            }
            _ => {
                let found = match container {
                    Value::List(items) => items.borrow().iter().any(|other| self.equal(other, item)),
                    Value::Tuple(items) => items.iter().any(|other| self.equal(other, item)),
                    _ => self.iterate(container, span)?.iter().any(|other| self.equal(other, item)),
                };
                // Where the steps ran out, nothing is equal any more.
                self.budget.spend(1).at(span)?;
                Ok(found)
            }
        }
    }

    /// How many elements a value has.
    pub(super) fn length(&mut self, value: &Value, span: Span) -> Result<usize> {
        match value {
            Value::Text(text) => {
                self.budget.scan(text.as_str().len()).at(span)?;
                Ok(text.as_str().chars().count())
            }
            Value::List(items) => Ok(items.borrow().len()),
            Value::Tuple(items) => Ok(items.len()),
            Value::Dict(entries) | Value::Set(entries) => Ok(entries.borrow().len()),
            other => Ok(self.iterate(other, span)?.len()),
        }
    }

    pub(super) fn item(&mut self, container: &Value, index: &Value, span: Span) -> Result<Value> {
        match container {
            Value::Dict(entries) => {
                let key = self.key(index, span)?;
                match entries.borrow().get(&key) {
                    Some(Value::Unknown) => Err(Failure::Reported),
                    Some(value) => Ok(value.clone()),
                    None => fail(Code::Name, span, format!("the dict has no key {}", index.described())),
                }
            }
            Value::Module(module) => self.module_item(*module, index, span),
            Value::Object(object) if matches!(object.shape, Shape::Map(..)) => {
                let wanted = self.shown(index);
                let found = object.entries().iter().find(|(key, _)| key.shown() == wanted);
                match found {
                    Some((_, value)) => Ok(Value::Object(Arc::clone(value))),
                    None => fail(Code::Name, span, format!("the map has no key {}", index.described())),
                }
            }
            _ => {
                let length = self.length(container, span)?;
                let Some(Number::Integer(wanted)) = index.number() else {
                    return fail(Code::Type, span, format!("{} is no position", index.described()));
                };
                let at = if wanted < 0 { wanted.saturating_add(length as i64) } else { wanted };
                let found = match (container, usize::try_from(at)) {
                    (_, Err(_)) => None,
                    (Value::List(items), Ok(at)) => items.borrow().get(at).cloned(),
                    (Value::Tuple(items), Ok(at)) => items.get(at).cloned(),
                    (Value::Text(text), Ok(at)) => text.as_str().chars().nth(at).map(|c| Value::text(c.to_string())),
                    (other, Ok(at)) => self.iterate(other, span)?.get(at).cloned(),
                };
                match found {
                    Some(Value::Unknown) => Err(Failure::Reported),
                    Some(value) => Ok(value),
                    None => fail(Code::Name, span, format!("there is no element {wanted}: there are {length}")),
                }
            }
        }
    }

    pub(super) fn set_item(&mut self, container: &Value, index: &Value, value: Value, span: Span) -> Result<()> {
        match (container, index) {
            (Value::Dict(entries), _) => {
                let key = self.key(index, span)?;
                self.budget.grow(entries.borrow().len(), 1).at(span)?;
                entries.borrow_mut().insert(key, value);
                Ok(())
            }
            (Value::List(items), Value::Integer(wanted)) => {
                let mut items = items.borrow_mut();
                let at = if *wanted < 0 { *wanted + items.len() as i64 } else { *wanted };
                match usize::try_from(at).ok().and_then(|at| items.get_mut(at)) {
                    Some(item) => {
                        *item = value;
                        Ok(())
                    }
                    None => fail(Code::Name, span, format!("there is no element {wanted}")),
                }
            }
            (Value::Unknown, _) => Err(Failure::Reported),
            (other, _) => fail(Code::Type, span, format!("{} cannot be changed", other.kind())),
        }
    }

    pub(super) fn delete_item(&mut self, container: &Value, index: &Value, span: Span) -> Result<()> {
        let missing = || fail(Code::Name, span, format!("there is no element {}", index.described()));
        match (container, index) {
            (Value::Dict(entries), _) => {
                let key = self.key(index, span)?;
                let removed = entries.borrow_mut().shift_remove(&key);
                removed.map_or_else(missing, |_| Ok(()))
            }
            (Value::List(items), Value::Integer(wanted)) => {
                let mut items = items.borrow_mut();
                let at = if *wanted < 0 { *wanted + items.len() as i64 } else { *wanted };
                match usize::try_from(at) {
                    Ok(at) if at < items.len() => {
                        items.remove(at);
                        Ok(())
                    }
                    _ => missing(),
                }
            }
            (other, _) => fail(Code::Type, span, format!("{} cannot be changed", other.kind())),
        }
    }

    pub(super) fn slice(&mut self, value: &Value, bounds: [Option<Value>; 3], span: Span) -> Result<Value> {
        let items = self.iterate(value, span)?;
        let length = items.len() as i64;
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(&bounds) {
            *number = match bound {
                None | Some(Value::None) => None,
                Some(bound) => match bound.number() {
                    Some(Number::Integer(at)) => Some(at),
                    Some(Number::Float(_)) | None => {
                        return fail(Code::Type, span, format!("{} is no position", bound.described()));
                    }
                },
            };
        }
        let [start, end, step] = numbers;
        let step = step.unwrap_or(1);
        if step == 0 {
            return fail(Code::Type, span, "a slice cannot take steps of 0");
        }
        // Forward from 0 up to the length, or backward from the last element down to the one before the first.
        let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let bound = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(lowest, highest);
        let start = start.map_or(if step > 0 { lowest } else { highest }, bound);
        let end = end.map_or(if step > 0 { highest } else { lowest }, bound);
        let mut chosen = Vec::new();
        let mut at = start;
        while if step > 0 { at < end } else { at > end } {
            chosen.extend(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned());
            at = at.saturating_add(step);
        }
        Ok(collected(value, chosen))
    }

    /// What a dict, environment or struct binds, as an environment: dicts in dicts bind dotted names.
    pub(super) fn environment(&mut self, value: &Value, span: Span) -> Result<Arc<Environment>> {
        let mut environment = Environment::default();
        match value {
            Value::Environment(environment) => return Ok(Arc::clone(environment)),
            Value::Dict(entries) => self.bind_entries(&mut environment, "", &entries.borrow(), span)?,
            Value::Object(object) if object.struct_type().is_some() => {
                let names: Vec<Arc<str>> = object
                    .struct_type()
                    .map(|kind| kind.fields.iter().map(|field| Arc::clone(&field.name)).collect())
                    .unwrap_or_default();
                self.check_bound(object, "", span);
                for name in names {
                    if let Some(field) = object.field(&name) {
                        environment.insert(name, crate::schema::Bound::Object(Arc::clone(field)));
                    }
                }
            }
            Value::Unknown => return Err(Failure::Reported),
            other => {
                return fail(
                    Code::Type,
                    span,
                    format!("{} binds no names: give a dict, or name = value", other.described()),
                );
            }
        }
        Ok(Arc::new(environment))
    }

    /// Warns of every required field that a struct does not have when it is bound, unless `--bind` gives it.
    fn check_bound(&mut self, object: &Object, prefix: &str, span: Span) {
        let Some(kind) = object.struct_type() else { return };
        let missing = kind.fields.iter().filter(|field| field.is_required && object.field(&field.name).is_none());
        for field in missing {
            let name = format!("{prefix}{}", field.name);
            if self.given.contains(&name) {
                continue;
            }
            let message = format!("{} is bound without a value for `{}`", kind.name, field.name);
            let warning = Diagnostic::warning(Code::MissingField, object.span.unwrap_or(span), message);
            let warning = warning.help(format!("write {}({} = …), or give --bind {name}=…", kind.name, field.name));
            if !self.diagnostics.contains(&warning) {
                self.diagnostics.push(warning);
            }
        }
    }

    pub(super) fn bind_entries(
        &mut self,
        environment: &mut Environment,
        prefix: &str,
        entries: &Dict,
        span: Span,
    ) -> Result<()> {
        if prefix.len() > 1000 {
            return fail(Code::Limit, span, "dicts nest too deep to be bound");
        }
        for (key, value) in entries {
            let Key::Text(name) = key else {
                return fail(Code::Type, span, "a bound name is a string");
            };
            let name: Arc<str> = if prefix.is_empty() { Arc::clone(name) } else { format!("{prefix}.{name}").into() };
            self.bind_value(environment, &name, value, span)?;
        }
        Ok(())
    }

    pub(super) fn bind_value(
        &mut self,
        environment: &mut Environment,
        name: &Arc<str>,
        value: &Value,
        span: Span,
    ) -> Result<()> {
        self.budget.spend(1).at(span)?;
        let bound = match value {
            Value::Text(text) => crate::schema::Bound::Text(text.clone()),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                crate::schema::Bound::Text(self.shown(value).into())
            }
            Value::Object(object) => {
                self.check_bound(object, &format!("{name}."), span);
                crate::schema::Bound::Object(Arc::clone(object))
            }
            Value::Dict(entries) => return self.bind_entries(environment, name, &entries.borrow(), span),
            Value::Unknown => return Err(Failure::Reported),
            other => {
                let message = format!("`{name}` cannot be bound to {}", other.described());
                let error = Diagnostic::error(Code::Type, span, message);
                let is_list = matches!(other, Value::List(_) | Value::Tuple(_));
                return Err(error.help_if(is_list.then(|| "write List(String)([...])".to_owned())).into());
            }
        };
        environment.insert(Arc::clone(name), bound);
        Ok(())
    }
}

/// The elements as a tuple or a string, where they came from one, else as a list.
pub(super) fn collected(like: &Value, items: Vec<Value>) -> Value {
    match like {
        Value::Tuple(_) => Value::Tuple(items.into()),
        Value::Text(_) => {
            let text =
                items.iter().filter_map(|item| if let Value::Text(text) = item { Some(text.as_str()) } else { None });
            Value::text(text.collect::<String>())
        }
        _ => Value::list(items),
    }
}

fn integers(left: i64, operator: BinaryOperator, right: i64, span: Span) -> Result<Value> {
    if right == 0
        && matches!(operator, BinaryOperator::Divide | BinaryOperator::FloorDivide | BinaryOperator::Remainder)
    {
        return fail(Code::Type, span, "a division by zero");
    }
    let shift = |by: i64| u32::try_from(by).ok().filter(|by| *by < 64);
    let result = match operator {
        BinaryOperator::Or => Some(left | right),
        BinaryOperator::Xor => Some(left ^ right),
        BinaryOperator::And => Some(left & right),
        BinaryOperator::ShiftLeft => shift(right).and_then(|by| left.checked_mul(1_i64.checked_shl(by)?)),
        BinaryOperator::ShiftRight => shift(right).map(|by| left >> by),
        BinaryOperator::Add => left.checked_add(right),
        BinaryOperator::Subtract => left.checked_sub(right),
        BinaryOperator::Multiply => left.checked_mul(right),
        // Python's division rounds down, and its remainder has the divisor's sign.
        BinaryOperator::Divide | BinaryOperator::FloorDivide => left
            .checked_div(right)
            .map(|quotient| if (left % right != 0) && ((left < 0) != (right < 0)) { quotient - 1 } else { quotient }),
        BinaryOperator::Remainder => left
            .checked_rem(right)
            .map(|rest| if rest != 0 && ((rest < 0) != (right < 0)) { rest + right } else { rest }),
        BinaryOperator::Power if right < 0 => return floats(left as f64, operator, right as f64, span),
        BinaryOperator::Power => u32::try_from(right).ok().and_then(|right| left.checked_pow(right)),
    };
    match result {
        Some(value) => Ok(Value::Integer(value)),
        None => fail(Code::Limit, span, format!("the result is too large: whole numbers go up to {}", i64::MAX)),
    }
}

fn floats(left: f64, operator: BinaryOperator, right: f64, span: Span) -> Result<Value> {
    if right == 0.0
        && matches!(operator, BinaryOperator::Divide | BinaryOperator::FloorDivide | BinaryOperator::Remainder)
    {
        return fail(Code::Type, span, "a division by zero");
    }
    let result = match operator {
        BinaryOperator::Add => left + right,
        BinaryOperator::Subtract => left - right,
        BinaryOperator::Multiply => left * right,
        BinaryOperator::Divide => left / right,
        BinaryOperator::FloorDivide => (left / right).floor(),
        BinaryOperator::Remainder => left - right * (left / right).floor(),
        BinaryOperator::Power => left.powf(right),
        BinaryOperator::Or
        | BinaryOperator::Xor
        | BinaryOperator::And
        | BinaryOperator::ShiftLeft
        | BinaryOperator::ShiftRight => {
            return fail(Code::Type, span, format!("`{}` works on whole numbers", operator.sign()));
        }
    };
    Ok(Value::Float(result))
}
