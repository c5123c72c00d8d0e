//! One probe: a connection, or a request and its status.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use attica_core_api::v1::HttpAnswer;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls;
use crate::network::{Place, Sockets};
use crate::supervisor::{Family, Finding, ProbeSpec, Question, Scheme, Target, plea};

/// How long a task may take to answer when it is asked to end.
const PLEA_PATIENCE: Duration = Duration::from_secs(5);

/// So much of an answer is kept.
const KEPT_BYTES: usize = 4_096;

/// So many characters of its media type.
const KEPT_TYPE_CHARS: usize = 128;

/// Makes probes.
#[derive(Clone)]
pub(super) struct Prober {
    /// Where tasks are reached.
    ip: IpAddr,
    sockets: Sockets,
    tls: tls::Connector,
}

/// What is asked for.
struct Page<'a> {
    method: Method,
    scheme: Scheme,
    address: SocketAddr,
    path: &'a str,
    /// Whether what is answered is kept.
    keeps_answer: bool,
    /// What was answered before the answer, if anything was.
    interim: Arc<OnceLock<Finding>>,
}

impl Prober {
    pub(super) fn new(ip: IpAddr, sockets: Sockets) -> Prober {
        Prober { ip, sockets, tls: tls::Connector::new() }
    }

    pub(super) async fn probe(&self, place: &Place, spec: &ProbeSpec) -> Finding {
        let interim = Arc::new(OnceLock::new());
        let attempt = async {
            match &spec.target {
                Target::Tcp { family, port } => match self.connect(place, self.address(place, *family, *port)).await {
                    Ok(_) => Finding::Connected,
                    Err(reason) => Finding::NotConnected(reason),
                },
                Target::Http(question) => {
                    let Question { scheme, family, port, ref path, keeps_answer, .. } = **question;
                    let address = self.address(place, family, port);
                    let interim = Arc::clone(&interim);
                    let page = Page { method: Method::GET, scheme, address, path, keeps_answer, interim };
                    self.get(place, page).await.unwrap_or_else(Finding::Nothing)
                }
                Target::Command(_) => Finding::Nothing("it is not for the prober to run commands".to_owned()),
            }
        };
        let limit = Duration::from_millis(spec.timeout_ms);
        let finding = tokio::time::timeout(limit, attempt)
            .await
            .unwrap_or_else(|_| Finding::Nothing(format!("no answer within {} s", limit.as_secs_f64())));
        match (finding, interim.get()) {
            (Finding::Nothing(_), Some(interim)) => interim.clone(),
            (finding, _) => finding,
        }
    }

    /// Whether a task that was asked to end has answered that it will: one in the machine's network.
    pub(super) async fn plead(&self, target: &plea::Target) -> bool {
        let address = SocketAddr::new(self.ip, target.port);
        let page = Page {
            method: Method::POST,
            scheme: Scheme::Http,
            address,
            path: &target.path,
            keeps_answer: false,
            interim: Arc::default(),
        };
        match tokio::time::timeout(PLEA_PATIENCE, self.get(&Place::Host, page)).await {
            Ok(Ok(Finding::Answered { status, .. })) => (200..400).contains(&status),
            Ok(Ok(_) | Err(_)) | Err(_) => false,
        }
    }

    /// A task in a network of its own is asked at its own loopback; one that is asked over the other family than the agent's own is asked
    /// on the machine itself. Both as in Mesos.
    fn address(&self, place: &Place, family: Family, port: u16) -> SocketAddr {
        let ip = match (place, self.ip, family) {
            (Place::Host, IpAddr::V4(_), Family::Ipv4) | (Place::Host, IpAddr::V6(_), Family::Ipv6) => self.ip,
            (Place::Host | Place::Namespace(_), _, Family::Ipv4) => Ipv4Addr::LOCALHOST.into(),
            (Place::Host | Place::Namespace(_), _, Family::Ipv6) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, port)
    }

    async fn connect(&self, place: &Place, address: SocketAddr) -> Result<TcpStream, String> {
        let connected = match place {
            Place::Host => TcpStream::connect(address).await,
            Place::Namespace(path) => match self.sockets.open(path, address).await {
                Ok(socket) => socket.connect(address).await,
                Err(error) => Err(error),
            },
        };
        connected.map_err(|error| format!("cannot connect to {address}: {error}"))
    }

