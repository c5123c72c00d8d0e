//! Agents, the machines they run on, and where those stand.

use super::{AgentId, Attribute, DurationInfo, Resource, Unavailability};
use crate::decode_json;
use crate::message::{enumeration, message};

enumeration! {
    /// Something newer that an agent understands.
    pub enum AgentCapabilityType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Frameworks with several roles.
        MultiRole "MULTI_ROLE" = 1,
        /// Roles within roles.
        HierarchicalRole "HIERARCHICAL_ROLE" = 2,
        /// The stack of reservations.
        ReservationRefinement "RESERVATION_REFINEMENT" = 3,
        /// Resource providers.
        ResourceProvider "RESOURCE_PROVIDER" = 4,
        /// Growing and shrinking volumes.
        ResizeVolume "RESIZE_VOLUME" = 5,
        /// Reports on operations.
        AgentOperationFeedback "AGENT_OPERATION_FEEDBACK" = 6,
        /// Draining.
        AgentDraining "AGENT_DRAINING" = 7,
        /// Limits above requests.
        TaskResourceLimits "TASK_RESOURCE_LIMITS" = 8,
    }
    /// Whether a machine may be used.
    pub enum MachineMode {
        /// It may.
        Up "UP" = 1,
        /// Its maintenance is planned.
        Draining "DRAINING" = 2,
        /// It is under maintenance.
        Down "DOWN" = 3,
    }
    /// How far a drain has come.
    pub enum DrainState {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Tasks are being killed.
        Draining "DRAINING" = 1,
        /// No task is left.
        Drained "DRAINED" = 2,
    }
}

message! {
    /// Something newer that an agent understands.
    pub struct AgentCapability {
        r#type: optional AgentCapabilityType = 1,
    }
    /// An agent as it introduces itself.
    pub struct AgentInfo {
        hostname: required String = 1,
        port: default i32 = 8 (5051),
        resources: repeated Resource = 3,
        attributes: repeated Attribute = 5,
        id: optional AgentId = 6,
        domain: optional DomainInfo = 10,
        /// Ours: `https` when it speaks TLS only, otherwise absent.
        scheme: optional String = 1001,
        /// Ours: absent, it does not say.
        abilities: optional Box<AgentAbilities> = 1002,
    }
    /// Ours: what an agent can do for tasks besides giving them resources, as it found out when it started.
    pub struct AgentAbilities {
        /// It runs containers itself: those of the type MESOS, and of the type DOCKER where no daemon does.
        launcher: required bool = 1,
        /// A Docker daemon runs its containers of the type DOCKER.
        daemon: required bool = 2,
        /// That daemon's containers may have more of the machine than others.
        privileged: required bool = 3,
        /// It gives containers namespaces, mounts volumes in them, and makes roots of images.
        mounts: required bool = 4,
        /// The names of the networks of containers; none: they are all in the machine's.
        networks: repeated String = 5,
        /// Ports for datagrams can be mapped in them.
        datagrams: required bool = 6,
        /// The names of the profiles of system calls.
        seccomp_profiles: repeated String = 7,
        /// Directories of the machine that tasks may see, with all that is beneath.
        host_paths: repeated String = 8,
        /// As whom all tasks run; absent: as whom they ask for.
        user: optional String = 9,
    }
    /// A region.
    pub struct RegionInfo {
        name: required String = 1,
    }
    /// A zone within a region.
    pub struct ZoneInfo {
        name: required String = 1,
    }
    /// What fails together.
    pub struct FaultDomain {
        region: required RegionInfo = 1,
        zone: required ZoneInfo = 2,
    }
    /// Where a master or an agent stands.
    pub struct DomainInfo {
        fault_domain: optional FaultDomain = 1,
    }
    /// Names a machine; at least one of the two is set.
    pub struct MachineId {
        hostname: optional String = 1,
        ip: optional String = 2,
    }
    /// A machine and its maintenance.
    pub struct MachineInfo {
        id: required MachineId = 1,
        mode: optional MachineMode = 2,
        unavailability: optional Unavailability = 3,
    }
    /// How an agent is to be drained.
    pub struct DrainConfig {
        max_grace_period: optional DurationInfo = 1,
        mark_gone: default bool = 2 (false),
    }
    /// An agent's drain.
    pub struct DrainInfo {
        state: required DrainState = 1,
        config: required DrainConfig = 2,
    }
}

/// Reads where a master or an agent stands as their flags say it: a [`DomainInfo`] in JSON, or the path of a file that holds one.
///
/// # Errors
/// What is wrong, for whoever wrote the flag.
pub fn parse_domain(text: &str) -> Result<DomainInfo, String> {
    let json = match text.trim_start().starts_with('{') {
        true => text.to_owned(),
        false => std::fs::read_to_string(text).map_err(|error| format!("cannot read `{text}`: {error}"))?,
    };
    let domain: DomainInfo = decode_json(json.as_bytes()).map_err(|error| error.to_string())?;
    match domain.fault_domain {
        Some(_) => Ok(domain),
        None => Err("expected a `fault_domain` with a `region` and a `zone`".to_owned()),
    }
}

impl AgentAbilities {
    /// The options of `container.docker.parameters` that agents obey without a Docker daemon.
    pub const PARAMETERS: [&'static str; 10] =
        ["e", "entrypoint", "env", "h", "hostname", "u", "ulimit", "user", "w", "workdir"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_text_or_a_file() {
        let text = r#"{"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}}"#;
        let fault_domain = FaultDomain { region: RegionInfo { name: "r".into() }, zone: ZoneInfo { name: "z".into() } };
        let expected = DomainInfo { fault_domain: Some(fault_domain) };
        assert_eq!(parse_domain(text), Ok(expected.clone()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(parse_domain(&file.path().to_string_lossy()), Ok(expected));
        for wrong in ["{}", "{", "/nowhere", r#"{"fault_domain": {"region": {"name": "r"}}}"#] {
            assert!(parse_domain(wrong).is_err(), "{wrong}");
        }
    }
}
