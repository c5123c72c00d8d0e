//! What an operator's id of a container stands for.

use std::path::PathBuf;

use attica_core_api::v1::{CommandInfo, ContainerInfo, ExecutorId, FrameworkId};

use super::{Contained, ContainedRecord, ContainerPath, Progress, SharedNetwork, Tenure};
use crate::image::Provisioned;
use crate::launcher::protocol::ContainerId;
use crate::network::Attachment;
use crate::supervisor::secret::Holder;
use crate::supervisor::task::{Phase, Task};
use crate::supervisor::{Executor, Owner, Supervisor, accept, container};

/// A container that another one can be put into.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    /// Its name for the launcher.
    pub(super) container: ContainerId,
    pub(super) directory: PathBuf,
    pub(super) environment: Vec<(String, String)>,
    /// As which user it runs; absent: the agent's.
    pub(super) user: Option<String>,
    /// As which user the outermost one runs, for the rules.
    pub(super) owner: String,
    /// Absent when it has nothing to do with any framework.
    pub(super) of: Option<(FrameworkId, ExecutorId)>,
    /// Of an operator's.
    pub(super) tenure: Option<Tenure>,
    /// Whether a program of it runs.
    pub(super) alive: bool,
    /// Whether it has a terminal of its own.
    pub(super) has_terminal: bool,
}

/// What a container within another one finds around it.
pub(super) struct Outermost<'a> {
    /// Whom its secrets are sealed for.
    pub(super) holder: Holder<'a>,
    pub(super) command: Option<&'a CommandInfo>,
    pub(super) container: Option<&'a ContainerInfo>,
    pub(super) image: Option<&'a Provisioned>,
    pub(super) network: Option<SharedNetwork>,
}

impl Supervisor {
    /// A container of a task or executor goes by the launcher's name for it, a member of a group by that within what stands for the container
    /// of its executor.
    pub(super) fn find(&self, path: &ContainerPath) -> Option<Whole> {
        if let Some(contained) = self.contained.get(path) {
            return Some(of_contained(contained));
        }
        let (run, name) = match path.names() {
            [name] => (None, name),
            [run, name] => (Some(run.as_str()), name),
            _ => return None,
        };
        match self.by_container.get(&ContainerId::new(name).ok()?)? {
            Owner::Task(key) => {
                let task = self.tasks.get(key).filter(|task| task.executor.is_none())?;
                let own_run = (task.run() != &task.container).then(|| task.run().as_str());
                (own_run == run).then(|| self.of_task(task))
            }
            Owner::Executor(key) => self.executors.get(key).filter(|_| run.is_none()).map(|one| self.of_executor(one)),
            Owner::Process(..) | Owner::Check | Owner::Contained(_) => None,
        }
    }

    /// The task that a container is, at whatever depth, within.
    pub(super) fn outermost_task(&self, path: &ContainerPath) -> Option<&Task> {
        path.names().iter().take(2).find_map(|name| match self.by_container.get(&ContainerId::new(name).ok()?)? {
            Owner::Task(key) => self.tasks.get(key),
            Owner::Executor(_) | Owner::Process(..) | Owner::Check | Owner::Contained(_) => None,
        })
    }

    /// What surrounds the container of a task or an executor that a container is, at whatever depth, within.
    pub(super) fn outermost(&self, path: &ContainerPath) -> Option<Outermost<'_>> {
        let alone = ContainerPath::root(path.names().first()?);
        if let Some(Contained { record, .. }) = self.contained.get(&alone) {
            return Some(Outermost {
                holder: Holder::Other,
                // It runs for nobody else, and has its secrets for itself.
                command: None,
                container: record.info.as_deref(),
                image: record.image.as_deref(),
                network: None,
            });
        }
        if let Some(task) = self.outermost_task(path) {
            return Some(Outermost {
                holder: Holder::Task(&task.info.task_id),
                command: task.info.command.as_ref(),
                container: task.info.container.as_deref(),
                image: task.image.as_deref(),
                network: shared(task.run(), task.network.as_deref()),
            });
        }
        match self.by_container.get(&ContainerId::new(path.names().first()?).ok()?)? {
            Owner::Executor(key) => {
                let executor = self.executors.get(key)?;
                Some(Outermost {
                    holder: Holder::Other,
                    command: executor.info.command.as_ref(),
                    container: executor.info.container.as_deref(),
                    image: executor.image.as_deref(),
                    network: shared(&executor.container, executor.network.as_deref()),
                })
            }
            Owner::Task(_) | Owner::Process(..) | Owner::Check | Owner::Contained(_) => None,
        }
    }

    /// Of the containers of operators that a container is within, the nearest one with a root of its own.
    pub(super) fn nearest_root(
        &self,
        path: &ContainerPath,
    ) -> Option<(Holder<'_>, Option<&ContainerInfo>, Option<&Provisioned>)> {
        std::iter::successors(path.parent(), ContainerPath::parent).find_map(|path| {
            let record = &self.contained.get(&path)?.record;
            let image = record.image.as_deref()?;
            Some((Holder::Other, record.info.as_deref(), Some(image)))
        })
    }

    fn of_task(&self, task: &Task) -> Whole {
        let directory = task.sandbox(&self.config.work_dir);
        let executor = task.executor_id();
        let own = task.info.command.as_ref().and_then(|command| command.user.clone());
        Whole {
            container: task.container.clone(),
            environment: accept::environment(&self.config, task, &directory),
            directory,
            user: accept::user_of(&self.config, &task.framework, task.info.command.as_ref()),
            owner: own.unwrap_or_else(|| task.framework.user.clone()),
            of: Some((task.key.framework_id.clone(), executor)),
            tenure: None,
            alive: task.phase == Phase::Running,
            has_terminal: container::has_terminal(task.info.container.as_deref()),
        }
    }

    fn of_executor(&self, executor: &Executor) -> Whole {
        let directory = executor.sandbox(&self.config.work_dir);
        let own = executor.info.command.as_ref().and_then(|command| command.user.clone());
        let mut environment = accept::executor_environment(&self.config, executor, &directory);
        // What runs in its container may speak for others.
        environment.retain(|(name, _)| name != accept::EXECUTORS_TOKEN);
        Whole {
            container: executor.container.clone(),
            environment,
            directory,
            user: accept::user_of(&self.config, &executor.framework, executor.info.command.as_ref()),
            owner: own.unwrap_or_else(|| executor.framework.user.clone()),
            of: Some((executor.key.framework_id.clone(), executor.key.executor_id.clone())),
            tenure: None,
            alive: executor.process.is_some(),
            has_terminal: container::has_terminal(executor.info.container.as_deref()),
        }
    }
}

fn shared(owner: &ContainerId, attachment: Option<&Attachment>) -> Option<SharedNetwork> {
    Some(SharedNetwork { owner: owner.clone(), attachment: attachment?.clone() })
}

fn of_contained(contained: &Contained) -> Whole {
    let ContainedRecord { container, tenure, of, owner, user, directory, environment, info, progress, .. } =
        &contained.record;
    Whole {
        container: container.clone(),
        directory: directory.clone(),
        environment: environment.clone(),
        user: user.clone(),
        owner: owner.clone(),
        of: of.clone(),
        tenure: Some(*tenure),
        alive: match progress {
            Progress::Launching | Progress::Running(_) => true,
            Progress::Ended(_) => false,
        },
        has_terminal: container::has_terminal(info.as_deref()),
    }
}
