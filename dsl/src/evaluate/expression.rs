//! Evaluates expressions.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, SUGGESTIONS_LIMIT, did_you_mean};
use crate::schema::{prelude, services};
use crate::source::Span;
use crate::syntax::ast::{
    Clause, Comparison, Comprehension, ComprehensionKind, Expression, ExpressionKind, Subscript, UnaryOperator,
};

use super::value::{Dict, Frame, Value};
use super::{At, Evaluator, Failure, Result, builtin, fail, set};

impl Evaluator<'_> {
    pub(super) fn expression(&mut self, expression: &Expression) -> Result<Value> {
        let span = expression.span;
        match &expression.kind {
            ExpressionKind::None => Ok(Value::None),
            ExpressionKind::Boolean(value) => Ok(Value::Boolean(*value)),
            ExpressionKind::Integer(value) => Ok(Value::Integer(*value)),
            ExpressionKind::Float(value) => Ok(Value::Float(*value)),
            ExpressionKind::Text(text) => Ok(Value::Text(text.clone())),
            ExpressionKind::Name(name) => self.name(name, span),
            ExpressionKind::Group(inner) => self.expression(inner),
            _ => self.deeper(span, |this| this.compound(expression, span)),
        }
    }

    fn compound(&mut self, expression: &Expression, span: Span) -> Result<Value> {
        match &expression.kind {
            ExpressionKind::Tuple(items) => Ok(Value::Tuple(self.all(items)?.into())),
            ExpressionKind::List(items) => {
                self.budget.elements(items.len()).at(span)?;
                Ok(Value::list(self.all(items)?))
            }
            ExpressionKind::Set(items) => {
                let mut set = Dict::default();
                for item in items {
                    let value = self.expression(item)?;
                    set.insert(self.key(&value, item.span)?, Value::None);
                }
                Ok(Value::set(set))
            }
            ExpressionKind::Dict(entries) => {
                let mut dict = Dict::default();
                for (key, value) in entries {
                    let name = self.expression(key)?;
                    let name = self.key(&name, key.span)?;
                    dict.insert(name, self.expression(value)?);
                }
                self.budget.elements(dict.len()).at(span)?;
                Ok(Value::dict(dict))
            }
            ExpressionKind::Comprehension(comprehension) => self.comprehension(comprehension, span),
            ExpressionKind::Negate(operator, operand) => {
                let value = self.expression(operand)?;
                negate(*operator, &value, span)
            }
            ExpressionKind::Not(operand) => Ok(Value::Boolean(!self.condition(operand)?)),
            ExpressionKind::Binary { first, rest } => {
                let mut value = self.expression(first)?;
                let start = first.span;
                for (operator, operand) in rest {
                    let right = self.expression(operand)?;
                    value = self.binary(value, *operator, right, start.to(operand.span))?;
                }
                Ok(value)
            }
            ExpressionKind::Compare { first, rest } => {
                let mut left = self.expression(first)?;
                for (comparison, operand) in rest {
                    let right = self.expression(operand)?;
                    if !self.compare(&left, *comparison, &right, span)? {
                        return Ok(Value::Boolean(false));
                    }
                    left = right;
                }
                Ok(Value::Boolean(true))
            }
            ExpressionKind::And(items) => self.shortcut(items, false),
            ExpressionKind::Or(items) => self.shortcut(items, true),
            ExpressionKind::Conditional { condition, then, otherwise } => {
                let branch = if self.condition(condition)? { then } else { otherwise };
                self.expression(branch)
            }
            ExpressionKind::Lambda(function) => self.closure(function),
            ExpressionKind::Call { callee, arguments } => self.call_expression(callee, arguments, span),
            ExpressionKind::Attribute(value, name) => {
                let value = self.expression(value)?;
                self.attribute(&value, name)
            }
            ExpressionKind::Subscript(value, subscript) => {
                let value = self.expression(value)?;
                match &**subscript {
                    Subscript::Index(index) => {
                        let index = self.expression(index)?;
                        self.item(&value, &index, span)
                    }
                    Subscript::Slice { start, end, step } => {
                        let mut bound =
                            |bound: &Option<Expression>| bound.as_ref().map(|bound| self.expression(bound)).transpose();
                        let (start, end, step) = (bound(start)?, bound(end)?, bound(step)?);
                        self.slice(&value, [start, end, step], span)
                    }
                }
            }
            ExpressionKind::None
            | ExpressionKind::Boolean(_)
            | ExpressionKind::Integer(_)
            | ExpressionKind::Float(_)
            | ExpressionKind::Text(_)
            | ExpressionKind::Name(_)
            | ExpressionKind::Group(_) => self.expression(expression),
        }
    }

    /// Every element; one that fails is reported and unknown from then on.
    fn all(&mut self, items: &[Expression]) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match self.expression(item) {
                Ok(value) => values.push(value),
                Err(failure) => {
                    self.report(failure);
                    if self.is_exceeded {
                        return Err(Failure::Reported);
                    }
                    values.push(Value::Unknown);
                }
            }
        }
        Ok(values)
    }

    fn shortcut(&mut self, items: &[Expression], until: bool) -> Result<Value> {
        let mut value = Value::None;
        for item in items {
            value = self.expression(item)?;
            if matches!(value, Value::Unknown) {
                return Err(Failure::Reported);
            }
            if value.is_true() == until {
                break;
            }
        }
        Ok(value)
    }

    /// The value of a name: local, enclosing, global, then what the language brings along.
    pub(super) fn name(&mut self, name: &Arc<str>, span: Span) -> Result<Value> {
        let mut frame = self.frame.as_ref();
        let mut found = None;
        while let Some(here) = frame {
            found = here.names.borrow().get(name).cloned();
            if found.is_some() {
                break;
            }
            frame = here.enclosing.as_ref();
        }
        let found = found.or_else(|| self.globals.get(name).cloned());
        let of_schema = || if self.has_schema { prelude::value(name) } else { None };
        let of_services = || if self.has_schema { services::value(name) } else { None };
        match found.or_else(of_schema).or_else(|| builtin::named(name)).or_else(of_services) {
            Some(Value::Unknown) => Err(Failure::Reported),
            Some(value) => Ok(value),
            None => Err(self.unknown_name(name, span)),
        }
    }

    pub(super) fn unknown_name(&self, name: &str, span: Span) -> Failure {
        if self.is_incomplete {
            return Failure::Reported;
        }
        let error = Diagnostic::error(Code::Name, span, format!("`{name}` is not defined"));
        if self.diagnostics.len() > SUGGESTIONS_LIMIT {
            return error.into();
        }
        let mut known: Vec<&str> = self.globals.keys().map(|name| &**name).collect();
        if self.has_schema {
            known.extend(prelude::names().chain(services::names()).map(|name| -> &str { name }));
        }
        known.extend(builtin::names().map(|name| -> &str { name }));
        known.sort_unstable();
        let advice = match name {
            "os" | "getpass" | "hashlib" => Some(format!("write `import {name}` first")),
            "open" => {
                Some("`with open(path) as f:` reads a file for its checksum; other values come with --bind".to_owned())
            }
            "raw_input" | "input" => Some("a configuration asks nobody: give the value with --bind".to_owned()),
            _ => did_you_mean(name, known),
        };
        error.help_if(advice).into()
    }

    pub(super) fn comprehension(&mut self, comprehension: &Comprehension, span: Span) -> Result<Value> {
        let mut out = Vec::new();
        // What the clauses name is local to all but a list's, where Python 2 lets it out.
        let outer = self.frame.clone();
        if comprehension.kind != ComprehensionKind::List {
            self.frame = Some(Rc::new(Frame { enclosing: outer.clone(), ..Frame::default() }));
        }
        let result = self.clauses(comprehension, &comprehension.clauses, &mut out, span);
        self.frame = outer;
        result?;
        Ok(match comprehension.kind {
            ComprehensionKind::List | ComprehensionKind::Generator => {
                Value::list(out.into_iter().map(|(element, _)| element).collect())
            }
            ComprehensionKind::Set => {
                let keys = out.iter().map(|(element, _)| Ok((self.key(element, span)?, Value::None)));
                Value::set(keys.collect::<Result<Dict>>()?)
            }
            ComprehensionKind::Dict => {
                let entries = out.iter().map(|(key, value)| Ok((self.key(key, span)?, value.clone())));
                Value::dict(entries.collect::<Result<Dict>>()?)
            }
        })
    }

    fn clauses(
        &mut self,
        comprehension: &Comprehension,
        clauses: &[Clause],
        out: &mut Vec<(Value, Value)>,
        span: Span,
    ) -> Result<()> {
        let Some((clause, rest)) = clauses.split_first() else {
            let element = self.expression(&comprehension.element)?;
            let value = comprehension.value.as_ref().map_or(Ok(Value::None), |value| self.expression(value))?;
            if out.len() >= super::budget::ELEMENTS_LIMIT {
                self.budget.elements(out.len() + 1).at(span)?;
            }
            out.push((element, value));
            return Ok(());
        };
        match clause {
            Clause::If(condition) => {
                if self.condition(condition)? {
                    self.clauses(comprehension, rest, out, span)?;
                }
                Ok(())
            }
            Clause::For { target, iterable } => {
                let items = self.expression(iterable)?;
                for item in self.iterate(&items, iterable.span)? {
                    self.budget.spend(1).at(span)?;
                    self.assign(target, item)?;
                    self.clauses(comprehension, rest, out, span)?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn compare(&mut self, left: &Value, comparison: Comparison, right: &Value, span: Span) -> Result<bool> {
        if matches!(left, Value::Unknown) || matches!(right, Value::Unknown) {
            return Err(Failure::Reported);
        }
        if let (Value::Set(first), Value::Set(second)) = (left, right)
            && let Some(holds) = set::compared(&first.borrow(), comparison, &second.borrow())
        {
            return Ok(holds);
        }
        let order = |this: &Self| this.order(left, right, span);
        Ok(match comparison {
            Comparison::Equal => self.equal(left, right),
            Comparison::NotEqual => !self.equal(left, right),
            Comparison::Less => order(self)?.is_lt(),
            Comparison::LessOrEqual => order(self)?.is_le(),
            Comparison::Greater => order(self)?.is_gt(),
            Comparison::GreaterOrEqual => order(self)?.is_ge(),
            Comparison::In => self.contains(right, left, span)?,
            Comparison::NotIn => !self.contains(right, left, span)?,
            Comparison::Is => self.is_same(left, right),
            Comparison::IsNot => !self.is_same(left, right),
        })
    }
}

fn negate(operator: UnaryOperator, value: &Value, span: Span) -> Result<Value> {
    let integer = match value {
        Value::Integer(value) => Some(*value),
        Value::Boolean(value) => Some(i64::from(*value)),
        _ => None,
    };
    let result = match (operator, integer, value) {
        (_, _, Value::Unknown) => return Err(Failure::Reported),
        (UnaryOperator::Minus, Some(value), _) => value.checked_neg().map(Value::Integer),
        (UnaryOperator::Plus, Some(value), _) => Some(Value::Integer(value)),
        (UnaryOperator::Invert, Some(value), _) => Some(Value::Integer(!value)),
        (UnaryOperator::Minus, None, Value::Float(value)) => Some(Value::Float(-value)),
        (UnaryOperator::Plus, None, Value::Float(value)) => Some(Value::Float(*value)),
        _ => None,
    };
    match result {
        Some(value) => Ok(value),
        None => fail(Code::Type, span, format!("{} has no sign", value.described())),
    }
}
