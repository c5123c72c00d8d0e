//! A cluster whose parts prove to each other who they are, and encrypt what they say.

use std::net::SocketAddr;
use std::path::PathBuf;

use attica_core_api::http::tls::{ClientCertificateUse, Tls, TlsError};
use attica_core_api::http::{CredentialFileError, Security, TlsArgs};
use thiserror::Error;

use super::children::Program;

/// The same for every role.
#[derive(clap::Args)]
#[command(next_help_heading = "Security")]
pub struct SecurityArgs {
    /// Names and passwords of those who may use masters and agents, as {"credentials": [{"principal": "…", "secret": "…"}]}. With it,
    /// everyone has to prove one of these names
    #[arg(long, value_name = "FILE", requires = "credential")]
    credentials: Option<PathBuf>,
    /// The one of them that the parts of the cluster show each other: {"principal": "…", "secret": "…"}
    #[arg(long, value_name = "FILE", requires = "credentials")]
    credential: Option<PathBuf>,
    /// Who may do what, in Mesos's JSON: as it is, or in a file
    #[arg(long, value_name = "JSON|FILE")]
    acls: Option<String>,
    /// Have everyone sign in to the service layer. This one may do everything there, also make users: {"principal": "…", "secret": "…"}
    #[arg(long, value_name = "FILE")]
    admin_file: Option<PathBuf>,
    /// Certificates
    #[command(flatten)]
    tls: TlsArgs,
}

/// What cannot be used.
#[derive(Debug, Error)]
pub enum SecurityError {
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    #[error("--credential cannot be used")]
    Credential(#[from] CredentialFileError),
    #[error("--tls-cert-file needs --tls-ca-file: the parts of the cluster ask each other over TLS")]
    NoAuthority,
}

/// How the roles are to be started.
pub struct Secured<'a> {
    args: &'a SecurityArgs,
    proof: Security,
}

impl SecurityArgs {
    /// Reads the files, so that what is wrong with them is said before anything is started.
    pub fn start(&self) -> Result<Secured<'_>, SecurityError> {
        if self.tls.tls_cert_file.is_some() && self.tls.tls_ca_file.is_none() {
            return Err(SecurityError::NoAuthority);
        }
        let tls: Tls = self.tls.start()?;
        let proof = match &self.credential {
            Some(path) => tls.security().with_credential_file(path)?,
            None => tls.security(),
        };
        Ok(Secured { args: self, proof })
    }
}

impl Secured<'_> {
    /// What the cluster's own parts show.
    pub fn proof(&self) -> Security {
        self.proof.clone()
    }

    /// Where a role is reached.
    pub fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.args.tls.tls_cert_file.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    pub fn master(&self, program: Program) -> Program {
        let program = path(self.tls(program), "--credentials", &self.args.credentials);
        let program = self.acls(program);
        let realms = [
            "--authenticate-http-readonly",
            "--authenticate-http-readwrite",
            "--authenticate-http-frameworks",
            "--authenticate-agents",
        ];
        self.required(program, &realms)
    }

    pub fn agent(&self, program: Program) -> Program {
        let program = path(self.tls(program), "--credential", &self.args.credential);
        let program = self.acls(path(program, "--http-credentials", &self.args.credentials));
        let program = self.required(program, &["--authenticate-http-readonly"]);
        if self.args.credentials.is_some() { program.switch("--authenticate-http-executors") } else { program }
    }

    pub fn paas(&self, program: Program) -> Program {
        let program = path(self.tls(program), "--master-credential-file", &self.args.credential);
        match &self.args.admin_file {
            Some(file) => program.switch("--require-sign-in").arg("--admin-file", file.display()),
            None => program,
        }
    }

    pub fn lb(&self, program: Program) -> Program {
        path(self.tls(program), "--paas-token-file", &self.args.admin_file)
    }

    fn acls(&self, program: Program) -> Program {
        match &self.args.acls {
            Some(acls) => program.arg("--acls", acls),
            None => program,
        }
    }

    fn required(&self, program: Program, realms: &[&str]) -> Program {
        match self.args.credentials {
            Some(_) => realms.iter().fold(program, |program, realm| program.arg(realm, true)),
            None => program,
        }
    }

    fn tls(&self, program: Program) -> Program {
        let TlsArgs { tls_cert_file, tls_key_file, tls_ca_file, tls_client_certs, tls_serve_plaintext } =
            &self.args.tls;
        let program = path(program, "--tls-cert-file", tls_cert_file);
        let program = path(program, "--tls-key-file", tls_key_file);
        let program = path(program, "--tls-ca-file", tls_ca_file);
        let program = match tls_client_certs {
            ClientCertificateUse::None => program,
            ClientCertificateUse::Optional => program.arg("--tls-client-certs", "optional"),
            ClientCertificateUse::Required => program.arg("--tls-client-certs", "required"),
        };
        if *tls_serve_plaintext { program.switch("--tls-serve-plaintext") } else { program }
    }
}

fn path(program: Program, flag: &str, path: &Option<PathBuf>) -> Program {
    match path {
        Some(path) => program.arg(flag, path.display()),
        None => program,
    }
}
