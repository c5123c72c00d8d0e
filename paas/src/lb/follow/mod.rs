//! The follower: what the service layer tells, into the table, into use, and acknowledged.
//!
//! States of a follower:
//!
//! * *connecting*: it tries one address of the service layer after the other, with growing pauses; the latest table stays in use;
//! * *reading*: its stream is open, and it reads the list of apps, because it has none or the stream told that events are missing. The
//!   stream comes first: from then on kills wait for it, so that the list shows every kill that did not;
//! * *following*: it folds events as they come, reads apps again whose definitions changed, puts the routes into use, and acknowledges.

mod service;
mod sse;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use attica_core_api::http::{ResponseBody, Security};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::sync::watch;

use super::proxy::{Ports, Switch};
use super::table::{self, App, Groups, Input, Table};
use super::traffic::Reporter;
use crate::events::EventId;
use crate::model::RunSpecId;
use service::{FollowError, ServiceLayer};
use sse::Parser;
pub use wire::EVENT_TYPES;

/// A stream without a word for so long is dead: the service layer says something every 10 s.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// While a drain is waited for, or an app could not be read, it is looked at again so often.
const PENDING_INTERVAL: Duration = Duration::from_millis(20);
/// Else, so often is looked whether a service port that was taken is free.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);
/// More apps than this are read all together.
const SINGLE_READS_MAX: usize = 32;
/// An acknowledgement is repeated so often: it is a lease of 15 s.
const LEASE_INTERVAL: Duration = Duration::from_secs(4);
/// Traffic is reported so often.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// What an event of this type, with these data, means to the table.
#[must_use]
pub fn meaning(event_type: &str, data: &str) -> table::Event {
    wire::event(&sse::Frame { id: String::new(), event_type: event_type.to_owned(), data: data.to_owned() })
}

/// The app that the service layer shows as this JSON; none when it is not one.
#[must_use]
pub fn app(json: &str) -> Option<App> {
    serde_json::from_str::<wire::WireApp>(json).ok()?.into_app().ok()
}

/// Follows the service layer.
pub(super) struct Follower {
    addresses: Vec<ServiceLayer>,
    name: Arc<str>,
    table: Table,
    knowledge: Knowledge,
    switch: Arc<Switch>,
    ports: Ports,
    loaded: watch::Sender<bool>,
}

/// Whether the table can be kept up to date by events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    /// The list has to be read.
    None,
    /// Everything up to the table's position is in it.
    Complete,
}

/// What goes to the service layer beside the stream; ends when it is dropped.
struct Posting {
    position: watch::Sender<EventId>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Posting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    pub(super) fn new(
        addresses: &[String],
        security: Security,
        name: &str,
        groups: Groups,
        switch: Arc<Switch>,
        ports: Ports,
    ) -> Self {
        let service = |address: &String| ServiceLayer::new(address, security.clone());
        Self {
            addresses: addresses.iter().map(service).collect(),
            name: name.into(),
            table: Table::new(groups),
            knowledge: Knowledge::None,
            switch,
            ports,
            loaded: watch::Sender::new(false),
        }
    }

    /// Turns true with the first table.
    pub(super) fn loaded(&self) -> watch::Receiver<bool> {
        self.loaded.subscribe()
    }

