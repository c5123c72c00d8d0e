//! Who gets a request, and what becomes of it when that one fails.

use std::sync::Arc;

use expect_test::expect;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

use super::site::{Backend, Client, HELLO, Manner, Site, status, until};
use crate::lb::fixtures::{at, instance_id};
use crate::lb::proxy::{Entrance, Ports};
use crate::lb::table::{Event, Input, Mode};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n";

/// A port where nobody listens, which nobody else is given while this is there.
struct DeadPort {
    number: u16,
    socket: TcpSocket,
}

impl DeadPort {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { number: socket.local_addr().unwrap().port(), socket }
    }
}

#[tokio::test]
async fn a_request_is_told_apart_by_host_and_path() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let mut site = Site::empty().await;
    assert_eq!(site.get("web.test", "/").await, 503, "no table yet");
    site.route(&[("HAPROXY_0_PATH", "/shop")], 1, &[backend.port]);
    for (host, path, expected) in [
        ("web.test", "/shop", 200),
        ("WEB.test:9080", "/shop/cart?x=1", 200),
        ("web.test.", "/shop", 200),
        ("web.test", "/", 404),
        ("web.test", "/SHOP", 404),
        ("other.test", "/shop", 404),
        ("[::1]:80", "/shop", 404),
    ] {
        assert_eq!(site.get(host, path).await, expected, "{host}{path}");
    }
    let absolute = "GET http://web.test/shop?a HTTP/1.1\r\nHost: other.test\r\n\r\n";
    assert_eq!(status(&site.send(absolute.as_bytes(), 1).await), 200);
    assert!(backend.read().contains("GET /shop?a HTTP/1.1\r\n"), "{}", backend.read());
    assert_eq!(status(&site.send(b"GET /shop HTTP/1.0\r\nHost: web.test\r\n\r\n", 1).await), 200);
    assert_eq!(status(&site.send(b"GET /shop HTTP/1.0\r\n\r\n", 1).await), 404);
    site.route(&[], 1, &[]);
    assert_eq!(site.get("web.test", "/").await, 503, "no instance");
    site.route(&[("HAPROXY_0_AUTH", "realm:user:hash")], 1, &[backend.port]);
    assert_eq!(site.get("web.test", "/").await, 503, "what restricts it cannot be checked");
}

