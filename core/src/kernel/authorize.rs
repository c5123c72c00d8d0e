//! Whether a framework may do what it asks for.
//!
//! The rules are an input like any other ([`Input::Rules`](super::Input::Rules)): what is decided follows from the order of inputs
//! alone. A framework is its principal; a master that authenticates frameworks has made sure of it before.

use attica_core_api::v1::{ExecutorInfo, FrameworkId, FrameworkInfo, OfferOperation, TaskInfo};

use super::Kernel;
use crate::auth::{Needed, check_operation, check_registration};

impl Kernel {
    /// Whether a framework may be what it says it is; the error is Mesos's text.
    pub(super) fn authorize_registration(&self, info: &FrameworkInfo) -> Result<(), String> {
        check_registration(self.acls.as_deref(), info)
    }

    /// Whether a framework may run a task as the user that it names.
    pub(super) fn authorize_launch(&self, id: &FrameworkId, task: &TaskInfo) -> Result<(), String> {
        self.authorize(id, |framework| vec![Needed::launch(task, framework)])
    }

    /// Whether a framework may run all tasks of a group, and their executor, as the users that they name.
    pub(super) fn authorize_group(
        &self,
        id: &FrameworkId,
        executor: &ExecutorInfo,
        tasks: &[TaskInfo],
    ) -> Result<(), String> {
        self.authorize(id, |framework| Needed::group(executor, tasks, framework))
    }

    /// Whether a framework may make or undo these reservations or volumes.
    pub(super) fn authorize_operation(&self, id: &FrameworkId, operation: &OfferOperation) -> Result<(), String> {
        self.authorize(id, |_| Needed::of_operation(operation))
    }

    fn authorize(&self, id: &FrameworkId, needed: impl FnOnce(&FrameworkInfo) -> Vec<Needed>) -> Result<(), String> {
        let (Some(acls), Some(framework)) = (&self.acls, self.frameworks.get(id)) else { return Ok(()) };
        check_operation(Some(acls), &framework.info, &needed(&framework.info))
    }
}
