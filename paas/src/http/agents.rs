//! `GET /v2/agents`: the machines, as the leading master lists them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_core_api::Timestamp;
use attica_core_api::client::{Detection, Masters, authority};
use attica_core_api::http::{Client, Protocol, Security};
use attica_paas_api::Number;
use attica_paas_api::agent::{Agent, AgentList, AgentResources};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::answer;
use crate::model::rfc3339;
use crate::placement::scalar_text;

/// An answer of the master is good for so long.
const FRESH: Duration = Duration::from_secs(1);
/// A master has so long to answer.
const MASTER_TIMEOUT: Duration = Duration::from_secs(2);
/// Masters that are asked, one after the other, before it is given up.
const ATTEMPTS_MAX: usize = 5;
/// More than the list of the largest cluster.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why the machines are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AgentsError {
    /// No master leads, or none can be reached (503).
    #[error("No master answers now, so the agents are not known: try again")]
    NoMaster,
    /// It answers with something else than its list (502).
    #[error("The master's list of agents cannot be read")]
    Unreadable,
}

impl AgentsError {
    pub(super) fn answer(self) -> Response {
        match self {
            Self::NoMaster => answer::unavailable(self.to_string()),
            Self::Unreadable => answer::message(StatusCode::BAD_GATEWAY, self.to_string()),
        }
    }
}

type Known = Result<Arc<[Agent]>, AgentsError>;

/// Asks the leading master who its agents are, once a second at most, however many want to know.
pub struct Agents {
    client: Client,
    state: Mutex<State>,
}

struct State {
    masters: Masters,
    known: Option<(Instant, Known)>,
}

impl Agents {
    /// The agents of these masters, which are asked with this proof of who asks.
    #[must_use]
    pub fn new(masters: Detection, security: Security) -> Self {
        let client = Client::secured(Protocol::Http1, MASTER_TIMEOUT, security);
        Self { client, state: Mutex::new(State { masters: Masters::new(masters), known: None }) }
    }

    /// All agents, at most a second old.
    pub(super) async fn list(&self) -> Known {
        let mut state = self.state.lock().await;
        if let Some((at, known)) = &state.known
            && at.elapsed() < FRESH
        {
            return known.clone();
        }
        let known = self.ask(&mut state.masters).await.and_then(|text| parse(&text));
        state.known = Some((Instant::now(), known.clone()));
        known
    }

    async fn ask(&self, masters: &mut Masters) -> Result<String, AgentsError> {
        for _ in 0..ATTEMPTS_MAX {
            let slaves = masters.current().and_then(|master| self.client.uri(master, "/slaves"));
            let Some(slaves) = slaves else { return Err(AgentsError::NoMaster) };
            match self.client.get(&slaves, HeaderMap::new()).await {
                Ok(response) if response.status() == StatusCode::OK => {
                    masters.leads();
                    return Ok(self.client.text(response, ANSWER_BYTES_MAX).await);
                }
                Ok(response) => match authority(response.headers()) {
                    Some(leader) if masters.redirected(leader.clone()) => {}
                    Some(_) | None => masters.failed(),
                },
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a master does not list its agents");
                    masters.failed();
                }
            }
        }
        Err(AgentsError::NoMaster)
    }
}

pub(super) async fn list(agents: &Agents) -> Response {
    match agents.list().await {
        Ok(agents) => answer::document(StatusCode::OK, &AgentList { agents: agents.to_vec() }),
        Err(error) => error.answer(),
    }
}

/// What is looked at of Mesos's `/slaves`.
#[derive(Deserialize)]
struct Slaves {
    slaves: Vec<Slave>,
}

#[derive(Deserialize)]
struct Slave {
    id: String,
    hostname: String,
    pid: String,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    active: bool,
    #[serde(default)]
    resources: Quantities,
    #[serde(default)]
    used_resources: Quantities,
    registered_time: f64,
    #[serde(default)]
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantities {
    cpus: f64,
    mem: f64,
    disk: f64,
    gpus: f64,
    ports: Option<String>,
}

fn parse(text: &str) -> Known {
    let parsed: Result<Slaves, _> = serde_json::from_str(text);
    match parsed {
        Ok(Slaves { slaves }) => Ok(slaves.into_iter().map(agent).collect()),
        Err(error) => {
            tracing::warn!(%error, "cannot read the master's list of agents");
            Err(AgentsError::Unreadable)
        }
    }
}

fn agent(slave: Slave) -> Agent {
    // `slave(1)@host:port`
    let address = slave.pid.rsplit('@').next().unwrap_or_default().to_owned();
    Agent {
        id: slave.id,
        hostname: slave.hostname,
        address,
        attributes: slave.attributes.into_iter().map(|(name, value)| (name, attribute_text(&value))).collect(),
        active: slave.active,
        resources: quantities(slave.resources),
        used: quantities(slave.used_resources),
        registered_time: rfc3339(Timestamp::from_seconds(slave.registered_time)),
        version: slave.version,
    }
}

fn attribute_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => scalar_text(number.as_f64().unwrap_or_default()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn quantities(quantities: Quantities) -> AgentResources {
    AgentResources {
        cpus: Number(quantities.cpus),
        mem: Number(quantities.mem),
        disk: Number(quantities.disk),
        gpus: Number(quantities.gpus),
        ports: quantities.ports.unwrap_or_else(|| "[]".to_owned()),
    }
}
