//! The agent's beginning and end.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attica_core_api::http::guard::GuardError;
use attica_core_api::http::tls::TlsError;
use attica_core_api::http::{CredentialFileError, Limits, Server};
use attica_core_api::logging::Logging;
use attica_core_api::resources::TextError;
use attica_core_api::secrets::KeyFileError;
use attica_core_api::v1::{FrameworkId, FrameworkInfo, TaskInfo};
use attica_core_api::{Entropy, Now, Tick, Timestamp};
use nix::fcntl::{Flock, FlockArg};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{
    Connections, End, Ended, Executors, MAX_MESSAGES, MasterLink, Message, Operators, Place, Roots, Shell, Suppliers,
    launcher_link, prober, reaper, settings, watcher,
};
use crate::args::Args;
use crate::checkpoint::{Checkpoints, History, Lost, Past, TaskRecord, Unusable};
use crate::contained::ContainedFiles;
use crate::daemon::client::Client;
use crate::daemon::link::Link;
use crate::devices::DeviceError;
use crate::fetch::{Fetcher, FetcherError};
use crate::http;
use crate::http::view::Description;
use crate::image::{Images, ImagesError};
use crate::launcher::isolation::{self, Isolation};
use crate::launcher::protocol::ContainerId;
use crate::machine::ResourcesError;
use crate::network::{Sockets, detect};
use crate::rotation::keeper;
use crate::sandbox;
use crate::supervisor::{Input, Supervisor};
use crate::usage::{DiskUsage, Removals};

