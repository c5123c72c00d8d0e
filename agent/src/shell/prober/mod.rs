//! One prober for all checks: it keeps their cadence, makes many at a time, and reports each result.

mod probe;
mod schedule;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::Message;
use crate::launcher::protocol::ContainerId;
use crate::network::{Place, Sockets};
use crate::supervisor::{Finding, Input, Plea, ProbeSpec, Target, plea};
use probe::Prober;
use schedule::{Due, Schedule};

/// Probes in flight at a time; each takes a file descriptor.
const MAX_IN_FLIGHT: usize = 1_024;

/// What the prober is told.
#[derive(Debug)]
pub(super) enum Order {
    Watch(ContainerId, Place, Vec<ProbeSpec>),
    Unwatch(ContainerId),
    Plead(ContainerId, Plea, plea::Target),
}

/// A probe that has come back.
struct Finished {
    due: Due,
    finding: Finding,
}

/// Makes checks until the orders end.
pub(super) async fn run(
    ip: IpAddr,
    sockets: Sockets,
    mut orders: mpsc::UnboundedReceiver<Order>,
    results: mpsc::Sender<Message>,
) {
    let slots = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let (finish, mut finished) = mpsc::unbounded_channel::<Finished>();
    let mut schedule = Schedule::default();
    let prober = Prober::new(ip, sockets);
    loop {
        let next = schedule.next();
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Plead(container, plea, target)) => {
                    let (results, prober) = (results.clone(), prober.clone());
                    tokio::spawn(async move {
                        let is_heard = prober.plead(&target).await;
                        // The agent has ended: nobody wants to know.
                        let _nobody = results.send(Message::Input(Input::Pleaded { container, plea, is_heard })).await;
                    });
                }
                Some(order) => schedule.obey(Instant::now(), order),
                None => return,
            },
            Some(Finished { due, finding }) = finished.recv() => {
                if schedule.returned(&due) {
                    let input = Input::Probed { container: due.container, check: due.check, finding };
                    if results.send(Message::Input(input)).await.is_err() {
                        return;
                    }
                }
            },
            () = sleep_until(next) => while let Some((due, place, spec)) = schedule.take(Instant::now()) {
                if let Target::Command(_) = spec.target {
                    schedule.returned(&due);
                    let input = Input::CheckDue { container: due.container, check: due.check };
                    if results.send(Message::Input(input)).await.is_err() {
                        return;
                    }
                    continue;
                }
                let (slots, finish, prober) = (slots.clone(), finish.clone(), prober.clone());
                tokio::spawn(async move {
                    let slot = slots.acquire().await;
                    let finding = prober.probe(&place, &spec).await;
                    drop(slot);
                    // The prober has ended: nobody wants to know.
                    let _nobody = finish.send(Finished { due, finding });
                });
            },
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
