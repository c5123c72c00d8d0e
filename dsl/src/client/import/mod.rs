//! `attica import marathon URL`: takes over what a live Marathon runs, read through its REST API and written through ours.
//!
//! Everything is read before anything is written: [`source`] asks the other cluster, [`tree`] puts its groups beside those that are
//! here, and the server's own dry run says what would change and what it refuses ([`plan`]). What is not in the other cluster stays as
//! it is. Groups and apps are written in one deployment, guarded by the state that was looked at; pods one by one.

mod plan;
mod source;
mod tree;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::header::IF_MATCH;
use http::{Method, StatusCode};
use serde_json::json;

use super::deployment::{Ongoing, Waiting};
use super::failure::Failure;
use super::ids::GroupId;
use super::server::{Answer, Request};
use super::session::{Form, Session};
use plan::{Plan, Start};
use source::Source;

/// What can be taken over.
#[derive(Clone, Debug, Subcommand)]
pub enum ImportCommand {
    /// Groups, apps and pods of a live Marathon, 1.4 to 1.11, or of another Attica
    Marathon(Marathon),
}

impl ImportCommand {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        match self {
            Self::Marathon(marathon) => marathon.run(session).await,
        }
    }
}

/// Takes over what a Marathon runs.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
  attica import marathon http://marathon.example.org:8080 --dry-run
  attica import marathon http://marathon.example.org:8080 --only /shop --scale-to-zero
The other cluster is only read. Repeated, it changes what has changed there since, and nothing else.")]
pub struct Marathon {
    /// Where it answers: http://HOST:PORT, or https://HOST/service/marathon
    #[arg(value_name = "URL")]
    url: String,
    /// Change nothing, and show what would be changed
    #[arg(long, conflicts_with_all = ["yes", "wait", "no_wait"])]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Only this group, or this app or pod, and what lies in it; may be repeated
    #[arg(long, value_name = "PATH")]
    only: Vec<GroupId>,
    /// Start nothing: what is new here gets no instances, and what is here keeps their number
    #[arg(long)]
    scale_to_zero: bool,
    /// Take over the rest when some of it is refused
    #[arg(long)]
    without_refused: bool,
    /// A file that holds NAME:PASSWORD, for a Marathon that asks
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    user_file: Option<PathBuf>,
    /// A file that holds a token of DC/OS
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates, in PEM, of who vouches for an https URL
    #[arg(long, value_name = "FILE")]
    source_ca_file: Option<PathBuf>,
    #[command(flatten)]
    waiting: Waiting,
}

/// What was written, and what is known of its deployment.
struct Written {
    ongoing: Ongoing,
    answer: Answer,
    said: String,
}

impl Marathon {
    async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let source =
            Source::new(&self.url, self.source_ca_file.clone(), self.user_file.as_deref(), self.token_file.as_deref())?;
        let mut cluster = source.read().await?;
        if let Some(path) = self.only.iter().find(|path| !cluster.holds(path.as_str())) {
            return Err(Failure::failed(format!("{} has no {path}", self.url)));
        }
        if !self.only.is_empty() {
            cluster.keep(&self.only.iter().map(GroupId::as_str).collect::<Vec<_>>());
        }
        let start = if self.scale_to_zero { Start::Nothing } else { Start::AsThere };
        let plan = Plan::make(&session.server, cluster, start).await?;
        match session.form {
            Form::Json if self.dry_run || plan.changes_nothing() => return session.show_json(&plan.to_json()),
            Form::Json if !self.yes => {
                return Err(Failure::Usage("--json goes with --yes: nobody is asked".to_owned()));
            }
            Form::Json => {}
            Form::Text => {
                session.screen.out.lines(&plan.lines())?;
                session.screen.out.flush()?;
            }
        }
        if self.dry_run {
            return Ok(());
        }
        if !plan.refused.is_empty() && !self.without_refused {
            let message = format!("{} of it cannot be taken over; nothing was changed", plan.refused.len());
            return Err(Failure::Failed { message, hint: Some("the rest alone: --without-refused".to_owned()) });
        }
        if plan.changes_nothing() || !(self.yes || session.is_wanted("import this?")?) {
            session.remark("nothing was changed");
            return Ok(());
        }
        for written in self.write(session, &plan).await? {
            written.ongoing.conclude(session, &written.answer, &written.said).await?;
        }
        Ok(())
    }

    async fn write(&self, session: &mut Session<'_>, plan: &Plan) -> Result<Vec<Written>, Failure> {
        let mut written = Vec::new();
        if plan.changes_groups() {
            let mut request = Request::new(Method::PUT, "/v2/groups?force=false").with_document(&plan.document);
            if let Some(tag) = &plan.looked_at {
                request = request.with_header(IF_MATCH, tag.clone());
            }
            let ongoing = Ongoing::begin(session, self.waiting.patience()).await?;
            let answer = session.server.call(&request).await.map_err(|failure| plan.located(overtaken(failure)))?;
            written.push(Written { ongoing, answer, said: "groups and apps are being imported".to_owned() });
        }
        for (group, enforced) in plan.enforcements() {
            let path = group.parse::<GroupId>().map_or_else(|never| match never {}, |group| group.path(""));
            let request = Request::new(Method::PATCH, path).with_document(&json!({"enforceRole": enforced}));
            session.server.call(&request).await?;
        }
        for pod in plan.pods.iter().filter(|pod| pod.change.is_some()) {
            let request = Request::new(Method::PUT, pod.path("?force=false")).with_document(&pod.document);
            let ongoing = Ongoing::begin(session, self.waiting.patience()).await?;
            let answer = session.server.call(&request).await?;
            written.push(Written { ongoing, answer, said: format!("{} is being imported", pod.id) });
        }
        Ok(written)
    }
}

/// Somebody wrote between the look and the write.
fn overtaken(failure: Failure) -> Failure {
    match failure {
        Failure::Refused { request, status: status @ StatusCode::PRECONDITION_FAILED, body, hint: None } => {
            let hint = Some("something was changed here meanwhile; the same command looks again".to_owned());
            Failure::Refused { request, status, body, hint }
        }
        failure => failure,
    }
}
