use std::sync::Arc;

use attica_core_api::scheduler::Event;
use attica_core_api::v1::{Offer, TaskId};

use crate::access::{Caller, Digest, Session, UserChange, UserName, Verdict};
use crate::backup::Backup;
use crate::model::{
    CallbackSecret, CallbackUrl, ConsumerName, DeploymentId, DeploymentPolicy, GroupId, InstanceId, KeptSecret,
    RunSpec, RunSpecId, RunSpecUpdate, SecretPath, Version,
};

/// One thing that happened outside. Every input is applied completely, or refused without a trace.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants something changed. It gets exactly one reply.
    Write {
        /// What.
        write: Write,
        /// On what terms.
        terms: Box<Terms>,
        /// Who asked, for events.
        origin: Origin,
        /// Who waits for the answer.
        reply: ReplyTo,
    },
    /// The master sent an event on the scheduler's stream. HEARTBEAT and ERROR are the shell's business and are ignored here.
    Scheduler(Box<Event>),
    /// The master has removed the framework: its id is void, its tasks are being killed. The shell subscribes without an id.
    FrameworkRemoved,
    /// The scheduler's stream broke. The shell subscribes again; SUBSCRIBED tells when it succeeded.
    Disconnected,
}

/// Where an answer goes. The shell numbers its waiting requests; the engine only hands the number back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// The request behind a write, and who made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as `api_post_event` shows it.
    pub client_ip: String,
    /// The path and query of the request.
    pub uri: String,
    /// Its method.
    pub method: String,
    /// Whom a trusted proxy named as its client.
    pub forwarded_for: Option<String>,
    /// Who asks, and what that name may do.
    pub caller: Caller,
}

/// On what terms something is to be changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// Nothing is to be changed: what would follow is the answer.
    pub dry_run: bool,
    /// For a dry run an offer of each agent of what it has free now; none: that is not known.
    pub room: Option<Vec<Offer>>,
    /// Only when what is to be changed is at such a version; none: at any, or not there at all.
    pub if_match: Option<Wanted>,
}

/// The versions for which a write is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any, as long as it exists.
    Any,
    /// One of these.
    These(Vec<Version>),
}

