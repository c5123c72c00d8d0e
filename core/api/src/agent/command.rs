//! Calls as an agent knows them: complete by construction.

use thiserror::Error;

use super::{
    AttachContainerInput, AttachContainerOutput, Call, CallType, GetContainersCall, KillContainer, KillNestedContainer,
    LaunchContainer, LaunchNestedContainer, LaunchNestedContainerSession, PruneImages, RemoveContainer,
    RemoveNestedContainer, WaitContainerCall, WaitNestedContainerCall,
};
use crate::operator::{GetMetricsCall, ListFilesCall, ReadFileCall, SetLoggingLevel};
use crate::v1::{ContainerId, IdError, check_container_id};

/// How deep containers can be within containers, as in Mesos.
pub const NESTING_MAX: usize = 32;

/// A call that is of its type's shape but breaks a rule. `Display` is the text of the response.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A member that the type demands is absent (400).
    #[error("Failed to validate agent::Call: Expecting '{0}' to be present")]
    Absent(&'static str),
    /// An id cannot name a container (400).
    #[error("Failed to validate agent::Call: '{member}.container_id' is invalid: {source}")]
    ContainerId {
        /// The call's member.
        member: &'static str,
        /// Why.
        source: IdError,
    },
    /// The containers are nested too deep (400).
    #[error(
        "Failed to validate agent::Call: '{member}.container_id' is invalid: containers can be nested {NESTING_MAX} deep"
    )]
    Depth {
        /// The call's member.
        member: &'static str,
    },
    /// What shares its parent's resources has some of its own (400).
    #[error(
        "Failed to validate agent::Call: Resources may not be specified when using 'launch_container' to launch nested containers"
    )]
    ResourcesOfNested,
    /// The type is UNKNOWN (501).
    #[error("Received 'UNKNOWN' call")]
    UnknownType,
}

/// What an operator wants; the variants are explained at [`CallType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// GET_HEALTH.
    GetHealth,
    /// GET_FLAGS.
    GetFlags,
    /// GET_VERSION.
    GetVersion,
    /// GET_METRICS.
    GetMetrics(GetMetricsCall),
    /// GET_LOGGING_LEVEL.
    GetLoggingLevel,
    /// SET_LOGGING_LEVEL.
    SetLoggingLevel(SetLoggingLevel),
    /// LIST_FILES.
    ListFiles(ListFilesCall),
    /// READ_FILE.
    ReadFile(ReadFileCall),
    /// GET_STATE.
    GetState,
    /// GET_CONTAINERS.
    GetContainers(GetContainersCall),
    /// GET_FRAMEWORKS.
    GetFrameworks,
    /// GET_EXECUTORS.
    GetExecutors,
    /// GET_OPERATIONS.
    GetOperations,
    /// GET_TASKS.
    GetTasks,
    /// GET_AGENT.
    GetAgent,
    /// GET_RESOURCE_PROVIDERS.
    GetResourceProviders,
    /// LAUNCH_CONTAINER and LAUNCH_NESTED_CONTAINER.
    LaunchContainer(Box<LaunchContainer>),
    /// WAIT_CONTAINER and, as the type tells, WAIT_NESTED_CONTAINER.
    WaitContainer(CallType, ContainerId),
    /// KILL_CONTAINER and KILL_NESTED_CONTAINER.
    KillContainer(KillContainer),
    /// REMOVE_CONTAINER and REMOVE_NESTED_CONTAINER.
    RemoveContainer(ContainerId),
    /// LAUNCH_NESTED_CONTAINER_SESSION.
    LaunchNestedContainerSession(Box<LaunchNestedContainerSession>),
    /// ATTACH_CONTAINER_INPUT.
    AttachContainerInput(AttachContainerInput),
    /// ATTACH_CONTAINER_OUTPUT.
    AttachContainerOutput(ContainerId),
    /// The calls about resource providers.
    ResourceProviders(CallType),
    /// PRUNE_IMAGES.
    PruneImages(PruneImages),
}

