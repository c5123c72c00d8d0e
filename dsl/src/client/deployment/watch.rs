use std::time::{Duration, SystemTime};

use attica_paas_api::deployment::DeploymentResult;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use serde_json::Value;

use super::look::Lookout;
use super::progress::Progress;
use super::{Patience, list};
use crate::client::age::short;
use crate::client::completion::deployment_ids;
use crate::client::events::{Continuity, EventStream, Frame, Step};
use crate::client::failure::Failure;
use crate::client::forecast;
use crate::client::server::{Answer, Request};
use crate::client::session::{Form, Session};
use crate::terminal::{Line, Reader, Tone};

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

/// How often the time is shown.
const CLOCK_INTERVAL: Duration = Duration::from_secs(1);

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
    foreseen: bool,
}

impl Ongoing {
    /// To be called before the write that begins the deployment.
    pub(in crate::client) async fn begin(session: &Session<'_>, patience: Patience) -> Result<Self, Failure> {
        let stream = match patience {
            Patience::Leave | Patience::Foresee => None,
            Patience::Wait => {
                let position = session.server.call(&Request::get(list::PATH)).await?.position;
                Some(EventStream::open(&session.server, &EVENT_TYPES, position).await?)
            }
        };
        Ok(Self { stream, foreseen: patience == Patience::Foresee })
    }

    /// Says what was begun, and waits for its end if that is wanted; of a dry run it says what would follow.
    ///
    /// # Errors
    /// [`Failure::DeploymentFailed`], [`Failure::Interrupted`], and what keeps it from being known how the deployment ended.
    pub(in crate::client) async fn conclude(
        self,
        session: &mut Session<'_>,
        answer: &Answer,
        said: &str,
    ) -> Result<(), Failure> {
        if self.foreseen {
            return match session.form {
                Form::Json => session.show_document(answer),
                Form::Text => forecast::show(session, &answer.read()?),
            };
        }
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
    /// Whether every event since the beginning has come; if not, the end may be among the missing ones.
    history: Continuity,
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
            history: Continuity::Whole,
            drawn: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn run(mut self, session: &mut Session<'_>, mut stream: EventStream) -> Result<(), Failure> {
        let mut lookout = Lookout::new(&session.server, &self.id);
        loop {
            tokio::select! {
                () = &mut session.interrupt => return Err(self.interrupted(session)),
                step = stream.next() => match self.take(session, step?)? {
                    Some(ending) => return self.end(session, ending),
                    None => lookout.alert(),
                },
                seen = lookout.next() => self.see(seen)?,
                () = tokio::time::sleep(CLOCK_INTERVAL) => {}
            }
            self.draw(session)?;
        }
    }

    /// What a step of the stream means.
    fn take(&mut self, session: &mut Session<'_>, step: Step) -> Result<Option<Ending>, Failure> {
        match step {
            Step::Event(frame) if frame.event_type == "event_stream_reset" => self.history = Continuity::Broken,
            Step::Event(frame) => return self.event(session, &frame),
            Step::Lost { .. } => self.contact = Contact::Lost,
            Step::Resumed(continuity) => {
                self.contact = Contact::Good;
                if continuity == Continuity::Broken {
                    self.history = Continuity::Broken;
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

    /// How far it is. A cluster that does not answer now will answer later.
    fn see(&mut self, seen: Result<Option<Progress>, Failure>) -> Result<(), Failure> {
        match seen {
            Ok(Some(progress)) => self.progress = Some(progress),
            Ok(None) if self.history == Continuity::Broken => return Err(self.ended_unseen()),
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
