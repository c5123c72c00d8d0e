//! What has to be there before a task, an executor or an operator's container is started: the files that its command asks for, and the
//! image that is its root.
//!
//! What is under way is not durable: after a restart it begins anew. Which image a task runs on is.

use attica_core_api::Now;
use attica_core_api::v1::CommandInfo;

use super::executor::ExecutorKey;
use super::task::Phase;
use super::{Effect, Owner, Supervisor, TaskKey};
use crate::checkpoint::{ExecutorEntry, TaskEntry};
use crate::daemon::Containerizer;
use crate::fetch::uri::{Item, UriError, items};
use crate::image::{Provisioned, Wish};
use crate::launcher::protocol::ContainerId;
use crate::sandbox::DirectoryLink;
use crate::volumes::Show;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Supply {
    #[default]
    Missing,
    UnderWay,
    Here,
}

/// What is to be brought where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FetchOrder {
    /// Who waits for it.
    pub(crate) container: ContainerId,
    pub(crate) items: Vec<Item>,
    pub(crate) image: Option<Wish>,
    /// Who is to have the image.
    pub(crate) containerizer: Containerizer,
    /// The sandbox, which is made for this.
    pub(crate) sandbox: std::path::PathBuf,
    pub(crate) links: Vec<DirectoryLink>,
    /// How persistent volumes are shown in it.
    pub(crate) show: Show,
    /// Whose files they become.
    pub(crate) user: Option<String>,
    /// What the sandbox may hold, where anything is said of that.
    pub(crate) disk_bytes: Option<u64>,
}

/// What a command asks for.
pub(super) fn wanted(command: Option<&CommandInfo>) -> Result<Vec<Item>, UriError> {
    items(command.map_or(&[], |command| &command.uris))
}

/// The image, if one was asked for, or why something cannot be had.
type Outcome = Result<Option<Box<Provisioned>>, String>;

impl Supervisor {
    /// Everything is there, or something cannot be had.
    pub(super) fn fetched(&mut self, now: Now, container: &ContainerId, outcome: Outcome, out: &mut Vec<Effect>) {
        match self.by_container.get(container).cloned() {
            Some(Owner::Task(key)) => self.task_supplied(now, &key, outcome, out),
            Some(Owner::Executor(key)) => self.executor_supplied(now, &key, outcome, out),
            Some(Owner::Contained(path)) => self.contained_supplied(&path, outcome, out),
            Some(Owner::Process(..) | Owner::Check) | None => {}
        }
    }

    fn task_supplied(&mut self, now: Now, key: &TaskKey, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.supply == Supply::UnderWay) else { return };
        task.supply = Supply::Here;
        if task.phase != Phase::Launching {
            return;
        }
        match outcome {
            Ok(image) => {
                if let Some(image) = image {
                    out.push(Effect::AppendTask(task.container.clone(), TaskEntry::Provisioned(image.clone())));
                    task.image = Some(image);
                }
                self.launch(now, key, out);
            }
            Err(cause) => self.refuse(now, key, format!("Failed to launch container: {cause}"), out),
        }
    }

    fn executor_supplied(&mut self, now: Now, key: &ExecutorKey, outcome: Outcome, out: &mut Vec<Effect>) {
        let Some(executor) = self.executors.get_mut(key).filter(|executor| executor.supply == Supply::UnderWay) else {
            return;
        };
        executor.supply = Supply::Here;
        match outcome {
            Ok(image) => {
                if let Some(image) = image {
                    let entry = ExecutorEntry::Provisioned(image.clone());
                    out.push(Effect::AppendExecutor(executor.container.clone(), entry));
                    executor.image = Some(image);
                }
                self.launch_executor(now, key, out);
            }
            Err(cause) => self.executor_not_launched(now, key, &format!("Failed to launch container: {cause}"), out),
        }
    }

    /// A task is killed for which something is still being brought.
    pub(super) fn kill_while_supplied(&mut self, now: Now, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(key).filter(|task| task.supply == Supply::UnderWay) else { return };
        task.supply = Supply::Here;
        out.push(Effect::StopFetch(task.container.clone()));
        self.killed_before_launch(now, key, out);
    }
}
