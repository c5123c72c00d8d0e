//! TLS for listeners and clients, from files that are read again when they change.
//!
//! A listener encrypts when it has a certificate, a client when it knows whom to believe. Both sides speak HTTP/1.1 and HTTP/2 as
//! without TLS. A connection keeps the certificate with which it began; new ones take the new.

mod files;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::guard::ClientCertificates;
use super::reload::Current;
use super::{Security, security::ClientTls};
pub use files::{ClientCertificateUse, TlsError, TlsFiles};
pub(super) use wire::{Connector, Wire};

/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// The name in the certificate with which a client came, found in the extensions of its requests: the first DNS name that it is
/// valid for. The listener has verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName(pub Arc<str>);

/// The listener's side of TLS.
#[derive(Clone)]
pub struct ServerTls {
    config: Current<ServerConfig>,
    plaintext: Plaintext,
}

/// What becomes of connections that do not begin with a TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plaintext {
    /// They are ended.
    #[default]
    Refused,
    /// They are served: for the time in which a cluster changes over.
    Served,
}

/// Both sides of a process, as its flags say.
#[derive(Clone, Default)]
pub struct Tls {
    /// For its listeners, when it has a certificate.
    pub server: Option<ServerTls>,
    /// For its clients, when it knows whom to believe.
    pub client: Option<ClientTls>,
    certificates: ClientCertificateUse,
}

impl Tls {
    /// Reads the files, and watches them.
    pub fn start(files: TlsFiles, plaintext: Plaintext) -> Result<Tls, TlsError> {
        files.check()?;
        let certificates = files.client_certificates;
        let server = match files.certificate.is_some() {
            true => Some(ServerTls { config: files.watch(ServerConfig::of)?, plaintext }),
            false => None,
        };
        let client = match files.authority.is_some() {
            true => Some(ClientTls(files.watch(ClientConfig::of)?)),
            false => None,
        };
        Ok(Tls { server, client, certificates })
    }

    /// What clients of this process bring along, besides what proves their name.
    pub fn security(&self) -> Security {
        Security::default().with_tls(self.client.clone())
    }

    /// Whether callers can be known by their certificates.
    pub fn client_certificates(&self) -> ClientCertificates {
        match self.certificates {
            ClientCertificateUse::None => ClientCertificates::Ignored,
            ClientCertificateUse::Optional | ClientCertificateUse::Required => ClientCertificates::Asked,
        }
    }

    /// `http` or `https`: how this process is reached.
    pub fn scheme(&self) -> &'static str {
        if self.server.is_some() { "https" } else { "http" }
    }
}

/// How one side of TLS is made from the files.
trait Of: Sized {
    fn of(files: &TlsFiles) -> Result<Self, TlsError>;
}

impl Of for ServerConfig {
    fn of(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        files.server()
    }
}

impl Of for ClientConfig {
    fn of(files: &TlsFiles) -> Result<ClientConfig, TlsError> {
        files.client()
    }
}

impl ServerTls {
    /// Finishes the handshake within `limit`.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        limit: Duration,
    ) -> std::io::Result<(Wire, Option<ClientName>)> {
        let handshake = async {
            if self.plaintext == Plaintext::Served && !begins_with_handshake(&stream).await? {
                return Ok((Wire::Plain(stream), None));
            }
            let acceptor = TlsAcceptor::from(self.config.borrow().clone());
            let stream = acceptor.accept(stream).await?;
            let name = stream.get_ref().1.peer_certificates().and_then(|chain| name_of(chain.first()?));
            Ok((Wire::Tls(Box::new(TlsStream::Server(stream))), name))
        };
        tokio::time::timeout(limit, handshake).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
    }
}

async fn begins_with_handshake(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    let found = stream.peek(&mut first).await?;
    Ok(found == 1 && first[0] == HANDSHAKE)
}

fn name_of(certificate: &CertificateDer<'_>) -> Option<ClientName> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let name = certificate.valid_dns_names().next()?;
    Some(ClientName(Arc::from(name)))
}
