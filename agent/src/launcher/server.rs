//! The launcher's loop: one poll over the agent's socket, SIGCHLD and the pidfds of adopted tasks.

mod adoption;
mod container;
mod peer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use self::container::{Container, Outcome, State, Zombie, emptying, session_of};
use self::peer::Peer;
use super::child::{Identities, LaunchError, Room, Started};
use super::controls::Controls;
use super::isolation::{self, Isolation, Place, Removal, Subject};
use super::log::Log;
use super::protocol::{
    ContainerId, Ending, Exit, IsolationKind, LaunchSpec, Limits, PROTOCOL, Process, Reply, Request, SOCKET,
};
use super::records::{Loaded, Records};
use super::{Error, child, process, surroundings, sys, terminal};

/// Tasks that are started before something else is looked at: kills do not wait for a thousand launches.
const MAX_STARTED_AT_ONCE: usize = 32;
/// Longest pause between two attempts to empty a container, in milliseconds.
const MAX_EMPTYING_PAUSE_MS: u64 = 200;
/// Pause between two looks at an adopted process that has ended and waits for its new parent to reap it.
const REAP_PAUSE: Duration = Duration::from_millis(20);
/// How long that is waited for: there are machines whose first process waits for nobody.
const REAP_PATIENCE: Duration = Duration::from_secs(5);

/// Whether the launcher goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// It waits for work.
    Open,
    /// The agent wants it to end with its last container.
    LastContainer,
}

/// Everything the launcher knows.
pub(super) struct Server {
    isolation: Arc<dyn Isolation>,
    records: Records,
    identities: Identities,
    containers: BTreeMap<ContainerId, Container>,
    by_pid: BTreeMap<i32, ContainerId>,
    /// The parts of a container of which something is left: it goes after them.
    parts: BTreeMap<ContainerId, BTreeSet<ContainerId>>,
    /// Still to be begun. Belongs to the conversation with one agent: the next one asks again.
    queue: VecDeque<LaunchSpec>,
    spawner: sys::Spawner,
    listener: UnixListener,
    children: SignalFd,
    peer: Option<Peer>,
    log: Log,
    duty: Duty,
    linger: Duration,
    alone_since: Instant,
}

