//! Where containers in networks of their own look for names, if that is not where the machine does: what Mesos calls ContainerDNSInfo.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Deserialize;

/// By networks. What is said of one network counts more than what is said of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ContainerDns {
    mesos: Vec<OfNetwork>,
    /// Of containers of a Docker daemon.
    docker: Vec<OfNetwork>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfNetwork {
    network_mode: Mode,
    #[serde(default)]
    network_name: Option<String>,
    dns: Dns,
}

/// Of the machine's network nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Mode {
    /// The agent's own bridge.
    Cni,
    /// A Docker daemon's own.
    Bridge,
    /// One that somebody has made in a Docker daemon.
    User,
}

/// As in `resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dns {
    pub(crate) nameservers: Vec<IpAddr>,
    domain: Option<String>,
    pub(crate) search: Vec<String>,
    pub(crate) options: Vec<String>,
}

impl ContainerDns {
    /// Reads the JSON that Mesos documents.
    pub(crate) fn parse(json: &str) -> Result<ContainerDns, String> {
        let dns: ContainerDns = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let ContainerDns { mesos, docker } = &dns;
        if let Some(wrong) = mesos.iter().find(|one| one.network_mode != Mode::Cni) {
            return Err(format!("among `mesos` the only network_mode is CNI, not {:?}", wrong.network_mode));
        }
        if docker.iter().any(|one| one.network_mode == Mode::Cni) {
            return Err("among `docker` the network_mode is BRIDGE or USER, not CNI".to_owned());
        }
        if docker.iter().any(|one| one.dns.domain.is_some()) {
            return Err("a Docker daemon knows `search`, and no `domain`".to_owned());
        }
        let mut seen = BTreeSet::new();
        for one in mesos.iter().chain(docker) {
            if one.network_mode == Mode::Bridge && one.network_name.is_some() {
                return Err(
                    "a Docker daemon has one network of the network_mode BRIDGE, which needs no name".to_owned()
                );
            }
            if !seen.insert((one.network_mode, one.network_name.as_deref())) {
                let name = one.network_name.as_deref().unwrap_or("no name");
                return Err(format!("two of the same network_mode have the same network_name ({name})"));
            }
            let Dns { nameservers: _, domain, search, options } = &one.dns;
            let bad =
                |word: &&String| word.is_empty() || word.contains(|it: char| it.is_whitespace() || it.is_control());
            if let Some(word) = domain.iter().chain(search).chain(options).find(bad) {
                return Err(format!("`{}` is no word of a resolv.conf", word.escape_debug()));
            }
        }
        Ok(dns)
    }

    /// A network of the agent's own that it does not have.
    pub(crate) fn stranger(&self, own: &str) -> Option<&str> {
        self.mesos.iter().filter_map(|one| one.network_name.as_deref()).find(|name| *name != own)
    }

    /// What containers in the agent's own network find at `/etc/resolv.conf`; `None`: what the machine does.
    pub(crate) fn of_own_network(&self, name: &str) -> Option<String> {
        best(&self.mesos, Mode::Cni, name).filter(|dns| !dns.nameservers.is_empty()).map(Dns::to_text)
    }

    /// In a network of a Docker daemon, by the name that the daemon has for it.
    pub(crate) fn of_daemons_network(&self, name: &str) -> Option<&Dns> {
        match name {
            "host" | "none" => None,
            "bridge" => best(&self.docker, Mode::Bridge, name),
            _ => best(&self.docker, Mode::User, name),
        }
    }
}

fn best<'a>(all: &'a [OfNetwork], mode: Mode, name: &str) -> Option<&'a Dns> {
    let of_mode = || all.iter().filter(|one| one.network_mode == mode);
    let own = of_mode().find(|one| one.network_name.as_deref() == Some(name));
    own.or_else(|| of_mode().find(|one| one.network_name.is_none())).map(|one| &one.dns)
}

impl Dns {
    fn to_text(&self) -> String {
        let Dns { nameservers, domain, search, options } = self;
        let words = |key: &str, words: &[String]| (!words.is_empty()).then(|| format!("{key} {}\n", words.join(" ")));
        let domain = domain.iter().map(|domain| format!("domain {domain}\n"));
        let lists = [words("search", search), words("options", options)].into_iter().flatten();
        domain.chain(lists).chain(nameservers.iter().map(|server| format!("nameserver {server}\n"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_networks_own_words_count_more_than_those_for_all() {
        let dns = ContainerDns::parse(
            r#"{"mesos": [{"network_mode": "CNI", "network_name": "net1", "dns": {"nameservers": ["192.0.2.1", "::1"],
                    "domain": "a.b", "search": ["c", "d.e"], "options": ["ndots:2"]}},
                {"network_mode": "CNI", "dns": {"search": ["f"]}}],
                "docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["192.0.2.2"]}},
                {"network_mode": "USER", "dns": {"nameservers": ["192.0.2.3"]}},
                {"network_mode": "USER", "network_name": "net2", "dns": {"nameservers": ["192.0.2.4"]}}]}"#,
        )
        .unwrap();
        let text = "domain a.b\nsearch c d.e\noptions ndots:2\nnameserver 192.0.2.1\nnameserver ::1\n";
        assert_eq!(dns.of_own_network("net1").as_deref(), Some(text));
        assert_eq!(dns.of_own_network("other"), None, "without a server the machine's file is as good");
        assert_eq!((dns.stranger("net1"), dns.stranger("net3")), (None, Some("net1")));
        let server = |name: &str| dns.of_daemons_network(name).map(|dns| dns.nameservers[0].to_string());
        let told = ["bridge", "any", "net2"].map(|name| server(name).unwrap());
        assert_eq!(told, ["192.0.2.2", "192.0.2.3", "192.0.2.4"]);
        assert_eq!((server("host"), server("none")), (None, None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let one =
            |list: &str, rest: &str| format!(r#"{{"{list}": [{{{rest}, "dns": {{"nameservers": ["192.0.2.1"]}}}}]}}"#);
        let cni = r#"{"network_mode": "CNI", "dns": {}}"#;
        for (json, says) in [
            (one("mesos", r#""network_mode": "HOST""#), "HOST"),
            (one("mesos", r#""network_mode": "BRIDGE""#), "only network_mode is CNI"),
            (one("docker", r#""network_mode": "CNI""#), "BRIDGE or USER"),
            (one("docker", r#""network_mode": "BRIDGE", "network_name": "b""#), "needs no name"),
            (one("mesos", r#""network_name": "n""#), "network_mode"),
            (format!(r#"{{"mesos": [{cni}, {cni}]}}"#), "the same network_name (no name)"),
            (r#"{"docker": [{"network_mode": "USER", "dns": {"domain": "d"}}]}"#.to_owned(), "no `domain`"),
            (r#"{"mesos": [{"network_mode": "CNI", "dns": {"nameservers": ["here"]}}]}"#.to_owned(), "IP address"),
            (r#"{"mesos": [{"network_mode": "CNI", "dns": {"search": ["a\nb"]}}]}"#.to_owned(), "`a\\nb`"),
            (r#"{"other": []}"#.to_owned(), "other"),
        ] {
            let error = ContainerDns::parse(&json).unwrap_err();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
