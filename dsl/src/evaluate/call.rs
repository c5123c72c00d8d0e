//! Calls: functions of the file, builtins, methods, and the schema's types.

use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{self, Constructor, Type};
use crate::source::Span;
use crate::syntax::ast::{Argument as AstArgument, Expression, FunctionBody};

use super::statement::Flow;
use super::value::{Argument, Arguments, Closure, Dict, Frame, Key, Value};
use super::{At, Evaluator, Failure, Result, fail};

impl Evaluator<'_> {
    pub(super) fn call_expression(
        &mut self,
        callee: &Expression,
        arguments: &[AstArgument],
        span: Span,
    ) -> Result<Value> {
        let callee_span = callee.span;
        let callee = match self.expression(callee) {
            Ok(callee) => callee,
            Err(failure) => {
                // The arguments may be wrong as well, and are reported with it.
                self.report(failure);
                let _ = self.arguments(arguments);
                return Err(Failure::Reported);
            }
        };
        let arguments = self.arguments(arguments)?;
        self.call(&callee, arguments, callee_span, span)
    }

    /// The arguments' values, and every error in them.
    fn arguments(&mut self, arguments: &[AstArgument]) -> Result<Arguments> {
        let mut out = Arguments::default();
        let mut failed = None;
        for argument in arguments {
            if let Err(failure) = self.argument(argument, &mut out) {
                self.report(failure);
                failed = Some(Failure::Reported);
                if self.is_exceeded {
                    break;
                }
            }
        }
        failed.map_or(Ok(out), Err)
    }

    fn argument(&mut self, argument: &AstArgument, out: &mut Arguments) -> Result<()> {
        match argument {
            AstArgument::Plain(value) => {
                let span = value.span;
                let value = self.expression(value)?;
                out.plain.push(Argument { value, span });
            }
            AstArgument::Keyword(name, value) => {
                if out.named.iter().any(|(known, ..)| *known == name.text) {
                    return fail(Code::Syntax, name.span, format!("`{}` is given twice", name.text));
                }
                let span = value.span;
                let value = self.expression(value)?;
                out.named.push((Arc::clone(&name.text), name.span, Argument { value, span }));
            }
            AstArgument::SpreadList(value) => {
                let span = value.span;
                let items = self.expression(value)?;
                let items = self.iterate(&items, span)?;
                out.plain.extend(items.into_iter().map(|value| Argument { value, span }));
            }
            AstArgument::SpreadMap(value) => {
                let span = value.span;
                let Value::Dict(dict) = self.expression(value)? else {
                    return fail(Code::Type, span, "`**` spreads a dict");
                };
                for (name, value) in dict.borrow().iter() {
                    let Key::Text(name) = name else {
                        return fail(Code::Type, span, "`**` spreads a dict whose keys are strings");
                    };
                    out.named.push((Arc::clone(name), span, Argument { value: value.clone(), span }));
                }
            }
        }
        Ok(())
    }

    pub(super) fn call(
        &mut self,
        callee: &Value,
        arguments: Arguments,
        callee_span: Span,
        span: Span,
    ) -> Result<Value> {
        match callee {
            Value::Function(closure) => self.call_function(closure, arguments, span),
            Value::Builtin(builtin) => self.call_builtin(*builtin, arguments, span),
            Value::Helper(helper) => schema::call_helper(self, *helper, arguments, span),
            Value::Method(receiver, name) => self.call_method(receiver, name, arguments, span),
            Value::Type(kind) => self.construct(kind, arguments, span),
            Value::TypeMaker(maker) => self.make_type(*maker, arguments, span),
            Value::Object(object) if object.struct_type().is_some() => {
                let constructor = constructor(arguments, span);
                let changed = schema::rebind(object, &constructor);
                self.report_all(changed).map(Value::Object)
            }
            Value::Class(name) => Ok(Value::Instance(Arc::clone(name))),
            Value::Unknown => Err(Failure::Reported),
            other => {
                let error =
                    Diagnostic::error(Code::Type, callee_span, format!("{} cannot be called", other.described()));
                Err(error.into())
            }
        }
    }

    fn construct(&mut self, kind: &Type, mut arguments: Arguments, span: Span) -> Result<Value> {
        if let Type::Struct(kind) = kind {
            let made = constructor(arguments, span).construct(kind);
            return self.report_all(made).map(Value::Object);
        }
        if !arguments.named.is_empty() || arguments.plain.len() != 1 {
            return fail(Code::Type, span, format!("{kind} takes one value"));
        }
        let argument = arguments.plain.remove(0);
        let made = schema::coerce(kind, &argument.value, argument.span);
        self.report_all(made).map(Value::Object)
    }

    /// A call from within a builtin, with values that stand nowhere in particular.
    pub(super) fn call_with(&mut self, callee: &Value, values: Vec<Value>, span: Span) -> Result<Value> {
        let plain = values.into_iter().map(|value| Argument { value, span }).collect();
        self.call(callee, Arguments { plain, named: Vec::new() }, span, span)
    }

    fn call_function(&mut self, closure: &Rc<Closure>, arguments: Arguments, span: Span) -> Result<Value> {
        let frame = Frame { enclosing: closure.enclosing.clone(), ..Frame::default() };
        self.bind_parameters(closure, arguments, &frame, span)?;
        let outer = self.frame.replace(Rc::new(frame));
        let result = self.deeper(span, |this| match &closure.function.body {
            FunctionBody::Expression(body) => this.expression(body),
            FunctionBody::Block(block) => match this.block(block)? {
                Flow::Return(value) => Ok(value),
                Flow::Next | Flow::Break | Flow::Continue => Ok(Value::None),
            },
        });
        self.frame = outer;
        result.map_err(|failure| match failure {
            Failure::New(diagnostic) if diagnostic.notes.len() < 4 => Failure::New(Box::new(
                diagnostic.note(format!("in the call of `{}` here", closure.function.name.text), span),
            )),
            other => other,
        })
    }

    fn bind_parameters(&mut self, closure: &Closure, arguments: Arguments, frame: &Frame, span: Span) -> Result<()> {
        let name = &closure.function.name.text;
        let parameters = &closure.function.parameters;
        let mut names = frame.names.borrow_mut();
        let mut plain = arguments.plain.into_iter();
        for ((parameter, _), argument) in parameters.plain.iter().zip(plain.by_ref()) {
            names.insert(Arc::clone(&parameter.text), argument.value);
        }
        let rest: Vec<Value> = plain.map(|argument| argument.value).collect();
        match &parameters.list {
            Some(list) => {
                names.insert(Arc::clone(&list.text), Value::Tuple(rest.into()));
            }
            None if !rest.is_empty() => {
                return fail(Code::Type, span, format!("`{name}` takes {} values at most", parameters.plain.len()));
            }
            None => {}
        }
        let mut others = Dict::default();
        for (given, given_span, argument) in arguments.named {
            if parameters.plain.iter().any(|(parameter, _)| parameter.text == given) {
                if names.insert(Arc::clone(&given), argument.value).is_some() {
                    return fail(Code::Type, given_span, format!("`{given}` is given twice"));
                }
            } else if parameters.map.is_some() {
                others.insert(Key::Text(given), argument.value);
            } else {
                let known: Vec<&str> = parameters.plain.iter().map(|(parameter, _)| &*parameter.text).collect();
                let error = Diagnostic::error(Code::Type, given_span, format!("`{name}` has no parameter `{given}`"));
                return Err(error.help_if(crate::diagnostic::did_you_mean(&given, known)).into());
            }
        }
        if let Some(map) = &parameters.map {
            names.insert(Arc::clone(&map.text), Value::dict(others));
        }
        for ((parameter, _), default) in parameters.plain.iter().zip(&closure.defaults) {
            if !names.contains_key(&parameter.text) {
                let Some(default) = default else {
                    return fail(Code::Type, span, format!("`{name}` needs a value for `{}`", parameter.text));
                };
                names.insert(Arc::clone(&parameter.text), default.clone());
            }
        }
        Ok(())
    }

    /// The elements a value has, one after the other.
    pub(super) fn iterate(&mut self, value: &Value, span: Span) -> Result<Vec<Value>> {
        let items = match value {
            Value::List(items) => items.borrow().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Set(items) => items.borrow().keys().map(Key::to_value).collect(),
            Value::Dict(entries) => entries.borrow().keys().map(Key::to_value).collect(),
            Value::Text(text) => text.as_str().chars().map(|c| Value::text(c.to_string())).collect(),
            Value::Object(object) if matches!(object.shape, schema::Shape::List(..)) => {
                object.items().iter().map(|item| Value::Object(Arc::clone(item))).collect()
            }
            Value::Object(object) if matches!(object.shape, schema::Shape::Map(..)) => {
                object.entries().iter().map(|(key, _)| Value::Object(Arc::clone(key))).collect()
            }
            Value::Unknown => return Err(Failure::Reported),
            other => return fail(Code::Type, span, format!("{} has no elements to go through", other.described())),
        };
        self.budget.elements(items.len()).at(span)?;
        Ok(items)
    }
}

fn constructor(arguments: Arguments, span: Span) -> Constructor {
    Constructor {
        plain: arguments.plain.into_iter().map(|argument| (argument.value, argument.span)).collect(),
        named: arguments
            .named
            .into_iter()
            .map(|(name, place, argument)| (name, argument.value, place, argument.span))
            .collect(),
        span,
    }
}
