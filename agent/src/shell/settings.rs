//! What the arguments of the agent mean on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::auth::TokenKey;
use attica_core_api::http::guard::token_key;
use attica_core_api::resources::parse_attributes;
use attica_core_api::secrets::SealingKey;
use attica_core_api::v1::{AgentInfo, Attribute, Text, ValueType};
use serde_json::json;

use super::startup::Error;
use super::watcher::{Consequence, Look, Matter};
use crate::args::{Args, ContainerizerKind};
use crate::devices::{AllowedDevices, DeviceError, Devices};
use crate::isolators::{Isolator, Isolators, SeccompSettings};
use crate::launcher::controls::Controller;
use crate::launcher::isolation::Abilities;
use crate::launcher::protocol::IsolationKind;
use crate::machine::{self, Machine};
use crate::network::Networks;
use crate::quota::ProjectQuotas;
use crate::supervisor::{Config, Containerizers, DaemonConfig, Defaults, Proof, Timing, Users};
use crate::volumes;

/// The attribute that names the key with which secrets can be sealed for tasks of this agent.
const SECRETS: &str = "secrets";

/// What the supervisor is told.
pub(super) fn config(
    args: &Args,
    work_dir: &Path,
    bound: SocketAddr,
    (networks, owner): (Networks, String),
    abilities: &Abilities,
) -> Result<Config, Error> {
    let root = nix::unistd::geteuid().is_root();
    let mut attributes = parse_attributes(&args.attributes)?;
    if !root {
        attributes.push(text_attribute("isolation", IsolationKind::Posix.as_str()));
    }
    let secrets_key_file = args.secrets_key_file.as_ref().map(std::path::absolute).transpose();
    let secrets_key_file = secrets_key_file.map_err(|source| Error::System { action: "find its key file", source })?;
    if let Some(path) = &secrets_key_file {
        attributes.push(text_attribute(SECRETS, SealingKey::read(path)?.id().as_str()));
    }
    let isolators = isolators(args, root, abilities)?;
    let devices = Devices::find(
        args.allowed_devices.as_ref().unwrap_or(&AllowedDevices::default()),
        &args.devices,
        &args.nvidia_gpu_devices,
    )?;
    if !devices.countable.is_empty() && !isolators.has(Isolator::Devices) {
        return Err(DeviceError::NotIsolated.into());
    }
    let resources = machine::resources(&args.resources, Machine::detect(work_dir))?;
    let info = AgentInfo {
        hostname: args.hostname.clone().unwrap_or_else(|| args.ip.to_string()),
        port: i32::from(bound.port()),
        resources: machine::with_devices(resources, &devices)?,
        attributes,
        domain: args.domain.clone(),
        scheme: args.tls.tls_cert_file.is_some().then(|| "https".to_owned()),
        ..AgentInfo::default()
    };
    let stranger = args.default_container_dns.as_ref().and_then(|dns| dns.stranger(&args.network_name));
    if let Some(stranger) = stranger {
        return Err(Error::Names { stranger: stranger.to_owned(), own: args.network_name.clone() });
    }
    let users = if args.switch_user.unwrap_or(root) { Users::Any } else { Users::Own(own_user()) };
    let boot_id =
        machine::boot_id().map_err(|source| Error::System { action: "read the machine's boot id", source })?;
    // Executors work in their sandboxes.
    let authority = args.tls.tls_ca_file.as_ref().map(std::path::absolute).transpose();
    let authority =
        authority.map_err(|source| Error::System { action: "find the authorities of certificates", source })?;
    Ok(Config {
        info,
        ip: args.ip,
        work_dir: work_dir.to_owned(),
        volumes: volumes::count(work_dir),
        containerizers: containerizers(args, owner),
        users,
        host_paths: host_paths(args)?,
        mounts: if root { Ok(()) } else { Err("it does not run as root") },
        isolators,
        devices,
        defaults: Defaults {
            variables: args.executor_environment_variables.clone().unwrap_or_default(),
            container: args.default_container_info.clone().map(Box::new),
            dns: args.default_container_dns.clone().unwrap_or_default(),
        },
        pids_limit: args.pids_limit,
        boot_id,
        reconfiguration: args.reconfiguration_policy,
        executors: Timing {
            registration_ms: args.executor_registration_timeout_ms,
            reregistration_ms: args.executor_reregistration_timeout_ms,
            shutdown_grace_ms: args.executor_shutdown_grace_ms,
        },
        proof: proof(args)?,
        authority: args.tls.tls_cert_file.as_ref().and(authority),
        networks,
        secrets_key_file,
        rotation: args.rotation.limits().map_err(|error| Error::Output(error.to_string()))?,
    })
}

/// What this machine can do for tasks, for people.
pub(super) fn shown(config: &Config, abilities: &Abilities) -> serde_json::Value {
    let optional = |controller: Controller| (controller.as_str(), abilities.controllers.contains(&controller));
    // Without one of these there are no cgroups at all.
    let needed = ["cpu", "memory", "pids"].map(|controller| (controller, abilities.kind != IsolationKind::Posix));
    let all: Vec<(&str, bool)> = needed.into_iter().chain(Controller::ALL.map(optional)).collect();
    let names = |wanted: bool| {
        let of_those = all.iter().filter(|(_, there)| *there == wanted);
        of_those.map(|(controller, _)| *controller).collect::<Vec<_>>()
    };
    let unless =
        |outcome: Result<(), String>| outcome.map_or_else(|reason| json!({ "lacking": reason }), |()| json!(true));
    let network = config.networks.subnet.as_ref().map(|_| ()).map_err(ToString::to_string);
    json!({
        "isolation": abilities.kind.as_str(),
        "controllers": names(true),
        "lacking_controllers": names(false),
        "namespaces_and_mounts": unless(config.mounts.map_err(str::to_owned)),
        "networks_of_containers": unless(network),
    })
}

