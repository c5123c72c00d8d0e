//! What is done with an offer: some of it made ready first, then tasks launched.

use attica_core_api::v1::{
    ExecutorInfo, LaunchGroupOperation, LaunchOperation, OfferOperation, OfferOperationType, Resource, TaskGroupInfo,
    TaskInfo,
};

use super::{pod, task_info};
use crate::model::{RunSpec, Task};

/// What the master is asked to launch for one instance.
#[derive(Clone, Debug, PartialEq)]
pub enum Launch {
    /// A task.
    Task(Box<TaskInfo>),
    /// The tasks of a pod, and what holds them together.
    Group(Box<ExecutorInfo>, Vec<TaskInfo>),
}

/// What is launched for an instance whose task was decided, with the resources that each of its shares got.
#[must_use]
pub fn launch(run_spec: &RunSpec, task: &Task, shares: Vec<Vec<Resource>>) -> Launch {
    match run_spec.pod() {
        Some(pod) => pod::group(run_spec, pod, task, shares),
        None => {
            let resources = shares.into_iter().flatten().collect();
            Launch::Task(Box::new(task_info(run_spec, &task.id, &task.agent, &task.ports, resources)))
        }
    }
}

/// The operations on one offer, in the order in which they have to be done.
#[derive(Debug, Default)]
pub struct Operations {
    tasks: Vec<TaskInfo>,
    groups: Vec<LaunchGroupOperation>,
}

impl Operations {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.groups.is_empty()
    }

    /// Adds a launch.
    pub fn launch(&mut self, launch: Launch) {
        match launch {
            Launch::Task(task) => self.tasks.push(*task),
            Launch::Group(executor, tasks) => {
                let task_group = TaskGroupInfo { tasks };
                self.groups.push(LaunchGroupOperation { executor: *executor, task_group });
            }
        }
    }

    /// As the master is told.
    #[must_use]
    pub fn into_wire(self) -> Vec<OfferOperation> {
        let tasks = (!self.tasks.is_empty()).then(|| OfferOperation {
            r#type: Some(OfferOperationType::Launch),
            launch: Some(LaunchOperation { task_infos: self.tasks }),
            ..OfferOperation::default()
        });
        let groups = self.groups.into_iter().map(|group| OfferOperation {
            r#type: Some(OfferOperationType::LaunchGroup),
            launch_group: Some(Box::new(group)),
            ..OfferOperation::default()
        });
        tasks.into_iter().chain(groups).collect()
    }
}
