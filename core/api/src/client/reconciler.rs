//! Reconciliation: finding out what became of tasks, by asking until there is an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Backoff, CallError, Calls};
use crate::scheduler::ReconcileTask;
use crate::v1::{AgentId, TaskId, TaskStatus};

/// Tasks that a scheduler has to ask about, after it has subscribed again or has started anew with what it had kept itself.
///
/// A master says nothing about a task whose agent may still come back to it, so the question is asked again, at ever longer intervals,
/// about those that are left:
///
/// ```no_run
/// # use attica_core_api::client::{Calls, Reconciler, Signal, Signals};
/// # async fn example(calls: Calls, mut signals: Signals, mut open: Reconciler) -> Option<()> {
/// while !open.is_done() {
///     open.ask(&calls).await.ok()?;
///     let pause = tokio::time::sleep(open.pause());
///     tokio::pin!(pause);
///     loop {
///         tokio::select! {
///             () = &mut pause => break,
///             signal = signals.next() => if let Signal::Event(event) = signal? {
///                 if let Some(update) = event.update {
///                     open.heard(&update.status);
///                 }
///             }
///         }
///     }
/// }
/// # Some(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Reconciler {
    open: BTreeMap<TaskId, Option<AgentId>>,
    asked: u32,
    backoff: Backoff,
}

impl Reconciler {
    /// Tasks with the agents they are on, where that is known.
    pub fn new(tasks: impl IntoIterator<Item = (TaskId, Option<AgentId>)>) -> Reconciler {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        Reconciler { open: tasks.into_iter().collect(), asked: 0, backoff }
    }

    /// Asks about every task that nothing was heard of yet. Does nothing when there is none.
    pub async fn ask(&mut self, calls: &Calls) -> Result<(), CallError> {
        if self.is_done() {
            return Ok(()); // an empty list would ask about all tasks
        }
        let tasks = self.open.iter();
        let tasks =
            tasks.map(|(task_id, agent_id)| ReconcileTask { task_id: task_id.clone(), agent_id: agent_id.clone() });
        calls.reconcile(tasks.collect()).await?;
        self.asked += 1;
        Ok(())
    }

    /// Any status of a task answers.
    pub fn heard(&mut self, status: &TaskStatus) {
        self.open.remove(&status.task_id);
    }

    /// Whether something was heard of every task.
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// How long to wait for answers before the next question.
    pub fn pause(&self) -> Duration {
        self.backoff.after(self.asked.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_status_answers_and_pauses_grow() {
        let mut open = Reconciler::new([("a".into(), None), ("b".into(), Some("s".into()))]);
        let status = |id: &str| TaskStatus { task_id: id.into(), ..TaskStatus::default() };
        open.heard(&status("c"));
        open.heard(&status("a"));
        assert!(!open.is_done());
        assert!(open.pause() <= Duration::from_secs(1));
        open.asked = 20;
        assert!(open.pause() >= Duration::from_secs(30));
        open.heard(&status("b"));
        assert!(open.is_done());
    }
}
