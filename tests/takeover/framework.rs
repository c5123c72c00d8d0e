//! A framework that writes without pause, and remembers what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use attica_allocator::Role;
use attica_core_api::client::{CallError, Calls, Config, Detection, Signal, Signals, connect};
use attica_core_api::resources::parse;
use attica_core_api::scheduler::EventType;
use attica_core_api::v1::{
    CommandInfo, FrameworkCapability, FrameworkCapabilityType, FrameworkInfo, LaunchOperation, Offer, OfferOperation,
    OfferOperationType, TaskId, TaskInfo, TaskState, TaskStatus,
};
use attica_core_api::zookeeper::Ensemble;
use bytes::Bytes;
use tokio::task::JoinSet;

use super::site::{PATIENCE, Site, until};

/// Between two writes: a hundredth of what a stall may last.
const WRITE_EVERY: Duration = Duration::from_millis(20);

/// Acknowledgements under way at the same time.
const ACKNOWLEDGEMENTS: usize = 256;

pub struct Framework {
    calls: Calls,
    signals: Signals,
    /// Tasks whose launch was acknowledged, with the last state that was heard.
    tasks: BTreeMap<TaskId, TaskState>,
    /// Kills that were acknowledged.
    killed: BTreeSet<TaskId>,
    /// Tasks that may be killed next.
    alive: Vec<TaskId>,
    /// Acknowledgements under way: each waits for its commit.
    acknowledging: JoinSet<Option<Bytes>>,
    /// Statuses whose acknowledgement was acknowledged: what is on its way already may come once more …
    acknowledged: BTreeSet<Bytes>,
    /// … but none that was settled before the present subscription began.
    settled: BTreeSet<Bytes>,
    writes: usize,
    last_write: Instant,
    longest_stall: Duration,
}

impl Framework {
    /// Subscribes, spreads so many tasks over the agents, and waits until all of them run.
    pub async fn launch(ensemble: &Ensemble, agents: usize, tasks: usize) -> Framework {
        let capabilities = [FrameworkCapabilityType::MultiRole, FrameworkCapabilityType::PartitionAware];
        let info = FrameworkInfo {
            user: "root".into(),
            name: "writer".into(),
            roles: vec!["*".into()],
            failover_timeout: 3600.0,
            capabilities: capabilities.map(|kind| FrameworkCapability { r#type: Some(kind) }).to_vec(),
            ..FrameworkInfo::default()
        };
        let (calls, signals) = connect(Config::new(Detection::ZooKeeper(ensemble.clone()), info));
        let mut framework = Framework {
            calls,
            signals,
            tasks: BTreeMap::new(),
            killed: BTreeSet::new(),
            alive: Vec::new(),
            acknowledging: JoinSet::new(),
            acknowledged: BTreeSet::new(),
            settled: BTreeSet::new(),
            writes: 0,
            last_write: Instant::now(),
            longest_stall: Duration::ZERO,
        };
        let share = tasks.div_ceil(agents);
        let everything = async {
            let mut launched = 0;
            while framework.alive.len() < tasks {
                for offer in framework.next().await {
                    let count = share.min(tasks - launched);
                    if count == 0 {
                        break;
                    }
                    framework.accept(&offer, launched..launched + count).await;
                    launched += count;
                }
            }
            framework.calls.suppress(Vec::new()).await.expect("no more offers");
        };
        tokio::time::timeout(PATIENCE * 2, everything).await.expect("all tasks run in time");
        framework.last_write = Instant::now();
        framework
    }

    async fn accept(&mut self, offer: &Offer, numbers: std::ops::Range<usize>) {
        let resources = parse("cpus:0.01;mem:1", &Role::any()).expect("valid resources");
        let task = |number| TaskInfo {
            name: "written".into(),
            task_id: TaskId::new(format!("task-{number}")),
            agent_id: offer.agent_id.clone(),
            resources: resources.clone(),
            command: Some(CommandInfo { value: Some("true".into()), ..CommandInfo::default() }),
            ..TaskInfo::default()
        };
        let infos: Vec<TaskInfo> = numbers.map(task).collect();
        let ids: Vec<TaskId> = infos.iter().map(|task| task.task_id.clone()).collect();
        let operation = OfferOperation {
            r#type: Some(OfferOperationType::Launch),
            launch: Some(LaunchOperation { task_infos: infos }),
            ..OfferOperation::default()
        };
        self.calls.accept(vec![offer.id.clone()], vec![operation], None).await.expect("no leader has died yet");
        self.tasks.extend(ids.into_iter().map(|id| (id, TaskState::Staging)));
    }

    /// The next signal; offers it brings are for the caller.
    async fn next(&mut self) -> Vec<Offer> {
        let signal = tokio::time::timeout(PATIENCE, self.signals.next()).await.expect("something happens in time");
        match signal {
            Some(Signal::Event(event)) => match event.r#type {
                Some(EventType::Offers) => return event.offers.unwrap_or_default().offers,
                Some(EventType::Update) => self.hear(event.update.unwrap_or_default().status).await,
                _ => {}
            },
            Some(Signal::Subscribed { .. }) => {}
            Some(Signal::Disconnected(_)) => {
                self.settle(0).await;
                self.settled.append(&mut self.acknowledged);
            }
            other => panic!("the framework is refused: {other:?}"),
        }
        Vec::new()
    }

    async fn hear(&mut self, status: TaskStatus) {
        if let Some(uuid) = &status.uuid {
            assert!(!self.settled.contains(uuid), "acknowledged, and delivered again: {status:?}");
        }
        let running = status.state == TaskState::Running;
        if let Some(state) = self.tasks.get_mut(&status.task_id) {
            if running && *state == TaskState::Staging {
                self.alive.push(status.task_id.clone());
            }
            assert!(!is_over(*state) || *state == status.state, "{:?} was over, and is {:?}", state, status.state);
            *state = status.state;
        }
        let calls = self.calls.clone();
        self.acknowledging.spawn(async move { calls.acknowledge(&status).await.ok().and(status.uuid) });
        self.settle(ACKNOWLEDGEMENTS).await;
    }

    /// Waits until no more than so many acknowledgements are under way.
    async fn settle(&mut self, most: usize) {
        while self.acknowledging.len() > most {
            let done = self.acknowledging.join_next().await.expect("there are some").expect("no panic");
            self.acknowledged.extend(done);
        }
    }

    /// Writes and listens for a while.
    pub async fn write_for(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.write().await;
        }
    }

