//! A job: what its configuration comes to, and everything that is wrong with it.

mod check;
mod docker;
mod inspect;
mod plan;
mod ports;
mod references;
mod runtime;
mod update;
mod validate;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::evaluate::budget::Budget;
use crate::schema::{Bound, Environment, Object};
use crate::source::Sources;
use crate::template::{Cache, Interpolation};

pub(crate) use check::required;
pub use docker::{Answers, Digests, Image};
pub(crate) use inspect::inspect;
use plan::Plan;
use ports::Ports;
pub(crate) use references::port;
use runtime::Runtime;

/// A job of a configuration, read and checked.
#[derive(Debug)]
pub struct Job {
    /// `cluster/role/environment/name`, as far as these are known.
    pub key: Option<String>,
    /// Everything found wrong or doubtful.
    pub diagnostics: Vec<Diagnostic>,
    /// What it comes to; none where something is wrong.
    pub meaning: Option<Meaning>,
    /// The images it names by their tags.
    pub images: BTreeSet<Image>,
    /// The names of `--bind` it referred to.
    pub(crate) used_options: BTreeSet<String>,
}

/// What a job without errors comes to.
#[derive(Debug)]
pub struct Meaning {
    pub(crate) config: Arc<Object>,
    unbound: BTreeSet<String>,
    pub(crate) ports: Ports,
    pub(crate) plan: Plan,
    runtime: Runtime,
    pub(crate) update: Result<Json, String>,
}

impl Job {
    /// Reads a job: `options` is what `--bind` binds.
    pub(crate) fn read(
        object: &Arc<Object>,
        options: &Arc<Environment>,
        digests: &Digests,
        budget: &Budget,
        cache: &mut Cache,
    ) -> Self {
        let bound = Arc::new(object.bind([Arc::clone(options), surroundings(object)]));
        let mut interpolation = Interpolation::new(budget, cache);
        let mut config = interpolation.object(&bound, None);
        let images = docker::images(&interpolation.unbound);
        if let Some(images) = docker::bindings(digests, &interpolation.unbound) {
            interpolation.unbound.clear();
            interpolation.diagnostics.clear();
            config = interpolation.object(&Arc::new(bound.bind([images])), None);
        }
        let Interpolation { mut unbound, mut diagnostics, used_options, .. } = interpolation;
        check::required(&config, &mut diagnostics);
        docker::unanswered(digests, &mut unbound, &mut diagnostics);
        references::check(&unbound, &config, &mut diagnostics);
        let key = key(&config);
        let is_whole = diagnostics.is_empty();
        let meaning = is_whole.then(|| meaning(config, &unbound, budget, cache, &mut diagnostics)).flatten();
        let shared: Option<Arc<str>> = key.as_deref().map(Arc::from);
        for diagnostic in &mut diagnostics {
            diagnostic.job.clone_from(&shared);
        }
        let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        Self { key, diagnostics, meaning: meaning.filter(|_| !has_errors), images, used_options }
    }

    /// The job as `config eval` prints it.
    pub fn to_json(&self, sources: &Sources) -> Json {
        let findings = |severity| -> Json {
            let found = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
            found.map(|diagnostic| diagnostic.to_json(sources)).collect()
        };
        let Some(meaning) = &self.meaning else {
            let mut out = json!({"status": "error", "errors": findings(Severity::Error), "warnings": findings(Severity::Warning)});
            if let Some(key) = &self.key {
                out["job_key"] = json!(key);
            }
            return out;
        };
        let mut out = json!({
            "status": "ok",
            "errors": [],
            "warnings": findings(Severity::Warning),
            "job_key": self.key,
            "config": meaning.config.to_json(),
            "unbound_refs": meaning.unbound,
            "ports": meaning.ports.requested,
            "plan": meaning.plan.to_json(),
            "runtime": meaning.runtime.to_json(),
        });
        match &meaning.update {
            Ok(settings) => out["update_settings"] = settings.clone(),
            Err(message) => out["update_settings_error"] = json!({"message": message}),
        }
        out
    }
}

/// What every job has bound without saying so.
fn surroundings(object: &Object) -> Arc<Environment> {
    let mut environment = Environment::default();
    let text = |field: &str| object.field(field).and_then(|field| field.raw()).map(|raw| Bound::Text(raw.to_text()));
    for (name, field) in [("mesos.role", "role"), ("mesos.cluster", "cluster"), ("thermos.user", "role")] {
        if let Some(text) = text(field) {
            environment.insert(name.into(), text);
        }
    }
    Arc::new(environment)
}

fn key(config: &Object) -> Option<String> {
    let parts = ["cluster", "role", "environment", "name"].map(|field| config.text(field));
    let parts: Option<Vec<String>> = parts.into_iter().collect();
    parts.map(|parts| parts.join("/")).filter(|key| !key.contains("{{"))
}

/// Whether a part of a job's key has the form it needs: `[\w\-.]+`.
pub(crate) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn meaning(
    config: Arc<Object>,
    unbound: &[crate::template::Unbound],
    budget: &Budget,
    cache: &mut Cache,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Meaning> {
    let task = Arc::clone(config.field("task")?);
    validate::job(&config, diagnostics);
    let plan = Plan::of(&task, diagnostics);
    let ports = Ports::of(&config, &task, diagnostics)?;
    let runtime = Runtime::of(&config, &task, &ports, budget, cache);
    let update = update::settings(&config);
    let unbound = unbound.iter().map(|unbound| unbound.address.clone()).collect();
    Some(Meaning { config, unbound, ports, plan, runtime, update })
}

/// An error of the job as a whole, at the field it is about.
fn error_at(object: &Object, field: &str, code: Code, message: impl Into<String>) -> Diagnostic {
    let span = object.field(field).and_then(|field| field.span).or(object.span);
    Diagnostic::error(code, span, message)
}
