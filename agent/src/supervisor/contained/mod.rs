//! Containers that operators ask for: within the container of a task, of an executor, or of another such one; or standing alone.
//!
//! ```text
//!   LAUNCH ──► Launching ──program runs──► Running ──nothing is left──► Ended ──REMOVE, or the end of what it is within──► (none)
//! ```
//!
//! What is within another one shares its limits and ends with it at the latest. A session is also ended when the connection of whoever
//! asked for it ends, and by a restart of the agent. That one is to end is written down, and the launcher asked until it has ended.

mod ending;
mod launch;
mod whole;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use attica_core_api::agent::WaitContainer;
use attica_core_api::auth::{Action, Object, Viewer};
use attica_core_api::v1::{CommandInfo, ContainerInfo, Resource, Scalar};

use super::image::Rooted;
use super::{Effect, ReplyTo, Supervisor};
pub(crate) use crate::contained::{ContainedRecord, ContainerPath, Kill, Progress, Tenure};
use crate::launcher::protocol::{ContainerId, LaunchSpec, Streams};
use crate::network::Attachment;
use crate::sandbox::DirectoryLink;

/// Containers of operators that there can be, and ended ones that are remembered.
const MAX_CONTAINED: usize = 1_024;
/// Who waits for the end of one container.
pub(super) const MAX_WAITING: usize = 1_024;

/// What an operator wants of a container.
#[derive(Clone, Debug)]
pub(crate) enum OperatorCall {
    Launch(Box<ContainerLaunch>),
    Wait(ContainerPath),
    Kill(ContainerPath, i32),
    Remove(ContainerPath),
    Attach(ContainerPath, Direction),
}

/// A container to start.
#[derive(Clone, Debug)]
pub(crate) struct ContainerLaunch {
    pub(crate) path: ContainerPath,
    pub(crate) tenure: Tenure,
    pub(crate) command: Option<CommandInfo>,
    pub(crate) container: Option<Box<ContainerInfo>>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) limits: BTreeMap<String, Scalar>,
    pub(crate) streams: Streams,
}

/// Which way something flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Input,
    Output,
}

/// Where a container's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outlet {
    /// To `stdout` and `stderr` in this directory.
    Files(PathBuf),
    /// To `stdout` in this directory, by way of the terminal that this container has.
    Terminal { container: ContainerId, directory: PathBuf },
    /// To whoever holds the session.
    Session,
}

/// What an operator is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperatorReply {
    Launched,
    AlreadyRunning,
    Done,
    Ended(Box<WaitContainer>),
    Attached(Outlet),
    Refused(OperatorRefusal),
}

/// Why an operator's call is not obeyed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OperatorRefusal {
    #[error("403 Forbidden.")]
    Forbidden,
    #[error("Container '{0}' cannot be found")]
    NoContainer(ContainerPath),
    #[error("Container '{0}' cannot be found (or is already killed)")]
    NothingToKill(ContainerPath),
    #[error("Container '{0}' belongs to a task or an executor, which is ended through its framework")]
    NotAnOperators(ContainerPath),
    #[error("Container '{0}' has not ended yet")]
    StillThere(ContainerPath),
    #[error("Container '{0}' does not run yet")]
    NotYet(ContainerPath),
    #[error("Container '{0}' has ended already; it has to be removed before another one can have its name")]
    NameTaken(ContainerPath),
    #[error("Container '{0}' has no input that could be attached")]
    NoInput(ContainerPath),
    #[error("{0}")]
    Unsupported(String),
    #[error("Failed to launch container: {0}")]
    Failed(String),
    #[error("There are {MAX_CONTAINED} containers of operators already; remove ended ones")]
    TooMany,
    #[error("{MAX_WAITING} wait for the end of container '{0}' already")]
    Crowded(ContainerPath),
    #[error("The agent is about to end, or its launcher is away")]
    Unavailable,
}

/// A container of an operator.
#[derive(Clone, Debug)]
pub(crate) struct Contained {
    pub(crate) record: ContainedRecord,
    /// Who waits to hear that it runs.
    launching: Option<ReplyTo>,
    /// What is going to be launched once its files are there. Not durable: an agent that comes back does not go on with it.
    supplied: Option<Box<Supplied>>,
}

