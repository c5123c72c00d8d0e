//! LAUNCH_CONTAINER and LAUNCH_NESTED_CONTAINER_SESSION.

use attica_core_api::auth::{Action, Object, Viewer};
use attica_core_api::v1::{CommandInfo, ContainerInfo, ContainerType, FrameworkInfo, TaskInfo};

use super::whole::Whole;
use super::{
    Contained, ContainedRecord, ContainerLaunch, MAX_CONTAINED, OperatorRefusal, OperatorReply, Premises, Progress,
    SharedNetwork, Supplied, Tenure,
};
use crate::daemon::Containerizer;
use crate::launcher::protocol::{ContainerId, LaunchSpec};
use crate::sandbox::DirectoryLink;
use crate::supervisor::accept::{self, Plan, Refusal};
use crate::supervisor::image::Rooted;
use crate::supervisor::secret::Holder;
use crate::supervisor::volume::Beholder;
use crate::supervisor::{
    Duty, Effect, FetchOrder, LauncherState, Owner, ReplyTo, Supervisor, Task, container, device, image, secret,
    supply, surroundings, volume,
};
use crate::volumes::Show;

/// How a container of an operator is to be started.
struct Planned {
    /// Without its root, where it has one of its own.
    spec: LaunchSpec,
    rooted: Option<Rooted>,
    /// What is in its sandbox from the beginning.
    links: Vec<DirectoryLink>,
    /// Of what it is within, if it does not join that.
    network: Option<SharedNetwork>,
}

impl Supervisor {
    /// Answered once the program runs; before that it has the files that its command asks for.
    pub(super) fn launch_contained(
        &mut self,
        launch: ContainerLaunch,
        viewer: &Viewer,
        reply: ReplyTo,
        out: &mut Vec<Effect>,
    ) -> Result<Option<OperatorReply>, OperatorRefusal> {
        let path = launch.path.clone();
        let whole = match path.parent() {
            Some(parent) => {
                Some(self.find(&parent).filter(|whole| whole.alive).ok_or(OperatorRefusal::NoContainer(parent))?)
            }
            None => None,
        };
        check_permission(viewer, &launch, whole.as_ref())?;
        match self.contained.get(&path).map(|known| known.record.progress) {
            Some(Progress::Launching | Progress::Running(_)) => return Ok(Some(OperatorReply::AlreadyRunning)),
            Some(Progress::Ended(_)) => return Err(OperatorRefusal::NameTaken(path)),
            None if self.find(&path).is_some() => return Ok(Some(OperatorReply::AlreadyRunning)),
            None => {}
        }
        if self.duty != Duty::Serve || self.launcher == LauncherState::Unknown {
            return Err(OperatorRefusal::Unavailable);
        }
        self.make_room(out)?;
        let items =
            supply::wanted(launch.command.as_ref()).map_err(|error| OperatorRefusal::Unsupported(error.to_string()))?;
        let Planned { spec, rooted, links, network } =
            self.contained_spec(&launch, whole.as_ref()).map_err(unsupported)?;
        let premises = match (&whole, launch.tenure) {
            (Some(_), Tenure::Session) => Premises::Shared,
            (Some(whole), Tenure::Lasting) => {
                let (shared, own) = volume::in_sandboxes(launch.container.as_deref());
                Premises::Beneath { sandbox: whole.directory.clone(), name: path.name().to_owned(), shared, own }
            }
            (None, Tenure::Lasting | Tenure::Session) => Premises::Own(links),
        };
        let record = ContainedRecord {
            format: ContainedRecord::format(),
            path: path.clone(),
            container: spec.container.clone(),
            tenure: launch.tenure,
            of: whole.as_ref().and_then(|whole| whole.of.clone()),
            owner: whole.map_or_else(|| spec.user.clone().unwrap_or_default(), |whole| whole.owner),
            user: spec.user.clone(),
            directory: spec.directory.clone(),
            environment: spec.environment.clone(),
            info: launch.container.as_deref().map(without_secrets),
            image: None,
            progress: Progress::Launching,
            kill: None,
        };
        out.push(Effect::StoreContained(Box::new(record.clone())));
        self.by_container.insert(spec.container.clone(), Owner::Contained(path.clone()));
        let supplied = match (items.is_empty(), rooted) {
            (true, None) => {
                out.push(Effect::LaunchContained(Box::new(spec), premises));
                None
            }
            (_, rooted) => {
                let order = FetchOrder {
                    container: spec.container.clone(),
                    items,
                    image: rooted.as_ref().map(|rooted| rooted.wish.clone()),
                    containerizer: Containerizer::Launcher,
                    sandbox: spec.directory.clone(),
                    links: Vec::new(),
                    show: Show::Link,
                    user: spec.user.clone(),
                    // Nobody looks at what they hold.
                    disk_bytes: None,
                };
                out.push(Effect::FetchContained(Box::new(order), premises));
                Some(Box::new(Supplied { spec, rooted: rooted.zip(launch.command), network }))
            }
        };
        self.contained.insert(path, Contained { record, launching: Some(reply), supplied });
        Ok(None)
    }

