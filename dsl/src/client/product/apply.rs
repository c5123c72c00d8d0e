use std::collections::BTreeMap;

use attica_paas_api::error::{Details, Fault};
use clap::Args;
use http::Method;
use serde_json::Value;

use super::plan::Plan;
use crate::client::deployment::{Deploying, Ongoing};
use crate::client::failure::Failure;
use crate::client::options::GlobalOptions;
use crate::client::server::Request;
use crate::client::session::{Form, Session};
use crate::config::{Reading, lines_of};
use crate::load::Configuration;
use crate::product;
use crate::terminal::Line;

/// Deploys what a file describes.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The groups, apps and pods in `groups`, `apps` and `pods`, and every job that is a service of processes one after the other.
What a file does not name takes its default. All changes are one deployment, in the order of the dependencies.
Exit status: 0 done, 1 not done, 3 the file is wrong or the deployment failed.")]
pub struct Apply {
    #[command(flatten)]
    reading: Reading,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    deploying: Deploying,
    #[command(flatten)]
    pub(in crate::client) options: GlobalOptions,
}

/// Shows what deploying a file would change.
#[derive(Clone, Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    pub(in crate::client) options: GlobalOptions,
}

impl Diff {
    pub(in crate::client) async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let configuration = read(&self.reading)?;
        let plan = plan(session, &configuration).await?;
        match session.form {
            Form::Json => session.show_json(&plan.to_json()),
            Form::Text => show(session, &plan),
        }
    }
}

impl Apply {
    pub(in crate::client) async fn run(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        let configuration = read(&self.reading)?;
        let plan = plan(session, &configuration).await?;
        match session.form {
            Form::Json if plan.changes.is_empty() => return session.show_json(&plan.to_json()),
            Form::Json if !self.yes && !self.deploying.dry_run => {
                return Err(Failure::Usage("--json goes with --yes: nobody is asked".to_owned()));
            }
            Form::Json => {}
            Form::Text => show(session, &plan)?,
        }
        let unasked = self.yes || self.deploying.dry_run;
        if plan.changes.is_empty() || !(unasked || session.is_wanted("deploy this?")?) {
            session.remark("nothing was changed");
            return Ok(());
        }
        let path = format!("/v2/apps{}&partialUpdate=false", self.deploying.query());
        let request = Request::new(Method::PUT, path).with_document(&plan.document());
        let ongoing = Ongoing::begin(session, self.deploying.patience()).await?;
        let answer = session.server.call(&request).await;
        let answer = answer.map_err(|failure| located(failure, &plan, &configuration))?;
        ongoing.conclude(session, &answer, &format!("{} being deployed", plan.subject())).await
    }
}

/// Reads the file; what is wrong with it is the failure.
fn read(reading: &Reading) -> Result<Configuration, Failure> {
    let configuration =
        reading.load().map_err(|error| Failure::Configuration(vec![Line::plain(format!("error: {error}"))]))?;
    if configuration.has_errors() {
        let lines = lines_of(&configuration.sources, configuration.all_diagnostics());
        return Err(Failure::Configuration(lines));
    }
    Ok(configuration)
}

/// Compares the file with what runs.
async fn plan(session: &mut Session<'_>, configuration: &Configuration) -> Result<Plan, Failure> {
    let told = |diagnostics: &[_]| lines_of(&configuration.sources, configuration.all_diagnostics().chain(diagnostics));
    let (services, warnings) =
        product::services(configuration).map_err(|diagnostics| Failure::Configuration(told(&diagnostics)))?;
    for line in told(&warnings) {
        session.remark(line);
    }
    if services.is_empty() {
        return Err(Failure::failed("the file has nothing to deploy"));
    }
    let running: Value = session.server.get("/v2/apps").await?;
    let running = running["apps"].as_array().map(Vec::as_slice).unwrap_or_default();
    let groups: Vec<String> = configuration.products.iter().filter_map(|product| product.group.clone()).collect();
    Ok(Plan::of(services, &groups, running))
}

fn show(session: &mut Session<'_>, plan: &Plan) -> Result<(), Failure> {
    session.screen.out.lines(&plan.lines())?;
    Ok(session.screen.out.flush()?)
}

/// The server names places in the document: the same failure with the places in the file.
fn located(failure: Failure, plan: &Plan, configuration: &Configuration) -> Failure {
    let Failure::Refused { request, status, body: Some(mut body), hint } = failure else { return failure };
    if let Some(Details::Faults(faults)) = &mut body.details {
        let mut placed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Fault { path, errors } in faults.iter() {
            placed.entry(place(path, plan, configuration)).or_default().extend(errors.iter().cloned());
        }
        *faults = placed.into_iter().map(|(path, errors)| Fault { path, errors }).collect();
    }
    Failure::Refused { request, status, body: Some(body), hint }
}

/// `/(0)/healthChecks(1)/path` as `shop.aurora:12:8 /shop/web healthChecks(1)/path`. What is wrong with a definition as a whole comes
/// without its index: then it can only be told where there is one.
fn place(path: &str, plan: &Plan, configuration: &Configuration) -> String {
    let element = path.strip_prefix("/(").and_then(|rest| rest.split_once(')'));
    let found = match (element, plan.changes.as_slice()) {
        (Some((index, rest)), changes) => index.parse().ok().and_then(|index: usize| Some((changes.get(index)?, rest))),
        (None, [only]) => Some((only, path)),
        (None, _) => None,
    };
    let Some((change, rest)) = found else { return path.to_owned() };
    let field = rest.trim_start_matches('/');
    let Some(span) = change.service.place(rest) else { return format!("{} {field}", change.service.id) };
    let file = configuration.sources.file(span.file);
    let position = file.position(span.start);
    format!("{}:{}:{} {} {field}", file.name, position.line, position.column, change.service.id).trim_end().to_owned()
}
