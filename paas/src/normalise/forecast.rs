use std::sync::Arc;

use attica_paas_api::Number;
use attica_paas_api::deployment::{
    ChangeKind, Difference, Forecast as ReadForecast, Free, Misfit as ReadMisfit, PlannedChange as ReadChange,
    Prospect as ReadProspect, Room,
};
use serde_json::{Value, json};

use super::{app, deployment, pod, policy, user};
use crate::access::User;
use crate::engine::{Changes, Forecast, Misfit, PlannedChange, PlannedGroup, PlannedUser, Prospect};
use crate::model::{Agent, CallbackUrl, Group, GroupId, RunSpec, RunSpecId, SecretPath, Shape};

/// What would follow from a write, as clients read it.
#[must_use]
pub fn forecast(forecast: &Forecast) -> ReadForecast {
    ReadForecast {
        version: forecast.version.to_string(),
        steps: forecast.steps.iter().map(|step| deployment::step(step, |id| shape_of(forecast, id))).collect(),
        changes: read(&forecast.changes),
        placement: forecast.placement.as_ref().map(|all| all.iter().map(|one| prospect(one, forecast)).collect()),
    }
}

fn prospect(prospect: &Prospect, forecast: &Forecast) -> ReadProspect {
    let (app, pod) = named(&prospect.run_spec, shape_of(forecast, &prospect.run_spec));
    let room = |(agent, instances): &(Arc<Agent>, u32)| Room {
        agent_id: agent.id.to_string(),
        hostname: agent.hostname.clone(),
        instances: *instances,
    };
    ReadProspect {
        app,
        pod,
        wanted: prospect.wanted,
        missing: prospect.missing(),
        places: prospect.places.iter().map(room).collect(),
        misfits: prospect.misfits.iter().map(misfit).collect(),
    }
}

/// An agent without room, as clients read it.
pub(super) fn misfit(misfit: &Misfit) -> ReadMisfit {
    ReadMisfit {
        agent_id: misfit.agent.id.to_string(),
        hostname: misfit.agent.hostname.clone(),
        reasons: misfit.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
        free: Free {
            cpus: Number(misfit.free.cpus.to_f64()),
            mem: Number(misfit.free.mem.to_f64()),
            disk: Number(misfit.free.disk.to_f64()),
        },
    }
}

/// An id as that of an app, or of a pod.
fn named(id: &RunSpecId, shape: Shape) -> (Option<String>, Option<String>) {
    match shape {
        Shape::App => (Some(id.to_string()), None),
        Shape::Pod => (None, Some(id.to_string())),
    }
}

/// The changes alone, as JSON.
#[must_use]
pub fn changes(changes: &Changes) -> String {
    super::json(&read(changes))
}

fn read(Changes { run_specs, groups, users, secrets, callbacks }: &Changes) -> Vec<ReadChange> {
    // That what is new lies in a new group goes without saying.
    let is_implied = |group: &PlannedGroup| {
        let holds = |change: &PlannedChange| group.id.contains(&GroupId::at(&change.id));
        group.from.is_none() && run_specs.iter().any(holds)
    };
    let groups = groups.iter().map(|group| (is_implied(group), group_change(group)));
    let groups =
        groups.filter(|(implied, change)| !implied || !change.differences.is_empty()).map(|(_, change)| change);
    let secret =
        |path: &SecretPath| ReadChange { secret: Some(path.to_string()), ..unnamed(ChangeKind::Create, Vec::new()) };
    let callback =
        |url: &CallbackUrl| ReadChange { callback: Some(url.to_string()), ..unnamed(ChangeKind::Create, Vec::new()) };
    let others = users.iter().map(user_change).chain(secrets.iter().map(secret)).chain(callbacks.iter().map(callback));
    groups.chain(run_specs.iter().map(change)).chain(others).collect()
}

/// A change of what is yet to be named.
fn unnamed(change: ChangeKind, differences: Vec<Difference>) -> ReadChange {
    ReadChange { app: None, pod: None, group: None, user: None, secret: None, callback: None, change, differences }
}

