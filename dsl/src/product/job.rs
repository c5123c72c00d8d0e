//! A job as an app: a service whose task is one command, or a graph of processes. What only an engine for jobs can do is
//! refused by its name, field by field; how an update of the job would go on is not the app's matter, and is warned of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::job::{Job, Meaning};
use crate::schema::{Object, Raw};

use super::{Origin, Service};

const MEBIBYTE: i64 = 1 << 20;

/// Fields that an app has nothing for, and what each would need.
const OF_JOB: &[(&str, &str)] = &[
    ("cron_schedule", "a job that is started at times"),
    ("announce", "announcing instances in ZooKeeper"),
    ("tier", "tiers and preemption"),
    ("production", "tiers and preemption"),
    ("priority", "tiers and preemption"),
    ("sla_policy", "service levels"),
    ("container", "containers"),
    ("executor_config", "executors of one's own"),
    ("enable_hooks", "hooks of the client"),
];
const OF_TASK: &[(&str, &str)] = &[("user", "a user for one task")];
const OF_UPDATE: &[(&str, &str)] = &[
    ("pulse_interval_secs", "updates that wait for a pulse"),
    ("sla_aware", "service levels"),
    ("wait_for_batch_completion", "updates in batches"),
];
/// Fields that say how an update is watched: a deployment goes on as soon as an instance runs, or is healthy.
const WATCHED: &[&str] = &["watch_secs", "max_per_shard_failures", "max_total_failures", "rollback_on_failure"];

/// The job as an app; nothing where it cannot be one, which is reported, or is wrong, which was.
pub(super) fn as_app(job: &Job, diagnostics: &mut Vec<Diagnostic>) -> Option<Service> {
    let (Some(key), Some(meaning)) = (&job.key, &job.meaning) else { return None };
    let mut translation = Translation { meaning, found: Vec::new() };
    let definition = translation.definition(key);
    let is_whole = translation.found.iter().all(|found| found.severity == Severity::Warning);
    for mut found in translation.found {
        found.job = Some(key.as_str().into());
        diagnostics.push(found);
    }
    let (id, definition) = definition.filter(|_| is_whole)?;
    Some(Service { id, definition, origin: Origin::Job(key.clone()), object: Arc::clone(&meaning.config) })
}

pub(super) struct Translation<'a> {
    pub(super) meaning: &'a Meaning,
    pub(super) found: Vec<Diagnostic>,
}

