//! The flags that every role has for TLS.

use std::path::PathBuf;

use super::tls::{ClientCertificateUse, Plaintext, Tls, TlsError, TlsFiles};

/// TLS: what is served is encrypted with --tls-cert-file, what is asked for with --tls-ca-file.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// The certificate with which this process serves, and shows itself to others; PEM, read again when it changes
    #[arg(long, env = "ATTICA_TLS_CERT_FILE", value_name = "PATH", requires = "tls_key_file")]
    pub tls_cert_file: Option<PathBuf>,

    /// The key of the certificate; PEM
    #[arg(long, env = "ATTICA_TLS_KEY_FILE", value_name = "PATH", requires = "tls_cert_file")]
    pub tls_key_file: Option<PathBuf>,

    /// The authorities whose certificates are believed; PEM. With it, this process asks other parts of the cluster over TLS
    #[arg(long, env = "ATTICA_TLS_CA_FILE", value_name = "PATH")]
    pub tls_ca_file: Option<PathBuf>,

    /// Whether callers show a certificate of one of the authorities: none, optional or required
    #[arg(long, env = "ATTICA_TLS_CLIENT_CERTS", value_name = "USE", default_value = "none", value_parser = parse_use)]
    pub tls_client_certs: ClientCertificateUse,

    /// Serve callers without TLS as well, while a cluster changes over
    #[arg(long, env = "ATTICA_TLS_SERVE_PLAINTEXT")]
    pub tls_serve_plaintext: bool,
}

impl TlsArgs {
    /// Reads the files, and watches them.
    pub fn start(&self) -> Result<Tls, TlsError> {
        let files = TlsFiles {
            certificate: self.tls_cert_file.clone(),
            key: self.tls_key_file.clone(),
            authority: self.tls_ca_file.clone(),
            client_certificates: self.tls_client_certs,
        };
        let plaintext = if self.tls_serve_plaintext { Plaintext::Served } else { Plaintext::Refused };
        Tls::start(files, plaintext)
    }
}

fn parse_use(text: &str) -> Result<ClientCertificateUse, String> {
    match text {
        "none" => Ok(ClientCertificateUse::None),
        "optional" => Ok(ClientCertificateUse::Optional),
        "required" => Ok(ClientCertificateUse::Required),
        _ => Err(format!("expected none, optional or required, found `{text}`")),
    }
}
