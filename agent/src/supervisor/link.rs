//! What the master says, and the agent's own end.

use attica_core_api::Now;
use attica_core_api::link::{Event, EventType, Registered, ShutdownExecutor, TaskReport};

use super::task::Phase;
use super::{Duty, Effect, ExecutorKey, LAST_WORDS_MS, Link, Supervisor, TaskKey};
use crate::checkpoint::{AgentRecord, EndCause, KillCause};

impl Supervisor {
    pub(super) fn link_event(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        if event.epoch < self.epoch {
            let reason = format!("it speaks for epoch {}, a leader of epoch {} was seen", event.epoch, self.epoch);
            self.link = Link::Down;
            out.push(Effect::CloseLink { reason });
            return;
        }
        self.see_epoch(event.epoch, out);
        let member = event.r#type;
        let obeyed = match member {
            EventType::Registered => event.registered.map(|registered| self.registered(now, registered, out)),
            EventType::ListTasks => {
                out.push(Effect::ListTasks(self.reports()));
                Some(())
            }
            EventType::Run => event.run.map(|run| self.run(now, run, out)),
            EventType::Kill => event.kill.map(|kill| self.kill_requested(now, kill, out)),
            EventType::Acknowledge => event.acknowledge.map(|acknowledge| {
                let key = TaskKey { framework_id: acknowledge.framework_id, task_id: acknowledge.task_id };
                self.acknowledged(&key, &acknowledge.uuid, out);
            }),
            EventType::Shutdown => event.shutdown.map(|shutdown| {
                tracing::error!(reason = shutdown.message, "the master does not want this agent: its tasks are killed");
                self.leave(now, Duty::Dismissed, out);
            }),
            EventType::Message => event.message.map(|message| self.message(message, out)),
            EventType::ShutdownExecutor => event.shutdown_executor.map(|shutdown| {
                let ShutdownExecutor { framework_id, executor_id } = shutdown;
                let key = ExecutorKey { framework_id, executor_id };
                self.end_executor(now, &key, EndCause::Shutdown, out);
                self.end_own_executor(now, &key, out);
            }),
            EventType::Operation => event.operation.map(|operation| out.push(Effect::Operate(operation))),
            EventType::Heartbeat => Some(()),
        };
        if obeyed.is_none() {
            self.link = Link::Down;
            out.push(Effect::CloseLink { reason: format!("a {} event lacks its member", member.name()) });
        }
    }

    fn see_epoch(&mut self, epoch: u64, out: &mut Vec<Effect>) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.store_identity(out);
        }
    }

    fn store_identity(&mut self, out: &mut Vec<Effect>) {
        let (info, boot_id) = (&self.config.info, &self.config.boot_id);
        let record = self
            .agent_id
            .as_ref()
            .map(|agent_id| AgentRecord::new(agent_id.clone(), info.clone(), self.epoch, boot_id.clone()));
        self.record_identity(record, out);
    }

    /// Unless that is written down already.
    pub(super) fn record_identity(&mut self, record: Option<AgentRecord>, out: &mut Vec<Effect>) {
        if record != self.recorded {
            out.extend(record.clone().map(Effect::StoreAgent));
            self.recorded = record;
        }
    }

    fn registered(&mut self, now: Now, registered: Registered, out: &mut Vec<Effect>) {
        if self.agent_id.as_ref() != Some(&registered.agent_id) {
            if self.agent_id.is_some() {
                // Whoever knows the tasks of the old id takes the agent for lost.
                tracing::warn!(agent = %registered.agent_id, "the master has given this agent a new id: the tasks of the old one are killed");
                self.kill_all(now, out);
            }
            self.agent_id = Some(registered.agent_id);
            self.replaces = None;
        }
        // It may be more than it was, and the master has taken it as that.
        self.store_identity(out);
        self.link = Link::Up;
        self.send_pending(now, out);
    }

    fn reports(&self) -> Vec<TaskReport> {
        let report = |task: &super::Task| TaskReport {
            framework_id: task.key.framework_id.clone(),
            task_id: task.key.task_id.clone(),
            state: task.state,
            latest_status: task.updates.pending().last().map(|update| update.status.clone()),
        };
        self.tasks.values().map(report).collect()
    }

    fn kill_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        let keys: Vec<TaskKey> = self.tasks.keys().cloned().collect();
        for key in keys {
            self.kill_for(now, &key, KillCause::Shutdown, out);
        }
        let keys: Vec<ExecutorKey> = self.executors.keys().cloned().collect();
        for key in keys {
            self.end_executor(now, &key, EndCause::Shutdown, out);
        }
    }

    /// Begins the agent's end: first its tasks'.
    pub(super) fn leave(&mut self, now: Now, duty: Duty, out: &mut Vec<Effect>) {
        match self.duty {
            Duty::Serve | Duty::Drain => {
                self.duty = duty;
                self.kill_all(now, out);
                self.kill_all_contained(out);
            }
            Duty::Dismissed | Duty::Over => {}
        }
    }

    /// Ends the agent when its tasks have ended and the master knows, or cannot be told.
    pub(super) fn finish_duty(&mut self, now: Now, out: &mut Vec<Effect>) {
        let dismissed = match self.duty {
            Duty::Drain => false,
            Duty::Dismissed => true,
            Duty::Serve | Duty::Over => return,
        };
        if !self.executors.is_empty() || self.tasks.values().any(|task| task.phase != Phase::Ended) {
            return;
        }
        let deadline = *self.last_words.get_or_insert(now.tick.after(LAST_WORDS_MS));
        let told = self.tasks.is_empty() || self.link == Link::Down || deadline <= now.tick;
        if !told && !dismissed {
            return;
        }
        if dismissed {
            out.extend(self.tasks.values().map(|task| Effect::RemoveTask(task.container.clone())));
            out.push(Effect::RemoveAgent);
        }
        self.duty = Duty::Over;
        self.last_words = None;
        out.push(Effect::Exit);
    }
}
