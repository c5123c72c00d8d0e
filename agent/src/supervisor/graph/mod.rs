//! Tasks that are a graph of processes: the task's container has no program of its own, each run of a process is a part of it.
//!
//! The [`walk`] says what is next; here it is done, written down before it is done, and told: how the processes fare goes out with a
//! status update, at most one in a second.

mod launch;
mod report;
#[cfg(test)]
mod tests;
mod walk;

use attica_core_api::v1::TaskState;
use attica_core_api::{Now, Tick};

pub(super) use self::launch::log_directory;
pub(crate) use self::walk::Plea;
use self::walk::{Act, Walk};
use super::task::{News, Phase, Task};
use super::{Effect, LauncherState, Owner, Supervisor, TaskKey};
use crate::checkpoint::{RunPhase, TaskEntry};
use crate::launcher::protocol::{ContainerId, Ending, Exit, MemoryVerdict, Request, Stage};

/// Between two updates that tell of nothing but processes, at least.
const REPORT_PAUSE_MS: u64 = 1_000;

/// The graph of a task, and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub(super) walk: Walk,
    /// As told last.
    told: Vec<attica_core_api::v1::ProcessStatus>,
    told_at: Tick,
    /// When the next update tells of processes.
    report_at: Option<Tick>,
}

impl Graph {
    /// Of a task, if it has one. One that cannot be walked was refused before (see `accept`).
    pub(super) fn of(task: &attica_core_api::v1::TaskInfo) -> Option<Box<Graph>> {
        let walk = Walk::new(task.processes.as_ref()?).ok()?;
        Some(Box::new(Graph { walk, told: Vec::new(), told_at: Tick(0), report_at: None }))
    }

    pub(super) fn next_wake(&self, launcher: LauncherState) -> Option<Tick> {
        let walk = match launcher {
            LauncherState::Ready => self.walk.next_wake(),
            LauncherState::Unknown => None,
        };
        walk.into_iter().chain(self.report_at).min()
    }

    /// For the checkpoint, when it is written anew.
    pub(super) fn entries(&self) -> impl Iterator<Item = TaskEntry> {
        let process = |(place, standing): (usize, &crate::checkpoint::ProcessStanding)| TaskEntry::Process {
            place,
            standing: Box::new(standing.clone()),
        };
        let processes = self.walk.standings().enumerate().filter(|(_, standing)| standing.runs > 0);
        processes.map(process).chain([TaskEntry::Stage(self.walk.stage())])
    }
}

impl Task {
    /// Writes down what has changed in its graph.
    fn write_graph(&mut self, out: &mut Vec<Effect>) {
        let Some(graph) = &mut self.graph else { return };
        let (processes, stage) = graph.walk.take_changes();
        let entries = processes
            .into_iter()
            .map(|(place, standing)| TaskEntry::Process { place, standing: Box::new(standing) })
            .chain(stage.map(TaskEntry::Stage));
        out.extend(entries.map(|entry| Effect::AppendTask(self.container.clone(), entry)));
    }
}

impl Supervisor {
    /// Goes on with the graph of a task, if it has one, as far as it goes now.
    pub(super) fn walk_on(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        if self.launcher == LauncherState::Ready {
            self.take_steps(now, key, out);
        }
        self.tell_of_processes(now, key, out);
        self.schedule(key);
    }

