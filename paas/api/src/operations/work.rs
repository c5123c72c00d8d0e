//! Calls about what runs: apps, pods, groups, tasks, deployments and the queue.

use super::parameters::{
    DRY_RUN, EMBED, EMBED_IN_GROUP, EMBED_IN_ONE, EMBED_PROGRESS, FORCE, FORCE_DELETE, HOST, LIST, LOG, PARTIAL, SCALE,
    WIPE,
};
use super::{Answer, GROUP_WRITE, Operation, Parameter, ParameterKind, READ, WRITE, get, schema};
use crate::access::Permission::Exec as MayExec;
use crate::access::Rule;
use crate::agent::AgentList;
use crate::app::{AppInfo, AppList, AppWrapper, AppsWithin, VersionList};
use crate::deployment::{Deployment, DeploymentResult, EndedDeployment};
use crate::group::{Group, GroupPatch, GroupUpdate};
use crate::pod::{Pod, PodInstance, PodStatus};
use crate::queue::Queue;
use crate::session::{Exec, SessionEvent, SessionInput};
use crate::task::{LogPiece, TaskList};
use crate::update::{AppUpdate, DeleteTasks};

pub(super) const WORK: &[Operation] = &[
    Operation { query: LIST, failures: &[422], ..get("/v2/apps", "Lists apps.", Answer::Json(schema::<AppList>)) },
    Operation {
        method: "POST",
        path: "/v2/apps",
        summary: "Creates an app.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (201, Answer::Json(schema::<AppInfo>)),
        failures: WRITE,
    },
    Operation {
        method: "PUT",
        path: "/v2/apps",
        summary: "Creates or changes several apps in one deployment.",
        rule: Rule::Changing,
        query: &[FORCE, PARTIAL, DRY_RUN],
        body: Some(schema::<Vec<AppUpdate>>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/apps",
        summary: "Changes several existing apps in one deployment.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<Vec<AppUpdate>>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        query: &[EMBED_IN_ONE],
        failures: READ,
        ..get("/v2/apps/{app}", "Shows an app.", Answer::Json(schema::<AppWrapper>))
    },
    Operation {
        query: &[EMBED],
        failures: READ,
        ..get("/v2/apps/{group}/*", "Lists the apps in a group, at any depth.", Answer::Json(schema::<AppsWithin>))
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/apps/{group}/*/tasks",
            "Lists the instances of the apps in a group, at any depth.",
            Answer::Json(schema::<TaskList>),
        )
    },
    Operation {
        method: "PUT",
        path: "/v2/apps/{app}",
        summary: "Creates or changes an app, or returns to one of its versions.",
        rule: Rule::Changing,
        query: &[FORCE, PARTIAL, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/apps/{app}",
        summary: "Changes an existing app.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<AppUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}",
        summary: "Ends an app and forgets it.",
        rule: Rule::Changing,
        query: &[FORCE_DELETE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/apps/{app}/restart",
        summary: "Replaces all instances of an app.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        failures: READ,
        ..get("/v2/apps/{app}/tasks", "Lists the instances of an app.", Answer::Json(schema::<TaskList>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}/tasks",
        summary: "Kills instances of an app; with scale the answer is a deployment.",
        rule: Rule::Changing,
        query: &[HOST, SCALE, WIPE, FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<TaskList>)),
        failures: &[400, 404, 409, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/apps/{app}/tasks/{task}",
        summary: "Kills one instance of an app; with scale the answer is a deployment.",
        rule: Rule::Changing,
        query: &[SCALE, WIPE, FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<crate::task::TaskWrapper>)),
        failures: &[400, 404, 409, 503],
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/apps/{app}/versions",
            "Lists the versions of an app, newest first.",
            Answer::Json(schema::<VersionList>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/apps/{app}/versions/{version}", "Shows one version of an app.", Answer::Json(schema::<crate::App>))
    },
    get("/v2/pods", "Lists the definitions of pods.", Answer::Json(schema::<Vec<Pod>>)),
    Operation {
        method: "POST",
        path: "/v2/pods",
        summary: "Creates a pod.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<Pod>),
        success: (201, Answer::Json(schema::<Pod>)),
        failures: WRITE,
    },
    get("/v2/pods::status", "Lists pods with their instances.", Answer::Json(schema::<Vec<PodStatus>>)),
    Operation { failures: READ, ..get("/v2/pods/{pod}", "Shows a pod's definition.", Answer::Json(schema::<Pod>)) },
    Operation {
        method: "PUT",
        path: "/v2/pods/{pod}",
        summary: "Creates or replaces a pod.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<Pod>),
        success: (200, Answer::Json(schema::<Pod>)),
        failures: WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}",
        summary: "Ends a pod and forgets it; the location is the id of the deployment.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (202, Answer::Empty),
        failures: &[404, 409, 503],
    },
    Operation {
        failures: READ,
        ..get("/v2/pods/{pod}::status", "Shows a pod with its instances.", Answer::Json(schema::<PodStatus>))
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/pods/{pod}::versions",
            "Lists the versions of a pod, newest first.",
            Answer::Json(schema::<Vec<String>>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/pods/{pod}::versions/{version}", "Shows one version of a pod.", Answer::Json(schema::<Pod>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}::instances",
        summary: "Kills the named instances of a pod.",
        rule: Rule::Changing,
        query: &[WIPE, DRY_RUN],
        body: Some(schema::<Vec<String>>),
        success: (200, Answer::Json(schema::<Vec<PodInstance>>)),
        failures: &[400, 404, 413, 422, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/pods/{pod}::instances/{instance}",
        summary: "Kills one instance of a pod.",
        rule: Rule::Changing,
        query: &[WIPE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<PodInstance>)),
        failures: &[404, 422, 503],
    },
    Operation {
        query: &[EMBED_IN_GROUP],
        ..get("/v2/groups", "Shows the tree of groups and apps.", Answer::Json(schema::<Group>))
    },
    Operation {
        query: &[EMBED_IN_GROUP],
        failures: READ,
        ..get("/v2/groups/{group}", "Shows a group and what lies below it.", Answer::Json(schema::<Group>))
    },
    Operation {
        failures: READ,
        query: &[EMBED],
        ..get(
            "/v2/groups/{group}/apps",
            "Lists the apps in a group, at any depth.",
            Answer::Json(schema::<Vec<AppInfo>>),
        )
    },
    Operation {
        failures: READ,
        ..get(
            "/v2/groups/{group}/versions",
            "Lists when a group, or anything in it, changed, newest first.",
            Answer::Json(schema::<Vec<String>>),
        )
    },
    Operation {
        failures: READ,
        ..get("/v2/groups/{group}/versions/{version}", "Shows a group as it was.", Answer::Json(schema::<Group>))
    },
    Operation {
        method: "POST",
        path: "/v2/groups",
        summary: "Creates a group with everything in it, in one deployment.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<GroupUpdate>),
        success: (201, Answer::Json(schema::<DeploymentResult>)),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "PUT",
        path: "/v2/groups/{group}",
        summary: "Creates or changes a group with everything in it, in one deployment; scales it, or returns to what it was.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: Some(schema::<GroupUpdate>),
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "PATCH",
        path: "/v2/groups/{group}",
        summary: "Says whether what lies in a group directly in the root must use its own role.",
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: Some(schema::<GroupPatch>),
        success: (200, Answer::Empty),
        failures: GROUP_WRITE,
    },
    Operation {
        method: "DELETE",
        path: "/v2/groups/{group}",
        summary: "Ends everything in a group and forgets it; without an id, everything.",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        query: &[Parameter { name: "status", summary: "running or staging.", kind: ParameterKind::Repeated }],
        ..get("/v2/tasks", "Lists the instances of all apps.", Answer::Json(schema::<TaskList>))
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/delete",
        summary: "Kills the named tasks; with scale the answer is a deployment.",
        rule: Rule::Changing,
        query: &[SCALE, WIPE, FORCE, DRY_RUN],
        body: Some(schema::<DeleteTasks>),
        success: (200, Answer::Json(schema::<TaskList>)),
        failures: &[400, 409, 422, 503],
    },
    Operation {
        query: LOG,
        failures: &[400, 404, 502, 503],
        ..get("/v2/tasks/{task}/log", "Reads a piece of a task's output.", Answer::Json(schema::<LogPiece>))
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/{task}/exec",
        summary: "Runs a program within a task for as long as the answer is read, and tells what it writes.",
        rule: Rule::On(MayExec),
        query: &[],
        body: Some(schema::<Exec>),
        success: (200, Answer::Lines(schema::<SessionEvent>)),
        failures: &[400, 403, 404, 413, 422, 502, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/{task}/exec/{session}/input",
        summary: "Writes to a program that was run so, one request after the other; answered once it is written.",
        rule: Rule::On(MayExec),
        query: &[],
        body: Some(schema::<SessionInput>),
        success: (204, Answer::Empty),
        failures: &[400, 403, 404, 409, 413, 422, 502, 503],
    },
    Operation {
        failures: &[403, 404, 422, 502, 503],
        ..get(
            "/v2/tasks/{task}/attach",
            "Tells what a task writes from now on, and how it ends.",
            Answer::Lines(schema::<SessionEvent>),
        )
    },
    Operation {
        method: "POST",
        path: "/v2/tasks/{task}/attach/input",
        summary: "Writes to the terminal of a task that has one, one request after the other; answered once it is written.",
        rule: Rule::On(MayExec),
        query: &[],
        body: Some(schema::<SessionInput>),
        success: (204, Answer::Empty),
        failures: &[400, 403, 404, 409, 413, 422, 502, 503],
    },
    Operation {
        rule: Rule::SignedIn,
        failures: &[502, 503],
        ..get("/v2/agents", "Lists the machines that apps run on.", Answer::Json(schema::<AgentList>))
    },
    Operation {
        query: &[EMBED_PROGRESS],
        ..get("/v2/deployments", "Lists running deployments.", Answer::Json(schema::<Vec<Deployment>>))
    },
    get(
        "/v2/deployments/ended",
        "Lists the deployments that ended lately, the latest first, each with how and why.",
        Answer::Json(schema::<Vec<EndedDeployment>>),
    ),
    Operation {
        method: "POST",
        path: "/v2/deployments/{deployment}/pause",
        summary: "Has a deployment start and kill nothing until it is resumed.",
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 503],
    },
    Operation {
        method: "POST",
        path: "/v2/deployments/{deployment}/resume",
        summary: "Has a paused deployment go on; deadlines count anew.",
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 503],
    },
    Operation {
        method: "DELETE",
        path: "/v2/deployments/{deployment}",
        summary: "Reverts a deployment by another one; with force it stops where it stands (202, no body).",
        rule: Rule::Changing,
        query: &[FORCE, DRY_RUN],
        body: None,
        success: (200, Answer::Json(schema::<DeploymentResult>)),
        failures: &[404, 409, 412, 503],
    },
    Operation {
        query: &[Parameter {
            name: "embed",
            summary: "Parts to add: lastUnusedOffers, conditions (what keeps it waiting, and since when), nearestFits (agents without room).",
            kind: ParameterKind::Repeated,
        }],
        ..get("/v2/queue", "Lists what waits to be started, and why.", Answer::Json(schema::<Queue>))
    },
    Operation {
        method: "DELETE",
        path: "/v2/queue/{app}/delay",
        summary: "Forgets the delay after failures.",
        rule: Rule::Changing,
        query: &[DRY_RUN],
        body: None,
        success: (204, Answer::Empty),
        failures: &[404, 503],
    },
];
