//! Python 2's order of values, and sorting by it.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::diagnostic::Code;
use crate::source::Span;

use super::value::{Arguments, Value};
use super::{At, Evaluator, Result, fail};

/// What `sorted`, `sort`, `min` and `max` are told.
pub(super) struct Sorting {
    /// A function of two elements, which gives a negative number, zero or a positive one.
    compare: Option<Value>,
    key: Option<Value>,
    is_reversed: bool,
}

impl Sorting {
    /// `cmp`, `key` and `reverse` by name, or from the position `first` on.
    pub(super) fn of(arguments: &Arguments, first: usize) -> Self {
        let given = |index: usize, name: &str| {
            let value = arguments.value(first + index, name)?;
            (!matches!(value, Value::None)).then(|| value.clone())
        };
        Self {
            compare: given(0, "cmp"),
            key: given(1, "key"),
            is_reversed: given(2, "reverse").is_some_and(|reverse| reverse.is_true()),
        }
    }
}

impl Evaluator<'_> {
    /// The elements in order; those that are equal stay as they stood, reversed or not.
    pub(super) fn sorted(&mut self, items: Vec<Value>, sorting: &Sorting, span: Span) -> Result<Vec<Value>> {
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let key = match &sorting.key {
                Some(function) => self.call_with(function, vec![item.clone()], span)?,
                None => item.clone(),
            };
            keyed.push((key, item));
        }
        if sorting.is_reversed {
            keyed.reverse();
        }
        let mut failure = None;
        let mut order = |left: &Value, right: &Value| {
            if failure.is_some() {
                return Ordering::Equal;
            }
            let order = match &sorting.compare {
                None => self.order(left, right, span),
                Some(function) => self
                    .call_with(function, vec![left.clone(), right.clone()], span)
                    .and_then(|sign| self.order(&sign, &Value::Integer(0), span)),
            };
            order.unwrap_or_else(|error| {
                failure = Some(error);
                Ordering::Equal
            })
        };
        // A merge sort of our own order: an order that fails half-way is none the standard sort would accept.
        let mut sorted = merge_sort(keyed, &mut order);
        if let Some(failure) = failure {
            return Err(failure);
        }
        if sorting.is_reversed {
            sorted.reverse();
        }
        Ok(sorted.into_iter().map(|(_, item)| item).collect())
    }

    /// The order of two values. Those of different kinds have one as well: None, numbers, then by the names of the kinds.
    pub(super) fn order(&self, left: &Value, right: &Value, span: Span) -> Result<Ordering> {
        self.budget.spend(1).at(span)?;
        let pairwise = |first: &[Value], second: &[Value]| {
            for (left, right) in first.iter().zip(second) {
                match self.order(left, right, span)? {
                    Ordering::Equal => {}
                    different => return Ok(different),
                }
            }
            Ok(first.len().cmp(&second.len()))
        };
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => {
                self.budget.scan(left.as_str().len().min(right.as_str().len())).at(span)?;
                Ok(left.as_str().cmp(right.as_str()))
            }
            (Value::List(first), Value::List(second)) if !Rc::ptr_eq(first, second) => {
                pairwise(&first.borrow(), &second.borrow())
            }
            (Value::List(_), Value::List(_)) | (Value::None, Value::None) => Ok(Ordering::Equal),
            (Value::Tuple(first), Value::Tuple(second)) => pairwise(first, second),
            _ => match (left.number(), right.number()) {
                (Some(left), Some(right)) => Ok(left.order(&right)),
                _ => match (rank(left), rank(right)) {
                    (Some(left), Some(right)) if left != right => Ok(left.cmp(right)),
                    _ => fail(Code::Type, span, format!("{} and {} have no order", left.kind(), right.kind())),
                },
            },
        }
    }
}

/// Where values of a kind stand among those of other kinds.
fn rank(value: &Value) -> Option<&'static str> {
    match value {
        Value::None => Some(""),
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) => Some(" "),
        Value::Dict(_) => Some("dict"),
        Value::List(_) => Some("list"),
        Value::Text(_) => Some("str"),
        Value::Tuple(_) => Some("tuple"),
        Value::Set(_)
        | Value::Function(_)
        | Value::Builtin(_)
        | Value::Helper(_)
        | Value::Method(..)
        | Value::Module(_)
        | Value::Type(_)
        | Value::TypeMaker(_)
        | Value::Field(_)
        | Value::Object(_)
        | Value::Environment(_)
        | Value::Empty
        | Value::Class(_)
        | Value::Instance(_)
        | Value::File(_)
        | Value::Bytes(_)
        | Value::Digest(_)
        | Value::Unknown => None,
    }
}

fn merge_sort(
    mut items: Vec<(Value, Value)>,
    order: &mut impl FnMut(&Value, &Value) -> Ordering,
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
