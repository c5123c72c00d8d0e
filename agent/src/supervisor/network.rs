//! Networks of tasks and executors: which each one gets, and when nobody needs it any more.
//!
//! A network belongs to the container of an executor, or to what stands for it: a task without one has it for itself, the tasks of one of
//! the agent's own executors share it. It is written down before it is made, so that no address is given out twice.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use attica_core_api::v1::{IpAddress, NetworkInfo};

use super::task::{Phase, Task};
use super::{Config, Effect, ExecutorKey, Supervisor, TaskKey};
use crate::checkpoint::{ExecutorEntry, TaskEntry};
use crate::daemon::Containerizer;
use crate::launcher::protocol::{ContainerId, Process, Surroundings};
use crate::network::addresses::Addresses;
use crate::network::request::{Refusal, Request, requested};
use crate::network::{Attachment, Place};

/// The networks that there are.
#[derive(Clone, Debug)]
pub(super) struct Attachments {
    by_owner: BTreeMap<ContainerId, Attachment>,
    /// `None`: no container can have a network of its own.
    addresses: Option<Addresses>,
}

impl Attachments {
    pub(super) fn new(config: &Config) -> Attachments {
        let addresses = config.networks.subnet.as_ref().ok().map(|subnet| Addresses::new(*subnet));
        Attachments { by_owner: BTreeMap::new(), addresses }
    }

    /// Gives `owner` what it asks for; `None` is the machine's network.
    fn attach(
        &mut self,
        owner: &ContainerId,
        request: Request,
        hostname: Option<String>,
    ) -> Result<Option<Attachment>, Refusal> {
        let attachment = match request {
            Request::Host => return Ok(None),
            Request::Loopback(info) => Attachment { address: None, mappings: Vec::new(), info, hostname },
            Request::Bridge { address, mappings, info } => {
                Attachment { address: Some(self.address(address)?), mappings, info, hostname }
            }
        };
        self.by_owner.insert(owner.clone(), attachment.clone());
        Ok(Some(attachment))
    }

    fn address(&mut self, wanted: Option<Ipv4Addr>) -> Result<Ipv4Addr, Refusal> {
        let addresses = self.addresses.as_mut().ok_or(Refusal::Exhausted)?;
        match wanted {
            None => addresses.take().ok_or(Refusal::Exhausted),
            Some(wanted) => addresses.take_this(wanted).then_some(wanted).ok_or(Refusal::Taken(wanted)),
        }
    }

    /// As found in a checkpoint.
    pub(super) fn restore(&mut self, owner: &ContainerId, attachment: &Attachment) {
        if let (Some(addresses), Some(address)) = (&mut self.addresses, attachment.address) {
            addresses.restore(address);
        }
        self.by_owner.insert(owner.clone(), attachment.clone());
    }

    /// Nobody needs it any more.
    pub(super) fn release(&mut self, owner: &ContainerId, out: &mut Vec<Effect>) {
        let Some(attachment) = self.by_owner.remove(owner) else { return };
        if let (Some(addresses), Some(address)) = (&mut self.addresses, attachment.address) {
            addresses.release(address);
        }
        out.push(Effect::Disconnect(owner.clone()));
    }
}

impl Supervisor {
    /// The networks that there are, by the containers that they belong to.
    pub(crate) fn attachments(&self) -> &BTreeMap<ContainerId, Attachment> {
        &self.attachments.by_owner
    }

    /// Whether a task can have the network that it asks for. One that is there already may have been asked for with ports of other tasks.
    pub(super) fn check_network(&self, task: &Task) -> Result<(), Refusal> {
        match self.attachments.by_owner.get(task.run()) {
            Some(_) => Ok(()),
            None => self.network_request(task).map(drop),
        }
    }

    /// What a task of the agent's own asks for, or its executor for all of its tasks.
    fn network_request(&self, task: &Task) -> Result<Request, Refusal> {
        let networks = &self.config.networks;
        match (&task.group, task.own_executor()) {
            (Some(group), Some(owner)) => {
                let members = self.tasks.values().filter(|member| member.own_executor().as_ref() == Some(&owner));
                let resources = members.flat_map(|member| &member.info.resources).chain(&group.executor.resources);
                requested(networks, group.executor.container.as_deref(), resources)
            }
            (Some(_), None) | (None, _) => {
                requested(networks, task.info.container.as_deref(), task.info.resources.iter())
            }
        }
    }

