//! Real handshakes, over loopback, with certificates made for the purpose.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::service_fn;

use super::*;
use crate::http::{Client, ClientError, Limits, Protocol, RequestBody, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// An authority and a directory for what it signs.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { directory, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a certificate for these names, and its key.
    fn issue(&self, file: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let (certificate_path, key_path) = (self.path(&format!("{file}.pem")), self.path(&format!("{file}.key")));
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        std::fs::write(&certificate_path, certificate.pem()).unwrap();
        (certificate_path, key_path)
    }

    fn files(&self, name: Option<&str>, asked: ClientCertificateUse) -> TlsFiles {
        let issued = name.map(|name| self.issue(name, &["127.0.0.1", &format!("{name}.cluster")]));
        TlsFiles {
            certificate: issued.as_ref().map(|(certificate, _)| certificate.clone()),
            key: issued.map(|(_, key)| key),
            authority: Some(self.path("ca.pem")),
            client_certificates: asked,
        }
    }
}

struct Running {
    address: SocketAddr,
    _stop: DropGuard,
}

/// A listener that answers with the name in the caller's certificate and the protocol's version.
async fn serve(tls: &Tls) -> Running {
    let server =
        Server::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap().with_tls(tls.server.clone());
    let address = server.local_address().unwrap();
    let service = service_fn(|request: Request<RequestBody>| async move {
        let name = request.extensions().get::<ClientName>().map(|name| name.0.to_string());
        let text = format!("{} {:?}", name.unwrap_or("nobody".to_owned()), request.version());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { server.serve(service, stopped.cancelled()).await });
    Running { address, _stop: stop.drop_guard() }
}

async fn ask(address: SocketAddr, protocol: Protocol, security: Security) -> Result<String, ClientError> {
    let client = Client::secured(protocol, PATIENCE, security);
    let uri = client.uri(&address.to_string(), "/").unwrap();
    let response = client.get(&uri, HeaderMap::new()).await?;
    Ok(String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn tls(files: TlsFiles) -> Tls {
    Tls::start(files, Plaintext::Refused).unwrap()
}

#[tokio::test]
async fn both_protocols_and_the_names_of_clients() {
    let authority = Authority::new();
    let server = serve(&tls(authority.files(Some("master"), ClientCertificateUse::Optional))).await;
    let nameless = tls(authority.files(None, ClientCertificateUse::None)).security();
    let named = tls(authority.files(Some("agent7"), ClientCertificateUse::None)).security();
    let cases = [
        (Protocol::Http1, nameless.clone(), "nobody HTTP/1.1"),
        (Protocol::Http2, nameless, "nobody HTTP/2.0"),
        (Protocol::Http1, named.clone(), "agent7.cluster HTTP/1.1"),
        (Protocol::Http2, named, "agent7.cluster HTTP/2.0"),
    ];
    for (protocol, security, expected) in cases {
        assert_eq!(ask(server.address, protocol, security).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn strangers_are_refused_on_both_sides() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = serve(&tls(ours.files(Some("master"), ClientCertificateUse::Required))).await;
    let friend = tls(ours.files(Some("agent"), ClientCertificateUse::None)).security();
    assert_eq!(ask(server.address, Protocol::Http1, friend).await.unwrap(), "agent.cluster HTTP/1.1");
    // No certificate; one of another authority; a client that does not believe the listener; none at all.
    let nameless = tls(ours.files(None, ClientCertificateUse::None)).security();
    let mut foreign = theirs.files(Some("agent"), ClientCertificateUse::None);
    foreign.authority = Some(ours.path("ca.pem"));
    let unbelieving = tls(theirs.files(Some("agent"), ClientCertificateUse::None)).security();
    for security in [nameless, tls(foreign).security(), unbelieving, Security::default()] {
        assert!(ask(server.address, Protocol::Http1, security).await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_believed() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("elsewhere", &["elsewhere.cluster"]);
    let files = TlsFiles { certificate: Some(certificate), key: Some(key), ..TlsFiles::default() };
    let server = serve(&tls(files)).await;
    let client = tls(authority.files(None, ClientCertificateUse::None)).security();
    assert!(matches!(ask(server.address, Protocol::Http1, client).await, Err(ClientError::Connect { .. })));
}

#[tokio::test]
async fn plaintext_is_served_only_when_that_is_wanted() {
    let authority = Authority::new();
    let files = authority.files(Some("master"), ClientCertificateUse::None);
    let changing_over = serve(&Tls::start(files.clone(), Plaintext::Served).unwrap()).await;
    let client = tls(authority.files(None, ClientCertificateUse::None)).security();
    for security in [Security::default(), client] {
        assert_eq!(ask(changing_over.address, Protocol::Http1, security).await.unwrap(), "nobody HTTP/1.1");
    }
    let strict = serve(&tls(files)).await;
    assert!(ask(strict.address, Protocol::Http1, Security::default()).await.is_err());
}

#[tokio::test]
async fn a_silent_handshake_costs_its_own_connection_only() {
    let authority = Authority::new();
    let tls = tls(authority.files(Some("master"), ClientCertificateUse::None));
    let server = Server::bind(
        ([127, 0, 0, 1], 0).into(),
        Limits { first_request_timeout: Duration::from_millis(200), ..Limits::default() },
    );
    let server = server.await.unwrap().with_tls(tls.server.clone());
    let address = server.local_address().unwrap();
    let service = service_fn(|_: Request<RequestBody>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"here"))))
    });
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move { server.serve(service, stopped.cancelled()).await });
    let _stop = stop.drop_guard();
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(address, Protocol::Http1, tls.security()).await.unwrap(), "here");
    let mut bytes = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut bytes);
    // Ended by the listener, with or without a reset.
    let _ = tokio::time::timeout(PATIENCE, end).await.unwrap();
}

