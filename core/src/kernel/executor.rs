//! Executors: the programs of frameworks, or the agents' own, that run tasks.
//!
//! An executor comes with its first task and goes when its agent says so. What it uses itself is kept apart from what its tasks use,
//! and is in use as long as it lives.

use std::collections::BTreeSet;

use attica_allocator::{Resources, Role};
use attica_core_api::link::{self, ExecutorExited, ExecutorReport};
use attica_core_api::scheduler::{self, Event};
use attica_core_api::v1::{AgentId, ExecutorId, ExecutorInfo, FrameworkId};

use super::framework::Failure;
use super::{Effects, Kernel, LinkId, Send};
use crate::fact::Fact;

/// Names an executor on an agent.
pub(super) type ExecutorName = (FrameworkId, ExecutorId);

/// An executor that runs, or is going to.
#[derive(Debug, PartialEq)]
pub(super) struct Executor {
    /// Durable. The role to which its resources are allocated.
    pub role: Role,
    /// Durable. What it uses itself.
    pub resources: Resources,
    /// Durable. As it was launched: a task that names it has to describe it alike.
    pub info: Box<ExecutorInfo>,
}

/// The wait status that frameworks are told when the agent did not learn it. They insist on a number.
const STATUS_UNKNOWN: i32 = -1;

impl Kernel {
    /// Enters an executor as it is launched.
    pub(super) fn insert_executor(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &Role,
        info: &ExecutorInfo,
        resources: Resources,
    ) {
        let executor = Executor { role: role.clone(), resources, info: Box::new(info.clone()) };
        let id = info.executor_id.clone();
        self.framework_mut(framework).executors.insert((agent.clone(), id.clone()));
        self.agent_mut(agent).executors.insert((framework.clone(), id), executor);
    }

    /// What an executor used is free.
    pub(super) fn end_executor(&mut self, agent_id: &AgentId, name: &ExecutorName, out: &mut Effects) {
        let agent = self.agent_mut(agent_id);
        let Some(executor) = agent.executors.remove(name) else { return };
        let key = agent.key;
        let (framework, id) = name;
        if let Some(key) = key {
            let framework = self.framework_key(framework);
            self.allocator.release(framework, &executor.role, key, &executor.resources);
        }
        self.framework_mut(framework).executors.remove(&(agent_id.clone(), id.clone()));
        out.facts.push(Fact::ExecutorEnded {
            framework: framework.clone(),
            agent: agent_id.clone(),
            executor: id.clone(),
        });
        self.retire_framework(framework, out);
    }

    /// EXECUTOR_EXITED. What became of its tasks comes as statuses.
    pub(super) fn executor_exited(&mut self, agent: &AgentId, exited: ExecutorExited, out: &mut Effects) {
        let name = (exited.framework_id, exited.executor_id);
        self.agent_mut(agent).reported.remove(&name);
        if !self.agent_mut(agent).executors.contains_key(&name) {
            return;
        }
        let framework = self.framework_mut(&name.0);
        if framework.stream().is_some() {
            let status = exited.status.unwrap_or(STATUS_UNKNOWN);
            framework.failures.push(Failure { agent: agent.clone(), executor: name.1.clone(), status });
        }
        self.send_failures(&name.0, out);
        self.end_executor(agent, &name, out);
    }

    /// FAILURE of each executor whose tasks have no status that waits for another one to be acknowledged: how they ended comes first.
    pub(super) fn send_failures(&mut self, id: &FrameworkId, out: &mut Effects) {
        let framework = self.framework_mut(id);
        let Some(stream) = framework.stream().cloned() else { return };
        let (tasks, undelivered) = (&framework.tasks, &framework.undelivered);
        let waits = |failure: &mut Failure| {
            let of_executor = undelivered
                .iter()
                .filter_map(|task| tasks.get(task))
                .filter(|task| task.agent == failure.agent && task.executor.as_ref() == Some(&failure.executor));
            let mut outboxes = of_executor.filter_map(|task| task.outbox.as_ref());
            outboxes.any(|outbox| outbox.statuses.len() > 1)
        };
        for Failure { agent, executor, status } in framework.failures.extract_if(.., |failure| !waits(failure)) {
            out.sends.push(Send::scheduler(stream.clone(), Event::executor_lost(agent, executor, status)));
        }
    }

    /// An agent has said which executors live.
    pub(super) fn hear_executors(&mut self, agent: &AgentId, reports: Vec<ExecutorReport>) {
        let names = reports.into_iter().map(|report| (report.framework_id, report.executor_id));
        self.agent_mut(agent).reported = names.collect();
    }

    /// Settles the executors of an agent after its tasks: one that the agent did not name, and that no task waits for, has ended
    /// unheard. One that is not wanted is to be shut down.
    pub(super) fn settle_executors(&mut self, id: &AgentId, link: &LinkId, out: &mut Effects) {
        let agent = self.agent_mut(id);
        let live = std::mem::take(&mut agent.reported);
        let needed = agent.tasks.clone();
        let ours: Vec<ExecutorName> = agent.executors.keys().cloned().collect();
        let needed: BTreeSet<ExecutorName> = needed
            .into_iter()
            .filter_map(|(framework, task)| {
                let task = self.frameworks.get(&framework)?.tasks.get(&task)?;
                let executor = task.executor.clone().filter(|_| !task.is_terminal())?;
                Some((framework, executor))
            })
            .collect();
        for name in ours.iter().filter(|name| !live.contains(name) && !needed.contains(name)) {
            self.end_executor(id, name, out);
        }
        for name in &live {
            let wanted = self.frameworks.get(&name.0).is_some_and(|framework| !framework.is_removed());
            if !wanted || !ours.contains(name) {
                self.send_shutdown(link, name, out);
            }
        }
        self.agent_mut(id).reported = live;
    }

    /// SHUTDOWN. Said once: an executor that is not there cannot be shut down.
    pub(super) fn shutdown_executor(&self, framework: &FrameworkId, shutdown: scheduler::Shutdown, out: &mut Effects) {
        let name = (framework.clone(), shutdown.executor_id);
        let Some(agent) = self.agents.get(&shutdown.agent_id) else { return };
        if let Some(link) = agent.link().filter(|_| agent.executors.contains_key(&name)) {
            self.send_shutdown(link, &name, out);
        }
    }

    /// The framework is gone: its executors have nothing left to do.
    pub(super) fn shutdown_executors(&mut self, framework: &FrameworkId, out: &mut Effects) {
        for (agent, executor) in self.framework_mut(framework).executors.clone() {
            if let Some(link) = self.agents.get(&agent).and_then(|agent| agent.link()) {
                self.send_shutdown(link, &(framework.clone(), executor), out);
            }
        }
    }

    fn send_shutdown(&self, link: &LinkId, (framework, executor): &ExecutorName, out: &mut Effects) {
        let shutdown = link::ShutdownExecutor { framework_id: framework.clone(), executor_id: executor.clone() };
        self.tell(link, link::Event::shutdown_executor(self.config.epoch, shutdown), out);
    }
}
