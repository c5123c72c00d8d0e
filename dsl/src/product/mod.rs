//! What a configuration deploys as services: groups, apps and pods of ours, and Aurora's jobs as far as an app can be what they are.
//!
//! Everything here is a function of the configuration. What `/v2` accepts is its own to say; here is only what it could not know:
//! which place of the file a definition came from, and what of a job it would not be told.

mod group;
mod job;
mod processes;
mod shell;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_paas_api::AppUpdate;
use serde_json::{Map, Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::evaluate::budget::Budget;
use crate::job::required;
use crate::load::Configuration;
use crate::schema::{Environment, Object, services};
use crate::source::{Sources, Span};
use crate::template::{Cache, Interpolation, Unbound};

pub(crate) use group::contains;
pub(crate) use write::{Tree, write};

/// A group, app or pod that a file names at its top, read and checked.
#[derive(Debug)]
pub struct Product {
    /// Everything found wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
    /// The apps and pods in it, in the order of the file; none where something is wrong.
    pub services: Vec<Service>,
    /// The path of the group it is; none for an app or pod alone.
    pub(crate) group: Option<String>,
    /// The names of `--bind` it referred to.
    pub(crate) used_options: BTreeSet<String>,
}

/// An app or pod.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its absolute id.
    pub id: String,
    /// Its definition as `/v2` takes it: the fields that the file names.
    pub definition: Map<String, Json>,
    /// What it was made from.
    pub origin: Origin,
    object: Arc<Object>,
}

/// What a service was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An `App`.
    App,
    /// A `Pod`.
    Pod,
    /// The job of this key.
    Job(String),
}

/// The structs that stand at the top of a product, and the list each is named in.
pub(crate) const LISTS: [(&str, &str); 3] = [("groups", "Group"), ("apps", "App"), ("pods", "Pod")];

/// Whether an object is of one of the structs of ours, not of one that a file calls the same.
pub(crate) fn is_ours(object: &Object) -> bool {
    let Some(kind) = object.struct_type() else { return false };
    LISTS.iter().any(|(_, name)| *kind.name == **name) && Arc::ptr_eq(kind, &services::structure(&kind.name))
}

impl Product {
    /// Reads a group, an app or a pod: `options` is what `--bind` binds.
    pub(crate) fn read(object: &Arc<Object>, options: &Arc<Environment>, budget: &Budget, cache: &mut Cache) -> Self {
        let mut interpolation = Interpolation::new(budget, cache);
        let whole = interpolation.object(&Arc::new(object.bind([Arc::clone(options)])), None);
        let Interpolation { unbound, mut diagnostics, used_options, .. } = interpolation;
        required(&whole, &mut diagnostics);
        still_open(&unbound, &mut diagnostics);
        let mut services = Vec::new();
        if diagnostics.is_empty() {
            group::flatten(&whole, &mut services, &mut diagnostics);
        }
        if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            services.clear();
        }
        Self { diagnostics, services, group: group::path(&whole), used_options }
    }

    /// The product as `config eval` prints it: one element for each app and pod, or one for everything that is wrong.
    pub fn to_json(&self, sources: &Sources) -> Vec<Json> {
        let findings = |severity| -> Json {
            let found = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
            found.map(|diagnostic| diagnostic.to_json(sources)).collect()
        };
        if self.services.is_empty() && !self.diagnostics.is_empty() {
            let (errors, warnings) = (findings(Severity::Error), findings(Severity::Warning));
            return vec![json!({"status": "error", "errors": errors, "warnings": warnings})];
        }
        let element = |service: &Service| {
            let kind = if service.origin == Origin::Pod { "pod" } else { "app" };
            json!({"status": "ok", "errors": [], "warnings": findings(Severity::Warning), kind: service.definition})
        };
        self.services.iter().map(element).collect()
    }
}

