//! What only a framework of one's own can ask for: groups that share a network, volumes that survive their tasks.

#![allow(clippy::print_stderr, reason = "why a test was skipped goes where the runner shows it")]

use std::collections::BTreeMap;
use std::path::Path;

use attica_core_api::client::{Calls, Config, Signal, Signals, connect};
use attica_core_api::decode_json;
use attica_core_api::v1::{FrameworkInfo, Offer, OfferOperation, TaskState};
use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE};

/// A framework that does what it is told.
pub(crate) struct Scheduler {
    calls: Calls,
    signals: Signals,
    offers: Vec<Offer>,
    states: BTreeMap<String, TaskState>,
}

impl Scheduler {
    /// A framework of this role.
    pub(crate) fn connect(master: &str, role: &str) -> Scheduler {
        let info = json!({"user": "root", "name": "told", "roles": [role],
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]});
        let info: FrameworkInfo = decode_json(info.to_string().as_bytes()).expect("a framework");
        let (calls, signals) = connect(Config::new(vec![master.to_owned()], info));
        Scheduler { calls, signals, offers: Vec::new(), states: BTreeMap::new() }
    }

    async fn step(&mut self) {
        match tokio::time::timeout(PATIENCE, self.signals.next()).await.expect("something happens") {
            Some(Signal::Event(event)) => {
                self.offers.extend(event.offers.into_iter().flat_map(|offers| offers.offers));
                if let Some(rescind) = event.rescind {
                    self.offers.retain(|offer| offer.id != rescind.offer_id);
                }
                if let Some(update) = event.update {
                    self.calls.acknowledge(&update.status).await.expect("acknowledged");
                    assert!(
                        !matches!(update.status.state, TaskState::Failed | TaskState::Error | TaskState::Lost),
                        "{:?}",
                        update.status
                    );
                    self.states.insert(update.status.task_id.to_string(), update.status.state);
                }
            }
            Some(Signal::Subscribed { .. } | Signal::Disconnected(_)) => {}
            refused @ (Some(Signal::Refused { .. }) | None) => panic!("refused: {refused:?}"),
        }
    }

    /// An offer of the agent, or of any.
    pub(crate) async fn offer(&mut self, agent: Option<&str>) -> Offer {
        loop {
            let fits = |offer: &Offer| agent.is_none_or(|agent| offer.agent_id.as_str() == agent);
            if let Some(at) = self.offers.iter().position(fits) {
                return self.offers.remove(at);
            }
            self.step().await;
        }
    }

    /// ACCEPT. What is left of the offer is wanted again at once.
    pub(crate) async fn accept(&self, offer: &Offer, operations: &[Value]) {
        let read = |operation: &Value| -> OfferOperation {
            decode_json(operation.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {operation}"))
        };
        let filters = decode_json(br#"{"refuse_seconds": 0}"#).expect("filters");
        let operations = operations.iter().map(read).collect();
        self.calls.accept(vec![offer.id.clone()], operations, Some(filters)).await.expect("ACCEPT");
    }

    /// Returns once the task is in this state.
    pub(crate) async fn until(&mut self, task: &str, state: TaskState) {
        while self.states.get(task) != Some(&state) {
            self.step().await;
        }
    }

    pub(crate) async fn teardown(self) {
        self.calls.teardown().await.expect("TEARDOWN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shares_its_network() {
    let needed = ["/usr/sbin/ip", "/usr/sbin/nft", "/bin/busybox"];
    if !nix::unistd::geteuid().is_root() || !needed.iter().all(|program| Path::new(program).exists()) {
        return eprintln!("skipped: needs root and {needed:?}");
    }
    let mut cluster = Cluster::start_with_interfaces();
    let mut scheduler = Scheduler::connect(&cluster.address("master"), "*");
    let offer = scheduler.offer(None).await;
    let resources = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}]);
    let task = |name: &str, command: &str| {
        json!({"name": name, "task_id": {"value": name}, "agent_id": {"value": offer.agent_id.as_str()},
            "resources": resources, "command": {"value": command}})
    };
    let group = json!({"type": "LAUNCH_GROUP", "launch_group": {
    "executor": {"type": "DEFAULT", "executor_id": {"value": "pair"}, "resources": resources,
        "container": {"type": "MESOS", "network_infos": [{"name": "mesos-bridge"}]}},
    "task_group": {"tasks": [
        task("serves", "echo shared > index.html; exec /bin/busybox httpd -f -p 127.0.0.1:8000 -h ."),
        task("asks", "until /bin/busybox wget -q -O - http://127.0.0.1:8000/ | grep shared; do sleep 0.1; done"),
    ]}}});
    scheduler.accept(&offer, &[group]).await;
    scheduler.until("asks", TaskState::Finished).await;
    scheduler.until("serves", TaskState::Running).await;
    scheduler.teardown().await;
    cluster.stop_up();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_survives_its_task() {
    let mut cluster = Cluster::start();
    let mut scheduler = Scheduler::connect(&cluster.address("master"), "team");
    let offer = scheduler.offer(None).await;
    let agent = offer.agent_id.to_string();
    let disk = json!({"name": "disk", "type": "SCALAR", "scalar": {"value": 16}, "reservations": [{"type": "DYNAMIC", "role": "team"}]});
    let mut volume = disk.clone();
    volume["disk"] = json!({"persistence": {"id": "kept"}, "volume": {"container_path": "kept", "mode": "RW"}});
    let launch = |name: &str, command: &str| {
        let resources = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}, volume]);
        json!({"type": "LAUNCH", "launch": {"task_infos": [{"name": name, "task_id": {"value": name}, "agent_id": {"value": agent},
            "resources": resources, "command": {"value": command}}]}})
    };
    let reserve = json!({"type": "RESERVE", "reserve": {"resources": [disk]}});
    let create = json!({"type": "CREATE", "create": {"volumes": [volume]}});
    scheduler.accept(&offer, &[reserve, create, launch("writes", "echo hello > kept/file")]).await;
    scheduler.until("writes", TaskState::Finished).await;

    let offer = loop {
        let offer = scheduler.offer(Some(&agent)).await;
        if offer.resources.iter().any(|resource| resource.disk.is_some()) {
            break offer;
        }
    };
    scheduler.accept(&offer, &[launch("reads", "grep hello kept/file")]).await;
    scheduler.until("reads", TaskState::Finished).await;
    scheduler.teardown().await;
    cluster.stop_up();
}
