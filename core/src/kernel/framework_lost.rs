//! A framework is gone for good, torn down or away for too long: what it left behind is killed and becomes history.
//!
//! The framework stays until its last task has ended, so that no resource is given away twice and an agent that comes back later
//! still learns that its tasks are not wanted any more.

use attica_core_api::link;
use attica_core_api::v1::{FrameworkId, TaskId};

use super::framework::Presence;
use super::timers::Timer;
use super::{Effects, Kernel, Now, Send, View};
use crate::fact::Fact;
use crate::snapshot::Service;

impl Kernel {
    /// The deadline of a framework that is away may have passed.
    pub(super) fn framework_away_due(&mut self, now: Now, id: &FrameworkId, out: &mut Effects) {
        if self.is_store_away() {
            return;
        }
        let presence = self.frameworks.get(id).map(|framework| framework.presence.clone());
        if let Some(Presence::Away(deadline)) = presence
            && deadline <= now.tick
        {
            self.remove_framework(now, id, out);
        }
    }

    pub(super) fn remove_framework(&mut self, now: Now, id: &FrameworkId, out: &mut Effects) {
        self.stop_resends(id);
        self.deactivate_framework(id, out);
        out.facts.push(Fact::FrameworkRemoved { framework: id.clone(), at: now.wall });
        match self.framework_mut(id).presence.clone() {
            Presence::Connected(stream) => {
                self.streams.remove(&stream);
                out.sends.push(Send::CloseScheduler { stream });
                out.view.push(View::FrameworkDisconnected { framework: id.clone() });
            }
            Presence::Away(deadline) => self.timers.cancel(deadline, Timer::FrameworkAway(id.clone())),
            Presence::Removed => unreachable!("a framework is removed once"),
        }
        self.framework_mut(id).presence = Presence::Removed;
        self.drop_outcomes(id, out);
        self.shutdown_executors(id, out);
        let tasks: Vec<TaskId> = self.framework_mut(id).tasks.keys().cloned().collect();
        for task in &tasks {
            self.drop_outbox(id, task);
            match self.task_mut(id, task).is_terminal() {
                true => self.complete(now, id, task, out),
                false => self.send_kill(id, task, out),
            }
        }
        self.retire_framework(id, out);
    }

    /// A task has ended and nobody waits to hear of it any more: it becomes history.
    pub(super) fn complete(&mut self, now: Now, framework: &FrameworkId, task: &TaskId, out: &mut Effects) {
        let limit = self.config.completed_tasks_limit;
        let owner = self.framework_mut(framework);
        let Some(removed) = owner.tasks.remove(task) else { unreachable!("{task} of {framework} completes once") };
        assert!(
            removed.is_terminal() && removed.outbox.is_none(),
            "only what has ended and is acknowledged is history"
        );
        let forgotten = owner.history.push(task.clone(), limit);
        let agent = self.agent_mut(&removed.agent);
        agent.tasks.remove(&(framework.clone(), task.clone()));
        if agent.is_draining() && agent.tasks.is_empty() {
            self.perhaps_drained.insert(removed.agent);
        }
        out.facts.push(Fact::TaskCompleted { framework: framework.clone(), task: task.clone(), at: now.wall });
        out.facts.extend(forgotten.into_iter().map(|task| Fact::TaskForgotten { framework: framework.clone(), task }));
    }

    /// When a removed framework has no task left, it is history as well.
    pub(super) fn retire_framework(&mut self, id: &FrameworkId, out: &mut Effects) {
        let framework = self.framework_mut(id);
        let left = !framework.tasks.is_empty() || !framework.executors.is_empty();
        if framework.presence != Presence::Removed || left {
            return;
        }
        if let Some(key) = framework.key.take() {
            self.allocator.remove_framework(key);
            self.framework_keys.remove(&key);
        }
        self.removed.push_back(id.clone());
        let surplus = self.removed.len().saturating_sub(self.config.completed_frameworks_limit);
        for framework in self.removed.drain(..surplus) {
            self.frameworks.remove(&framework);
            out.facts.push(Fact::FrameworkForgotten { framework });
        }
    }

    /// Tells a task's agent to kill it, if the agent is there. If not, it is told when it comes back.
    pub(super) fn send_kill(&self, framework: &FrameworkId, id: &TaskId, out: &mut Effects) {
        let Some(task) = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(id)) else { return };
        let Some(link) = self.agents.get(&task.agent).and_then(|agent| agent.link()) else { return };
        let kill_policy = task.kill.as_ref().and_then(|kill| kill.kill_policy.clone());
        let max_grace_period = match self.agents.get(&task.agent).map(|agent| &agent.service) {
            Some(Service::Draining { config, .. }) => config.max_grace_period.clone(),
            Some(Service::Active | Service::Deactivated | Service::Drained { .. } | Service::Gone { .. }) | None => {
                None
            }
        };
        let kill = link::Kill { framework_id: framework.clone(), task_id: id.clone(), kill_policy, max_grace_period };
        let event = Box::new(link::Event::kill(self.config.epoch, kill));
        out.sends.push(Send::Agent { link: link.clone(), event });
    }
}