    async fn get(&self, place: &Place, page: Page<'_>) -> Result<Finding, String> {
        let stream = self.connect(place, page.address).await?;
        match page.scheme {
            Scheme::Http => exchange(&page, stream).await,
            Scheme::Https => {
                let stream = self.tls.handshake(page.address.ip(), stream).await;
                exchange(&page, stream.map_err(|error| page.failed(&error))?).await
            }
        }
    }
}

impl Page<'_> {
    fn request(&self) -> String {
        format!("{} {}://{}{}", self.method, self.scheme.as_str(), self.address, self.path)
    }

    fn failed(&self, error: &dyn std::error::Error) -> String {
        format!("{} failed: {error}", self.request())
    }
}

/// Redirects are answers like others and are not followed. An interim answer, 1xx, is the answer when none comes behind it.
async fn exchange<S>(page: &Page<'_>, stream: S) -> Result<Finding, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::builder()
        .method(page.method.clone())
        .uri(page.path)
        .header("host", page.address.to_string())
        .header("user-agent", "attica-agent")
        .header("connection", "close")
        .body(Empty::<Bytes>::new());
    let mut request = request.map_err(|error| page.failed(&error))?;
    let (interim, words) = (Arc::clone(&page.interim), page.request());
    hyper::ext::on_informational(&mut request, move |response| {
        // The first is as good as any other.
        let status = response.status().as_u16();
        let _taken = interim.set(Finding::Answered { request: words.clone(), status, answer: None });
    });
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| page.failed(&error))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, if page.keeps_answer { Some(kept(response).await?) } else { None }))
    };
    let exchange = async {
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error),
        }
    };
    let (status, answer) = exchange.await.map_err(|error: hyper::Error| page.failed(&error))?;
    Ok(Finding::Answered { request: page.request(), status, answer })
}