    /// Writes until a leader has acknowledged one that was begun after `since`.
    pub async fn write_until_acknowledged(&mut self, since: Instant) {
        let deadline = Instant::now() + PATIENCE;
        while self.last_write < since + WRITE_EVERY {
            assert!(Instant::now() < deadline, "no leader takes a write");
            self.write().await;
        }
    }

    /// One write, a KILL, and whatever is heard before the next.
    async fn write(&mut self) {
        let victim = self.alive.last().expect("there are more tasks than writes").clone();
        let begun = Instant::now();
        match self.calls.kill(victim.clone(), None).await {
            Ok(()) => {
                self.alive.pop();
                self.killed.insert(victim);
                self.writes += 1;
                self.longest_stall = self.longest_stall.max(self.last_write.elapsed());
                self.last_write = Instant::now();
            }
            // It may have had an effect, or none: asked again.
            Err(CallError::NotSubscribed | CallError::Unavailable { .. } | CallError::Unknown(_)) => {}
            // The stream is one of the last leader.
            Err(CallError::Refused { status, text }) => assert!(!text.is_empty(), "{status}"),
        }
        let pause = tokio::time::sleep(WRITE_EVERY.saturating_sub(begun.elapsed()));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = &mut pause => return,
                offers = self.next() => drop(offers),
            }
        }
    }

    pub fn forget_stalls(&mut self) {
        self.longest_stall = Duration::ZERO;
    }

    pub fn longest_stall(&self) -> Duration {
        self.longest_stall
    }

    /// Checks what the leader knows against what was acknowledged; returns how many writes that were.
    pub async fn check(&mut self, site: &Site) -> usize {
        let deadline = Instant::now() + PATIENCE * 2;
        while self.killed.iter().any(|task| !is_over(self.tasks[task])) {
            let left = self.killed.iter().filter(|task| !is_over(self.tasks[*task])).count();
            assert!(Instant::now() < deadline, "{left} kills were acknowledged and have not happened\n{}", site.logs());
            let _ = tokio::time::timeout(Duration::from_millis(100), self.next()).await;
        }
        let limit = self.tasks.len() * 2;
        let listed = site.ask(&format!("/tasks?limit={limit}")).await;
        let listed: BTreeMap<&str, &str> = listed["tasks"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|task| Some((task["id"].as_str()?, task["state"].as_str()?)))
            .collect();
        for (task, state) in &self.tasks {
            let known = listed.get(task.as_str()).copied();
            match self.killed.contains(task) {
                // Of those that have ended only the last thousand are kept.
                true => assert!(matches!(known, None | Some("TASK_KILLED")), "{task}: {known:?}"),
                false => assert_eq!(known, Some("TASK_RUNNING"), "{task} was {state:?}"),
            }
        }
        // What an acknowledged status might still do wrong takes a moment.
        let quiet = until("the leader to have nothing left to deliver", async || {
            tokio::time::timeout(Duration::from_millis(500), self.next()).await.err()
        });
        let _ = quiet.await;
        self.writes
    }
}

fn is_over(state: TaskState) -> bool {
    state.is_terminal()
}
