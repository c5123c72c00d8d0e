//! What this machine can do for networks: found out by making one, in a namespace that nobody sees.

use std::collections::BTreeMap;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use super::host::{Host, Programs};
use super::namespace;
use super::script::Bridge;
use super::subnet::{self, Subnet};
use super::{Files, Networks};

/// The longest name of a device.
const MAX_DEVICE_BYTES: usize = 15;
/// Where programs are, besides `PATH`.
const DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
/// Of a device when nothing says otherwise.
const DEFAULT_MTU: u32 = 1_500;

/// How the agent is to name its networks.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) network_name: String,
    pub(crate) bridge_name: Option<String>,
    pub(crate) bridge_subnet: Option<Subnet>,
}

/// Finds out whether containers can have networks of their own, and prepares for it. `runtime_dir` names this agent among others.
pub(crate) fn detect(wishes: Wishes, runtime_dir: &Path) -> (Networks, Option<Host>) {
    let directory = runtime_dir.join("networks");
    let (host, why) = match equip(&wishes, runtime_dir, &directory) {
        Ok(host) => (Some(host), String::new()),
        Err(why) => {
            tracing::warn!(why, "containers cannot have networks of their own");
            (None, why)
        }
    };
    let conntrack = host.as_ref().is_some_and(|host| host.programs.conntrack.is_some());
    let networks = Networks {
        name: wishes.network_name,
        directory,
        files: Files::beneath(runtime_dir),
        subnet: host.as_ref().map(|host| host.bridge.subnet).ok_or(why),
        datagrams: conntrack.then_some(()).ok_or_else(|| missing("conntrack")),
    };
    (networks, host)
}

fn missing(program: &str) -> String {
    format!("the program `{program}` is not installed")
}

fn equip(wishes: &Wishes, runtime_dir: &Path, directory: &Path) -> Result<Host, String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("it does not run as root".to_owned());
    }
    let program = |name: &str| find(name).ok_or_else(|| missing(name));
    let programs = Programs { ip: program("ip")?, nft: program("nft")?, conntrack: find("conntrack") };
    let instance = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, runtime_dir.as_os_str().as_encoded_bytes());
    let (seed, name) = (instance.as_fields().0, format!("attica-{:08x}", instance.as_fields().0));
    let device = wishes.bridge_name.clone().unwrap_or_else(|| name.clone());
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if device.is_empty()
        || device.len() > MAX_DEVICE_BYTES
        || !device.bytes().all(legal)
        || device.starts_with(['.', '-'])
    {
        return Err(format!(
            "`{device}` cannot be the name of a bridge: {MAX_DEVICE_BYTES} letters, digits, `-`, `_` and `.` can"
        ));
    }
    let owner = format!("attica:{}", instance.simple());
    let alias = std::fs::read_to_string(Path::new("/sys/class/net").join(&device).join("ifalias"));
    if alias.is_ok_and(|alias| alias.trim() != owner) {
        return Err(format!("there is a device `{device}` already, which is not this agent's"));
    }
    let table = std::fs::read_to_string("/proc/net/route")
        .map_err(|error| format!("the machine's routes are hidden: {error}"))?;
    let routes = subnet::routes(&table);
    let mut claim = None;
    let subnet = subnet::choose(&device, wishes.bridge_subnet, &routes, seed, |subnet| {
        claim = claim_subnet(subnet).ok();
        claim.is_some()
    })?;
    let claim = claim.ok_or_else(|| format!("the subnet {subnet} was not claimed"))?;
    let mtu = routes.iter().find(|route| route.subnet.prefix() == 0).and_then(|route| mtu(&route.device));
    let bridge = Bridge {
        device,
        table: name,
        owner,
        // `ip` takes numbers of 31 bits; zero is the group of all other devices.
        group: seed >> 1 | 1,
        subnet,
        mtu: mtu.unwrap_or(DEFAULT_MTU),
    };
    rehearse(&bridge, &programs)?;
    std::fs::create_dir_all(directory).map_err(|error| format!("{} cannot be made: {error}", directory.display()))?;
    let files = Files::beneath(runtime_dir);
    Ok(Host { bridge, directory: directory.to_owned(), files, programs, _claim: claim, attached: BTreeMap::new() })
}

/// By a name that only one process of the machine can have, and that is gone with it.
fn claim_subnet(subnet: Subnet) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("attica-bridge-{subnet}"))?)
}

/// Everything that a network is made of, where it is gone with the thread that made it.
fn rehearse(bridge: &Bridge, programs: &Programs) -> Result<(), String> {
    let address = bridge.subnet.address(0);
    let rehearsal = || {
        programs.nft(&bridge.rules(&[])).map_err(std::io::Error::other)?;
        programs.ip(&bridge.raise()).map_err(std::io::Error::other)?;
        let pair = "link add name at0 type veth peer name at1\n".to_owned();
        programs.ip(&(pair + &bridge.connect("at0"))).map_err(std::io::Error::other)
    };
    debug_assert!(bridge.subnet.index(address).is_some());
    match namespace::make(rehearsal) {
        Ok(_namespace) => Ok(()),
        Err(error) => Err(crate::error_chain(&error)),
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(DIRECTORIES.map(PathBuf::from));
    directories
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_absolute() && candidate.is_file())
}

fn mtu(device: &str) -> Option<u32> {
    std::fs::read_to_string(Path::new("/sys/class/net").join(device).join("mtu")).ok()?.trim().parse().ok()
}
