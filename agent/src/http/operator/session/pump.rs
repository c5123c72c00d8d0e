//! A session's output on its way to those who listen. It is read no faster than the slowest of them takes it.

use std::time::Duration;

use attica_core_api::agent::{ProcessIo, ProcessIoDataType};
use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::MissedTickBehavior;

use super::ends::Outputs;
use super::{HEARTBEAT_MS, Session};

/// Read at a time.
const CHUNK_BYTES: usize = 32 << 10;
/// What a reader may have before it before more is read.
const HIGH_BYTES: usize = 256 << 10;
/// Pause before it is asked again whether it has taken some.
const PAUSE: Duration = Duration::from_millis(5);

/// Passes output on until `end`, and then what is left of it.
pub(super) async fn run(session: &Session, outputs: Outputs, end: impl Future<Output = ()>) {
    let heartbeats = async {
        let mut beat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            session.tell(&ProcessIo::heartbeat(HEARTBEAT_MS));
        }
    };
    match outputs {
        Outputs::Terminal(mut chunks) => {
            let copied = async {
                while let Some(chunk) = chunks.recv().await {
                    tell(session, ProcessIoDataType::Stdout, &chunk).await;
                }
            };
            tokio::select! {
                // Everybody has left the terminal; the container may go on.
                ((), ()) = async { tokio::join!(copied, end) } => {}
                () = heartbeats => {}
            }
        }
        Outputs::Pipes { mut output, mut error } => {
            tokio::select! {
                () = copy(session, ProcessIoDataType::Stdout, &mut output) => {}
                () = copy(session, ProcessIoDataType::Stderr, &mut error) => {}
                () = heartbeats => {}
                () = end => {}
            }
            drain(session, ProcessIoDataType::Stdout, &output).await;
            drain(session, ProcessIoDataType::Stderr, &error).await;
        }
    }
}

async fn tell(session: &Session, kind: ProcessIoDataType, data: &[u8]) {
    session.tell(&ProcessIo::piece(kind, Bytes::copy_from_slice(data)));
    while session.pending_bytes() > HIGH_BYTES {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Ends only with an error: the agent itself holds the other end.
async fn copy(session: &Session, kind: ProcessIoDataType, pipe: &mut pipe::Receiver) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        tell(session, kind, &buffer[..length]).await;
    }
}

async fn drain(session: &Session, kind: ProcessIoDataType, pipe: &pipe::Receiver) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = pipe.try_read(&mut buffer) {
        tell(session, kind, &buffer[..length]).await;
    }
}
