use attica_core_api::Now;
use attica_core_api::scheduler::{ReconcileTask, Subscribed};

use super::super::timers::Timer;
use super::super::{Effects, Engine, Fact, View, calls};

/// So many tasks are asked for in one call.
const RECONCILE_TASKS_MAX: usize = 1_000;

impl Engine {
    /// The stream is up: whatever the last one lost is asked for again.
    pub(super) fn subscribed(&mut self, now: Now, subscribed: Subscribed, out: &mut Effects) {
        let again = self.state.framework_id.as_ref() == Some(&subscribed.framework_id);
        let address = subscribed.master_info.and_then(|info| {
            let address = info.address?;
            Some(format!("{}:{}", address.ip.or(address.hostname)?, address.port))
        });
        let fact =
            Fact::Subscribed { framework_id: subscribed.framework_id, master: address.unwrap_or_default(), again };
        self.record(now, fact, out);
        self.connected = true;
        self.suppressed = false;
        self.revive_wanted = true;
        self.revived_at = None;
        out.views.push(View::Connected(true));
        self.kills.forget_in_flight();
        self.reconcile(now, out);
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
        let tasks = instances.filter_map(|instance| instance.task.as_ref());
        let tasks: Vec<ReconcileTask> = tasks
            .map(|task| ReconcileTask { task_id: task.id.clone(), agent_id: Some(task.agent.id.clone()) })
            .collect();
        out.calls.extend(tasks.chunks(RECONCILE_TASKS_MAX).map(|tasks| calls::reconcile(tasks.to_vec())));
        self.timers.set(now.tick.after(self.config.reconcile_interval_ms), Timer::Reconcile);
    }
}