/// The certificate with which a listener greets now.
async fn greeting(address: SocketAddr, tls: &Tls) -> Vec<u8> {
    let config = tls.client.as_ref().unwrap().0.borrow().clone();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_counts_for_new_connections_and_a_broken_one_does_not() {
    let authority = Authority::new();
    let tls = tls(authority.files(Some("master"), ClientCertificateUse::None));
    let server = serve(&tls).await;
    let first = greeting(server.address, &tls).await;
    let mut config = tls.server.clone().unwrap().config;
    std::fs::write(authority.path("master.pem"), "no certificate").unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(3), config.changed()).await.is_err());
    assert_eq!(greeting(server.address, &tls).await, first);
    authority.issue("master", &["127.0.0.1"]);
    tokio::time::timeout(PATIENCE, config.changed()).await.unwrap().unwrap();
    assert_ne!(greeting(server.address, &tls).await, first);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_without_quoting_it() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("master", &["127.0.0.1"]);
    let (_, other_key) = authority.issue("other", &["127.0.0.1"]);
    let whole = || TlsFiles { certificate: Some(certificate.clone()), key: Some(key.clone()), ..TlsFiles::default() };
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let cases = [
        (TlsFiles { key: None, ..whole() }, "go together"),
        (TlsFiles { client_certificates: ClientCertificateUse::Required, ..whole() }, "needs the authorities"),
        (TlsFiles { key: Some(other_key), ..whole() }, "cannot be used"),
        (TlsFiles { key: Some(certificate.clone()), ..whole() }, "cannot read a key from"),
        (TlsFiles { certificate: Some(key.clone()), ..whole() }, "cannot read a certificate from"),
        (TlsFiles { authority: Some(authority.path("nowhere")), ..whole() }, "cannot read an authority from"),
    ];
    for (files, expected) in cases {
        let error = Tls::start(files, Plaintext::Refused).err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected), "{shown}");
        let secret = text(&key);
        assert!(!shown.contains(secret.lines().nth(1).unwrap()), "{shown}");
    }
}
