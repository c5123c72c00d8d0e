//! Maintenance: which machines are not to be used, and when.
//!
//! A machine is up; with a window of the schedule it is draining: what is offered of it says from when on it is unavailable; while it
//! is down no agent on it is let in. Machines go down and come up by an operator's order alone, never by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use attica_core_api::encode_json;
use attica_core_api::operator::Schedule;
use attica_core_api::v1::{AgentId, AgentInfo, MachineId, TaskState, TaskStatusReason, Unavailability};

use super::agent::Contact;
use super::agent_tasks::Ending;
use super::{Effects, Kernel, Now, Refusal};
use crate::fact::Fact;
use crate::snapshot::{Maintenance, Service};

/// Machines in a schedule at most.
const MACHINES_MAX: usize = 100_000;

/// What tells machines apart: the host name in lower case, and the address.
type MachineKey = (String, String);

/// The durable schedule, and the way from an agent to its place in it. An agent is on a machine when the name it goes by is the
/// machine's host name or address.
#[derive(Debug, Default)]
pub(super) struct Machines {
    pub durable: Maintenance,
    planned: BTreeSet<MachineKey>,
    down: BTreeSet<MachineKey>,
    /// By host name and by address.
    unavailable: BTreeMap<String, Unavailability>,
    /// Host names and addresses.
    down_names: BTreeSet<String>,
}

/// Where a machine of the schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MachineMode {
    /// It is to go down, and still in use.
    Draining,
    /// It is not used.
    Down,
}

impl Machines {
    /// What follows from the durable part.
    pub fn of(durable: Maintenance) -> Self {
        let mut machines = Self::default();
        for window in &durable.schedule.windows {
            for machine in &window.machine_ids {
                machines.planned.insert(key(machine));
                let names = names(machine).map(|name| (name, window.unavailability.clone()));
                machines.unavailable.extend(names);
            }
        }
        machines.down = durable.down.iter().map(key).collect();
        machines.down_names = durable.down.iter().flat_map(names).collect();
        Self { durable, ..machines }
    }

    /// When an agent's machine is not to be used.
    pub fn unavailability(&self, agent: &AgentInfo) -> Option<&Unavailability> {
        if self.unavailable.is_empty() { None } else { self.unavailable.get(&agent.hostname.to_ascii_lowercase()) }
    }

    /// Where a machine of the schedule stands; `None` for one that is not in it.
    fn mode(&self, machine: &MachineId) -> Option<MachineMode> {
        let key = key(machine);
        let is_down = self.down.contains(&key);
        let mode = if is_down { MachineMode::Down } else { MachineMode::Draining };
        self.planned.contains(&key).then_some(mode)
    }

    /// Whether an agent's machine is down.
    pub fn is_down(&self, agent: &AgentInfo) -> bool {
        !self.down_names.is_empty() && self.down_names.contains(&agent.hostname.to_ascii_lowercase())
    }
}

impl Kernel {
    /// The whole schedule is replaced. Whose unavailability changes loses the offers that say otherwise.
    pub(super) fn schedule_ordered(&mut self, now: Now, schedule: Schedule, out: &mut Effects) -> Result<(), Refusal> {
        self.check_schedule(&schedule).map_err(Refusal::Invalid)?;
        let down = self.machines.durable.down.clone();
        self.maintain(now, Maintenance { schedule, down }, out);
        Ok(())
    }

    pub(super) fn machines_down_ordered(
        &mut self,
        now: Now,
        machines: &[MachineId],
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_modes(machines, MachineMode::Draining)?;
        let mut maintenance = self.machines.durable.clone();
        maintenance.down.extend(machines.iter().cloned());
        self.maintain(now, maintenance, out);
        let dismissed = self
            .agents
            .values()
            .filter(|agent| agent.contact != Contact::Unreachable && self.machines.is_down(&agent.info));
        let dismissed: Vec<AgentId> = dismissed.map(|agent| agent.id.clone()).collect();
        for id in &dismissed {
            let ending = Ending {
                state: TaskState::Lost,
                reason: TaskStatusReason::AgentRemoved,
                message: "The agent's machine is down for maintenance",
            };
            self.dismiss(now, id, &ending, out);
        }
        Ok(())
    }