impl Server {
    /// Takes over what earlier launchers left and begins to listen.
    pub(super) fn start(
        isolation: Box<dyn Isolation>,
        records: Records,
        found: Loaded,
        linger_ms: u64,
    ) -> Result<Server, Error> {
        let system = |action| move |source: io::Error| Error::System { action, source };
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().map_err(|error| system("block SIGCHLD")(error.into()))?;
        let children = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(|error| system("watch SIGCHLD")(error.into()))?;
        // The lock is held, so a socket that is there is a dead launcher's.
        let _none = std::fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET).map_err(system("bind its socket"))?;
        listener.set_nonblocking(true).map_err(system("bind its socket"))?;
        let spawner = sys::Spawner::new().map_err(system("make a stack for its children"))?;
        let mut server = Server {
            isolation: isolation.into(),
            records,
            identities: Identities::default(),
            containers: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            parts: BTreeMap::new(),
            queue: VecDeque::new(),
            spawner,
            listener,
            children,
            peer: None,
            log: Log,
            duty: Duty::Open,
            linger: Duration::from_millis(linger_ms),
            alone_since: Instant::now(),
        };
        server.adopt(found);
        Ok(server)
    }

    fn add(&mut self, id: ContainerId, container: Container) {
        if let Some(parent) = container.parent() {
            self.parts.entry(parent).or_default().insert(id.clone());
        }
        self.containers.insert(id, container);
    }

    /// Works until there is nothing to do any more.
    pub(super) fn serve(&mut self) -> Result<(), Error> {
        while !self.finished() {
            let ready = self.wait().map_err(|source| Error::System { action: "wait for events", source })?;
            if ready.child {
                self.reap();
            }
            if ready.agent {
                self.in_a_round(Server::converse);
            }
            if ready.newcomer {
                self.welcome();
            }
            self.look_after(ready.processes);
            self.in_a_round(Server::empty_all);
            self.start_queued();
            if let Some(Err(error)) = self.peer.as_mut().map(Peer::flush) {
                tracing::info!(%error, "the agent went away");
                self.part();
            }
            self.log.keep_short();
        }
        Ok(())
    }

    /// With one look at the machine's processes for all that is done, where it takes one.
    fn in_a_round(&mut self, work: impl FnOnce(&mut Server)) {
        self.isolation.begin_round();
        work(self);
        self.isolation.end_round();
    }

    /// Removes the socket and the common cgroups.
    pub(super) fn close(&mut self) {
        let _gone = std::fs::remove_file(SOCKET);
        self.isolation.close();
    }

    fn finished(&self) -> bool {
        match self.duty {
            // An agent that ends may not have waited for all of them: the next one is told by the records.
            Duty::LastContainer => self.containers.values().all(|entry| matches!(entry.state, State::Ended { .. })),
            Duty::Open => {
                self.containers.is_empty() && self.peer.is_none() && self.alone_since.elapsed() >= self.linger
            }
        }
    }

    fn part(&mut self) {
        self.peer = None;
        self.queue.clear();
        self.alone_since = Instant::now();
    }

    fn wait(&self) -> io::Result<Ready> {
        let fixed = [
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        let peer = self.peer.as_ref().map(|peer| PollFd::new(peer.as_fd(), peer.interest()));
        let watched = self.containers.iter().filter_map(|(id, container)| match &container.state {
            State::Adopted { pidfd, zombie: None } => Some((id, PollFd::new(pidfd.as_fd(), PollFlags::POLLIN))),
            State::Adopted { .. } | State::Running | State::Holding | State::Emptying { .. } | State::Ended { .. } => {
                None
            }
        });
        let (ids, processes): (Vec<&ContainerId>, Vec<PollFd<'_>>) = watched.unzip();
        let others = fixed.len() + usize::from(peer.is_some());
        let mut descriptors: Vec<PollFd<'_>> = fixed.into_iter().chain(peer).chain(processes).collect();
        match nix::poll::poll(&mut descriptors, self.timeout()) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| descriptors.get(index).and_then(PollFd::any).unwrap_or(false);
        let processes =
            ids.into_iter().enumerate().filter(|(index, _)| ready(others + index)).map(|(_, id)| id.clone()).collect();
        Ok(Ready { child: ready(0), newcomer: ready(1), agent: self.peer.is_some() && ready(2), processes })
    }

    fn timeout(&self) -> PollTimeout {
        if !self.queue.is_empty() {
            return PollTimeout::ZERO;
        }
        let linger_end = (self.peer.is_none() && self.containers.is_empty()).then(|| self.alone_since + self.linger);
        let next = self.containers.values().filter_map(Container::next).chain(linger_end).min();
        next.map_or(PollTimeout::NONE, |next| {
            // Rounded up, or the last fraction of a millisecond would be spent spinning.
            let pause = next.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX)
        })
    }

    /// Waits for every child that has ended: tasks, and orphans that tasks left to this subreaper.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.children.read_signal() {}
        let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, peek) {
            let (pid, exit) = match status {
                WaitStatus::Exited(pid, code) => (pid, Exit::Code(code)),
                WaitStatus::Signaled(pid, signal, _) => (pid, Exit::Signal(signal as i32)),
                WaitStatus::Stopped(..)
                | WaitStatus::Continued(_)
                | WaitStatus::PtraceEvent(..)
                | WaitStatus::PtraceSyscall(_)
                | WaitStatus::StillAlive => return,
            };
            // Recorded first and reaped then: a launcher killed in between leaves a zombie that its successor can ask.
            if let Some(container) = self.by_pid.remove(&pid.as_raw()) {
                self.ended(&container, exit);
            }
            if waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG).is_err() {
                return;
            }
        }
    }

    /// The container's program has ended: write it down. It is emptied together with the others that end now.
    fn ended(&mut self, container: &ContainerId, exit: Exit) {
        let Some(entry) = self.containers.get_mut(container) else {
            return;
        };
        let ending = Ending { exit, memory: self.isolation.memory_verdict(&entry.place) };
        entry.state = emptying(Outcome::Ended(ending));
        if let Err(error) = self.records.complete(container, ending) {
            tracing::error!(%container, %error, "the exit status is not on record; it is lost if this launcher dies before it is told");
        }
    }

    /// Looks at adopted processes that have ended: they may not have been reaped yet.
    fn look_after(&mut self, mut ended: Vec<ContainerId>) {
        let now = Instant::now();
        let again = |container: &Container| matches!(container.state, State::Adopted { zombie: Some(zombie), .. } if zombie.look_again <= now);
        ended.extend(self.containers.iter().filter(|(_, container)| again(container)).map(|(id, _)| id.clone()));
        for id in ended {
            let Some(Container { process, state: State::Adopted { pidfd, zombie }, .. }) = self.containers.get_mut(&id)
            else {
                continue;
            };
            let seen = zombie.map_or(now, |zombie| zombie.seen);
            // Asked first: once it is reaped, its exit is there to be read.
            let unreaped = process::exists(*process);
            match sys::pidfd_exit(pidfd.as_fd()) {
                Ok(Some(exit)) => self.ended(&id, exit),
                Ok(None) if unreaped && now < seen + REAP_PATIENCE => {
                    *zombie = Some(Zombie { seen, look_again: now + REAP_PAUSE });
                }
                Ok(None) | Err(_) => self.ended(&id, Exit::Unknown),
            }
        }
    }

    fn empty_all(&mut self) {
        let now = Instant::now();
        let due = |container: &Container| matches!(container.state, State::Emptying { next, .. } if next <= now);
        let due: Vec<ContainerId> =
            self.containers.iter().filter(|(_, container)| due(container)).map(|(id, _)| id.clone()).collect();
        for container in due {
            self.empty(&container);
        }
    }

    /// Removes what there is of a container without a process of its own.
    fn clear(&mut self, container: ContainerId, place: Place, outcome: Outcome) {
        self.add(
            container.clone(),
            Container { place, process: Process::NONE, holder: None, state: emptying(outcome) },
        );
        self.empty(&container);
    }

    /// One attempt to bring an ended container down to nothing.
    fn empty(&mut self, container: &ContainerId) {
        let parts = self.parts.get(container);
        for part in parts.into_iter().flatten().filter_map(|part| self.containers.get(part)) {
            self.isolation.kill(part.subject());
        }
        let has_parts = parts.is_some();
        let Some(entry) = self.containers.get_mut(container) else {
            return;
        };
        let parent = entry.parent();
        let State::Emptying { outcome, pause_ms, next } = &mut entry.state else {
            return;
        };
        let subject = Subject { place: &entry.place, leader: session_of(entry.process) };
        let attempt = if has_parts { Ok(Removal::Occupied) } else { self.isolation.remove(subject) };
        let removal = match attempt {
            Ok(Removal::Occupied) if has_parts => {
                self.isolation.kill(subject);
                Ok(Removal::Occupied)
            }
            Ok(Removal::Occupied) => {
                self.isolation.kill(subject);
                self.isolation.remove(subject)
            }
            other => other,
        };
        match removal {
            Ok(Removal::Removed) => {
                terminal::forget(container);
                match outcome.clone() {
                    Outcome::Ended(ending) => {
                        entry.state = State::Ended { ending };
                        self.tell(Reply::Ended { container: container.clone(), ending });
                    }
                    Outcome::Failed(error) => {
                        self.containers.remove(container);
                        self.forget_record(container);
                        self.tell(Reply::LaunchFailed { container: container.clone(), error });
                    }
                }
                if let Some(parent) = parent {
                    self.part_is_gone(&parent, container);
                }
            }
            Ok(Removal::Occupied) => {
                *next = Instant::now() + Duration::from_millis(*pause_ms);
                *pause_ms = (*pause_ms * 2).min(MAX_EMPTYING_PAUSE_MS);
            }
            Err(error) => {
                tracing::error!(%container, error = &error as &dyn std::error::Error, "a container cannot be removed; trying again");
                *next = Instant::now() + Duration::from_millis(MAX_EMPTYING_PAUSE_MS);
                self.tell(Reply::NotRemoved { container: container.clone() });
            }
        }
    }

    /// What had to wait for the last part goes now.
    fn part_is_gone(&mut self, parent: &ContainerId, part: &ContainerId) {
        let Some(parts) = self.parts.get_mut(parent) else { return };
        parts.remove(part);
        if parts.is_empty() {
            self.parts.remove(parent);
            self.empty(parent);
        }
    }

    fn tell(&mut self, reply: Reply) {
        if let Some(peer) = &mut self.peer {
            peer.send(&reply);
        }
    }

    /// A new agent takes the place of the one before.
    fn welcome(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            match Peer::new(stream) {
                Ok(peer) => {
                    self.part();
                    self.peer = Some(peer);
                }
                Err(error) => tracing::warn!(%error, "an agent cannot be talked to"),
            }
        }
    }

    fn converse(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        let requests = match peer.receive() {
            Ok(requests) => requests,
            Err(error) => {
                tracing::info!(%error, "the agent went away");
                return self.part();
            }
        };
        for request in requests {
            match request {
                Request::Hello { protocol } => self.greet(protocol),
                Request::Launch(specs) => self.queue.extend(specs),
                Request::Resize(container, limits, controls) => self.resize(&container, &limits, controls),
                Request::Terminate(container) => self.with_running(&container, isolation::terminate),
                Request::Destroy(container) => self.destroy(&container),
                Request::Forget(containers) => containers.iter().for_each(|container| self.forget(container)),
                Request::Stop => self.duty = Duty::LastContainer,
            }
        }
        if self.peer.as_ref().is_some_and(Peer::has_ended) {
            self.part();
        }
    }

    fn greet(&mut self, protocol: u32) {
        if protocol != PROTOCOL {
            tracing::error!(theirs = protocol, ours = PROTOCOL, "the agent speaks another protocol");
        }
        let reports = self.containers.iter().map(|(id, container)| container.report(id)).collect();
        let pid = nix::unistd::getpid().as_raw();
        let isolation: IsolationKind = self.isolation.kind();
        self.duty = Duty::Open;
        let hello = Reply::Hello { protocol: PROTOCOL, pid, isolation, containers: reports };
        if let Some(peer) = &mut self.peer {
            peer.introduce(&hello);
        }
    }

    /// Makes room for the next tasks while the process of one comes to life: either mostly waits for the kernel.
    fn start_queued(&mut self) {
        let specs = self.next_queued();
        let isolation = Arc::clone(&self.isolation);
        let mut identities = std::mem::take(&mut self.identities);
        let mut rooms = specs
            .iter()
            .map(|(spec, place)| (spec, place, child::make_room(isolation.as_ref(), &mut identities, spec, place)));
        if specs.len() > 1 {
            std::thread::scope(|scope| {
                let (made, ready) = mpsc::channel();
                let rooms = rooms.by_ref();
                let maker = move || rooms.map_while(|room| made.send(room).ok()).for_each(drop);
                // Without a thread nothing becomes ready here.
                let _none_to_be_had = std::thread::Builder::new().spawn_scoped(scope, maker);
                ready.iter().for_each(|(spec, place, room)| self.start_one(spec, place, room));
            });
        }
        for (spec, place, room) in rooms {
            self.start_one(spec, place, room);
        }
        self.identities = identities;
    }

    /// The next tasks to be started, with their places.
    fn next_queued(&mut self) -> Vec<(LaunchSpec, Place)> {
        let (mut specs, mut names) = (Vec::new(), BTreeSet::new());
        while specs.len() < MAX_STARTED_AT_ONCE
            && let Some(spec) = self.queue.pop_front()
        {
            if spec.parent.as_ref().is_some_and(|parent| names.contains(parent)) {
                // That one has to run before.
                self.queue.push_front(spec);
                break;
            }
            if self.containers.contains_key(&spec.container) || !names.insert(spec.container.clone()) {
                continue;
            }
            match self.place_of(&spec) {
                Ok(place) => {
                    let spec = self.with_user(spec);
                    specs.push((spec, place));
                }
                Err(error) => {
                    let error = crate::error_chain(&error);
                    self.tell(Reply::LaunchFailed { container: spec.container, error });
                }
            }
        }
        if self.queue.is_empty() {
            // It may have held thousands, and may never again.
            self.queue = VecDeque::new();
        }
        specs
    }

    /// Whom this machine does not know a root of its own may tell of, be it the container's or that of what it is a part of.
    fn with_user(&mut self, spec: LaunchSpec) -> LaunchSpec {
        let whole = spec.parent.as_ref().and_then(|parent| self.containers.get(parent));
        let within = whole.is_some_and(|whole| whole.holder.is_some_and(|holder| holder.rooted));
        if within || surroundings::is_rooted(&spec) { self.identities.or_of_root(spec) } else { spec }
    }

    fn place_of(&self, spec: &LaunchSpec) -> Result<Place, LaunchError> {
        let Some(parent) = &spec.parent else { return Ok(Place::of(&spec.container)) };
        let running = self.containers.get(parent).filter(|entry| entry.is_alive());
        let parent = running.ok_or_else(|| LaunchError::NoParent(parent.clone()))?;
        Ok(parent.place.part(&spec.container))
    }

    fn start_one(&mut self, spec: &LaunchSpec, place: &Place, room: Result<Room, LaunchError>) {
        let container = spec.container.clone();
        let whole = spec.parent.as_ref().and_then(|parent| self.containers.get(parent));
        let holder = whole.and_then(|whole| whole.holder).filter(|_| !surroundings::is_rooted(spec));
        let Server { records, spawner, .. } = self;
        match room.and_then(|room| child::start(records, spawner, spec, place, &room, holder)) {
            Ok(Started { process, holder }) => {
                // Where there is no program, what holds the namespaces must not end.
                let of_holder = holder.filter(|_| spec.parent.is_none()).map(|holder| holder.process.pid);
                let (state, watched) = match process {
                    Process::NONE => (State::Holding, of_holder),
                    Process { pid, .. } => (State::Running, Some(pid)),
                };
                self.by_pid.extend(watched.map(|pid| (pid, container.clone())));
                self.add(container.clone(), Container { place: place.clone(), process, holder, state });
                self.tell(Reply::Started { container, process });
            }
            Err(error) => self.clear(container, place.clone(), Outcome::Failed(crate::error_chain(&error))),
        }
    }

    fn resize(&mut self, container: &ContainerId, limits: &Limits, controls: Option<Box<Controls>>) {
        if let Some(waiting) = self.queue.iter_mut().find(|spec| spec.container == *container) {
            waiting.limits = Some(*limits);
            waiting.controls.clone_from(&controls);
        }
        self.with_running(container, |isolation, subject| {
            if let Err(error) = isolation.resize(subject.place, limits, controls.as_deref()) {
                tracing::error!(%container, error = &error as &dyn std::error::Error, "a container keeps its limits");
            }
        });
    }

    fn destroy(&mut self, container: &ContainerId) {
        self.with_running(container, |isolation, subject| isolation.kill(subject));
        // No process tells the end of one that has none.
        if let Some(Container { state: State::Holding, holder, .. }) = self.containers.get(container) {
            holder.and_then(|holder| self.by_pid.remove(&holder.process.pid));
            self.ended(container, Exit::Code(0));
        }
    }

    fn with_running(&self, container: &ContainerId, act: impl FnOnce(&dyn Isolation, Subject<'_>)) {
        let Some(entry) = self.containers.get(container) else {
            return;
        };
        match entry.state {
            State::Running | State::Adopted { .. } => {
                act(self.isolation.as_ref(), Subject { place: &entry.place, leader: Some(entry.process.pid) })
            }
            State::Holding => act(self.isolation.as_ref(), Subject { place: &entry.place, leader: None }),
            State::Emptying { .. } | State::Ended { .. } => {}
        }
    }

    fn forget(&mut self, container: &ContainerId) {
        let ended = self.containers.get(container).is_some_and(|entry| matches!(entry.state, State::Ended { .. }));
        if !ended {
            return;
        }
        self.containers.remove(container);
        self.forget_record(container);
    }

    fn forget_record(&mut self, container: &ContainerId) {
        if let Err(error) = self.records.remove(container) {
            tracing::warn!(%container, %error, "a record that is not needed any more stays");
        }
    }
}

/// What `poll` found.
struct Ready {
    child: bool,
    newcomer: bool,
    agent: bool,
    /// Containers whose process was adopted and has ended.
    processes: Vec<ContainerId>,
}
