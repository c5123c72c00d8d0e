//! Ending an executor: SHUTDOWN, and SIGKILL to all of its container when its grace is over.

use attica_core_api::Now;
use attica_core_api::executor::Event;
use attica_core_api::v1::KillPolicy;

use super::{Contact, End, Executor, ExecutorKey, Step};
use crate::checkpoint::{EndCause, ExecutorEntry};
use crate::launcher::protocol::Request;
use crate::supervisor::supply::Supply;
use crate::supervisor::{Effect, Excess, LauncherState, Supervisor, TaskKey};

impl Supervisor {
    /// Begins the end of an executor that is not ending yet.
    pub(in crate::supervisor) fn end_executor(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        cause: EndCause,
        out: &mut Vec<Effect>,
    ) {
        let Some(executor) = self.executors.get_mut(key).filter(|executor| executor.end.is_none()) else { return };
        executor.end = Some(End { cause, step: Step::Waiting });
        out.push(Effect::AppendExecutor(executor.container.clone(), ExecutorEntry::Ending(cause)));
        if executor.supply == Supply::UnderWay {
            // Nothing of it runs yet.
            out.push(Effect::StopFetch(executor.container.clone()));
            return self.executor_over(now, key, None, out);
        }
        self.tell_end(now, key, out);
    }

    /// Of one that has taken more than it was given: nobody pleads with it, as in Mesos.
    pub(in crate::supervisor) fn executor_exceeded(
        &mut self,
        key: &ExecutorKey,
        excess: Excess,
        out: &mut Vec<Effect>,
    ) {
        let Some(executor) = self.executors.get_mut(key).filter(|executor| executor.end.is_none()) else { return };
        let cause = EndCause::Exceeded(excess);
        executor.end = Some(End { cause, step: Step::Destroying });
        out.push(Effect::AppendExecutor(executor.container.clone(), ExecutorEntry::Ending(cause)));
        out.push(Effect::Ask(Request::Destroy(executor.container.clone())));
        self.schedule_executor(key);
    }

    /// SHUTDOWN to one that listens; one that does not is killed.
    pub(super) fn tell_end(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let ready = self.launcher == LauncherState::Ready;
        let Some(executor) = self.executors.get_mut(key) else { return };
        let grace_ms = executor.grace_ms(&self.config);
        let Executor { container, contact, end: Some(end), started, .. } = executor else { return };
        end.step = match (*contact, end.step) {
            (Contact::Subscribed(stream), step) => {
                out.push(Effect::Tell(stream, Box::new(Event::shutdown())));
                match step {
                    Step::ShuttingDown { deadline } => Step::ShuttingDown { deadline },
                    Step::Waiting | Step::Destroying => Step::ShuttingDown { deadline: now.tick.after(grace_ms) },
                }
            }
            (Contact::Awaited { .. } | Contact::Away, _) if *started && ready => {
                out.push(Effect::Ask(Request::Destroy(container.clone())));
                Step::Destroying
            }
            (Contact::Awaited { .. } | Contact::Away, step) => step,
        };
        self.schedule_executor(key);
    }

    /// A deadline of an executor has passed.
    pub(in crate::supervisor) fn executor_due(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get_mut(key) else { return };
        match (executor.end.as_mut(), executor.contact) {
            (Some(End { step: step @ Step::ShuttingDown { .. }, .. }), _) => {
                *step = Step::Destroying;
                out.push(Effect::Ask(Request::Destroy(executor.container.clone())));
            }
            (None, Contact::Awaited { deadline: Some(_) }) => {
                let cause = match executor.registered_before {
                    true => EndCause::NotReregistered,
                    false => EndCause::NotRegistered,
                };
                self.end_executor(now, key, cause, out);
            }
            (Some(_) | None, _) => {}
        }
        self.schedule_executor(key);
    }

    /// KILL of a task that an executor runs: the executor's business, if it has the task.
    pub(in crate::supervisor) fn kill_through_executor(
        &mut self,
        now: Now,
        key: &ExecutorKey,
        task: &TaskKey,
        policy: Option<KillPolicy>,
        out: &mut Vec<Effect>,
    ) {
        match self.executors.get(key).map(|executor| (executor.contact, executor.registered_before)) {
            Some((Contact::Subscribed(stream), _)) => {
                out.push(Effect::Tell(stream, Box::new(Event::kill(task.task_id.clone(), policy))));
            }
            // It is told when it subscribes.
            Some((Contact::Away, _) | (Contact::Awaited { .. }, true)) => {}
            Some((Contact::Awaited { .. }, false)) | None => {
                self.killed_before_launch(now, task, out);
                self.end_if_idle(now, key, out);
            }
        }
    }
}
