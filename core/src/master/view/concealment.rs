//! What a caller may not see is left out of what operators are shown, without a word.
//!
//! Only callers under rules come here: everybody else gets lists and events as they were put together, without another look at them.

use attica_core_api::auth::{Action, Object, Viewer};
use attica_core_api::operator::{
    Agent, ClusterStatus, Event, EventType, Executor, Framework, GetAgents, GetFrameworks, GetState, GetTasks,
    QuotaStatus, Response as Answer, Schedule,
};
use attica_core_api::v1::{FrameworkId, OfferOperation, Operation, Resource, Role, Task, TaskId};

use super::{Model, ReadModel};

/// As whom things run that do not say so themselves.
pub(in crate::master) trait Users {
    /// The user of a framework; `None`: there is no such framework, so nothing of it may be seen.
    fn of_framework(&self, framework: &FrameworkId) -> Option<String>;

    /// The user of a task.
    fn of_task(&self, framework: &FrameworkId, task: &TaskId) -> Option<String>;
}

impl Users for Model {
    fn of_framework(&self, framework: &FrameworkId) -> Option<String> {
        self.frameworks.get(framework).map(|framework| framework.user().to_owned())
    }

    fn of_task(&self, framework: &FrameworkId, task: &TaskId) -> Option<String> {
        let key = self.task_keys.get(&(framework.clone(), task.clone()))?;
        self.tasks.get(key)?.message().user.or_else(|| self.of_framework(framework))
    }
}

impl Users for ReadModel {
    fn of_framework(&self, framework: &FrameworkId) -> Option<String> {
        self.lock().of_framework(framework)
    }

    fn of_task(&self, framework: &FrameworkId, task: &TaskId) -> Option<String> {
        self.lock().of_task(framework, task)
    }
}

/// What one caller is not shown.
pub(in crate::master) struct Concealment<'a> {
    viewer: &'a Viewer,
    users: &'a dyn Users,
}

