//! Status updates on their way to the scheduler: each is delivered until acknowledged, in order per task, and never again after.
//!
//! Only the oldest unacknowledged status of a task is in flight, as Mesos's agents do it. It is sent again on every new stream, and
//! after 10 s, 20 s, … up to 10 min on the same one. When it is acknowledged, the next follows; at once, without waiting for the
//! acknowledgement to be durable, if it became durable together with the one before. (Should that acknowledgement get lost, the
//! scheduler hears both again.)

use std::mem;

use attica_core_api::scheduler::Event;
use attica_core_api::v1::{FrameworkId, TaskId, TaskStatus};

use super::task::Resend;
use super::timers::Timer;
use super::{Effects, Kernel, Now, Send};

impl Kernel {
    /// Puts a status behind those that wait; the fact that makes it durable is the caller's.
    pub(super) fn enqueue(&mut self, now: Now, framework: &FrameworkId, status: TaskStatus, out: &mut Effects) {
        assert!(status.uuid.is_some(), "only what can be acknowledged is waited for");
        let id = status.task_id.clone();
        self.framework_mut(framework).undelivered.insert(id.clone());
        let turn = self.turn;
        let outbox = self.task_mut(framework, &id).outbox.get_or_insert_default();
        if outbox.statuses.is_empty() {
            outbox.turn = turn;
        }
        if outbox.turn == turn && outbox.together == outbox.statuses.len() {
            outbox.together += 1;
        }
        // Most tasks wait with one status or two, and there may be a million of them: no room is kept for more.
        if outbox.statuses.len() < 4 {
            outbox.statuses.reserve_exact(1);
        }
        outbox.statuses.push_back(status);
        if outbox.statuses.len() == 1 {
            self.send_oldest(now, framework, &id, self.config.resend_first_ms, &mut out.sends);
        }
    }

    /// The scheduler has the oldest status: on to the next. Returns whether none is left.
    pub(super) fn dequeue(&mut self, now: Now, framework: &FrameworkId, task: &TaskId, out: &mut Effects) -> bool {
        self.cancel_resend(framework, task);
        let entry = self.task_mut(framework, task);
        if let Some(outbox) = &mut entry.outbox {
            outbox.statuses.pop_front();
            outbox.together = outbox.together.saturating_sub(1);
            if !outbox.statuses.is_empty() {
                let sends = if outbox.together > 0 { &mut out.at_once } else { &mut out.sends };
                self.send_oldest(now, framework, task, self.config.resend_first_ms, sends);
                self.send_failures(framework, out);
                return false;
            }
        }
        entry.outbox = None;
        self.framework_mut(framework).undelivered.remove(task);
        true
    }

    /// Nobody will ever acknowledge what waits for this task.
    pub(super) fn drop_outbox(&mut self, framework: &FrameworkId, task: &TaskId) {
        self.cancel_resend(framework, task);
        self.task_mut(framework, task).outbox = None;
        self.framework_mut(framework).undelivered.remove(task);
    }

    /// A new stream: everything that waits is sent on it.
    pub(super) fn send_undelivered(&mut self, now: Now, framework: &FrameworkId, out: &mut Effects) {
        self.send_outcomes(now, framework, out);
        let tasks = self.framework_mut(framework).undelivered.clone();
        for task in &tasks {
            self.cancel_resend(framework, task);
            self.send_oldest(now, framework, task, self.config.resend_first_ms, &mut out.sends);
        }
    }

    /// The stream is gone: nothing is repeated until there is another, and what is said only once is not said any more.
    pub(super) fn stop_resends(&mut self, framework: &FrameworkId) {
        self.framework_mut(framework).failures.clear();
        self.stop_outcomes(framework);
        let tasks = self.framework_mut(framework).undelivered.clone();
        for task in &tasks {
            self.cancel_resend(framework, task);
        }
    }

    /// The wait for an acknowledgement is over.
    pub(super) fn resend_due(&mut self, now: Now, framework: &FrameworkId, task: &TaskId, out: &mut Effects) {
        let waited = self
            .frameworks
            .get(framework)
            .and_then(|framework| framework.tasks.get(task))
            .and_then(|task| task.outbox.as_ref())
            .and_then(|outbox| outbox.resend);
        if let Some(Resend { at, wait_ms }) = waited
            && at <= now.tick
        {
            let wait_ms = wait_ms.saturating_mul(2).min(self.config.resend_longest_ms);
            self.send_oldest(now, framework, task, wait_ms, &mut out.sends);
        }
    }

    fn send_oldest(&mut self, now: Now, framework: &FrameworkId, task: &TaskId, wait_ms: u64, sends: &mut Vec<Send>) {
        let Some(stream) = self.framework_mut(framework).stream().cloned() else { return };
        let Some(outbox) = &mut self.task_mut(framework, task).outbox else { return };
        let Some(status) = outbox.statuses.front() else { unreachable!("an outbox is not empty") };
        let resend = Resend { at: now.tick.after(wait_ms), wait_ms };
        sends.push(Send::scheduler(stream, Event::update(status.clone())));
        outbox.resend = Some(resend);
        self.timers.set(resend.at, Timer::Resend(framework.clone(), task.clone()));
    }

    fn cancel_resend(&mut self, framework: &FrameworkId, task: &TaskId) {
        let Some(outbox) = &mut self.task_mut(framework, task).outbox else { return };
        if let Some(resend) = mem::take(&mut outbox.resend) {
            self.timers.cancel(resend.at, Timer::Resend(framework.clone(), task.clone()));
        }
    }
}
