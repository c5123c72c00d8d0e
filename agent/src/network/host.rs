//! Makes and removes networks, on a thread of its own: each takes a few milliseconds, and they are made in the order in which they were asked
//! for.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use super::script::{self, Bridge};
use super::{Attachment, Files, Mapping, namespace};
use crate::children::{self, ProgramError};
use crate::launcher::protocol::ContainerId;

/// The programs that tell the kernel what to do.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) ip: PathBuf,
    pub(super) nft: PathBuf,
    /// Needed for datagrams only.
    pub(super) conntrack: Option<PathBuf>,
}

impl Programs {
    pub(super) fn ip(&self, script: &str) -> Result<(), ProgramError> {
        children::run(&self.ip, &["-batch", "-"], script)
    }

    pub(super) fn nft(&self, script: &str) -> Result<(), ProgramError> {
        children::run(&self.nft, &["-f", "-"], script)
    }

    /// It fails when there was nothing to forget.
    fn forget(&self, arguments: &[String]) {
        if let Some(conntrack) = &self.conntrack {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let _nothing = children::run(conntrack, &arguments, "");
        }
    }
}

/// A network that was not made.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the network cannot be made")]
    Program(#[from] ProgramError),
    #[error("the network cannot be made")]
    System(#[from] io::Error),
}

/// What is needed to make networks.
#[derive(Debug)]
pub(crate) struct Host {
    pub(super) bridge: Bridge,
    /// Of the namespaces' files.
    pub(super) directory: PathBuf,
    pub(super) files: Files,
    pub(super) programs: Programs,
    /// No other agent takes this subnet.
    pub(super) _claim: UnixListener,
    pub(super) attached: BTreeMap<ContainerId, Attachment>,
}

/// What is to be done.
enum Order {
    Connect(ContainerId, Box<Attachment>),
    Disconnect(ContainerId),
}

/// Does what it is told, one after the other.
pub(crate) struct Worker {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Begins with what is left of an earlier life of the agent, of which `known` is to stay; `connected` hears how each connection went.
    pub(crate) fn start(
        mut host: Host,
        known: BTreeMap<ContainerId, Attachment>,
        connected: impl Fn(ContainerId, Result<(), String>) + Send + 'static,
    ) -> io::Result<Worker> {
        let (orders, received) = mpsc::channel();
        let work = move || {
            host.restore(known);
            while let Ok(order) = received.recv() {
                let mut removed = Vec::new();
                // Removals wait for the kernel, as long for many as for one.
                let mut orders: Vec<Order> = [order].into_iter().chain(received.try_iter()).collect();
                orders.reverse();
                while let Some(order) = orders.pop() {
                    match order {
                        Order::Disconnect(container) => removed.push(container),
                        Order::Connect(container, attachment) => {
                            host.disconnect(&std::mem::take(&mut removed));
                            let outcome = host.connect(&container, *attachment);
                            connected(container, outcome.map_err(|failure| crate::error_chain(&failure)));
                        }
                    }
                }
                host.disconnect(&removed);
            }
            host.end();
        };
        let thread = std::thread::Builder::new().name("networks".to_owned()).spawn(work)?;
        Ok(Worker { orders, thread })
    }

    pub(crate) fn connect(&self, container: ContainerId, attachment: Attachment) {
        // It ends with the agent only.
        let _ended = self.orders.send(Order::Connect(container, Box::new(attachment)));
    }

    pub(crate) fn disconnect(&self, container: ContainerId) {
        let _ended = self.orders.send(Order::Disconnect(container));
    }

    /// Waits until everything is done; if no container is left, nothing of the network is.
    pub(crate) fn end(self) {
        drop(self.orders);
        if self.thread.join().is_err() {
            tracing::error!("the thread that makes networks has failed");
        }
    }
}

impl Host {
    fn path(&self, container: &ContainerId) -> PathBuf {
        self.directory.join(container.as_str())
    }

    fn knows(&self, name: &str) -> bool {
        ContainerId::new(name).is_ok_and(|container| self.attached.contains_key(&container))
    }

    fn mappings(&self) -> Vec<(Ipv4Addr, Mapping)> {
        self.attached.values().flat_map(mappings).collect()
    }

    /// Brings the machine in line with `known`: of an earlier life of this agent there may be more, of an earlier boot of the machine less.
    fn restore(&mut self, known: BTreeMap<ContainerId, Attachment>) {
        self.attached = known;
        let directory = self.directory.clone();
        self.attached.retain(|container, _| namespace::is_bound(&directory.join(container.as_str())));
        for path in entries(&self.directory) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !self.knows(&name) {
                report("remove a namespace of an earlier container", namespace::release(&path));
            }
        }
        report("remove the files of earlier containers", self.files.keep(|name| self.knows(name)));
        if self.attached.is_empty() {
            return self.remove_all();
        }
        let own: Vec<String> = self.attached.keys().map(script::veth).collect();
        let others = entries(&self.device().join("brif")).into_iter();
        let others = others.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let others: Vec<String> = others.filter(|veth| !own.contains(veth)).collect();
        if !others.is_empty() {
            report("remove devices of earlier containers", self.programs.ip(&self.bridge.disconnect(&others)));
        }
        // Anew: they may have been flushed meanwhile, or be those of another version of this program.
        report("bring its rules in line", self.programs.nft(&self.bridge.rules(&self.mappings())));
    }

    /// Where the kernel shows the bridge.
    fn device(&self) -> PathBuf {
        Path::new("/sys/class/net").join(&self.bridge.device)
    }

    /// Makes the bridge if it is not there. There are never rules without it, so that nothing else has to be looked for.
    fn raise(&mut self) -> Result<(), Failure> {
        if self.device().exists() {
            return Ok(());
        }
        let outcome = self.programs.ip(&self.bridge.raise()).map_err(Failure::from).and_then(|()| self.rule());
        if outcome.is_err() {
            self.remove_all();
        }
        outcome
    }

    fn rule(&self) -> Result<(), Failure> {
        self.programs.nft(&self.bridge.rules(&self.mappings()))?;
        let settings = Path::new("/proc/sys/net/ipv4");
        std::fs::write(settings.join("conf").join(&self.bridge.device).join("route_localnet"), "1")?;
        let forward = settings.join("ip_forward");
        if std::fs::read_to_string(&forward)?.trim() == "0" {
            tracing::info!("net.ipv4.ip_forward is switched on: containers in the bridge need it");
            std::fs::write(forward, "1")?;
        }
        Ok(())
    }

    /// Makes a container's network, unless it is there already: then others of its group may run in it. It is bound when it is complete.
    fn connect(&mut self, container: &ContainerId, attachment: Attachment) -> Result<(), Failure> {
        if self.attached.contains_key(container) {
            return Ok(());
        }
        let outcome = self.build(container, &attachment);
        self.attached.insert(container.clone(), attachment);
        if outcome.is_err() {
            self.disconnect(std::slice::from_ref(container));
        }
        outcome
    }

    fn build(&mut self, container: &ContainerId, attachment: &Attachment) -> Result<(), Failure> {
        let path = self.path(container);
        namespace::release(&path)?;
        self.files.write(container, attachment)?;
        let Some(address) = attachment.address else {
            let namespace = namespace::make(|| Ok::<_, Failure>(self.programs.ip(script::LOOPBACK)?))?;
            return Ok(namespace::bind(&namespace, &path)?);
        };
        self.raise()?;
        let veth = script::veth(container);
        let inside = self.bridge.inside(address, &veth, std::process::id());
        let furnish = || {
            // All ports of a network of its own are the container's, whoever its user is.
            std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")?;
            Ok::<_, Failure>(self.programs.ip(&inside)?)
        };
        let namespace = namespace::make(furnish)?;
        self.programs.ip(&self.bridge.connect(&veth))?;
        let mappings: Vec<_> = mappings(attachment).collect();
        if !mappings.is_empty() {
            self.map(&mappings)?;
        }
        script::forget_unmapped(&attachment.mappings).iter().for_each(|flows| self.programs.forget(flows));
        Ok(namespace::bind(&namespace, &path)?)
    }

    /// If somebody else has flushed the rules, all of them are made anew.
    fn map(&self, mappings: &[(Ipv4Addr, Mapping)]) -> Result<(), ProgramError> {
        if let Err(error) = self.programs.nft(&self.bridge.map(mappings)) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the rules for containers are made anew");
            let all: Vec<_> = self.mappings().into_iter().chain(mappings.iter().copied()).collect();
            self.programs.nft(&self.bridge.rules(&all))?;
        }
        Ok(())
    }

    fn disconnect(&mut self, containers: &[ContainerId]) {
        let gone = containers.iter().filter_map(|container| Some((container, self.attached.remove(container)?)));
        let gone: Vec<(&ContainerId, Attachment)> = gone.collect();
        let unmapped: Vec<_> = gone.iter().flat_map(|(_, attachment)| mappings(attachment)).collect();
        if !unmapped.is_empty()
            && let Err(error) = self.programs.nft(&self.bridge.unmap(&unmapped))
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the rules for containers are made anew");
            report("make its rules anew", self.programs.nft(&self.bridge.rules(&self.mappings())));
        }
        let bridged = gone.iter().filter(|(_, attachment)| attachment.address.is_some());
        let veths: Vec<String> = bridged.map(|(container, _)| script::veth(container)).collect();
        let there: Vec<String> =
            veths.into_iter().filter(|veth| Path::new("/sys/class/net").join(veth).exists()).collect();
        if !there.is_empty() {
            report("remove a container's devices", self.programs.ip(&self.bridge.disconnect(&there)));
        }
        for (container, attachment) in gone {
            if let Some(address) =
                attachment.address.filter(|_| !script::forget_unmapped(&attachment.mappings).is_empty())
            {
                self.programs.forget(&script::forget_address(address));
            }
            report("let go of a container's namespace", namespace::release(&self.path(container)));
            report("remove a container's files", self.files.remove(container));
        }
    }

    fn end(&mut self) {
        if self.attached.is_empty() {
            self.remove_all();
        }
    }

    fn remove_all(&self) {
        if self.device().exists() {
            report("remove its rules", self.programs.nft(&self.bridge.remove_rules()));
            report("remove its bridge", self.programs.ip(&self.bridge.remove()));
        }
    }
}

fn mappings(attachment: &Attachment) -> impl Iterator<Item = (Ipv4Addr, Mapping)> {
    let address = attachment.address;
    attachment.mappings.iter().filter_map(move |mapping| Some((address?, *mapping)))
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// What is left is tried again at the agent's next start.
fn report<E: std::error::Error + 'static>(what: &'static str, outcome: Result<(), E>) {
    if let Err(error) = outcome {
        tracing::error!(error = &error as &dyn std::error::Error, "the agent cannot {what}");
    }
}
