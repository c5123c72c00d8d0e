//! `container.docker.parameters`: options of `docker run`, as the daemon's API has them. What this agent does not know it refuses by name,
//! since nobody can say what it would open.

use attica_core_api::v1::{Parameter, RLimit};
use serde_json::{Value, json};

use super::{DaemonConfig, ulimit};
use crate::daemon::spec::{Create, Mount};
use crate::network::dns::ContainerDns;
use crate::supervisor::accept::Refusal;
use crate::supervisor::{Config, image, volume};

/// Adds what `parameter` says.
pub(super) fn apply(
    config: &Config,
    daemon: &DaemonConfig,
    parameter: &Parameter,
    create: &mut Create,
) -> Result<(), Refusal> {
    let Parameter { key, value } = parameter;
    let invalid = || Refusal::Parameter(key.clone(), value.clone());
    let key = key.trim_start_matches('-');
    let text = || (!value.is_empty() && !value.contains('\0')).then(|| value.clone()).ok_or_else(invalid);
    let pair = || value.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(invalid);
    let number = || value.parse::<i64>().map_err(|_| invalid());
    let truth = || value.parse::<bool>().map_err(|_| invalid());
    let privileged = || match daemon.privileged {
        true => Ok(()),
        false => Err(Refusal::Privileged(format!("container.docker.parameters {key}={value}"))),
    };
    let host = &mut create.host_config;
    match key {
        "env" | "e" => {
            pair()?;
            create.env.push(value.clone());
        }
        "hostname" | "h" => create.hostname = Some(text()?),
        "user" | "u" => create.user = Some(text()?),
        "workdir" | "w" => create.working_dir = Some(text()?),
        "entrypoint" => create.entrypoint = Some(vec![text()?]),
        "stop-signal" => create.stop_signal = Some(text()?),
        "label" | "l" => {
            let (name, value) = value.split_once('=').unwrap_or((value, ""));
            // Whose a container is, is not for its task to say.
            if name.is_empty() || name == crate::daemon::LABEL {
                return Err(invalid());
            }
            create.labels.insert(name.to_owned(), value.to_owned());
        }
        "ulimit" => {
            let limit: RLimit = image::rlimit(value).ok_or_else(invalid)?;
            host.ulimits.extend(ulimit(&limit));
        }
        "volume" | "v" => host.mounts.push(bind(config, value).ok_or_else(invalid)??),
        "dns" => push(host, "Dns", text()?),
        "dns-search" => push(host, "DnsSearch", text()?),
        "dns-opt" | "dns-option" => push(host, "DnsOptions", text()?),
        "add-host" => push(host, "ExtraHosts", text()?),
        "group-add" => push(host, "GroupAdd", text()?),
        "cap-drop" => push(host, "CapDrop", text()?),
        "tmpfs" => {
            let (path, options) = value.split_once(':').unwrap_or((value, ""));
            insert(host, "Tmpfs", path, options.to_owned());
        }
        "log-opt" | "sysctl" => {
            let (name, value) = pair()?;
            match key {
                "sysctl" => insert(host, "Sysctls", name, value.to_owned()),
                _ => {
                    let log =
                        host.more.entry("LogConfig").or_insert_with(|| json!({ "Type": "json-file", "Config": {} }));
                    log["Config"][name] = json!(value);
                }
            }
        }
        "shm-size" => set(host, "ShmSize", json!(bytes(value).ok_or_else(invalid)?)),
        "memory-swap" => {
            set(host, "MemorySwap", json!(if value == "-1" { -1 } else { bytes(value).ok_or_else(invalid)? }))
        }
        "memory-swappiness" => set(host, "MemorySwappiness", json!(number()?)),
        "oom-score-adj" => set(host, "OomScoreAdj", json!(number()?)),
        "cpuset-cpus" => set(host, "CpusetCpus", json!(text()?)),
        "cpuset-mems" => set(host, "CpusetMems", json!(text()?)),
        "blkio-weight" => set(host, "BlkioWeight", json!(number()?)),
        "init" => set(host, "Init", json!(truth()?)),
        "read-only" => set(host, "ReadonlyRootfs", json!(truth()?)),
        // What follows reaches beyond a container.
        "privileged" if truth()? => {
            privileged()?;
            host.privileged = true;
        }
        "privileged" => host.privileged = false,
        "cap-add" => {
            privileged()?;
            push(host, "CapAdd", text()?);
        }
        "security-opt" => {
            privileged()?;
            push(host, "SecurityOpt", text()?);
        }
        "device" => {
            privileged()?;
            let mut parts = value.split(':');
            let on_host = parts.next().filter(|path| path.starts_with('/')).ok_or_else(invalid)?;
            let (inside, access) = (parts.next().unwrap_or(on_host), parts.next().unwrap_or("rwm"));
            let device = json!({ "PathOnHost": on_host, "PathInContainer": inside, "CgroupPermissions": access });
            push(host, "Devices", device);
        }
        "pid" | "ipc" | "uts" | "userns" | "cgroupns" if value == "host" => {
            privileged()?;
            set(host, mode(key), json!("host"));
        }
        "ipc" if value == "private" || value == "shareable" || value == "none" => set(host, "IpcMode", json!(value)),
        "cgroupns" if value == "private" => set(host, "CgroupnsMode", json!(value)),
        _ => return Err(Refusal::UnknownParameter(key.to_owned())),
    }
    Ok(())
}