#[tokio::test]
async fn the_backend_learns_who_asked_and_for_what() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    let request = "PUT /a/../b?c=d HTTP/1.1\r\nHost: Web.Test:80\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: evil\r\n\
        X-Forwarded-Proto: gopher\r\nTE: trailers\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\
        HTTP2-Settings: AAMAAABk\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answer = site.send(request.as_bytes(), 1).await;
    assert!(answer.to_ascii_lowercase().contains("connection: close\r\n"), "{answer}");
    let seen = backend.read().replace(&site.port.to_string(), "PORT").replace("\r\n", "\n");
    expect![[r#"
        PUT /a/../b?c=d HTTP/1.1
        host: Web.Test:80
        x-forwarded-for: 10.0.0.1, 127.0.0.1
        x-forwarded-host: Web.Test:80
        x-forwarded-proto: http
        transfer-encoding: chunked
        x-forwarded-port: PORT

        3
        abc
        0

    "#]]
    .assert_eq(&seen);
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    let mut client = Client::connect(site.port).await;
    for _ in 0..20 {
        client.write(GET).await;
        assert_eq!(status(&client.hello().await), 200);
    }
    assert_eq!(*backend.accepted.lock().unwrap(), 1);
    let pipelined = site.send(&GET.repeat(5), 5).await;
    assert_eq!(pipelined.matches("hello").count(), 5);
}

#[tokio::test]
async fn answers_without_a_body_keep_the_connection() {
    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y\r\n\r\n"),
        ("GET", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
    ] {
        let backend = Backend::start(Manner::Answer(answer)).await;
        let site = Site::new(&[], &[&backend]).await;
        let mut client = Client::connect(site.port).await;
        for _ in 0..3 {
            client.write(format!("{method} / HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes()).await;
            let seen = client.read_until(|text| text.ends_with("\r\n\r\n")).await.to_ascii_lowercase();
            let expected = answer.rsplit("HTTP/1.1 ").next().unwrap().to_ascii_lowercase();
            for line in expected.lines().filter(|line| !line.is_empty()) {
                assert!(seen.contains(line), "{line} in {seen}");
            }
        }
        assert_eq!(*backend.accepted.lock().unwrap(), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_request_that_reached_nobody_goes_to_another_instance() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let mut site = Site::empty().await;
    let dead = [DeadPort::new(), DeadPort::new()];
    site.route(&[], 1, &[dead[0].number, dead[1].number, backend.port]);
    let post = b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
    for _ in 0..6 {
        assert_eq!(site.get("web.test", "/").await, 200);
        assert_eq!(status(&site.send(post, 1).await), 200);
    }
    site.route(&[], 1, &[dead[0].number]);
    assert_eq!(site.get("web.test", "/").await, 503);
}

#[tokio::test]
async fn a_request_waits_for_an_instance_that_does_not_listen_yet() {
    let late = DeadPort::new();
    let mut site = Site::empty().await;
    site.route(&[], 1, &[late.number]);
    let mut client = Client::connect(site.port).await;
    client.write(GET).await;
    let upstream = Arc::clone(&site.switch.current().unwrap().services[0].upstreams[0]);
    until(|| upstream.is_suspended()).await;
    let backend = Backend::on(late.socket.listen(16).unwrap(), Manner::Answer(HELLO));
    assert_eq!(status(&client.hello().await), 200);
    assert_eq!(backend.read().matches("GET").count(), 1);
}

#[tokio::test]
async fn a_request_that_may_be_repeated_is_when_its_connection_closes() {
    let (leaving, backend) = (Backend::start(Manner::AnswerOnce).await, Backend::start(Manner::Answer(HELLO)).await);
    let site = Site::new(&[], &[&leaving, &backend]).await;
    let mut client = Client::connect(site.port).await;
    for _ in 0..12 {
        client.write(GET).await;
        assert_eq!(status(&client.hello().await), 200);
    }
    let dead = Backend::start(Manner::HangUp).await;
    let site = Site::new(&[], &[&dead, &backend]).await;
    for _ in 0..4 {
        assert_eq!(site.get("web.test", "/").await, 200);
    }
    let site = Site::new(&[], &[&dead]).await;
    let before = dead.read().matches("POST").count();
    let post = b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
    assert_eq!(status(&site.send(post, 1).await), 502);
    assert_eq!(dead.read().matches("POST").count(), before + 1, "what may have been acted on is not repeated");
}

#[tokio::test]
async fn a_drained_instance_ends_what_it_has_and_gets_nothing_new() {
    let told = Arc::new(Notify::new());
    let (slow, other) =
        (Backend::start(Manner::Wait(Arc::clone(&told))).await, Backend::start(Manner::Answer(HELLO)).await);
    let mut site = Site::new(&[], &[&slow]).await;
    let mut idle = Client::connect(site.port).await;
    idle.write(GET).await;
    told.notify_one();
    idle.hello().await;
    let mut waiting = Client::connect(site.port).await;
    let mut second = Client::connect(site.port).await;
    waiting.write(GET).await;
    second.write(GET).await;
    until(|| *slow.accepted.lock().unwrap() == 2 && slow.read().matches("GET").count() == 3).await;
    told.notify_one();

    // Instance 0 leaves; instance 1 is there.
    site.route(&[], 1, &[slow.port, other.port]);
    site.table.apply(Input::Event { position: at(2), event: Event::Draining(instance_id("/web", 0)) });
    site.switch.publish(site.table.routes());
    assert!(site.switch.is_busy(&instance_id("/web", 0)));
    for _ in 0..4 {
        assert_eq!(site.get("web.test", "/").await, 200);
    }
    assert_eq!(slow.read().matches("GET").count(), 3, "nothing new");
    told.notify_one();
    for client in [&mut waiting, &mut second] {
        assert_eq!(status(&client.hello().await), 200, "what was in progress ends normally");
    }
    until(|| !site.switch.is_busy(&instance_id("/web", 0))).await;
    until(|| *slow.closed.lock().unwrap() == 2).await;
    second.write(GET).await;
    assert_eq!(status(&second.hello().await), 200, "its clients go on elsewhere");
}

#[tokio::test]
async fn swapping_the_table_drops_no_request() {
    let backends = [Backend::start(Manner::Answer(HELLO)).await, Backend::start(Manner::Answer(HELLO)).await];
    let mut site = Site::new(&[], &[&backends[0]]).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut client = Client::connect(site.port).await;
        clients.spawn(async move {
            for _ in 0..100 {
                client.write(GET).await;
                assert_eq!(status(&client.hello().await), 200);
            }
        });
    }
    let mut swaps = 0;
    while !clients.is_empty() {
        swaps += 1;
        site.route(&[], 1, &[backends[swaps % 2].port]);
        if let Ok(Some(ended)) = tokio::time::timeout(std::time::Duration::from_millis(1), clients.join_next()).await {
            ended.unwrap();
        }
    }
    assert!(swaps > 4, "{swaps} swaps");
}

#[tokio::test]
async fn a_cookie_leads_back() {
    let backends = [Backend::start(Manner::Answer(HELLO)).await, Backend::start(Manner::Answer(HELLO)).await];
    let mut site = Site::new(&[("HAPROXY_0_STICKY", "true")], &[&backends[0], &backends[1]]).await;
    let answer = site.send(GET, 1).await;
    let cookie = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .expect("a cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let request = format!("GET /again HTTP/1.1\r\nHost: web.test\r\nCookie: a=b; {cookie}; c=d\r\n\r\n");
    for _ in 0..6 {
        let answer = site.send(request.as_bytes(), 1).await;
        assert!(!answer.contains("set-cookie"), "{answer}");
    }
    let seen = backends.iter().find(|backend| backend.read().contains("/again")).unwrap();
    assert_eq!(seen.read().matches("/again").count(), 6);
    assert!(seen.read().contains("cookie: a=b; c=d\r\n") && !seen.read().contains(&cookie), "{}", seen.read());
    // The instance is gone: the client gets another one, and its name.
    let other = backends.iter().find(|backend| backend.port != seen.port).unwrap();
    let dead = [DeadPort::new(), DeadPort::new()];
    site.route(&[("HAPROXY_0_STICKY", "true")], 1, &[dead[0].number, dead[1].number, other.port]);
    assert!(site.send(request.as_bytes(), 1).await.contains("set-cookie"));
}

#[tokio::test]
async fn a_client_keeps_its_instance_by_its_address() {
    let backends = [Backend::start(Manner::Answer(HELLO)).await, Backend::start(Manner::Answer(HELLO)).await];
    let site = Site::new(&[("HAPROXY_0_BALANCE", "source")], &[&backends[0], &backends[1]]).await;
    for _ in 0..6 {
        assert_eq!(site.get("web.test", "/").await, 200);
    }
    let mut counts = backends.each_ref().map(|backend| backend.read().matches("GET").count());
    counts.sort_unstable();
    assert_eq!(counts, [0, 6]);
}

#[tokio::test]
async fn the_instance_with_the_fewest_requests_is_chosen() {
    let told = Arc::new(Notify::new());
    let (slow, quick) =
        (Backend::start(Manner::Wait(Arc::clone(&told))).await, Backend::start(Manner::Answer(HELLO)).await);
    let site = Site::new(&[("HAPROXY_0_BALANCE", "leastconn")], &[&slow, &quick]).await;
    // One of the first two comes to the slow instance, and stays; no other one does.
    let mut stuck = [Client::connect(site.port).await, Client::connect(site.port).await];
    for client in &mut stuck {
        client.write(GET).await;
    }
    until(|| slow.read().contains("GET")).await;
    for _ in 0..6 {
        assert_eq!(site.get("web.test", "/").await, 200);
    }
    assert_eq!(slow.read().matches("GET").count(), 1);
}

#[tokio::test]
async fn another_protocol_passes_through() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let backend = Backend::start(Manner::Echo(switching)).await;
    let site = Site::new(&[], &[&backend]).await;
    let mut client = Client::connect(site.port).await;
    client.write(b"GET /chat HTTP/1.1\r\nHost: web.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n").await;
    let answer = client.read_until(|text| text.ends_with("\r\n\r\n")).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101") && answer.contains("upgrade: websocket\r\n"), "{answer}");
    let seen = backend.read().to_ascii_lowercase();
    assert!(seen.contains("connection: upgrade\r\n") && seen.contains("sec-websocket-key: k\r\n"), "{seen}");
    for word in ["one", "two"] {
        client.write(word.as_bytes()).await;
        assert_eq!(client.read_until(|text| text.len() >= 3).await, word);
    }
}

#[tokio::test]
async fn a_service_port_carries_requests_or_bytes() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let mut site = Site::empty().await;
    let port = site.listen(Entrance::Port(0), Mode::Http).await;
    site.route(&[], port, &[backend.port]);
    let mut client = Client::connect(port).await;
    client.write(b"GET / HTTP/1.1\r\nHost: whatever\r\n\r\n").await;
    assert_eq!(status(&client.hello().await), 200);

    let echo = Backend::start(Manner::Echo("")).await;
    let port = site.listen(Entrance::Port(0), Mode::Tcp).await;
    let dead = DeadPort::new();
    site.route(&[], port, &[dead.number, echo.port]);
    for _ in 0..3 {
        let mut client = Client::connect(port).await;
        client.write(b"\r\n\r\n").await;
        until(|| echo.read().ends_with("\r\n\r\n")).await;
        client.write(b"abc").await;
        assert_eq!(client.read_until(|text| text.len() >= 3).await, "abc");
    }
}

#[tokio::test]
async fn service_ports_open_and_close_with_the_table() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let mut site = Site::empty().await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut ports = Ports::new(site.doors.clone(), [127, 0, 0, 1].into(), vec![site.port], site.stop.clone());
    site.route(&[], port, &[backend.port]);
    ports.follow(&site.table.routes().names).await;
    drop(taken);
    ports.open_missing().await;
    let mut client = Client::connect(port).await;
    client.write(GET).await;
    assert_eq!(status(&client.hello().await), 200);
    site.route(&[], site.port, &[backend.port]);
    ports.follow(&site.table.routes().names).await;
    assert_eq!(client.read_until(|_| false).await, "", "connections that are kept are closed");
    // The listener goes with its task.
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(site.get("web.test", "/").await, 200, "a port of our own stays ours");
}
