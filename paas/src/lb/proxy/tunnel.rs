//! Connections of which only bytes are understood: upgraded ones, and those of service ports in TCP mode.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Response, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;

use super::balance::Chooser;
use super::body::ResponseBody;
use super::head;
use super::live::Switch;
use super::upstream::{Permit, Upstream};
use crate::lb::traffic::OpenRequest;

/// Backends that one connection is tried on.
const BACKENDS_MAX: usize = 4;

/// Passes on the answer that changes the protocol, and then everything between client and backend. From here on no drain waits for
/// it: nothing would tell the client to leave.
pub(super) fn begin(
    client: OnUpgrade,
    mut response: Response<Incoming>,
    permit: Permit,
    open: OpenRequest,
) -> Response<ResponseBody> {
    let backend = hyper::upgrade::on(&mut response);
    let upstream = Arc::clone(permit.upstream());
    drop(permit);
    tokio::spawn(async move {
        match tokio::try_join!(client, backend) {
            Ok((client, backend)) => {
                copy(&mut TokioIo::new(client), &mut TokioIo::new(backend), &upstream, &open).await
            }
            Err(error) => tracing::debug!(%error, "a connection did not change its protocol"),
        }
    });
    let (mut parts, _no_body) = response.into_parts();
    let protocol = parts.headers.get(UPGRADE).cloned();
    head::take_off_hop_by_hop(&mut parts.headers);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    parts.headers.extend(protocol.map(|protocol| (UPGRADE, protocol)));
    parts.version = Version::HTTP_11;
    Response::from_parts(parts, ResponseBody::Text(None))
}

/// Connects a client of a service port with a backend; it is in progress there until either side ends it.
pub(super) async fn serve(switch: &Switch, port: u16, mut client: TcpStream, peer: SocketAddr) {
    let Some(live) = switch.current() else { return };
    let Some(route) = live.routes.by_port(port) else { return };
    let service = live.service(route.service);
    let open = OpenRequest::new(&service.traffic);
    if service.service.withheld.is_some() {
        open.failed();
        return;
    }
    let mut tried: Vec<Arc<Upstream>> = Vec::new();
    while tried.len() < BACKENDS_MAX {
        let chooser = Chooser { client: peer.ip(), wanted: None, tried: &tried };
        let Some(upstream) = chooser.choose(service) else { break };
        if let Some(permit) = upstream.admit()
            && let Ok(mut backend) = upstream.connect().await
        {
            upstream.count.requests.fetch_add(1, Ordering::Relaxed);
            open.answered();
            copy(&mut client, &mut backend, permit.upstream(), &open).await;
            return;
        }
        tried.push(Arc::clone(upstream));
    }
    open.failed();
}

async fn copy<C, B>(client: &mut C, backend: &mut B, upstream: &Upstream, open: &OpenRequest)
where
    C: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    // An error is the end of a connection like any other: both sides are closed.
    let (bytes_in, bytes_out) = copy_bidirectional(client, backend).await.unwrap_or_default();
    for (total, bytes) in [(&upstream.count.bytes_in, bytes_in), (&upstream.count.bytes_out, bytes_out)] {
        total.fetch_add(bytes, Ordering::Relaxed);
    }
    open.traffic().bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
    open.traffic().bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
}
