use std::time::{Duration, SystemTime};

use attica_paas_api::app::{AppInfo, AppWrapper};
use attica_paas_api::deployment::{Deployment, DeploymentResult};
use attica_paas_api::queue::Queue;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::Value;
use tokio::time::Instant;

use super::progress::{APPS_MAX, Progress};
use super::{Patience, list};
use crate::client::age::short;
use crate::client::completion::deployment_ids;
use crate::client::events::{Continuity, EventStream, Frame, Step};
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::{Answer, Request, Server};
use crate::client::session::{Form, Session};
use crate::client::terminal::{Line, Reader, Tone};

/// What tells that a deployment has ended, and what makes it worth looking how far it is.
const EVENT_TYPES: [&str; 8] = [
    "deployment_info",
    "deployment_step_success",
    "deployment_success",
    "deployment_failed",
    "instance_changed_event",
    "instance_health_changed_event",
    "status_update_event",
    "event_stream_reset",
];
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(200);
/// What waits for time, or for what other apps do, changes without an event.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(2);
/// Looking may take this part of the time.
const LOOK_SHARE: u32 = 5;

/// Watches a running deployment.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// The deployment, or the beginning of its id; none: the only one that is running
    #[arg(value_name = "DEPLOYMENT", add = ArgValueCompleter::new(deployment_ids))]
    id: Option<String>,
}

impl Watch {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let ongoing = Ongoing::begin(session, Patience::Wait).await?;
        let deployment = list::find(&session.server, self.id.as_deref()).await?;
        ongoing.follow(session, deployment.id).await
    }
}

/// A deployment that is about to begin. It is followed from before its beginning, so that its end is never missed.
pub(in crate::client) struct Ongoing {
    stream: Option<EventStream>,
}

impl Ongoing {
    /// To be called before the write that begins the deployment.
    pub(in crate::client) async fn begin(session: &Session<'_>, patience: Patience) -> Result<Self, Failure> {
        let stream = match patience {
            Patience::Leave => None,
            Patience::Wait => {
                let position = session.server.call(&Request::get(list::PATH)).await?.position;
                Some(EventStream::open(&session.server, &EVENT_TYPES, position).await?)
            }
        };
        Ok(Self { stream })
    }

    /// Says what was begun, and waits for its end if that is wanted.
    ///
    /// # Errors
    /// [`Failure::DeploymentFailed`], [`Failure::Interrupted`], and what keeps it from being known how the deployment ended.
    pub(in crate::client) async fn conclude(
        self,
        session: &mut Session<'_>,
        answer: &Answer,
        said: &str,
    ) -> Result<(), Failure> {
        let id = match &answer.deployment {
            Some(id) => id.clone(),
            None => answer.read::<DeploymentResult>()?.deployment_id,
        };
        match (session.form, &self.stream) {
            (Form::Text, _) => session.say(format!("{said}: deployment {id}"))?,
            (Form::Json, None) => session.show_document(answer)?,
            (Form::Json, Some(_)) => session.show_json_line(&answer.read::<Value>()?.to_string())?,
        }
        match self.stream {
            Some(_) => self.follow(session, id).await,
            None => {
                session.remark(format!("watch it: attica deployment watch {id}"));
                Ok(())
            }
        }
    }

    async fn follow(self, session: &mut Session<'_>, id: String) -> Result<(), Failure> {
        match self.stream {
            Some(stream) => Follower::new(id, session.now()).run(session, stream).await,
            None => Ok(()),
        }
    }
}

/// What is known of a deployment that is waited for.
struct Follower {
    id: String,
    began: SystemTime,
    progress: Option<Progress>,
    contact: Contact,
    /// Whether every event since the beginning was seen; if not, the end may be among the missing ones.
    seen: Continuity,
    /// What stands above the cursor of the terminal.
    drawn: Vec<Line>,
    /// What a log was told last.
    told: Vec<String>,
}

/// Whether events arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    Good,
    Lost,
}

/// How a deployment ended.
enum Ending {
    Done,
    Failed { reason: String },
}

