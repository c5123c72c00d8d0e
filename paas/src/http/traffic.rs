//! `/v2/traffic`: what load balancers report. Nothing of it is durable: a new leader begins with nothing, and has it again as soon as
//! they have reported again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use attica_paas_api::traffic::{AppTraffic, LoadBalancer, Traffic as ReadTraffic};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode};

use super::query::Query;
use super::service::Leading;
use super::{answer, body, guard, refusal};
use crate::model::{ConsumerName, RunSpecId};
use crate::validate::{Faults, limits};

/// A load balancer that says nothing for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15);

/// What the load balancers have reported lately.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<BTreeMap<ConsumerName, Reported>>);

#[derive(Debug)]
struct Reported {
    last: Instant,
    apps: BTreeMap<RunSpecId, AppTraffic>,
}

impl Traffic {
    /// Adds a report to the earlier ones; false: there are too many load balancers.
    fn report(&self, now: Instant, name: ConsumerName, apps: Vec<(RunSpecId, AppTraffic)>) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, reported| now.duration_since(reported.last) < FORGOTTEN_AFTER);
        if all.len() >= limits::CONSUMERS_MAX && !all.contains_key(&name) {
            return false;
        }
        let reported = all.entry(name).or_insert_with(|| Reported { last: now, apps: BTreeMap::new() });
        reported.last = now;
        for (id, traffic) in apps {
            if reported.apps.len() < limits::TRAFFIC_APPS_MAX || reported.apps.contains_key(&id) {
                reported.apps.insert(id, traffic);
            }
        }
        true
    }

    /// The reports about apps that are `wanted`; those about apps that do not exist are forgotten.
    fn shown(
        &self,
        now: Instant,
        exists: impl Fn(&RunSpecId) -> bool,
        wanted: impl Fn(&RunSpecId) -> bool,
    ) -> ReadTraffic {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, reported| now.duration_since(reported.last) < FORGOTTEN_AFTER);
        let load_balancers = all.iter_mut().map(|(name, reported)| {
            reported.apps.retain(|id, _| exists(id));
            let apps = reported.apps.iter().filter(|(id, _)| wanted(id));
            let apps = apps.map(|(id, traffic)| (id.to_string(), *traffic)).collect();
            LoadBalancer { name: name.to_string(), apps }
        });
        ReadTraffic { load_balancers: load_balancers.collect() }
    }
}

pub(super) async fn report(leading: &Leading, request: Request<Body>) -> Response {
    let LoadBalancer { name, apps } = match body::document(request.into_body()).await {
        Ok(report) => report,
        Err(refused) => return refused,
    };
    let (name, apps) = match valid(&name, apps) {
        Ok(valid) => valid,
        Err(faults) => return refusal::invalid(faults),
    };
    match leading.traffic.report(Instant::now(), name, apps) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => answer::unavailable(format!("{} load balancers report already", limits::CONSUMERS_MAX)),
    }
}

fn valid(
    name: &str,
    apps: BTreeMap<String, AppTraffic>,
) -> Result<(ConsumerName, Vec<(RunSpecId, AppTraffic)>), Faults> {
    let mut faults = Faults::default();
    if apps.len() > limits::TRAFFIC_APPS_MAX {
        faults.add("/apps", format!("must not have more than {} entries", limits::TRAFFIC_APPS_MAX));
        return Err(faults);
    }
    let name = ConsumerName::parse(name).map_err(|error| Faults::one("/name", error.to_string()))?;
    let mut valid = Vec::with_capacity(apps.len());
    for (id, traffic) in apps {
        match RunSpecId::parse(&id) {
            Ok(id) => valid.push((id, traffic)),
            Err(error) => faults.add(format!("/apps/{id}"), error.to_string()),
        }
    }
    faults.into_result((name, valid))
}

pub(super) fn read(leading: &Leading, request: &Request<Body>) -> Response {
    let query = Query::of(request.uri());
    let only = match query.first("app").map(RunSpecId::parse).transpose() {
        Ok(only) => only,
        // What is not an id names no app, and no app has no traffic.
        Err(_) => return answer::document(StatusCode::OK, &ReadTraffic { load_balancers: Vec::new() }),
    };
    let exists = |id: &RunSpecId| leading.model.exists(id);
    let sight = guard::proven(request).caller.sight();
    let wanted = |id: &RunSpecId| only.as_ref().is_none_or(|only| only == id) && sight.sees(id.as_str());
    answer::document(StatusCode::OK, &leading.traffic.shown(Instant::now(), exists, wanted))
}
