//! What executors say.

use std::collections::BTreeSet;

use attica_core_api::Now;
use attica_core_api::executor::{Event, Subscribe, Subscribed, check_status};
use attica_core_api::link::Message;
use attica_core_api::v1::{ContainerId as WireContainerId, TaskId, TaskState, TaskStatus};

use super::{Contact, Executor, ExecutorCall, ExecutorKey, ExecutorRefusal, ReplyTo, Step, StreamId};
use crate::checkpoint::TaskEntry;
use crate::supervisor::task::Phase;
use crate::supervisor::updates::is_final;
use crate::supervisor::{Effect, Supervisor, TaskKey};

impl Supervisor {
    /// A call of an executor; its answer goes out behind all that has to be written down for it.
    pub(in crate::supervisor) fn executor_call(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        call: ExecutorCall,
        token: Option<&str>,
        reply: ReplyTo,
        out: &mut Vec<Effect>,
    ) {
        let outcome = self.check_executor(key, token, &call);
        out.push(Effect::Answer(reply, outcome));
        if outcome.is_err() {
            return;
        }
        match call {
            ExecutorCall::Subscribe { stream, subscribe } => self.subscribed(now, key, stream, subscribe, out),
            ExecutorCall::Update(status) => self.executor_update(now, key, *status, out),
            ExecutorCall::Message(data) => {
                let ExecutorKey { framework_id, executor_id } = key.clone();
                out.push(Effect::SendMessage(Box::new(Message { framework_id, executor_id, data })));
            }
            ExecutorCall::Heartbeat => {}
        }
    }

    fn check_executor(
        &self,
        key: &ExecutorKey,
        token: Option<&str>,
        call: &ExecutorCall,
    ) -> Result<(), ExecutorRefusal> {
        let Some(executor) = self.executors.get(key) else {
            let known = self.executors.keys().any(|other| other.framework_id == key.framework_id)
                || self.tasks.keys().any(|task| task.framework_id == key.framework_id);
            return Err(if known { ExecutorRefusal::NoExecutor } else { ExecutorRefusal::NoFramework });
        };
        executor.check_token(token)?;
        match (call, executor.contact) {
            (ExecutorCall::Subscribe { .. }, _) | (_, Contact::Subscribed(_) | Contact::Away) => Ok(()),
            (ExecutorCall::Update(_) | ExecutorCall::Message(_) | ExecutorCall::Heartbeat, Contact::Awaited { .. }) => {
                Err(ExecutorRefusal::NotSubscribed)
            }
        }
    }