    /// Follows for ever.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            for address in self.addresses.clone() {
                let begun = Instant::now();
                let Err(error) = self.follow(&address).await;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the service layer is not followed; the routes stay as they are"
                );
                if begun.elapsed() > LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                tokio::time::sleep(pause).await;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Follows one address until that fails.
    async fn follow(&mut self, address: &ServiceLayer) -> Result<std::convert::Infallible, FollowError> {
        let after = (self.knowledge == Knowledge::Complete).then(|| self.table.position());
        let (body, service) = address.events(&self.name, after).await?;
        let mut stream = Stream { body, parser: Parser::default(), heard: Instant::now() };
        let mut posting = None;
        let mut ports_tried = Instant::now();
        loop {
            if self.knowledge == Knowledge::None {
                self.read_all(&service).await?;
                self.knowledge = Knowledge::Complete;
            }
            let posting = posting.get_or_insert_with(|| self.post(service.clone()));
            // What is taken away is so at once, and not only when the service layer has answered.
            let mut pending = self.publish(posting).await;
            if !self.table.outdated().is_empty() {
                self.read_outdated(&service).await?;
                pending = self.publish(posting).await;
            }
            for frame in stream.next(pending).await? {
                self.fold(&frame);
            }
            if ports_tried.elapsed() > IDLE_INTERVAL {
                self.ports.open_missing().await;
                ports_tried = Instant::now();
            }
        }
    }

    fn fold(&mut self, frame: &sse::Frame) {
        if frame.event_type == wire::RESET {
            tracing::warn!("events were missed: reading everything again");
            self.knowledge = Knowledge::None;
        }
        if let Some(position) = EventId::parse(&frame.id) {
            self.table.apply(Input::Event { position, event: wire::event(frame) });
        }
    }

    /// Reads the apps again whose definitions have changed.
    async fn read_outdated(&mut self, service: &ServiceLayer) -> Result<(), FollowError> {
        if self.table.outdated().len() > SINGLE_READS_MAX {
            return self.read_all(service).await;
        }
        let outdated: Vec<RunSpecId> = self.table.outdated().keys().cloned().collect();
        for id in outdated {
            let (position, app) = service.app(&id).await?;
            self.table.apply(Input::Read { position, id, app });
        }
        Ok(())
    }

    async fn read_all(&mut self, service: &ServiceLayer) -> Result<(), FollowError> {
        let (position, apps) = service.apps().await?;
        self.table.apply(Input::Listed { position, apps });
        Ok(())
    }

    /// Puts the routes into use and acknowledges them. Something is pending when that is not everything.
    async fn publish(&mut self, posting: &Posting) -> Pending {
        let routes = self.table.routes();
        self.switch.publish(Arc::clone(&routes));
        self.ports.follow(&routes.names).await;
        self.loaded.send_replace(true);
        let position = self.table.acknowledgeable(|instance| self.switch.is_busy(instance));
        posting.position.send_if_modified(|known| std::mem::replace(known, position) != position);
        if position < self.table.position() || !self.table.outdated().is_empty() {
            Pending::Something
        } else {
            Pending::Nothing
        }
    }

    /// Begins to post to `service`.
    fn post(&self, service: ServiceLayer) -> Posting {
        let position = watch::Sender::new(EventId::START);
        let acknowledging = acknowledging(service.clone(), Arc::clone(&self.name), position.subscribe());
        let reporting = reporting(service, Arc::clone(&self.name), Arc::clone(&self.switch));
        let task = tokio::spawn(async move {
            tokio::join!(acknowledging, reporting);
        });
        Posting { position, task }
    }
}

/// An open event stream.
struct Stream {
    body: ResponseBody,
    parser: Parser,
    /// When anything last came.
    heard: Instant,
}

impl Stream {
    /// All events that are there; waits for the first piece of the stream, but while something is pending not for long. There may be none.
    async fn next(&mut self, pending: Pending) -> Result<Vec<sse::Frame>, FollowError> {
        let mut frames = Vec::new();
        let patience = match pending {
            Pending::Nothing => IDLE_INTERVAL,
            Pending::Something => PENDING_INTERVAL,
        };
        let mut next = match tokio::time::timeout(patience, self.body.frame()).await {
            Ok(next) => Some(next),
            Err(_elapsed) if self.heard.elapsed() > SILENCE_MAX => return Err(FollowError::Silent),
            Err(_elapsed) => None,
        };
        while let Some(piece) = next {
            self.heard = Instant::now();
            let piece = piece.ok_or(FollowError::Ended)?.map_err(|error| FollowError::Body(error.into()))?;
            if let Some(data) = piece.data_ref() {
                self.parser.push(data, &mut frames)?;
            }
            next = self.body.frame().now_or_never();
        }
        Ok(frames)
    }
}

/// Whether there is something to look at before the stream goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    Something,
}

/// Acknowledges each new position, and the latest again and again.
async fn acknowledging(service: ServiceLayer, name: Arc<str>, mut position: watch::Receiver<EventId>) {
    loop {
        // Waits for the next position, but no longer than the lease allows.
        if let Ok(Err(_closed)) = tokio::time::timeout(LEASE_INTERVAL, position.changed()).await {
            return;
        }
        let reached = *position.borrow_and_update();
        if reached > EventId::START
            && let Err(error) = service.acknowledge(&name, reached).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot acknowledge events");
            tokio::time::sleep(FIRST_PAUSE).await;
            position.mark_changed();
        }
    }
}

/// Reports traffic.
async fn reporting(service: ServiceLayer, name: Arc<str>, switch: Arc<Switch>) {
    let mut reporter = Reporter::new(switch.traffic());
    let mut last = Instant::now();
    loop {
        tokio::time::sleep(REPORT_INTERVAL).await;
        let elapsed = last.elapsed();
        last = Instant::now();
        let report = reporter.report(&name, switch.traffic(), elapsed);
        if let Err(error) = service.post("/v2/traffic", &report).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot report traffic");
            reporter.repeat();
        }
    }
}
