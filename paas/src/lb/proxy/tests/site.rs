//! A data path with backends that do what a test says, and clients that write bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::lb::fixtures::{app, at, instance};
use crate::lb::proxy::{Doors, Entrance, Switch};
use crate::lb::table::{Groups, Input, Instance, Mode, Table};

/// What backends answer by default.
pub(super) const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// What a backend does with each connection, after it has read what there is.
#[derive(Clone)]
pub(super) enum Manner {
    /// Answers every request with this text.
    Answer(&'static str),
    /// Answers the first request on each connection, and closes it when the second one comes.
    AnswerOnce,
    /// Closes without an answer.
    HangUp,
    /// Answers when told.
    Wait(Arc<Notify>),
    /// Sends back every byte after this answer.
    Echo(&'static str),
}

/// A backend: its port, and what it has read so far.
pub(super) struct Backend {
    pub(super) port: u16,
    read: Arc<Mutex<Vec<u8>>>,
    /// Connections that were accepted, and those that the other side has closed.
    pub(super) accepted: Arc<Mutex<usize>>,
    pub(super) closed: Arc<Mutex<usize>>,
    _tasks: JoinSet<()>,
}

impl Backend {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), manner)
    }

    pub(super) fn on(listener: TcpListener, manner: Manner) -> Self {
        let port = listener.local_addr().unwrap().port();
        let read: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (accepted, closed) = (Arc::<Mutex<usize>>::default(), Arc::<Mutex<usize>>::default());
        let mut tasks = JoinSet::new();
        let seen = (Arc::clone(&read), Arc::clone(&accepted), Arc::clone(&closed));
        tasks.spawn(async move {
            let (read, accepted, closed) = seen;
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *accepted.lock().unwrap() += 1;
                let (manner, read, closed) = (manner.clone(), Arc::clone(&read), Arc::clone(&closed));
                connections.spawn(async move {
                    behave(stream, manner, &read).await;
                    *closed.lock().unwrap() += 1;
                });
            }
        });
        Self { port, read, accepted, closed, _tasks: tasks }
    }

    /// What it has read.
    pub(super) fn read(&self) -> String {
        String::from_utf8_lossy(&self.read.lock().unwrap()).into_owned()
    }
}

/// Behaves until the other side closes.
async fn behave(mut stream: TcpStream, manner: Manner, read: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 65_536];
    let mut requests = 0;
    let mut request = Vec::new();
    loop {
        let Ok(length @ 1..) = stream.read(&mut buffer).await else { return };
        read.lock().unwrap().extend_from_slice(&buffer[..length]);
        request.extend_from_slice(&buffer[..length]);
        if !is_complete(&request) && !matches!(manner, Manner::Echo(_) if requests > 0) {
            continue;
        }
        requests += 1;
        let answer = match &manner {
            Manner::Answer(text) => text,
            Manner::AnswerOnce if requests == 1 => HELLO,
            Manner::AnswerOnce | Manner::HangUp => return,
            Manner::Wait(told) => {
                told.notified().await;
                HELLO
            }
            Manner::Echo(text) if requests == 1 => text,
            Manner::Echo(_) => std::str::from_utf8(&request).unwrap(),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        request.clear();
    }
}

/// Whether the head is there, and the body by its length or last chunk.
fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

/// A running data path.
pub(super) struct Site {
    pub(super) switch: Arc<Switch>,
    pub(super) table: Table,
    pub(super) doors: Doors,
    pub(super) stop: CancellationToken,
    pub(super) port: u16,
}

impl Site {
    /// A data path that knows of no app yet.
    pub(super) async fn empty() -> Self {
        let switch = Arc::new(Switch::new(100));
        let doors = Doors::new(Arc::clone(&switch), 100);
        let stop = CancellationToken::new();
        let mut site = Self { switch, table: Table::new(Groups::All), doors, stop, port: 0 };
        site.port = site.listen(Entrance::Names, Mode::Http).await;
        site
    }

    /// A data path to `/web` at host `web.test`, with these backends as instances 0, 1, …
    pub(super) async fn new(labels: &[(&str, &str)], backends: &[&Backend]) -> Self {
        let mut site = Self::empty().await;
        let ports: Vec<u16> = backends.iter().map(|backend| backend.port).collect();
        site.route(labels, 1, &ports);
        site
    }

    pub(super) async fn listen(&self, entrance: Entrance, mode: Mode) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let entrance = match entrance {
            Entrance::Names => Entrance::Names,
            Entrance::Port(_) => Entrance::Port(port),
        };
        tokio::spawn(self.doors.clone().serve(listener, entrance, mode, self.stop.clone()));
        port
    }

    /// Routes `/web`, whose service port is `service_port`, to instances at these ports.
    pub(super) fn route(&mut self, labels: &[(&str, &str)], service_port: u16, ports: &[u16]) {
        let instances: Vec<Instance> =
            (0..).zip(ports).map(|(number, port)| instance("/web", number, &[*port])).collect();
        let labels = [&[("HAPROXY_GROUP", "external"), ("HAPROXY_0_VHOST", "web.test")][..], labels].concat();
        let apps = vec![app("/web", &labels, &[service_port], instances)];
        self.table.apply(Input::Listed { position: at(1), apps });
        self.switch.publish(self.table.routes());
    }

    /// Sends these bytes on a connection of their own and reads until the other side closes, or until `answers` answers of the form
    /// of [`HELLO`] have come.
    pub(super) async fn send(&self, bytes: &[u8], answers: usize) -> String {
        let mut client = Client::connect(self.port).await;
        client.write(bytes).await;
        client.read_until(|text| text.matches("hello").count() >= answers).await
    }

    /// The status of the answer to a plain GET.
    pub(super) async fn get(&self, host: &str, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        status(&self.send(request.as_bytes(), usize::MAX).await)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A client that writes bytes.
pub(super) struct Client(pub(super) TcpStream);

impl Client {
    pub(super) async fn connect(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        // Who is refused early may find the connection closed.
        let _ = self.0.write_all(bytes).await;
    }

    /// Everything until the connection is closed, or `enough` is there.
    pub(super) async fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let mut all = Vec::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let text = String::from_utf8_lossy(&all);
            if enough(&text) {
                return text.into_owned();
            }
            match self.0.read(&mut buffer).await {
                Ok(length @ 1..) => all.extend_from_slice(&buffer[..length]),
                Ok(_) | Err(_) => return String::from_utf8_lossy(&all).into_owned(),
            }
        }
    }

    /// One answer of the form of [`HELLO`].
    pub(super) async fn hello(&mut self) -> String {
        self.read_until(|text| text.ends_with("hello")).await
    }
}

/// Waits until something is so.
pub(super) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
