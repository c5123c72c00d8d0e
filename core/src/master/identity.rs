//! Who this master is, in all the forms in which that is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

pub use attica_core_api::MESOS_VERSION;
use attica_core_api::Timestamp;
use attica_core_api::v1::{Address, DomainInfo, MasterCapability, MasterCapabilityType, MasterInfo};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::args::{Advertise, Args};
use super::leader::Leader;
use super::view::members;

/// Our own version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What this master can do, in Mesos's terms.
const CAPABILITIES: [MasterCapabilityType; 3] =
    [MasterCapabilityType::AgentUpdate, MasterCapabilityType::AgentDraining, MasterCapabilityType::QuotaV2];

/// What does not change while this process lives.
pub(super) struct Identity {
    /// New for each process, which leads at most once: the ids that a leader makes begin with it.
    id: String,
    /// How others reach it.
    pub(super) advertise: Advertise,
    ip: IpAddr,
    hostname: String,
    cluster: Option<String>,
    domain: Option<DomainInfo>,
    flags: Map<String, Value>,
    started: Instant,
    started_at: Timestamp,
}

impl Identity {
    /// Of a master that listens on `bound`.
    pub(super) async fn new(args: &Args, bound: SocketAddr) -> Identity {
        let advertise = args.advertise.clone().unwrap_or_else(|| Advertise::of(bound));
        Identity {
            id: Uuid::new_v4().to_string(),
            ip: address_of(&advertise, bound).await,
            hostname: args.hostname.clone().unwrap_or_else(|| advertise.host.clone()),
            advertise,
            cluster: args.cluster.clone(),
            domain: args.domain.clone(),
            flags: flags(args),
            started: Instant::now(),
            started_at: Timestamp::from(SystemTime::now()),
        }
    }

    pub(super) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The description of this master, as it stands for election and leads.
    pub(super) fn master_info(&self) -> MasterInfo {
        let port = u32::from(self.advertise.port);
        MasterInfo {
            id: self.id.clone(),
            // The address in network byte order, as a number that was read on a little-endian machine.
            ip: match self.ip {
                IpAddr::V4(ip) => u32::from_le_bytes(ip.octets()),
                IpAddr::V6(_) => 0,
            },
            port,
            pid: Some(self.pid()),
            hostname: Some(self.hostname.clone()),
            version: Some(MESOS_VERSION.to_owned()),
            address: Some(Address {
                hostname: Some(self.hostname.clone()),
                ip: Some(self.ip.to_string()),
                port: i32::from(self.advertise.port),
            }),
            capabilities: CAPABILITIES.map(|kind| MasterCapability { r#type: Some(kind) }).to_vec(),
            domain: self.domain.clone(),
        }
    }

    /// The flags, by name.
    pub(super) fn flags(&self) -> &Map<String, Value> {
        &self.flags
    }

    /// The members of `/flags`.
    pub(super) fn flag_members(&self) -> String {
        members(&json!({ "flags": self.flags }))
    }

    /// When this process started.
    pub(super) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The members of `/state-summary` before the lists.
    pub(super) fn summary_members(&self) -> String {
        let mut shown = Map::from_iter([("hostname".to_owned(), Value::from(self.hostname.as_str()))]);
        shown.extend(self.cluster.as_deref().map(|cluster| ("cluster".to_owned(), Value::from(cluster))));
        members(&shown)
    }

    fn pid(&self) -> String {
        format!("master@{}", SocketAddr::new(self.ip, self.advertise.port))
    }

    /// The members of `/state` before the lists.
    pub(super) fn state_members(&self, leader: &Leader) -> String {
        let totals = leader.model.totals();
        let pid = self.pid();
        members(&StateMembers {
            version: MESOS_VERSION,
            attica_version: VERSION,
            start_time: self.started_at.seconds(),
            elected_time: leader.elected_at.seconds(),
            id: &leader.master_info.id,
            pid: &pid,
            hostname: &self.hostname,
            capabilities: CAPABILITIES.map(MasterCapabilityType::name).to_vec(),
            activated_slaves: totals.agents_connected as f64,
            deactivated_slaves: totals.agents_disconnected as f64,
            unreachable_slaves: totals.agents_unreachable as f64,
            cluster: self.cluster.as_deref(),
            domain: self.domain.as_ref(),
            leader: &pid,
            leader_info: LeaderInfo {
                id: &leader.master_info.id,
                pid: &pid,
                port: self.advertise.port,
                hostname: &self.hostname,
            },
            flags: &self.flags,
        })
    }
}

#[derive(Serialize)]
struct StateMembers<'a> {
    version: &'static str,
    attica_version: &'static str,
    start_time: f64,
    elected_time: f64,
    id: &'a str,
    pid: &'a str,
    hostname: &'a str,
    capabilities: Vec<&'static str>,
    activated_slaves: f64,
    deactivated_slaves: f64,
    unreachable_slaves: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a DomainInfo>,
    leader: &'a str,
    leader_info: LeaderInfo<'a>,
    flags: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct LeaderInfo<'a> {
    id: &'a str,
    pid: &'a str,
    port: u16,
    hostname: &'a str,
}

/// The members of `/version`.
pub(super) fn version_members() -> String {
    members(&json!({ "version": MESOS_VERSION, "attica_version": VERSION }))
}

/// The flags that are obeyed and are nobody's secret, as text, under Mesos's names.
fn flags(args: &Args) -> Map<String, Value> {
    let rate = args.agent_removal_rate_limit;
    let pairs = [
        ("agent_ping_timeout", args.agent_ping_timeout.to_string()),
        ("agent_removal_rate_limit", format!("{}/{}", rate.count, rate.interval)),
        ("agent_reregister_timeout", args.agent_reregister_timeout.to_string()),
        ("max_agent_ping_timeouts", args.max_agent_ping_timeouts.to_string()),
        ("max_completed_frameworks", args.max_completed_frameworks.to_string()),
        ("max_completed_tasks_per_framework", args.max_completed_tasks_per_framework.to_string()),
        ("max_operator_event_stream_subscribers", args.max_operator_event_stream_subscribers.to_string()),
        ("offer_timeout", args.offer_timeout.to_string()),
        ("publish_per_framework_metrics", args.publish_per_framework_metrics.to_string()),
        ("registry", args.registry.to_string()),
        ("require_agent_domain", args.require_agent_domain.to_string()),
        ("zk_session_timeout", args.zk_session_timeout.to_string()),
    ];
    let mut flags: Map<String, Value> =
        pairs.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
    let zk = args.zk.as_ref().map(ToString::to_string); // without its password
    for (name, value) in [("cluster", &args.cluster), ("hostname", &args.hostname), ("zk", &zk)] {
        if let Some(value) = value {
            flags.insert(name.to_owned(), Value::String(value.clone()));
        }
    }
    flags
}

/// The IP address behind the advertised name: clients of old read it from `MasterInfo`.
async fn address_of(advertise: &Advertise, bound: SocketAddr) -> IpAddr {
    if let Ok(ip) = advertise.host.parse() {
        return ip;
    }
    let resolved = tokio::net::lookup_host((advertise.host.as_str(), advertise.port)).await;
    let addresses: Vec<IpAddr> = resolved.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default();
    let found = addresses.iter().find(|ip| ip.is_ipv4()).or_else(|| addresses.first());
    found.copied().unwrap_or(if bound.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { bound.ip() })
}
