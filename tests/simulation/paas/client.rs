//! A client of the service layer: it wants things changed at random, one at a time, and follows the events.

use std::collections::{BTreeSet, VecDeque};

use attica_core_api::v1::TaskId;
use attica_paas::engine::{CancelMode, Definition, KillMode, Refusal, Reply, RunSpecChange, TaskSelection, Write};
use attica_paas::events::{Event, EventFilter, EventId};
use attica_paas::model::{DeploymentId, RunSpecUpdate, TaskIdentity, Version};

use super::Body;
use super::definitions::{all_apps, any_group, any_id, any_update, any_write_of_pod, pod, shop};
use crate::network::{self, Node};
use crate::random::Random;
use crate::world::{Out, Timer};

const TICK_MS: u64 = 700;
/// A service layer that says nothing for so long is gone.
const SILENCE_MS: u64 = 4_000;
/// A write without an answer for so long is given up; the client does not know what became of it.
const ANSWER_MS: u64 = 6_000;
/// How much of what it has seen the client remembers.
const MEMORY: usize = 12;

/// One client.
pub(crate) struct Client {
    index: usize,
    pub(crate) filter: EventFilter,
    stream: Option<Stream>,
    streams: u64,
    target: usize,
    /// The latest event.
    pub(crate) position: EventId,
    /// Earlier events, to resume from.
    earlier: VecDeque<EventId>,
    pending: Option<(u64, Write, u64)>,
    next_ticket: u64,
    deployments: VecDeque<DeploymentId>,
    /// Deployments that it had paused, as far as it knows.
    paused: BTreeSet<DeploymentId>,
    versions: VecDeque<Version>,
    tasks: VecDeque<TaskId>,
    /// Tasks that were out of contact when they were last heard of.
    unreachable: BTreeSet<TaskId>,
}

struct Stream {
    name: String,
    paas: usize,
    heard_at: u64,
}

/// A write and its answer.
pub(crate) struct Answer {
    pub(crate) write: Write,
    pub(crate) answer: Result<Reply, Refusal>,
}

impl Client {
    pub(crate) fn new(index: usize) -> Self {
        // One sees everything, the others what scripts usually look at.
        let wanted: &[&str] = match index {
            0 => &[],
            _ => &["status_update_event", "deployment_success", "deployment_failed", "api_post_event"],
        };
        Self {
            index,
            filter: EventFilter {
                event_types: wanted.iter().map(|name| (*name).to_owned()).collect(),
                ..EventFilter::default()
            },
            stream: None,
            streams: 0,
            target: index,
            position: EventId::START,
            earlier: VecDeque::new(),
            pending: None,
            next_ticket: 0,
            deployments: VecDeque::new(),
            paused: BTreeSet::new(),
            versions: VecDeque::new(),
            tasks: VecDeque::new(),
            unreachable: BTreeSet::new(),
        }
    }

    fn node(&self) -> Node {
        Node::Client(self.index)
    }

    pub(crate) fn tick(&mut self, now: u64, processes: usize, random: &mut Random, calm: bool, out: &mut Out) {
        out.timers.push((TICK_MS + random.within(0..80), Timer::Tick));
        match &self.stream {
            None => self.follow(now, processes, random, out),
            Some(stream) if stream.heard_at + SILENCE_MS <= now => self.hang_up(out),
            Some(_) if !calm && random.percent(2) => self.hang_up(out),
            Some(_) => {}
        }
        self.pending.take_if(|(_, _, sent_at)| *sent_at + ANSWER_MS <= now);
        if self.pending.is_none() && random.percent(40) {
            let write = if calm { self.give_up() } else { Some(self.any_write(random)) };
            write.into_iter().for_each(|write| self.ask(now, write, out));
        }
    }

    fn follow(&mut self, now: u64, processes: usize, random: &mut Random, out: &mut Out) {
        self.target = (self.target + 1) % processes;
        self.streams += 1;
        if random.percent(20) && !self.earlier.is_empty() {
            self.position = self.earlier[random.index(self.earlier.len())];
        }
        let name = format!("events-{}-{}", self.index, self.streams);
        let body = network::Body::Paas(Box::new(Body::Follow { after: self.position }));
        out.send(self.node(), Node::Paas(self.target), &name, body);
        self.stream = Some(Stream { name, paas: self.target, heard_at: now });
    }

    fn hang_up(&mut self, out: &mut Out) {
        if let Some(stream) = self.stream.take() {
            out.close(self.node(), Node::Paas(stream.paas), &stream.name);
        }
    }

    pub(crate) fn closed(&mut self, connection: &str) {
        self.stream.take_if(|stream| stream.name == connection);
    }

