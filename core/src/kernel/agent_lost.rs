//! An agent was silent for too long: it and its tasks count as unreachable until it comes back.

use attica_core_api::scheduler::Event;
use attica_core_api::v1::{AgentId, TaskState, TaskStatusReason};

use super::agent::{Agent, Contact};
use super::status::from_master;
use super::timers::Timer;
use super::{CloseReason, Effects, Kernel, Now, Send, View};
use crate::fact::Fact;
use crate::snapshot::Reach;

impl Kernel {
    /// The time of an agent may be up. Heartbeats do not move the timer; it moves itself when it finds that there were some.
    pub(super) fn agent_silent_due(&mut self, now: Now, id: &AgentId, out: &mut Effects) {
        let Some(agent) = self.agents.get(id).filter(|agent| agent.contact != Contact::Unreachable) else { return };
        let deadline = agent.silent_at();
        if deadline > now.tick {
            self.timers.set(deadline, Timer::AgentSilent(id.clone()));
        } else if !self.silent.contains(id) {
            self.silent.push_back(id.clone());
            out.view.push(View::AgentSilent { agent: id.clone() });
        }
    }

    /// Declares silent agents unreachable, as fast as the rate limit lets it.
    pub(super) fn declare_unreachable(&mut self, now: Now, out: &mut Effects) {
        if self.is_store_away() {
            return;
        }
        while let Some(id) = self.silent.front().cloned() {
            let reachable = self.agents.get(&id).filter(|agent| agent.contact != Contact::Unreachable);
            match reachable.map(Agent::silent_at) {
                // It was replaced while it waited.
                None => out.view.push(View::AgentHeard { agent: id }),
                Some(deadline) if deadline <= now.tick => {
                    if let Err(permit_at) = self.permits.take(now.tick) {
                        self.timers.set(permit_at, Timer::UnreachablePermit);
                        return;
                    }
                    self.lose_agent(now, &id, CloseReason::Silent, out);
                }
                // It was heard while it waited: the limit did what it is for.
                Some(deadline) => {
                    self.timers.set(deadline, Timer::AgentSilent(id.clone()));
                    out.view.push(View::AgentHeard { agent: id });
                }
            }
            self.silent.pop_front();
        }
    }

    pub(super) fn lose_agent(&mut self, now: Now, id: &AgentId, reason: CloseReason, out: &mut Effects) {
        self.withdraw_agent(id, out);
        self.recovering.remove(id);
        let agent = self.agent_mut(id);
        let before = std::mem::replace(&mut agent.contact, Contact::Unreachable);
        let key = agent.key.take();
        if let Some(key) = key {
            self.allocator.remove_agent(key);
            self.agent_keys.remove(&key);
        }
        match before {
            Contact::Comparing(link) | Contact::Connected(link) => {
                self.links.remove(&link);
                out.sends.push(Send::CloseAgent { link, reason });
                out.view.push(View::AgentDisconnected { agent: id.clone() });
            }
            Contact::Away | Contact::Unreachable => {}
        }
        out.facts.push(Fact::AgentUnreachable { agent: id.clone(), at: now.wall });
        self.lose_tasks(now, id, out);
        self.lose_operations(id, out);
        self.rescind_inverse(id, out);
        self.forget_later(now.tick.after(self.config.forget_unreachable_ms), id);
        self.bound_unreachable(now, out);
        let connected = self.frameworks.values().filter_map(|framework| framework.stream());
        let failure = |stream| Send::scheduler(stream, Event::agent_lost(id.clone()));
        out.sends.extend(connected.cloned().map(failure));
    }

    fn lose_tasks(&mut self, now: Now, id: &AgentId, out: &mut Effects) {
        let agent = self.agent_mut(id);
        let message = format!("Agent {} is unreachable: it missed its heartbeats", agent.info.hostname);
        for (framework, task) in agent.tasks.clone() {
            let entry = self.task_mut(&framework, &task);
            if entry.is_terminal() || entry.reach == Reach::Unreachable {
                continue;
            }
            // The last status of a task is all that the next leader will know of its details.
            let (details, executor) = (entry.details.clone(), entry.executor.clone());
            let state = self.framework_mut(&framework).told(TaskState::Unreachable);
            let reason = TaskStatusReason::AgentRemoved;
            let mut status = from_master(now, task, Some(id.clone()), state, reason, message.clone());
            details.into_iter().for_each(|details| details.fill(&mut status));
            status.executor_id = executor;
            status.unreachable_time = Some(now.wall.time_info());
            self.update_reach(now, &framework, status, Reach::Unreachable, out);
        }
    }
}
