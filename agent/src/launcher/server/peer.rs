//! The launcher's end of the connection to the agent.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use bytes::BytesMut;
use nix::poll::PollFlags;

use crate::launcher::protocol::{self, MAX_RECORD_BYTES, Reply, Request};

/// Read from the socket at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// One agent, with what it has sent in part and what it has not taken yet.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    incoming: BytesMut,
    outgoing: Vec<u8>,
    /// The agent has closed its side: what it said before still counts.
    ended: bool,
    /// Hello was said: before, nothing else may be.
    introduced: bool,
}

impl Peer {
    pub(super) fn new(stream: UnixStream) -> io::Result<Peer> {
        stream.set_nonblocking(true)?;
        Ok(Peer { stream, incoming: BytesMut::new(), outgoing: Vec::new(), ended: false, introduced: false })
    }

    /// What to wait for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.outgoing.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT }
    }

    /// Every request that is there. An error ends the conversation.
    pub(super) fn receive(&mut self) -> io::Result<Vec<Request>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(length) => self.incoming.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It closed its side without having read everything: what it said before still counts.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    self.ended = true;
                    break;
                }
                Err(error) => return Err(error),
            }
            if self.incoming.len() > MAX_RECORD_BYTES {
                break;
            }
        }
        let mut requests = Vec::new();
        while let Some(request) = protocol::decode(&mut self.incoming).map_err(io::Error::other)? {
            requests.push(request);
        }
        if self.incoming.is_empty() {
            // A thousand launches came at once, and may never again.
            self.incoming = BytesMut::new();
        }
        Ok(requests)
    }

    /// Queues the Hello, after which replies may follow.
    pub(super) fn introduce(&mut self, hello: &Reply) {
        self.introduced = true;
        self.send(hello);
    }

    /// Queues a reply; what came before the Hello is in the Hello. What an agent that does not read would miss is in the records, so its queue is cut at a record's
    /// limit by the next [`Peer::flush`].
    pub(super) fn send(&mut self, reply: &Reply) {
        if !self.introduced {
            return;
        }
        if let Err(error) = protocol::encode(reply, &mut self.outgoing) {
            tracing::error!(error = &error as &dyn std::error::Error, "a reply cannot be written");
        }
    }

    /// Whether the agent has said its last word.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Sends what the socket takes. An error ends the conversation.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.outgoing.len() > 2 * MAX_RECORD_BYTES {
            return Err(io::Error::other("the agent does not read"));
        }
        Ok(())
    }
}

impl AsFd for Peer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