impl<'a> Concealment<'a> {
    /// From this caller.
    pub(in crate::master) fn new(viewer: &'a Viewer, users: &'a dyn Users) -> Concealment<'a> {
        Concealment { viewer, users }
    }

    /// Takes out of an answer what is not for its reader.
    pub(in crate::master) fn answer(&self, answer: &mut Answer) {
        answer.get_state.iter_mut().for_each(|state| self.state(state));
        answer.get_agents.iter_mut().for_each(|agents| self.agents(agents));
        answer.get_frameworks.iter_mut().for_each(|frameworks| self.frameworks(frameworks));
        answer.get_tasks.iter_mut().for_each(|tasks| self.tasks(tasks));
        if let Some(list) = &mut answer.get_executors {
            list.executors.retain(|executor| self.sees_executor(executor));
        }
        if let Some(list) = &mut answer.get_operations {
            list.operations.retain(|operation| self.sees_operation(operation));
        }
        if let Some(list) = &mut answer.get_roles {
            list.roles.retain_mut(|role| self.role(role));
        }
        if let Some(list) = &mut answer.get_weights {
            list.weight_infos.retain(|info| self.viewer.sees_role(info.role.as_deref().unwrap_or("*")));
        }
        if let Some(list) = &mut answer.get_quota {
            self.quotas(&mut list.status);
        }
        if let Some(plan) = &mut answer.get_maintenance_schedule {
            self.schedule(&mut plan.schedule);
        }
        if let Some(machines) = &mut answer.get_maintenance_status {
            self.machines(&mut machines.status);
        }
    }

    /// An event as its reader may see it, if at all.
    pub(in crate::master) fn event(&self, event: &Event) -> Option<Event> {
        let mut event = event.clone();
        let seen = match event.r#type.unwrap_or(EventType::Unknown) {
            EventType::Subscribed => {
                let state = event.subscribed.iter_mut().filter_map(|subscribed| subscribed.get_state.as_mut());
                state.for_each(|state| self.state(state));
                true
            }
            EventType::TaskAdded => event.task_added.iter().all(|added| self.sees_task(&added.task)),
            EventType::TaskUpdated => event.task_updated.iter().all(|updated| {
                let user = self.users.of_task(&updated.framework_id, &updated.status.task_id);
                self.sees_framework_of(&updated.framework_id) && user.is_some_and(|user| self.viewer.sees_task(&user))
            }),
            EventType::FrameworkAdded => {
                event.framework_added.iter_mut().all(|added| self.framework(&mut added.framework))
            }
            EventType::FrameworkUpdated => {
                event.framework_updated.iter_mut().all(|updated| self.framework(&mut updated.framework))
            }
            EventType::FrameworkRemoved => {
                event.framework_removed.iter().all(|removed| self.viewer.sees_framework(&removed.framework_info.user))
            }
            EventType::AgentAdded => {
                event.agent_added.iter_mut().for_each(|added| self.agent(&mut added.agent));
                true
            }
            EventType::AgentRemoved | EventType::Heartbeat | EventType::Unknown => true,
        };
        seen.then_some(event)
    }

    /// Quotas of roles.
    pub(in crate::master) fn quotas(&self, quotas: &mut QuotaStatus) {
        let sees = |role: &str| self.viewer.may(Action::GetQuota, Object::Value(role));
        quotas.infos.retain(|info| sees(info.role.as_deref().unwrap_or("*")));
        quotas.configs.retain(|config| sees(&config.role));
    }

    /// What is planned for machines.
    pub(in crate::master) fn schedule(&self, schedule: &mut Schedule) {
        if !self.viewer.may(Action::GetMaintenanceSchedule, Object::Any) {
            schedule.windows.clear();
        }
    }

    /// Where machines stand.
    pub(in crate::master) fn machines(&self, status: &mut ClusterStatus) {
        if !self.viewer.may(Action::GetMaintenanceStatus, Object::Any) {
            *status = ClusterStatus::default();
        }
    }

    fn state(&self, state: &mut GetState) {
        state.get_tasks.iter_mut().for_each(|tasks| self.tasks(tasks));
        state.get_frameworks.iter_mut().for_each(|frameworks| self.frameworks(frameworks));
        state.get_agents.iter_mut().for_each(|agents| self.agents(agents));
        if let Some(list) = &mut state.get_executors {
            list.executors.retain(|executor| self.sees_executor(executor));
        }
    }

    fn tasks(&self, tasks: &mut GetTasks) {
        for list in [&mut tasks.tasks, &mut tasks.unreachable_tasks, &mut tasks.completed_tasks] {
            list.retain(|task| self.sees_task(task));
        }
    }

    fn frameworks(&self, frameworks: &mut GetFrameworks) {
        frameworks.frameworks.retain_mut(|framework| self.framework(framework));
        frameworks.completed_frameworks.retain_mut(|framework| self.framework(framework));
    }

    fn agents(&self, agents: &mut GetAgents) {
        agents.agents.iter_mut().for_each(|agent| self.agent(agent));
        agents.recovered_agents.iter_mut().for_each(|info| self.resources(&mut info.resources));
    }

    fn agent(&self, agent: &mut Agent) {
        self.resources(&mut agent.agent_info.resources);
        self.resources(&mut agent.total_resources);
        self.resources(&mut agent.allocated_resources);
        self.resources(&mut agent.offered_resources);
    }

    /// Whether it may be seen; takes out of it what may not.
    fn framework(&self, framework: &mut Framework) -> bool {
        self.resources(&mut framework.allocated_resources);
        self.resources(&mut framework.offered_resources);
        framework.offers.retain_mut(|offer| {
            self.resources(&mut offer.resources);
            let role = offer.allocation_info.as_ref().and_then(|info| info.role.as_deref());
            role.is_none_or(|role| self.viewer.sees_role(role))
        });
        self.viewer.sees_framework(&framework.framework_info.user)
    }

    fn role(&self, role: &mut Role) -> bool {
        role.frameworks.retain(|framework| self.sees_framework_of(framework));
        self.viewer.sees_role(&role.name)
    }

    fn resources(&self, resources: &mut Vec<Resource>) {
        resources.retain(|resource| self.sees_resource(resource));
    }

    /// The most refined reservation stands for those that it refines.
    fn sees_resource(&self, resource: &Resource) -> bool {
        let reserved = resource.reservations.last().and_then(|reservation| reservation.role.as_deref());
        let of_old = resource.role.as_deref().filter(|role| *role != "*");
        let allocated = resource.allocation_info.as_ref().and_then(|info| info.role.as_deref());
        [reserved, of_old, allocated].into_iter().flatten().all(|role| self.viewer.sees_role(role))
    }

    fn sees_operation(&self, operation: &Operation) -> bool {
        operation.framework_id.as_ref().is_none_or(|framework| self.sees_framework_of(framework))
            && resources_of(&operation.info).all(|resource| self.sees_resource(resource))
    }

    fn sees_framework_of(&self, framework: &FrameworkId) -> bool {
        self.users.of_framework(framework).is_some_and(|user| self.viewer.sees_framework(&user))
    }

    fn sees_task(&self, task: &Task) -> bool {
        let Some(user) = self.users.of_framework(&task.framework_id) else { return false };
        self.viewer.sees_framework(&user) && self.viewer.sees_task(task.user.as_deref().unwrap_or(&user))
    }

    fn sees_executor(&self, executor: &Executor) -> bool {
        let info = &executor.executor_info;
        let Some(user) = info.framework_id.as_ref().and_then(|framework| self.users.of_framework(framework)) else {
            return false;
        };
        let own = info.command.as_ref().and_then(|command| command.user.as_deref());
        self.viewer.sees_framework(&user) && self.viewer.sees_executor(own.unwrap_or(&user))
    }
}

