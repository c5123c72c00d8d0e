//! What an operator sets about who may come in.

use std::path::PathBuf;

use attica_core_api::auth::Realm;
use attica_core_api::http::TlsArgs;
use attica_core_api::http::guard::{AclsSource, Guard, GuardError, GuardFiles, plain_path};
use attica_core_api::http::tls::Tls;

/// Who may come in. Every file is read again when it changes, and on SIGHUP; a bad one does not replace a good one.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Security")]
pub struct SecurityArgs {
    /// Names and passwords: {"credentials": [{"principal": "…", "secret": "…"}]}
    #[arg(long, env = "MESOS_CREDENTIALS", value_name = "PATH", value_parser = parse_path)]
    pub credentials: Option<PathBuf>,

    /// The key, of at least 32 bytes, that bearer tokens are signed with (HS256); the name is in the claim `sub`
    #[arg(long, alias = "jwt_secret_key", env = "MESOS_JWT_SECRET_KEY", value_name = "PATH", value_parser = parse_path)]
    pub jwt_secret_key: Option<PathBuf>,

    /// Who may do what, in Mesos's JSON: as it is, or in a file
    #[arg(long, env = "MESOS_ACLS", value_name = "JSON|PATH")]
    pub acls: Option<AclsSource>,

    /// Whether who reads has to prove a name
    #[arg(long, alias = "authenticate_http_readonly", env = "MESOS_AUTHENTICATE_HTTP_READONLY", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_readonly: bool,

    /// Whether who operates has to prove a name
    #[arg(long, alias = "authenticate_http_readwrite", env = "MESOS_AUTHENTICATE_HTTP_READWRITE", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_readwrite: bool,

    /// Whether frameworks have to prove their principal
    #[arg(long, alias = "authenticate_http_frameworks", env = "MESOS_AUTHENTICATE_HTTP_FRAMEWORKS", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_http_frameworks: bool,

    /// Whether agents have to prove a name: by a credential, a token or a certificate
    #[arg(long, alias = "authenticate_agents", env = "MESOS_AUTHENTICATE_AGENTS", value_name = "BOOL", default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub authenticate_agents: bool,

    /// Certificates
    #[command(flatten)]
    pub tls: TlsArgs,
}

impl SecurityArgs {
    /// The realms whose callers have to prove a name.
    fn realms(&self) -> impl Iterator<Item = Realm> {
        let realms = [
            (self.authenticate_http_readonly, Realm::MasterReadonly),
            (self.authenticate_http_readwrite, Realm::MasterReadwrite),
            (self.authenticate_http_frameworks, Realm::MasterScheduler),
            (self.authenticate_agents, Realm::MasterAgent),
        ];
        realms.into_iter().filter(|(required, _)| *required).map(|(_, realm)| realm)
    }

    /// Reads the files, and watches them.
    pub(super) fn guard(&self, tls: &Tls) -> Result<Guard, GuardError> {
        let files = GuardFiles {
            credentials: self.credentials.clone(),
            token_key: self.jwt_secret_key.clone(),
            acls: self.acls.clone(),
        };
        Guard::start(files, self.realms(), tls.client_certificates())
    }
}

fn parse_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(plain_path(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        security: SecurityArgs,
    }

    #[test]
    fn what_has_to_be_proved() {
        let flags = [
            "master",
            "--credentials=file:///etc/credentials",
            "--acls={\"permissive\":false}",
            "--authenticate_http_readwrite",
            "--authenticate_agents=true",
            "--authenticate_http_frameworks=false",
        ];
        let security =
            <Arguments as clap::Parser>::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).security;
        assert_eq!(security.realms().collect::<Vec<_>>(), [Realm::MasterReadwrite, Realm::MasterAgent]);
        assert_eq!(security.credentials, Some(PathBuf::from("/etc/credentials")));
        assert_eq!(security.acls, Some(AclsSource::Inline("{\"permissive\":false}".to_owned())));
    }
}