/// Where the container looks for names, unless its parameters say so.
pub(super) fn find_names(dns: &ContainerDns, host: &mut Host) {
    let said = ["Dns", "DnsSearch", "DnsOptions"].iter().any(|name| host.more.contains_key(*name));
    let Some(dns) = dns.of_daemons_network(&host.network_mode).filter(|_| !said) else { return };
    dns.nameservers.iter().for_each(|server| push(host, "Dns", server.to_string()));
    dns.search.iter().for_each(|domain| push(host, "DnsSearch", domain.clone()));
    dns.options.iter().for_each(|option| push(host, "DnsOptions", option.clone()));
}

type Host = crate::daemon::spec::HostConfig;

fn set(host: &mut Host, name: &str, value: Value) {
    host.more.insert(name.to_owned(), value);
}

fn push(host: &mut Host, name: &str, value: impl Into<Value>) {
    if let Value::Array(all) = host.more.entry(name).or_insert_with(|| json!([])) {
        all.push(value.into());
    }
}

fn insert(host: &mut Host, name: &str, key: &str, value: String) {
    if let Value::Object(all) = host.more.entry(name).or_insert_with(|| json!({})) {
        all.insert(key.to_owned(), value.into());
    }
}

fn mode(key: &str) -> &'static str {
    match key {
        "pid" => "PidMode",
        "ipc" => "IpcMode",
        "uts" => "UTSMode",
        "userns" => "UsernsMode",
        _ => "CgroupnsMode",
    }
}

/// `/on/the/machine:/in/the/container`, perhaps with `:ro` or `:rw`; `None`: it is no such thing.
fn bind(config: &Config, text: &str) -> Option<Result<Mount, Refusal>> {
    let mut parts = text.split(':');
    let (source, target) = (parts.next()?, parts.next()?);
    let read_only = match (parts.next(), parts.next()) {
        (None | Some("rw"), None) => false,
        (Some("ro"), None) => true,
        (_, _) => return None,
    };
    let mount = Mount { r#type: "bind", source: source.into(), target: target.into(), read_only };
    target.starts_with('/').then(|| volume::check_host_path(config, source).map(|()| mount))
}

/// As Docker's client reads sizes: `64m`, `1g`, or a number of bytes.
fn bytes(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, shift) = match lower.char_indices().last()? {
        (at, 'k') => (&lower[..at], 10),
        (at, 'm') => (&lower[..at], 20),
        (at, 'g') => (&lower[..at], 30),
        (_, _) => (lower, 0),
    };
    number.parse::<i64>().ok().filter(|number| *number > 0)?.checked_mul(1 << shift)
}
