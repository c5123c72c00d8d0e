//! References that stay open: only what is known where a task runs may.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::schema::{Object, Raw, Shape};
use crate::template::Unbound;

/// The port a reference asks for by naming it.
pub(crate) fn port(address: &str) -> Option<&str> {
    address.strip_prefix("thermos.ports[")?.strip_suffix(']')
}

fn is_of_runtime(address: &str) -> bool {
    address.starts_with("thermos.") || matches!(address, "mesos.instance" | "mesos.hostname")
}

const OF_RUNTIME: [&str; 4] = ["mesos.instance", "mesos.hostname", "thermos.task_id", "thermos.user"];

/// Reports every reference that must not stay open, once for each place.
pub(super) fn check(unbound: &[Unbound], config: &Object, diagnostics: &mut Vec<Diagnostic>) {
    let mut reported = BTreeSet::new();
    for open in unbound {
        let allowed = open.is_string && is_of_runtime(&open.address);
        if allowed || !reported.insert((open.address.as_str(), open.span)) {
            continue;
        }
        let error =
            Diagnostic::error(Code::Unbound, open.span, format!("nothing is bound to `{{{{{}}}}}`", open.address));
        let advice = if is_of_runtime(&open.address) {
            "this field is needed before the task runs: it cannot contain what is known only there".to_owned()
        } else {
            let bind = format!(
                "bind it: .bind({} = …) or --bind {}=…",
                open.address.split(['.', '[']).next().unwrap_or_default(),
                open.address
            );
            let of_runtime = || nearest(&open.address, OF_RUNTIME).map(str::to_owned);
            let guess = open.guess.clone().or_else(of_runtime);
            guess.map_or(bind.clone(), |guess| format!("did you mean `{guess}`? Or {bind}"))
        };
        diagnostics.push(error.help(advice));
    }
    nested_ports(config, diagnostics);
}

/// A port whose name depends on the instance could never be asked for.
fn nested_ports(object: &Object, diagnostics: &mut Vec<Diagnostic>) {
    visit_texts(object, &mut |object, text| {
        let mut rest = text;
        while let Some(at) = rest.find("{{thermos.ports[") {
            rest = &rest[at + "{{thermos.ports[".len()..];
            let end = rest.find(']').unwrap_or(rest.len());
            if rest[..end].contains("{{") {
                let message = "a port's name cannot depend on what is known only where the task runs";
                let error = Diagnostic::error(Code::Template, object.span, message);
                diagnostics.push(error.help("name the port by a text that is the same in all instances"));
            }
        }
    });
}

/// Calls `visit` with every string in an object.
pub(super) fn visit_texts(object: &Object, visit: &mut impl FnMut(&Object, &str)) {
    match &object.shape {
        Shape::Scalar(_, Raw::Text(text)) => visit(object, text.as_str()),
        Shape::Scalar(..) => {}
        Shape::List(_, items) => items.iter().for_each(|item| visit_texts(item, visit)),
        Shape::Map(_, _, entries) => entries.iter().for_each(|(_, value)| visit_texts(value, visit)),
        Shape::Struct(_, values) => values.iter().flatten().for_each(|value| visit_texts(value, visit)),
    }
}
