//! The files by which programs in a container with a root of its own find names: `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`, as Mesos's
//! containers have them.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::Attachment;
use crate::launcher::protocol::{Access, ContainerId, Mount, MountKind};

/// What of the machine's is shown to containers in the machine's own network.
const OF_MACHINE: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
/// Where systemd keeps what `/etc/resolv.conf` would say if it did not point at a resolver of the machine's own.
const BEHIND_RESOLVER: &str = "/run/systemd/resolve/resolv.conf";

/// Where the files of containers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    directory: PathBuf,
    /// How containers in a network of their own find names.
    resolver: PathBuf,
}

/// How containers in a network of their own find names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    AsTheMachine,
    /// See [`own_resolver`].
    ByOwnFile,
}

/// What containers see as `/etc/resolv.conf` where the agent was told of it.
pub(super) fn own_resolver(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("resolv.conf")
}

impl Files {
    /// In the agent's runtime directory. Names are found as the machine finds them, or as its `resolv.conf` in there says.
    pub(crate) fn beneath(runtime_dir: &Path, names: Names) -> Files {
        let directory = runtime_dir.join("etc");
        if names == Names::ByOwnFile {
            return Files { directory, resolver: own_resolver(runtime_dir) };
        }
        let own = OF_MACHINE[2];
        let resolver = if is_local(&std::fs::read_to_string(own).unwrap_or_default()) { BEHIND_RESOLVER } else { own };
        let resolver = if Path::new(resolver).exists() { resolver } else { own };
        Files { directory, resolver: resolver.into() }
    }

    /// What a container with a root of its own sees, in the network of `owner` if it is not in the machine's.
    pub(crate) fn mounts(&self, owner: &ContainerId, network: Option<&Attachment>) -> Vec<Mount> {
        let sources = match network {
            None => OF_MACHINE.map(PathBuf::from),
            Some(_) => {
                let own = self.directory.join(owner.as_str());
                [own.join("hosts"), own.join("hostname"), self.resolver.clone()]
            }
        };
        let shown = |(source, target): (PathBuf, &str)| Mount {
            kind: MountKind::Bind(source),
            target: target.into(),
            access: Access::ReadOnly,
        };
        // A machine may lack one.
        let there = |(source, _): &(PathBuf, &str)| network.is_some() || source.exists();
        sources.into_iter().zip(OF_MACHINE).filter(there).map(shown).collect()
    }

    pub(super) fn write(&self, container: &ContainerId, attachment: &Attachment) -> io::Result<()> {
        let own = self.directory.join(container.as_str());
        std::fs::create_dir_all(&own)?;
        let name = attachment.hostname.as_deref().unwrap_or(container.as_str());
        let address = attachment.address.unwrap_or(Ipv4Addr::LOCALHOST);
        std::fs::write(own.join("hostname"), format!("{name}\n"))?;
        let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{address}\t{name}\n");
        std::fs::write(own.join("hosts"), hosts)
    }

    pub(super) fn remove(&self, container: &ContainerId) -> io::Result<()> {
        remove(&self.directory.join(container.as_str()))
    }

    /// Removes the files of all containers but these.
    pub(super) fn keep(&self, known: impl Fn(&str) -> bool) -> io::Result<()> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Ok(()) };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut unknown = paths.filter(|path| !path.file_name().and_then(|name| name.to_str()).is_some_and(&known));
        unknown.try_for_each(|path| remove(&path))
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether all name servers are in the machine's own loopback, which containers in a network of their own do not reach.
fn is_local(text: &str) -> bool {
    let mut servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")).map(str::trim).peekable();
    servers.peek().is_some() && servers.all(|server| server.starts_with("127.") || server == "::1")
}

#[cfg(test)]
mod tests {
    use attica_core_api::v1::NetworkInfo;

    use super::*;

    #[test]
    fn a_container_finds_itself_and_nothing_is_left_of_its_files() {
        let runtime = tempfile::tempdir().unwrap();
        let files = Files::beneath(runtime.path(), Names::AsTheMachine);
        let [a, b] = ["a", "b"].map(|name| ContainerId::new(name).unwrap());
        let address = Some(Ipv4Addr::new(10, 0, 0, 7));
        let attachment = Attachment { address, mappings: Vec::new(), info: NetworkInfo::default(), hostname: None };
        let named = Attachment { hostname: Some("db".to_owned()), ..attachment.clone() };
        files.write(&a, &attachment).unwrap();
        files.write(&b, &named).unwrap();
        let mounts = files.mounts(&b, Some(&named));
        let MountKind::Bind(hosts) = &mounts[0].kind else { panic!("{mounts:?}") };
        assert!(std::fs::read_to_string(hosts).unwrap().ends_with("\n10.0.0.7\tdb\n"));
        let targets: Vec<&str> = mounts.iter().map(|mount| mount.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]);
        assert!(files.mounts(&a, None).iter().any(|mount| mount.kind == MountKind::Bind("/etc/hosts".into())));
        files.keep(|name| name == "b").unwrap();
        files.remove(&b).unwrap();
        files.remove(&b).unwrap();
        assert_eq!(std::fs::read_dir(runtime.path().join("etc")).unwrap().count(), 0);
    }

    #[test]
    fn a_resolver_of_the_machines_own_is_told_from_others() {
        assert!(is_local("# systemd\nnameserver 127.0.0.53\noptions edns0\n"));
        assert!(!is_local("nameserver 127.0.0.1\nnameserver 192.0.2.1\n"));
        assert!(!is_local("search example.org\n"));
    }
}
