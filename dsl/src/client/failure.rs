//! Why a command did not do what it was asked for, in words that help, and the exit status that scripts see.

use std::io;
use std::path::PathBuf;

use attica_paas_api::ErrorBody;
use attica_paas_api::error::Details;
use http::StatusCode;

use super::config::Origin;
use crate::terminal::{Line, Tone};

/// What ended a command early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command does not make sense.
    #[error("{0}")]
    Usage(String),
    /// What was asked for is not there, or is not possible; with what to do about it.
    #[error("{message}")]
    Failed { message: String, hint: Option<String> },
    /// None of the addresses takes connections.
    #[error("cannot reach {}", tried.iter().map(|(address, cause)| format!("{address}: {cause}")).collect::<Vec<_>>().join("\n  nor "))]
    Unreachable { tried: Vec<(String, String)>, origin: Origin, file: Option<PathBuf> },
    /// A connection broke or went silent.
    #[error("{address} does not answer {request}: {cause}")]
    NoAnswer { address: String, request: String, cause: String, hint: Option<String> },
    /// The server said no.
    #[error("{request}: the server answers {status}")]
    Refused { request: String, status: StatusCode, body: Option<Box<ErrorBody>>, hint: Option<String> },
    /// The server said something that this program does not know.
    #[error("{request}: the answer cannot be read")]
    Unreadable {
        request: String,
        #[source]
        source: serde_json::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The deployment that was waited for did not do what it was to do.
    #[error("deployment {id} failed: {reason}")]
    DeploymentFailed { id: String, reason: String },
    /// A configuration cannot be deployed: what is wrong with it, line by line.
    #[error("the configuration cannot be deployed")]
    Configuration(Vec<Line>),
    /// The program that was run ended with this exit status; it has said itself why.
    #[error("it ended with exit status {0}")]
    Ended(u8),
    /// The user pressed Ctrl-C; what is to be known then has been said.
    #[error("interrupted")]
    Interrupted,
    /// An output stream cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// The exit status: 1 failed, 2 usage, 3 a deployment failed or the configuration is wrong, 130 interrupted, or that of the program that was run. A reader that has seen enough is no failure.
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::DeploymentFailed { .. } => 3,
            Failure::Configuration(_) => crate::config::INVALID,
            Failure::Interrupted => 130,
            Failure::Ended(status) => *status,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Failure::Failed { .. }
            | Failure::Unreachable { .. }
            | Failure::NoAnswer { .. }
            | Failure::Refused { .. }
            | Failure::Unreadable { .. }
            | Failure::File { .. }
            | Failure::Output(_) => 1,
        }
    }

    /// What is said about it: nothing where the user knows.
    pub(super) fn lines(&self) -> Vec<Line> {
        let (headline, faults) = match self {
            Failure::Interrupted | Failure::Ended(_) => return Vec::new(),
            Failure::Configuration(lines) => return lines.clone(),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Vec::new(),
            Failure::Refused { body: Some(body), status, .. } => (refusal(*status, body), faults(body)),
            Failure::Unreadable { source, .. } => (self.to_string(), vec![Line::plain(format!("  {source}"))]),
            Failure::File { source, .. } | Failure::Output(source) => {
                (format!("{self}: {}", in_words(source)), Vec::new())
            }
            Failure::Usage(_)
            | Failure::Failed { .. }
            | Failure::Unreachable { .. }
            | Failure::NoAnswer { .. }
            | Failure::Refused { body: None, .. }
            | Failure::DeploymentFailed { .. } => (self.to_string(), Vec::new()),
        };
        let mut headline = headline.lines();
        let first =
            Line::toned(Tone::Bad, "error").then(Tone::Plain, format!(": {}", headline.next().unwrap_or_default()));
        let rest = headline.map(Line::plain);
        let hint = self.hint().unwrap_or_default();
        let hint = hint.lines().enumerate().map(|(index, text)| match index {
            0 => Line::toned(Tone::Strong, "hint").then(Tone::Plain, format!(": {text}")),
            _ => Line::plain(format!("      {text}")),
        });
        std::iter::once(first).chain(rest).chain(faults).chain(hint).collect()
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        match self {
            Failure::Failed { hint, .. } | Failure::NoAnswer { hint, .. } => hint.clone(),
            Failure::Refused { hint: Some(hint), .. } => Some(hint.clone()),
            Failure::Refused { status: StatusCode::UNAUTHORIZED, .. } => Some(
                "a token proves who you are: ATTICA_TOKEN=TOKEN, or --token-file FILE\nattica user token NAME makes one"
                    .to_owned(),
            ),
            Failure::Refused { body: Some(body), .. } => blocked(body),
            Failure::Unreachable { origin, file, .. } => {
                let file = file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
                Some(match origin {
                    Origin::Source => "that is the cluster to import from".to_owned(),
                    Origin::Option => "that address comes from --addr".to_owned(),
                    Origin::Variable => "that address comes from ATTICA_ADDR".to_owned(),
                    Origin::Cluster(name) => format!("that address comes from [cluster.{name}] in {file}"),
                    Origin::File => format!("that address comes from addr in {file}"),
                    Origin::Default => format!(
                        "attica up starts a cluster on this machine\nthe address of another one: --addr URL, \
                         ATTICA_ADDR=URL, or addr = \"URL\" in {file}"
                    ),
                })
            }
            Failure::Unreadable { .. } => {
                Some("is this the address of a service layer, and of the same version as this program?".to_owned())
            }
            // The server's sentence about a deployment that another one took the place of.
            Failure::DeploymentFailed { reason, .. } => {
                let by = reason.strip_prefix("Replaced by deployment ")?;
                Some(format!("attica deployment watch {by}"))
            }
            Failure::Usage(_)
            | Failure::Refused { .. }
            | Failure::File { .. }
            | Failure::Configuration(_)
            | Failure::Ended(_)
            | Failure::Interrupted
            | Failure::Output(_) => None,
        }
    }
}

/// Without the operating system's number for it.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_lowercase()
}

fn refusal(status: StatusCode, body: &ErrorBody) -> String {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            format!("the server does not accept this ({}): {}", status.as_u16(), body.message)
        }
        _ => format!("{} ({})", body.message, status.as_u16()),
    }
}

/// What is wrong, by place.
fn faults(body: &ErrorBody) -> Vec<Line> {
    match &body.details {
        None => Vec::new(),
        Some(Details::Text(text)) => text.lines().map(|line| Line::plain(format!("  {line}"))).collect(),
        Some(Details::Faults(faults)) => {
            let width = faults.iter().map(|fault| Line::plain(&fault.path).width()).max().unwrap_or(0);
            let fault =
                faults.iter().flat_map(|fault| fault.errors.iter().map(|error| (Line::plain(&fault.path), error)));
            fault
                .map(|(path, error)| {
                    let padding = " ".repeat(width - path.width() + 2);
                    let error = if error == "error.path.missing" { "is missing" } else { error.as_str() };
                    Line::plain("  ").and(path).then(Tone::Plain, padding).then(Tone::Plain, error)
                })
                .collect()
        }
    }
}

/// What to do about deployments in the way.
fn blocked(body: &ErrorBody) -> Option<String> {
    let ids: Vec<&str> = body.deployments.iter().flatten().map(|deployment| deployment.id.as_str()).collect();
    let first = ids.first()?;
    Some(format!(
        "in the way: {}\nwait for it:   attica deployment watch {first}\nsupersede it:  the same command with --force",
        ids.join(", ")
    ))
}
