//! Requests that mean to be two, and clients that mean to stay.

use super::site::{Backend, Client, HELLO, Manner, Site, status};

/// What becomes of a request that someone else may read differently.
#[derive(Debug, PartialEq)]
enum Fate {
    /// It is refused; no backend sees anything.
    Refused(u16),
    /// One request reaches the backend, in one meaning, and nothing after it is read as another.
    One,
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: web.test\r\n\r\n";

fn post(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: web.test\r\n{headers}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_request_has_one_meaning_or_none() {
    use Fate::{One, Refused};
    let chunks = format!("0\r\n\r\n{SMUGGLED}");
    let cases = [
        ("length and chunks", post("Content-Length: 4\r\nTransfer-Encoding: chunked", &chunks), One),
        ("chunks and length", post("Transfer-Encoding: chunked\r\nContent-Length: 60", &chunks), One),
        ("chunks, then bytes", post("Transfer-Encoding: chunked", &chunks), One),
        ("two lengths", post("Content-Length: 0\r\nContent-Length: 44", SMUGGLED), Refused(400)),
        ("a list of lengths", post("Content-Length: 0, 44", SMUGGLED), Refused(400)),
        ("a length with a sign", post("Content-Length: +0", SMUGGLED), Refused(400)),
        ("a negative length", post("Content-Length: -1", SMUGGLED), Refused(400)),
        ("a hexadecimal length", post("Content-Length: 0x0", SMUGGLED), Refused(400)),
        ("a length without a number", post("Content-Length:", SMUGGLED), Refused(400)),
        ("an enormous length", post("Content-Length: 99999999999999999999", ""), Refused(400)),
        ("another encoding", post("Transfer-Encoding: identity", &chunks), Refused(400)),
        ("an encoding after chunked", post("Transfer-Encoding: chunked, identity", &chunks), Refused(400)),
        ("an encoding that looks like it", post("Transfer-Encoding: xchunked", &chunks), Refused(400)),
        ("an encoding with a control character", post("Transfer-Encoding: \x0bchunked", &chunks), Refused(400)),
        ("two encodings", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", &chunks), Refused(400)),
        ("a space before the colon", post("Transfer-Encoding : chunked", &chunks), Refused(400)),
        ("a folded line", post("X-A: b\r\n Transfer-Encoding: chunked", &chunks), Refused(400)),
        ("a folded encoding", post("Transfer-Encoding:\r\n chunked", &chunks), Refused(400)),
        ("a carriage return within", post("X-A: b\rTransfer-Encoding: chunked", &chunks), Refused(400)),
        ("a null", post("X-A: b\0c", ""), Refused(400)),
        ("a header without a name", post(": b", ""), Refused(400)),
        ("a header without a colon", post("Transfer-Encoding", &chunks), Refused(400)),
        (
            "chunks in HTTP/1.0",
            format!("POST / HTTP/1.0\r\nHost: web.test\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
            Refused(400),
        ),
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned(), Refused(400)),
        ("two hosts", "GET / HTTP/1.1\r\nHost: web.test\r\nHost: evil.test\r\n\r\n".to_owned(), Refused(400)),
        ("a host with a user", "GET / HTTP/1.1\r\nHost: a@web.test\r\n\r\n".to_owned(), Refused(400)),
        ("a host with a slash", "GET / HTTP/1.1\r\nHost: web.test/x\r\n\r\n".to_owned(), Refused(400)),
        ("a tunnel", "CONNECT web.test:80 HTTP/1.1\r\nHost: web.test\r\n\r\n".to_owned(), Refused(501)),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), Refused(0)),
        ("no HTTP", "\x16\x03\x01\x02\x00\x01\r\n\r\n".to_owned(), Refused(400)),
        ("a chunk of no size", post("Transfer-Encoding: chunked", &format!("z\r\n{chunks}")), Refused(0)),
    ];
    for (what, request, expected) in cases {
        let backend = Backend::start(Manner::Answer(HELLO)).await;
        let site = Site::new(&[], &[&backend]).await;
        // Closing our side tells that nothing follows; what is there is read all the same.
        let mut client = Client::connect(site.port).await;
        client.write(request.as_bytes()).await;
        let answer = client.read_until(|text| text.matches("hello").count() > 1).await;
        let seen = backend.read();
        let fate = match status(&answer) {
            200 => One,
            refused => Refused(refused),
        };
        match &expected {
            One => {
                assert_eq!(fate, One, "{what}: {answer}");
                assert_eq!(seen.matches(" HTTP/1.1\r\n").count(), 1, "{what}: {seen}");
            }
            // Closed without a word; or the head was right and the body was not, and what was begun is broken off.
            Refused(0) => assert!(!answer.contains("hello"), "{what}: {answer}"),
            Refused(_) => {
                assert_eq!(fate, expected, "{what}: {answer}");
                assert_eq!(seen, "", "{what}");
            }
        }
        assert!(!seen.contains("smuggled"), "{what}: {seen}");
        let lower = seen.to_ascii_lowercase();
        assert!(!(lower.contains("content-length") && lower.contains("transfer-encoding")), "{what}: {seen}");
    }
}

#[tokio::test]
async fn equal_lengths_are_one() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    let request = post("Content-Length: 2\r\nContent-Length: 2", "ab");
    site.send(request.as_bytes(), 1).await;
    assert_eq!(backend.read().to_ascii_lowercase().matches("content-length: 2\r\n").count(), 1);
    assert!(backend.read().ends_with("\r\n\r\nab"));
}

#[tokio::test]
async fn connection_cannot_take_off_what_is_ours() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    let headers =
        "Connection: close, Host, X-Forwarded-For, X-Secret, Content-Length\r\nX-Secret: 1\r\nContent-Length: 2";
    site.send(post(headers, "ab").as_bytes(), 1).await;
    let seen = backend.read().to_ascii_lowercase();
    for kept in ["host: web.test\r\n", "x-forwarded-for: 127.0.0.1\r\n", "content-length: 2\r\n"] {
        assert!(seen.contains(kept), "{kept} in {seen}");
    }
    assert!(!seen.contains("x-secret") && !seen.contains("connection"), "{seen}");
}

#[tokio::test]
async fn heads_have_a_limit() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    let many = "X: y\r\n".repeat(200);
    let long = format!("X: {}\r\n", "y".repeat(100_000));
    for headers in [many, long] {
        let request = format!("GET / HTTP/1.1\r\nHost: web.test\r\n{headers}\r\n");
        let answer = site.send(request.as_bytes(), 1).await;
        assert_eq!(status(&answer), 431, "{answer}");
    }
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: web.test\r\n\r\n", "y".repeat(66_000));
    assert!([414, 431].contains(&status(&site.send(long_path.as_bytes(), 1).await)));
    assert_eq!(backend.read(), "");
}

#[tokio::test(start_paused = true)]
async fn clients_that_send_slowly_or_nothing_are_left() {
    let backend = Backend::start(Manner::Answer(HELLO)).await;
    let site = Site::new(&[], &[&backend]).await;
    for beginning in ["", "GET / HTTP/1.1\r\nHost: web", "GET / HTTP/1.1\r\nHost: web.test\r\n\r\n"] {
        let mut client = Client::connect(site.port).await;
        client.write(beginning.as_bytes()).await;
        let answer = client.read_until(|_| false).await;
        assert_eq!(answer.contains("hello"), beginning.ends_with("\r\n\r\n"), "{answer}");
    }
    let mut client = Client::connect(site.port).await;
    client.write(b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 10\r\n\r\n12345").await;
    let answer = client.read_until(|_| false).await;
    assert!(!answer.contains("hello"), "{answer}");
}
