//! Killing a task: SIGTERM to all of it, and SIGKILL to all of it when its grace is over.

use attica_core_api::link::Kill as KillEvent;
use attica_core_api::v1::{DurationInfo, FrameworkCapabilityType, KillPolicy, TaskState, TaskStatusReason};
use attica_core_api::{Now, Tick};

use super::task::{News, Phase, Task};
use super::{Effect, LauncherState, Supervisor, TaskKey};
use crate::checkpoint::{KillCause, TaskEntry};
use crate::launcher::protocol::Request;

/// Between SIGTERM and SIGKILL when nobody says otherwise, in milliseconds (as Mesos's executors).
const GRACE_DEFAULT_MS: u64 = 3_000;

/// How far a kill has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The task does not run yet, or the launcher is away.
    Waiting,
    /// SIGTERM was sent.
    Terminating { since: Tick, deadline: Tick },
    /// SIGKILL was sent; the launcher goes on until nothing is left.
    Destroying,
}

/// A kill on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    pub(super) cause: KillCause,
    grace_ms: u64,
    step: Step,
}

impl Kill {
    /// As found in a checkpoint: it begins anew.
    pub(super) fn restored(cause: KillCause, grace_ms: u64) -> Kill {
        Kill { cause, grace_ms, step: Step::Waiting }
    }

    /// As a framework would ask for it.
    pub(super) fn policy(&self) -> KillPolicy {
        KillPolicy { grace_period: Some(DurationInfo::from_milliseconds(self.grace_ms)) }
    }

    /// For the checkpoint.
    pub(super) fn entry(&self) -> TaskEntry {
        TaskEntry::Killing { cause: self.cause, grace_ms: self.grace_ms }
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        match self.step {
            Step::Terminating { deadline, .. } => Some(deadline),
            Step::Waiting | Step::Destroying => None,
        }
    }
}

fn grace_of(policy: Option<&KillPolicy>) -> Option<u64> {
    policy?.grace_period.as_ref()?.milliseconds()
}

impl Task {
    /// Between SIGTERM and SIGKILL, as the task itself says.
    fn grace_ms(&self) -> u64 {
        let of_graph = || self.graph.as_ref().map_or(GRACE_DEFAULT_MS, |graph| graph.walk.wait_ms());
        grace_of(self.info.kill_policy.as_ref()).unwrap_or_else(of_graph)
    }

    /// SIGTERM, if that is what is next.
    pub(super) fn begin_kill(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (Some(kill), Phase::Running) = (&mut self.kill, self.phase) else { return };
        match kill.step {
            Step::Waiting if self.graph.is_some() => {
                // Its walk goes from step to step by itself.
                kill.step = Step::Destroying;
                out.push(Effect::Unwatch(self.container.clone()));
                if let Some(graph) = &mut self.graph {
                    graph.walk.kill(now, kill.grace_ms);
                }
            }
            Step::Waiting => {
                kill.step = Step::Terminating { since: now.tick, deadline: now.tick.after(kill.grace_ms) };
                out.push(Effect::Unwatch(self.container.clone()));
                out.push(Effect::Ask(Request::Terminate(self.container.clone())));
            }
            Step::Terminating { .. } | Step::Destroying => {}
        }
    }

    /// SIGKILL, if it is time.
    pub(super) fn escalate(&mut self, now: Now, out: &mut Vec<Effect>) {
        let (Some(kill), Phase::Running) = (&mut self.kill, self.phase) else { return };
        match kill.step {
            Step::Terminating { deadline, .. } if deadline <= now.tick => {
                kill.step = Step::Destroying;
                out.push(Effect::Ask(Request::Destroy(self.container.clone())));
            }
            Step::Waiting | Step::Terminating { .. } | Step::Destroying => {}
        }
    }

    /// The launcher may have missed what it was asked: ask again.
    pub(super) fn repeat_kill(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Some(kill) = &mut self.kill {
            kill.step = Step::Waiting;
        }
        self.begin_kill(now, out);
    }
}

