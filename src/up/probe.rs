//! Asking a role over HTTP whether it is there yet.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Between two questions; a role takes some tens of milliseconds to come up.
const PAUSE: Duration = Duration::from_millis(50);
/// No answer that is asked for here is larger: about 2 KB for each agent.
const LARGEST_ANSWER: u64 = 1 << 20;

/// Returns once `GET path` answers 200.
pub async fn until_ok(address: SocketAddr, path: &str) {
    while get(address, path).await.is_err() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns once the leader among these masters has this many active agents.
pub async fn until_agents_active(masters: &[SocketAddr], count: usize) {
    loop {
        for master in masters {
            // Only the leader answers with a list.
            if let Ok(body) = get(*master, "/slaves").await
                && let Ok(answer) = serde_json::from_str::<serde_json::Value>(&body)
                && let Some(agents) = answer["slaves"].as_array()
                && agents.iter().filter(|agent| agent["active"] == true).count() >= count
            {
                return;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The body of a 200 answer. HTTP/1.0, so that the answer ends with the connection and needs no parsing.
async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.take(LARGEST_ANSWER).read_to_string(&mut answer).await?;
    let ok = answer.split(' ').nth(1) == Some("200");
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) if ok => Ok(body.to_owned()),
        Some(_) | None => Err(io::ErrorKind::NotConnected.into()),
    }
}