fn containerizers(args: &Args, owner: String) -> Containerizers {
    let has = |kind| args.containerizers.contains(&kind);
    let daemon = DaemonConfig { owner, privileged: args.docker_allow_privileged };
    Containerizers { launcher: has(ContainerizerKind::Mesos), daemon: has(ContainerizerKind::Docker).then_some(daemon) }
}

/// What tasks get that do not ask for it.
fn isolators(args: &Args, root: bool, abilities: &Abilities) -> Result<Isolators, Error> {
    let asked = args.isolation.parse::<Isolators>().and_then(|isolators| {
        let sets = (args.effective_capabilities.as_ref(), args.bounding_capabilities.as_ref());
        let isolators = isolators.with_capabilities(sets.0, sets.1)?;
        let directory = args.seccomp_config_dir.clone();
        let names = directory.as_deref().map(profiles).unwrap_or_default();
        let seccomp = SeccompSettings { directory, usual: args.seccomp_profile_name.clone(), names };
        let isolators = isolators.with_seccomp(seccomp)?;
        if root { Ok(()) } else { isolators.check_without_root() }?;
        isolators.on_machine(&abilities.controllers)
    });
    asked.map_err(|error| Error::Isolation { isolation: args.isolation.clone(), reason: error.to_string() })
}

/// The names of the files of a directory, in order. Of one that cannot be read there are none, and each task that names one tells why.
fn profiles(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// What is looked at from time to time.
pub(super) fn looks(args: &Args, isolators: &Isolators) -> Vec<Look> {
    let look = |isolator, at, interval_ms, enforced| {
        let consequence = if enforced { Consequence::Enforced } else { Consequence::Told };
        isolators.has(isolator).then_some(Look { at, interval: Duration::from_millis(interval_ms), consequence })
    };
    let disk = args.enforce_container_disk_quota;
    let ports = args.enforce_container_ports;
    let looks = [
        look(Isolator::Disk, Matter::Disk, args.container_disk_watch_interval_ms, disk),
        // Enforced by the file system, which lets root have more: on ext4, though not on XFS.
        look(
            Isolator::DiskProjects,
            Matter::Disk,
            args.container_disk_watch_interval_ms,
            disk || args.xfs_kill_containers,
        ),
        look(Isolator::Ports, Matter::Ports, args.container_ports_watch_interval_ms, ports),
    ];
    looks.into_iter().flatten().collect()
}

/// What the file system counts of sandboxes, if it is to.
pub(super) fn quotas(args: &Args, isolators: &Isolators, work_dir: &Path) -> Result<Option<Arc<ProjectQuotas>>, Error> {
    if !isolators.has(Isolator::DiskProjects) {
        return Ok(None);
    }
    // Who is to be found with more than it may have must not be kept from it.
    let enforced = args.enforce_container_disk_quota && !args.xfs_kill_containers;
    let opened = ProjectQuotas::open(work_dir, &args.xfs_project_range, enforced);
    let refused = |error| Error::Isolation { isolation: args.isolation.clone(), reason: crate::error_chain(&error) };
    opened.map(|quotas| Some(Arc::new(quotas))).map_err(refused)
}

/// Whether executors have to prove who they are. Their tokens can be checked elsewhere as well when the key was given.
fn proof(args: &Args) -> Result<Proof, Error> {
    let failed = |source| Error::System { action: "make a key for tokens", source };
    Ok(match (args.authenticate_http_executors, &args.jwt_secret_key) {
        (false, _) => Proof::NotAsked,
        (true, Some(path)) => Proof::Token(token_key(path)?),
        (true, None) => Proof::Token(TokenKey::drawn().map_err(failed)?),
    })
}

fn own_user() -> String {
    let uid = nix::unistd::geteuid();
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Names of directories are compared with what tasks ask for.
fn host_paths(args: &Args) -> Result<Vec<PathBuf>, Error> {
    absolute(&args.host_path_volume_allow_list)
}

/// As above, those beneath which directories are made.
pub(super) fn made_paths(args: &Args) -> Result<Vec<PathBuf>, Error> {
    absolute(&args.host_path_volume_force_creation)
}

fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    // An empty list can be written as one of nothing.
    let named = paths.iter().filter(|path| !path.as_os_str().is_empty());
    let checked = named.map(|path| match path.is_absolute() {
        true => Ok(path.components().collect()),
        false => Err(Error::HostPath(path.clone())),
    });
    checked.collect()
}

/// Says what tasks find here that they do not find on all agents: that they are not isolated as they would be elsewhere, or which key opens
/// their secrets.
fn text_attribute(name: &str, value: &str) -> Attribute {
    let text = Some(Text { value: value.to_owned() });
    Attribute { name: name.to_owned(), r#type: ValueType::Text, text, ..Attribute::default() }
}
