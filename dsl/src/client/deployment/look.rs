//! Looking, from time to time, how far a deployment is.

use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use attica_paas_api::app::{AppInfo, AppWrapper};
use attica_paas_api::deployment::Deployment;
use attica_paas_api::queue::Queue;
use http::StatusCode;
use tokio::time::Instant;

use super::list;
use super::progress::{APPS_MAX, Progress};
use crate::client::failure::Failure;
use crate::client::ids::AppId;
use crate::client::server::Server;

/// After something has happened.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// What waits for time, or for what other apps do, changes without an event.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// A pause is so many times as long as looking takes, at least.
const PAUSE_SHARE: u32 = 5;

/// Looks at once, again soon when something has happened, and every two seconds.
pub(super) struct Lookout {
    server: Rc<Server>,
    id: String,
    /// The earliest time at which it is looked again after something has happened.
    soon: Instant,
    state: State,
}

enum State {
    Pausing { until: Instant },
    Looking { begun: Instant, look: Look, next: Next },
}

/// How long the pause after a look is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Something has happened during the look, which may not have seen it.
    Soon,
    Later,
}

/// None: the deployment is not running.
type Look = Pin<Box<dyn Future<Output = Result<Option<Progress>, Failure>>>>;

impl Lookout {
    pub(super) fn new(server: &Rc<Server>, id: &str) -> Self {
        let now = Instant::now();
        Self { server: Rc::clone(server), id: id.to_owned(), soon: now, state: State::Pausing { until: now } }
    }

    /// Something has happened.
    pub(super) fn alert(&mut self) {
        match &mut self.state {
            State::Pausing { until } => *until = self.soon.min(*until),
            State::Looking { next, .. } => *next = Next::Soon,
        }
    }

    /// What is seen next; none when the deployment is not running. Whoever waits may stop waiting and come back.
    pub(super) async fn next(&mut self) -> Result<Option<Progress>, Failure> {
        loop {
            match &mut self.state {
                State::Pausing { until } => {
                    tokio::time::sleep_until(*until).await;
                    let look = Box::pin(look(Rc::clone(&self.server), self.id.clone()));
                    self.state = State::Looking { begun: Instant::now(), look, next: Next::Later };
                }
                State::Looking { begun, look, next } => {
                    let seen = look.await;
                    let now = Instant::now();
                    let pause = begun.elapsed() * PAUSE_SHARE;
                    self.soon = now + PAUSE_MIN.max(pause);
                    let until = match next {
                        Next::Soon => self.soon,
                        Next::Later => now + PAUSE_MAX.max(pause),
                    };
                    self.state = State::Pausing { until };
                    return seen;
                }
            }
        }
    }
}

async fn look(server: Rc<Server>, id: String) -> Result<Option<Progress>, Failure> {
    let running: Vec<Deployment> = server.get(list::PATH).await?;
    let Some(deployment) = running.into_iter().find(|deployment| deployment.id == id) else { return Ok(None) };
    let mut seen: Vec<(String, Option<AppInfo>)> = Vec::new();
    for current in deployment.current_actions.iter().take(APPS_MAX) {
        let Some(Ok(app)) = current.app.as_deref().map(str::parse::<AppId>) else { continue };
        let info = match server.get::<AppWrapper>(&app.path("")).await {
            Ok(AppWrapper { app }) => Some(app),
            // It is being removed.
            Err(Failure::Refused { status: StatusCode::NOT_FOUND, .. }) => None,
            Err(failure) => return Err(failure),
        };
        seen.push((current.subject().to_owned(), info));
    }
    let Queue { queue } = server.get("/v2/queue").await?;
    Ok(Some(Progress::new(&deployment, &seen, &queue)))
}