/// What is kept of an answer: the beginning of its body, as text.
async fn kept(response: Response<Incoming>) -> Result<HttpAnswer, hyper::Error> {
    let status = u32::from(response.status().as_u16());
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let content_type = media_type.chars().take(KEPT_TYPE_CHARS).collect();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < KEPT_BYTES
        && let Some(frame) = body.frame().await.transpose()?
    {
        let data = frame.into_data().unwrap_or_default();
        bytes.extend(data.into_iter().take(KEPT_BYTES - bytes.len()));
    }
    // A character that the limit has cut is left out.
    let last = bytes.utf8_chunks().last().filter(|_| bytes.len() == KEPT_BYTES);
    let cut = last.map_or(0, |last| last.invalid().len());
    bytes.truncate(bytes.len() - cut);
    Ok(HttpAnswer { status, content_type, body: String::from_utf8_lossy(&bytes).into_owned() })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn spec(target: Target) -> ProbeSpec {
        ProbeSpec { target, delay_ms: 0, interval_ms: 0, timeout_ms: 2_000 }
    }

    fn get(scheme: Scheme, family: Family, port: u16) -> ProbeSpec {
        spec(Target::Http(Box::new(Question {
            scheme,
            family,
            port,
            path: "/x".to_owned(),
            statuses: Vec::new(),
            ignores_1xx: false,
            keeps_answer: false,
        })))
    }

    fn prober() -> Prober {
        Prober::new(IpAddr::from([127, 0, 0, 1]), Sockets::start().unwrap())
    }

    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &str) {
        let mut buffer = [0; 1024];
        let _request = stream.read(&mut buffer).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _gone = stream.shutdown().await;
    }

    #[tokio::test]
    async fn answers_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for text in [
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\n\r\n",
                "nonsense\r\n\r\n",
                "",
            ] {
                answer(listener.accept().await.unwrap().0, text).await;
            }
            let (_silent, _) = listener.accept().await.unwrap();
            std::future::pending::<()>().await;
        });
        let spec = get(Scheme::Http, Family::Ipv4, port);
        let request = format!("GET http://127.0.0.1:{port}/x");
        let answered = |status| Finding::Answered { request: request.clone(), status, answer: None };
        assert_eq!(prober().probe(&Place::Host, &spec).await, answered(204));
        assert_eq!(prober().probe(&Place::Host, &spec).await, answered(302));
        for _ in 0..2 {
            let finding = prober().probe(&Place::Host, &spec).await;
            assert!(matches!(&finding, Finding::Nothing(why) if why.contains("failed")), "{finding:?}");
        }
        assert_eq!(prober().probe(&Place::Host, &spec).await, Finding::Nothing("no answer within 2 s".to_owned()));
    }

    #[tokio::test]
    async fn an_interim_answer_counts_when_none_comes_behind_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for text in [
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Broken\r\n\r\n",
                "HTTP/1.1 102 Processing\r\n\r\n",
                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            ] {
                answer(listener.accept().await.unwrap().0, text).await;
            }
            let (mut silent, _) = listener.accept().await.unwrap();
            let _request = silent.read(&mut [0; 1024]).await.unwrap();
            silent.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        for expected in [500, 102, 101, 100] {
            let finding = prober().probe(&Place::Host, &get(Scheme::Http, Family::Ipv4, port)).await;
            assert!(matches!(finding, Finding::Answered { status, .. } if status == expected), "{finding:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_as_far_as_it_may_be_long() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let long =
                format!("HTTP/1.1 503 Busy\r\ncontent-type: text/html; charset=utf-8\r\n\r\nx{}", "ü".repeat(9_000));
            for text in ["HTTP/1.1 200 OK\r\n\r\nwarm", &long, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut"] {
                answer(listener.accept().await.unwrap().0, text).await;
            }
        });
        let mut spec = get(Scheme::Http, Family::Ipv4, port);
        let Target::Http(question) = &mut spec.target else { panic!("{spec:?}") };
        question.keeps_answer = true;
        for (status, content_type, body) in
            [(200, "", "warm".to_owned()), (503, "text/html", format!("x{}", "ü".repeat(2_047)))]
        {
            let Finding::Answered { answer: Some(answer), .. } = prober().probe(&Place::Host, &spec).await else {
                panic!("nothing is kept of {status}")
            };
            assert_eq!(answer, HttpAnswer { status, content_type: content_type.to_owned(), body });
        }
        let finding = prober().probe(&Place::Host, &spec).await;
        assert!(matches!(&finding, Finding::Nothing(why) if why.contains("failed")), "it is not whole: {finding:?}");
    }

    #[tokio::test]
    async fn nobody_listens_where_nobody_listens() {
        for (family, says) in
            [(Family::Ipv4, "cannot connect to 127.0.0.1:1"), (Family::Ipv6, "cannot connect to [::1]:1")]
        {
            let finding = prober().probe(&Place::Host, &spec(Target::Tcp { family, port: 1 })).await;
            assert!(matches!(&finding, Finding::NotConnected(why) if why.starts_with(says)), "{finding:?}");
        }
    }

    #[tokio::test]
    async fn a_task_can_be_asked_over_ipv6() {
        let Ok(listener) = TcpListener::bind("[::1]:0").await else {
            println!("skipped: this machine has no IPv6");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { answer(listener.accept().await.unwrap().0, "HTTP/1.1 200 OK\r\n\r\n").await });
        let finding = prober().probe(&Place::Host, &get(Scheme::Http, Family::Ipv6, port)).await;
        let request = format!("GET http://[::1]:{port}/x");
        assert_eq!(finding, Finding::Answered { request, status: 200, answer: None });
    }

    /// A task's own certificate says nothing about the address it is asked at.
    #[tokio::test]
    async fn a_certificate_is_not_looked_at() {
        let made = rcgen::generate_simple_self_signed(vec!["somewhere.else".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            answer(stream, "HTTP/1.1 503 Busy\r\n\r\n").await;
            answer(listener.accept().await.unwrap().0, "HTTP/1.1 200 OK\r\n\r\n").await;
        });
        let finding = prober().probe(&Place::Host, &get(Scheme::Https, Family::Ipv4, port)).await;
        let request = format!("GET https://127.0.0.1:{port}/x");
        assert_eq!(finding, Finding::Answered { request, status: 503, answer: None });
        let finding = prober().probe(&Place::Host, &get(Scheme::Https, Family::Ipv4, port)).await;
        assert!(matches!(&finding, Finding::Nothing(why) if why.contains("failed")), "it speaks no TLS: {finding:?}");
    }
}
