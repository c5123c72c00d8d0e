//! The tasks of a pod, as the agent is told: a group under an executor of the agent's own, which has their network.

use std::collections::BTreeMap;

use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DiscoveryInfo, DurationInfo, Environment, ExecutorInfo, ExecutorType,
    HostPathVolume, KillPolicy, LinuxInfo, MesosInfo, Ports, Resource, SandboxPathType, SandboxPathVolume, TaskInfo,
    TtyInfo, Visibility, Volume as WireVolume, VolumeMode, VolumeSource, VolumeSourceType,
};

use super::environment::{Surroundings, decimal, label_variables, variable_name};
use super::operations::Launch;
use super::{container, secrets, task_info};
use crate::model::{
    Access, CommandLine, ContainerTask, EnvValue, GivenPort, Linux, Pod, PodContainer, PodMount, PodVolumeSource,
    PortDefinition, RunSpec, Task,
};

/// A pod whose place is known.
struct Placed<'a> {
    run_spec: &'a RunSpec,
    surroundings: &'a Surroundings,
    pod: &'a Pod,
    task: &'a Task,
    ports: Vec<GivenPort>,
}

/// The launch of a pod's instance. The first share is its executor's, the others are its containers'.
pub(super) fn group(
    run_spec: &RunSpec,
    surroundings: &Surroundings,
    pod: &Pod,
    task: &Task,
    shares: Vec<Vec<Resource>>,
) -> Launch {
    let placed = Placed { run_spec, surroundings, pod, task, ports: run_spec.given_ports(&task.ports) };
    let mut shares = shares.into_iter();
    let executor = placed.executor(shares.next().unwrap_or_default());
    let mut first_port = 0;
    let mut tasks = Vec::with_capacity(pod.containers.len());
    for ((container, of), resources) in pod.containers.iter().zip(&task.containers).zip(shares) {
        let ports = first_port..first_port + container.endpoints.len();
        first_port = ports.end;
        tasks.push(placed.task(container, of, ports, resources));
    }
    Launch::Group(Box::new(executor), tasks)
}