    /// The machines are up again, and out of the schedule.
    pub(super) fn machines_up_ordered(
        &mut self,
        now: Now,
        machines: &[MachineId],
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        self.check_modes(machines, MachineMode::Down)?;
        let up: BTreeSet<MachineKey> = machines.iter().map(key).collect();
        let stays = |id: &MachineId| !up.contains(&key(id));
        let mut maintenance = self.machines.durable.clone();
        maintenance.down.retain(stays);
        maintenance.schedule.windows.iter_mut().for_each(|window| window.machine_ids.retain(stays));
        maintenance.schedule.windows.retain(|window| !window.machine_ids.is_empty());
        self.maintain(now, maintenance, out);
        Ok(())
    }

    /// Whether machines are in the schedule, each once, and in the mode that they are to leave.
    fn check_modes(&self, machines: &[MachineId], expected: MachineMode) -> Result<(), Refusal> {
        check_machines(machines).map_err(Refusal::Invalid)?;
        for machine in machines {
            let Some(mode) = self.machines.mode(machine) else {
                return Err(refused(machine, "is not part of a maintenance schedule"));
            };
            if mode != expected {
                return Err(refused(
                    machine,
                    match expected {
                        MachineMode::Draining => "is not in DRAINING mode and cannot be brought down",
                        MachineMode::Down => "is not in DOWN mode and cannot be brought up",
                    },
                ));
            }
        }
        Ok(())
    }

    fn maintain(&mut self, now: Now, maintenance: Maintenance, out: &mut Effects) {
        let before = std::mem::replace(&mut self.machines, Machines::of(maintenance.clone()));
        out.facts.push(Fact::MaintenanceChanged { schedule: maintenance.schedule, down: maintenance.down });
        let changed = self
            .agents
            .values()
            .filter(|agent| before.unavailability(&agent.info) != self.machines.unavailability(&agent.info));
        let changed: Vec<AgentId> = changed.map(|agent| agent.id.clone()).collect();
        for id in &changed {
            self.withdraw_agent(id, out);
            let agent = self.agent_mut(id);
            let takes_part = matches!(agent.contact, Contact::Connected(_)) && agent.service == Service::Active;
            if let Some(key) = agent.key.filter(|_| takes_part) {
                self.allocator.activate_agent(key);
            }
            self.ask_anew(now, id, out);
        }
    }

    fn check_schedule(&self, schedule: &Schedule) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for window in &schedule.windows {
            if window.machine_ids.is_empty() {
                return Err("List of machines in the maintenance window is empty".to_owned());
            }
            if window.unavailability.duration.as_ref().is_some_and(|duration| duration.nanoseconds < 0) {
                return Err("Unavailability 'duration' is negative".to_owned());
            }
            for machine in &window.machine_ids {
                check_machine(machine)?;
                if !seen.insert(key(machine)) {
                    return Err(about(machine, "appears more than once in the schedule"));
                }
            }
        }
        if seen.len() > MACHINES_MAX {
            return Err(format!("The schedule has more than {MACHINES_MAX} machines"));
        }
        match self.machines.durable.down.iter().find(|machine| !seen.contains(&key(machine))) {
            Some(machine) => Err(about(machine, "is deactivated and cannot be removed from the schedule")),
            None => Ok(()),
        }
    }
}

fn check_machines(machines: &[MachineId]) -> Result<(), String> {
    if machines.is_empty() {
        return Err("List of machines is empty".to_owned());
    }
    let mut seen = BTreeSet::new();
    for machine in machines {
        check_machine(machine)?;
        if !seen.insert(key(machine)) {
            return Err(about(machine, "appears more than once in the schedule"));
        }
    }
    Ok(())
}

fn check_machine(machine: &MachineId) -> Result<(), String> {
    let (hostname, ip) = key(machine);
    if hostname.is_empty() && ip.is_empty() {
        return Err("Both 'hostname' and 'ip' for a machine are empty".to_owned());
    }
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(format!("Failed to parse the IP '{ip}'"));
    }
    Ok(())
}

fn refused(machine: &MachineId, what: &str) -> Refusal {
    Refusal::Invalid(about(machine, what))
}

fn about(machine: &MachineId, what: &str) -> String {
    format!("Machine '{}' {what}", String::from_utf8_lossy(&encode_json(machine)))
}

fn key(machine: &MachineId) -> MachineKey {
    let hostname = machine.hostname.as_deref().unwrap_or_default().to_ascii_lowercase();
    (hostname, machine.ip.clone().unwrap_or_default())
}

fn names(machine: &MachineId) -> impl Iterator<Item = String> {
    let (hostname, ip) = key(machine);
    [hostname, ip].into_iter().filter(|name| !name.is_empty())
}
