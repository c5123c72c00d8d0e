//! A unix socket between writer and server that understands just enough of the protocol to fail at a chosen point.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};

use crate::Database;

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing.
    None,
    /// The connection is lost before the server has seen anything.
    BeforeBegin,
    /// … when it has begun, and does not know who wants to write.
    BeforeFence,
    /// … when it has everything except the order to commit.
    BeforeCommit,
    /// … when it has committed, but has not said so.
    AfterCommit,
    /// The writer sees a lost connection at the order to commit, but the server gets the whole transaction nevertheless, late:
    /// behind [`Proxy::deliver`] or in front of [`Cut::Overtaken`].
    Late,
    /// Goes on only after the late one has been delivered and answered.
    Overtaken,
}

/// Listens in a directory of its own; each transaction takes the next cut of the plan, or none when the plan is over.
pub(super) struct Proxy {
    pub(super) database: Database,
    relay: Relay,
    _directory: tempfile::TempDir,
}

#[derive(Clone)]
struct Relay {
    plan: Arc<Mutex<VecDeque<Cut>>>,
    late: Arc<Notify>,
    late_answered: Arc<Notify>,
}

impl Proxy {
    pub(super) fn start(server_directory: &Path, plan: impl IntoIterator<Item = Cut>) -> Proxy {
        let directory = tempfile::tempdir().expect("temporary directory");
        let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).expect("bind");
        let url = format!("postgresql:///postgres?host={}&user=attica", directory.path().display());
        let plan = Arc::new(Mutex::new(plan.into_iter().collect()));
        let relay = Relay { plan, late: Arc::default(), late_answered: Arc::default() };
        let server = server_directory.join(".s.PGSQL.5432");
        let connections = relay.clone();
        tokio::spawn(async move {
            while let Ok((client, _address)) = listener.accept().await {
                // A server that is down refuses, and so does its proxy.
                if let Ok(server) = UnixStream::connect(&server).await {
                    tokio::spawn(connections.clone().run(client, server));
                }
            }
        });
        Proxy { database: url.parse().expect("valid"), relay, _directory: directory }
    }

    /// Whether every planned cut has been made.
    pub(super) fn is_done(&self) -> bool {
        self.relay.plan.lock().expect("not poisoned").is_empty()
    }

    /// Lets the server see the late transaction; returns when it has answered.
    pub(super) async fn deliver(&self) {
        self.relay.deliver().await;
    }
}

impl Relay {
    async fn deliver(&self) {
        self.late.notify_one();
        self.late_answered.notified().await;
    }

    fn next_cut(&self) -> Cut {
        self.plan.lock().expect("not poisoned").pop_front().unwrap_or(Cut::None)
    }

    /// Passes messages on in both directions until one side closes, or a cut says so: dropping the sockets is the cut.
    async fn run(self, client: UnixStream, server: UnixStream) -> io::Result<()> {
        let (client_read, mut client_write) = client.into_split();
        let (server_read, mut server_write) = server.into_split();
        let mut requests = messages(client_read, true);
        let mut answers = messages(server_read, false);
        let mut cut = Cut::None;
        let mut held = Vec::new();
        loop {
            tokio::select! {
                request = requests.recv() => {
                    let Some(request) = request else { return Ok(()) };
                    let begins = is(&request, b'Q', "begin");
                    let commits = is(&request, b'Q', "commit");
                    if begins {
                        cut = self.next_cut();
                    }
                    match cut {
                        Cut::BeforeBegin => return Ok(()),
                        Cut::BeforeFence if !begins => return Ok(()),
                        Cut::BeforeCommit if commits => return Ok(()),
                        Cut::Late => {
                            held.extend(request);
                            if commits {
                                drop((client_write, requests));
                                self.late.notified().await;
                                server_write.write_all(&held).await?;
                                while answers.recv().await.is_some_and(|answer| !is_last(&answer)) {}
                                self.late_answered.notify_one();
                                return Ok(());
                            }
                            continue;
                        }
                        Cut::Overtaken if begins => self.deliver().await,
                        Cut::None | Cut::BeforeFence | Cut::BeforeCommit | Cut::AfterCommit | Cut::Overtaken => {}
                    }
                    server_write.write_all(&request).await?;
                }
                answer = answers.recv() => {
                    let Some(answer) = answer else { return Ok(()) };
                    if cut == Cut::AfterCommit && is(&answer, b'C', "COMMIT") {
                        return Ok(());
                    }
                    client_write.write_all(&answer).await?;
                }
            }
        }
    }
}

/// The messages of one direction: type byte, length, body; a client's first message has no type byte.
fn messages(mut from: impl AsyncRead + Unpin + Send + 'static, mut first: bool) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let read = async {
            loop {
                let mut bytes = Vec::new();
                if !std::mem::take(&mut first) {
                    bytes.push(from.read_u8().await?);
                }
                let length = from.read_u32().await?;
                bytes.extend(length.to_be_bytes());
                let body = bytes.len();
                bytes.resize(body + length as usize - 4, 0);
                from.read_exact(&mut bytes[body..]).await?;
                if sender.send(bytes).await.is_err() {
                    return io::Result::Ok(());
                }
            }
        };
        tokio::select! {
            _ = read => {}
            () = sender.closed() => {} // the connection was cut: let go of the socket
        }
    });
    receiver
}

fn is(message: &[u8], kind: u8, text: &str) -> bool {
    message.first() == Some(&kind) && message.get(5..) == Some(&[text.as_bytes(), b"\0"].concat()[..])
}

/// Ends the answer to `commit`: the server is idle again, outside of a transaction.
fn is_last(message: &[u8]) -> bool {
    message.first() == Some(&b'Z') && message.last() == Some(&b'I')
}
