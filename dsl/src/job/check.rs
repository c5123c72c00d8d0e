//! Whether everything required is there.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Object, Shape};

/// Reports every required field that is empty, in the object and all it contains.
pub(crate) fn required(object: &Object, diagnostics: &mut Vec<Diagnostic>) {
    match &object.shape {
        Shape::Scalar(..) => {}
        Shape::List(_, items) => items.iter().for_each(|item| required(item, diagnostics)),
        Shape::Map(_, _, entries) => entries.iter().for_each(|(_, value)| required(value, diagnostics)),
        Shape::Struct(kind, values) => {
            for (field, value) in kind.fields.iter().zip(values) {
                match value {
                    Some(value) => required(value, diagnostics),
                    None if field.is_required => diagnostics.push(missing(object, &kind.name, &field.name)),
                    None => {}
                }
            }
            let needed: &[&str] = if *kind.name == *"Task" { &["processes", "resources"] } else { &[] };
            for name in needed {
                if object
                    .field(name)
                    .is_none_or(|value| matches!(&value.shape, Shape::List(_, items) if items.is_empty()))
                {
                    diagnostics.push(missing(object, &kind.name, name));
                }
            }
        }
    }
}

fn missing(object: &Object, kind: &str, field: &str) -> Diagnostic {
    let kind = if kind == "MesosJob" { "Job" } else { kind };
    let error = Diagnostic::error(Code::MissingField, object.span, format!("{kind} needs a value for `{field}`"));
    error.help(format!("write {kind}({field} = …), or set it where this {kind} is changed: x({field} = …)"))
}
