//! LAUNCH and LAUNCH_GROUP: offered resources become tasks, and the executors that they need.

use attica_allocator::Resources;
use attica_core_api::link;
use attica_core_api::scheduler::Event;
use attica_core_api::v1::{
    AgentId, ExecutorInfo, FrameworkId, LaunchGroupOperation, OperationId, TaskInfo, TaskState, TaskStatus,
    TaskStatusReason,
};

use super::accept::Acceptance;
use super::status::from_master;
use super::validate::{Needs, allocate_to};
use super::{Effects, Kernel, Now, Send};
use crate::fact::Fact;

impl Kernel {
    /// One task of a LAUNCH. `feedback` is the id that the operation has, which must not be.
    pub(super) fn launch(
        &mut self,
        now: Now,
        acceptance: &mut Acceptance,
        mut task: TaskInfo,
        feedback: Option<&OperationId>,
        out: &mut Effects,
    ) {
        if let Err(message) = self.authorize_launch(&acceptance.framework, &task) {
            let (state, reason) = (TaskState::Error, TaskStatusReason::TaskUnauthorized);
            return self.refuse_task(now, &acceptance.framework, &task, state, reason, message, out);
        }
        let checked = no_feedback(feedback, "LAUNCH").and_then(|()| {
            complete_executor(&acceptance.framework, task.executor.as_deref_mut());
            self.check_launch(acceptance, &task)
        });
        match checked {
            Ok(needs) => {
                if let Some(executor) = task.executor.as_deref_mut() {
                    allocate_to(&mut executor.resources, &acceptance.role);
                    self.add_executor(now, acceptance, executor, needs.executor.as_ref(), out);
                }
                allocate_to(&mut task.resources, &acceptance.role);
                self.add_task(now, acceptance, &task, needs.task, None, out);
                acceptance.tasks.push(task);
            }
            Err(message) => {
                let reason = TaskStatusReason::TaskInvalid;
                self.refuse_task(now, &acceptance.framework, &task, TaskState::Error, reason, message, out);
            }
        }
    }

    /// The tasks of a LAUNCH_GROUP: all of them, or none.
    pub(super) fn launch_group(
        &mut self,
        now: Now,
        acceptance: &mut Acceptance,
        operation: LaunchGroupOperation,
        feedback: Option<&OperationId>,
        out: &mut Effects,
    ) {
        let LaunchGroupOperation { mut executor, task_group } = operation;
        complete_executor(&acceptance.framework, Some(&mut executor));
        let (unauthorized, invalid) = (TaskStatusReason::TaskGroupUnauthorized, TaskStatusReason::TaskGroupInvalid);
        let permitted = self.authorize_group(&acceptance.framework, &executor, &task_group.tasks);
        let checked = permitted.map_err(|message| (unauthorized, message)).and_then(|()| {
            let checked = no_feedback(feedback, "LAUNCH_GROUP")
                .and_then(|()| self.check_group(acceptance, &executor, &task_group.tasks));
            checked.map_err(|message| (invalid, message))
        });
        let Needs { executor: own, task: each } = match checked {
            Ok(needs) => needs,
            Err((reason, message)) => {
                for task in &task_group.tasks {
                    let state = TaskState::Error;
                    self.refuse_task(now, &acceptance.framework, task, state, reason, message.clone(), out);
                }
                return;
            }
        };
        allocate_to(&mut executor.resources, &acceptance.role);
        self.add_executor(now, acceptance, &executor, own.as_ref(), out);
        let group = self.entropy.uuid().to_string();
        let mut tasks = task_group.tasks;
        for (task, resources) in tasks.iter_mut().zip(each) {
            allocate_to(&mut task.resources, &acceptance.role);
            let whole = TaskInfo { executor: Some(Box::new(executor.clone())), ..task.clone() };
            self.add_task(now, acceptance, &whole, resources, Some(&group), out);
            task.executor = None;
        }
        acceptance.groups.push(link::TaskGroup { executor, tasks });
    }

    /// A task that will not be: its framework is told once. There is nothing to remember, so nothing to acknowledge.
    #[expect(clippy::too_many_arguments, reason = "a status has as many parts")]
    pub(super) fn refuse_task(
        &mut self,
        now: Now,
        id: &FrameworkId,
        task: &TaskInfo,
        state: TaskState,
        reason: TaskStatusReason,
        message: String,
        out: &mut Effects,
    ) {
        let framework = self.framework_mut(id);
        let agent: Option<AgentId> = Some(task.agent_id.clone());
        let status: TaskStatus = from_master(now, task.task_id.clone(), agent, framework.told(state), reason, message);
        if let Some(stream) = framework.stream() {
            out.sends.push(Send::scheduler(stream.clone(), Event::update(status)));
        }
    }

    /// An executor that is not there yet comes with its first task; `resources` are what it needs then.
    fn add_executor(
        &mut self,
        now: Now,
        acceptance: &mut Acceptance,
        executor: &ExecutorInfo,
        resources: Option<&Resources>,
        out: &mut Effects,
    ) {
        let Some(resources) = resources else { return };
        self.use_offered(acceptance, resources);
        let Acceptance { framework, agent, role, .. } = acceptance;
        self.insert_executor(framework, agent, role, executor, resources.clone());
        out.facts.push(Fact::ExecutorLaunched {
            framework: framework.clone(),
            agent: agent.clone(),
            role: role.clone(),
            executor: Box::new(executor.clone()),
            at: now.wall,
        });
    }

    fn add_task(
        &mut self,
        now: Now,
        acceptance: &mut Acceptance,
        task: &TaskInfo,
        resources: Resources,
        group: Option<&str>,
        out: &mut Effects,
    ) {
        self.use_offered(acceptance, &resources);
        let Acceptance { framework, role, .. } = acceptance;
        self.insert_task(framework, role, task, group, resources, TaskState::Staging);
        out.facts.push(Fact::TaskLaunched {
            framework: framework.clone(),
            role: role.clone(),
            task: Box::new(task.clone()),
            group: group.map(str::to_owned),
            at: now.wall,
        });
    }

    fn use_offered(&mut self, acceptance: &mut Acceptance, resources: &Resources) {
        acceptance.use_up(resources);
        let Acceptance { framework_key, role, agent_key, .. } = acceptance;
        if let Err(error) = self.allocator.use_resources(*framework_key, role, *agent_key, resources) {
            unreachable!("what was offered is free once the offer has ended: {error}");
        }
    }
}

fn no_feedback(feedback: Option<&OperationId>, operation: &str) -> Result<(), String> {
    match feedback {
        Some(id) => Err(format!("{operation} has no outcome to report, so it must not have the id '{id}'")),
        None => Ok(()),
    }
}

/// Frameworks may leave their own id out.
fn complete_executor(framework: &FrameworkId, executor: Option<&mut ExecutorInfo>) {
    if let Some(executor) = executor {
        executor.framework_id.get_or_insert_with(|| framework.clone());
    }
}

/// A group's tasks with their executor, as an agent is told of them. `tasks` have their group's executor each.
pub(super) fn group_of(mut tasks: Vec<TaskInfo>) -> Option<link::TaskGroup> {
    let executors: Vec<_> = tasks.iter_mut().filter_map(|task| task.executor.take()).collect();
    let executor = *executors.into_iter().next()?;
    Some(link::TaskGroup { executor, tasks })
}
