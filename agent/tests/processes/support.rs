//! A launcher to talk to, and ways to wait for a condition.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_agent::launcher::protocol::{
    self, ContainerId, ContainerReport, Ending, IsolationKind, LaunchSpec, Limits, PROTOCOL, Process, Reply, Request,
    SOCKET, Streams,
};
use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// How long a condition may take to come true before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks every few milliseconds until `look` finds something.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(PATIENCE, look).unwrap_or_else(|| panic!("{what}: not within {PATIENCE:?}"))
}

/// As above, with `None` when it finds nothing for so long.
pub fn eventually_within<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether tests that need root and cgroups can run; says so when they cannot.
pub fn can_isolate() -> bool {
    let root = nix::unistd::geteuid().is_root();
    let cgroups =
        Path::new("/sys/fs/cgroup/memory").exists() || Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    if !(root && cgroups) {
        println!("skipped: needs root and cgroups");
    }
    root && cgroups
}

/// Whether the process exists and has not ended.
pub fn is_alive(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat.rsplit(") ").next().unwrap().starts_with(['Z', 'X'])
}

pub fn kill_hard(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// Whether a pidfd tells how an orphan ended.
pub fn kernel_keeps_exit_codes() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers =
        release.split(|character: char| !character.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (6, 15)
}

/// Every cgroup directory, of any controller, beneath `parent`, inner ones first.
pub fn cgroups_beneath(parent: &str) -> Vec<PathBuf> {
    let Ok(controllers) = std::fs::read_dir("/sys/fs/cgroup") else { return Vec::new() };
    let roots = controllers.filter_map(Result::ok).map(|entry| entry.path()).chain([PathBuf::from("/sys/fs/cgroup")]);
    let mut found = Vec::new();
    roots.for_each(|root| directories_beneath(&root.join(parent), &mut found));
    found
}

fn directories_beneath(path: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        directories_beneath(&entry.path(), found);
        found.push(entry.path());
    }
}

/// Ends what a failed test leaves behind: processes with this directory on their command line, and everything in its cgroups.
pub struct Guard {
    directory: PathBuf,
    cgroup_parent: String,
}

impl Guard {
    pub fn new(directory: &Path, cgroup_parent: &str) -> Guard {
        Guard { directory: directory.to_owned(), cgroup_parent: cgroup_parent.to_owned() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let directory = self.directory.to_string_lossy().into_owned();
        let names_it = |pid: &i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&directory)
        };
        let kill = |pid: i32| {
            let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        };
        pids().filter(names_it).for_each(kill);
        for _ in 0..100 {
            let cgroups = cgroups_beneath(&self.cgroup_parent);
            for cgroup in &cgroups {
                let procs = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
                procs.lines().filter_map(|pid| pid.parse().ok()).for_each(kill);
                let _occupied = std::fs::remove_dir(cgroup);
            }
            if cgroups.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        remove_networks(&self.directory.join("work/run"));
        for controller in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().filter_map(Result::ok) {
            let _shared = std::fs::remove_dir(controller.path().join(&self.cgroup_parent));
        }
    }
}

/// As an agent with this runtime directory names its bridge and its rules.
pub fn network_name(runtime: &Path) -> String {
    let instance = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, runtime.as_os_str().as_encoded_bytes());
    format!("attica-{:08x}", instance.as_fields().0)
}

fn remove_networks(runtime: &Path) {
    let Ok(runtime) = runtime.canonicalize() else { return };
    let name = network_name(&runtime);
    for namespace in std::fs::read_dir(runtime.join("networks")).into_iter().flatten().filter_map(Result::ok) {
        let _not_mounted = nix::mount::umount2(&namespace.path(), nix::mount::MntFlags::MNT_DETACH);
    }
    if Path::new("/sys/class/net").join(&name).exists() {
        let _tried = Command::new("ip").args(["link", "delete", "dev", &name]).status();
        let _tried = Command::new("nft").args(["delete", "table", "ip", &name]).status();
    }
}