impl Placed<'_> {
    fn executor(&self, resources: Vec<Resource>) -> ExecutorInfo {
        let Self { run_spec, task, .. } = self;
        let network_infos = container::networks(run_spec, &self.ports);
        let container = (!network_infos.is_empty()).then(|| {
            Box::new(ContainerInfo {
                r#type: ContainerType::Mesos,
                mesos: Some(MesosInfo::default()),
                network_infos,
                ..ContainerInfo::default()
            })
        });
        ExecutorInfo {
            r#type: Some(ExecutorType::Default),
            executor_id: task.id.as_str().into(),
            container,
            resources,
            labels: task_info::labels(&run_spec.labels),
            ..ExecutorInfo::default()
        }
    }

    fn task(
        &self,
        container: &PodContainer,
        of: &ContainerTask,
        ports: std::ops::Range<usize>,
        resources: Vec<Resource>,
    ) -> TaskInfo {
        let labels = self.labels(container);
        let grace = container.kill_grace_period_ms.map(DurationInfo::from_milliseconds);
        TaskInfo {
            name: container.name.clone(),
            task_id: of.id.clone(),
            agent_id: self.task.agent.id.clone(),
            resources,
            command: Some(self.command(container, &labels)),
            container: self.container(container).map(Box::new),
            health_check: container
                .health_check
                .as_ref()
                .and_then(|check| task_info::health_check(check, &self.ports, self.surroundings)),
            check: container.check.as_ref().and_then(|check| task_info::check(check, &self.ports)),
            kill_policy: grace.map(|grace_period| KillPolicy { grace_period: Some(grace_period) }),
            labels: task_info::labels(&labels),
            discovery: Some(self.discovery(ports)),
            limits: task_info::limits(&container.limits),
            ..TaskInfo::default()
        }
    }

    /// The pod's labels and the container's, which win.
    fn labels(&self, container: &PodContainer) -> BTreeMap<String, String> {
        let mut labels = self.run_spec.labels.clone();
        labels.extend(container.labels.clone());
        labels
    }

    fn discovery(&self, ports: std::ops::Range<usize>) -> DiscoveryInfo {
        let definitions: &[PortDefinition] = self.run_spec.ports.get(ports.clone()).unwrap_or_default();
        let given = self.ports.get(ports).unwrap_or_default();
        let ports = definitions.iter().zip(given);
        let ports = ports.flat_map(|(definition, port)| task_info::discovery_ports(definition, *port));
        DiscoveryInfo {
            visibility: Visibility::Framework,
            name: Some(self.run_spec.id.reversed()),
            ports: Some(Ports { ports: ports.collect() }),
            ..DiscoveryInfo::default()
        }
    }

    fn command(&self, container: &PodContainer, labels: &BTreeMap<String, String>) -> CommandInfo {
        let (shell, value, arguments) = match &container.command {
            None => (false, None, Vec::new()),
            Some(command) => match (&command.line, command.overrides_entrypoint) {
                // The program is the image's, and these are its arguments.
                (CommandLine::Exec(words), Some(false)) => (false, None, words.clone()),
                (line, _) => task_info::words(line),
            },
        };
        CommandInfo {
            uris: container.artifacts.iter().map(task_info::uri).collect(),
            environment: Some(self.environment(container, labels)),
            shell,
            value,
            arguments,
            user: container.user.clone().or_else(|| self.run_spec.user.clone()),
        }
    }

    /// The generated variables, the pod's, and the container's: later ones win.
    fn environment(&self, container: &PodContainer, labels: &BTreeMap<String, String>) -> Environment {
        let Self { run_spec, surroundings, pod, task, ports } = self;
        let needs = &container.resources;
        let generated = [
            ("MARATHON_APP_ID", run_spec.id.to_string()),
            ("MARATHON_APP_VERSION", run_spec.version.to_string()),
            ("MARATHON_APP_ENFORCE_GROUP_ROLE", surroundings.enforces_role.to_string()),
            ("MARATHON_CONTAINER_ID", container.name.clone()),
            ("MARATHON_CONTAINER_RESOURCE_CPUS", decimal(needs.cpus)),
            ("MARATHON_CONTAINER_RESOURCE_MEM", decimal(needs.mem)),
            ("MARATHON_CONTAINER_RESOURCE_DISK", decimal(needs.disk)),
            ("MARATHON_CONTAINER_RESOURCE_GPUS", needs.gpus.to_string()),
        ];
        let mut variables: BTreeMap<String, String> =
            generated.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.extend(label_variables(labels));
        let mut put = |name: String, value| variables.insert(surroundings.variable(&name), value);
        put("HOST".to_owned(), task.agent.hostname.clone());
        for ((_, endpoint), port) in pod.endpoints().zip(ports) {
            let name = variable_name(&endpoint.name);
            put(format!("ENDPOINT_{name}"), port.container.to_string());
            put(format!("EP_CONTAINER_{name}"), port.container.to_string());
            if let Some(host) = port.host {
                put(format!("EP_HOST_{name}"), host.to_string());
            }
        }
        let generated = variables.into_iter().map(|(name, value)| (name, EnvValue::Text(value)));
        secrets::environment(run_spec, generated.chain(run_spec.env.clone()).chain(container.env.clone()))
    }

    fn container(&self, container: &PodContainer) -> Option<ContainerInfo> {
        let shares_limits = self.pod.shared_cgroups == Some(true);
        // A limit of its own needs a cgroup of its own.
        let own_limits = !container.limits.is_empty() && !shares_limits;
        let (own, ipc) = (container.linux.clone(), self.pod.ipc_of(container));
        let linux_info = (own.is_some() || ipc.is_some() || own_limits).then(|| {
            let seccomp = own.and_then(|linux| linux.seccomp);
            LinuxInfo { share_cgroups: !own_limits, ..container::linux(&Linux { seccomp, ipc }) }
        });
        let image = container.image.as_ref().map(|image| {
            let config = image.pull_secret.as_ref().and_then(|name| secrets::named(self.run_spec, name));
            container::pulled(&image.name, image.pull, None, config)
        });
        let volumes: Vec<WireVolume> = container.mounts.iter().filter_map(|mount| self.volume(mount)).collect();
        let tty_info = (container.tty == Some(true)).then(TtyInfo::default);
        if linux_info.is_none() && image.is_none() && volumes.is_empty() && tty_info.is_none() {
            return None;
        }
        Some(ContainerInfo {
            r#type: ContainerType::Mesos,
            mesos: Some(MesosInfo { image }),
            volumes,
            linux_info,
            tty_info,
            ..ContainerInfo::default()
        })
    }

    /// None when it names a volume that the pod does not have, which the border refuses.
    fn volume(&self, mount: &PodMount) -> Option<WireVolume> {
        let volume = self.pod.volumes.iter().find(|volume| volume.name == mount.volume)?;
        let source = match &volume.source {
            // A persistent one is in the executor's sandbox under its name.
            PodVolumeSource::Ephemeral | PodVolumeSource::Persistent(_) => VolumeSource {
                r#type: Some(VolumeSourceType::SandboxPath),
                sandbox_path: Some(SandboxPathVolume {
                    r#type: Some(SandboxPathType::Parent),
                    path: volume.name.clone(),
                }),
                ..VolumeSource::default()
            },
            PodVolumeSource::Host(path) => VolumeSource {
                r#type: Some(VolumeSourceType::HostPath),
                host_path: Some(HostPathVolume { path: path.clone(), ..HostPathVolume::default() }),
                ..VolumeSource::default()
            },
            PodVolumeSource::Secret(name) => return secrets::volume(self.run_spec, name, &mount.path),
        };
        let mode = match mount.access {
            Some(Access::ReadOnly) => VolumeMode::ReadOnly,
            Some(Access::ReadWrite) | None => VolumeMode::ReadWrite,
        };
        Some(WireVolume { mode, container_path: mount.path.clone(), source: Some(source), ..WireVolume::default() })
    }
}
