//! One app and one task, rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use attica_core_api::Timestamp;
use attica_core_api::v1::{AgentId, TaskId};
use attica_paas_api::pod::PodInstanceState;
use bytes::Bytes;

use super::document::Document;
use super::embed::{AppParts, NoContainer};
use super::progress::Waiting;
use super::stats;
use crate::model::{
    Condition, ContainerTask, Goal, Instance, InstanceId, RunSpec, RunSpecId, Shape, Task, TaskFailure, Version,
    rfc3339,
};
use crate::normalise::{self, Responses};
use crate::placement::executor_id;

/// An app, or what is left of a removed one: its tasks.
#[derive(Clone, Debug, Default)]
pub(super) struct AppView {
    pub(super) definition: Option<DefinitionView>,
    pub(super) versions: BTreeMap<Version, Arc<RunSpec>>,
    pub(super) removals: BTreeSet<Version>,
    /// `[{"id":"…"}]`
    pub(super) deployments: Bytes,
    pub(super) last_failure: Option<FailureView>,
    pub(super) counts: Counts,
    pub(super) tasks: BTreeMap<InstanceId, TaskView>,
    /// What a list shows of it, since a list was read.
    pub(super) listed: OnceLock<Bytes>,
}

/// The current definition of an app.
#[derive(Clone, Debug)]
pub(super) struct DefinitionView {
    pub(super) spec: Arc<RunSpec>,
    /// The JSON object of the definition without its closing brace: all of it, or up to where a null container can be shown …
    before_null: Bytes,
    /// … and after it. None for a definition with a container.
    after_null: Option<Bytes>,
}

/// No text can hold this: quotes in texts are escaped.
const NULL_CONTAINER: &str = r#""container":null,"#;

impl DefinitionView {
    pub(super) fn new(spec: Arc<RunSpec>) -> Self {
        let mut json = normalise::definition(&spec);
        let brace = json.pop();
        assert_eq!(brace, Some('}'), "a definition is an object");
        let at = json.find(NULL_CONTAINER);
        let json = Bytes::from(json);
        match at {
            Some(at) => {
                let after_null = Some(json.slice(at + NULL_CONTAINER.len()..));
                Self { spec, before_null: json.slice(..at), after_null }
            }
            None => Self { spec, before_null: json, after_null: None },
        }
    }

    /// Appends the object without its closing brace.
    fn render_open(&self, no_container: NoContainer, out: &mut Document) {
        out.part(&self.before_null);
        let Some(after_null) = &self.after_null else { return };
        match no_container {
            NoContainer::Null => out.text(NULL_CONTAINER),
            NoContainer::Absent => {}
        }
        out.part(after_null);
    }
}

/// Where a task writes, or wrote, its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// The task.
    pub task: TaskId,
    /// Its agent.
    pub agent: AgentId,
    /// Its executor: for the agent, a task without one is its own.
    pub executor: TaskId,
    /// Its own part of the executor's sandbox, of one that shares it.
    pub container: Option<String>,
}

impl Sandbox {
    /// That of a task with an executor of its own, whatever `spec` says of that.
    fn of(task: &TaskId, agent: &AgentId, spec: Option<&RunSpec>) -> Self {
        let executor = match spec.and_then(RunSpec::executor) {
            Some(_) => executor_id(task).into(),
            None => task.clone(),
        };
        Self { task: task.clone(), agent: agent.clone(), executor, container: None }
    }
}

/// The latest failure of an app, rendered.
#[derive(Clone, Debug)]
pub(super) struct FailureView {
    pub(super) json: Bytes,
    pub(super) sandbox: Sandbox,
}

impl FailureView {
    /// `spec` is the version that has failed.
    pub(super) fn new(id: &RunSpecId, shape: Shape, failure: &TaskFailure, spec: Option<&RunSpec>) -> Self {
        let json = match shape {
            Shape::App => normalise::json(&normalise::last_failure(id.as_str(), failure)),
            Shape::Pod => normalise::json(&normalise::pod_failure(failure)),
        };
        let json = Bytes::from(json);
        Self { json, sandbox: Sandbox::of(&failure.task, &failure.agent.id, spec) }
    }
}

/// An instance and its task, rendered; an instance without a task counts nowhere and is not listed.
#[derive(Clone, Debug)]
pub(super) struct TaskView {
    pub(super) json: Option<Bytes>,
    pub(super) phase: Phase,
    pub(super) condition: Condition,
    pub(super) waits_for: Waiting,
    /// When it last changed.
    pub(super) since: Timestamp,
    pub(super) healthy: Option<bool>,
    /// The version that it runs.
    pub(super) version: Version,
    /// What tells it from instances that a deployment replaces.
    pub(super) generation: Version,
    /// Since when its task runs.
    pub(super) started_at: Option<Timestamp>,
    pub(super) sandboxes: Vec<Sandbox>,
    /// What its readiness check has found.
    pub(super) readiness: Option<Bytes>,
    /// What is kept of an instance without a task.
    pub(super) kept: Option<Bytes>,
    /// Of a pod's instance.
    pub(super) pod: Option<PodInstanceView>,
}

