//! SUBSCRIBE: a framework comes, comes back, or is taken over by another of its schedulers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_allocator::{InvalidRole, Role};
use attica_core_api::scheduler::{Event, Subscribe};
use attica_core_api::v1::{FrameworkCapabilityType, FrameworkId, FrameworkInfo, check_id};

use super::constraints::{Constraints, minima_of};
use super::framework::{Framework, History, Partitions, Presence};
use super::offers::capabilities_of;
use super::timers::Timer;
use super::{Config, Effects, Kernel, Now, Send, StreamId, View};
use crate::fact::Fact;

/// The longest `failover_timeout` that counts: a year. What is longer is taken for that.
const FAILOVER_LIMIT_SECONDS: f64 = 365.0 * 86_400.0;

impl Kernel {
    pub(super) fn subscribe(&mut self, now: Now, stream: StreamId, subscribe: Subscribe, out: &mut Effects) {
        let admitted = self.admit(&subscribe).and_then(|roles| {
            let suppressed = suppressed_roles(&subscribe.suppressed_roles, &roles)?;
            let wire = subscribe.offer_constraints.clone().unwrap_or_default();
            let constraints = Constraints::new(&wire, &roles)?;
            Ok((roles, suppressed, wire, constraints))
        });
        match admitted {
            Ok((roles, suppressed, wire, constraints)) => {
                let id = self.enter(now, &stream, subscribe.framework_info, roles, out);
                self.apply_wishes(&id, constraints);
                out.view.push(View::OfferConstraints { framework: id.clone(), constraints: Box::new(wire) });
                self.set_suppressed(&id, &suppressed, out);
                self.welcome(now, &id, stream, out);
            }
            Err(message) => {
                out.sends.push(Send::scheduler(stream.clone(), Event::error(message)));
                out.sends.push(Send::CloseScheduler { stream });
            }
        }
    }

    /// What Mesos checks beyond the shape of the call. The texts are Mesos's where it has been recorded.
    fn admit(&self, subscribe: &Subscribe) -> Result<Vec<Role>, String> {
        let info = &subscribe.framework_info;
        let roles = check_info(info, &self.config)?;
        self.authorize_registration(info)?;
        let Some(id) = info.id.as_ref().filter(|id| !id.as_str().is_empty()) else { return Ok(roles) };
        match self.frameworks.get(id) {
            None => check_id(id.as_str()).map_err(|error| format!("'FrameworkInfo.id' is not valid: {error}"))?,
            Some(known) if known.presence == Presence::Removed => return Err("Framework has been removed".to_owned()),
            Some(known) if known.info.principal != info.principal => {
                return Err("Changing framework's principal is not allowed.".to_owned());
            }
            Some(_) => {}
        }
        Ok(roles)
    }

    /// Registers the framework or brings it up to date, and ends the stream of the scheduler that it had before.
    fn enter(
        &mut self,
        now: Now,
        stream: &StreamId,
        mut info: FrameworkInfo,
        roles: Vec<Role>,
        out: &mut Effects,
    ) -> FrameworkId {
        let id = match info.id.take().filter(|id| !id.as_str().is_empty()) {
            Some(id) => id,
            None => self.new_framework_id(),
        };
        info.id = Some(id.clone());
        match self.frameworks.contains_key(&id) {
            true => self.take_over(&id, &mut info, &roles, out),
            false => self.add_framework(&id, &info, &roles),
        }
        out.facts.push(Fact::FrameworkSubscribed { info: Box::new(info.clone()), at: now.wall });
        let framework = self.framework_mut(&id);
        framework.partitions = partitions_of(&info);
        framework.info = Arc::new(info);
        framework.roles = roles;
        framework.presence = Presence::Connected(stream.clone());
        self.streams.insert(stream.clone(), id.clone());
        id
    }

    fn take_over(&mut self, id: &FrameworkId, info: &mut FrameworkInfo, roles: &[Role], out: &mut Effects) {
        let framework = self.framework_mut(id);
        info.user.clone_from(&framework.info.user);
        info.checkpoint = framework.info.checkpoint;
        match framework.presence.clone() {
            Presence::Connected(old) => {
                self.streams.remove(&old);
                self.stop_resends(id);
                // The offers of the old stream are void. Whoever takes over does not know them: no RESCIND.
                self.deactivate_framework(id, out);
                out.sends.push(Send::scheduler(old.clone(), Event::error("Framework failed over")));
                out.sends.push(Send::CloseScheduler { stream: old });
            }
            Presence::Away(deadline) => self.timers.cancel(deadline, Timer::FrameworkAway(id.clone())),
            Presence::Removed => unreachable!("a removed framework is not admitted"),
        }
        let key = self.framework_key(id);
        self.allocator.update_framework(key, roles.to_vec(), capabilities_of(info));
    }