impl Service {
    /// Where a field of the definition was written; the service itself where that is not known. `path` is as `/v2` writes it:
    /// `/healthChecks(0)/path`.
    pub(crate) fn place(&self, path: &str) -> Option<Span> {
        let mut at = &self.object;
        let mut span = at.span;
        for step in path.split(['/', '(', ')']).filter(|step| !step.is_empty()) {
            let next = match step.parse::<usize>() {
                Ok(index) => at.items().get(index),
                Err(_) => at
                    .field(step)
                    .or_else(|| at.entries().iter().find(|(key, _)| key.shown() == step).map(|(_, value)| value)),
            };
            let Some(next) = next else { break };
            at = next;
            span = at.span.or(span);
        }
        span
    }
}

/// Everything that a configuration deploys, jobs as apps included.
///
/// # Errors
/// What cannot be deployed: each by its name and place.
pub(crate) fn services(configuration: &Configuration) -> Result<(Vec<Service>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut found: Vec<Service> = configuration.products.iter().flat_map(|product| product.services.clone()).collect();
    let mut diagnostics = Vec::new();
    for job in &configuration.jobs {
        found.extend(job::as_app(job, &mut diagnostics));
    }
    let mut seen: BTreeMap<&str, Option<Span>> = BTreeMap::new();
    for service in &found {
        if service.origin == Origin::Pod {
            let error = Diagnostic::error(
                Code::Unsupported,
                service.object.span,
                format!("{} is a pod, and pods are not built yet", service.id),
            );
            diagnostics.push(error.help("an App runs one command"));
        }
        if let Some(first) = seen.get(service.id.as_str()) {
            let error = Diagnostic::error(Code::Job, service.object.span, format!("two services are `{}`", service.id));
            diagnostics.push(error.note("the first one is here", *first).help("give one of them another id"));
        } else {
            seen.insert(&service.id, service.object.span);
        }
    }
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        Err(diagnostics)
    } else {
        Ok((found, diagnostics))
    }
}

/// Reports every reference that stayed open: a service learns nothing through a template that is known only where it runs.
fn still_open(unbound: &[Unbound], diagnostics: &mut Vec<Diagnostic>) {
    let mut told = BTreeSet::new();
    for open in unbound {
        let address = open.address.as_str();
        if !told.insert((address, open.span)) {
            continue;
        }
        let advice = match address.split(['.', '[']).next().unwrap_or_default() {
            "thermos" | "mesos" => "an app learns this from its environment: $PORT0, $HOST, $MESOS_TASK_ID".to_owned(),
            first => {
                let guess = open.guess.as_ref().map(|guess| format!("did you mean `{guess}`? Or "));
                format!("{}bind it: .bind({first} = …) or --bind {address}=…", guess.unwrap_or_default())
            }
        };
        let error = Diagnostic::error(Code::Unbound, open.span, format!("nothing is bound to `{{{{{address}}}}}`"));
        diagnostics.push(error.help(advice));
    }
}

/// An app's definition as `/v2` takes it.
fn definition(object: &Object, diagnostics: &mut Vec<Diagnostic>) -> Map<String, Json> {
    let mut written = object.to_json();
    if let Some(constraints) = written.get_mut("constraints").and_then(Json::as_array_mut) {
        constraints.iter_mut().for_each(words_of_constraint);
    }
    match serde_json::from_value::<AppUpdate>(written).and_then(serde_json::to_value) {
        Ok(Json::Object(definition)) => definition,
        Ok(_) => unreachable!("an app is written as an object"),
        Err(error) => {
            diagnostics.push(Diagnostic::error(Code::Type, object.span, format!("this cannot be an app: {error}")));
            Map::new()
        }
    }
}

/// `{"field": f, "operator": o, "value": v}` as `[f, o, v]`.
fn words_of_constraint(constraint: &mut Json) {
    if constraint.is_object() {
        let words = ["field", "operator", "value"].map(|name| constraint[name].take());
        *constraint = words.into_iter().filter(|word| !word.is_null()).collect();
    }
}