impl Call {
    /// Checks the rules that need no knowledge of the agent, and gives the typed command.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn into_command(self) -> Result<Command, Invalid> {
        let kind = self.r#type.ok_or(Invalid::Absent("type"))?;
        let command = match kind {
            CallType::Unknown => return Err(Invalid::UnknownType),
            CallType::GetHealth => Command::GetHealth,
            CallType::GetFlags => Command::GetFlags,
            CallType::GetVersion => Command::GetVersion,
            CallType::GetMetrics => Command::GetMetrics(present("get_metrics", self.get_metrics)?),
            CallType::GetLoggingLevel => Command::GetLoggingLevel,
            CallType::SetLoggingLevel => {
                Command::SetLoggingLevel(present("set_logging_level", self.set_logging_level)?)
            }
            CallType::ListFiles => Command::ListFiles(present("list_files", self.list_files)?),
            CallType::ReadFile => Command::ReadFile(present("read_file", self.read_file)?),
            CallType::GetState => Command::GetState,
            // Its member has nothing that must be said.
            CallType::GetContainers => Command::GetContainers(self.get_containers.unwrap_or_default()),
            CallType::GetFrameworks => Command::GetFrameworks,
            CallType::GetExecutors => Command::GetExecutors,
            CallType::GetOperations => Command::GetOperations,
            CallType::GetTasks => Command::GetTasks,
            CallType::GetAgent => Command::GetAgent,
            CallType::GetResourceProviders => Command::GetResourceProviders,
            CallType::LaunchNestedContainer => {
                let LaunchNestedContainer { container_id, command, container } =
                    present("launch_nested_container", self.launch_nested_container)?;
                check_nested("launch_nested_container", "launch_nested_container.container_id.parent", &container_id)?;
                let launch = LaunchContainer { container_id, command, container, ..LaunchContainer::default() };
                Command::LaunchContainer(Box::new(launch))
            }
            CallType::LaunchContainer => {
                let launch = present("launch_container", self.launch_container)?;
                check_path("launch_container", &launch.container_id)?;
                let has_own = !launch.resources.is_empty() || !launch.limits.is_empty();
                if has_own && launch.container_id.parent.is_some() {
                    return Err(Invalid::ResourcesOfNested);
                }
                Command::LaunchContainer(Box::new(launch))
            }
            CallType::WaitNestedContainer => {
                let WaitNestedContainerCall { container_id } =
                    present("wait_nested_container", self.wait_nested_container)?;
                check_nested("wait_nested_container", "wait_nested_container.container_id.parent", &container_id)?;
                Command::WaitContainer(kind, container_id)
            }
            CallType::WaitContainer => {
                let WaitContainerCall { container_id } = present("wait_container", self.wait_container)?;
                check_path("wait_container", &container_id)?;
                Command::WaitContainer(kind, container_id)
            }
            CallType::KillNestedContainer => {
                let KillNestedContainer { container_id, signal } =
                    present("kill_nested_container", self.kill_nested_container)?;
                check_nested("kill_nested_container", "kill_nested_container.container_id.parent", &container_id)?;
                Command::KillContainer(KillContainer { container_id, signal })
            }
            CallType::KillContainer => {
                let kill = present("kill_container", self.kill_container)?;
                check_path("kill_container", &kill.container_id)?;
                Command::KillContainer(kill)
            }
            CallType::RemoveNestedContainer => {
                let RemoveNestedContainer { container_id } =
                    present("remove_nested_container", self.remove_nested_container)?;
                check_nested("remove_nested_container", "remove_nested_container.container_id.parent", &container_id)?;
                Command::RemoveContainer(container_id)
            }
            CallType::RemoveContainer => {
                let RemoveContainer { container_id } = present("remove_container", self.remove_container)?;
                check_path("remove_container", &container_id)?;
                Command::RemoveContainer(container_id)
            }
            CallType::LaunchNestedContainerSession => {
                let member = "launch_nested_container_session";
                let launch = present(member, self.launch_nested_container_session)?;
                check_nested(member, "launch_nested_container_session.container_id.parent", &launch.container_id)?;
                Command::LaunchNestedContainerSession(Box::new(launch))
            }
            CallType::AttachContainerInput => {
                Command::AttachContainerInput(present("attach_container_input", self.attach_container_input)?)
            }
            CallType::AttachContainerOutput => {
                let AttachContainerOutput { container_id } =
                    present("attach_container_output", self.attach_container_output)?;
                check_path("attach_container_output", &container_id)?;
                Command::AttachContainerOutput(container_id)
            }
            CallType::AddResourceProviderConfig
            | CallType::UpdateResourceProviderConfig
            | CallType::RemoveResourceProviderConfig
            | CallType::MarkResourceProviderGone => Command::ResourceProviders(kind),
            // Without its member no image is excluded.
            CallType::PruneImages => Command::PruneImages(self.prune_images.unwrap_or_default()),
        };
        Ok(command)
    }
}

fn present<T>(name: &'static str, member: Option<T>) -> Result<T, Invalid> {
    member.ok_or(Invalid::Absent(name))
}

fn check_nested(member: &'static str, parent: &'static str, id: &ContainerId) -> Result<(), Invalid> {
    check_path(member, id)?;
    id.parent.as_ref().map(drop).ok_or(Invalid::Absent(parent))
}

/// Every level becomes the name of a directory.
fn check_path(member: &'static str, id: &ContainerId) -> Result<(), Invalid> {
    let mut level = Some(id);
    let mut depth = 0;
    while let Some(ContainerId { value, parent }) = level {
        depth += 1;
        if depth > NESTING_MAX {
            return Err(Invalid::Depth { member });
        }
        check_container_id(value).map_err(|source| Invalid::ContainerId { member, source })?;
        level = parent.as_ref().map(|parent| parent.0.as_ref());
    }
    Ok(())
}
