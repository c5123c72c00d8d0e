//! Which master to ask next.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderMap, Uri, header};
use tokio::sync::watch;

use crate::v1::MasterInfo;
use crate::zookeeper::{Detector, Ensemble, InvalidEnsemble};

/// Redirects that are followed without waiting; more of them mean that the masters disagree.
const MAX_HOPS: u32 = 3;

/// How to find the leading master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detection {
    /// Ask these masters, each `host:port`: one is enough, it knows the leader.
    Addresses(Vec<String>),
    /// Ask ZooKeeper, where the masters stand for election.
    ZooKeeper(Ensemble),
}

/// Why a text does not say how to find the leading master.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDetection {
    /// Not the address of a ZooKeeper, although it begins like one.
    #[error(transparent)]
    Ensemble(#[from] InvalidEnsemble),
    /// Not `host:port`.
    #[error("`{0}` is not HOST:PORT")]
    Address(String),
}

impl FromStr for Detection {
    type Err = InvalidDetection;

    /// Reads `zk://host1,host2/path` or `host:port,host:port`.
    fn from_str(text: &str) -> Result<Detection, InvalidDetection> {
        if text.starts_with("zk://") {
            return Ok(Detection::ZooKeeper(text.parse()?));
        }
        let address = |text: &str| {
            let has_port =
                text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            let is_plain = has_port && is_authority(text);
            is_plain.then(|| text.to_owned()).ok_or_else(|| InvalidDetection::Address(text.to_owned()))
        };
        text.split(',').map(address).collect::<Result<Vec<String>, _>>().map(Detection::Addresses)
    }
}

impl fmt::Display for Detection {
    /// As it is read, without passwords.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Detection::Addresses(addresses) => formatter.write_str(&addresses.join(",")),
            Detection::ZooKeeper(ensemble) => ensemble.fmt(formatter),
        }
    }
}

impl From<Vec<String>> for Detection {
    fn from(addresses: Vec<String>) -> Detection {
        Detection::Addresses(addresses)
    }
}

/// How a wait between two attempts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// By itself.
    Over,
    /// There is another leader to ask.
    CutShort,
}

/// The masters there are, and the leader that one of them, or ZooKeeper, has named.
pub struct Masters {
    source: Source,
    named: Option<String>,
    hops: u32,
}

enum Source {
    List {
        configured: Vec<String>,
        next: usize,
    },
    ZooKeeper {
        leader: watch::Receiver<Option<MasterInfo>>,
        /// As it was seen last.
        authority: Option<String>,
        _detector: Detector,
    },
}

impl Masters {
    /// Addresses are asked in this order. With ZooKeeper this must be called within a tokio runtime.
    pub fn new(detection: impl Into<Detection>) -> Masters {
        let source = match detection.into() {
            Detection::Addresses(configured) => Source::List { configured, next: 0 },
            Detection::ZooKeeper(ensemble) => {
                let detector = Detector::start(ensemble);
                Source::ZooKeeper { leader: detector.leader(), authority: None, _detector: detector }
            }
        };
        Masters { source, named: None, hops: 0 }
    }

    /// The one to ask now, as `host:port`; `None` when there are none at all, or ZooKeeper names none.
    pub fn current(&mut self) -> Option<&str> {
        let found = match &mut self.source {
            Source::List { configured, next } => configured.get(*next).map(String::as_str),
            Source::ZooKeeper { leader, authority, .. } => {
                let now = leader.borrow_and_update().as_ref().and_then(authority_of);
                if now != *authority {
                    // Whoever was named by a master was named before.
                    self.named = None;
                    *authority = now;
                }
                authority.as_deref()
            }
        };
        self.named.as_deref().or(found)
    }

    /// The one asked last did not help: on to the next.
    pub fn failed(&mut self) {
        self.hops = 0;
        if self.named.take().is_none()
            && let Source::List { configured, next } = &mut self.source
        {
            *next = (*next + 1) % configured.len().max(1);
        }
    }

