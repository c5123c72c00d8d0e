use attica_core_api::scheduler::{ReconcileTask, Subscribed};
use attica_core_api::v1::TaskId;
use attica_core_api::{Now, Tick};

use super::super::timers::Timer;
use super::super::{Effects, Engine, Fact, View, calls};
use crate::model::{Condition, Task, TaskIdentity};
use crate::placement::domain_of;

/// So many tasks are asked for in one call.
const RECONCILE_TASKS_MAX: usize = 1_000;
/// Launches that may have been lost are asked for again after so long, and then after twice as long each time.
const ASK_AGAIN_FIRST_MS: u64 = 1_000;

/// Launches over an earlier stream that the master has not confirmed. The call may have been lost with the stream, and a new master says
/// nothing about a task that it does not know before the task's agent is back.
#[derive(Debug, Default)]
pub(in super::super) struct Unconfirmed {
    tasks: Vec<TaskIdentity>,
    /// When they are asked for again, and how long that was waited for.
    ask_again: Option<(Tick, u64)>,
}

impl Engine {
    /// The stream is up: whatever the last one lost is asked for again.
    pub(super) fn subscribed(&mut self, now: Now, subscribed: Subscribed, out: &mut Effects) {
        let again = self.state.framework_id.as_ref() == Some(&subscribed.framework_id);
        let domain = subscribed.master_info.as_ref().and_then(|info| info.domain.as_ref());
        self.home_region = domain.and_then(domain_of).map(|domain| domain.region);
        let address = subscribed.master_info.and_then(|info| {
            let address = info.address?;
            Some(format!("{}:{}", address.ip.or(address.hostname)?, address.port))
        });
        let fact =
            Fact::Subscribed { framework_id: subscribed.framework_id, master: address.unwrap_or_default(), again };
        self.record(now, fact, out);
        self.connected = true;
        self.roles.begin(&self.config.role);
        self.revive_wanted = true;
        self.revived_at = None;
        out.views.push(View::Connected(true));
        self.kills.forget_in_flight();
        if self.roles.any_reserves() {
            // What was reserved for nobody is found when it is offered.
            self.sweep(now);
        }
        self.reconcile(now, out);
        let instances = self.state.run_specs.values().flat_map(|state| state.instances.values());
        let provisioned = instances.filter(|instance| instance.condition == Condition::Provisioned);
        let tasks = provisioned.map(|instance| instance.task_identity()).collect();
        self.unconfirmed = Unconfirmed { tasks, ask_again: None };
        self.ask_again_after(now, ASK_AGAIN_FIRST_MS);
        // What the master has and we do not know shows up as an unknown task.
        out.calls.push(calls::reconcile(Vec::new()));
    }

    /// The stream broke. Offers of it are void; kills on their way may be lost.
    pub(in super::super) fn disconnected(&mut self, now: Now, out: &mut Effects) {
        if self.connected {
            self.connected = false;
            self.offers.clear();
            self.kills.forget_in_flight();
            self.record(now, Fact::Disconnected, out);
            out.views.push(View::Connected(false));
        }
    }

    /// Asks for the state of every task that should be there.
    pub(in super::super) fn reconcile(&mut self, now: Now, out: &mut Effects) {
        if !self.connected {
            return;
        }
        let instances = self.state.run_specs.values().flat_map(|state| state.instances.values());
        ask(instances.filter_map(|instance| instance.task.as_ref()), out);
        self.timers.set(now.tick.after(self.config.reconcile_interval_ms), Timer::Reconcile);
    }

    /// Asks once more for the launches that are still not confirmed.
    pub(in super::super) fn ask_again(&mut self, now: Now, out: &mut Effects) {
        let Some((_, waited_ms)) = self.unconfirmed.ask_again.filter(|(at, _)| *at <= now.tick && self.connected)
        else {
            return;
        };
        let state = &self.state;
        let unconfirmed = |task: &TaskIdentity| {
            let instance = state.instance(&task.instance)?;
            let same = instance.task_identity() == *task && instance.condition == Condition::Provisioned;
            instance.task.as_ref().filter(|_| same)
        };
        self.unconfirmed.tasks.retain(|task| unconfirmed(task).is_some());
        ask(self.unconfirmed.tasks.iter().filter_map(unconfirmed), out);
        self.ask_again_after(now, waited_ms.saturating_mul(2));
    }

    fn ask_again_after(&mut self, now: Now, wait_ms: u64) {
        let wait_ms = wait_ms.min(self.config.reconcile_interval_ms);
        let at = now.tick.after(wait_ms);
        self.unconfirmed.ask_again = (!self.unconfirmed.tasks.is_empty()).then_some((at, wait_ms));
        if self.unconfirmed.ask_again.is_some() {
            self.timers.set(at, Timer::Unconfirmed);
        }
    }
}

fn reconciled(task: &Task, id: &TaskId) -> ReconcileTask {
    ReconcileTask { task_id: id.clone(), agent_id: Some(task.agent.id.clone()) }
}

/// Asks for the state of these tasks.
fn ask<'a>(tasks: impl Iterator<Item = &'a Task>, out: &mut Effects) {
    let tasks: Vec<ReconcileTask> = tasks.flat_map(|task| task.living().map(|id| reconciled(task, id))).collect();
    out.calls.extend(tasks.chunks(RECONCILE_TASKS_MAX).map(|tasks| calls::reconcile(tasks.to_vec())));
}
