//! The service layer as a whole: its processes, its database, its clients, and what must hold of them.

use super::store::Outcome;
use super::{Balancer, Body, Client, Paas, Store};
use crate::agent::{Agent, Obeyed};
use crate::checks::{Checks, PaasChecks};
use crate::network::{self, Message, Node};
use crate::random::Random;
use crate::rules::Rules;
use crate::summary::Summary;
use crate::world::{Out, Timer};

/// The service layer; empty when a run has none.
pub(crate) struct Service {
    pub(crate) processes: Vec<Paas>,
    store: Store,
    clients: Vec<Client>,
    balancer: Balancer,
    checks: PaasChecks,
}

impl Service {
    pub(crate) fn new(processes: usize, clients: usize) -> Self {
        Self {
            processes: (0..processes).map(Paas::new).collect(),
            store: Store::default(),
            clients: (0..clients).map(Client::new).collect(),
            balancer: Balancer::new(),
            checks: PaasChecks::default(),
        }
    }

    /// A process's or a client's time has come.
    pub(crate) fn timer(
        &mut self,
        now: u64,
        node: Node,
        timer: Timer,
        masters: usize,
        calm: bool,
        random: &mut Random,
        rules: Rules,
        out: &mut Out,
    ) {
        let processes = self.processes.len();
        match node {
            Node::Paas(index) => {
                self.processes[index].timer(now, timer, masters, &self.store, random, rules, out);
            }
            Node::Client(index) => self.clients[index].tick(now, processes, random, calm, out),
            Node::Balancer => self.balancer.tick(now, processes, random, rules, calm, out),
            Node::Master(_) | Node::Agent(_) | Node::Scheduler(_) | Node::Store | Node::PaasStore => {}
        }
    }

    /// A message arrived at a process or a client.
    pub(crate) fn arrived(
        &mut self,
        now: u64,
        message: Message,
        random: &mut Random,
        rules: Rules,
        checks: &mut Checks,
        out: &mut Out,
    ) -> Result<(), String> {
        match (message.to, message.from) {
            (Node::Paas(index), Node::PaasStore) => {
                self.processes[index].answered(now, message.body, &self.store, random, out);
                Ok(())
            }
            (Node::Paas(index), _) => {
                if let network::Body::Event { stream, event } = &message.body
                    && let Some(framework) = self.processes[index].listens_to(stream)
                    && let Some(update) = &event.update
                {
                    checks.heard(Some(&framework), &update.status)?;
                }
                self.processes[index].receive(now, message, random, rules, out);
                Ok(())
            }
            (Node::PaasStore, Node::Paas(paas)) => self.serve(now, paas, message.body, rules, out),
            (Node::Client(index), _) => self.client_arrived(now, index, message),
            (Node::Balancer, _) => {
                match message.body {
                    network::Body::Closed { connection } => self.balancer.closed(&connection),
                    network::Body::Paas(body) => match *body {
                        Body::Answered(answered) => self.balancer.answered(now, answered, random, rules, out),
                        body => self.balancer.hear(now, &message.connection, body, random, rules, out),
                    },
                    _ => {}
                }
                self.checks.routed(&self.balancer)
            }
            _ => Ok(()),
        }
    }

    fn serve(
        &mut self,
        now: u64,
        paas: usize,
        request: network::Body,
        rules: Rules,
        out: &mut Out,
    ) -> Result<(), String> {
        let answer = match self.store.serve(now, paas, request, rules) {
            Outcome::Answer(answer) => answer,
            Outcome::Committed(answer, epoch, entries) => {
                self.checks.committed(epoch, &entries)?;
                answer
            }
            Outcome::Fenced | Outcome::Nothing => return Ok(()),
        };
        out.send(Node::PaasStore, Node::Paas(paas), "store", answer);
        Ok(())
    }

    fn client_arrived(&mut self, now: u64, index: usize, message: Message) -> Result<(), String> {
        let client = &mut self.clients[index];
        match message.body {
            network::Body::Closed { connection } => client.closed(&connection),
            network::Body::Paas(body) => match *body {
                Body::Written { ticket, answer } => {
                    if let Some(answer) = client.answered(ticket, answer) {
                        self.checks.answered(&answer)?;
                    }
                }
                Body::Events { events } => {
                    let events = client.hear(now, &message.connection, events);
                    self.checks.received(client, &events)?;
                    events.last().into_iter().for_each(|last| client.accept(last.id));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// Something leaves a process or the database.
    pub(crate) fn released(&self, message: &Message) -> Result<(), String> {
        match (message.from, &message.body) {
            (Node::Paas(_), network::Body::Call { command, .. }) => self.checks.called(command),
            _ => Ok(()),
        }
    }

    /// An agent carried an order out.
    pub(crate) fn obeyed(&mut self, obeyed: &Obeyed) -> Result<(), String> {
        self.checks.obeyed(obeyed)
    }

    pub(crate) fn survey(&self, agents: &[Agent]) -> Result<(), String> {
        self.checks.survey(&self.store, &self.processes, agents)
    }

    pub(crate) fn finally(&mut self, now: u64, agents: &[Agent], summary: &mut Summary) -> Result<(), String> {
        if self.processes.is_empty() {
            return Ok(());
        }
        self.checks.finally(now, &self.store, &mut self.processes, &self.clients, agents)?;
        self.checks.summarise(summary);
        Ok(())
    }
}