/// What waits for its files.
#[derive(Clone, Debug)]
struct Supplied {
    spec: LaunchSpec,
    /// What is to be made of its image, if one is to be its root, with the command that runs there.
    rooted: Option<(Rooted, CommandInfo)>,
    network: Option<SharedNetwork>,
}

/// The network of what a container is within, and whose it is.
#[derive(Clone, Debug)]
struct SharedNetwork {
    owner: ContainerId,
    attachment: Attachment,
}

/// What a session or a container needs on disk before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Premises {
    /// That of what it is within.
    Shared,
    /// A directory of this name in `containers`, within that; and directories that are `shared` with that, or its `own`.
    Beneath { sandbox: PathBuf, name: String, shared: Vec<String>, own: Vec<String> },
    /// A directory of its own, with directories and links to them in it.
    Own(Vec<DirectoryLink>),
    /// Whatever it needs is there.
    Made,
}

impl Supervisor {
    /// A call of an operator; `viewer` says what is allowed.
    pub(super) fn operator_call(&mut self, call: OperatorCall, viewer: &Viewer, reply: ReplyTo, out: &mut Vec<Effect>) {
        let outcome = match call {
            OperatorCall::Launch(launch) => self.launch_contained(*launch, viewer, reply, out),
            OperatorCall::Wait(path) => self.wait_for(&path, viewer, reply),
            OperatorCall::Kill(path, signal) => self.kill_contained(&path, signal, viewer, out).map(Some),
            OperatorCall::Remove(path) => self.remove_contained(&path, viewer, out).map(Some),
            OperatorCall::Attach(path, direction) => self.attach(&path, direction, viewer).map(Some),
        };
        match outcome {
            Ok(Some(answer)) => out.push(Effect::AnswerOperator(reply, Box::new(answer))),
            // The answer comes later.
            Ok(None) => {}
            Err(refusal) => out.push(Effect::AnswerOperator(reply, Box::new(OperatorReply::Refused(refusal)))),
        }
    }

    fn wait_for(
        &mut self,
        path: &ContainerPath,
        viewer: &Viewer,
        reply: ReplyTo,
    ) -> Result<Option<OperatorReply>, OperatorRefusal> {
        let whole = self.find(path).ok_or_else(|| OperatorRefusal::NoContainer(path.clone()))?;
        may(viewer, Action::WaitNestedContainer, Action::WaitStandaloneContainer, &whole)?;
        if let Some(Contained { record: ContainedRecord { progress: Progress::Ended(ending), .. }, .. }) =
            self.contained.get(path)
        {
            return Ok(Some(OperatorReply::Ended(Box::new(ending::outcome(*ending)))));
        }
        if !whole.alive {
            return Err(OperatorRefusal::NoContainer(path.clone()));
        }
        let waiting = self.waiting.entry(whole.container).or_default();
        if waiting.len() >= MAX_WAITING {
            return Err(OperatorRefusal::Crowded(path.clone()));
        }
        waiting.push(reply);
        Ok(None)
    }

