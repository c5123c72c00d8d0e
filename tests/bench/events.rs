//! The event bus over real connections, everything durable: rows d1 to d3.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod fsync;
mod report;
mod roles;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fsync::Disk;
use report::{Better, Figure};
use roles::{Role, Site};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

/// No master is needed: apps without instances make events as well.
const NO_MASTER: &str = "127.0.0.1:1";
/// Apps that are written again and again.
const APPS: usize = 64;
const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

/// What d1 asks for.
const SUBSCRIBERS: usize = 1_000;
const EVENTS_PER_SECOND: usize = 1_000;
const SECONDS: usize = 10;
/// Each write makes so many events: it is announced, groups change, and a deployment with one step begins and ends.
const EVENTS_PER_WRITE: usize = 5;
/// The first event of a stream without a filter says that it is attached.
const ATTACHED: usize = 1;
/// One subscriber in so many notes when events come; the others only read.
const NOTING: usize = 20;

const IDLE: usize = 9_990;
const STALLED: usize = 200;
/// So much text makes an event that a few thousand of them are more than the bus remembers, and than sockets hold.
const PADDING: usize = 20_000;
const PADDED_WRITES: usize = 4_000;
const KEEP_ALIVE: Duration = Duration::from_secs(12);

const MISSED: usize = 100_000;

