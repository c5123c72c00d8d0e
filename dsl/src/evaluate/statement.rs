//! Runs statements.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Block, Expression, Function, Name, Statement, StatementKind, Subscript, Target};

use super::value::{Closure, Value};
use super::{Evaluator, Failure, Result, fail};

/// What a statement leads to.
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return(Value),
}

impl Evaluator<'_> {
    /// Runs a file's statements. One that fails is reported, and what it would have defined becomes unknown.
    pub(super) fn file_block(&mut self, block: &Block) {
        for statement in block {
            if self.is_exceeded {
                return;
            }
            match self.statement(statement) {
                Ok(Flow::Next) => {}
                Ok(Flow::Return(_)) => {
                    let error = Diagnostic::error(Code::Syntax, statement.span, "`return` outside of a function");
                    self.report(error.into());
                }
                Ok(Flow::Break | Flow::Continue) => {
                    let error = Diagnostic::error(Code::Syntax, statement.span, "this stands outside of a loop");
                    self.report(error.into());
                }
                Err(failure) => {
                    self.report(failure);
                    self.forget(statement);
                }
            }
        }
    }

    /// Makes what the statement would have defined unknown.
    fn forget(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Assign { targets, .. } => targets.iter().for_each(|target| self.forget_target(target)),
            StatementKind::Augment { target, .. } => self.forget_target(target),
            StatementKind::Struct { name, .. } | StatementKind::Class { name } => {
                self.set_name(&name.text, Value::Unknown)
            }
            StatementKind::Import(imports) => {
                for import in imports {
                    self.set_name(&import.name.text, Value::Unknown);
                }
            }
            StatementKind::For { target, body, otherwise, .. } => {
                self.forget_target(target);
                body.iter().chain(otherwise).for_each(|statement| self.forget(statement));
            }
            StatementKind::While { body, otherwise, .. } => {
                body.iter().chain(otherwise).for_each(|statement| self.forget(statement))
            }
            StatementKind::If { branches, otherwise } => {
                let bodies = branches.iter().flat_map(|(_, body)| body).chain(otherwise);
                bodies.for_each(|statement| self.forget(statement));
            }
            StatementKind::With { name, body, .. } => {
                self.set_name(&name.text, Value::Unknown);
                body.iter().for_each(|statement| self.forget(statement));
            }
            StatementKind::Expression(_) => self.is_incomplete = true,
            StatementKind::Pass
            | StatementKind::Break
            | StatementKind::Continue
            | StatementKind::Return(_)
            | StatementKind::Delete(_)
            | StatementKind::Assert { .. }
            | StatementKind::Raise(_)
            | StatementKind::Function(_) => {}
        }
    }

    fn forget_target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.set_name(&name.text, Value::Unknown),
            Target::Tuple(targets, _) => targets.iter().for_each(|target| self.forget_target(target)),
            Target::Attribute(..) | Target::Subscript(..) => {}
        }
    }

    pub(super) fn set_name(&mut self, name: &Arc<str>, value: Value) {
        match &self.frame {
            Some(frame) => frame.names.borrow_mut().insert(Arc::clone(name), value),
            None => self.globals.insert(Arc::clone(name), value),
        };
    }

    pub(super) fn block(&mut self, block: &Block) -> Result<Flow> {
        for statement in block {
            match self.statement(statement)? {
                Flow::Next => {}
                flow @ (Flow::Break | Flow::Continue | Flow::Return(_)) => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &Statement) -> Result<Flow> {
        let span = statement.span;
        self.deeper(span, |this| this.statement_here(statement, span))
    }

    fn statement_here(&mut self, statement: &Statement, span: Span) -> Result<Flow> {
        match &statement.kind {
            StatementKind::Pass => {}
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
            StatementKind::Expression(expression) => {
                self.expression(expression)?;
            }
            StatementKind::Assign { targets, value } => {
                let value = self.expression(value)?;
                for target in targets {
                    self.assign(target, value.clone())?;
                }
            }
            StatementKind::Augment { target, operator, value } => {
                let old = self.target_value(target)?;
                let added = self.expression(value)?;
                let result = self.augment(old, *operator, added, span)?;
                self.assign(target, result)?;
            }
            StatementKind::Return(value) => {
                return Ok(Flow::Return(value.as_ref().map_or(Ok(Value::None), |value| self.expression(value))?));
            }
            StatementKind::Delete(targets) => targets.iter().try_for_each(|target| self.delete(target))?,
            StatementKind::Assert { condition, message } => self.assertion(condition, message.as_ref(), span)?,
            StatementKind::Raise(value) => {
                let value = value.as_ref().map(|value| self.expression(value)).transpose()?;
                let text = value.map_or("the configuration raises an error".to_owned(), |value| self.raised(&value));
                return fail(Code::Assertion, span, text);
            }
            StatementKind::Import(imports) => imports.iter().try_for_each(|import| self.import(import))?,
            StatementKind::Struct { name, base, fields } => self.define_struct(name, base, fields)?,
            StatementKind::Class { name } => self.set_name(&name.text, Value::Class(Arc::clone(&name.text))),
            StatementKind::Function(function) => {
                let closure = self.closure(function)?;
                self.set_name(&function.name.text, closure);
            }
            StatementKind::For { target, iterable, body, otherwise } => {
                let items = self.expression(iterable)?;
                for item in self.iterate(&items, iterable.span)? {
                    self.budget_step(span)?;
                    self.assign(target, item)?;
                    match self.block(body)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => return Ok(Flow::Next),
                        flow @ Flow::Return(_) => return Ok(flow),
                    }
                }
                return self.block(otherwise);
            }
            StatementKind::While { condition, body, otherwise } => {
                while self.expression(condition)?.is_true() {
                    self.budget_step(span)?;
                    match self.block(body)? {
                        Flow::Next | Flow::Continue => {}
                        Flow::Break => return Ok(Flow::Next),
                        flow @ Flow::Return(_) => return Ok(flow),
                    }
                }
                return self.block(otherwise);
            }
            StatementKind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.condition(condition)? {
                        return self.block(body);
                    }
                }
                return self.block(otherwise);
            }
            StatementKind::With { value, name, body } => {
                let file = self.expression(value)?;
                if !matches!(file, Value::File(_)) {
                    let error =
                        Diagnostic::error(Code::Unsupported, value.span, "`with` opens a file to read, nothing else");
                    return Err(error.help("bind the value with --bind").into());
                }
                self.set_name(&name.text, file);
                return self.block(body);
            }
        }
        Ok(Flow::Next)
    }

    fn budget_step(&self, span: Span) -> Result<()> {
        super::At::at(self.budget.spend(1), span)
    }

    /// A condition's outcome; an unknown value decides nothing and was reported.
    pub(super) fn condition(&mut self, condition: &Expression) -> Result<bool> {
        match self.expression(condition)? {
            Value::Unknown => Err(Failure::Reported),
            value => Ok(value.is_true()),
        }
    }

    fn assertion(&mut self, condition: &Expression, message: Option<&Expression>, span: Span) -> Result<()> {
        if self.condition(condition)? {
            return Ok(());
        }
        let message = message.map(|message| self.expression(message)).transpose()?;
        let text = message.map_or("this condition does not hold".to_owned(), |message| self.raised(&message));
        fail(Code::Assertion, span, text)
    }

    fn raised(&self, value: &Value) -> String {
        let text = self.shown(value);
        if text.is_empty() { "the configuration raises an error".to_owned() } else { text }
    }

    pub(super) fn closure(&mut self, function: &Rc<Function>) -> Result<Value> {
        let defaults = function.parameters.plain.iter();
        let defaults =
            defaults.map(|(_, default)| default.as_ref().map(|default| self.expression(default)).transpose());
        let defaults = defaults.collect::<Result<_>>()?;
        let closure = Closure { function: Rc::clone(function), defaults, enclosing: self.frame.clone() };
        Ok(Value::Function(Rc::new(closure)))
    }

    pub(super) fn assign(&mut self, target: &Target, value: Value) -> Result<()> {
        match target {
            Target::Name(name) => {
                self.set_name(&name.text, value);
                Ok(())
            }
            Target::Tuple(targets, span) => self.unpack(targets, &value, *span),
            Target::Attribute(name) => {
                let error = Diagnostic::error(
                    Code::Unsupported,
                    name.span,
                    "values do not change: their attributes cannot be set",
                );
                Err(error.help("make a changed copy: object(field = value)").into())
            }
            Target::Subscript(container, subscript, span) => {
                let container = self.expression(container)?;
                let Subscript::Index(index) = &**subscript else {
                    return fail(Code::Unsupported, *span, "slices cannot be assigned to");
                };
                let index = self.expression(index)?;
                self.set_item(&container, &index, value, *span)
            }
        }
    }

    fn unpack(&mut self, targets: &[Target], value: &Value, span: Span) -> Result<()> {
        let items = self.iterate(value, span)?;
        if items.len() != targets.len() {
            return fail(Code::Type, span, format!("{} names for {} values", targets.len(), items.len()));
        }
        targets.iter().zip(items).try_for_each(|(target, item)| self.assign(target, item))
    }

    fn target_value(&mut self, target: &Target) -> Result<Value> {
        match target {
            Target::Name(Name { text, span }) => self.name(text, *span),
            Target::Subscript(container, subscript, span) => {
                let container = self.expression(container)?;
                let Subscript::Index(index) = &**subscript else {
                    return fail(Code::Unsupported, *span, "slices cannot be assigned to");
                };
                let index = self.expression(index)?;
                self.item(&container, &index, *span)
            }
            Target::Attribute(name) => {
                fail(Code::Unsupported, name.span, "values do not change: their attributes cannot be set")
            }
            Target::Tuple(_, span) => fail(Code::Syntax, *span, "several names cannot be changed at once"),
        }
    }

    fn delete(&mut self, target: &Target) -> Result<()> {
        match target {
            Target::Name(name) => {
                let removed = match &self.frame {
                    Some(frame) => frame.names.borrow_mut().remove(&name.text),
                    None => self.globals.remove(&name.text),
                };
                removed.map(|_| ()).ok_or_else(|| self.unknown_name(&name.text, name.span))
            }
            Target::Tuple(targets, _) => targets.iter().try_for_each(|target| self.delete(target)),
            Target::Attribute(name) => {
                fail(Code::Unsupported, name.span, "values do not change: their attributes cannot be deleted")
            }
            Target::Subscript(container, subscript, span) => {
                let container = self.expression(container)?;
                let Subscript::Index(index) = &**subscript else {
                    return fail(Code::Unsupported, *span, "slices cannot be deleted");
                };
                let index = self.expression(index)?;
                self.delete_item(&container, &index, *span)
            }
        }
    }
}
