//! What a server says about two apps, three tasks and a deployment.

use serde_json::{Value, json};

pub(in crate::client) const DEPLOYMENT: &str = "5d9a0001-0000-4000-8000-000000000001";
pub(in crate::client) const CHANGED_AT: &str = "2026-03-01T11:59:30.000Z";
pub(in crate::client) const BEFORE: &str = "2026-03-01T10:00:00.000Z";

/// A definition with all defaults.
pub(in crate::client) fn definition(id: &str, instances: u32, version: &str) -> Value {
    json!({
        "id": id, "cmd": "python3 -m http.server $PORT0", "args": null, "user": null, "container": null,
        "env": {"MODE": "slow", "OLD": "1"}, "instances": instances, "cpus": 0.1, "mem": 32, "disk": 0, "gpus": 0, "executor": "",
        "constraints": [["hostname", "UNIQUE"]], "role": "*", "networks": [{"mode": "host"}],
        "portDefinitions": [{"port": 10000, "protocol": "tcp", "name": "http"}], "requirePorts": false,
        "healthChecks": [{
            "protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 5, "intervalSeconds": 2,
            "timeoutSeconds": 20, "maxConsecutiveFailures": 3, "delaySeconds": 15,
        }],
        "dependencies": [], "upgradeStrategy": {"minimumHealthCapacity": 1, "maximumOverCapacity": 1},
        "killSelection": "YOUNGEST_FIRST", "unreachableStrategy": {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
        "labels": {"HAPROXY_GROUP": "external"}, "backoffSeconds": 1, "backoffFactor": 1.15, "maxLaunchDelaySeconds": 300,
        "version": version, "versionInfo": {"lastScalingAt": version, "lastConfigChangeAt": version},
    })
}

/// A definition with other members.
pub(in crate::client) fn with(mut document: Value, members: Value) -> Value {
    document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    document
}

pub(in crate::client) fn task(number: u32, app: &str, version: &str, members: Value) -> Value {
    let instance = format!("{}.instance-00000000-0000-0000-0000-00000000000{number}", &app[1..].replace('/', "_"));
    let task = json!({
        "id": format!("{instance}._app.1"), "appId": app, "host": format!("127.0.0.{number}"), "ports": [31000 + number],
        "servicePorts": [10000], "ipAddresses": [], "slaveId": format!("S{number}"), "state": "TASK_RUNNING",
        "stagedAt": version, "startedAt": version, "version": version,
        "healthCheckResults": [health(&instance, true, 0)], "localVolumes": [], "role": "*",
    });
    with(task, members)
}

pub(in crate::client) fn health(instance: &str, alive: bool, failures: u32) -> Value {
    json!({
        "alive": alive, "consecutiveFailures": failures, "firstSuccess": null, "lastSuccess": null, "lastFailure": null,
        "lastFailureCause": null, "instanceId": instance,
    })
}

/// An app of which one of two instances is of the newest version.
pub(in crate::client) fn half_way() -> Value {
    with(
        definition("/shop/web", 2, CHANGED_AT),
        json!({
            "tasksStaged": 0, "tasksRunning": 3, "tasksHealthy": 2, "tasksUnhealthy": 1, "deployments": [{"id": DEPLOYMENT}],
            "tasks": [
                task(1, "/shop/web", CHANGED_AT, json!({})),
                task(2, "/shop/web", BEFORE, json!({})),
                task(3, "/shop/web", CHANGED_AT, json!({"healthCheckResults": [health("i", false, 2)]})),
            ],
            "lastTaskFailure": {
                "appId": "/shop/web", "host": "127.0.0.2", "message": "Command exited with status 1", "state": "TASK_FAILED",
                "taskId": "t", "timestamp": "2026-03-01T11:59:50.000Z", "version": CHANGED_AT,
            },
        }),
    )
}

/// An app at rest, as many as wanted of it running.
pub(in crate::client) fn at_rest(id: &str, instances: u32, version: &str) -> Value {
    let counts = json!({
        "tasksStaged": 0, "tasksRunning": instances, "tasksHealthy": instances, "tasksUnhealthy": 0, "deployments": [],
        "tasks": (1..=instances).map(|number| task(number, id, version, json!({}))).collect::<Vec<_>>(),
    });
    with(definition(id, instances, version), counts)
}

pub(in crate::client) fn deployment() -> Value {
    json!({
        "id": DEPLOYMENT, "version": CHANGED_AT, "affectedApps": ["/shop/web"], "affectedPods": [],
        "steps": [{"actions": [{"action": "RestartApplication", "app": "/shop/web"}]}],
        "currentActions": [{"action": "RestartApplication", "app": "/shop/web", "readinessCheckResults": []}],
        "currentStep": 1, "totalSteps": 1,
    })
}

/// The same, with how far each instance is.
pub(in crate::client) fn deployment_with_progress() -> Value {
    let instance = |number: u32, is_new: bool, condition: &str, more: Value| {
        with(
            json!({
                "id": format!("shop_web.instance-{number}"), "version": BEFORE, "isNew": is_new, "condition": condition,
                "since": CHANGED_AT,
            }),
            more,
        )
    };
    let instances = json!([
        instance(1, false, "Running", json!({"waitsFor": "turn"})),
        instance(2, true, "Running", json!({"waitsFor": "health"})),
        instance(3, true, "Running", json!({})),
        instance(4, true, "Scheduled", json!({"waitsFor": "offer"})),
    ]);
    with(deployment(), json!({"progress": [{"app": "/shop/web", "wanted": 3, "serving": 1, "instances": instances}]}))
}

/// What a dry run of more instances is answered with: there is not room for all of them.
pub(in crate::client) fn forecast() -> Value {
    let room = |number: u32| json!({"agentId": format!("S{number}"), "hostname": format!("127.0.0.{number}"), "instances": number});
    let misfit = |number: u32, reasons: Value| {
        let free = json!({"cpus": 0.05, "mem": 4, "disk": 100});
        json!({"agentId": format!("S{number}"), "hostname": format!("127.0.0.{number}"), "reasons": reasons, "free": free})
    };
    let misfits = json!([
        misfit(1, json!(["InsufficientCpus"])),
        misfit(2, json!(["UnfulfilledConstraint", "InsufficientMemory"]))
    ]);
    let difference = json!({"path": "/instances", "from": 2, "to": 5});
    let dependencies = json!({"path": "/dependencies", "from": [], "to": ["/db"]});
    json!({
        "version": CHANGED_AT,
        "steps": [{"actions": [{"action": "ScaleApplication", "app": "/shop/web"}, {"action": "ScalePod", "pod": "/shop/pod"}]}],
        "changes": [
            {"group": "/shop", "change": "update", "differences": [dependencies]},
            {"app": "/shop/web", "change": "update", "differences": [difference]},
        ],
        "placement": [
            {"app": "/shop/web", "wanted": 4, "missing": 1, "places": [room(1), room(2)], "misfits": misfits},
            {"pod": "/shop/pod", "wanted": 7, "missing": 0, "places": (1..8).map(room).collect::<Value>(), "misfits": []},
        ],
    })
}

/// A pod with an instance that runs, and one that waits.
pub(in crate::client) fn pod() -> Value {
    let instance = |number: u32, status: &str, containers: Value| {
        json!({
            "id": format!("shop_pod.instance-{number}"), "status": status, "statusSince": BEFORE, "conditions": [],
            "agentHostname": "127.0.0.1", "resources": {"cpus": 0.3, "mem": 96}, "networks": [], "containers": containers,
            "specReference": "", "localVolumes": [], "role": "*", "lastUpdated": BEFORE, "lastChanged": BEFORE,
        })
    };
    let container = |name: &str, endpoints: Value| {
        json!({
            "name": name, "status": "TASK_RUNNING", "statusSince": BEFORE, "conditions": [], "containerId": "t",
            "endpoints": endpoints, "resources": {"cpus": 0.1, "mem": 32}, "lastUpdated": BEFORE, "lastChanged": BEFORE,
        })
    };
    let both =
        json!([container("web", json!([{"name": "http", "allocatedHostPort": 31000}])), container("log", json!([]))]);
    json!({
        "id": "/shop/pod", "status": "DEGRADED", "statusSince": BEFORE, "lastUpdated": BEFORE, "lastChanged": BEFORE,
        "spec": {
            "id": "/shop/pod", "scaling": {"kind": "fixed", "instances": 2},
            "containers": [{"name": "web", "resources": {"cpus": 0.1, "mem": 32}}, {"name": "log", "resources": {"cpus": 0.1, "mem": 32}}],
        },
        "instances": [instance(1, "STABLE", both), instance(2, "PENDING", json!([]))],
        "terminationHistory": [{
            "instanceID": "shop_pod.instance-1", "startedAt": BEFORE, "terminatedAt": "2026-03-01T11:59:50.000Z", "message": "Command exited with status 1",
            "containers": [],
        }],
    })
}

pub(in crate::client) fn began() -> Value {
    json!({"version": CHANGED_AT, "deploymentId": DEPLOYMENT})
}

/// An event about a deployment.
pub(in crate::client) fn deployment_event(event_type: &str, members: Value) -> Value {
    let event = json!({
        "id": DEPLOYMENT, "plan": {"id": DEPLOYMENT, "steps": [], "version": CHANGED_AT}, "eventType": event_type,
        "timestamp": "2026-03-01T12:00:00.000Z",
    });
    with(event, members)
}

pub(in crate::client) fn queue() -> Value {
    let row = |reason: &str, declined: u32, processed: u32| json!({"reason": reason, "declined": declined, "processed": processed});
    let item = |id: &str, delay: Value, rows: Value| {
        json!({
            "count": 1, "role": "*", "since": "2026-03-01T11:59:40.000Z", "app": definition(id, 2, CHANGED_AT), "delay": delay,
            "processedOffersSummary": {
                "processedOffersCount": 3, "unusedOffersCount": 3, "rejectSummaryLastOffers": rows,
                "rejectSummaryLaunchAttempt": [],
            },
        })
    };
    let due = json!({"timeLeftSeconds": 0, "overdue": true});
    let refused = json!({
        "conditions": [
            {"reason": "UnfulfilledConstraint", "since": "2026-03-01T11:59:40.000Z"},
            {"reason": "InsufficientCpus", "since": "2026-03-01T11:59:55.000Z"},
        ],
        "nearestFits": [
            {"agentId": "S1", "hostname": "n2", "reasons": ["InsufficientCpus"], "free": {"cpus": 0.5, "mem": 64, "disk": 0}},
        ],
    });
    json!({"queue": [
        with(item("/shop/web", due.clone(), json!([
            row("UnfulfilledRole", 0, 3), row("UnfulfilledConstraint", 2, 3), row("InsufficientCpus", 1, 1),
        ])), refused),
        item("/slow", json!({"timeLeftSeconds": 150, "overdue": false}), json!([])),
        item("/lonely", due.clone(), json!([row("UnfulfilledRole", 0, 0)])),
        item("/big", due, json!([row("UnfulfilledRole", 0, 1), row("InsufficientMemory", 1, 1)])),
    ]})
}