    /// Sees to it that the network of a task that is about to be launched is there.
    pub(super) fn attach_task(&mut self, key: &TaskKey, out: &mut Vec<Effect>) -> Result<(), Refusal> {
        let Some(task) = self.tasks.get(key) else { return Ok(()) };
        let owner = task.run().clone();
        let known = self.attachments.by_owner.get(&owner).cloned();
        let attachment = match known {
            Some(known) => Some(known),
            None => {
                let container = if task.own_executor().is_some() { None } else { task.info.container.as_ref() };
                let hostname = container.and_then(|container| container.hostname.clone());
                self.attachments.attach(&owner, self.network_request(task)?, hostname)?
            }
        };
        let Some(attachment) = attachment.map(Box::new) else { return Ok(()) };
        if let Some(task) = self.tasks.get_mut(key).filter(|task| task.network.is_none()) {
            task.network = Some(attachment.clone());
            let entry = TaskEntry::Attached(attachment.clone());
            out.push(Effect::AppendTask(task.container.clone(), entry));
        }
        out.push(Effect::Connect(owner, attachment));
        Ok(())
    }

    /// As above, for an executor: its tasks are in its network.
    pub(super) fn attach_executor(&mut self, key: &ExecutorKey, out: &mut Vec<Effect>) -> Result<(), Refusal> {
        let Some(executor) = self.executors.get(key) else { return Ok(()) };
        if let Some(known) = executor.network.clone() {
            out.push(Effect::Connect(executor.container.clone(), known));
            return Ok(());
        }
        let resources = self.resources_of(executor);
        let request = requested(&self.config.networks, executor.info.container.as_deref(), resources.iter())?;
        if request != Request::Host && self.config.ip.is_loopback() {
            return Err(Refusal::AgentOutOfReach(self.config.ip));
        }
        let owner = executor.container.clone();
        let hostname = executor.info.container.as_ref().and_then(|container| container.hostname.clone());
        let attachment = self.attachments.attach(&owner, request, hostname)?;
        let Some(attachment) = attachment.map(Box::new) else { return Ok(()) };
        let tasks = executor.tasks.clone();
        if let Some(executor) = self.executors.get_mut(key) {
            executor.network = Some(attachment.clone());
            let entry = ExecutorEntry::Attached(attachment.clone());
            out.push(Effect::AppendExecutor(owner.clone(), entry));
        }
        for task in tasks {
            if let Some(task) = self.tasks.get_mut(&task) {
                task.network = Some(attachment.clone());
            }
        }
        out.push(Effect::Connect(owner, attachment));
        Ok(())
    }

    /// A task has ended. Its network goes with the last one that shares it.
    pub(super) fn leave_network(&mut self, key: &TaskKey, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get(key).filter(|task| task.network.is_some() && task.executor.is_none()) else {
            return;
        };
        let owner = task.run().clone();
        let shares = |other: &Task| other.key != *key && other.phase != Phase::Ended && *other.run() == owner;
        if !self.tasks.values().any(shares) {
            self.attachments.release(&owner, out);
        }
    }
}

impl Task {
    /// Where it can be reached from the agent.
    pub(super) fn place(&self, config: &Config) -> Place {
        let process = self.process.filter(|process| *process != Process::NONE);
        match (&self.network, self.containerizer, process) {
            (None, _, _) | (Some(_), Containerizer::Daemon, None) => Place::Host,
            (Some(_), Containerizer::Launcher, _) => Place::Namespace(config.networks.namespace(self.run())),
            (Some(_), Containerizer::Daemon, Some(process)) => {
                Place::Namespace(format!("/proc/{}/ns/net", process.pid).into())
            }
        }
    }

    /// As its status tells of its network.
    pub(super) fn network_info(&self, config: &Config) -> NetworkInfo {
        let of_machine = || {
            let address = IpAddress { ip_address: Some(config.ip.to_string()), ..IpAddress::default() };
            NetworkInfo { ip_addresses: vec![address], ..NetworkInfo::default() }
        };
        self.network.as_deref().map_or_else(of_machine, Attachment::told)
    }
}

/// Where a process in this network is reached.
pub(super) fn own_address(config: &Config, network: Option<&Attachment>) -> IpAddr {
    network.map_or(config.ip, |network| network.address.unwrap_or(Ipv4Addr::LOCALHOST).into())
}

/// Where it is to listen: anywhere, in a network of its own.
pub(super) fn listening_address(config: &Config, network: Option<&Attachment>) -> IpAddr {
    network.map_or(config.ip, |_| Ipv4Addr::UNSPECIFIED.into())
}

/// What a container in this network has around it. With a root of its own it finds there how to find itself and others.
pub(super) fn surround(
    config: &Config,
    owner: &ContainerId,
    network: Option<&Attachment>,
    surroundings: Option<Box<Surroundings>>,
) -> Option<Box<Surroundings>> {
    if surroundings.is_none() && network.is_none() {
        return None;
    }
    let mut surroundings = surroundings.unwrap_or_default();
    if surroundings.root.is_some() {
        surroundings.mounts.extend(config.networks.files.mounts(owner, network));
        if let Some(network) = network {
            let hostname = &mut surroundings.namespaces.hostname;
            hostname.get_or_insert_with(|| network.hostname.clone().unwrap_or_else(|| owner.as_str().to_owned()));
        }
    }
    surroundings.network = network.map(|_| config.networks.namespace(owner));
    Some(surroundings)
}