    fn take_steps(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.phase == Phase::Running) else { return };
        let Some(graph) = &mut task.graph else { return };
        let mut acts = Vec::new();
        graph.walk.step(now, &mut acts);
        let mut begun = Vec::new();
        for act in &acts {
            if let Act::Start(place) = *act {
                let container = ContainerId::from_uuid(self.entropy.uuid());
                graph.walk.begin(now, place, container.clone());
                self.by_container.insert(container.clone(), Owner::Process(key.clone(), place));
                begun.push((place, container));
            }
        }
        task.write_graph(out);
        for act in acts {
            out.extend(self.effect_of(key, act));
        }
        for (place, container) in begun {
            match self.tasks.get(key).map(|task| self.process_spec(task, place, container)) {
                Some(Ok(spec)) => out.push(Effect::Launch(Box::new(spec), Vec::new())),
                Some(Err(refusal)) => self.process_not_started(now, key, place, refusal.to_string(), out),
                None => {}
            }
        }
    }

    fn effect_of(&self, key: &TaskKey, act: Act) -> Option<Effect> {
        let task = self.tasks.get(key)?;
        let container = |place| task.graph.as_ref()?.walk.standing(place)?.container.clone();
        match act {
            Act::Start(_) => None,
            Act::Terminate(place) => Some(Effect::Ask(Request::Terminate(container(place)?))),
            Act::Destroy(place) => Some(Effect::Ask(Request::Destroy(container(place)?))),
            Act::Plead(plea) => Some(Effect::Plead(task.container.clone(), plea, task.plea_target(plea)?)),
            Act::Finish => Some(Effect::Ask(Request::Destroy(task.container.clone()))),
        }
    }

    /// The task's container is there, or is found again: its graph begins or goes on.
    pub(super) fn resume_graph(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        if let Some(task) = self.tasks.get(key)
            && task.graph.as_ref().is_some_and(|graph| graph.walk.is_over())
        {
            out.push(Effect::Ask(Request::Destroy(task.container.clone())));
        }
        self.walk_on(now, key, out);
    }

    /// The program of a process runs.
    pub(super) fn process_started(&mut self, now: Now, key: &TaskKey, place: usize, out: &mut Vec<Effect>) {
        if let Some(graph) = self.tasks.get_mut(key).and_then(|task| task.graph.as_mut()) {
            graph.walk.started(place);
            self.walk_on(now, key, out);
        }
    }

    /// The program of a process could not be started.
    pub(super) fn process_not_started(
        &mut self,
        now: Now,
        key: &TaskKey,
        place: usize,
        error: String,
        out: &mut Vec<Effect>,
    ) {
        let Some(graph) = self.tasks.get_mut(key).and_then(|task| task.graph.as_mut()) else { return };
        if let Some(container) = graph.walk.standing(place).and_then(|standing| standing.container.clone()) {
            self.by_container.remove(&container);
        }
        graph.walk.not_started(now, place, error);
        self.walk_on(now, key, out);
    }

    /// Nothing of a run is left.
    pub(super) fn process_ended(
        &mut self,
        now: Now,
        (key, place): (&TaskKey, usize),
        container: &ContainerId,
        ending: Ending,
        out: &mut Vec<Effect>,
    ) {
        self.by_container.remove(container);
        if let Some(task) = self.tasks.get_mut(key).filter(|task| task.phase != Phase::Ended) {
            if let Some(graph) = &mut task.graph {
                graph.walk.started(place);
                graph.walk.ended(now, place, ending);
            }
            task.write_graph(out);
        }
        // Only now: what the launcher forgets has to be written down.
        out.push(super::recovery::forget(container.clone()));
        self.walk_on(now, key, out);
    }

    /// What the launcher has of a run.
    pub(super) fn reunite_process(
        &mut self,
        now: Now,
        owner: (&TaskKey, usize),
        container: &ContainerId,
        stage: Stage,
        out: &mut Vec<Effect>,
    ) {
        match stage {
            Stage::Failing => {}
            Stage::Running => self.process_started(now, owner.0, owner.1, out),
            Stage::Ended(ending) => self.process_ended(now, owner, container, ending, out),
        }
    }

    /// The launcher may have missed what it was asked about processes.
    pub(super) fn forget_asked_of_processes(&mut self) {
        for graph in self.tasks.values_mut().filter_map(|task| task.graph.as_mut()) {
            graph.walk.forget_asked();
        }
    }

    /// The launcher knows nothing of runs that are on record: they never were, or nobody saw their end.
    pub(super) fn processes_missed(
        &mut self,
        now: Now,
        is_known: impl Fn(&ContainerId) -> bool,
        out: &mut Vec<Effect>,
    ) {
        let runs = self.tasks.values().filter(|task| task.phase != Phase::Ended).flat_map(|task| {
            let standings = task.graph.iter().flat_map(|graph| graph.walk.standings().enumerate());
            standings.map(|(place, standing)| (task.key.clone(), place, standing.clone()))
        });
        let missed = runs.filter_map(|(key, place, standing)| {
            let container = standing.container.filter(|container| !is_known(container))?;
            Some((key, place, standing.phase, container))
        });
        for (key, place, phase, container) in missed.collect::<Vec<_>>() {
            let Some(graph) = self.tasks.get_mut(&key).and_then(|task| task.graph.as_mut()) else { continue };
            self.by_container.remove(&container);
            match phase {
                RunPhase::Launching => graph.walk.never_began(place),
                RunPhase::Waiting | RunPhase::Running | RunPhase::Succeeded | RunPhase::Failed | RunPhase::Killed => {
                    let ending = Ending { exit: Exit::Unknown, memory: MemoryVerdict::WithinLimit };
                    graph.walk.ended(now, place, ending);
                }
            }
            self.walk_on(now, &key, out);
        }
    }

    /// A task has answered a plea, or has not.
    pub(super) fn pleaded(
        &mut self,
        now: Now,
        container: &ContainerId,
        plea: Plea,
        is_heard: bool,
        out: &mut Vec<Effect>,
    ) {
        let Some(key) = self.key_of(container) else { return };
        let Some(graph) = self.tasks.get_mut(&key).and_then(|task| task.graph.as_mut()) else { return };
        if !is_heard {
            graph.walk.plea_is_unheard(now, plea);
            self.walk_on(now, &key, out);
        }
    }

    /// Tells how the processes fare, when that has changed and it is time.
    fn tell_of_processes(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.phase == Phase::Running) else { return };
        let state = task.state;
        let Some(processes) = task.process_statuses() else { return };
        let Some(graph) = &mut task.graph else { return };
        if graph.told == processes || graph.walk.is_over() || !matches!(state, TaskState::Running | TaskState::Killing)
        {
            graph.report_at = None;
            return;
        }
        let due = graph.told_at.after(REPORT_PAUSE_MS);
        if now.tick < due {
            graph.report_at = Some(due);
            return;
        }
        (graph.told, graph.told_at, graph.report_at) = (processes, now.tick, None);
        if task.updates.is_full() {
            let superseded = task.updates.supersede().map(TaskEntry::Acknowledged);
            out.extend(superseded.map(|entry| Effect::AppendTask(task.container.clone(), entry)));
        }
        self.update(now, key, News::of(state), out);
    }

    /// As above: what the first update of a task says needs not be said again at once.
    pub(super) fn processes_told(&mut self, now: Now, key: &TaskKey) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        let processes = task.process_statuses().unwrap_or_default();
        if let Some(graph) = &mut task.graph {
            (graph.told, graph.told_at) = (processes, now.tick);
        }
    }
}