/// An instance of a pod, rendered.
#[derive(Clone, Debug)]
pub(super) struct PodInstanceView {
    pub(super) json: Bytes,
    pub(super) is_stable: bool,
    /// When it last changed.
    pub(super) since: Timestamp,
}

/// How a task counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Staged,
    Running,
    /// Neither: waiting, ending, or out of contact.
    Other,
}

/// Which tasks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskFilter {
    /// All.
    All,
    /// Those that run.
    Running,
    /// Those that are launched and do not run yet.
    Staging,
}

impl TaskView {
    /// Renders an instance; `spec` is the version that it runs.
    pub(super) fn new(instance: &Instance, spec: Option<&RunSpec>, responses: &Responses) -> Self {
        let json = normalise::task(instance, spec).map(|task| Bytes::from(normalise::json(&task)));
        // What is only kept for an instance is none that would be shown.
        let shown = spec.filter(|_| instance.goal == Goal::Running || instance.task.is_some());
        let pod = shown.and_then(|spec| normalise::pod_instance(instance, spec)).map(|status| PodInstanceView {
            is_stable: status.status == PodInstanceState::Stable,
            since: normalise::changed_at(instance),
            json: Bytes::from(normalise::json(&status)),
        });
        let readiness = spec.and_then(|spec| normalise::readiness_result(instance, spec, responses));
        let readiness = readiness.map(|result| Bytes::from(normalise::json(&result)));
        let sandboxes = instance.task.as_ref().map(|task| sandboxes(task, spec)).unwrap_or_default();
        let kept = normalise::kept_instance(instance).map(|kept| Bytes::from(normalise::json(&kept)));
        Self {
            json,
            phase: phase(instance.condition),
            condition: instance.condition,
            waits_for: Waiting::of(instance),
            since: normalise::changed_at(instance),
            healthy: instance.healthy(),
            version: instance.version,
            generation: instance.generation,
            started_at: instance.task.as_ref().and_then(|task| task.started_at),
            sandboxes,
            readiness,
            kept,
            pod,
        }
    }

    pub(super) fn passes(&self, filter: TaskFilter) -> bool {
        match filter {
            TaskFilter::All => true,
            TaskFilter::Running => self.phase == Phase::Running,
            TaskFilter::Staging => self.phase == Phase::Staged,
        }
    }
}

/// Where a task writes its output, or each container of a pod.
fn sandboxes(task: &Task, spec: Option<&RunSpec>) -> Vec<Sandbox> {
    let of_container = |container: &ContainerTask| Sandbox {
        executor: task.id.clone(),
        container: container.container_id.clone(),
        ..Sandbox::of(&container.id, &task.agent.id, spec)
    };
    match task.containers.as_slice() {
        [] => vec![Sandbox::of(&task.id, &task.agent.id, spec)],
        containers => containers.iter().map(of_container).collect(),
    }
}

fn phase(condition: Condition) -> Phase {
    match condition {
        Condition::Provisioned | Condition::Staging | Condition::Starting => Phase::Staged,
        Condition::Running => Phase::Running,
        Condition::Scheduled
        | Condition::Unreachable
        | Condition::UnreachableInactive
        | Condition::Killing
        | Condition::Killed
        | Condition::Finished
        | Condition::Failed
        | Condition::Error
        | Condition::Gone
        | Condition::Dropped
        | Condition::Unknown => Phase::Other,
    }
}

/// How many tasks are in which phase and of which health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) staged: u32,
    pub(super) running: u32,
    pub(super) healthy: u32,
    pub(super) unhealthy: u32,
}

impl Counts {
    pub(super) fn of(task: &TaskView) -> Self {
        let running = task.phase == Phase::Running;
        Self {
            staged: u32::from(task.phase == Phase::Staged),
            running: u32::from(running),
            healthy: u32::from(running && task.healthy == Some(true)),
            unhealthy: u32::from(running && task.healthy == Some(false)),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.staged += other.staged;
        self.running += other.running;
        self.healthy += other.healthy;
        self.unhealthy += other.unhealthy;
    }

    fn subtract(&mut self, other: Self) {
        self.staged -= other.staged;
        self.running -= other.running;
        self.healthy -= other.healthy;
        self.unhealthy -= other.unhealthy;
    }
}

impl AppView {
    /// Puts a task in, or takes it out.
    pub(super) fn set_task(&mut self, id: &InstanceId, task: Option<TaskView>) {
        self.listed.take();
        let new = task.as_ref().map(Counts::of);
        let old = match task {
            Some(task) => self.tasks.insert(id.clone(), task),
            None => self.tasks.remove(id),
        };
        if let Some(old) = old {
            self.counts.subtract(Counts::of(&old));
        }
        if let Some(new) = new {
            self.counts.add(new);
        }
    }

