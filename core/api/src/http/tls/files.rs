//! Certificates, keys and authorities on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::Of;
use crate::http::reload::{Current, watch_files};

/// What a process has for TLS, all of it in PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// Its certificate, followed by what links it to an authority.
    pub certificate: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// The authorities whose certificates it believes.
    pub authority: Option<PathBuf>,
    /// What its listeners ask of clients.
    pub client_certificates: ClientCertificateUse,
}

/// What a listener asks of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificateUse {
    /// Nothing.
    #[default]
    None,
    /// A certificate, if they have one.
    Optional,
    /// A certificate.
    Required,
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One without the other is useless.
    #[error("a certificate and its key go together; one of them is missing")]
    Half,
    /// Nobody says whose certificates are good.
    #[error("asking clients for certificates needs the authorities whose certificates are believed, and a certificate")]
    NoAuthority,
    /// A file cannot be read, or holds something else. Its content is not quoted.
    #[error("cannot read {what} from {}: {reason}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not belong together, or the library does not support them.
    #[error("the certificate and key cannot be used")]
    Unusable(#[source] rustls::Error),
    /// Clients cannot be verified with these authorities.
    #[error("the authorities cannot be used")]
    Authorities(#[source] rustls::server::VerifierBuilderError),
}

impl TlsFiles {
    pub(super) fn check(&self) -> Result<(), TlsError> {
        if self.certificate.is_some() != self.key.is_some() {
            return Err(TlsError::Half);
        }
        let asks = self.client_certificates != ClientCertificateUse::None;
        if asks && (self.authority.is_none() || self.certificate.is_none()) {
            Err(TlsError::NoAuthority)
        } else {
            Ok(())
        }
    }

    pub(super) fn watch<T: Of + Send + Sync + 'static>(
        &self,
        of: fn(&TlsFiles) -> Result<T, TlsError>,
    ) -> Result<Current<T>, TlsError> {
        let watched = [&self.certificate, &self.key, &self.authority].into_iter().flatten().cloned().collect();
        let files = self.clone();
        watch_files("TLS certificates", watched, move || of(&files))
    }

    pub(super) fn server(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match self.client_certificates {
            ClientCertificateUse::None => builder.with_no_client_auth(),
            asked => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider());
                let verifier = match asked {
                    ClientCertificateUse::Optional => verifier.allow_unauthenticated(),
                    ClientCertificateUse::None | ClientCertificateUse::Required => verifier,
                };
                builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Authorities)?)
            }
        };
        let (chain, key) = self.identity()?.ok_or(TlsError::Half)?;
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    pub(super) fn client(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_root_certificates(self.roots()?);
        match self.identity()? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(TlsError::Unusable),
            None => Ok(builder.with_no_client_auth()),
        }
    }

    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, TlsError> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else { return Ok(None) };
        let chain = certificates(certificate, "a certificate")?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| file("a key", key, &error))?;
        Ok(Some((chain, key)))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        const WHAT: &str = "an authority";
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.authority {
            for certificate in certificates(path, WHAT)? {
                roots.add(certificate).map_err(|error| file(WHAT, path, &error))?;
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| file(what, path, &error))?;
    if found.is_empty() { Err(file(what, path, &"there is none in it")) } else { Ok(found) }
}

fn file(what: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { what, path: path.to_owned(), reason: reason.to_string() }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
