//! A group taken apart: its apps and pods with absolute ids, each depending on what the groups around it depend on.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Object;

use super::{Origin, Service, definition};

/// What surrounds a service.
struct Around<'a> {
    /// The path of the innermost group; `/` outside of any.
    path: &'a str,
    /// What the groups depend on, absolute.
    dependencies: &'a [String],
}

/// The services in a group, an app or a pod that stands at the top of a file.
pub(super) fn flatten(object: &Arc<Object>, services: &mut Vec<Service>, diagnostics: &mut Vec<Diagnostic>) {
    one(object, &Around { path: "/", dependencies: &[] }, services, diagnostics);
}

/// The path of a group at the top of a file.
pub(super) fn path(object: &Object) -> Option<String> {
    let is_group = object.struct_type().is_some_and(|kind| *kind.name == *"Group");
    object.text("id").filter(|_| is_group).map(|id| resolve(&id, "/"))
}

fn one(object: &Arc<Object>, around: &Around<'_>, services: &mut Vec<Service>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(kind) = object.struct_type() else { return };
    let Some(id) = id(object, &kind.name, around.path, diagnostics) else { return };
    match &*kind.name {
        "Group" => {
            let own = listed(object, "dependencies").map(|path| resolve(&path, &id));
            let dependencies: Vec<String> = around.dependencies.iter().cloned().chain(own).collect();
            let inside = Around { path: &id, dependencies: &dependencies };
            for field in ["apps", "pods", "groups"] {
                for item in object.field(field).map(|items| items.items()).unwrap_or_default() {
                    one(item, &inside, services, diagnostics);
                }
            }
        }
        "Pod" => {
            let Json::Object(mut definition) = without_underscores(object.to_json()) else { return };
            definition.insert("id".to_owned(), json!(id));
            services.push(Service { id, definition, origin: Origin::Pod, object: Arc::clone(object) });
        }
        _ => services.push(app(object, id, around, diagnostics)),
    }
}

fn app(object: &Arc<Object>, id: String, around: &Around<'_>, diagnostics: &mut Vec<Diagnostic>) -> Service {
    let mut definition = definition(object, diagnostics);
    definition.insert("id".to_owned(), json!(id));
    let own = listed(object, "dependencies").map(|path| resolve(&path, around.path));
    let mut dependencies: Vec<String> = own.collect();
    for inherited in around.dependencies {
        if contains(inherited, &id) {
            let message = format!("`{id}` is in `{inherited}`, which its group depends on");
            diagnostics.push(
                Diagnostic::error(Code::Job, object.span, message).help("take that dependency of the group away"),
            );
        } else if !dependencies.contains(inherited) {
            dependencies.push(inherited.clone());
        }
    }
    if !dependencies.is_empty() || object.field("dependencies").is_some() {
        definition.insert("dependencies".to_owned(), json!(dependencies));
    }
    Service { id, definition, origin: Origin::App, object: Arc::clone(object) }
}

/// The absolute id; nothing where it cannot be one, which is reported.
fn id(object: &Object, kind: &str, group: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let written = object.text("id").unwrap_or_default();
    let id = resolve(&written, group);
    let span = object.field("id").and_then(|id| id.span).or(object.span);
    let is_fine = |segment: &str| {
        let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        is_end(segment.chars().next())
            && is_end(segment.chars().last())
            && segment.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
    };
    let is_root = id == "/";
    if (is_root && kind != "Group") || (!is_root && !id[1..].split('/').all(is_fine)) {
        let error =
            Diagnostic::error(Code::Job, span, format!("`{written}` cannot be the id of {kind}", kind = article(kind)));
        diagnostics
            .push(error.help("lower case letters, digits, `-` and `.` are allowed, between them or the slashes"));
        return None;
    }
    if !contains(group, &id) {
        let error =
            Diagnostic::error(Code::Job, span, format!("`{id}` is not in the group `{group}` that it stands in"));
        diagnostics.push(error.help(format!("write an id relative to the group, or one below {group}")));
        return None;
    }
    Some(id)
}

fn article(kind: &str) -> String {
    if kind == "App" { "an app".to_owned() } else { format!("a {}", kind.to_lowercase()) }
}

/// Whether a group contains what has that id, or is it.
pub(crate) fn contains(group: &str, id: &str) -> bool {
    group == "/" || id == group || id.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
}

fn listed<'a>(object: &'a Object, field: &str) -> impl Iterator<Item = String> + use<'a> {
    object.field(field).map(|items| items.items()).unwrap_or_default().iter().map(|item| item.shown())
}

/// A path as Marathon resolves it: relative to `group` unless it begins with a slash; `..` leads up.
fn resolve(written: &str, group: &str) -> String {
    let start = if written.starts_with('/') { "" } else { group };
    let mut segments: Vec<&str> = Vec::new();
    for segment in start.split('/').chain(written.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Names that are keywords of Python are written with an underscore behind them.
fn without_underscores(value: Json) -> Json {
    match value {
        Json::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name.trim_end_matches('_').to_owned(), without_underscores(member)))
            .collect(),
        Json::Array(items) => items.into_iter().map(without_underscores).collect(),
        other => other,
    }
}
