//! KILL. The wish is remembered until the task has ended, and repeated to an agent that comes back.

use attica_core_api::scheduler;
use attica_core_api::v1::{FrameworkId, KillPolicy, TaskId, TaskState};

use super::{Effects, Kernel, Now};
use crate::fact::Fact;
use crate::snapshot::KillRequest;

impl Kernel {
    pub(super) fn kill(&mut self, now: Now, framework: &FrameworkId, kill: scheduler::Kill, out: &mut Effects) {
        let scheduler::Kill { task_id, agent_id, kill_policy } = kill;
        let kill_policy = kill_policy.filter(|policy| policy.grace_period.is_some());
        let Some(task) = self.framework_mut(framework).tasks.get_mut(&task_id) else {
            return self.reconcile_task(now, framework, &task_id, agent_id.as_ref(), out);
        };
        if agent_id.is_some_and(|agent| agent != task.agent) {
            return;
        }
        if task.is_terminal() {
            return self.reconcile_task(now, framework, &task_id, None, out);
        }
        let group = task.group.clone().filter(|_| task.state == TaskState::Staging);
        self.request_kill(framework, &task_id, kill_policy.clone(), out);
        // What has not been started together is not started at all.
        let Some(group) = group else { return };
        let together = self.framework_mut(framework).tasks.iter();
        let together = together.filter(|(id, task)| task.group.as_ref() == Some(&group) && **id != task_id);
        let staging: Vec<_> =
            together.filter(|(_, task)| task.state == TaskState::Staging).map(|(id, _)| id.clone()).collect();
        for task in staging {
            self.request_kill(framework, &task, kill_policy.clone(), out);
        }
    }

    fn request_kill(
        &mut self,
        framework: &FrameworkId,
        id: &TaskId,
        kill_policy: Option<KillPolicy>,
        out: &mut Effects,
    ) {
        let task = self.task_mut(framework, id);
        let request = KillRequest { kill_policy: kill_policy.clone() };
        if task.kill.as_deref() != Some(&request) {
            task.kill = Some(Box::new(request));
            out.facts.push(Fact::KillRequested { framework: framework.clone(), task: id.clone(), kill_policy });
        }
        self.send_kill(framework, id, out);
    }
}
