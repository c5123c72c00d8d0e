//! `GET /v2/agents`: the machines, as the leading master lists them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_core_api::client::{Detection, Masters, authority};
use attica_core_api::http::{Client, Protocol, Security};
use attica_core_api::resources::{ReservationFormat, from_wire, to_wire};
use attica_core_api::secrets::KeyId;
use attica_core_api::v1::{self, AgentInfo, Offer, Resource, Unavailability};
use attica_core_api::{Timestamp, decode_json, operator};
use attica_paas_api::Number;
use attica_paas_api::agent::{Agent, AgentAbilities, AgentList, AgentResources};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::answer;
use crate::model::rfc3339;
use crate::placement::{Able, Needs, SECRETS, scalar_text};
use crate::validate::Faults;

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

type Known = Result<Listed, AgentsError>;

/// What the master lists.
#[derive(Clone)]
struct Listed {
    agents: Arc<[Agent]>,
    /// What all of them can do, also those that the master knows from the last leader and has not yet heard of.
    told: Arc<[Told]>,
}

/// What an agent says of itself.
struct Told {
    abilities: Option<v1::AgentAbilities>,
    key: Option<String>,
}

/// How the master's operator API is asked for its agents with all that they have.
const GET_AGENTS: &str = r#"{"type":"GET_AGENTS"}"#;
/// How it is asked when which machines are maintained.
const GET_SCHEDULE: &str = r#"{"type":"GET_MAINTENANCE_SCHEDULE"}"#;

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
    pub(super) async fn list(&self) -> Result<Arc<[Agent]>, AgentsError> {
        Ok(self.known().await?.agents)
    }

    /// Refuses what no agent can do, each of `asked` at its place in a document. As long as it is not known what agents can do, that may be
    /// anything.
    ///
    /// # Errors
    /// What that is, by path.
    pub(super) async fn check(&self, asked: Vec<(String, Needs)>, key: Option<&KeyId>) -> Result<(), Faults> {
        if asked.iter().all(|(_, needs)| needs.is_empty()) {
            return Ok(());
        }
        let Ok(Listed { told, .. }) = self.known().await else { return Ok(()) };
        let agents: Vec<Able<'_>> = told.iter().map(Told::as_able).collect();
        let mut faults = Faults::default();
        for (place, needs) in asked {
            if let Err(more) = needs.check(&agents, key.map(KeyId::as_str)) {
                faults.append(more.below(&place));
            }
        }
        faults.into_result(())
    }

    async fn known(&self) -> Known {
        let mut state = self.state.lock().await;
        if let Some((at, known)) = &state.known
            && at.elapsed() < FRESH
        {
            return known.clone();
        }
        let known = self.ask(&mut state.masters, Method::GET, "/slaves", "").await.and_then(|text| parse(&text));
        state.known = Some((Instant::now(), known.clone()));
        known
    }

    /// What each agent that takes part has free at this moment, as if it were offered: with word of its machine's maintenance.
    pub(super) async fn room(&self) -> Result<Vec<Offer>, AgentsError> {
        let mut state = self.state.lock().await;
        let agents = self.ask(&mut state.masters, Method::POST, "/api/v1", GET_AGENTS).await?;
        let schedule = self.ask(&mut state.masters, Method::POST, "/api/v1", GET_SCHEDULE).await?;
        drop(state);
        let agents = parse_answer(&agents)?.get_agents.map(|answer| answer.agents).unwrap_or_default();
        let windows = windows(parse_answer(&schedule)?.get_maintenance_schedule.unwrap_or_default().schedule);
        agents.into_iter().filter(takes_part).map(|agent| offer(agent, &windows)).collect()
    }

    async fn ask(
        &self,
        masters: &mut Masters,
        method: Method,
        path: &str,
        body: &'static str,
    ) -> Result<String, AgentsError> {
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(ACCEPT, json.clone()), (CONTENT_TYPE, json)]);
        for _ in 0..ATTEMPTS_MAX {
            let uri = masters.current().and_then(|master| self.client.uri(master, path));
            let Some(uri) = uri else { return Err(AgentsError::NoMaster) };
            match self.client.request(method.clone(), &uri, headers.clone(), Bytes::from_static(body.as_bytes())).await
            {
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
    #[serde(default)]
    recovered_slaves: Vec<Slave>,
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
    abilities: Option<v1::AgentAbilities>,
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

impl Told {
    fn of(slave: &Slave) -> Self {
        let key = slave.attributes.get(SECRETS).and_then(Value::as_str).map(str::to_owned);
        Self { abilities: slave.abilities.clone(), key }
    }

    fn as_able(&self) -> Able<'_> {
        Able { abilities: self.abilities.as_ref(), key: self.key.as_deref() }
    }
}

fn parse(text: &str) -> Known {
    let parsed: Result<Slaves, _> = serde_json::from_str(text);
    match parsed {
        Ok(Slaves { slaves, recovered_slaves }) => Ok(Listed {
            told: slaves.iter().chain(&recovered_slaves).map(Told::of).collect(),
            agents: slaves.into_iter().map(agent).collect(),
        }),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &impl std::fmt::Display) -> AgentsError {
    tracing::warn!(%error, "cannot read the master's list of agents");
    AgentsError::Unreadable
}

fn takes_part(agent: &operator::Agent) -> bool {
    agent.active && agent.deactivated != Some(true) && agent.drain_info.is_none()
}

fn parse_answer(text: &str) -> Result<operator::Response, AgentsError> {
    decode_json(text.as_bytes()).map_err(|error| unreadable(&error))
}

/// When machines are maintained, by host name and by address: an agent is on a machine when it goes by either.
fn windows(schedule: operator::Schedule) -> BTreeMap<String, Unavailability> {
    let of_window = |operator::Window { machine_ids, unavailability }: operator::Window| {
        let names = machine_ids.into_iter().flat_map(|machine| [machine.hostname, machine.ip]).flatten();
        names.map(|name| (name.to_ascii_lowercase(), unavailability.clone())).collect::<Vec<_>>()
    };
    schedule.windows.into_iter().flat_map(of_window).collect()
}

/// What is free on an agent: also what others have been offered, and may leave.
fn offer(agent: operator::Agent, windows: &BTreeMap<String, Unavailability>) -> Result<Offer, AgentsError> {
    let bag = |resources: &[Resource]| from_wire(resources).map_err(|error| unreadable(&error));
    let free = bag(&agent.total_resources)?.checked_minus(&bag(&agent.allocated_resources)?).unwrap_or_default();
    let AgentInfo { id, hostname, attributes, domain, abilities, .. } = agent.agent_info;
    Ok(Offer {
        agent_id: id.unwrap_or_default(),
        unavailability: windows.get(&hostname.to_ascii_lowercase()).cloned(),
        hostname,
        attributes,
        domain,
        abilities,
        resources: to_wire(&free, None, ReservationFormat::Refined),
        ..Offer::default()
    })
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
        abilities: slave.abilities.map(abilities),
    }
}

fn abilities(told: v1::AgentAbilities) -> AgentAbilities {
    let v1::AgentAbilities {
        launcher,
        daemon,
        privileged,
        mounts,
        networks,
        datagrams,
        seccomp_profiles,
        host_paths,
        user,
    } = told;
    AgentAbilities { launcher, daemon, privileged, mounts, networks, datagrams, seccomp_profiles, host_paths, user }
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
