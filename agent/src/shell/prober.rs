//! One prober for all checks: it keeps their cadence, makes many at a time, and reports each result.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::Message;
use crate::launcher::protocol::ContainerId;
use crate::supervisor::{Input, ProbeSpec, Target};

/// Probes in flight at a time; each takes a file descriptor.
const MAX_IN_FLIGHT: usize = 1_024;
/// No check is made more often.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// What the prober is told.
#[derive(Debug)]
pub(super) enum Order {
    Watch(ContainerId, Vec<ProbeSpec>),
    Unwatch(ContainerId),
}

/// A check of a watched container; ordered by when it is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    /// Tells a watch from a later one of the same container.
    watch: u64,
    container: ContainerId,
    check: usize,
}

struct Watch {
    number: u64,
    checks: Vec<Arc<ProbeSpec>>,
    /// Probes that have not come back; their next turn is skipped.
    in_flight: Vec<bool>,
}

/// A probe that has come back.
struct Finished {
    due: Due,
    outcome: Result<(), String>,
}

/// Makes checks until the orders end.
pub(super) async fn run(ip: IpAddr, mut orders: mpsc::UnboundedReceiver<Order>, results: mpsc::Sender<Message>) {
    let slots = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    let (finish, mut finished) = mpsc::unbounded_channel::<Finished>();
    let mut schedule = Schedule::default();
    loop {
        let next = schedule.next();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => schedule.obey(Instant::now(), order),
                None => return,
            },
            Some(Finished { due, outcome }) = finished.recv() => {
                if schedule.returned(&due) {
                    let input = Input::Probed { container: due.container, check: due.check, outcome };
                    if results.send(Message::Input(input)).await.is_err() {
                        return;
                    }
                }
            },
            () = sleep_until(next) => while let Some((due, spec)) = schedule.take(Instant::now()) {
                if let Target::Command(_) = spec.target {
                    schedule.returned(&due);
                    let input = Input::CheckDue { container: due.container, check: due.check };
                    if results.send(Message::Input(input)).await.is_err() {
                        return;
                    }
                    continue;
                }
                let (slots, finish) = (slots.clone(), finish.clone());
                tokio::spawn(async move {
                    let slot = slots.acquire().await;
                    let outcome = probe(ip, &spec).await;
                    drop(slot);
                    // The prober has ended: nobody wants to know.
                    let _nobody = finish.send(Finished { due, outcome });
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

/// When which check is due.
#[derive(Default)]
struct Schedule {
    watches: HashMap<ContainerId, Watch>,
    queue: BinaryHeap<Reverse<Due>>,
    watches_made: u64,
}

impl Schedule {
    fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse(due)| due.at)
    }

    fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Unwatch(container) => drop(self.watches.remove(&container)),
            Order::Watch(container, checks) => {
                self.watches_made += 1;
                let number = self.watches_made;
                for (check, spec) in checks.iter().enumerate() {
                    let at = now + Duration::from_millis(spec.delay_ms);
                    self.queue.push(Reverse(Due { at, watch: number, container: container.clone(), check }));
                }
                let in_flight = vec![false; checks.len()];
                self.watches
                    .insert(container, Watch { number, checks: checks.into_iter().map(Arc::new).collect(), in_flight });
            }
        }
    }

    fn watch(&mut self, due: &Due) -> Option<&mut Watch> {
        self.watches.get_mut(&due.container).filter(|watch| watch.number == due.watch)
    }

    /// The next check to be made now. Its next turn is counted from when this one was due, so the cadence does not drift.
    fn take(&mut self, now: Instant) -> Option<(Due, Arc<ProbeSpec>)> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse(due) = self.queue.pop()?;
            let Some(watch) = self.watch(&due) else { continue };
            let Some(spec) = watch.checks.get(due.check).cloned() else { continue };
            let interval = Duration::from_millis(spec.interval_ms).max(MIN_INTERVAL);
            let busy = std::mem::replace(&mut watch.in_flight[due.check], true);
            let on_time = due.at + interval;
            // After a pause of the whole process what was missed is not made up for.
            let at = if on_time < now { now + interval } else { on_time };
            self.queue.push(Reverse(Due { at, ..due.clone() }));
            if !busy {
                return Some((due, spec));
            }
        }
        None
    }

    /// Whether somebody still wants to know about this probe.
    fn returned(&mut self, due: &Due) -> bool {
        match self.watch(due) {
            Some(watch) => std::mem::replace(&mut watch.in_flight[due.check], false),
            None => false,
        }
    }
}