/// What somebody wants changed. Ids in it are absolute.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Change or create run specs, all in one deployment: POST, PUT and PATCH of apps.
    Put {
        /// The changes; at least one, each for another run spec.
        changes: Vec<RunSpecChange>,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Remove a run spec and its instances.
    Delete {
        /// Which.
        id: RunSpecId,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Change or create a group with everything in it, all in one deployment.
    PutGroup {
        /// Which.
        id: GroupId,
        /// To what.
        to: GroupDefinition,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Remove a group with everything in it; of the root, everything in it.
    DeleteGroup {
        /// Which.
        id: GroupId,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Have the run specs of a top-level group use its own role, or not.
    EnforceRole {
        /// Which.
        group: GroupId,
        /// Whether.
        enforced: bool,
    },
    /// Remove a pod and its instances.
    DeletePod {
        /// Which.
        id: RunSpecId,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Replace all instances of a run spec, by the rules of a new version.
    Restart {
        /// Which.
        id: RunSpecId,
        /// Take over from running deployments that are in the way.
        force: bool,
    },
    /// Kill tasks.
    Kill {
        /// Which.
        tasks: TaskSelection,
        /// What becomes of their instances.
        mode: KillMode,
        /// Take over from running deployments that are in the way (with [`KillMode::Scale`]; the others are in nobody's way).
        force: bool,
    },
    /// End a deployment.
    Cancel {
        /// Which.
        id: DeploymentId,
        /// What becomes of what it has done.
        mode: CancelMode,
    },
    /// Have a deployment do nothing, or go on.
    Hold {
        /// Which.
        id: DeploymentId,
        /// True: it does nothing from now on.
        paused: bool,
    },
    /// Let a run spec that is slowed down after failures launch at once.
    ResetDelay {
        /// Which.
        id: RunSpecId,
    },
    /// Have kills wait for a consumer of the event stream, until it is silent for too long.
    Acknowledge {
        /// Which.
        consumer: ConsumerName,
        /// How far it has come: the number of facts of this engine that it has taken in and acted upon. What is missing to the first
        /// of them counts as negative.
        seen: i64,
    },
    /// Make, change or remove a user.
    User {
        /// Which.
        name: UserName,
        /// What becomes of it.
        change: Box<UserChange>,
    },
    /// Somebody signs in.
    BeginSession(Session),
    /// Somebody signs out.
    EndSession(Digest),
    /// Write down what is done by others than this engine, or was refused before it came here.
    Note {
        /// What became of it.
        verdict: Verdict,
        /// The path that it is about.
        path: String,
    },
    /// Have events posted to a URL.
    AddCallback {
        /// Where to.
        url: CallbackUrl,
        /// What signs them; none: what signed them before, if anything did.
        secret: Option<CallbackSecret>,
        /// A new one gets the events after this id.
        position: i64,
    },
    /// Have nothing posted to a URL any more.
    RemoveCallback {
        /// Where to.
        url: CallbackUrl,
    },
    /// Remember how far the posts to a URL have come.
    CallbackReached {
        /// Where to.
        url: CallbackUrl,
        /// The id of an event: that one and all before it need not be posted any more.
        position: i64,
    },
    /// Keep a secret, or another value of it. Who is started from then on has that.
    KeepSecret {
        /// Under which path.
        path: SecretPath,
        /// What to keep.
        secret: KeptSecret,
        /// The version that it replaces; none: it is new.
        former: Option<Version>,
    },
    /// Keep a secret no longer.
    RemoveSecret {
        /// Which.
        path: SecretPath,
    },
}

/// One run spec of a [`Write::Put`].
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpecChange {
    /// Which.
    pub id: RunSpecId,
    /// To what.
    pub to: Definition,
}

/// What a run spec is to become.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// A new one (POST): refused when it exists.
    New(Box<RunSpecUpdate>),
    /// The current one with the named fields replaced; from the defaults when it does not exist (PUT, partial).
    Merged(Box<RunSpecUpdate>),
    /// The same, but refused when it does not exist (PATCH).
    Patched(Box<RunSpecUpdate>),
    /// The defaults with the named fields, whatever it was before (PUT, not partial).
    Replaced(Box<RunSpecUpdate>),
    /// A stored version again (PUT with `version` alone).
    Stored(Version),
    /// The same, also when it is removed now.
    Restored(Version),
    /// So many times the instances.
    Scaled(f64),
    /// A new pod (POST): refused when it exists. Its versions mean nothing.
    NewPod(Box<RunSpec>),
    /// This pod, whatever it was before (PUT). Its versions mean nothing.
    Pod(Box<RunSpec>),
    /// This app or pod, whatever was there before, with the secrets that a backup brings along. Its versions mean nothing.
    Whole(Arc<RunSpec>),
}

/// What a group is to become.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupDefinition {
    /// A new one (POST): refused when it exists.
    New(Box<GroupUpdate>),
    /// The current one with the named parts replaced; a new one when it does not exist (PUT).
    Updated(Box<GroupUpdate>),
    /// What it was at a version, with everything in it (PUT with `version` alone).
    Stored(Version),
    /// The same with so many times the instances of everything in it (PUT with `scaleBy` alone).
    Scaled(f64),
    /// What everything was in a backup; only of the root.
    Restored {
        /// The backup.
        backup: Box<Backup>,
        /// What becomes of what is not in it.
        others: Others,
        /// The id of an event: callbacks that come back are posted those behind it.
        events_behind: i64,
    },
}

/// What becomes of apps, pods and groups that a backup knows nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They stay as they are.
    Stay,
    /// They are removed.
    Go,
}

/// The parts of a group that a write names. What is named replaces what was there; what is not named stays.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupUpdate {
    /// Its path.
    pub id: GroupId,
    /// All apps directly in it, whole definitions.
    pub apps: Option<Vec<(RunSpecId, Box<RunSpecUpdate>)>>,
    /// All groups directly in it.
    pub groups: Option<Vec<GroupUpdate>>,
    /// Run specs, or groups of them, that are deployed before everything in it: absolute paths.
    pub dependencies: Option<Vec<String>>,
    /// Whether run specs in it must use its own role.
    pub enforce_role: Option<bool>,
    /// How deployments go about what lies in it.
    pub policy: Option<DeploymentPolicy>,
}

/// Which tasks are to be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskSelection {
    /// All tasks of a run spec.
    All {
        /// Which run spec.
        run_spec: RunSpecId,
    },
    /// The tasks of a run spec on one host.
    OnHost {
        /// Which run spec.
        run_spec: RunSpecId,
        /// The agent's host name.
        host: String,
    },
    /// Instances of a pod.
    OfPod {
        /// Which pod.
        run_spec: RunSpecId,
        /// Which of its instances; those that do not exist are passed over.
        instances: Vec<InstanceId>,
    },
    /// One task of a run spec; refused when it does not exist.
    One {
        /// Which run spec.
        run_spec: RunSpecId,
        /// Which task.
        task: TaskId,
    },
    /// These tasks, of any run specs; those that do not exist are passed over.
    These(Vec<TaskId>),
}

/// What becomes of the instances of tasks that are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillMode {
    /// Each gets a new task.
    Replace,
    /// Each is replaced by a new instance.
    Wipe,
    /// The number of instances goes down by as many; that is a deployment.
    Scale,
}

/// What becomes of what a cancelled deployment has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelMode {
    /// A new deployment undoes its changes.
    RollBack,
    /// It stays as it is (force).
    Leave,
}