    /// Ended ones that nobody has removed make room, in the order of their names.
    fn make_room(&mut self, out: &mut Vec<Effect>) -> Result<(), OperatorRefusal> {
        if self.contained.len() < MAX_CONTAINED {
            return Ok(());
        }
        let ended = |known: &&Contained| matches!(known.record.progress, Progress::Ended(_));
        let path = self.contained.values().find(ended).map(|known| known.record.path.clone());
        let path = path.ok_or(OperatorRefusal::TooMany)?;
        self.forget_contained(&path, out);
        Ok(())
    }

    fn contained_spec(&mut self, launch: &ContainerLaunch, whole: Option<&Whole>) -> Result<Planned, Refusal> {
        let container = launch.container.as_deref();
        container.map_or(Ok(()), |container| check_container(container, whole.is_some(), launch.tenure))?;
        let of_daemon = |task: &Task| task.containerizer == Containerizer::Daemon;
        accept::refuse(&[(
            self.outermost_task(&launch.path).is_some_and(of_daemon),
            "containers within one that the Docker daemon runs",
        )])?;
        let command = launch.command.as_ref().ok_or(Refusal::NoCommand)?;
        let Plan { program, argv, shortcut, secrets, user, limits, controls, rooted, surroundings } =
            self.contained_plan(launch, command, whole)?;
        let directory = match (whole, launch.tenure) {
            (Some(whole), Tenure::Session) => whole.directory.clone(),
            (Some(whole), Tenure::Lasting) => whole.directory.join("containers").join(launch.path.name()),
            (None, Tenure::Lasting | Tenure::Session) => {
                self.config.work_dir.join("containers").join(launch.path.name())
            }
        };
        let sandbox = directory.to_string_lossy().into_owned();
        // Of what runs already, they could be had.
        let of_whole = self
            .outermost(&launch.path)
            .map(|outermost| secret::of_command(&self.config, outermost.holder, outermost.command).unwrap_or_default());
        let mut environment = whole.map_or_else(accept::bare_environment, |whole| whole.environment.clone());
        let own = accept::asked_environment(Some(command));
        environment.retain(|(name, _)| !own.contains_key(name) && name != "MESOS_SANDBOX");
        environment.push(("MESOS_SANDBOX".to_owned(), sandbox));
        environment.extend(own);
        let mut spec = LaunchSpec {
            container: ContainerId::from_uuid(self.entropy.uuid()),
            parent: whole.map(|whole| whole.container.clone()),
            argv,
            program,
            shortcut,
            environment,
            secrets: secret::with(of_whole.unwrap_or_default(), Some(command), secrets),
            user,
            directory,
            limits: whole.is_none().then_some(limits),
            controls: controls.filter(|_| whole.is_none()),
            rlimits: container::rlimits(container),
            surroundings: surroundings.filter(|_| whole.is_none()),
            streams: match launch.tenure {
                Tenure::Lasting => container::streams(container),
                Tenure::Session => launch.streams.clone(),
            },
        };
        let sandbox = spec.directory.clone();
        let holder = Holder::Other;
        let shared = whole.map_or_else(|| sandbox.clone(), |whole| whole.directory.clone());
        let beholder = Beholder { holder, container, resources: &[], sandbox, shared, shared_volumes: &[] };
        let links = beholder.links(&self.config.work_dir);
        let mut network = None;
        if let (Some(_), Some(outermost)) = (whole, self.outermost(&launch.path)) {
            // What a task or an executor may not do, what joins it may not do either.
            let of_whole = surroundings::surroundings(&self.config.isolators, outermost.container)?;
            // In a root of its own the image says where it begins, and as whom.
            if rooted.is_some() {
                spec.surroundings = of_whole;
                if let Some(hostname) = container.and_then(|container| container.hostname.clone()) {
                    spec.surroundings.get_or_insert_default().namespaces.hostname = Some(hostname);
                }
                network = outermost.network;
            } else {
                spec.surroundings = of_whole.map(surroundings::of_part);
                let (holder, container, image) =
                    self.nearest_root(&launch.path).unwrap_or((outermost.holder, outermost.container, outermost.image));
                let rooted = image::of(&self.config, holder, container).ok().flatten();
                if let Some((image, rooted)) = image.zip(rooted) {
                    rooted.join(&mut spec, image, command);
                }
            }
        }
        // Before the image is here, nothing is known of the root.
        self.furnish(&mut spec, &beholder, None, None);
        Ok(Planned { spec, rooted, links, network })
    }

