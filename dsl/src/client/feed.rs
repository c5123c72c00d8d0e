//! `attica events`

use clap::Args;
use serde_json::Value;

use super::events::{Continuity, EventId, EventStream, Frame, Step};
use super::failure::Failure;
use super::options::GlobalOptions;
use super::session::{Form, Session};
use crate::terminal::{Line, Tone};

/// Shows what happens as it happens.
#[derive(Clone, Debug, Args)]
pub struct EventsCommand {
    #[command(flatten)]
    pub(super) options: GlobalOptions,
    #[command(flatten)]
    pub(super) feed: Feed,
}

/// Which events are shown.
#[derive(Clone, Debug, Args)]
pub(super) struct Feed {
    /// Only events of this type; may be repeated
    #[arg(long = "type", short, value_name = "TYPE")]
    types: Vec<String>,
    /// Begin after this event, instead of now
    #[arg(long, value_name = "ID")]
    after: Option<u64>,
}

impl Feed {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let mut stream = EventStream::open(&session.server, &types, self.after.map(EventId)).await?;
        loop {
            match stream.next().await? {
                Step::Event(frame) => match session.form {
                    Form::Json => session.show_json_line(&frame.data)?,
                    Form::Text => session.say(line(&frame))?,
                },
                Step::Lost { cause } => {
                    session.screen.remark(&Line::plain(format!("the stream broke ({cause}); resuming")))
                }
                Step::Resumed(Continuity::Whole) => session.screen.remark(&"resumed; nothing was missed".into()),
                Step::Resumed(Continuity::Broken) => session.screen.remark(&"resumed; events may be missing".into()),
            }
        }
    }
}

/// What an event is about, then what it says, then the rest that is short.
const FIELDS: [&str; 18] = [
    "appId",
    "runSpecId",
    "groupId",
    "taskStatus",
    "condition",
    "alive",
    "healthy",
    "id",
    "instanceId",
    "taskId",
    "host",
    "message",
    "reason",
    "uri",
    "clientIp",
    "remoteAddress",
    "frameworkId",
    "master",
];

/// `12:03:11  status_update_event  /web  TASK_RUNNING …`
pub(super) fn line(frame: &Frame) -> Line {
    const TYPE_WIDTH: usize = 29;
    let data: Value = serde_json::from_str(&frame.data).unwrap_or_default();
    let timestamp = data["timestamp"].as_str().unwrap_or_default();
    let time = timestamp.get(11..23).unwrap_or(timestamp);
    let mut line = Line::toned(Tone::Faint, format!("{time}  "))
        .then(tone(&frame.event_type), format!("{:<TYPE_WIDTH$}", frame.event_type));
    for field in FIELDS {
        let shown = match &data[field] {
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => text.clone(),
            Value::Bool(flag) => format!("{field}={flag}"),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => continue,
        };
        line = line.then(Tone::Plain, format!("  {shown}"));
    }
    if let (Some(id), None) = (data["plan"]["id"].as_str(), data["id"].as_str()) {
        line = line.then(Tone::Plain, format!("  {id}"));
    }
    let actions = data["currentStep"]["actions"].as_array().into_iter().flatten();
    let with_action = |line: Line, action: &Value| {
        let words = ["action", "app"].map(|name| action[name].as_str().unwrap_or_default());
        line.then(Tone::Plain, format!("  {}", words.join(" ")))
    };
    actions.fold(line, with_action).trimmed()
}

fn tone(event_type: &str) -> Tone {
    match event_type {
        "deployment_success" | "deployment_step_success" | "group_change_success" => Tone::Good,
        "deployment_failed" | "group_change_failed" | "failed_health_check_event" | "unhealthy_instance_kill_event" => {
            Tone::Bad
        }
        "event_stream_reset" => Tone::Warning,
        _ => Tone::Strong,
    }
}
