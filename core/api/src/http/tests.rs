//! The listener, its limits and the streams, over real loopback sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tower::service_fn;

use super::stream::{self, StreamBody, StreamEnd, StreamLimits, StreamSender};
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
    streams: mpsc::UnboundedReceiver<(StreamSender, mpsc::UnboundedReceiver<StreamEnd>)>,
}

/// A server that echoes bodies, answers body errors with their status, and opens a stream at `/stream`.
async fn start(limits: Limits, stream_limits: StreamLimits) -> Running {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
    let address = server.local_address().unwrap();
    let (opened, streams) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<RequestBody>| {
        let opened = opened.clone();
        async move {
            let body = if request.uri().path() == "/stream" {
                let (ended, end) = mpsc::unbounded_channel();
                let connection = request.extensions().get::<Connection>().cloned();
                let (sender, body) = stream::channel(stream_limits, connection, move |why| ended.send(why).unwrap());
                opened.send((sender, end)).unwrap();
                Response::new(Either::Left(body))
            } else {
                let (status, bytes) = match read_body(request.into_body()).await {
                    Ok(bytes) => (StatusCode::OK, bytes),
                    Err(error) => (error.status(), Bytes::from(error.to_string())),
                };
                let mut response = Response::new(Either::<StreamBody, _>::Right(Full::new(bytes)));
                *response.status_mut() = status;
                response
            };
            Ok::<_, Infallible>(body)
        }
    });
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(server.serve(service, async move { drop(stopped.await) }));
    Running { address, stop, ended, streams }
}

impl Running {
    fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.ended).await.unwrap().unwrap();
    }
}

async fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    tokio::time::timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap()
}

fn roomy() -> StreamLimits {
    StreamLimits { max_pending_bytes: 1 << 20, max_stall: PATIENCE }
}

fn client(protocol: Protocol) -> Client {
    Client::new(protocol, PATIENCE)
}

/// Everything the server sends until it closes the connection.
async fn until_closed(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut text)).await.unwrap().unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn both_protocols_on_one_port() {
    let running = start(Limits::default(), roomy()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let client = client(protocol);
        let sent = Bytes::from(vec![b'x'; 1 << 20]);
        let response = client.post(&running.uri("/"), HeaderMap::new(), sent.clone()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), sent, "{protocol:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_with_and_without_a_length() {
    let limits = Limits { max_body_bytes: 1000, ..Limits::default() };
    let running = start(limits, roomy()).await;
    let requests = [
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n".to_owned(),
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
            "x".repeat(1001)
        ),
    ];
    for request in requests {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = until_closed(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("larger than 1000 bytes"), "{answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_slow_body_is_408_and_a_slow_head_is_closed() {
    let short = Duration::from_millis(100);
    let limits = Limits { body_timeout: short, first_request_timeout: short, ..Limits::default() };
    let running = start(limits, roomy()).await;
    let mut body = TcpStream::connect(running.address).await.unwrap();
    body.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
    let mut head = TcpStream::connect(running.address).await.unwrap();
    head.write_all(b"POST / HTT").await.unwrap();
    assert!(until_closed(&mut body).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(until_closed(&mut head).await, "");
    running.stop().await;
}

#[tokio::test]
async fn a_stream_is_chunked_one_record_each_and_ends_when_finished() {
    let mut running = start(Limits::default(), roomy()).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    socket.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let (sender, mut end) = next(&mut running.streams).await;
    for record in ["one", "three"] {
        sender.send(Bytes::from(record)).unwrap();
    }
    sender.finish();
    let answer = until_closed(&mut socket).await;
    assert!(answer.contains("Transfer-Encoding: chunked"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n"), "{answer}");
    assert_eq!(next(&mut end).await, StreamEnd::Finished);
    assert_eq!(sender.send(Bytes::from("late")), Err(stream::StreamEnded(StreamEnd::Finished)));
    running.stop().await;
}

#[tokio::test]
async fn a_stalled_reader_is_cut_and_its_neighbour_is_not() {
    let limits = StreamLimits { max_pending_bytes: 256 << 10, max_stall: PATIENCE };
    let mut running = start(Limits::default(), limits).await;
    let mut stalled = TcpStream::connect(running.address).await.unwrap();
    stalled.write_all(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let (to_stalled, mut stalled_end) = next(&mut running.streams).await;
    let mut neighbour =
        client(Protocol::Http1).get(&running.uri("/stream"), HeaderMap::new()).await.unwrap().into_body();
    let (to_neighbour, _) = next(&mut running.streams).await;

    let record = Bytes::from(vec![b'x'; 32 << 10]);
    let mut sent = 0;
    let end = loop {
        match to_stalled.send(record.clone()) {
            Ok(()) => sent += 1,
            Err(ended) => break ended.0,
        }
        assert!(to_stalled.pending_bytes() <= limits.max_pending_bytes);
        assert!(sent < 10_000, "the socket cannot take this much");
        tokio::task::yield_now().await;
    };
    assert_eq!(end, StreamEnd::TooManyPending);
    assert_eq!(next(&mut stalled_end).await, StreamEnd::TooManyPending);
    assert_eq!(to_stalled.pending_bytes(), 0);

    to_neighbour.send(Bytes::from("hello")).unwrap();
    let frame = tokio::time::timeout(PATIENCE, neighbour.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    // The cut connection is closed: what was in flight comes, and then the end, without the last chunk.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stalled.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"));
    running.stop().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_for_too_long_is_cut() {
    let limits = StreamLimits { max_pending_bytes: 1 << 20, max_stall: Duration::ZERO };
    let (ended, mut end) = mpsc::unbounded_channel();
    let (sender, body) = stream::channel(limits, None, move |why| ended.send(why).unwrap());
    sender.send(Bytes::from("first")).unwrap();
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(sender.send(Bytes::from("second")), Err(stream::StreamEnded(StreamEnd::Stalled)));
    assert_eq!(next(&mut end).await, StreamEnd::Stalled);
    // The reader, should it come back, sees an error and not an end.
    assert!(body.collect().await.is_err());
}

#[tokio::test]
async fn a_reader_that_leaves_ends_its_stream() {
    let mut running = start(Limits::default(), roomy()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let response = client(protocol).get(&running.uri("/stream"), HeaderMap::new()).await.unwrap();
        let (_sender, mut end) = next(&mut running.streams).await;
        drop(response);
        assert_eq!(next(&mut end).await, StreamEnd::ReaderGone);
    }
    running.stop().await;
}

#[tokio::test]
async fn stopping_closes_open_streams() {
    let limits = Limits { shutdown_grace: Duration::from_millis(50), ..Limits::default() };
    let mut running = start(limits, roomy()).await;
    let body = client(Protocol::Http1).get(&running.uri("/stream"), HeaderMap::new()).await.unwrap().into_body();
    let (_sender, mut end) = next(&mut running.streams).await;
    running.stop().await;
    assert!(body.collect().await.is_err());
    assert_eq!(next(&mut end).await, StreamEnd::ReaderGone);
}

#[tokio::test]
async fn a_client_says_whether_a_request_may_have_had_an_effect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let uri: Uri = format!("http://{address}/").parse().unwrap();
    let silent = Client::new(Protocol::Http1, Duration::from_millis(50));
    let error = silent.get(&uri, HeaderMap::new()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }) && !error.is_unsent(), "{error:?}");
    drop(listener);
    let error = client(Protocol::Http1).get(&uri, HeaderMap::new()).await.unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
}
