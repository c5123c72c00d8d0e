//! What operators are shown of the master itself.

use attica_core_api::logging::Logging;
use attica_core_api::operator::{
    ClusterStatus, DrainingMachine, GetFlags, GetHealth, GetLoggingLevel, GetMaintenanceSchedule, GetMaintenanceStatus,
    GetMaster, GetMetrics, GetOperations, GetQuota, GetRoles, GetVersion, GetWeights, Response as Answer, ResponseType,
};
use attica_core_api::v1::{Flag, Metric as WireMetric, VersionInfo};

use crate::master::identity::{Identity, MESOS_VERSION};
use crate::master::leader::Leader;
use crate::master::metrics;
use crate::snapshot::Maintenance;

pub(super) fn health() -> Answer {
    let get_health = Some(GetHealth { healthy: true });
    Answer { get_health, ..of(ResponseType::GetHealth) }
}

pub(super) fn flags(identity: &Identity) -> Answer {
    let flag = |(name, value): (&String, &serde_json::Value)| Flag {
        name: name.clone(),
        value: value.as_str().map(str::to_owned),
    };
    let get_flags = Some(GetFlags { flags: identity.flags().iter().map(flag).collect() });
    Answer { get_flags, ..of(ResponseType::GetFlags) }
}

pub(super) fn version() -> Answer {
    let version_info = VersionInfo { version: MESOS_VERSION.to_owned(), ..VersionInfo::default() };
    Answer { get_version: Some(GetVersion { version_info }), ..of(ResponseType::GetVersion) }
}

pub(super) fn metrics(identity: &Identity, leader: &Leader) -> Answer {
    let metrics = metrics::collect(identity, Some(leader)).into_iter();
    let metrics = metrics.map(|metric| WireMetric { name: metric.name, value: Some(metric.value) }).collect();
    Answer { get_metrics: Some(GetMetrics { metrics }), ..of(ResponseType::GetMetrics) }
}

pub(super) fn master(identity: &Identity, leader: &Leader) -> Answer {
    let get_master = GetMaster {
        master_info: Some((*leader.master_info).clone()),
        start_time: Some(identity.started_at().seconds()),
        elected_time: Some(leader.elected_at.seconds()),
    };
    Answer { get_master: Some(get_master), ..of(ResponseType::GetMaster) }
}

pub(super) fn logging_level(logging: &Logging) -> Answer {
    let get_logging_level = Some(GetLoggingLevel { level: logging.level() });
    Answer { get_logging_level, ..of(ResponseType::GetLoggingLevel) }
}

pub(super) fn operations(leader: &Leader) -> Answer {
    let get_operations = Some(GetOperations { operations: leader.model.operations() });
    Answer { get_operations, ..of(ResponseType::GetOperations) }
}

pub(super) fn roles(leader: &Leader) -> Answer {
    let get_roles = Some(GetRoles { roles: leader.model.role_messages() });
    Answer { get_roles, ..of(ResponseType::GetRoles) }
}

pub(super) fn weights(leader: &Leader) -> Answer {
    let get_weights = Some(GetWeights { weight_infos: leader.model.weights() });
    Answer { get_weights, ..of(ResponseType::GetWeights) }
}

pub(super) fn quotas(leader: &Leader) -> Answer {
    let get_quota = Some(GetQuota { status: leader.model.quotas() });
    Answer { get_quota, ..of(ResponseType::GetQuota) }
}

pub(super) fn maintenance_schedule(leader: &Leader) -> Answer {
    let schedule = leader.model.maintenance().schedule;
    let get_maintenance_schedule = Some(GetMaintenanceSchedule { schedule });
    Answer { get_maintenance_schedule, ..of(ResponseType::GetMaintenanceSchedule) }
}

pub(super) fn maintenance_status(leader: &Leader) -> Answer {
    let status = cluster_status(leader);
    let get_maintenance_status = Some(GetMaintenanceStatus { status });
    Answer { get_maintenance_status, ..of(ResponseType::GetMaintenanceStatus) }
}

/// Where the machines of the schedule stand.
pub(in crate::master::routes) fn cluster_status(leader: &Leader) -> ClusterStatus {
    let Maintenance { schedule, down } = leader.model.maintenance();
    let answers = leader.model.inverse_answers();
    let planned = schedule.windows.into_iter().flat_map(|window| window.machine_ids);
    let draining = planned.filter(|machine| !down.contains(machine)).map(|id| {
        // An agent goes by its machine's host name or address.
        let names = [&id.hostname, &id.ip].map(|name| name.as_deref().unwrap_or_default().to_ascii_lowercase());
        let statuses = names.iter().filter_map(|name| answers.get(name)).flatten().cloned().collect();
        DrainingMachine { id, statuses }
    });
    ClusterStatus { draining_machines: draining.collect(), down_machines: down }
}

/// An answer of this type, its member still to be filled in.
pub(super) fn of(kind: ResponseType) -> Answer {
    Answer { r#type: Some(kind), ..Answer::default() }
}
