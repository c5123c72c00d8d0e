//! Sets: what their operators and methods do. Elements keep the order they came in.

use std::cell::RefCell;
use std::rc::Rc;

use crate::diagnostic::Code;
use crate::source::Span;
use crate::syntax::ast::{BinaryOperator, Comparison};

use super::value::{Arguments, Dict, Key, Value};
use super::{At, Evaluator, Result, fail};

pub(super) const METHODS: &[&str] = &[
    "add",
    "clear",
    "copy",
    "difference",
    "discard",
    "intersection",
    "issubset",
    "issuperset",
    "remove",
    "symmetric_difference",
    "union",
    "update",
];

/// The set `first operator second`; nothing for an operator that sets do not have.
pub(super) fn combined(first: &Dict, operator: BinaryOperator, second: &Dict) -> Option<Dict> {
    let only = |these: &Dict, those: &Dict, is_in_both: bool| -> Dict {
        let chosen = these.keys().filter(|key| those.contains_key(*key) == is_in_both);
        chosen.map(|key| (key.clone(), Value::None)).collect()
    };
    match operator {
        BinaryOperator::Or => Some(first.iter().chain(second).map(|(key, _)| (key.clone(), Value::None)).collect()),
        BinaryOperator::And => Some(only(first, second, true)),
        BinaryOperator::Subtract => Some(only(first, second, false)),
        BinaryOperator::Xor => Some(only(first, second, false).into_iter().chain(only(second, first, false)).collect()),
        BinaryOperator::ShiftLeft
        | BinaryOperator::ShiftRight
        | BinaryOperator::Add
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::FloorDivide
        | BinaryOperator::Remainder
        | BinaryOperator::Power => None,
    }
}

/// Whether one set contains the other, as `<` and its like ask of sets; nothing for other comparisons.
pub(super) fn compared(first: &Dict, comparison: Comparison, second: &Dict) -> Option<bool> {
    let within = |these: &Dict, those: &Dict| these.keys().all(|key| those.contains_key(key));
    match comparison {
        Comparison::Less => Some(first.len() < second.len() && within(first, second)),
        Comparison::LessOrEqual => Some(within(first, second)),
        Comparison::Greater => Some(second.len() < first.len() && within(second, first)),
        Comparison::GreaterOrEqual => Some(within(second, first)),
        Comparison::Equal
        | Comparison::NotEqual
        | Comparison::In
        | Comparison::NotIn
        | Comparison::Is
        | Comparison::IsNot => None,
    }
}

impl Evaluator<'_> {
    /// The elements of any value as a set.
    pub(super) fn set_of(&mut self, value: &Value, span: Span) -> Result<Dict> {
        let items = self.iterate(value, span)?;
        items.iter().map(|item| Ok((self.key(item, span)?, Value::None))).collect()
    }

    pub(super) fn set_method(
        &mut self,
        set: &Rc<RefCell<Dict>>,
        name: &str,
        arguments: &Arguments,
        span: Span,
    ) -> Result<Value> {
        let (least, most) = match name {
            "clear" | "copy" => (0, 0),
            "add" | "discard" | "remove" | "issubset" | "issuperset" | "symmetric_difference" => (1, 1),
            _ => (0, usize::MAX),
        };
        arguments.check(name, least, most, Some(&[]), span)?;
        let element = |this: &Self| match arguments.plain.first() {
            Some(argument) => this.key(&argument.value, argument.span),
            None => Ok(Key::None),
        };
        match name {
            "add" => {
                let key = element(self)?;
                self.budget.grow(set.borrow().len(), 1).at(span)?;
                set.borrow_mut().entry(key).or_insert(Value::None);
                return Ok(Value::None);
            }
            "discard" | "remove" => {
                let removed = set.borrow_mut().shift_remove(&element(self)?);
                return match removed {
                    None if name == "remove" => fail(Code::Name, span, "the set does not contain this"),
                    Some(_) | None => Ok(Value::None),
                };
            }
            "clear" => {
                set.borrow_mut().clear();
                return Ok(Value::None);
            }
            _ => {}
        }
        self.budget.elements(set.borrow().len()).at(span)?;
        let others = arguments
            .plain
            .iter()
            .map(|argument| self.set_of(&argument.value, argument.span))
            .collect::<Result<Vec<_>>>()?;
        let comparison = match name {
            "issubset" => Some(Comparison::LessOrEqual),
            "issuperset" => Some(Comparison::GreaterOrEqual),
            _ => None,
        };
        if let (Some(comparison), Some(other)) = (comparison, others.first()) {
            return Ok(Value::Boolean(compared(&set.borrow(), comparison, other) == Some(true)));
        }
        let operator = match name {
            "difference" => BinaryOperator::Subtract,
            "intersection" => BinaryOperator::And,
            "symmetric_difference" => BinaryOperator::Xor,
            _ => BinaryOperator::Or,
        };
        let start = set.borrow().clone();
        let result = others.iter().fold(start, |all, other| combined(&all, operator, other).unwrap_or(all));
        self.budget.elements(result.len()).at(span)?;
        if name == "update" {
            *set.borrow_mut() = result;
            return Ok(Value::None);
        }
        Ok(Value::set(result))
    }
}