impl Supervisor {
    /// KILL. A repeated one can shorten the grace.
    pub(super) fn kill_requested(&mut self, now: Now, event: KillEvent, out: &mut Vec<Effect>) {
        let key = TaskKey { framework_id: event.framework_id, task_id: event.task_id };
        let Some(task) = self.tasks.get_mut(&key) else {
            tracing::info!(task = %key.task_id, "asked to kill a task that is not known");
            return;
        };
        let at_most = event.max_grace_period.as_ref().and_then(DurationInfo::milliseconds).unwrap_or(u64::MAX);
        if let Some(executor) = task.executor_key().filter(|_| task.phase != Phase::Ended) {
            let grace_ms = grace_of(event.kill_policy.as_ref()).unwrap_or(GRACE_DEFAULT_MS).min(at_most);
            let kill = Kill { cause: KillCause::Requested, grace_ms, step: Step::Waiting };
            if task.kill.is_none() {
                task.kill = Some(kill);
                out.push(Effect::AppendTask(task.container.clone(), kill.entry()));
            }
            // What the executor makes of it is its business, unless the master sets a bound.
            let policy = if event.max_grace_period.is_some() { Some(kill.policy()) } else { event.kill_policy };
            return self.kill_through_executor(now, &executor, &key, policy, out);
        }
        let asked = grace_of(event.kill_policy.as_ref());
        if let Some(kill) = &mut task.kill {
            let asked = asked.unwrap_or(kill.grace_ms).min(at_most);
            if asked < kill.grace_ms {
                kill.grace_ms = asked;
                if let Step::Terminating { since, deadline } = &mut kill.step {
                    *deadline = since.after(asked);
                }
                if let Some(graph) = &mut task.graph {
                    graph.walk.kill(now, asked);
                }
                task.escalate(now, out);
                self.walk_on(now, &key, out);
            }
            return;
        }
        let grace_ms = asked.unwrap_or_else(|| task.grace_ms());
        self.kill(now, &key, KillCause::Requested, grace_ms.min(at_most), out);
    }

    /// Kills a task that is not being killed yet, and that no executor runs.
    pub(super) fn kill(&mut self, now: Now, key: &TaskKey, cause: KillCause, grace_ms: u64, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if task.kill.is_some() || task.phase == Phase::Ended || task.executor.is_some() {
            return;
        }
        let kill = Kill { cause, grace_ms, step: Step::Waiting };
        task.kill = Some(kill);
        out.push(Effect::AppendTask(task.container.clone(), kill.entry()));
        if task.has_capability(FrameworkCapabilityType::TaskKillingState) && matches!(task.phase, Phase::Running) {
            self.update(now, key, News::of(TaskState::Killing), out);
        }
        let ready = self.tasks.get(key).map(|task| self.readiness(task.containerizer));
        if let (Some(task), Some(LauncherState::Ready)) = (self.tasks.get_mut(key), ready) {
            task.begin_kill(now, out);
        }
        self.kill_while_supplied(now, key, out);
        self.walk_on(now, key, out);
    }

    /// Kills a task for a cause of the agent's own, with the task's own grace.
    pub(super) fn kill_for(&mut self, now: Now, key: &TaskKey, cause: KillCause, out: &mut Vec<Effect>) {
        let Some(grace_ms) = self.tasks.get(key).map(Task::grace_ms) else { return };
        self.kill(now, key, cause, grace_ms, out);
    }

    /// A task that was to be killed before it was started never is.
    pub(super) fn killed_before_launch(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        task.phase = Phase::Ended;
        let message = Some("Killed before it was started".to_owned());
        let reason = Some(TaskStatusReason::TaskKilledDuringLaunch);
        let executor = task.executor_key();
        self.update(now, key, News { message, reason, ..News::of(TaskState::Killed) }, out);
        if let Some(executor) = executor {
            self.leave_executor(&executor, key, out);
        }
    }
}
