//! Structs a file defines itself, and the words types are put together with.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{self, Bound, EnumType, Environment, Field, Object, StructType, Type};
use crate::source::Span;
use crate::syntax::ast::{Expression, FieldDefinition, Name};

use super::value::{Argument, Arguments, FieldValue, TypeMaker, Value};
use super::{Evaluator, Failure, Result, fail};

impl Evaluator<'_> {
    pub(super) fn define_struct(
        &mut self,
        name: &Name,
        base: &Expression,
        definitions: &[FieldDefinition],
    ) -> Result<()> {
        let mut fields = match self.expression(base)? {
            Value::TypeMaker(TypeMaker::Struct) => Vec::new(),
            Value::Type(Type::Struct(base)) => base.fields.clone(),
            other => {
                let error =
                    Diagnostic::error(Code::Type, base.span, format!("{} is no struct to build on", other.described()));
                return Err(error.help("write `class X(Struct):`").into());
            }
        };
        let mut failed = false;
        for definition in definitions {
            match self.field(definition) {
                Ok(field) => fields.push(field),
                Err(failure) => {
                    self.report(failure);
                    failed = true;
                }
            }
        }
        if failed {
            return Err(Failure::Reported);
        }
        let kind = Type::Struct(Arc::new(StructType::new(Arc::clone(&name.text), fields)));
        self.set_name(&name.text, Value::Type(kind));
        Ok(())
    }

    fn field(&mut self, definition: &FieldDefinition) -> Result<Field> {
        let span = definition.value.span;
        let (kind, is_required, default) = match self.expression(&definition.value)? {
            Value::Type(kind) => (kind, false, None),
            Value::Field(field) => (field.kind.clone(), field.is_required, field.default.clone()),
            Value::Unknown => return Err(Failure::Reported),
            other => {
                let error = Diagnostic::error(Code::Type, span, format!("{} is no type of a field", other.described()));
                return Err(error.help("write String, Required(Integer) or Default(Float, 1.5)").into());
            }
        };
        Ok(Field { name: Arc::clone(&definition.name.text), kind, is_required, default })
    }

    fn kind_of(argument: &Argument) -> Result<Type> {
        match &argument.value {
            Value::Type(kind) => Ok(kind.clone()),
            Value::Unknown => Err(Failure::Reported),
            other => fail(Code::Type, argument.span, format!("{} is no type", other.described())),
        }
    }

    pub(super) fn make_type(&mut self, maker: TypeMaker, arguments: Arguments, span: Span) -> Result<Value> {
        let takes = |what: &str| fail(Code::Type, span, what);
        let plain = &arguments.plain;
        match (maker, plain.as_slice()) {
            (TypeMaker::Struct, _) => takes("a struct is defined by `class X(Struct):`"),
            (TypeMaker::List, [element]) => Ok(Value::Type(Type::List(Arc::new(Self::kind_of(element)?)))),
            (TypeMaker::List, _) => takes("`List` takes the type of its elements"),
            (TypeMaker::Map, [key, value]) => {
                Ok(Value::Type(Type::Map(Arc::new(Self::kind_of(key)?), Arc::new(Self::kind_of(value)?))))
            }
            (TypeMaker::Map, _) => takes("`Map` takes the types of its keys and values"),
            (TypeMaker::Required, [kind]) => {
                let field = FieldValue { kind: Self::kind_of(kind)?, is_required: true, default: None };
                Ok(Value::Field(field.into()))
            }
            (TypeMaker::Required, _) => takes("`Required` takes a type"),
            (TypeMaker::Default, [kind, value]) => {
                let kind = Self::kind_of(kind)?;
                let default = match &value.value {
                    Value::Empty => None,
                    Value::Unknown => return Err(Failure::Reported),
                    given => {
                        let default = self.report_all(schema::coerce(&kind, given, value.span))?;
                        Some(if self.has_schema { default } else { default.placeless() })
                    }
                };
                Ok(Value::Field(FieldValue { kind, is_required: false, default }.into()))
            }
            (TypeMaker::Default, _) => takes("`Default` takes a type and a value"),
            (TypeMaker::Enum, [.., last]) => {
                let listed = last.value.listed();
                let words = listed.unwrap_or_else(|| plain.iter().map(|argument| argument.value.clone()).collect());
                let values = words.iter().map(|word| self.shown(word).into()).collect();
                Ok(Value::Type(Type::Enum(Arc::new(EnumType { values }))))
            }
            (TypeMaker::Enum, []) => takes("`Enum` takes the words it may be"),
            (TypeMaker::Choice, [.., last]) => {
                let Some(listed) = last.value.listed() else { return takes("`Choice` takes a list of types") };
                let kinds = listed.into_iter().map(|value| Self::kind_of(&Argument { value, span: last.span }));
                Ok(Value::Type(Type::Choice(kinds.collect::<Result<_>>()?)))
            }
            (TypeMaker::Choice, []) => takes("`Choice` takes a list of types"),
            (TypeMaker::Environment, _) => self.bound(&arguments).map(|mut bound| match bound.pop() {
                Some(only) if bound.is_empty() => Value::Environment(only),
                last => Value::Environment(merged(bound.into_iter().chain(last))),
            }),
        }
    }

    /// What `bind` and `in_scope` are given: each dict or struct an environment, the names given one more.
    pub(super) fn bound(&mut self, arguments: &Arguments) -> Result<Vec<Arc<Environment>>> {
        let mut environments = Vec::new();
        for argument in &arguments.plain {
            environments.push(self.environment(&argument.value, argument.span)?);
        }
        if !arguments.named.is_empty() {
            let mut environment = Environment::default();
            for (name, _, argument) in &arguments.named {
                self.bind_value(&mut environment, name, &argument.value, argument.span)?;
            }
            environments.push(Arc::new(environment));
        }
        Ok(environments)
    }

    /// The object with its templates resolved as far as what is bound to it goes.
    pub(super) fn interpolated(&mut self, object: &Arc<Object>) -> Result<Arc<Object>> {
        self.resolved(|interpolation| interpolation.object(object, None))
    }
}

fn merged(environments: impl IntoIterator<Item = Arc<Environment>>) -> Arc<Environment> {
    let mut merged = Environment::default();
    for environment in environments {
        for name in environment.names() {
            if let Some((name, bound)) = environment.get(name) {
                let bound: &Bound = bound;
                merged.insert(Arc::clone(name), bound.clone());
            }
        }
    }
    Arc::new(merged)
}
