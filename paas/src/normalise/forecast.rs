use attica_paas_api::deployment::{ChangeKind, Difference, Forecast as ReadForecast, PlannedChange as ReadChange};
use serde_json::Value;

use super::{app, deployment, pod};
use crate::engine::{Forecast, PlannedChange};
use crate::model::{RunSpec, RunSpecId, Shape};

/// What would follow from a write, as clients read it.
#[must_use]
pub fn forecast(forecast: &Forecast) -> ReadForecast {
    ReadForecast {
        version: forecast.version.to_string(),
        steps: forecast.steps.iter().map(|step| deployment::step(step, |id| shape_of(forecast, id))).collect(),
        changes: forecast.changes.iter().map(change).collect(),
    }
}

fn shape_of(forecast: &Forecast, id: &RunSpecId) -> Shape {
    forecast.changes.iter().find(|change| change.id == *id).map_or(Shape::App, shape)
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
    let kind = match (&change.from, &change.to) {
        (None, _) => ChangeKind::Create,
        (Some(_), Some(_)) => ChangeKind::Update,
        (Some(_), None) => ChangeKind::Remove,
    };
    let mut differences = Vec::new();
    if let (Some(from), Some(to)) = (&change.from, &change.to) {
        compare("", &written(from), &written(to), &mut differences);
    }
    let name = Some(change.id.to_string());
    let (app, pod) = match shape(change) {
        Shape::App => (name, None),
        Shape::Pod => (None, name),
    };
    ReadChange { app, pod, change: kind, differences }
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