    /// Its user is that of what it is within, unless it names another one.
    fn contained_plan(
        &self,
        launch: &ContainerLaunch,
        command: &CommandInfo,
        whole: Option<&Whole>,
    ) -> Result<Plan, Refusal> {
        let user = whole.and_then(|whole| whole.user.clone()).unwrap_or_default();
        let framework = FrameworkInfo { user, ..FrameworkInfo::default() };
        let as_task = TaskInfo {
            resources: launch.resources.clone(),
            limits: launch.limits.clone(),
            command: Some(command.clone()),
            container: launch.container.clone(),
            ..TaskInfo::default()
        };
        device::check_none(&self.config, &launch.resources)?;
        let disks = launch.resources.iter().any(|resource| resource.disk.is_some());
        accept::refuse(&[(disks, "resources.disk of a container that an operator starts")])?;
        // What is sealed is a task's.
        let container = launch.container.as_deref();
        image::of(&self.config, Holder::Other, container)?;
        volume::check(&self.config, Holder::Other, container, &[], whole.is_some())?;
        secret::of_command(&self.config, Holder::Other, Some(command))?;
        accept::plan(&self.config, &framework, &as_task, whole.is_some(), None)
    }
}

fn check_permission(viewer: &Viewer, launch: &ContainerLaunch, whole: Option<&Whole>) -> Result<(), OperatorRefusal> {
    let Some(Whole { owner, of: Some(_), user, .. }) = whole else {
        // Standing alone, or within what does.
        let allowed = viewer.may(Action::LaunchStandaloneContainer, Object::Any);
        return if allowed { Ok(()) } else { Err(OperatorRefusal::Forbidden) };
    };
    let (under, as_user) = match launch.tenure {
        Tenure::Lasting => (Action::LaunchNestedContainerUnderParentWithUser, Action::LaunchNestedContainerAsUser),
        Tenure::Session => {
            (Action::LaunchNestedContainerSessionUnderParentWithUser, Action::LaunchNestedContainerSessionAsUser)
        }
    };
    let own = launch.command.as_ref().and_then(|command| command.user.as_deref());
    let becomes = own.or(user.as_deref()).unwrap_or(owner);
    let allowed = viewer.may(under, Object::Value(owner)) && viewer.may(as_user, Object::Value(becomes));
    if allowed { Ok(()) } else { Err(OperatorRefusal::Forbidden) }
}

/// What is refused by name: a container within another one has its root, its mounts and its namespaces, unless it has an image.
fn check_container(container: &ContainerInfo, is_nested: bool, tenure: Tenure) -> Result<(), Refusal> {
    let joins = is_nested && !image::is_root(Some(container));
    let ContainerInfo {
        r#type,
        volumes,
        hostname,
        docker,
        mesos: _,
        network_infos,
        linux_info,
        rlimit_info: _,
        tty_info: _,
    } = container;
    accept::refuse(&[
        (*r#type == ContainerType::Docker || docker.is_some(), "container.type DOCKER"),
        (!network_infos.is_empty(), "container.network_infos"),
        (
            is_nested && !joins && tenure == Tenure::Session,
            "container.mesos.image of a session within another container",
        ),
        (joins && !volumes.is_empty(), "container.volumes without an image, within another container"),
        (joins && hostname.is_some(), "container.hostname without an image, within another container"),
        (is_nested && linux_info.is_some(), "container.linux_info within another container"),
    ])
}

/// What those within it have to know: volumes and the credentials of its image are not asked for again.
fn without_secrets(container: &ContainerInfo) -> Box<ContainerInfo> {
    let mut container = ContainerInfo { volumes: Vec::new(), ..container.clone() };
    let image = container.mesos.as_mut().and_then(|mesos| mesos.image.as_mut());
    if let Some(docker) = image.and_then(|image| image.docker.as_mut()) {
        docker.config = None;
    }
    Box::new(container)
}

fn unsupported(refusal: Refusal) -> OperatorRefusal {
    OperatorRefusal::Unsupported(refusal.to_string())
}