/// How long the launcher may take to end after its last container.
const LAUNCHER_END_PATIENCE: Duration = Duration::from_secs(10);
/// The largest body of a request: an executor may repeat all its tasks when it subscribes again.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Why the agent cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory cannot be used.
    #[error("cannot use the directory {path}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Two agents cannot share a work directory.
    #[error("another agent works in {0}")]
    InUse(PathBuf),
    /// The resources are not right.
    #[error(transparent)]
    Resources(#[from] ResourcesError),
    /// The attributes are not right.
    #[error("--attributes cannot be read")]
    Attributes(#[from] TextError),
    /// What is to be on cannot be.
    #[error("--isolation cannot be `{isolation}`: {reason}")]
    Isolation {
        /// What was asked for.
        isolation: String,
        /// Why not.
        reason: String,
    },
    /// What tasks may use of the machine cannot be told.
    #[error("the devices of tasks cannot be told")]
    Devices(#[from] DeviceError),
    /// What is kept of what tasks write makes no sense.
    #[error("--max-stdout-size and --max-stderr-size: {0}")]
    Output(String),
    /// What is said of finding names is about a network that is not there.
    #[error("what is said of finding names is about the network `{stranger}`, and this agent's is `{own}`")]
    Names {
        /// Of that network.
        stranger: String,
        /// Of the one that is there.
        own: String,
    },
    /// The name of the cgroup is not right.
    #[error("--cgroups-root has to be a relative path without `..`, not `{0}`")]
    CgroupsRoot(String),
    /// The certificates cannot be used.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// Who may look cannot be told.
    #[error("cannot tell who may look at this agent")]
    Guard(#[from] GuardError),
    /// What proves who this is cannot be used.
    #[error("--credential cannot be used")]
    Credential(#[from] CredentialFileError),
    /// Secrets cannot be opened.
    #[error("--secrets-key-file cannot be used")]
    SecretsKey(#[from] KeyFileError),
    /// Nothing can be fetched.
    #[error("the fetcher cannot be used")]
    Fetcher(#[from] FetcherError),
    /// Images cannot be kept.
    #[error("images cannot be used")]
    Images(#[from] ImagesError),
    /// What tasks may mount is not named as they would.
    #[error("--host-path-volume-allow-list and --host-path-volume-force-creation have to name absolute paths, not {0}")]
    HostPath(PathBuf),
    /// Nobody can connect to the agent.
    #[error("cannot listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A checkpoint cannot be used.
    #[error(
        "cannot recover from the checkpoints in {work_dir}; to begin anew as another agent, remove its `meta` directory"
    )]
    Recovery {
        /// The work directory.
        work_dir: PathBuf,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its tasks run elsewhere.
    #[error(
        "this agent keeps {tasks} checkpointed tasks under the launcher in {}: start it with --runtime-dir {}, or drain it first (SIGUSR1)",
        earlier.display(), earlier.display()
    )]
    RuntimeDirectory {
        /// How many tasks there are.
        tasks: usize,
        /// Where they run.
        earlier: PathBuf,
    },
    /// The agent is not what it was, and still has tasks.
    #[error("{0}")]
    Incompatible(String),
    /// The system refuses something basic.
    #[error("the agent cannot {action}")]
    System {
        /// What it tried.
        action: &'static str,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
}

/// Runs the agent until `shutdown` (its tasks go on) or until it has been drained by SIGUSR1 or dismissed by the master (its
/// tasks are killed and the launcher ends).
///
/// The process must be the agent's own: it reaps every child, and starts `/proc/self/exe launcher …`.
pub async fn run(args: Args, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    let work_dir = usable_directory(&args.work_dir)?;
    let runtime_dir = usable_directory(args.runtime_dir.as_ref().unwrap_or(&work_dir.join("run")))?;
    let _lock = lock(&work_dir)?;
    let recovering = Instant::now();
    let Recovered { checkpoints, past, tasks, lost, errors: recovery_errors } = recover_files(&work_dir)?;
    stay_with_launcher(&work_dir, &runtime_dir, tasks.len())?;
    let place = Place { cgroup_parent: cgroup_parent(&args.cgroups_root, &runtime_dir)?, directory: runtime_dir };
    let address = SocketAddr::new(args.ip, args.port);
    let listen = |source| Error::Listen { address, source };
    let limits = Limits { max_body_bytes: MAX_BODY_BYTES, ..Limits::default() };
    let tls = args.tls.start()?;
    let guard = args.guard(&tls)?;
    let security = match &args.credential {
        Some(path) => tls.security().with_credential_file(path)?,
        None => tls.security(),
    };
    let server = Server::bind(address, limits).await.map_err(listen)?.with_tls(tls.server.clone());
    let bound = server.local_address().map_err(listen)?;
    let (networks, host) = detect::detect(args.network(), &place.directory);
    let owner = place.cgroup_parent.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let abilities = isolation::abilities();
    let config = settings::config(&args, &work_dir, bound, (networks, owner), &abilities)?;
    let looks = settings::looks(&args, &config.isolators);
    let enforces_disk =
        looks.iter().any(|look| look.at == watcher::Matter::Disk && look.consequence == watcher::Consequence::Enforced);
    let quotas = settings::quotas(&args, &config.isolators, &work_dir)?;
    let (disk_usage, removals) = (Arc::<DiskUsage>::default(), Arc::<Removals>::default());
    let rotates = config.rotation.is_some();
    let roots = Roots::new(&work_dir, &config.host_paths, settings::made_paths(&args)?);
    let fetched = args.fetch.settings(&work_dir);
    let fetched = fetched.map_err(|source| Error::System { action: "find the fetcher's files", source })?;
    let fetcher = Fetcher::start(&work_dir, fetched)?;
    let daemon = config
        .containerizers
        .daemon
        .as_ref()
        .map(|daemon| (Client::new(args.docker_socket.clone()), daemon.owner.clone()));
    let client = daemon.as_ref().map(|(client, _)| client.clone());
    let images = args.image.settings(&work_dir).and_then(Images::open).map_err(ImagesError)?;
    let (contained, operators_containers) =
        ContainedFiles::open(&work_dir).map_err(|source| Error::Directory { path: work_dir.clone(), source })?;
    reaper::start().map_err(|source| Error::System { action: "watch its children", source })?;

    let started = Instant::now();
    let started_at = Timestamp::from(std::time::SystemTime::now());
    let description = Description {
        info: config.info.clone(),
        abilities: settings::shown(&config, &abilities),
        removals: removals.clone(),
        fetcher: fetcher.clone(),
        roots_left: roots.left(),
        quotas: quotas.clone(),
        address: bound,
        started_at,
        work_dir: work_dir.clone(),
        flags: args.shown(bound),
        recovery_errors,
        recovery_seconds: recovering.elapsed().as_secs_f64(),
    };
    let (messages, inbox) = mpsc::channel(MAX_MESSAGES);
    let (probes, orders) = mpsc::unbounded_channel();
    let mut effects = Vec::new();
    let entropy = Entropy::new(uuid::Uuid::new_v4().as_u128());
    let now = Now { tick: Tick(0), wall: started_at };
    let lives_on = match &past {
        Past::None => true,
        Past::Known(agent) => agent.boot_id == config.boot_id,
        Past::Damaged => false,
    };
    let mut supervisor = Supervisor::recover(now, config, entropy, past, (tasks, lost), &mut effects)
        .map_err(|incompatible| Error::Incompatible(incompatible.to_string()))?;
    let begin_thread = |source| Error::System { action: "begin a thread", source };
    let known = supervisor.attachments().clone();
    let networks =
        host.map(|host| Connections::start(host, known, messages.clone())).transpose().map_err(begin_thread)?;
    let sockets = Sockets::start().map_err(begin_thread)?;
    supervisor.restore_contained(!lives_on, operators_containers, &mut effects);
    let of_tasks = supervisor.tasks().map(|task| task.container.as_str());
    let of_executors = supervisor.executors().map(|executor| executor.container.as_str());
    let of_operators = supervisor.contained().map(|record| record.container.as_str());
    roots.sweep(&of_tasks.chain(of_executors).chain(of_operators).collect());
    let mut shell = Shell {
        networks,
        supervisor,
        checkpoints,
        started,
        description,
        isolation: None,
        work_dir: work_dir.clone(),
        retention: Duration::from_millis(args.gc_delay.0),
        launcher: None,
        daemon: None,
        with_daemon: HashSet::new(),
        master: None,
        master_host: None,
        prober: probes,
        executors: Executors::default(),
        operators: Operators::default(),
        contained,
        suppliers: Suppliers::new(fetcher, images, client.clone(), enforces_disk, messages.clone()),
        roots,
        quotas: quotas.clone(),
        removals,
        incomplete: HashSet::new(),
        unprepared: HashSet::new(),
        updates: Vec::new(),
        aftermath: Vec::new(),
    };
    let _never_an_end = shell.do_all(&mut effects);

    let mut tasks = JoinSet::new();
    tasks.spawn(launcher_link::run(place.clone(), messages.clone()));
    let daemons_end = daemon.map(|(client, owner)| tokio::spawn(Link::new(client, owner, messages.clone()).run()));
    tasks.spawn(prober::run(args.ip, sockets, orders, messages.clone()));
    tasks.spawn(MasterLink::new(args.master.clone(), security, messages.clone()).run());
    let (end_server, server_end) = oneshot::channel::<()>();
    let usage: Arc<dyn Isolation> = isolation::detect(&place.cgroup_parent).into();
    let means = watcher::Means { isolation: usage.clone(), quotas, disk_usage: disk_usage.clone() };
    if rotates {
        tasks.spawn(keeper::run(messages.clone()));
    }
    for look in looks {
        tasks.spawn(watcher::run(look, means.clone(), messages.clone()));
    }
    let logging = Arc::new(Logging::new(args.log_control.clone()));
    let showing = http::Agent {
        messages: messages.clone(),
        work_dir: work_dir.clone(),
        usage,
        disk_usage,
        daemon: client,
        logging,
        runtime_dir: place.directory.clone(),
        sessions: Arc::default(),
        keyboards: Arc::default(),
    };
    let router = http::router(showing, guard);
    let serving = tokio::spawn(server.serve(router, async {
        let _ended = server_end.await;
    }));
    tasks.spawn(drain_on_signal(messages.clone())?);
    announce(&args, bound)?;

    let Ended { end, messages: inbox, networks } = run_shell(shell, inbox, shutdown).await?;
    match end {
        End::Finished => await_launcher_end(inbox).await,
        End::Stopped => drop(inbox),
    }
    if let Some(networks) = networks {
        networks.end();
    }
    tasks.shutdown().await;
    // What was asked of it last is done first: containers are removed.
    if let Some(ended) = daemons_end
        && tokio::time::timeout(LAUNCHER_END_PATIENCE, ended).await.is_err()
    {
        tracing::warn!("the Docker daemon does not do what is left to do");
    }
    drop(end_server);
    // The server ends by itself once its requests are done.
    let _ended = serving.await;
    Ok(())
}

/// On a thread of its own, until it ends or `shutdown` says so.
async fn run_shell(
    shell: Shell,
    inbox: mpsc::Receiver<Message>,
    shutdown: impl Future<Output = ()>,
) -> Result<Ended, Error> {
    let (stop, stopped) = oneshot::channel();
    let (end, mut ended) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let work = move || {
        // Nobody waits for the end of an agent that has failed.
        let _failed = end.send(runtime.block_on(shell.run(inbox, stopped)));
    };
    let failed = |action| move |source| Error::System { action, source };
    std::thread::Builder::new().name("supervisor".to_owned()).spawn(work).map_err(failed("begin a thread"))?;
    let early = tokio::select! {
        end = &mut ended => Some(end),
        () = shutdown => None,
    };
    drop(stop);
    let end = match early {
        Some(end) => end,
        None => ended.await,
    };
    end.map_err(|_| failed("go on")(io::Error::other("its supervisor has failed")))
}

fn usable_directory(path: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Directory { path: path.to_owned(), source };
    std::fs::create_dir_all(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

fn lock(work_dir: &Path) -> Result<Flock<std::fs::File>, Error> {
    let path = work_dir.join("agent.lock");
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|source| Error::Directory { path: work_dir.to_owned(), source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| Error::InUse(work_dir.to_owned()))
}

/// Whoever runs the tasks is found in the runtime directory only, which the work directory therefore names: from another one they would be
/// taken for lost, and go on unknown to everybody.
fn stay_with_launcher(work_dir: &Path, runtime_dir: &Path, tasks: usize) -> Result<(), Error> {
    let failed = |source| Error::Directory { path: work_dir.to_owned(), source };
    let link = work_dir.join("launcher");
    let earlier = match std::fs::read_link(&link) {
        Ok(earlier) => Some(earlier),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    match earlier {
        Some(earlier) if earlier == runtime_dir => return Ok(()),
        Some(earlier) if tasks > 0 => return Err(Error::RuntimeDirectory { tasks, earlier }),
        Some(_) => std::fs::remove_file(&link).map_err(failed)?,
        None => {}
    }
    std::os::unix::fs::symlink(runtime_dir, &link).map_err(failed)
}

/// Each runtime directory has a cgroup of its own, so that agents on one machine do not meet.
fn cgroup_parent(root: &str, runtime_dir: &Path) -> Result<PathBuf, Error> {
    let relative = PathBuf::from(root);
    let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
    if root.is_empty() || !relative.components().all(plain) {
        return Err(Error::CgroupsRoot(root.to_owned()));
    }
    let instance = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, runtime_dir.as_os_str().as_encoded_bytes());
    Ok(relative.join(instance.simple().to_string()))
}

/// What is left of an earlier agent.
struct Recovered {
    checkpoints: Checkpoints,
    past: Past,
    tasks: Vec<History>,
    lost: Vec<Lost>,
    /// How much could not be read.
    errors: usize,
}

fn recover_files(work_dir: &Path) -> Result<Recovered, Error> {
    let failed = |source: crate::checkpoint::CheckpointError| Error::Recovery {
        work_dir: work_dir.to_owned(),
        source: Box::new(source),
    };
    let (checkpoints, found) = Checkpoints::open(work_dir).map_err(failed)?;
    let past = checkpoints.load_agent().map_err(failed)?;
    let (mut tasks, mut unusable) = (Vec::new(), Vec::new());
    for task in found {
        match task {
            Ok(task) => tasks.push(task),
            Err(unused) => {
                tracing::error!(
                    error = &unused.error as &dyn std::error::Error,
                    "a task or an executor is not adopted: what runs of it is ended, the master counts it as lost"
                );
                unusable.push(unused);
            }
        }
    }
    let errors = unusable.len() + usize::from(past == Past::Damaged);
    let lost = lost(work_dir, &checkpoints.aside(), &tasks, unusable);
    Ok(Recovered { checkpoints, past, tasks, lost, errors })
}

/// Of those that are not adopted, the tasks that are known by name: by what is left of their checkpoints, or by the sandbox of a command,
/// which has an executor's name that is its own. Whatever is not one for its master after all, that one ignores.
fn lost(work_dir: &Path, aside: &Path, adopted: &[History], unusable: Vec<Unusable>) -> Vec<Lost> {
    let records = || unusable.iter().filter_map(|unusable| unusable.record.as_deref());
    let of_adopted = adopted.iter().filter_map(|history| match history {
        History::Task(task) => Some(&task.record),
        History::Executor(_) => None,
    });
    let runs_of = |record: &TaskRecord| record.executor.clone().or(record.group.as_ref()?.run.clone());
    let shared: HashSet<ContainerId> = of_adopted.chain(records()).filter_map(runs_of).collect();
    let sandboxes: Vec<PathBuf> = sandbox::runs(work_dir).collect();
    let by_sandbox = |container: &ContainerId| {
        let run = sandboxes.iter().find(|run| run.ends_with(container.as_str()))?;
        let names: Vec<&str> = run.strip_prefix(work_dir).ok()?.iter().filter_map(|name| name.to_str()).collect();
        let ["slaves", agent, "frameworks", framework, "executors", task, "runs", _] = names[..] else { return None };
        let framework_id = FrameworkId::from(framework);
        let framework = FrameworkInfo { id: Some(framework_id.clone()), ..FrameworkInfo::default() };
        let name = task.to_owned();
        let info = TaskInfo { name, task_id: task.into(), agent_id: agent.into(), ..TaskInfo::default() };
        Some(TaskRecord::new(container.clone(), framework_id, Arc::new(framework), Arc::new(info), None, None))
    };
    let lost = |unusable: &Unusable| {
        let own = unusable.container.as_ref().filter(|container| !shared.contains(container));
        let record = unusable.record.as_deref().cloned().or_else(|| by_sandbox(own?))?;
        let why = crate::error_chain(&unusable.error);
        Some(Lost { record, why: format!("{why}; what it said is kept in {}", aside.display()) })
    };
    unusable.iter().filter_map(lost).collect()
}

fn drain_on_signal(messages: mpsc::Sender<Message>) -> Result<impl Future<Output = ()>, Error> {
    let mut drain =
        signal(SignalKind::user_defined1()).map_err(|source| Error::System { action: "watch for SIGUSR1", source })?;
    Ok(async move {
        while drain.recv().await.is_some() {
            tracing::info!("SIGUSR1: the tasks are killed, then the agent ends");
            if messages.send(Message::Input(Input::Drain)).await.is_err() {
                return;
            }
        }
    })
}

fn announce(args: &Args, bound: SocketAddr) -> Result<(), Error> {
    tracing::info!(address = %bound, "the agent listens");
    match &args.ready_file {
        None => Ok(()),
        Some(path) => {
            std::fs::write(path, format!("{bound}\n")).map_err(|source| Error::Directory { path: path.clone(), source })
        }
    }
}

async fn await_launcher_end(mut inbox: mpsc::Receiver<Message>) {
    let closed = async {
        while let Some(message) = inbox.recv().await {
            if matches!(message, Message::LauncherClosed) {
                return;
            }
        }
    };
    if tokio::time::timeout(LAUNCHER_END_PATIENCE, closed).await.is_err() {
        tracing::warn!("the launcher does not end");
    }
}