    /// They take no place any more from those who wait.
    pub(super) fn forsaken(&mut self, gone: &HashSet<ReplyTo>) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|reply| !gone.contains(reply));
            !waiting.is_empty()
        });
    }

    fn kill_contained(
        &mut self,
        path: &ContainerPath,
        signal: i32,
        viewer: &Viewer,
        out: &mut Vec<Effect>,
    ) -> Result<OperatorReply, OperatorRefusal> {
        let whole = self.find(path).ok_or_else(|| OperatorRefusal::NothingToKill(path.clone()))?;
        may(viewer, Action::KillNestedContainer, Action::KillStandaloneContainer, &whole)?;
        let contained = self.contained.get(path).ok_or_else(|| OperatorRefusal::NotAnOperators(path.clone()))?;
        match (signal, contained.record.progress) {
            (_, Progress::Ended(_)) => return Err(OperatorRefusal::NothingToKill(path.clone())),
            (libc::SIGKILL, _) => self.end_contained(path, Kill::Destroy, out),
            (libc::SIGTERM, _) => self.end_contained(path, Kill::Terminate, out),
            (other, _) if !(1..=libc::SIGRTMAX()).contains(&other) => {
                return Err(OperatorRefusal::Unsupported(format!("`kill_container.signal` {other} is no signal")));
            }
            (_, Progress::Launching) => return Err(OperatorRefusal::NotYet(path.clone())),
            // It may mean anything, so that it is sent once and forgotten.
            (other, Progress::Running(process)) => out.push(Effect::Signal(process, other)),
        }
        Ok(OperatorReply::Done)
    }

    fn remove_contained(
        &mut self,
        path: &ContainerPath,
        viewer: &Viewer,
        out: &mut Vec<Effect>,
    ) -> Result<OperatorReply, OperatorRefusal> {
        let whole = self.find(path).ok_or_else(|| OperatorRefusal::NoContainer(path.clone()))?;
        may(viewer, Action::RemoveNestedContainer, Action::RemoveStandaloneContainer, &whole)?;
        let contained = self.contained.get(path).ok_or_else(|| OperatorRefusal::NotAnOperators(path.clone()))?;
        match contained.record.progress {
            Progress::Launching | Progress::Running(_) => return Err(OperatorRefusal::StillThere(path.clone())),
            Progress::Ended(_) if contained.record.has_own_directory() => {
                out.push(Effect::DiscardSandbox(contained.record.directory.clone()));
            }
            Progress::Ended(_) => {}
        }
        self.forget_contained(path, out);
        Ok(OperatorReply::Done)
    }

    fn attach(
        &self,
        path: &ContainerPath,
        direction: Direction,
        viewer: &Viewer,
    ) -> Result<OperatorReply, OperatorRefusal> {
        let whole = self.find(path).ok_or_else(|| OperatorRefusal::NoContainer(path.clone()))?;
        let action = match direction {
            Direction::Input => Action::AttachContainerInput,
            Direction::Output => Action::AttachContainerOutput,
        };
        if !viewer.may(action, Object::Value(&whole.owner)) {
            return Err(OperatorRefusal::Forbidden);
        }
        if !whole.alive {
            return Err(OperatorRefusal::NoContainer(path.clone()));
        }
        match (whole.tenure, direction) {
            (Some(Tenure::Session), _) => Ok(OperatorReply::Attached(Outlet::Session)),
            _ if whole.has_terminal => {
                Ok(OperatorReply::Attached(Outlet::Terminal { container: whole.container, directory: whole.directory }))
            }
            (_, Direction::Output) => Ok(OperatorReply::Attached(Outlet::Files(whole.directory))),
            (_, Direction::Input) => Err(OperatorRefusal::NoInput(path.clone())),
        }
    }

    /// The connection of whoever asked for a session has ended.
    pub(super) fn end_session(&mut self, path: &ContainerPath, out: &mut Vec<Effect>) {
        match self.contained.get(path).map(|contained| contained.record.tenure) {
            Some(Tenure::Session) => self.end_contained(path, Kill::Destroy, out),
            Some(Tenure::Lasting) | None => {}
        }
    }

    /// The launcher's names of a container and what it is within, the outermost first.
    pub(crate) fn launchers_names(&self, path: &ContainerPath) -> Vec<ContainerId> {
        let outwards = std::iter::successors(Some(path.clone()), ContainerPath::parent);
        let mut names: Vec<ContainerId> = outwards.filter_map(|path| Some(self.find(&path)?.container)).collect();
        names.reverse();
        names
    }

    /// Those that run, and those that have ended and were not removed.
    pub(crate) fn contained(&self) -> impl Iterator<Item = &ContainedRecord> {
        self.contained.values().map(|contained| &contained.record)
    }
}

/// Whether somebody may do something to a container: there are rules for those that stand alone, and for those within others.
fn may(viewer: &Viewer, nested: Action, standalone: Action, whole: &whole::Whole) -> Result<(), OperatorRefusal> {
    let allowed = match &whole.of {
        Some(_) => viewer.may(nested, Object::Value(&whole.owner)),
        None => viewer.may(standalone, Object::Any),
    };
    if allowed { Ok(()) } else { Err(OperatorRefusal::Forbidden) }
}
