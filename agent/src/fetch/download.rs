//! Downloads over http and https.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::networks;

/// The largest file that is downloaded, in bytes.
pub(super) const FILE_MAX_BYTES: u64 = 64 << 30;
/// Redirections that are followed for one file.
const REDIRECTS_MAX: u32 = 10;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// A download that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error("the server cannot be asked")]
    Request(#[source] ureq::Error),
    #[error("the server answers with status {0}")]
    Status(u16),
    #[error("the answer breaks off")]
    Answer(#[source] io::Error),
    #[error("the answer is longer than the {0} bytes that there is room for")]
    TooLong(u64),
    #[error("the file cannot be written")]
    File(#[source] io::Error),
    #[error("the authorities in {path} cannot be used")]
    Authorities {
        path: String,
        #[source]
        source: io::Error,
    },
}

/// All addresses of a host are private.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no address but private ones, which are not in --fetcher-allowed-networks")]
struct Private(String);

/// Looks names up, and leaves out the addresses that must not be asked; redirections come by here as well.
#[derive(Debug)]
struct Permitted {
    allowed: Vec<IpNet>,
}

impl Resolver for Permitted {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut permitted = self.empty();
        for address in found.iter().filter(|address| networks::permits(&self.allowed, address.ip())) {
            permitted.push(*address);
        }
        if permitted.is_empty() {
            let host = uri.host().unwrap_or_default().to_owned();
            return Err(ureq::Error::Other(Box::new(Private(host))));
        }
        Ok(permitted)
    }
}

/// See the module's text.
pub(super) struct Client {
    agent: ureq::Agent,
}

impl Client {
    /// Believes the machine's authorities, and those in the file `authorities`.
    pub(super) fn new(
        allowed: &[IpNet],
        authorities: Option<&Path>,
        patience: Duration,
    ) -> Result<Client, DownloadError> {
        let tls = TlsConfig::builder()
            .root_certs(roots(authorities)?)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(patience))
            .max_redirects(REDIRECTS_MAX)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("attica")
            .build();
        let resolver = Permitted { allowed: allowed.to_vec() };
        Ok(Client { agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver) })
    }

    /// Writes what is at `address` into `file`, if it has no more than `most` bytes, and tells how many; `progress` is called for whatever
    /// comes.
    pub(super) fn download(
        &self,
        address: &str,
        file: &mut File,
        most: u64,
        progress: &dyn Fn(),
    ) -> Result<u64, DownloadError> {
        let answer = self.agent.get(address).call().map_err(DownloadError::Request)?;
        progress();
        if !answer.status().is_success() {
            return Err(DownloadError::Status(answer.status().as_u16()));
        }
        let mut body = answer.into_body().into_reader();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut total = 0_u64;
        loop {
            let read = body.read(&mut chunk).map_err(DownloadError::Answer)?;
            if read == 0 {
                return Ok(total);
            }
            progress();
            total += read as u64;
            if total > most {
                return Err(DownloadError::TooLong(most));
            }
            file.write_all(&chunk[..read]).map_err(DownloadError::File)?;
        }
    }
}

fn roots(authorities: Option<&Path>) -> Result<RootCerts, DownloadError> {
    let Some(path) = authorities else { return Ok(RootCerts::PlatformVerifier) };
    let failed = |source| DownloadError::Authorities { path: path.display().to_string(), source };
    let pem = std::fs::read(path).map_err(failed)?;
    let mut certificates: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(io::Error::other).map_err(failed)? {
            certificates.push(certificate);
        }
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
