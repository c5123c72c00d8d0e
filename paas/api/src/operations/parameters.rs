//! Query parameters.

use super::{Parameter, ParameterKind};

pub(super) const FORCE: Parameter = Parameter {
    name: "force",
    summary: "Supersede running deployments of the same apps. Default false.",
    kind: ParameterKind::Flag,
};
pub(super) const DRY_RUN: Parameter = Parameter {
    name: "dryRun",
    summary: "Change nothing and answer with what would follow: steps, differences and places. Default false.",
    kind: ParameterKind::Flag,
};
pub(super) const FORCE_DELETE: Parameter = Parameter {
    name: "force",
    summary: "Supersede running deployments of the app. Default true.",
    kind: ParameterKind::Flag,
};
pub(super) const PARTIAL: Parameter = Parameter {
    name: "partialUpdate",
    summary: "Keep what the body does not name; false replaces the definition. Default true.",
    kind: ParameterKind::Flag,
};
pub(super) const EMBED: Parameter = Parameter {
    name: "embed",
    summary: "Parts to add: apps.tasks, apps.counts, apps.deployments, apps.readiness, apps.lastTaskFailure, apps.failures, apps.taskStats.",
    kind: ParameterKind::Repeated,
};
pub(super) const EMBED_IN_ONE: Parameter = Parameter {
    name: "embed",
    summary: "apps.taskStats adds that; the other parts are always there.",
    kind: ParameterKind::Repeated,
};
pub(super) const EMBED_PROGRESS: Parameter = Parameter {
    name: "embed",
    summary: "progress adds how far each instance is that the current step is about.",
    kind: ParameterKind::Repeated,
};
pub(super) const EMBED_IN_GROUP: Parameter = Parameter {
    name: "embed",
    summary: "Only these parts: group.groups, group.apps, group.pods, and of apps group.apps.tasks and so on. Default: the first three.",
    kind: ParameterKind::Repeated,
};
pub(super) const WIPE: Parameter = Parameter {
    name: "wipe",
    summary: "Have new instances replace the killed ones, whose persistent volumes are destroyed. Default false.",
    kind: ParameterKind::Flag,
};
pub(super) const SCALE: Parameter = Parameter {
    name: "scale",
    summary: "Lower the number of instances by the killed ones. Default false.",
    kind: ParameterKind::Flag,
};
pub(super) const PRUNE: Parameter = Parameter {
    name: "prune",
    summary: "Remove the apps, pods and groups that the backup knows nothing of. Default false.",
    kind: ParameterKind::Flag,
};
pub(super) const LEADER: &[Parameter] = &[
    Parameter {
        name: "backup",
        summary: "A file:///… directly in the server's directory for backups: it is written first.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "restore",
        summary: "One that was written so: what it holds is brought back first.",
        kind: ParameterKind::Text,
    },
    PRUNE,
    FORCE,
    DRY_RUN,
];
pub(super) const CALLBACK_URL: &[Parameter] =
    &[Parameter { name: "callbackUrl", summary: "The URL. It must be given.", kind: ParameterKind::Text }, DRY_RUN];
pub(super) const LIST: &[Parameter] = &[
    Parameter { name: "cmd", summary: "Only apps whose cmd contains this, in any case.", kind: ParameterKind::Text },
    Parameter { name: "id", summary: "Only apps whose id contains this, in any case.", kind: ParameterKind::Text },
    Parameter {
        name: "label",
        summary: "Only apps whose labels match: a, a==b, a!=b, a in (x,y), a notin (x,y), joined by commas.",
        kind: ParameterKind::Text,
    },
    EMBED,
];
pub(super) const HOST: Parameter =
    Parameter { name: "host", summary: "Only tasks on this host.", kind: ParameterKind::Text };
pub(super) const EVENTS: &[Parameter] = &[
    Parameter { name: "event_type", summary: "Only events of these types.", kind: ParameterKind::Repeated },
    Parameter {
        name: "plan-format",
        summary: "light, the default, or full: plans with the root group before and after them, as far as that is known.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "lastEventId",
        summary: "Resume after this event; the header Last-Event-ID says the same.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "ack",
        summary: "The name of a consumer that is waited for before a task is killed: it acknowledges positions, every 5 seconds at least.",
        kind: ParameterKind::Text,
    },
];
pub(super) const LOG: &[Parameter] = &[
    Parameter { name: "file", summary: "stdout or stderr. Default stdout.", kind: ParameterKind::Text },
    Parameter {
        name: "offset",
        summary: "The first byte; -1 asks for the size of the file. Default 0.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "length",
        summary: "Bytes, at most 1048576; fewer may come. Default: as many as come at once.",
        kind: ParameterKind::Text,
    },
];

pub(super) const REVOKED: &[Parameter] = &[
    Parameter { name: "path", summary: "Where.", kind: ParameterKind::Text },
    Parameter {
        name: "permission",
        summary: "Which; without any, all that it has there.",
        kind: ParameterKind::Repeated,
    },
    DRY_RUN,
];
pub(super) const AUDIT: &[Parameter] = &[
    Parameter {
        name: "path",
        summary: "Only writes that touched nothing outside this group. Default /, everything.",
        kind: ParameterKind::Text,
    },
    Parameter { name: "user", summary: "Only what this user did.", kind: ParameterKind::Text },
    Parameter { name: "since", summary: "Only from this moment on, RFC 3339.", kind: ParameterKind::Text },
    Parameter { name: "limit", summary: "So many at most, up to 1000. Default 100.", kind: ParameterKind::Text },
];