type Row = (&'static str, fn(&Role, &Disk) -> Vec<Figure>);

const ROWS: [Row; 3] = [("d1", d1), ("d2", d2), ("d3", d3)];

#[tokio::main]
async fn main() {
    for (_, row) in ROWS.into_iter().filter(|(row, _)| report::is_wanted(row)) {
        let mut figures = Vec::new();
        for disk in fsync::disks(roles::directory().path()) {
            let directory = roles::directory();
            let site = Site::new(directory.path(), &disk).await;
            let paas = site.start("paas", "paas", &["--listen", "127.0.0.1:0", "--master", NO_MASTER]);
            // Writers block, as clients do; subscribers go on meanwhile.
            figures.extend(tokio::task::spawn_blocking(move || row(&paas, &disk)).await.expect("no panic"));
        }
        report::print(&figures);
    }
}

/// 1,000 subscribers, 1,000 events a second: from the answer to the write that made an event to its arrival.
fn d1(paas: &Role, disk: &Disk) -> Vec<Figure> {
    write_all(paas, APPS, CONNECTIONS, "first");
    let mut subscribers: Vec<Subscriber> = Vec::with_capacity(SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        let note = if number % NOTING == 0 { Note::Arrivals } else { Note::Nothing };
        subscribers.push(Subscriber::open(paas, "", note));
    }
    let writes = EVENTS_PER_SECOND / EVENTS_PER_WRITE * SECONDS;
    let interval = Duration::from_secs(1) * EVENTS_PER_WRITE as u32 / EVENTS_PER_SECOND as u32;
    let begun = Instant::now();
    let answered = at_once(CONNECTIONS, writes, |client, number| {
        std::thread::sleep((begun + interval * number as u32).saturating_duration_since(Instant::now()));
        put(client, paas, number, "");
        Instant::now()
    });
    let took_s = begun.elapsed().as_secs_f64();
    let mut late_ms = Vec::new();
    for subscriber in subscribers.iter().step_by(NOTING) {
        subscriber.until_events(ATTACHED + writes * EVENTS_PER_WRITE);
        late_ms.extend(subscriber.late_ms(&answered));
    }
    let rate = (writes * EVENTS_PER_WRITE) as f64 / took_s;
    vec![
        milliseconds("d1.commit_to_client.p99", disk, percentile(&mut late_ms, 0.99), Some(50.0)),
        milliseconds("d1.commit_to_client.p50", disk, percentile(&mut late_ms, 0.5), None),
        figure("d1.events", disk, rate, "events/s", None, Better::Higher),
    ]
}

/// What idle and stalled subscribers cost, and whether anybody notices the stalled ones.
fn d2(paas: &Role, disk: &Disk) -> Vec<Figure> {
    write_all(paas, APPS, CONNECTIONS, "first");
    let before_kib = paas.memory_kib();
    let idle: Vec<Subscriber> =
        (0..IDLE).map(|_| Subscriber::open(paas, "?event_type=nothing", Note::Nothing)).collect();
    std::thread::sleep(KEEP_ALIVE);
    let idle_kib = (paas.memory_kib() - before_kib) / IDLE as f64;
    drop(idle);

    // The memory of the bus is full before and after, so that what is left of the difference is the stalled ones'.
    let padding = "x".repeat(PADDING);
    (0..3).for_each(|_| drop(write_all(paas, PADDED_WRITES, CONNECTIONS, &padding)));
    let before_kib = paas.memory_kib();
    write_all(paas, PADDED_WRITES, CONNECTIONS, &padding);
    let drift_kib = paas.memory_kib() - before_kib;
    let stalled: Vec<Subscriber> = (0..STALLED).map(|_| Subscriber::open(paas, "", Note::Stall)).collect();
    let lively = Subscriber::open(paas, "?event_type=api_post_event", Note::Arrivals);
    let before_kib = paas.memory_kib();
    let answered = write_all(paas, PADDED_WRITES, CONNECTIONS, &padding);
    lively.until_events(PADDED_WRITES);
    let stalled_kib = (paas.memory_kib() - before_kib - drift_kib.max(0.0)) / STALLED as f64;
    let mut late_ms = lively.late_ms(&answered);
    drop(stalled);
    vec![
        figure("d2.idle", disk, idle_kib, "KiB", Some(16.0), Better::Lower),
        figure("d2.stalled", disk, stalled_kib, "KiB", Some(64.0), Better::Lower),
        milliseconds("d2.beside_stalled.p99", disk, percentile(&mut late_ms, 0.99), Some(50.0)),
    ]
}

/// 100,000 events that a subscriber has missed, until it has them.
fn d3(paas: &Role, disk: &Disk) -> Vec<Figure> {
    write_all(paas, APPS, CONNECTIONS, "first");
    let answer = ureq::get(format!("http://{}/v2/apps", paas.address)).call().expect("an answer");
    let id = answer.headers()["attica-event-id"].to_str().expect("a number").to_owned();
    write_all(paas, MISSED / EVENTS_PER_WRITE, CONNECTIONS, "");
    let started = Instant::now();
    let subscriber = Subscriber::open(paas, &format!("?lastEventId={id}"), Note::Arrivals);
    subscriber.until_events(ATTACHED + MISSED);
    let value = started.elapsed().as_secs_f64();
    vec![figure("d3.resume", disk, value, "s", Some(2.0), Better::Lower)]
}

/// What a subscriber does with what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
    /// Only reads.
    Nothing,
    /// Counts events, and notes when that of each write came.
    Arrivals,
    /// Never reads.
    Stall,
}

/// An open stream; closed when dropped.
struct Subscriber {
    seen: Arc<AtomicUsize>,
    arrivals: Arc<Mutex<Vec<(usize, Instant)>>>,
    reader: JoinHandle<()>,
}

