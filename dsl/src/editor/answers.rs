//! What an editor is told: findings, what a word is, what could stand here, where a name comes from.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Severity};
use crate::evaluate::value::Value;
use crate::format::format;
use crate::load::Configuration;
use crate::schema::{Field, StructType, Type, prelude, services};
use crate::source::{FileId, Sources, Span};
use crate::syntax;
use crate::syntax::ast::{Block, Name, StatementKind, Target};

use super::place;

/// Kinds of completion items: a field, a struct.
const FIELD: u8 = 5;
const STRUCT: u8 = 22;
const VARIABLE: u8 = 6;

/// A finding in the file that is open; one of an included file stands at the include.
pub(super) fn diagnostic(finding: &Diagnostic, sources: &Sources) -> Json {
    let main = FileId(0);
    let own = finding.span.filter(|span| span.file == main).or_else(|| finding.includes.first().copied());
    let range = own.map_or_else(
        || place::range("", 0, 0),
        |span| place::range(&sources.file(main).text, span.start as usize, span.end as usize),
    );
    let help = finding.help.as_deref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    let severity = match finding.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
    };
    json!({"range": range, "severity": severity, "code": finding.code.name(), "source": "attica", "message": format!("{}{help}", finding.message)})
}

fn word(text: &str, offset: usize) -> (usize, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start =
        text[..offset].rfind(|c| !is_word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let end = text[offset..].find(|c| !is_word(c)).map_or(text.len(), |length| offset + length);
    (start, end)
}

fn structure(name: &str) -> Option<Arc<StructType>> {
    match prelude::value(name).or_else(|| services::value(name))? {
        Value::Type(Type::Struct(kind)) => Some(kind),
        Value::Object(object) => object.struct_type().cloned(),
        _ => None,
    }
}

/// The struct whose call surrounds a place, as far as brackets tell.
fn surrounding(text: &str, offset: usize) -> Option<Arc<StructType>> {
    let mut open = 0;
    for (at, c) in text[..offset].char_indices().rev() {
        match c {
            ')' | ']' | '}' => open += 1,
            '(' if open == 0 => return structure(&text[word(text, at).0..at]),
            '(' | '[' | '{' if open > 0 => open -= 1,
            '[' | '{' => return None,
            _ => {}
        }
    }
    None
}

fn described(field: &Field) -> String {
    let default = field.default.as_ref().map(|default| format!(" = {}", default.to_json())).unwrap_or_default();
    let required = if field.is_required { ", required" } else { "" };
    format!("{}: {}{default}{required}", field.name, field.kind)
}

/// A field's type and default, or a struct's fields.
pub(super) fn hover(_: &Configuration, text: &str, offset: usize) -> Json {
    let (start, end) = word(text, offset);
    let name = &text[start..end];
    let of_field = surrounding(text, start).and_then(|kind| kind.position(name).map(|at| described(&kind.fields[at])));
    let of_struct = || structure(name).map(|kind| kind.fields.iter().map(described).collect::<Vec<_>>().join("\n"));
    match of_field.or_else(of_struct) {
        Some(shown) => {
            json!({"contents": {"kind": "plaintext", "value": shown}, "range": place::range(text, start, end)})
        }
        None => Json::Null,
    }
}

/// The fields of the surrounding struct, or else every name there is.
pub(super) fn completion(configuration: &Configuration, text: &str, offset: usize) -> Json {
    let (start, _) = word(text, offset);
    let before = text[..start].trim_end();
    if let Some(kind) = surrounding(text, start).filter(|_| before.ends_with(['(', ','])) {
        let item = |field: &Field| json!({"label": &*field.name, "kind": FIELD, "detail": described(field), "insertText": format!("{} = ", field.name)});
        return kind.fields.iter().map(item).collect();
    }
    let mut items: Vec<Json> =
        prelude::names().chain(services::names()).map(|name| json!({"label": name, "kind": STRUCT})).collect();
    items.extend(crate::evaluate::names().map(|name| json!({"label": name, "kind": VARIABLE})));
    let mut own: Vec<String> = definitions(configuration).into_iter().map(|name| name.text.to_string()).collect();
    own.sort();
    own.dedup();
    items.extend(own.into_iter().map(|name| json!({"label": name, "kind": VARIABLE})));
    Json::Array(items)
}

/// Where a name is defined, in this file or one that it includes: the last place before the word, or else the first.
pub(super) fn definition(configuration: &Configuration, text: &str, offset: usize, uri: &str) -> Json {
    let (start, end) = word(text, offset);
    let found: Vec<Span> = definitions(configuration)
        .into_iter()
        .filter(|name| *name.text == text[start..end])
        .map(|name| name.span)
        .collect();
    let before = |span: &&Span| span.file == FileId(0) && (span.start as usize) <= start;
    let Some(span) = found.iter().rfind(before).or(found.first()) else { return Json::Null };
    let file = configuration.sources.file(span.file);
    let uri = match &file.path {
        Some(path) if span.file != FileId(0) => format!("file://{}", path.display()),
        _ => uri.to_owned(),
    };
    json!({"uri": uri, "range": place::range(&file.text, span.start as usize, span.end as usize)})
}

/// The whole text, formatted; nothing to do for a text outside of the language.
pub(super) fn formatting(text: &str) -> Json {
    match format("document", text) {
        Ok(formatted) if formatted != text => {
            json!([{"range": place::range(text, 0, text.len()), "newText": formatted}])
        }
        Ok(_) | Err(_) => json!([]),
    }
}

/// The names the files define at their outermost level.
fn definitions(configuration: &Configuration) -> Vec<Name> {
    let mut names = Vec::new();
    for (id, _) in configuration.sources.files() {
        of_block(&syntax::parse(&configuration.sources, id).block, &mut names);
    }
    names
}

fn of_block(block: &Block, names: &mut Vec<Name>) {
    for statement in block {
        match &statement.kind {
            StatementKind::Assign { targets, .. } => targets.iter().for_each(|target| of_target(target, names)),
            StatementKind::Struct { name, .. } | StatementKind::Class { name } => names.push(name.clone()),
            StatementKind::Function(function) => names.push(function.name.clone()),
            StatementKind::Import(imports) => names.extend(imports.iter().map(|import| import.name.clone())),
            StatementKind::For { target, body, .. } => {
                of_target(target, names);
                of_block(body, names);
            }
            StatementKind::If { branches, otherwise } => {
                branches.iter().for_each(|(_, body)| of_block(body, names));
                of_block(otherwise, names);
            }
            StatementKind::While { body, .. } => of_block(body, names),
            StatementKind::With { name, body, .. } => {
                names.push(name.clone());
                of_block(body, names);
            }
            StatementKind::Pass
            | StatementKind::Break
            | StatementKind::Continue
            | StatementKind::Expression(_)
            | StatementKind::Augment { .. }
            | StatementKind::Return(_)
            | StatementKind::Delete(_)
            | StatementKind::Assert { .. }
            | StatementKind::Raise(_) => {}
        }
    }
}

fn of_target(target: &Target, names: &mut Vec<Name>) {
    match target {
        Target::Name(name) => names.push(name.clone()),
        Target::Tuple(targets, _) => targets.iter().for_each(|target| of_target(target, names)),
        Target::Attribute(_) | Target::Subscript(..) => {}
    }
}
