//! Asking a role over HTTP whether it is there yet.

use std::net::SocketAddr;
use std::time::Duration;

use attica_core_api::http::{Client, Protocol, Security};
use http::{HeaderMap, StatusCode};

/// Between two questions; a role takes some tens of milliseconds to come up.
const PAUSE: Duration = Duration::from_millis(50);
/// A role that takes longer is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer that is asked for here is larger: about 2 KB for each agent.
const LARGEST_ANSWER: usize = 1 << 20;

/// Who asks.
pub struct Probe(Client);

impl Probe {
    /// Somebody who proves this.
    pub fn new(proof: Security) -> Probe {
        Probe(Client::secured(Protocol::Http1, PATIENCE, proof))
    }

    /// Returns once `GET path` answers 200.
    pub async fn until_ok(&self, address: SocketAddr, path: &str) {
        while self.get(address, path).await.is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns once the leader among these masters has this many active agents.
    pub async fn until_agents_active(&self, masters: &[SocketAddr], count: usize) {
        loop {
            for master in masters {
                // Only the leader answers with a list.
                if let Some(body) = self.get(*master, "/slaves").await
                    && let Ok(answer) = serde_json::from_str::<serde_json::Value>(&body)
                    && let Some(agents) = answer["slaves"].as_array()
                    && agents.iter().filter(|agent| agent["active"] == true).count() >= count
                {
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The body of a 200 answer.
    async fn get(&self, address: SocketAddr, path: &str) -> Option<String> {
        let uri = self.0.uri(&address.to_string(), path)?;
        let response = self.0.get(&uri, HeaderMap::new()).await.ok()?;
        match response.status() {
            StatusCode::OK => Some(self.0.text(response, LARGEST_ANSWER).await),
            _ => None,
        }
    }
}
