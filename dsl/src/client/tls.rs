//! How the service layer's certificate is judged: by the authorities of a file, or else by those that this system trusts.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::failure::{Failure, in_words};

/// Speaks HTTP over `http`, with TLS where the address says `https`.
///
/// # Errors
/// [`Failure::Usage`] when there is nothing to judge certificates by.
pub(super) fn connector(
    mut http: HttpConnector,
    ca_file: Option<&Path>,
) -> Result<HttpsConnector<HttpConnector>, Failure> {
    http.enforce_http(false);
    let unusable = |error: rustls::Error| Failure::Usage(format!("TLS cannot be used: {}", in_words(&error)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unusable)?;
    let config = match ca_file {
        Some(file) => builder.with_root_certificates(roots(file)?),
        None => builder.with_platform_verifier().map_err(unusable)?,
    };
    let config = config.with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(http))
}

fn roots(file: &Path) -> Result<RootCertStore, Failure> {
    let wrong = |cause: String| Failure::Usage(format!("{}: {cause}", file.display()));
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(in_words(&error)))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(in_words(&error)))?;
        roots.add(certificate).map_err(|error| wrong(in_words(&error)))?;
    }
    match roots.is_empty() {
        true => Err(wrong("there is no certificate in it: expected PEM".to_owned())),
        false => Ok(roots),
    }
}