impl Subscriber {
    /// Returns once the stream has begun.
    fn open(paas: &Role, query: &str, note: Note) -> Subscriber {
        let host = &paas.address;
        let request = format!("GET /v2/events{query} HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n");
        let address = paas.address.parse().expect("an address");
        let (seen, arrivals) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let runtime = tokio::runtime::Handle::current();
        let (mut stream, head) = runtime.block_on(async {
            let socket = TcpSocket::new_v4().expect("a socket");
            if note == Note::Stall {
                socket.set_recv_buffer_size(4096).expect("a small buffer");
            }
            let mut stream = socket.connect(address).await.expect("a connection");
            stream.write_all(request.as_bytes()).await.expect("sent");
            let mut head = vec![0; 1024];
            let length = stream.read(&mut head).await.expect("an answer");
            head.truncate(length);
            (stream, head)
        });
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        let (counted, noted) = (Arc::clone(&seen), Arc::clone(&arrivals));
        let reader = runtime.spawn(async move {
            if note == Note::Stall {
                return std::future::pending().await;
            }
            let mut text = Text::default();
            counted.fetch_add(text.read(&head, |_| {}), Ordering::Release);
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if note == Note::Arrivals {
                    let now = Instant::now();
                    let mut noted = noted.lock().expect("no panic");
                    let events = text.read(&buffer[..length], |write| noted.push((write, now)));
                    counted.fetch_add(events, Ordering::Release);
                }
            }
        });
        Subscriber { seen, arrivals, reader }
    }

    /// Returns once so many events came.
    fn until_events(&self, events: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.seen.load(Ordering::Acquire) < events {
            assert!(Instant::now() < deadline, "{} of {events} events came", self.seen.load(Ordering::Acquire));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How long after the answer to its write each noted event came; 0 for one that came before.
    fn late_ms(&self, answered: &[Instant]) -> Vec<f64> {
        let arrivals = self.arrivals.lock().expect("no panic");
        let late = |(write, at): &(usize, Instant)| at.saturating_duration_since(answered[*write]).as_secs_f64() * 1e3;
        arrivals.iter().map(late).collect()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The text of a stream as it comes, in pieces that end anywhere.
#[derive(Default)]
struct Text {
    /// The end of the last piece.
    rest: Vec<u8>,
}

impl Text {
    /// No text that is looked for is longer, with the number behind it.
    const LOOK_BEHIND: usize = 32;
    const EVENT: &[u8] = b"\ndata: ";
    const WRITE: &[u8] = b"\"cmd\":\"write ";

    /// Counts the events that begin in this piece, and gives the numbers of the writes in it to `write`.
    fn read(&mut self, piece: &[u8], mut write: impl FnMut(usize)) -> usize {
        self.rest.extend_from_slice(piece);
        // What begins in the last bytes is looked at with the next piece.
        let whole = self.rest.len().saturating_sub(Self::LOOK_BEHIND);
        let mut events = 0;
        for at in 0..whole {
            match self.rest[at] {
                b'\n' if self.rest[at..].starts_with(Self::EVENT) => events += 1,
                b'"' if self.rest[at..].starts_with(Self::WRITE) => {
                    let digits = self.rest[at + Self::WRITE.len()..].iter().take_while(|byte| byte.is_ascii_digit());
                    write(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')));
                }
                _ => {}
            }
        }
        self.rest.drain(..whole);
        events
    }
}

/// Writes so many times over so many connections; returns when each was answered.
fn write_all(paas: &Role, writes: usize, connections: usize, padding: &str) -> Vec<Instant> {
    at_once(connections, writes, |client, number| {
        put(client, paas, number, padding);
        Instant::now()
    })
}

/// Changes one of some apps without instances.
fn put(client: &ureq::Agent, paas: &Role, number: usize, padding: &str) {
    let app = json!({"cmd": format!("write {number}"), "instances": 0, "labels": {"padding": padding}});
    let answer = client
        .put(format!("http://{}/v2/apps//bench-{}?force=true", paas.address, number % APPS))
        .header("content-type", "application/json")
        .send(app.to_string())
        .expect("the app is taken");
    assert!(answer.status().is_success());
}

/// Does `count` numbered things over so many connections; returns what each gave.
fn at_once<T: Send>(connections: usize, count: usize, thing: impl Fn(&ureq::Agent, usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let client = ureq::agent();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let outcome = thing(&client, number);
                    done.lock().expect("no panic").push((number, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() as f64 * share) as usize]
}

fn milliseconds(bench: &str, disk: &Disk, value: f64, reach: Option<f64>) -> Figure {
    figure(bench, disk, value, "ms", reach, Better::Lower)
}

fn figure(bench: &str, disk: &Disk, value: f64, unit: &'static str, reach: Option<f64>, better: Better) -> Figure {
    let bench = format!("{bench}{}", disk.suffix);
    Figure { bench, value, unit, reach, better, fsync_ms: Some(disk.fsync_ms) }
}
