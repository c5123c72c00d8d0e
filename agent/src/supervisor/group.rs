//! Task groups: tasks that are started together or not at all.
//!
//! An executor of type CUSTOM gets a group with LAUNCH_GROUP and does the rest itself. One of type DEFAULT is the agent's own and needs
//! no process: each task runs in a container of its own, beneath the sandbox that they share, and what holds them together is here. When
//! one of them ends otherwise than by finishing, the others of its group are killed; with the last of its tasks the executor is over.
//!
//! Otherwise than in Mesos, where the executor and its tasks share one limit of memory unless `share_cgroups` is false, each of these tasks
//! has its own: whichever takes more than it asked for ends, and none of the others for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use attica_core_api::Now;
use attica_core_api::executor::Event;
use attica_core_api::link::{ExecutorExited, TaskGroup};
use attica_core_api::v1::{
    ExecutorInfo, ExecutorType, FrameworkInfo, TaskGroupInfo, TaskInfo, TaskState, TaskStatusReason,
};

use super::executor::{self, Contact, Executor, ExecutorKey, StreamId};
use super::task::Phase;
use super::{Duty, Effect, Supervisor, TaskKey, accept, volume};
use crate::checkpoint::{GroupRecord, KillCause};
use crate::launcher::protocol::ContainerId;

impl Supervisor {
    /// A group of RUN. One of which a task is known already is left alone.
    pub(super) fn run_group(
        &mut self,
        now: Now,
        framework: &Arc<FrameworkInfo>,
        group: TaskGroup,
        out: &mut Vec<Effect>,
    ) {
        let TaskGroup { executor, tasks } = group;
        let framework_id = framework.id.clone().unwrap_or_default();
        let key = |task: &TaskInfo| TaskKey { framework_id: framework_id.clone(), task_id: task.task_id.clone() };
        if tasks.iter().any(|task| self.tasks.contains_key(&key(task))) {
            return;
        }
        let own = executor.r#type == Some(ExecutorType::Default);
        let id = self.entropy.uuid();
        let run = own.then(|| {
            self.run_of(&ExecutorKey { framework_id: framework_id.clone(), executor_id: executor.executor_id.clone() })
        });
        let run = run.map(|known| known.unwrap_or_else(|| ContainerId::from_uuid(self.entropy.uuid())));
        let record = Arc::new(GroupRecord { id, run, executor });
        let executor = &record.executor;
        let mut keys = Vec::new();
        for info in tasks {
            let key = key(&info);
            let info = match own {
                true => {
                    let resolve = |container| volume::resolved(container, executor.container.as_deref());
                    let container = info.container.map(|container| Box::new(resolve(*container)));
                    TaskInfo { executor: None, container, ..info }
                }
                false => {
                    let info = TaskInfo { executor: Some(Box::new(executor.clone())), ..info };
                    executor::completed(info, &framework_id, &self.config.defaults)
                }
            };
            self.note(&key, framework.clone(), info, Some(record.clone()), out);
            keys.push(key);
        }
        if self.duty != Duty::Serve {
            let reason = TaskStatusReason::AgentDraining;
            keys.iter().for_each(|key| self.never_started(now, key, "The agent is about to end", reason, out));
        } else if let Err(refusal) = self.check_group(framework, executor, own, &keys) {
            keys.iter().for_each(|key| self.refuse(now, key, refusal.to_string(), out));
        } else if own {
            keys.iter().for_each(|key| self.launch(now, key, out));
        } else {
            keys.iter().for_each(|key| self.hand_over(now, key, out));
            self.launch_group(&keys, out);
        }
    }

    fn check_group(
        &self,
        framework: &FrameworkInfo,
        executor: &ExecutorInfo,
        own: bool,
        keys: &[TaskKey],
    ) -> Result<(), accept::Refusal> {
        if own {
            self.config.containerizers.check_launcher()?;
            accept::check_own_executor(&self.config, executor)?;
        }
        let owner = |task: &super::Task| task.executor_key().and_then(|owner| self.executors.get(&owner));
        keys.iter().filter_map(|key| self.tasks.get(key)).try_for_each(|task| match own {
            true => {
                self.check_network(task)?;
                accept::plan(&self.config, framework, &task.info, true, None).map(drop)
            }
            false => {
                accept::check_executors_task(&self.config, &task.info, owner(task).is_some_and(Executor::has_begun))
            }
        })
    }