    /// The events of the present stream.
    pub(crate) fn hear(&mut self, now: u64, connection: &str, events: Vec<Event>) -> Vec<Event> {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.name == connection) else { return Vec::new() };
        stream.heard_at = now;
        let wanted: Vec<Event> = events.into_iter().filter(|event| self.filter.wants(&event.event_type)).collect();
        for event in &wanted {
            let data: serde_json::Value = serde_json::from_slice(event.data()).expect("events are JSON");
            if let Some(task) = data["taskId"].as_str().filter(|task| TaskIdentity::parse(task).is_ok()) {
                let task = TaskId::new(task);
                match data["taskStatus"].as_str() {
                    Some("TASK_UNREACHABLE") => drop(self.unreachable.insert(task.clone())),
                    Some(_) => drop(self.unreachable.remove(&task)),
                    None => {}
                }
                remember(&mut self.tasks, task);
            }
            remember(&mut self.earlier, event.id);
        }
        wanted
    }

    /// The events were in order.
    pub(crate) fn accept(&mut self, last: EventId) {
        self.position = last;
    }

    pub(crate) fn answered(&mut self, ticket: u64, answer: Result<Reply, Refusal>) -> Option<Answer> {
        let (_, write, _) = self.pending.take_if(|(pending, _, _)| *pending == ticket)?;
        if let Write::Hold { id, paused: false } = &write {
            self.paused.remove(id);
        }
        if let Ok(Reply::Deployed { version, deployment, .. }) = &answer {
            remember(&mut self.versions, *version);
            remember(&mut self.deployments, *deployment);
        }
        Some(Answer { write, answer })
    }

    fn ask(&mut self, now: u64, write: Write, out: &mut Out) {
        let Some(stream) = &self.stream else { return };
        let paas = stream.paas;
        if let Write::Hold { id, paused: true } = &write {
            self.paused.insert(*id);
        }
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let body = network::Body::Paas(Box::new(Body::Write { ticket, write: write.clone() }));
        out.send(self.node(), Node::Paas(paas), &format!("write-{ticket}"), body);
        self.pending = Some((ticket, write, now));
    }

    /// In the end somebody gives up what is waited for for ever.
    fn give_up(&self) -> Option<Write> {
        if let Some(id) = self.paused.first() {
            return Some(Write::Hold { id: *id, paused: false });
        }
        let tasks = TaskSelection::These(self.unreachable.iter().cloned().collect());
        (!self.unreachable.is_empty()).then_some(Write::Kill { tasks, mode: KillMode::Wipe, force: false })
    }

    fn any_write(&self, random: &mut Random) -> Write {
        let force = random.percent(35);
        let id = any_id(random);
        if id == pod() {
            let seen = self.tasks.iter().filter_map(|task| TaskIdentity::parse(task.as_str()).ok());
            let seen = seen.map(|task| task.instance).filter(|instance| instance.run_spec == id).collect();
            return any_write_of_pod(random, seen, force);
        }
        match random.within(0..100) {
            0..30 => {
                let to = Definition::Merged(Box::new(any_update(&id, random)));
                Write::Put { changes: vec![RunSpecChange { id, to }], force }
            }
            30..33 => Write::PutGroup { id: shop(), to: any_group(random), force },
            33..34 => Write::DeleteGroup { id: shop(), force },
            34..36 => match any(&self.deployments, random) {
                Some(id) => Write::Hold { id, paused: random.percent(30) },
                None => Write::ResetDelay { id },
            },
            36..42 => Write::Put { changes: all_apps(random), force },
            42..58 => {
                let instances = Some(u32::try_from(random.within(0..5)).expect("few"));
                let to = Definition::Patched(Box::new(RunSpecUpdate { instances, ..RunSpecUpdate::default() }));
                Write::Put { changes: vec![RunSpecChange { id, to }], force }
            }
            58..66 => Write::Restart { id, force },
            66..70 => Write::Delete { id, force },
            70..75 => match any(&self.versions, random) {
                Some(version) => {
                    Write::Put { changes: vec![RunSpecChange { id, to: Definition::Stored(version) }], force }
                }
                None => Write::ResetDelay { id },
            },
            75..87 => match any(&self.deployments, random) {
                Some(id) if random.percent(50) => Write::Cancel { id, mode: CancelMode::RollBack },
                Some(id) => Write::Cancel { id, mode: CancelMode::Leave },
                None => Write::ResetDelay { id },
            },
            87..97 => {
                let tasks = match any(&self.tasks, random) {
                    Some(task) if random.percent(80) => TaskSelection::These(vec![task]),
                    Some(_) | None => TaskSelection::All { run_spec: id },
                };
                let mode = [KillMode::Replace, KillMode::Wipe, KillMode::Scale][random.index(3)];
                Write::Kill { tasks, mode, force }
            }
            _ => Write::ResetDelay { id },
        }
    }
}

fn remember<T>(memory: &mut VecDeque<T>, seen: T) {
    memory.push_back(seen);
    if memory.len() > MEMORY {
        memory.pop_front();
    }
}

fn any<T: Clone>(memory: &VecDeque<T>, random: &mut Random) -> Option<T> {
    // The latest is the most interesting.
    if random.percent(50) {
        return memory.back().cloned();
    }
    (!memory.is_empty()).then(|| memory[random.index(memory.len())].clone())
}