async fn probe(ip: IpAddr, spec: &ProbeSpec) -> Result<(), String> {
    let attempt = async {
        match &spec.target {
            Target::Tcp { port } => connect(ip, *port).await.map(drop),
            Target::Http { port, path, statuses } => get(ip, *port, path, statuses).await,
            Target::Command(_) => Err("it is not for the prober to run commands".to_owned()),
        }
    };
    let limit = Duration::from_millis(spec.timeout_ms);
    tokio::time::timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs_f64())))
}

async fn connect(ip: IpAddr, port: u16) -> Result<TcpStream, String> {
    let address = SocketAddr::new(ip, port);
    TcpStream::connect(address).await.map_err(|error| format!("cannot connect to {address}: {error}"))
}

/// Redirects are answers like others and are not followed.
async fn get(ip: IpAddr, port: u16, path: &str, statuses: &[u32]) -> Result<(), String> {
    let stream = connect(ip, port).await?;
    let address = SocketAddr::new(ip, port);
    let failed = |error: &dyn std::error::Error| format!("GET http://{address}{path} failed: {error}");
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("user-agent", "attica-agent")
        .header("connection", "close")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let exchange = async {
        tokio::select! {
            response = sender.send_request(request) => response.map(|response| u32::from(response.status().as_u16())),
            Err(error) = connection => Err(error),
        }
    };
    let status = exchange.await.map_err(|error| failed(&error))?;
    let healthy = if statuses.is_empty() { (200..400).contains(&status) } else { statuses.contains(&status) };
    if healthy { Ok(()) } else { Err(format!("GET http://{address}{path} was answered with status {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(delay_ms: u64, interval_ms: u64) -> ProbeSpec {
        ProbeSpec { target: Target::Tcp { port: 1 }, delay_ms, interval_ms, timeout_ms: 1_000 }
    }

    fn container(name: &str) -> ContainerId {
        ContainerId::new(name).unwrap()
    }

    #[test]
    fn the_cadence_does_not_drift_and_a_slow_probe_skips_its_turns() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        schedule.obey(begin, Order::Watch(container("c"), vec![spec(500, 1_000)]));
        assert!(schedule.take(at(499)).is_none());
        let (first, _) = schedule.take(at(530)).unwrap();
        assert_eq!(schedule.next(), Some(at(1_500)));
        assert!(schedule.take(at(1_501)).is_none(), "the first has not come back");
        assert!(schedule.returned(&first));
        assert!(!schedule.returned(&first));
        assert!(schedule.take(at(2_600)).is_some());
        assert_eq!(schedule.next(), Some(at(3_500)));
    }

    #[test]
    fn nobody_hears_of_what_is_not_watched_any_more() {
        let begin = Instant::now();
        let mut schedule = Schedule::default();
        schedule.obey(begin, Order::Watch(container("c"), vec![spec(0, 1_000)]));
        let (old, _) = schedule.take(begin).unwrap();
        schedule.obey(begin, Order::Unwatch(container("c")));
        schedule.obey(begin, Order::Watch(container("c"), vec![spec(0, 1_000)]));
        assert!(!schedule.returned(&old));
        assert!(schedule.take(begin).is_some());
        assert!(schedule.take(begin).is_none());
    }

    #[tokio::test]
    async fn answers_are_told_apart() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for answer in [
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\n\r\n",
                "HTTP/1.1 500 Oops\r\n\r\n",
                "nonsense\r\n\r\n",
                "",
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1024];
                let _request = stream.read(&mut buffer).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            let (_silent, _) = listener.accept().await.unwrap();
            std::future::pending::<()>().await;
        });
        let ip = IpAddr::from([127, 0, 0, 1]);
        let target = Target::Http { port, path: "/x".to_owned(), statuses: Vec::new() };
        let spec = ProbeSpec { target, delay_ms: 0, interval_ms: 0, timeout_ms: 200 };
        let mut outcomes = Vec::new();
        for _ in 0..6 {
            outcomes.push(probe(ip, &spec).await.err().unwrap_or_else(|| "healthy".to_owned()));
        }
        assert_eq!(outcomes[0], "healthy");
        assert_eq!(outcomes[1], "healthy");
        assert!(outcomes[2].ends_with("was answered with status 500"), "{outcomes:?}");
        assert!(outcomes[3].contains("failed") && outcomes[4].contains("failed"), "{outcomes:?}");
        assert_eq!(outcomes[5], "no answer within 0.2 s");
        let refused = ProbeSpec { target: Target::Tcp { port: 1 }, ..spec };
        assert!(probe(ip, &refused).await.unwrap_err().starts_with("cannot connect to 127.0.0.1:1"));
    }
}
