//! What an operator sets.

use std::net::IpAddr;
use std::path::PathBuf;

use attica_core_api::http::TlsArgs;

use crate::model::ConsumerName;

/// Route requests to the instances of apps: by virtual host and path, and by service port.
///
/// It understands marathon-lb's HAPROXY_* labels, and follows the event stream of the service layer.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The service layer; may be given several times, they are tried in turn
    #[arg(long, env = "ATTICA_LB_PAAS_URL", value_name = "URL", value_delimiter = ',', default_value = "http://127.0.0.1:8080", value_parser = parse_url)]
    pub paas_url: Vec<String>,

    /// The address of this machine to serve on
    #[arg(long, env = "ATTICA_LB_LISTEN", value_name = "ADDR", default_value = "127.0.0.1")]
    pub listen: IpAddr,

    /// Where requests are routed by virtual host; 0 takes a free port
    #[arg(long, env = "ATTICA_LB_HTTP_PORT", value_name = "PORT", default_value_t = 9080)]
    pub http_port: u16,

    /// Where health, routes, statistics and metrics are shown; 0 takes a free port
    #[arg(long, env = "ATTICA_LB_STATS_PORT", value_name = "PORT", default_value_t = 9090)]
    pub stats_port: u16,

    /// Serve apps whose HAPROXY_GROUP has this name; may be given several times [default: every group]
    #[arg(long, env = "ATTICA_LB_GROUP", value_name = "GROUP", value_delimiter = ',')]
    pub group: Vec<String>,

    /// The name by which the service layer knows this load balancer and waits for it; no two may have the same [default: lb-HOST-PORT]
    #[arg(long, env = "ATTICA_LB_NAME", value_name = "NAME", value_parser = parse_name)]
    pub name: Option<String>,

    /// What proves to the service layer who this is, where it asks for that: a token of a user who may view everything, or
    /// `{"principal": "…", "secret": "…"}`; read again when it changes
    #[arg(long, env = "ATTICA_LB_PAAS_TOKEN_FILE", value_name = "PATH")]
    pub paas_token_file: Option<PathBuf>,

    /// Certificates: for --stats-port, and for asking the service layer at an https address
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Write the bound address for requests here, as `ip:port` and a newline, once routes are known
    #[arg(long, env = "ATTICA_LB_READY_FILE", value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
}

impl Args {
    /// The name of this load balancer, which serves at `http_port`.
    pub(super) fn name(&self, http_port: u16) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let host = nix::unistd::gethostname().ok().and_then(|host| host.into_string().ok()).unwrap_or_default();
        let allowed = |character: &char| character.is_ascii_alphanumeric() || ".-".contains(*character);
        let host: String = host.chars().filter(allowed).take(100).collect();
        format!("lb-{host}-{http_port}")
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    ConsumerName::parse(text).map(|name| name.to_string()).map_err(|error| error.to_string())
}

fn parse_url(text: &str) -> Result<String, String> {
    let uri: Option<http::Uri> = text.parse().ok();
    let is_base = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some()
            && uri.path() == "/"
            && uri.query().is_none()
    });
    if is_base {
        Ok(text.to_owned())
    } else {
        Err(format!("expected http://HOST:PORT or https://HOST:PORT, found `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_a_service_layer() {
        for right in
            ["http://127.0.0.1:8080", "http://paas.example.org", "http://[::1]:8080/", "https://127.0.0.1:8080"]
        {
            assert_eq!(parse_url(right).as_deref(), Ok(right));
        }
        for wrong in ["", "127.0.0.1:8080", "http://a/v2", "http://a/?x=1", "zk://a/b"] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
    }
}