    fn subscribed(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        stream: StreamId,
        subscribe: Subscribe,
        out: &mut Vec<Effect>,
    ) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        if let Contact::Subscribed(earlier) = std::mem::replace(&mut executor.contact, Contact::Subscribed(stream)) {
            self.streams.remove(&earlier);
            out.push(Effect::CloseStream(earlier));
        }
        self.streams.insert(stream, key.clone());
        let mut agent_info = self.config.info.clone();
        agent_info.id = Some(executor.agent_id.clone());
        let subscribed = Subscribed {
            executor_info: executor.info.as_ref().clone(),
            framework_info: executor.framework.as_ref().clone(),
            agent_info,
            container_id: Some(WireContainerId { value: executor.container.as_str().to_owned(), parent: None }),
        };
        out.push(Effect::Tell(stream, Box::new(Event::subscribed(subscribed))));
        self.schedule_executor(key);
        for update in subscribe.unacknowledged_updates {
            match check_status(&key.framework_id, &key.executor_id, &update.status) {
                Ok(()) => self.executor_update(now, key, update.status, out),
                Err(error) => tracing::warn!(executor = %key.executor_id, %error, "a repeated status is passed over"),
            }
        }
        let received = subscribe.unacknowledged_tasks.into_iter().map(|task| task.task_id).collect();
        self.repeat_tasks(now, key, stream, &received, out);
        self.repeat_end(now, key, out);
    }

    /// Tells an executor that has subscribed what it may have missed. Of a task that it has it would have told something, or lists it.
    fn repeat_tasks(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        stream: StreamId,
        received: &BTreeSet<TaskId>,
        out: &mut Vec<Effect>,
    ) {
        let Some(Executor { tasks, .. }) = self.executors.get(key) else { return };
        let mut missing = Vec::new();
        for task_key in tasks.clone() {
            let Some(task) = self.tasks.get(&task_key) else { continue };
            let has_it = task.updates.made() > 0 || received.contains(&task_key.task_id);
            match (&task.kill, has_it) {
                (None, true) => {}
                (None, false) => missing.push(task_key),
                (Some(_), false) => self.killed_before_launch(now, &task_key, out),
                (Some(kill), true) => {
                    let event = Event::kill(task_key.task_id.clone(), Some(kill.policy()));
                    out.push(Effect::Tell(stream, Box::new(event)));
                }
            }
        }
        self.launch_again(stream, &missing, out);
    }

    /// UPDATE. Acknowledged once it is written down; one that is repeated, or of a task that is over, is only acknowledged again.
    fn executor_update(&mut self, now: Now, key: &ExecutorKey, status: TaskStatus, out: &mut Vec<Effect>) {
        let Some(uuid) = status.uuid.clone() else { return };
        let task_key = TaskKey { framework_id: key.framework_id.clone(), task_id: status.task_id.clone() };
        let acknowledged = Event::acknowledged(status.task_id.clone(), uuid.clone());
        let is_its_own = |task: &&mut super::super::Task| task.executor_key().as_ref() == Some(key);
        let news =
            self.tasks.get_mut(&task_key).filter(is_its_own).map(|task| task.phase != Phase::Ended && task.hear(&uuid));
        match news {
            Some(true) => {
                self.counters.valid_status_updates += 1;
                self.take_update(now, key, &task_key, status, out);
            }
            Some(false) => self.counters.valid_status_updates += 1,
            None => {
                self.counters.invalid_status_updates += 1;
                tracing::warn!(executor = %key.executor_id, task = %task_key.task_id, "a status of a task that is not there is dropped");
            }
        }
        if let Some(Executor { contact: Contact::Subscribed(stream), .. }) = self.executors.get(key) {
            out.push(Effect::Tell(*stream, Box::new(acknowledged)));
        }
    }

    fn take_update(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        task_key: &TaskKey,
        told: TaskStatus,
        out: &mut Vec<Effect>,
    ) {
        let Some(task) = self.tasks.get_mut(task_key) else { return };
        if task.updates.is_full() && !is_final(task.state) {
            // One that says hardly more than the one before, which the master has not taken for long.
            let superseded = task.updates.supersede().map(TaskEntry::Acknowledged);
            out.extend(superseded.map(|entry| Effect::AppendTask(task.container.clone(), entry)));
        }
        let over = is_final(told.state);
        task.phase = if over { Phase::Ended } else { Phase::Running };
        if told.state == TaskState::Running && task.running_since.is_none() {
            task.running_since = Some(now.wall.seconds());
        }
        let status = TaskStatus {
            agent_id: Some(task.info.agent_id.clone()),
            executor_id: Some(key.executor_id.clone()),
            timestamp: told.timestamp.or_else(|| Some(now.wall.seconds())),
            container_status: told.container_status.or_else(|| Some(task.container_status(&self.config))),
            ..told
        };
        self.update_with(now, task_key, status, out);
        if over {
            self.leave_executor(key, task_key, out);
        }
    }

    /// A task of an executor has ended: the executor's container is to be no larger than it has to be.
    pub(in crate::supervisor) fn leave_executor(&mut self, key: &ExecutorKey, task: &TaskKey, out: &mut Vec<Effect>) {
        if let Some(executor) = self.executors.get_mut(key)
            && executor.tasks.remove(task)
            && (executor.asked || executor.started)
        {
            self.resize(key, out);
        }
    }

    /// A stream of events has ended.
    pub(in crate::supervisor) fn stream_closed(&mut self, stream: StreamId, out: &mut Vec<Effect>) {
        // Whoever writes to it has not seen its end.
        out.push(Effect::CloseStream(stream));
        let Some(key) = self.streams.remove(&stream) else { return };
        if let Some(executor) = self.executors.get_mut(&key) {
            executor.contact = Contact::Away;
        }
    }

    /// MESSAGE of the framework.
    pub(in crate::supervisor) fn message(&mut self, message: Message, out: &mut Vec<Effect>) {
        let Message { framework_id, executor_id, data } = message;
        let key = ExecutorKey { framework_id, executor_id };
        match self.executors.get(&key).map(|executor| executor.contact) {
            Some(Contact::Subscribed(stream)) => {
                self.counters.valid_framework_messages += 1;
                out.push(Effect::Tell(stream, Box::new(Event::message(data))));
            }
            Some(Contact::Awaited { .. } | Contact::Away) | None => {
                self.counters.invalid_framework_messages += 1;
                tracing::warn!(executor = %key.executor_id, framework = %key.framework_id, "a message is dropped: the executor is not subscribed");
            }
        }
    }

    /// It has subscribed while it is being ended.
    fn repeat_end(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        match executor.end.map(|end| end.step) {
            Some(Step::Waiting | Step::ShuttingDown { .. }) => self.tell_end(now, key, out),
            Some(Step::Destroying) | None => {}
        }
    }
}
