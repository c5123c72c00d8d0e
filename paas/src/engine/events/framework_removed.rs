use attica_core_api::Now;
use attica_core_api::v1::{TaskState, TaskStatus};

use super::super::{Effects, Engine, Fact};
use super::update::Verdict;
use crate::model::Instance;

impl Engine {
    /// The master has removed the framework and killed its tasks, and will never take its id again. Every task is given up; what
    /// should run is launched anew by the framework's next registration. None of it is the fault of what ran: nothing is slowed down.
    pub(in super::super) fn framework_removed(&mut self, now: Now, out: &mut Effects) {
        if self.state.framework_id.is_none() {
            return;
        }
        self.disconnected(now, out);
        self.record(now, Fact::FrameworkForgotten, out);
        let instances = self.state.run_specs.values().flat_map(|state| state.instances.values());
        let launched: Vec<Instance> = instances.filter(|instance| instance.task.is_some()).cloned().collect();
        for instance in launched {
            let Some(task) = &instance.task else { continue };
            let status = TaskStatus {
                task_id: task.id.clone(),
                state: TaskState::Gone,
                message: Some("The master has removed the framework".to_owned()),
                agent_id: Some(task.agent.id.clone()),
                ..TaskStatus::default()
            };
            self.end_task(now, &instance, Verdict::of(&status), &status, out);
        }
    }
}