impl Translation<'_> {
    fn definition(&mut self, key: &str) -> Option<(String, Map<String, Json>)> {
        let config = Arc::clone(&self.meaning.config);
        let task = Arc::clone(config.field("task")?);
        if !config.is_true("service") {
            let span = config.field("service").and_then(|field| field.span).or(config.span);
            let error = Diagnostic::error(
                Code::Unsupported,
                span,
                "a job that ends waits for the job engine, which is not built yet",
            );
            self.found.push(error.help("a service deploys as an app: write Service(…), or service = True"));
        }
        self.only_defaults(&config, OF_JOB);
        self.only_defaults(&task, OF_TASK);
        let resources = task.field("resources")?;
        self.only_defaults(resources, &[("gpu", "devices")]);
        let id = self.id(&config)?;
        let lifecycle = self.lifecycle(&config);
        let program = self.program(&task, lifecycle)?;
        let mut labels = BTreeMap::from([("aurora.job".to_owned(), key.to_owned())]);
        labels.extend(config.text("contact").map(|contact| ("aurora.contact".to_owned(), contact)));
        for entry in config.field("metadata").map(|entries| entries.items()).unwrap_or_default() {
            let (name, value) = (entry.text("key").unwrap_or_default(), entry.text("value").unwrap_or_default());
            if labels.insert(name.clone(), value).is_some() {
                let message = format!("the label `{name}` has two values, and an app's label has one");
                self.found.push(Diagnostic::error(Code::Job, entry.span, message));
            }
        }
        let instances = config.integer("instances").unwrap_or(1);
        let mebibytes = |field: &str| resources.integer(field).unwrap_or_default() / MEBIBYTE;
        let cpus = match resources.field("cpu").and_then(|cpu| cpu.raw()) {
            Some(Raw::Float(cpu)) => *cpu,
            _ => 0.0,
        };
        let ports = &self.meaning.ports.requested;
        let port = |name: &String| json!({"port": 0, "protocol": "tcp", "name": name, "labels": {}});
        let ports: Vec<Json> = ports.iter().map(port).collect();
        let definition = json!({
            "id": id,
            "cmd": program.line,
            "processGraph": program.graph,
            "user": config.text("role"),
            "instances": instances,
            "cpus": attica_paas_api::Number(cpus),
            "mem": mebibytes("ram"),
            "disk": mebibytes("disk"),
            "constraints": self.constraints(&config),
            "portDefinitions": ports,
            "requirePorts": false,
            "healthChecks": self.health_checks(&config),
            "upgradeStrategy": self.upgrade(&config, instances),
            "unreachableStrategy": unreachable(&config),
            "taskKillGracePeriodSeconds": task.integer("finalization_wait"),
            "labels": labels,
        });
        let Json::Object(definition) = definition else { return None };
        Some((id, definition.into_iter().filter(|(_, value)| !value.is_null()).collect()))
    }

    /// Reports every field that has another value than its default.
    pub(super) fn only_defaults(&mut self, object: &Object, fields: &[(&str, &str)]) {
        for (field, what) in fields {
            if !is_default(object, field) {
                self.refuse(object, field, what);
            }
        }
    }

    pub(super) fn refuse(&mut self, object: &Object, field: &str, what: &str) {
        let span = object.field(field).and_then(|field| field.span).or(object.span);
        let message = format!("`{field}` ({what}) waits for the job engine, which is not built yet");
        self.found.push(Diagnostic::error(Code::Unsupported, span, message));
    }

    /// `/role/environment/name`, in the letters that ids have.
    fn id(&mut self, config: &Object) -> Option<String> {
        let parts = ["role", "environment", "name"].map(|field| {
            let text = config.text(field).unwrap_or_default();
            (field, text.to_ascii_lowercase().replace('_', "-"))
        });
        let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let wrong = parts.iter().find(|(_, text)| !is_end(text.chars().next()) || !is_end(text.chars().last()));
        if let Some((field, text)) = wrong {
            let span = config.field(field).and_then(|field| field.span).or(config.span);
            let message = format!("`{text}` cannot be a part of an app's id");
            self.found
                .push(Diagnostic::error(Code::Job, span, message).help("begin and end it with a letter or digit"));
            return None;
        }
        Some(parts.iter().map(|(_, text)| format!("/{text}")).collect())
    }

    fn constraints(&mut self, config: &Object) -> Vec<Json> {
        let mut constraints = Vec::new();
        for (name, value) in config.field("constraints").map(|map| map.entries()).unwrap_or_default() {
            let (name, text) = (name.shown(), value.shown());
            if name == "dedicated" {
                self.refuse(config, "constraints", "dedicated machines");
                continue;
            }
            let field = if name == "host" { "hostname" } else { &name };
            constraints.push(match (text.strip_prefix("limit:"), text.strip_prefix('!')) {
                (Some(limit), _) => json!([field, "MAX_PER", limit]),
                (None, Some(values)) => json!([field, "UNLIKE", either(values)]),
                (None, None) => json!([field, "LIKE", either(&text)]),
            });
        }
        constraints
    }

    /// A task is checked if it has a port of that name.
    fn health_checks(&mut self, config: &Object) -> Vec<Json> {
        let Some(check) = config.field("health_check_config") else { return Vec::new() };
        let Some(checker) = check.field("health_checker") else { return Vec::new() };
        if checker.field("shell").is_some() {
            self.refuse(checker, "shell", "a command that checks health");
            return Vec::new();
        }
        let Some(index) = self.meaning.ports.requested.iter().position(|port| port == "health") else {
            return Vec::new();
        };
        let Some(http) = checker.field("http") else { return Vec::new() };
        if http.text("expected_response").is_some_and(|expected| !expected.is_empty()) {
            self.refuse(
                http,
                "expected_response",
                "a health check that reads the answer (expected_response = '' takes any)",
            );
        }
        self.only_defaults(http, &[("expected_response_code", "a health check that wants one status")]);
        self.only_defaults(check, &[("min_consecutive_successes", "counting successes of a health check")]);
        let seconds: Vec<Option<i64>> =
            ["initial_interval_secs", "interval_secs", "timeout_secs"].map(|field| self.whole(check, field)).into();
        let [Some(grace), Some(interval), Some(timeout)] = seconds[..] else { return Vec::new() };
        let failures = check.integer("max_consecutive_failures").unwrap_or_default();
        vec![json!({
            "protocol": "HTTP", "path": http.text("endpoint"), "portIndex": index, "gracePeriodSeconds": grace, "intervalSeconds": interval,
            "timeoutSeconds": timeout, "maxConsecutiveFailures": failures + 1,
        })]
    }

    fn whole(&mut self, object: &Object, field: &str) -> Option<i64> {
        match object.field(field).and_then(|field| field.raw()) {
            Some(Raw::Float(value)) if value.fract() == 0.0 && value.abs() < 1e9 => Some(*value as i64),
            _ => {
                self.refuse(object, field, "a part of a second");
                None
            }
        }
    }

    /// As many instances at a time as a batch has are taken away, and none started in addition.
    fn upgrade(&mut self, config: &Object, instances: i64) -> Json {
        let Some(update) = config.field("update_config") else { return Json::Null };
        self.only_defaults(update, OF_UPDATE);
        let mut batch = update.integer("batch_size").unwrap_or(1);
        if let Some(strategy) = update.field("update_strategy") {
            match strategy.struct_type().map(|kind| &*kind.name) {
                Some("QueueUpdateStrategy") => batch = strategy.integer("batch_size").unwrap_or(batch),
                _ => self.refuse(update, "update_strategy", "updates in batches"),
            }
        }
        for field in WATCHED.iter().filter(|field| !is_default(update, field)) {
            let span = update.field(field).and_then(|field| field.span).or(update.span);
            let message = format!(
                "`{field}` has no effect on an app: its deployment goes on when an instance runs or is healthy"
            );
            self.found.push(Diagnostic::warning(Code::Unsupported, span, message));
        }
        // Rounded down, so that the share of instances that must stay is never one more than meant.
        let stay = (instances - batch).max(0) as f64 / instances.max(1) as f64;
        let stay = (stay * 1e6).floor() / 1e6;
        json!({"minimumHealthCapacity": attica_paas_api::Number(stay), "maximumOverCapacity": 0})
    }
}

fn unreachable(config: &Object) -> Json {
    match config.field("partition_policy") {
        None => Json::Null,
        Some(policy) if !policy.is_true("reschedule") => json!("disabled"),
        Some(policy) => {
            let delay = policy.integer("delay_secs").unwrap_or_default();
            json!({"inactiveAfterSeconds": delay, "expungeAfterSeconds": delay})
        }
    }
}

pub(super) fn is_default(object: &Object, name: &str) -> bool {
    let kind = object.struct_type();
    let default = kind.and_then(|kind| kind.fields.get(kind.position(name)?)?.default.as_ref());
    object.field(name).map(|value| value.to_json()) == default.map(|default| default.to_json())
}

/// A pattern that is one of some values.
fn either(values: &str) -> String {
    let quoted = values.split(',').map(|value| {
        value.chars().fold(String::new(), |mut out, c| {
            if !c.is_alphanumeric() && !matches!(c, '-' | '_') {
                out.push('\\');
            }
            out.push(c);
            out
        })
    });
    quoted.collect::<Vec<_>>().join("|")
}