fn resources_of(operation: &OfferOperation) -> impl Iterator<Item = &Resource> {
    let reserve = operation.reserve.iter().flat_map(|reserve| reserve.source.iter().chain(&reserve.resources));
    let unreserve = operation.unreserve.iter().flat_map(|unreserve| &unreserve.resources);
    let create = operation.create.iter().flat_map(|create| &create.volumes);
    let destroy = operation.destroy.iter().flat_map(|destroy| &destroy.volumes);
    let grow = operation.grow_volume.iter().flat_map(|grow| [&grow.volume, &grow.addition]);
    let shrink = operation.shrink_volume.iter().map(|shrink| &shrink.volume);
    reserve.chain(unreserve).chain(create).chain(destroy).chain(grow).chain(shrink)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use attica_core_api::auth::{Acls, Principal};
    use attica_core_api::decode_json;
    use attica_core_api::encode_json;
    use serde_json::{Value, json};

    use super::*;
    use crate::master::view::testing::Known;

    /// Sees users `ann` and roles `a`, and no quota but that of `a`.
    fn ann() -> Viewer {
        let rule = |list: &str, object: &str, value: &str| {
            format!(
                r#""{list}":[{{"principals":{{"values":["ann"]}},"{object}":{{"values":["{value}"]}}}},
                    {{"principals":{{"type":"ANY"}},"{object}":{{"type":"NONE"}}}}]"#
            )
        };
        let rules = [
            rule("view_frameworks", "users", "ann"),
            rule("view_tasks", "users", "ann"),
            rule("view_executors", "users", "ann"),
            rule("view_roles", "roles", "a"),
            rule("get_quotas", "roles", "a"),
            r#""get_maintenance_schedules":[{"principals":{"type":"ANY"},"machines":{"type":"NONE"}}]"#.to_owned(),
            r#""get_maintenance_statuses":[{"principals":{"type":"ANY"},"machines":{"type":"NONE"}}]"#.to_owned(),
        ];
        let acls = Acls::parse(&format!("{{{}}}", rules.join(","))).unwrap();
        Viewer::new(Some(Principal::named("ann")), Some(Arc::new(acls)))
    }

    fn id(value: &str) -> Value {
        json!({ "value": value })
    }

    fn reserved(role: &str) -> Value {
        let reservations = json!([{ "type": "STATIC", "role": role }]);
        json!({ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 }, "reservations": reservations })
    }

    fn task(name: &str, framework: &str, user: Option<&str>) -> Value {
        let mut task = json!({
            "name": name, "task_id": id(name), "framework_id": id(framework), "agent_id": id("s"), "state": "TASK_RUNNING",
        });
        if let Some(user) = user {
            task["user"] = user.into();
        }
        task
    }

    fn framework(user: &str, roles: &[&str]) -> Value {
        let resources: Vec<Value> = roles.iter().map(|role| reserved(role)).collect();
        json!({
            "framework_info": { "user": user, "name": user }, "active": true, "connected": true, "recovered": false,
            "allocated_resources": resources,
        })
    }

    fn executor(framework: &str, user: &str) -> Value {
        let info = json!({ "executor_id": id("e"), "framework_id": id(framework), "command": { "user": user } });
        json!({ "executor_info": info, "agent_id": id("s") })
    }

    fn state(tasks: &[Value], executors: &[Value], frameworks: &[Value], roles: &[&str]) -> Value {
        let resources: Vec<Value> = roles.iter().map(|role| reserved(role)).collect();
        let agent = json!({
            "agent_info": { "hostname": "h", "resources": resources }, "active": true, "version": "1",
            "total_resources": resources,
        });
        json!({
            "get_tasks": { "tasks": tasks, "unreachable_tasks": tasks, "completed_tasks": tasks },
            "get_executors": { "executors": executors },
            "get_frameworks": { "frameworks": frameworks, "completed_frameworks": frameworks },
            "get_agents": { "agents": [agent], "recovered_agents": [{ "hostname": "h", "resources": resources }] },
        })
    }

    /// The same answer, and what is left of it for the reader.
    fn read(answer: &Value, viewer: &Viewer) -> (String, String) {
        let parsed = || decode_json::<Answer>(answer.to_string().as_bytes()).unwrap();
        let mut left = parsed();
        Concealment::new(viewer, &Known).answer(&mut left);
        let text = |answer: &Answer| String::from_utf8(encode_json(answer)).unwrap();
        (text(&parsed()), text(&left))
    }

    #[test]
    fn every_list_shows_only_what_its_reader_may_see() {
        let (mine, others) = (task("1", "of-ann", None), task("2", "of-bob", None));
        let hidden = [others, task("3", "of-ann", Some("root")), task("4", "gone", Some("ann"))];
        let tasks = [std::slice::from_ref(&mine), &hidden].concat();
        let executors =
            [executor("of-ann", "ann"), executor("of-ann", "root"), executor("of-bob", "ann"), executor("gone", "ann")];
        let frameworks = [framework("ann", &["a", "b"]), framework("bob", &["a"])];
        let operation = |framework: &str, role: &str| {
            let info = json!({ "type": "UNRESERVE", "unreserve": { "resources": [reserved(role)] } });
            json!({
                "framework_id": id(framework), "info": info, "latest_status": { "state": "OPERATION_PENDING" },
                "uuid": { "value": "AAAA" },
            })
        };
        let window =
            json!({ "machine_ids": [{ "hostname": "h" }], "unavailability": { "start": { "nanoseconds": 1 } } });
        let cases = [
            (
                json!({ "type": "GET_STATE", "get_state": state(&tasks, &executors, &frameworks, &["a", "b"]) }),
                json!({ "type": "GET_STATE",
                    "get_state": state(&[mine], &[executor("of-ann", "ann")], &[framework("ann", &["a"])], &["a"]) }),
            ),
            (
                json!({ "type": "GET_ROLES", "get_roles": { "roles": [
                    { "name": "a", "weight": 1.0, "frameworks": [id("of-ann"), id("of-bob")] }, { "name": "b", "weight": 1.0 } ] } }),
                json!({ "type": "GET_ROLES", "get_roles": { "roles": [
                    { "name": "a", "weight": 1.0, "frameworks": [id("of-ann")] } ] } }),
            ),
            (
                json!({ "type": "GET_WEIGHTS", "get_weights": { "weight_infos": [
                    { "role": "a", "weight": 2.0 }, { "role": "b", "weight": 3.0 } ] } }),
                json!({ "type": "GET_WEIGHTS", "get_weights": { "weight_infos": [{ "role": "a", "weight": 2.0 }] } }),
            ),
            (
                json!({ "type": "GET_QUOTA", "get_quota": { "status": {
                    "infos": [{ "role": "a" }, { "role": "b" }], "configs": [{ "role": "a" }, { "role": "b" }] } } }),
                json!({ "type": "GET_QUOTA", "get_quota": { "status": { "infos": [{ "role": "a" }], "configs": [{ "role": "a" }] } } }),
            ),
            (
                json!({ "type": "GET_OPERATIONS", "get_operations": { "operations": [
                    operation("of-ann", "a"), operation("of-ann", "b"), operation("of-bob", "a") ] } }),
                json!({ "type": "GET_OPERATIONS", "get_operations": { "operations": [operation("of-ann", "a")] } }),
            ),
            (
                json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": { "schedule": { "windows": [window] } } }),
                json!({ "type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": { "schedule": {} } }),
            ),
            (
                json!({ "type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": { "status": { "down_machines": [{ "hostname": "h" }] } } }),
                json!({ "type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": { "status": {} } }),
            ),
        ];
        for (answer, expected) in cases {
            let expected = decode_json::<Answer>(expected.to_string().as_bytes()).unwrap();
            let expected = String::from_utf8(encode_json(&expected)).unwrap();
            let (whole, left) = read(&answer, &ann());
            assert_eq!(left, expected);
            assert_ne!(left, whole, "the case hides nothing");
            let (whole, left) = read(&answer, &Viewer::default());
            // Even without rules nothing is shown of frameworks that are not known.
            assert!(left == whole || whole.contains("gone"), "{left}");
        }
    }

    #[test]
    fn events_are_for_those_who_may_see_what_they_are_about() {
        let updated = |task: &str, framework: &str| {
            let status = json!({ "task_id": id(task), "state": "TASK_RUNNING" });
            json!({ "type": "TASK_UPDATED",
                "task_updated": { "framework_id": id(framework), "status": status, "state": "TASK_RUNNING" } })
        };
        let removed = |user: &str| {
            json!({ "type": "FRAMEWORK_REMOVED",
                "framework_removed": { "framework_info": { "user": user, "name": "n" } } })
        };
        let added = |task: Value| json!({ "type": "TASK_ADDED", "task_added": { "task": task } });
        let of_framework = |kind: &str, user: &str| {
            let member = kind.to_lowercase();
            json!({ "type": kind, member: { "framework": framework(user, &["a"]) } })
        };
        let cases = [
            (added(task("1", "of-ann", None)), true),
            (added(task("1", "of-ann", Some("root"))), false),
            (added(task("1", "of-bob", None)), false),
            (updated("1", "of-ann"), true),
            (updated("root's", "of-ann"), false),
            (updated("1", "of-bob"), false),
            (updated("1", "gone"), false),
            (of_framework("FRAMEWORK_ADDED", "ann"), true),
            (of_framework("FRAMEWORK_ADDED", "bob"), false),
            (of_framework("FRAMEWORK_UPDATED", "bob"), false),
            (removed("ann"), true),
            (removed("bob"), false),
            (json!({ "type": "AGENT_REMOVED", "agent_removed": { "agent_id": id("s") } }), true),
            (json!({ "type": "HEARTBEAT" }), true),
        ];
        for (event, expected) in cases {
            let event = decode_json::<Event>(event.to_string().as_bytes()).unwrap();
            let shown = Concealment::new(&ann(), &Known).event(&event);
            assert_eq!(shown.is_some(), expected, "{event:?}");
            assert!(shown.is_none_or(|shown| shown == event));
        }
    }
}
