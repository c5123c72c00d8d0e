//! A task's status updates, kept until the master has committed them.

use std::collections::VecDeque;

use attica_core_api::link::StatusUpdate;
use attica_core_api::v1::{TaskState, TaskStatus};
use attica_core_api::{Now, Tick};
use bytes::Bytes;

use super::task::{News, Task};
use super::{Effect, Link, Supervisor, TaskKey};
use crate::checkpoint::TaskEntry;

/// First pause before unacknowledged updates are sent again, in milliseconds; it doubles.
const RESEND_MIN_MS: u64 = 10_000;
/// Longest pause before they are sent again.
const RESEND_MAX_MS: u64 = 600_000;
/// Unacknowledged updates beyond which a health result takes the place of the one before.
const MAX_PENDING: usize = 100;

/// Unacknowledged updates, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Updates {
    pending: VecDeque<StatusUpdate>,
    /// Updates made so far.
    made: u64,
    resend_at: Option<Tick>,
    pause_ms: u64,
}

impl Updates {
    pub(super) fn resend_at(&self) -> Option<Tick> {
        self.resend_at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING
    }

    /// Takes back the newest, which something newer makes worthless; its UUID.
    pub(super) fn supersede(&mut self) -> Option<Bytes> {
        self.pending.pop_back()?.status.uuid
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &StatusUpdate> {
        self.pending.iter()
    }

    /// Updates made so far.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// As found in a checkpoint: so many were made.
    pub(super) fn stand(&mut self, made: u64) {
        self.made = made;
    }

    /// As found in a checkpoint.
    pub(super) fn restore(&mut self, update: StatusUpdate) {
        self.made = self.made.max(update.sequence);
        self.pending.push_back(update);
    }

    /// Drops the update with this UUID; `None` when there is none.
    pub(super) fn acknowledge(&mut self, uuid: &[u8]) -> Option<StatusUpdate> {
        let index = self.pending.iter().position(|update| update.status.uuid.as_deref() == Some(uuid))?;
        let update = self.pending.remove(index);
        self.pause_ms = RESEND_MIN_MS;
        if self.pending.is_empty() {
            self.resend_at = None;
            // Most tasks have none for most of their lives, and updates are large.
            self.pending = VecDeque::new();
        }
        update
    }

    /// Everything is being sent now.
    fn sent_all(&mut self, now: Now) {
        self.pause_ms = RESEND_MIN_MS;
        self.resend_at = (!self.pending.is_empty()).then(|| now.tick.after(self.pause_ms));
    }

    /// Everything is being sent again now.
    fn sent_again(&mut self, now: Now) {
        self.pause_ms = (self.pause_ms * 2).min(RESEND_MAX_MS);
        self.resend_at = Some(now.tick.after(self.pause_ms));
    }

    fn push(&mut self, now: Now, update: StatusUpdate) {
        self.pending.push_back(update);
        if self.resend_at.is_none() {
            self.pause_ms = RESEND_MIN_MS;
            self.resend_at = Some(now.tick.after(self.pause_ms));
        }
    }
}

impl Task {
    pub(super) fn resend(&mut self, now: Now, link: Link, out: &mut Vec<Effect>) {
        let due = self.updates.resend_at.is_some_and(|tick| tick <= now.tick);
        match link {
            Link::Up if due => {
                out.extend(self.updates.pending().cloned().map(Box::new).map(Effect::Send));
                self.updates.sent_again(now);
            }
            Link::Up | Link::Down => {}
        }
    }
}

impl Supervisor {
    /// Makes a status update: written down, sent, and kept until it is acknowledged.
    pub(super) fn update(&mut self, now: Now, key: &TaskKey, news: News, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key) else { return };
        let status = task.status(now, &self.config, &mut self.entropy, news);
        self.update_with(now, key, status, out);
    }

    /// As [`Supervisor::update`], with the status given.
    pub(super) fn update_with(&mut self, now: Now, key: &TaskKey, status: TaskStatus, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        self.digest.remove(&key.framework_id, &key.task_id, task.state);
        task.state = status.state;
        self.digest.add(&key.framework_id, &key.task_id, task.state);
        task.updates.made += 1;
        task.remember(&status);
        let update = StatusUpdate { framework_id: key.framework_id.clone(), status, sequence: task.updates.made };
        out.push(Effect::AppendTask(task.container.clone(), TaskEntry::Update(Box::new(update.clone()))));
        match self.link {
            Link::Up => out.push(Effect::Send(Box::new(update.clone()))),
            Link::Down => {}
        }
        let state = task.state;
        task.updates.push(now, update);
        self.schedule(key);
        if is_final(state) {
            self.counters.task_ended(state);
            self.group_member_ended(now, key, state, out);
            self.leave_network(key, out);
        }
    }

    /// ACKNOWLEDGE: the master has committed an update.
    pub(super) fn acknowledged(&mut self, key: &TaskKey, uuid: &bytes::Bytes, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key) else { return };
        if task.updates.acknowledge(uuid).is_none() {
            return;
        }
        if is_final(task.state) && task.updates.is_empty() {
            self.forget(key, out);
        } else {
            out.push(Effect::AppendTask(task.container.clone(), TaskEntry::Acknowledged(uuid.clone())));
            self.schedule(key);
        }
    }

    /// The link is open: what is not acknowledged is sent at once.
    pub(super) fn send_pending(&mut self, now: Now, out: &mut Vec<Effect>) {
        let keys: Vec<TaskKey> = self.tasks.keys().cloned().collect();
        for key in keys {
            if let Some(task) = self.tasks.get_mut(&key) {
                out.extend(task.updates.pending().cloned().map(Box::new).map(Effect::Send));
                task.updates.sent_all(now);
                self.schedule(&key);
            }
        }
    }

    /// Everybody who needs to know how the task ended knows.
    pub(super) fn forget(&mut self, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.remove(key) else { return };
        self.digest.remove(&key.framework_id, &key.task_id, task.state);
        if let Some(wake) = task.wake {
            self.wakes.remove(&(wake, key.clone()));
        }
        self.by_container.remove(&task.container);
        out.push(Effect::RemoveTask(task.container.clone()));
        out.push(Effect::LeaveSandbox(task.run_directory(&self.config.work_dir)));
        if self.completed.len() == super::MAX_COMPLETED {
            self.completed.pop_front();
        }
        self.completed.push_back(task);
    }
}

/// Whether nothing follows this state, of the states that an agent reports.
pub(super) fn is_final(state: TaskState) -> bool {
    state.is_terminal() || state == TaskState::Lost
}