    /// The rendered tasks that pass.
    pub(super) fn task_parts(&self, filter: TaskFilter) -> impl Iterator<Item = &Bytes> {
        self.tasks.values().filter(move |task| task.passes(filter)).filter_map(|task| task.json.as_ref())
    }

    /// The definition, if it is of this shape.
    pub(super) fn of_shape(&self, shape: Shape) -> Option<&DefinitionView> {
        self.definition.as_ref().filter(|definition| definition.spec.shape() == shape)
    }

    /// Appends the pod with its instances; nothing for a removed one, or an app.
    pub(super) fn render_pod(&self, out: &mut Document) {
        let Some(definition) = self.of_shape(Shape::Pod) else { return };
        let instances = || self.tasks.values().filter_map(|task| task.pod.as_ref());
        let stable = instances().filter(|instance| instance.is_stable).count();
        let wanted = definition.spec.instances as usize;
        let status = if stable >= wanted { "STABLE" } else { "DEGRADED" };
        let since = instances().map(|instance| instance.since).fold(definition.spec.version.0, Ord::max);
        let since = rfc3339(since);
        out.made(format!(r#"{{"id":"{}","spec":"#, definition.spec.id));
        definition.render_open(NoContainer::Absent, out);
        out.made(format!(r#"}},"status":"{status}","statusSince":"{since}","instances":["#));
        out.separated(instances(), |instance, out| out.part(&instance.json));
        out.text("]");
        self.render_kept(out);
        out.text(r#","terminationHistory":["#);
        out.list(self.last_failure.iter().map(|failure| &failure.json));
        out.made(format!(r#"],"lastUpdated":"{since}","lastChanged":"{since}"}}"#));
    }

    /// Appends the instances without a task of which something is kept, if there are any.
    fn render_kept(&self, out: &mut Document) {
        if self.tasks.values().any(|task| task.kept.is_some()) {
            out.text(r#","keptInstances":["#);
            out.list(self.tasks.values().filter_map(|task| task.kept.as_ref()));
            out.text("]");
        }
    }

    /// Appends the definition alone; nothing for a removed pod.
    pub(super) fn render_definition(&self, out: &mut Document) {
        if let Some(definition) = &self.definition {
            definition.render_open(NoContainer::Absent, out);
            out.text("}");
        }
    }

    /// Appends the app with the parts asked for; nothing for a removed app.
    pub(super) fn render(&self, shown: AppParts, out: &mut Document) {
        if shown != AppParts::LISTED {
            return self.render_parts(shown, out);
        }
        out.part(self.listed.get_or_init(|| {
            let mut listed = Document::default();
            self.render_parts(shown, &mut listed);
            listed.whole()
        }));
    }

    fn render_parts(&self, shown: AppParts, out: &mut Document) {
        let Some(definition) = &self.definition else { return };
        definition.render_open(shown.no_container, out);
        if shown.legacy_ports {
            let ports: Vec<u16> = definition.spec.ports.iter().map(|port| port.port).collect();
            out.made(format!(r#","ports":{}"#, normalise::json(&ports)));
        }
        if shown.counts {
            let Counts { staged, running, healthy, unhealthy } = self.counts;
            out.made(format!(
                r#","tasksStaged":{staged},"tasksRunning":{running},"tasksHealthy":{healthy},"tasksUnhealthy":{unhealthy}"#
            ));
        }
        if shown.deployments {
            out.text(r#","deployments":"#);
            out.part(&self.deployments);
        }
        if shown.tasks {
            out.text(r#","tasks":["#);
            out.list(self.task_parts(TaskFilter::All));
            out.text("]");
        }
        if shown.tasks {
            self.render_kept(out);
        }
        if shown.readiness && definition.spec.readiness_check.is_some() {
            out.text(r#","readinessCheckResults":["#);
            out.list(self.tasks.values().filter_map(|task| task.readiness.as_ref()));
            out.text("]");
        }
        if let Some(now) = shown.task_stats {
            let stats = stats::by_version(&definition.spec, self.tasks.values(), now);
            out.made(format!(r#","taskStats":{}"#, normalise::json(&stats)));
        }
        if let (true, Some(failure)) = (shown.last_task_failure, &self.last_failure) {
            out.text(r#","lastTaskFailure":"#);
            out.part(&failure.json);
        }
        out.text("}");
    }
}
