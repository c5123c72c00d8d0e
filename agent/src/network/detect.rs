//! What this machine can do for networks: found out by making one, in a namespace that nobody sees.

use std::collections::BTreeMap;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use super::files::own_resolver;
use super::host::{Host, Programs};
use super::namespace;
use super::script::{self, Bridge};
use super::subnet::{self, Subnet};
use super::{Files, Names, Networks};

/// The longest name of a device.
const MAX_DEVICE_BYTES: usize = 15;
/// Where the kernel shows devices.
const DEVICES: &str = "/sys/class/net";
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
    /// What containers find in their `resolv.conf`; `None`: what the machine does.
    pub(crate) resolver: Option<String>,
}

impl Wishes {
    fn files(&self, runtime_dir: &Path) -> Files {
        let names = if self.resolver.is_some() { Names::ByOwnFile } else { Names::AsTheMachine };
        Files::beneath(runtime_dir, names)
    }
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
        files: wishes.files(runtime_dir),
        name: wishes.network_name,
        directory,
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
    remove_idle(&owner, &name, &programs);
    match std::fs::read_to_string(Path::new(DEVICES).join(&device).join("ifalias")) {
        Ok(alias) if alias.trim() != owner => {
            return Err(format!("there is a device `{device}` already, which is not this agent's"));
        }
        Ok(_) => {}
        // Its containers would be cut off from those to come.
        Err(_) => {
            if let Some(other) = bridges_of(&owner).first() {
                return Err(format!(
                    "containers of this agent are connected to its bridge `{other}`, not to `{device}`"
                ));
            }
        }
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
    let boot_id =
        crate::machine::boot_id().map_err(|error| format!("the machine does not tell its boot id: {error}"))?;
    rehearse_once(&runtime_dir.join("networks.rehearsed"), &boot_id, &bridge, &programs)?;
    std::fs::create_dir_all(directory).map_err(|error| format!("{} cannot be made: {error}", directory.display()))?;
    if let Some(text) = &wishes.resolver {
        let path = own_resolver(runtime_dir);
        std::fs::write(&path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    let files = wishes.files(runtime_dir);
    Ok(Host { bridge, directory: directory.to_owned(), files, programs, _claim: claim, attached: BTreeMap::new() })
}

/// By a name that only one process of the machine can have, and that is gone with it.
fn claim_subnet(subnet: Subnet) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("attica-bridge-{subnet}"))?)
}

/// Bridges that an earlier life of this agent has made.
fn bridges_of(owner: &str) -> Vec<String> {
    let devices = std::fs::read_dir(DEVICES).into_iter().flatten().filter_map(|entry| entry.ok());
    let own = devices.filter(|device| {
        std::fs::read_to_string(device.path().join("ifalias")).is_ok_and(|alias| alias.trim() == owner)
    });
    own.filter_map(|device| device.file_name().into_string().ok()).collect()
}

/// A bridge that nothing is connected to does not stand in the way of another name or subnet.
fn remove_idle(owner: &str, table: &str, programs: &Programs) {
    for bridge in bridges_of(owner) {
        let ports = std::fs::read_dir(Path::new(DEVICES).join(&bridge).join("brif"));
        if ports.is_ok_and(|mut ports| ports.next().is_none())
            && let Err(error) =
                programs.nft(&script::remove_rules(table)).and_then(|()| programs.ip(&script::remove_device(&bridge)))
        {
            tracing::warn!(error = &error as &dyn std::error::Error, bridge, "an idle bridge stays");
        }
    }
}

/// What works once works until the machine is started again, or other programs are installed: an agent that comes back has no time to lose.
fn rehearse_once(stamp: &Path, boot_id: &str, bridge: &Bridge, programs: &Programs) -> Result<(), String> {
    let proof = format!("{boot_id} {programs:?}\n");
    if std::fs::read_to_string(stamp).is_ok_and(|found| found == proof) {
        return Ok(());
    }
    rehearse(bridge, programs)?;
    std::fs::write(stamp, proof).map_err(|error| format!("{} cannot be written: {error}", stamp.display()))
}

/// Everything that a network is made of, where it is gone with the thread that made it.
fn rehearse(bridge: &Bridge, programs: &Programs) -> Result<(), String> {
    let rehearsal = || {
        programs.nft(&bridge.rules(&[])).map_err(std::io::Error::other)?;
        programs.ip(&bridge.raise()).map_err(std::io::Error::other)?;
        let pair = "link add name at0 type veth peer name at1\n".to_owned();
        programs.ip(&(pair + &bridge.connect("at0"))).map_err(std::io::Error::other)
    };
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
    std::fs::read_to_string(Path::new(DEVICES).join(device).join("mtu")).ok()?.trim().parse().ok()
}
