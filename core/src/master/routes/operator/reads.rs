//! What operators are shown of the master itself.

use attica_core_api::operator::{
    GetFlags, GetHealth, GetMaster, GetMetrics, GetVersion, Response as Answer, ResponseType,
};
use attica_core_api::v1::{Flag, Metric as WireMetric, VersionInfo};

use crate::master::identity::{Identity, MESOS_VERSION};
use crate::master::leader::Leader;
use crate::master::metrics;

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

/// An answer of this type, its member still to be filled in.
pub(super) fn of(kind: ResponseType) -> Answer {
    Answer { r#type: Some(kind), ..Answer::default() }
}