    /// The one asked last leads.
    pub fn leads(&mut self) {
        self.hops = 0;
    }

    /// The one asked last named another; whether it is worth asking at once.
    pub fn redirected(&mut self, location: String) -> bool {
        self.named = Some(location);
        self.hops += 1;
        self.hops <= MAX_HOPS
    }

    /// Waits before the next attempt; not to the end when ZooKeeper names another leader meanwhile, of whom no failure is known yet.
    pub async fn pause(&mut self, duration: Duration) -> Pause {
        tokio::select! {
            () = tokio::time::sleep(duration) => Pause::Over,
            () = self.replaced() => Pause::CutShort,
        }
    }

    /// Returns when ZooKeeper names another leader than [`Masters::current`] has told; never without ZooKeeper.
    pub async fn replaced(&mut self) {
        let Source::ZooKeeper { leader, authority, .. } = &mut self.source else { return std::future::pending().await };
        let other = |info: &Option<MasterInfo>| {
            let named = info.as_ref().and_then(authority_of);
            named.is_some() && named != *authority
        };
        // The detector lives as long as this.
        if leader.wait_for(other).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Where a master is reached: by its address, which needs no name to be resolved, like other clients of ZooKeeper.
fn authority_of(info: &MasterInfo) -> Option<String> {
    let address = info.address.clone().unwrap_or_default();
    let host = address.ip.or(address.hostname).or_else(|| info.hostname.clone())?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("{host}:{}", info.port))
}

/// The `host:port` in a `Location`: `//host:port/…`, `http://host:port/…` (or `https:`) or bare.
pub fn authority(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let rest = location.strip_prefix("https:").or_else(|| location.strip_prefix("http:")).unwrap_or(location);
    let rest = rest.trim_start_matches('/');
    let authority = rest.split(['/', '?']).next().filter(|authority| !authority.is_empty())?;
    // Anything else would fail later and less clearly.
    is_authority(authority).then(|| authority.to_owned())
}

/// Whether this can be the `host:port` of an address.
fn is_authority(text: &str) -> bool {
    Uri::builder().scheme("http").authority(text).path_and_query("/").build().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let parsed = |location: &str| {
            let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
            authority(&headers)
        };
        for location in
            ["//a:5050/api/v1/scheduler", "//a:5050", "http://a:5050/x?y", "https://a:5050/x", "a:5050", "a:5050/x"]
        {
            assert_eq!(parsed(location).as_deref(), Some("a:5050"), "{location}");
        }
        assert_eq!(parsed("//[::1]:5050/x").as_deref(), Some("[::1]:5050"));
        for location in ["", "/", "//", "//a b/"] {
            assert_eq!(parsed(location), None, "{location}");
        }
    }

    #[test]
    fn detections_are_read_as_they_are_written() {
        for text in ["a:5050", "a:5050,[::1]:5051", "zk://a:2181,b:2182/mesos"] {
            assert_eq!(text.parse::<Detection>().map(|read| read.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "a", "a:", ":1", "a:1,", "a:70000", "zk://a", "http://a:1"] {
            assert!(text.parse::<Detection>().is_err(), "{text}");
        }
    }

    #[test]
    fn masters_in_turn_and_named_ones_first() {
        let mut masters = Masters::new(vec!["a:1".to_owned(), "b:1".to_owned()]);
        assert_eq!(masters.current(), Some("a:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("b:1"));
        assert!(masters.redirected("c:1".into()));
        assert_eq!(masters.current(), Some("c:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("b:1"));
        masters.failed();
        assert_eq!(masters.current(), Some("a:1"));
        assert_eq!(Masters::new(Vec::new()).current(), None);
    }

    #[test]
    fn a_circle_of_redirects_is_left() {
        let mut masters = Masters::new(vec!["a:1".to_owned()]);
        let followed = (0..10).take_while(|_| masters.redirected("a:1".into())).count();
        assert_eq!(followed, MAX_HOPS as usize);
    }
}
