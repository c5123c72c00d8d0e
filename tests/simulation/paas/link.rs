//! The service layer's way to the masters: one subscription, and calls in order, one at a time per lane. Whenever a call may have been
//! lost without the engine's knowledge, the stream is given up and a new one begun, as in the real one.

use std::collections::VecDeque;

use attica_core_api::scheduler::{Call, CallType, Event, EventType, Subscribe};
use attica_core_api::v1::{FrameworkCapability, FrameworkCapabilityType, FrameworkId, FrameworkInfo};
use attica_paas::engine::Input;

use crate::network::{Body, Node};
use crate::random::Random;
use crate::world::Out;

/// What is kept for single instances is reserved for a role.
pub(crate) const ROLE: &str = "services";
/// A master that says nothing for so long is gone.
const SILENCE_MS: u64 = 5_000;
/// A call without an answer for so long may be lost.
const ANSWER_MS: u64 = 2_500;

/// The connection to the masters.
pub(super) struct Link {
    node: Node,
    epoch: u64,
    framework: Option<FrameworkId>,
    stream: Option<Stream>,
    streams: u64,
    target: usize,
    retry_at: u64,
    next_ticket: u64,
    /// Acknowledgements do not wait for the other calls.
    lanes: [Lane; 2],
}

struct Stream {
    name: String,
    master: usize,
    subscribed: bool,
    heard_at: u64,
}

#[derive(Default)]
struct Lane {
    calls: VecDeque<Call>,
    in_flight: Option<(u64, u64)>,
}

impl Link {
    pub(super) fn new(node: Node, epoch: u64, framework: Option<FrameworkId>) -> Self {
        Self {
            node,
            epoch,
            framework,
            stream: None,
            streams: 0,
            target: 0,
            retry_at: 0,
            next_ticket: 0,
            lanes: <[Lane; 2]>::default(),
        }
    }

    /// Looks after the stream. Returns what the engine has to know.
    pub(super) fn tick(&mut self, now: u64, masters: usize, random: &mut Random, out: &mut Out) -> Option<Input> {
        let unanswered = |lane: &Lane| lane.in_flight.is_some_and(|(_, sent_at)| sent_at + ANSWER_MS <= now);
        match &self.stream {
            None if self.retry_at <= now => {
                self.subscribe(now, masters, random, out);
                None
            }
            None => None,
            Some(stream) if stream.heard_at + SILENCE_MS <= now || self.lanes.iter().any(unanswered) => {
                Some(self.hang_up(now, random, out))
            }
            Some(_) => None,
        }
    }

    fn subscribe(&mut self, now: u64, masters: usize, random: &mut Random, out: &mut Out) {
        self.target = (self.target + 1) % masters;
        self.streams += 1;
        let name = format!("paas-{}-{}", self.epoch, self.streams);
        let capabilities = [
            FrameworkCapabilityType::MultiRole,
            FrameworkCapabilityType::PartitionAware,
            FrameworkCapabilityType::TaskKillingState,
        ];
        let framework_info = FrameworkInfo {
            name: "paas".to_owned(),
            user: "root".to_owned(),
            id: self.framework.clone(),
            failover_timeout: 604_800.0,
            roles: vec![ROLE.to_owned()],
            capabilities: capabilities.map(|kind| FrameworkCapability { r#type: Some(kind) }).to_vec(),
            ..FrameworkInfo::default()
        };
        let subscribe = Box::new(Subscribe { framework_info, ..Subscribe::default() });
        out.send(self.node, Node::Master(self.target), &name, Body::Subscribe { stream: name.clone(), subscribe });
        self.stream = Some(Stream { name, master: self.target, subscribed: false, heard_at: now });
        self.retry_at = now + random.within(200..1_500);
    }

    /// Gives the stream up.
    pub(super) fn hang_up(&mut self, now: u64, random: &mut Random, out: &mut Out) -> Input {
        if let Some(stream) = self.stream.take() {
            out.close(self.node, Node::Master(stream.master), &stream.name);
        }
        self.lost(now, random)
    }

    /// A connection ended; returns what the engine has to know, if it was the stream.
    pub(super) fn closed(&mut self, now: u64, connection: &str, random: &mut Random) -> Option<Input> {
        self.stream.as_ref().filter(|stream| stream.name == connection)?;
        Some(self.lost(now, random))
    }

    fn lost(&mut self, now: u64, random: &mut Random) -> Input {
        self.stream = None;
        self.retry_at = now + random.within(20..800);
        self.lanes.iter_mut().for_each(|lane| lane.in_flight = None);
        Input::Disconnected
    }

    /// An event; returns what the engine has to know.
    pub(super) fn hear(&mut self, now: u64, stream: &str, event: Event) -> Option<Input> {
        let current = self.stream.as_mut().filter(|current| current.name == stream)?;
        current.heard_at = now;
        match event.r#type? {
            EventType::Heartbeat => return None,
            EventType::Subscribed => {
                current.subscribed = true;
                self.framework = event.subscribed.as_ref().map(|subscribed| subscribed.framework_id.clone());
            }
            _ => {}
        }
        Some(Input::Scheduler(Box::new(event)))
    }

    /// The framework's id, if this is the present stream.
    pub(super) fn listens_to(&self, stream: &str) -> Option<FrameworkId> {
        self.stream.as_ref().filter(|current| current.name == stream)?;
        self.framework.clone()
    }

    /// Queues a call behind all earlier ones of its lane.
    pub(super) fn send(&mut self, now: u64, call: Call, out: &mut Out) {
        let lane = usize::from(call.r#type == Some(CallType::Acknowledge));
        self.lanes[lane].calls.push_back(call);
        self.pump(now, lane, out);
    }

    /// A call was answered, one way or the other.
    pub(super) fn answered(&mut self, now: u64, ticket: u64, out: &mut Out) {
        let waits = |lane: &Lane| lane.in_flight.is_some_and(|(waiting, _)| waiting == ticket);
        if let Some(lane) = self.lanes.iter().position(waits) {
            self.lanes[lane].in_flight = None;
            self.pump(now, lane, out);
        }
    }

    fn pump(&mut self, now: u64, lane: usize, out: &mut Out) {
        while self.lanes[lane].in_flight.is_none() {
            let Some(call) = self.lanes[lane].calls.pop_front() else { return };
            let Some(stream) = self.stream.as_ref().filter(|stream| stream.subscribed) else { continue };
            let call = Call { framework_id: self.framework.clone(), ..call };
            let (framework, command) = call.into_command().expect("the engine makes valid calls");
            let framework = framework.expect("set above");
            self.next_ticket += 1;
            // Unlike any ticket of another leader.
            let ticket = self.epoch * 1_000_000 + self.next_ticket;
            self.lanes[lane].in_flight = Some((ticket, now));
            let body = Body::Call { ticket, framework, stream: stream.name.clone(), command };
            out.send(self.node, Node::Master(stream.master), &format!("call-{ticket}"), body);
        }
    }
}
