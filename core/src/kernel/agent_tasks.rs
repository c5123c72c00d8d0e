//! TASKS, or a digest that matched: what the agent has is compared with what we believe, and the difference is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::link::{self, TaskReport};
use attica_core_api::v1::{AgentId, FrameworkId, TaskId, TaskInfo, TaskState, TaskStatusReason};

use super::agent::Agent;
use super::launch::group_of;
use super::status::from_master;
use super::task::is_terminal;
use super::{Effects, Kernel, LinkId, Now};
use crate::snapshot::Reach;

/// Names a task across frameworks.
type TaskName = (FrameworkId, TaskId);

/// What is to be done about a task of ours after the comparison.
enum Settlement {
    /// Nothing: it has ended, only its scheduler does not know yet.
    None,
    /// The agent has it, and it is wanted.
    Keep,
    /// The agent has it, and it is not wanted.
    Kill,
    /// The agent has never got it.
    Run,
    /// The agent does not have it, and will not get it: it ends.
    End(Ending),
}

/// How the master ends a task that cannot report any more.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) state: TaskState,
    pub(super) reason: TaskStatusReason,
    pub(super) message: &'static str,
}

impl Kernel {
    pub(super) fn tasks_listed(
        &mut self,
        now: Now,
        id: &AgentId,
        link: &LinkId,
        reports: &[TaskReport],
        out: &mut Effects,
    ) {
        let reported = reports.iter().map(|report| (report.framework_id.clone(), report.task_id.clone())).collect();
        self.settle_tasks(now, id, link, Some(&reported), out);
        let foreign = reports
            .iter()
            .filter(|report| !is_terminal(report.state) && self.is_foreign(id, &report.framework_id, &report.task_id));
        // While they run they use what would be offered. The agent is asked again until they are gone.
        if foreign.clone().next().is_none() {
            return self.admit_agent(id, link, out);
        }
        foreign.for_each(|report| self.disown(id, link, &report.framework_id, &report.task_id, out));
    }

    /// Settles every task of the agent. `reported` are those that the agent has; `None`: exactly ours.
    pub(super) fn settle_tasks(
        &mut self,
        now: Now,
        id: &AgentId,
        link: &LinkId,
        reported: Option<&BTreeSet<TaskName>>,
        out: &mut Effects,
    ) {
        let mut runs: BTreeMap<FrameworkId, BTreeMap<Option<Arc<str>>, Vec<TaskInfo>>> = BTreeMap::new();
        for name in self.agent_mut(id).tasks.clone() {
            let known = reported.is_none_or(|reported| reported.contains(&name));
            let settlement = self.settlement(&name, known);
            let (framework, task) = name;
            match settlement {
                Settlement::None => {}
                Settlement::Keep => self.found_again(now, &framework, &task, out),
                Settlement::Kill => {
                    self.found_again(now, &framework, &task, out);
                    self.send_kill(&framework, &task, out);
                }
                Settlement::Run => {
                    let task = self.task_mut(&framework, &task);
                    let (group, staging) = (task.group.clone(), task.staging.as_deref().cloned());
                    runs.entry(framework).or_default().entry(group).or_default().extend(staging);
                }
                Settlement::End(ending) => self.end_task(now, &framework, &task, ending, out),
            }
        }
        self.send_operations(id, link, out);
        for (framework, mut groups) in runs {
            let tasks = groups.remove(&None).unwrap_or_default();
            let groups = groups.into_values().filter_map(group_of).collect();
            self.send_run(&framework, link, tasks, groups, out);
        }
        self.settle_executors(id, link, out);
    }

    fn settlement(&self, (framework, task): &TaskName, known: bool) -> Settlement {
        let Some(framework) = self.frameworks.get(framework) else { return Settlement::None };
        let Some(task) = framework.tasks.get(task) else { return Settlement::None };
        let draining = self.agents.get(&task.agent).is_some_and(Agent::is_draining);
        let unwanted = task.kill.is_some() || framework.is_removed() || draining;
        if task.is_terminal() {
            return Settlement::None;
        }
        match (known, task.staging.is_some()) {
            (true, _) if unwanted => Settlement::Kill,
            (true, _) => Settlement::Keep,
            (false, true) if unwanted => Settlement::End(Ending {
                state: TaskState::Killed,
                reason: TaskStatusReason::TaskKilledDuringLaunch,
                message: "Task was killed before it was delivered to the agent",
            }),
            (false, true) if task.reach == Reach::Unreachable => Settlement::End(Ending {
                state: TaskState::Dropped,
                reason: TaskStatusReason::AgentReregistered,
                message: "Task was not delivered to the agent before it became unreachable",
            }),
            (false, true) => Settlement::Run,
            (false, false) => Settlement::End(Ending {
                state: TaskState::Gone,
                reason: TaskStatusReason::AgentReregistered,
                message: "Task is unknown to the agent",
            }),
        }
    }

    /// A task of an agent that was unreachable is where it was: its framework hears of it.
    fn found_again(&mut self, now: Now, framework: &FrameworkId, id: &TaskId, out: &mut Effects) {
        let task = self.task_mut(framework, id);
        if task.reach == Reach::Reachable {
            return;
        }
        let (state, agent) = (task.state, task.agent.clone());
        let (details, executor) = (task.details.clone(), task.executor.clone());
        let reason = TaskStatusReason::AgentReregistered;
        let mut status =
            from_master(now, id.clone(), Some(agent), state, reason, "Agent has re-registered with the task");
        if let Some(details) = details {
            details.fill(&mut status);
        }
        status.executor_id = executor;
        self.update_reach(now, framework, status, Reach::Reachable, out);
    }

    pub(super) fn end_task(
        &mut self,
        now: Now,
        framework: &FrameworkId,
        id: &TaskId,
        ending: Ending,
        out: &mut Effects,
    ) {
        let state = self.framework_mut(framework).told(ending.state);
        let agent = self.task_mut(framework, id).agent.clone();
        let status = from_master(now, id.clone(), Some(agent), state, ending.reason, ending.message);
        self.update_task(now, framework, status, None, out);
    }

    /// Whether an agent should not have a task.
    fn is_foreign(&self, agent: &AgentId, framework: &FrameworkId, task: &TaskId) -> bool {
        let ours = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(task));
        ours.is_none_or(|task| task.agent != *agent || task.is_terminal())
    }

    /// An agent may have a task that it should not have: that one it is to kill.
    pub(super) fn disown(
        &self,
        agent: &AgentId,
        link: &LinkId,
        framework: &FrameworkId,
        task: &TaskId,
        out: &mut Effects,
    ) {
        if !self.is_foreign(agent, framework, task) {
            return;
        }
        let kill = link::Kill {
            framework_id: framework.clone(),
            task_id: task.clone(),
            kill_policy: None,
            max_grace_period: None,
        };
        self.tell(link, link::Event::kill(self.config.epoch, kill), out);
    }

    /// Hands tasks of one framework to an agent.
    pub(super) fn send_run(
        &self,
        framework: &FrameworkId,
        link: &LinkId,
        tasks: Vec<TaskInfo>,
        task_groups: Vec<link::TaskGroup>,
        out: &mut Effects,
    ) {
        if tasks.is_empty() && task_groups.is_empty() {
            return;
        }
        let Some(framework) = self.frameworks.get(framework) else { return };
        let framework_info = (*framework.info).clone();
        let run = link::Run { framework_id: framework.id.clone(), framework_info, tasks, task_groups };
        self.tell(link, link::Event::run(self.config.epoch, run), out);
    }
}
