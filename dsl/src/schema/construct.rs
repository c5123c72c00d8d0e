//! Makes objects out of values: construction, coercion, changing fields.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::evaluate::value::{Key, Value};
use crate::source::Span;
use crate::template::coerce;

use super::object::{Object, Raw, Shape};
use super::services;
use super::types::{StructType, Type};

/// The arguments of a call that makes or changes an object, each with its place.
pub(crate) struct Constructor {
    pub(crate) plain: Vec<(Value, Span)>,
    pub(crate) named: Vec<(Arc<str>, Value, Span, Span)>,
    /// The whole call.
    pub(crate) span: Span,
}

type Findings = Vec<Diagnostic>;

/// The value as an object of that type. Everything that is wrong is reported, not only the first; nothing for a value that is
/// unknown, as that was reported.
pub(crate) fn coerce(kind: &Type, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    if matches!(value, Value::Unknown) {
        return Err(Vec::new());
    }
    match kind {
        Type::String | Type::Integer | Type::Float | Type::Boolean | Type::Enum(_) => scalar(kind, value, span),
        Type::List(element) => list(element, value, span),
        Type::Map(key, item) => map(key, item, value, span),
        Type::Struct(wanted) => structure(wanted, value, span),
        Type::Choice(kinds) => choice(kinds, value, span),
        Type::Named(name) => coerce(&services::kind(name), value, span),
    }
}

fn mismatch(kind: &Type, value: &Value, span: Span) -> Findings {
    vec![Diagnostic::error(Code::Type, span, format!("{} is no {kind}", value.described()))]
}

fn scalar(kind: &Type, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    let (raw, binds) = match value {
        Value::Text(text) => (Raw::Text(text.clone()), Vec::new()),
        Value::Integer(value) => (Raw::Integer(*value), Vec::new()),
        Value::Float(value) => (Raw::Float(*value), Vec::new()),
        Value::Boolean(value) => (Raw::Boolean(*value), Vec::new()),
        Value::Object(object) => match object.raw() {
            Some(_) if matches!((&object.shape, kind), (Shape::Scalar(Type::String, _), Type::String)) => {
                return Ok(Arc::clone(object));
            }
            Some(raw) => (raw.clone(), object.binds.clone()),
            None => return Err(mismatch(kind, value, span)),
        },
        _ => (Raw::Other(value.described().into()), Vec::new()),
    };
    // Only an enum's value is checked at once, as ever: the others may still be replaced before anybody needs them.
    let is_open = matches!(&raw, Raw::Text(text) if text.as_str().contains("{{"));
    if matches!(kind, Type::Enum(_))
        && !is_open
        && let Err(message) = coerce::coerce(kind, &raw)
    {
        return Err(vec![Diagnostic::error(Code::Type, span, message)]);
    }
    let mut object = Object::new(Shape::Scalar(kind.clone(), raw), span);
    object.binds = binds;
    Ok(Arc::new(object))
}

fn list(element: &Arc<Type>, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    if let Value::Object(object) = value
        && let Shape::List(_, items) = &object.shape
    {
        let items = items
            .iter()
            .map(|item| coerce(element, &Value::Object(Arc::clone(item)), span))
            .collect::<Result<_, _>>()?;
        return Ok(Arc::new(Object { shape: Shape::List(Arc::clone(element), items), ..(**object).clone() }));
    }
    let Some(items) = value.listed() else {
        let findings = mismatch(&Type::List(Arc::clone(element)), value, span);
        let help = |finding: Diagnostic| finding.help("write a list: [...]");
        return Err(findings.into_iter().map(help).collect());
    };
    let (mut objects, mut failed) = (Vec::with_capacity(items.len()), None);
    for item in items {
        match coerce(element, &item, span) {
            Ok(object) => objects.push(object),
            Err(more) => failed.get_or_insert_with(Findings::new).extend(more),
        }
    }
    finish(failed, || Object::new(Shape::List(Arc::clone(element), objects), span))
}

fn map(key: &Arc<Type>, item: &Arc<Type>, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    if let Value::Object(object) = value
        && let Shape::Map(..) = &object.shape
    {
        return Ok(Arc::clone(object));
    }
    let Value::Dict(dict) = value else {
        return Err(mismatch(&Type::Map(Arc::clone(key), Arc::clone(item)), value, span));
    };
    let (mut entries, mut failed) = (Vec::new(), None);
    for (name, value) in dict.borrow().iter() {
        match (coerce(key, &name.to_value(), span), coerce(item, value, span)) {
            (Ok(key), Ok(value)) => entries.push((key, value)),
            (key, value) => {
                let more = key.err().into_iter().chain(value.err()).flatten();
                failed.get_or_insert_with(Findings::new).extend(more);
            }
        }
    }
    finish(failed, || Object::new(Shape::Map(Arc::clone(key), Arc::clone(item), entries), span))
}

fn structure(wanted: &Arc<StructType>, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    match value {
        Value::Object(object) if object.struct_type().is_some_and(|kind| Arc::ptr_eq(kind, wanted)) => {
            Ok(Arc::clone(object))
        }
        Value::Dict(_) => {
            let constructor = Constructor { plain: vec![(value.clone(), span)], named: Vec::new(), span };
            constructor.construct(wanted)
        }
        _ => Err(mismatch(&Type::Struct(Arc::clone(wanted)), value, span)),
    }
}