pub fn pids() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_attica-agent");

pub struct Launcher {
    guard: Guard,
    pub directory: tempfile::TempDir,
    pub cgroup_parent: String,
    process: Child,
    stream: UnixStream,
    buffer: BytesMut,
    pub isolation: IsolationKind,
    pub reports: BTreeMap<ContainerId, ContainerReport>,
}

impl Launcher {
    pub fn start() -> Launcher {
        Launcher::start_with_log(b"")
    }

    /// With a log that says this already.
    pub fn start_with_log(log: &[u8]) -> Launcher {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("launcher.log"), log).unwrap();
        let cgroup_parent = format!("attica-test/{}", uuid::Uuid::new_v4());
        let guard = Guard::new(directory.path(), &cgroup_parent);
        Launcher::start_in(guard, directory, cgroup_parent)
    }

    /// In a mount namespace of its own.
    pub fn start_with_own_mounts() -> Launcher {
        let mut program = Command::new("unshare");
        program.args(["--mount", PROGRAM]);
        let directory = tempfile::tempdir().unwrap();
        let cgroup_parent = format!("attica-test/{}", uuid::Uuid::new_v4());
        let guard = Guard::new(directory.path(), &cgroup_parent);
        Launcher::start_by(program, guard, directory, cgroup_parent)
    }

    fn start_in(guard: Guard, directory: tempfile::TempDir, cgroup_parent: String) -> Launcher {
        Launcher::start_by(Command::new(PROGRAM), guard, directory, cgroup_parent)
    }

    fn start_by(mut program: Command, guard: Guard, directory: tempfile::TempDir, cgroup_parent: String) -> Launcher {
        let process = program
            .args(["launcher", "--dir"])
            .arg(directory.path())
            .args(["--cgroup-parent", &cgroup_parent])
            .stdin(Stdio::null())
            .stderr(
                std::fs::File::options().create(true).append(true).open(directory.path().join("launcher.log")).unwrap(),
            )
            .spawn()
            .unwrap();
        Launcher::connect(guard, directory, cgroup_parent, process)
    }

    fn connect(guard: Guard, directory: tempfile::TempDir, cgroup_parent: String, process: Child) -> Launcher {
        let socket = directory.path().join(SOCKET);
        let mut buffer = BytesMut::new();
        // What a killed launcher was about to start may have had its socket for a moment.
        let (stream, hello) = eventually("the launcher listens", || {
            let mut stream = UnixStream::connect(&socket).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut hello = Vec::new();
            protocol::encode(&Request::Hello { protocol: PROTOCOL }, &mut hello).unwrap();
            stream.write_all(&hello).ok()?;
            buffer.clear();
            Some(try_receive(&mut stream, &mut buffer)?).map(|hello| (stream, hello))
        });
        let Reply::Hello { isolation, containers, .. } = hello else { panic!("no hello") };
        let reports = containers.into_iter().map(|report| (report.container.clone(), report)).collect();
        Launcher { guard, directory, cgroup_parent, process, stream, buffer, isolation, reports }
    }

    /// As an agent that was killed and started again does.
    pub fn reconnect(self) -> Launcher {
        drop(self.stream);
        Launcher::connect(self.guard, self.directory, self.cgroup_parent, self.process)
    }

    /// Kills the launcher and starts another one in its place.
    pub fn replace(self) -> Launcher {
        self.replace_after(|| ())
    }

    /// As above, with something that happens in between.
    pub fn replace_after(mut self, happens: impl FnOnce()) -> Launcher {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        happens();
        Launcher::start_in(self.guard, self.directory, self.cgroup_parent)
    }

    /// Mounts what is mounted there anew, with these options, for a launcher with mounts of its own.
    pub fn remount(&self, mounted: &str, options: &str) {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.process.id().to_string(), "mount", "-o"]);
        let status = command.args([&format!("remount,bind,{options}"), mounted]).status().unwrap();
        assert!(status.success(), "{status}");
    }

    pub fn send(&mut self, request: &Request) {
        send(&mut self.stream, request);
    }

    pub fn receive(&mut self) -> Reply {
        receive(&mut self.stream, &mut self.buffer)
    }

    pub fn started(&mut self, spec: LaunchSpec) -> Process {
        self.send(&Request::Launch(vec![spec]));
        match self.receive() {
            Reply::Started { process, .. } => process,
            other => panic!("not started: {other:?}"),
        }
    }

    pub fn ending(&mut self) -> Ending {
        match self.receive() {
            Reply::Ended { ending, .. } => ending,
            other => panic!("not ended: {other:?}"),
        }
    }

    /// A shell command with generous limits, in a sandbox of its own.
    pub fn shell(&self, script: &str) -> LaunchSpec {
        let container = ContainerId::from_uuid(uuid::Uuid::new_v4());
        let sandbox = self.directory.path().join("sandboxes").join(container.as_str());
        std::fs::create_dir_all(&sandbox).unwrap();
        LaunchSpec {
            container,
            parent: None,
            program: "/bin/sh".to_owned(),
            shortcut: None,
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            secrets: Vec::new(),
            user: None,
            directory: sandbox,
            limits: Some(Limits {
                cpu_shares: 102,
                memory_bytes: 64 << 20,
                pids: 64,
                cpu_quota_us: None,
                memory_request_bytes: None,
            }),
            controls: None,
            rlimits: Vec::new(),
            surroundings: None,
            streams: Streams::Sandbox,
        }
    }

    /// As [`Launcher::shell`], as a part of another container.
    pub fn part(&self, parent: &LaunchSpec, script: &str) -> LaunchSpec {
        LaunchSpec { parent: Some(parent.container.clone()), limits: None, ..self.shell(script) }
    }

    /// The processes in a container's cgroups.
    pub fn processes_of(&self, container: &ContainerId) -> Vec<i32> {
        let own = |cgroup: &PathBuf| cgroup.ends_with(container.as_str());
        let cgroup = cgroups_beneath(&self.cgroup_parent).into_iter().find(own).unwrap();
        let procs = std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap();
        procs.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Ends the launcher and checks that nothing of it is left.
    pub fn finish(mut self) {
        self.send(&Request::Stop);
        self.await_end();
    }

    /// As above, but what the launcher says before that is not read.
    pub fn finish_without_reading(mut self) {
        let mut poll = [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut poll, PollTimeout::try_from(PATIENCE).unwrap()).unwrap(), 1);
        self.send(&Request::Stop);
        self.stream = UnixStream::pair().unwrap().0;
        self.await_end();
    }

    fn await_end(&mut self) {
        let status = eventually("the launcher ends", || self.process.try_wait().unwrap());
        assert!(status.success(), "{status}");
        assert_eq!(cgroups_beneath(&self.cgroup_parent), Vec::<PathBuf>::new());
        assert!(!self.directory.path().join(SOCKET).exists());
        for controller in std::fs::read_dir("/sys/fs/cgroup").unwrap().filter_map(Result::ok) {
            assert!(!controller.path().join(&self.cgroup_parent).exists());
        }
    }
}

fn send(stream: &mut UnixStream, request: &Request) {
    let mut bytes = Vec::new();
    protocol::encode(request, &mut bytes).unwrap();
    stream.write_all(&bytes).unwrap();
}

fn receive(stream: &mut UnixStream, buffer: &mut BytesMut) -> Reply {
    try_receive(stream, buffer).expect("the launcher answers in time")
}

fn try_receive(stream: &mut UnixStream, buffer: &mut BytesMut) -> Option<Reply> {
    loop {
        if let Some(reply) = protocol::decode(buffer).unwrap() {
            return Some(reply);
        }
        let mut chunk = [0; 65536];
        let length = stream.read(&mut chunk).ok().filter(|length| *length > 0)?;
        buffer.extend_from_slice(&chunk[..length]);
    }
}