impl Follower {
    fn new(id: String, began: SystemTime) -> Self {
        Self {
            id,
            began,
            progress: None,
            contact: Contact::Good,
            seen: Continuity::Whole,
            drawn: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn run(mut self, session: &mut Session<'_>, mut stream: EventStream) -> Result<(), Failure> {
        let mut look_at = Instant::now();
        let mut looked_at = look_at;
        loop {
            let tick = Instant::now() + Duration::from_secs(1);
            let step = tokio::select! {
                () = &mut session.interrupt => return Err(self.interrupted(session)),
                step = stream.next() => Some(step?),
                () = tokio::time::sleep_until(look_at) => {
                    let begun = Instant::now();
                    self.look(session).await?;
                    looked_at = Instant::now();
                    look_at = looked_at + LOOK_AGAIN_MAX.max(begun.elapsed() * LOOK_SHARE);
                    None
                }
                () = tokio::time::sleep_until(tick) => None,
            };
            if let Some(step) = step {
                if let Some(ending) = self.take(session, step)? {
                    return self.end(session, ending);
                }
                look_at = look_at.min(looked_at + LOOK_AGAIN_MIN);
            }
            self.draw(session)?;
        }
    }

    /// What a step of the stream means.
    fn take(&mut self, session: &mut Session<'_>, step: Step) -> Result<Option<Ending>, Failure> {
        match step {
            Step::Event(frame) if frame.event_type == "event_stream_reset" => self.seen = Continuity::Broken,
            Step::Event(frame) => return self.event(session, &frame),
            Step::Lost { .. } => self.contact = Contact::Lost,
            Step::Resumed(continuity) => {
                self.contact = Contact::Good;
                if continuity == Continuity::Broken {
                    self.seen = Continuity::Broken;
                }
            }
        }
        Ok(None)
    }

    fn event(&self, session: &mut Session<'_>, frame: &Frame) -> Result<Option<Ending>, Failure> {
        let data: Value = serde_json::from_str(&frame.data).unwrap_or_default();
        if data["plan"]["id"] != self.id.as_str() {
            return Ok(None);
        }
        if session.form == Form::Json {
            session.show_json_line(&frame.data)?;
        }
        Ok(match frame.event_type.as_str() {
            "deployment_success" => Some(Ending::Done),
            "deployment_failed" => {
                Some(Ending::Failed { reason: data["reason"].as_str().unwrap_or("no reason is given").to_owned() })
            }
            _ => None,
        })
    }

    /// Looks how far it is. A cluster that does not answer now will answer later.
    async fn look(&mut self, session: &Session<'_>) -> Result<(), Failure> {
        match read(&session.server, &self.id).await {
            Ok(Some(progress)) => self.progress = Some(progress),
            Ok(None) if self.seen == Continuity::Broken => return Err(self.ended_unseen()),
            Ok(None) | Err(Failure::Unreachable { .. } | Failure::NoAnswer { .. }) => {}
            Err(Failure::Refused { status, .. }) if status.is_server_error() => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    fn draw(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        if session.form == Form::Json {
            return Ok(());
        }
        match session.screen.err.reader() {
            Reader::Terminal { columns } => {
                let lines: Vec<Line> =
                    self.lines(session.now()).into_iter().map(|line| line.cut(columns - 1)).collect();
                if lines != self.drawn {
                    session.screen.err.redraw(self.drawn.len(), &lines)?;
                    self.drawn = lines;
                }
            }
            Reader::Program | Reader::Printer { .. } => {
                let sentences = self.sentences();
                for sentence in sentences.iter().filter(|sentence| !self.told.contains(sentence)) {
                    session.remark(sentence.as_str());
                }
                self.told = sentences;
            }
        }
        Ok(())
    }

    fn sentences(&self) -> Vec<String> {
        let lost = (self.contact == Contact::Lost).then(|| LOST.to_owned());
        let progress = self.progress.iter().flat_map(|progress| {
            std::iter::once(format!("deployment {}: {}", self.id, progress.step())).chain(progress.sentences())
        });
        progress.chain(lost).collect()
    }

    fn lines(&self, now: SystemTime) -> Vec<Line> {
        let elapsed = short(now.duration_since(self.began).unwrap_or_default());
        let step = self.progress.as_ref().map(|progress| format!(", {}", progress.step())).unwrap_or_default();
        let mut lines = vec![Line::plain(format!("deployment {}{step}, {elapsed}", self.id))];
        lines.extend(self.progress.iter().flat_map(Progress::bars));
        if self.contact == Contact::Lost {
            lines.push(Line::toned(Tone::Warning, LOST));
        }
        lines
    }

    fn end(self, session: &mut Session<'_>, ending: Ending) -> Result<(), Failure> {
        let elapsed = short(session.now().duration_since(self.began).unwrap_or_default());
        match ending {
            // What was drawn stays: it shows how far it came.
            Ending::Failed { reason } => Err(Failure::DeploymentFailed { id: self.id, reason }),
            Ending::Done => {
                if let (Form::Text, Reader::Terminal { .. }) = (session.form, session.screen.err.reader()) {
                    session.screen.err.redraw(self.drawn.len(), &[])?;
                }
                let deployment = format!(": deployment {}, after {elapsed}", self.id);
                session.remark(Line::toned(Tone::Good, "done").then(Tone::Plain, deployment));
                Ok(())
            }
        }
    }

    fn ended_unseen(&self) -> Failure {
        Failure::Failed {
            message: format!("deployment {} has ended; how is not known, since events were missed", self.id),
            hint: Some("attica app show tells how an app is doing".to_owned()),
        }
    }

    /// Says what goes on without this command.
    fn interrupted(&self, session: &mut Session<'_>) -> Failure {
        let id = &self.id;
        session.remark("the deployment goes on");
        session.remark(format!("  watch it:     attica deployment watch {id}"));
        session.remark(format!("  roll it back: attica deployment rollback {id}"));
        Failure::Interrupted
    }
}

const LOST: &str = "the connection is lost; waiting until the cluster answers again";

/// How far a deployment is; none when it is not running.
async fn read(server: &Server, id: &str) -> Result<Option<Progress>, Failure> {
    let running: Vec<Deployment> = server.get(list::PATH).await?;
    let Some(deployment) = running.into_iter().find(|deployment| deployment.id == id) else { return Ok(None) };
    let mut seen: Vec<(String, Option<AppInfo>)> = Vec::new();
    for current in deployment.current_actions.iter().take(APPS_MAX) {
        let Ok(app) = current.app.parse::<AppId>() else { continue };
        let info = match server.get::<AppWrapper>(&app.path("")).await {
            Ok(AppWrapper { app }) => Some(app),
            // It is being removed.
            Err(Failure::Refused { status: http::StatusCode::NOT_FOUND, .. }) => None,
            Err(failure) => return Err(failure),
        };
        seen.push((current.app.clone(), info));
    }
    let Queue { queue } = server.get("/v2/queue").await?;
    Ok(Some(Progress::new(&deployment, &seen, &queue)))
}
