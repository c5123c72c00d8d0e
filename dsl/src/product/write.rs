//! Writes definitions as a configuration: the structs of ours, every field that has another value than its default, and text in such
//! a way that templates leave it as it is.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

use crate::schema::{Type, services};

/// A group as it is written: what is directly in it, and the groups below it.
pub(crate) struct Tree {
    pub(crate) id: String,
    pub(crate) apps: Vec<Map<String, Json>>,
    pub(crate) groups: Vec<Tree>,
}

/// The widest expression that stays on one line.
const WIDTH: usize = 100;

/// The text of a file that deploys the group.
pub(crate) fn write(tree: &Tree) -> String {
    let mut out = String::from("groups = [");
    group(&mut out, tree, 1);
    out.push_str("]\n");
    out
}

fn group(out: &mut String, tree: &Tree, level: usize) {
    let mut fields = vec![("id".to_owned(), text(&tree.id))];
    if !tree.apps.is_empty() {
        let apps = tree.apps.iter().map(|app| written(&services::kind("App"), &Json::Object(app.clone()), level + 2));
        fields.push(("apps".to_owned(), bracketed("[", apps.collect(), "]", level + 1)));
    }
    if !tree.groups.is_empty() {
        let groups = tree.groups.iter().map(|tree| {
            let mut inner = String::new();
            group(&mut inner, tree, level + 2);
            inner
        });
        fields.push(("groups".to_owned(), bracketed("[", groups.collect(), "]", level + 1)));
    }
    out.push_str(&call("Group", &fields, level));
}

/// A value of a type as an expression; `level` is how deep what does not fit a line is indented.
fn written(kind: &Type, value: &Json, level: usize) -> String {
    match (kind, value) {
        (Type::Struct(kind), Json::Object(members)) => {
            let given = kind.fields.iter().filter_map(|field| Some((field, members.get(&*field.name)?)));
            let fields: Vec<(String, String)> = given
                .filter(|(_, value)| !value.is_null())
                .map(|(field, value)| (field.name.to_string(), written(&field.kind, value, level + 1)))
                .collect();
            call(&kind.name, &fields, level)
        }
        (Type::List(element), Json::Array(items)) => {
            bracketed("[", items.iter().map(|item| written(element, item, level + 1)).collect(), "]", level)
        }
        (Type::Map(_, item), Json::Object(entries)) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", text(key), written(item, value, level + 1)));
            bracketed("{", entries.collect(), "}", level)
        }
        (Type::Choice(kinds), value) => {
            let fitting = kinds.iter().find(|kind| {
                matches!(
                    (kind, value),
                    (Type::Struct(_) | Type::Map(..), Json::Object(_))
                        | (Type::List(_), Json::Array(_))
                        | (Type::String | Type::Enum(_), Json::String(_))
                )
            });
            fitting.map_or_else(|| value.to_string(), |kind| written(kind, value, level))
        }
        (_, Json::String(value)) => text(value),
        (_, Json::Bool(true)) => "True".to_owned(),
        (_, Json::Bool(false)) => "False".to_owned(),
        (_, other) => other.to_string(),
    }
}

fn call(name: &str, fields: &[(String, String)], level: usize) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{name} = {value}"));
    bracketed(&format!("{name}("), fields.collect(), ")", level)
}

/// On one line where that fits and nothing in it is on several; else an element a line.
fn bracketed(open: &str, items: Vec<String>, close: &str, level: usize) -> String {
    let length = items.iter().map(|item| item.chars().count() + 2).sum::<usize>() + open.len() + 2 * level;
    if items.is_empty() || (length <= WIDTH && items.iter().all(|item| !item.contains('\n'))) {
        return format!("{open}{}{close}", items.join(", "));
    }
    let indentation = "  ".repeat(level);
    format!("{open}\n{indentation}{}{close}", items.join(&format!(",\n{indentation}")))
}

/// A string as the language writes it.
fn text(value: &str) -> String {
    let value = escaped(value);
    let quote = if value.contains('\'') && !value.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in value.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// The text with whatever a template would take for a reference written as these very characters.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("{{") {
        let inside = &rest[at + 2..];
        let end = inside.find(['{', '}']).unwrap_or(inside.len());
        if end == 0 || !inside[end..].starts_with("}}") {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        }
        out.push_str(&rest[..at]);
        // A backslash before it would be its escape already.
        if out.ends_with('\\') {
            out.push('\\');
        }
        let inside = &inside[..end];
        let _ = write!(out, "{{{{&{inside}{}}}}}", if inside.ends_with('&') { "&" } else { "" });
        rest = &rest[at + 2 + end + 2..];
    }
    out + rest
}