/// A dict becomes the first struct that knows all its names and finds all it requires.
fn choice(kinds: &Arc<[Type]>, value: &Value, span: Span) -> Result<Arc<Object>, Findings> {
    let Value::Dict(dict) = value else {
        let fitting = kinds.iter().find_map(|kind| coerce(kind, value, span).ok());
        return fitting.ok_or_else(|| mismatch(&Type::Choice(Arc::clone(kinds)), value, span));
    };
    let dict = dict.borrow();
    let names: Vec<&str> = dict.keys().filter_map(Key::as_str).collect();
    let fits = |kind: &Arc<StructType>| {
        let knows_all = names.iter().all(|name| kind.position(name).is_some());
        knows_all && kind.fields.iter().all(|field| !field.is_required || names.contains(&&*field.name))
    };
    let structs = kinds.iter().filter_map(|kind| match kind {
        Type::Struct(kind) => Some(kind),
        _ => None,
    });
    let mut fitting = structs.filter(|kind| fits(kind));
    let Some(first) = fitting.next() else {
        let message = format!(
            "these names fit none of {}",
            Type::Choice(Arc::clone(kinds)).to_string().trim_start_matches("Choice")
        );
        return Err(vec![
            Diagnostic::error(Code::UnknownField, span, message).help("write the struct's name: X(field = value)"),
        ]);
    };
    let object = structure(first, value, span)?;
    Ok(Arc::new(Object { fits_also: fitting.next().cloned(), ..(*object).clone() }))
}

fn finish(failed: Option<Findings>, object: impl FnOnce() -> Object) -> Result<Arc<Object>, Findings> {
    failed.map_or_else(|| Ok(Arc::new(object())), Err)
}

impl Constructor {
    /// A new object: defaults, then dicts, then names.
    pub(crate) fn construct(&self, kind: &Arc<StructType>) -> Result<Arc<Object>, Findings> {
        let values = kind.fields.iter().map(|field| field.default.clone()).collect();
        let mut object = Object::new(Shape::Struct(Arc::clone(kind), values), self.span);
        self.apply(&mut object).map(|()| Arc::new(object))
    }

    fn apply(&self, object: &mut Object) -> Result<(), Findings> {
        let Shape::Struct(kind, values) = &mut object.shape else { return Ok(()) };
        let kind = Arc::clone(kind);
        let mut failed = None;
        for (value, span) in &self.plain {
            let Value::Dict(dict) = value else {
                let message = format!("{} takes its fields by name, and {} is none", kind.name, value.described());
                failed
                    .get_or_insert_with(Findings::new)
                    .push(Diagnostic::error(Code::Type, *span, message).help("write field = value, or give a dict"));
                continue;
            };
            for (name, value) in dict.borrow().iter() {
                let Some(name) = name.as_str() else {
                    let message = format!("a field of {} is named by a string", kind.name);
                    failed.get_or_insert_with(Findings::new).push(Diagnostic::error(Code::Type, *span, message));
                    continue;
                };
                set(&kind, values, name, value, (*span, *span), &mut failed);
            }
        }
        for (name, value, name_span, value_span) in &self.named {
            set(&kind, values, name, value, (*name_span, *value_span), &mut failed);
        }
        failed.map_or(Ok(()), Err)
    }
}

fn set(
    kind: &StructType,
    values: &mut [Option<Arc<Object>>],
    name: &str,
    value: &Value,
    spans: (Span, Span),
    failed: &mut Option<Findings>,
) {
    let (name_span, value_span) = spans;
    let Some(position) = kind.position(name) else {
        let error = Diagnostic::error(Code::UnknownField, name_span, format!("{} has no field `{name}`", kind.name));
        let fields: Vec<&str> = kind.field_names().collect();
        let help = if *kind.name == *"Constraint" && matches!(name, "field" | "operator" | "value") {
            "the constraint of an app is AppConstraint(field = …, operator = …)".to_owned()
        } else {
            did_you_mean(name, fields.iter().copied())
                .unwrap_or_else(|| format!("its fields are {}", fields.join(", ")))
        };
        failed.get_or_insert_with(Findings::new).push(error.help(help));
        return;
    };
    if matches!(value, Value::Empty) {
        values[position] = None;
        return;
    }
    let field = &kind.fields[position];
    match coerce(&field.kind, value, value_span) {
        Ok(object) => values[position] = Some(object),
        Err(more) => {
            let named = |finding: Diagnostic| match finding.code {
                Code::Type if finding.notes.is_empty() => {
                    finding.note(format!("{}.{name} is of type {}", kind.name, field.kind), None)
                }
                _ => finding,
            };
            failed.get_or_insert_with(Findings::new).extend(more.into_iter().map(named));
        }
    }
}

/// The object with other values in some fields: names only. What is bound stays bound.
pub(crate) fn rebind(object: &Arc<Object>, arguments: &Constructor) -> Result<Arc<Object>, Findings> {
    if let Some((_, span)) = arguments.plain.first() {
        let error = Diagnostic::error(Code::Type, *span, "an object's fields are changed by name only");
        return Err(vec![error.help("write object(field = value)")]);
    }
    let mut changed = (**object).clone();
    changed.span = Some(arguments.span);
    arguments.apply(&mut changed).map(|()| Arc::new(changed))
}