    /// What the living tasks of an executor of the agent's own call their executor's container.
    fn run_of(&self, key: &ExecutorKey) -> Option<ContainerId> {
        let of_executor = |task: &&super::Task| task.phase != Phase::Ended && task.own_executor().as_ref() == Some(key);
        self.tasks.values().find(of_executor)?.group.as_ref()?.run.clone()
    }

    /// LAUNCH_GROUP of a new group, if its executor listens.
    fn launch_group(&self, keys: &[TaskKey], out: &mut Vec<Effect>) {
        let living = |task: &&super::Task| task.phase != Phase::Ended;
        let tasks: Vec<_> = keys.iter().filter_map(|key| self.tasks.get(key)).filter(living).collect();
        let Some(owner) = tasks.first().and_then(|task| task.executor_key()) else { return };
        if let Some(Executor { contact: Contact::Subscribed(stream), .. }) = self.executors.get(&owner) {
            out.push(tell_group(*stream, tasks.iter().map(|task| task.info.as_ref().clone()).collect()));
        }
    }

    /// LAUNCH or LAUNCH_GROUP of tasks that an executor which has subscribed does not have.
    pub(super) fn launch_again(&self, stream: StreamId, missing: &[TaskKey], out: &mut Vec<Effect>) {
        let mut groups: BTreeMap<uuid::Uuid, Vec<TaskInfo>> = BTreeMap::new();
        for task in missing.iter().filter_map(|key| self.tasks.get(key)) {
            let info = task.info.as_ref().clone();
            match &task.group {
                Some(group) => groups.entry(group.id).or_default().push(info),
                None => out.push(Effect::Tell(stream, Box::new(Event::launch(info)))),
            }
        }
        out.extend(groups.into_values().map(|tasks| tell_group(stream, tasks)));
    }

    /// A task of one of the agent's own executors has ended.
    pub(super) fn group_member_ended(&mut self, now: Now, key: &TaskKey, state: TaskState, out: &mut Vec<Effect>) {
        let Some((id, owner)) =
            self.tasks.get(key).and_then(|task| Some((task.group.as_ref()?.id, task.own_executor()?)))
        else {
            return;
        };
        let alive = |task: &&super::Task| task.phase != Phase::Ended;
        if state != TaskState::Finished {
            let same = |task: &&super::Task| task.group.as_ref().is_some_and(|group| group.id == id);
            let others: Vec<TaskKey> =
                self.tasks.values().filter(alive).filter(same).map(|task| task.key.clone()).collect();
            for other in others {
                self.kill_for(now, &other, KillCause::Group, out);
            }
        }
        if !self.tasks.values().filter(alive).any(|task| task.own_executor().as_ref() == Some(&owner)) {
            let ExecutorKey { framework_id, executor_id } = owner;
            out.push(Effect::SendExited(Box::new(ExecutorExited { framework_id, executor_id, status: Some(0) })));
        }
    }

    /// SHUTDOWN_EXECUTOR of one of the agent's own: its tasks end.
    pub(super) fn end_own_executor(&mut self, now: Now, key: &ExecutorKey, out: &mut Vec<Effect>) {
        let of_executor = |task: &&super::Task| task.own_executor().as_ref() == Some(key);
        let keys: Vec<TaskKey> = self.tasks.values().filter(of_executor).map(|task| task.key.clone()).collect();
        for key in keys {
            self.kill_for(now, &key, KillCause::Requested, out);
        }
    }
}

fn tell_group(stream: StreamId, tasks: Vec<TaskInfo>) -> Effect {
    Effect::Tell(stream, Box::new(Event::launch_group(TaskGroupInfo { tasks })))
}