fn shape_of(forecast: &Forecast, id: &RunSpecId) -> Shape {
    forecast.changes.run_specs.iter().find(|change| change.id == *id).map_or(Shape::App, shape)
}

fn shape(change: &PlannedChange) -> Shape {
    change.to.as_ref().or(change.from.as_ref()).map_or(Shape::App, |spec| spec.shape())
}

/// A definition as it is read.
fn written(spec: &RunSpec) -> Value {
    match spec.shape() {
        Shape::App => serde_json::to_value(app(spec)).unwrap_or_default(),
        Shape::Pod => serde_json::to_value(pod(spec)).unwrap_or_default(),
    }
}

fn change(change: &PlannedChange) -> ReadChange {
    let kind = kind(change.from.is_some(), change.to.is_some());
    let mut differences = Vec::new();
    if let (Some(from), Some(to)) = (&change.from, &change.to) {
        compare("", &written(from), &written(to), &mut differences);
    }
    let (app, pod) = named(&change.id, shape(change));
    ReadChange { app, pod, ..unnamed(kind, differences) }
}

fn kind(before: bool, after: bool) -> ChangeKind {
    match (before, after) {
        (false, _) => ChangeKind::Create,
        (true, true) => ChangeKind::Update,
        (true, false) => ChangeKind::Remove,
    }
}

/// What a group says of itself is little, and compared with nothing when it is new.
fn group_change(change: &PlannedGroup) -> ReadChange {
    let written = |group: &Option<Group>| {
        let group = group.clone().unwrap_or_default();
        json!({
            "dependencies": group.dependencies,
            "enforceRole": group.enforce_role,
            "deployment": group.policy.map(policy),
        })
    };
    let kind = kind(change.from.is_some(), change.to.is_some());
    let mut differences = Vec::new();
    if kind != ChangeKind::Remove {
        compare("", &written(&change.from), &written(&change.to), &mut differences);
    }
    ReadChange { group: Some(change.id.to_string()), ..unnamed(kind, differences) }
}

/// Stands for a password.
const HIDDEN: &str = "hidden";

/// What a user may do is compared with nothing when it is new.
fn user_change(change: &PlannedUser) -> ReadChange {
    let written = |present: &Option<Arc<User>>| {
        let user = present.as_deref().map(user);
        json!({
            "password": user.as_ref().filter(|user| user.has_password).map(|_| HIDDEN),
            "grants": user.as_ref().map_or_else(Vec::new, |user| user.grants.clone()),
            "tokens": user.as_ref().map_or_else(Vec::new, |user| user.tokens.clone()),
        })
    };
    let kind = kind(change.from.is_some(), change.to.is_some());
    let mut differences = Vec::new();
    if kind != ChangeKind::Remove {
        compare("", &written(&change.from), &written(&change.to), &mut differences);
    }
    let password = |user: &Option<Arc<User>>| user.as_ref().and_then(|user| user.password.clone());
    if let (Some(from), Some(to)) = (password(&change.from), password(&change.to))
        && from != to
    {
        differences.push(Difference { path: "/password".to_owned(), from: json!(HIDDEN), to: json!(HIDDEN) });
    }
    ReadChange { user: Some(change.name.to_string()), ..unnamed(kind, differences) }
}

/// Versions differ in any case.
const ALWAYS_DIFFERENT: [&str; 2] = ["/version", "/versionInfo"];

/// Objects are compared member by member, everything else as a whole.
fn compare(path: &str, from: &Value, to: &Value, differences: &mut Vec<Difference>) {
    if from == to || ALWAYS_DIFFERENT.contains(&path) {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (from, to) else {
        differences.push(Difference { path: path.to_owned(), from: from.clone(), to: to.clone() });
        return;
    };
    let added = after.keys().filter(|name| !before.contains_key(*name));
    for name in before.keys().chain(added) {
        let member = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
        compare(&format!("{path}/{name}"), &member(before), &member(after), differences);
    }
}