    fn add_framework(&mut self, id: &FrameworkId, info: &FrameworkInfo, roles: &[Role]) {
        let key = self.allocator.add_framework(roles.to_vec(), capabilities_of(info));
        self.framework_keys.insert(key, id.clone());
        let framework = Framework {
            id: id.clone(),
            info: Arc::new(info.clone()),
            roles: roles.to_vec(),
            partitions: partitions_of(info),
            presence: Presence::Removed,
            key: Some(key),
            tasks: BTreeMap::new(),
            undelivered: BTreeSet::new(),
            history: History::default(),
            executors: BTreeSet::new(),
            operations: BTreeMap::new(),
            constraints: Constraints::default(),
            failures: Vec::new(),
        };
        self.frameworks.insert(id.clone(), framework);
    }

    fn welcome(&mut self, now: Now, id: &FrameworkId, stream: StreamId, out: &mut Effects) {
        let heartbeat_seconds = self.config.scheduler_heartbeat_ms as f64 / 1_000.0;
        let event = Event::subscribed(id.clone(), heartbeat_seconds, (*self.config.master_info).clone());
        out.sends.push(Send::scheduler(stream, event));
        out.view.push(View::FrameworkConnected { framework: id.clone() });
        let key = self.framework_key(id);
        self.allocator.activate_framework(key);
        self.send_undelivered(now, id, out);
        self.ask_framework(now, id, out);
    }

    fn new_framework_id(&mut self) -> FrameworkId {
        let number = self.next_framework;
        self.next_framework += 1;
        FrameworkId::new(format!("{}-{number:04}", self.config.master_info.id))
    }
}

/// What must be right about a framework's description, however it comes; gives its roles.
pub(super) fn check_info(info: &FrameworkInfo, config: &Config) -> Result<Vec<Role>, String> {
    let roles = roles_of(info)?;
    if let Some(allowed) = &config.roles
        && let Some(role) = roles.iter().find(|role| **role != Role::any() && !allowed.contains(*role))
    {
        return Err(format!("Role '{role}' is not present in the master's --roles"));
    }
    if info.failover_timeout.is_nan() || info.failover_timeout < 0.0 {
        return Err(format!("'FrameworkInfo.failover_timeout' must not be negative, but is {}", info.failover_timeout));
    }
    for name in info.offer_filters.keys() {
        let Some(role) = roles.iter().find(|role| role.as_str() == name) else {
            return Err(format!("'FrameworkInfo.offer_filters' names role '{name}', which the framework is not in"));
        };
        minima_of(info, role).map_err(|error| format!("'FrameworkInfo.offer_filters' is not valid: {error}"))?;
    }
    Ok(roles)
}

/// How long the framework's tasks live on without it.
pub(super) fn failover_ms(info: &FrameworkInfo) -> u64 {
    (info.failover_timeout.clamp(0.0, FAILOVER_LIMIT_SECONDS) * 1_000.0) as u64
}

/// How the framework wants to hear of tasks that are out of sight.
pub(super) fn partitions_of(info: &FrameworkInfo) -> Partitions {
    match info.has_capability(FrameworkCapabilityType::PartitionAware) {
        true => Partitions::Aware,
        false => Partitions::Unaware,
    }
}

/// The roles of a framework, or Mesos's words for what is wrong with them.
pub(super) fn roles_of(info: &FrameworkInfo) -> Result<Vec<Role>, String> {
    if !info.has_capability(FrameworkCapabilityType::MultiRole) {
        if !info.roles.is_empty() {
            return Err("'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable".to_owned());
        }
        let role = info.role.as_deref().unwrap_or("*");
        let role = role_of(role).map_err(|reason| format!("'FrameworkInfo.role' is not a valid role: {reason}"))?;
        return Ok(vec![role]);
    }
    if info.role.is_some() {
        return Err("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable".to_owned());
    }
    let mut roles = Vec::with_capacity(info.roles.len());
    for role in &info.roles {
        let role = role_of(role).map_err(|reason| format!("'FrameworkInfo.roles' contains invalid role: {reason}"))?;
        if roles.contains(&role) {
            return Err(format!("'FrameworkInfo.roles' contains duplicate items: {role}"));
        }
        roles.push(role);
    }
    Ok(roles)
}

fn role_of(role: &str) -> Result<Role, String> {
    Role::new(role).map_err(|error| match error {
        InvalidRole::EmptyComponent(_) if role.starts_with('/') => format!("Role '{role}' cannot start with a slash"),
        InvalidRole::EmptyComponent(_) if role.ends_with('/') => format!("Role '{role}' cannot end with a slash"),
        other => other.to_string(),
    })
}

/// The roles with these names, which have to be among the framework's.
pub(super) fn suppressed_roles(suppressed: &[String], roles: &[Role]) -> Result<Vec<Role>, String> {
    let find = |name: &String| {
        let found = roles.iter().find(|role| role.as_str() == name).cloned();
        found.ok_or_else(|| format!("Suppressed role '{name}' is not among the framework's roles"))
    };
    suppressed.iter().map(find).collect()
}
