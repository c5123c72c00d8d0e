//! `/v2/backup`, and what of it can be asked for along with `DELETE /v2/leader`: the leader steps down, and before that writes a
//! backup or restores one, if it is asked to. What goes wrong with that is the answer, and the leader stays.

use std::path::{Path, PathBuf};

use attica_core_api::http::read_body;
use attica_core_api::secrets::Purpose;
use attica_paas_api::error::Message;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Request, StatusCode, header};

use super::service::{Leading, Service, WriteOutcome};
use super::writes::{self, Asked, deployment_result, unexpected};
use super::{answer, refusal};
use crate::backup::Backup;
use crate::backup::file::{self, FileError};
use crate::backup::place::place;
use crate::engine::{GroupDefinition, Others, Reply, Write};
use crate::events::EventId;
use crate::model::GroupId;
use crate::tables;
use crate::validate::Faults;

/// What a backup is called that comes with a request.
const BODY: &str = "the body";

/// GET of what is defined now.
pub(super) async fn make(leading: &Leading) -> Response {
    let backup = match of_now(leading).await {
        Ok(backup) => backup,
        Err(refused) => return refused,
    };
    match off_the_way(move || file::encode(&backup)).await {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"attica.backup\""),
            ];
            (StatusCode::OK, headers, Body::from(bytes)).into_response()
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a backup cannot be written as JSON");
            answer::message(StatusCode::INTERNAL_SERVER_ERROR, "What is defined cannot be written down")
        }
    }
}

/// POST of a backup, which is restored.
pub(super) async fn restore(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    let bytes = match read_body(request.into_body()).await {
        Ok(bytes) => bytes,
        Err(error) => return answer::message(error.status(), error.to_string()),
    };
    match off_the_way(move || file::decode(BODY.to_owned(), &bytes)).await {
        Ok(backup) => writes::answer(put_back(service, leading, asked, backup, "/").await, deployment_result),
        Err(error) => unusable(&error, "/"),
    }
}

/// DELETE of the leader.
pub(super) async fn abdicate(service: &Service, leading: &Leading, asked: Asked) -> Response {
    let (backup, restore) = match places(&asked, service.backup_directory.as_deref()) {
        Ok(places) => places,
        Err(faults) => return refusal::invalid(faults),
    };
    if let Some(path) = backup.filter(|_| !asked.terms.dry_run)
        && let Err(refused) = write_down(leading, path).await
    {
        return refused;
    }
    let Some(path) = restore else { return step_down(service) };
    let backup = match off_the_way(move || file::read(&path)).await {
        Ok(backup) => backup,
        Err(error) => return unusable(&error, "/restore"),
    };
    writes::answer(put_back(service, leading, asked, backup, "/restore").await, |reply| match reply {
        Reply::Deployed { deployment, .. } => answer::with_deployment(step_down(service), deployment),
        Reply::Killed(_) | Reply::Planned(_) | Reply::Cancelled | Reply::Done => unexpected(),
    })
}

/// The files that the request names.
fn places(asked: &Asked, directory: Option<&Path>) -> Result<(Option<PathBuf>, Option<PathBuf>), Faults> {
    let mut faults = Faults::default();
    let mut named = |parameter: &str| {
        let place = asked.query.first(parameter).map(|uri| place(uri, directory)).transpose();
        place.map_err(|error| faults.add(format!("/{parameter}"), error.to_string())).ok().flatten()
    };
    let places = (named("backup"), named("restore"));
    faults.into_result(places)
}

async fn of_now(leading: &Leading) -> Result<Backup, Response> {
    let (position, snapshot) = tables::definitions_at(&leading.pool).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot read what is to be backed up");
        answer::unavailable("The database cannot be read now: there is no backup")
    })?;
    Ok(Backup::of(position, &snapshot))
}

async fn write_down(leading: &Leading, path: PathBuf) -> Result<(), Response> {
    let backup = of_now(leading).await?;
    let written = off_the_way(move || file::write(&path, &backup)).await;
    written.map_err(|error| unusable(&error, "/backup"))
}

/// Has the engine bring back what a backup holds; `place` is where the request names it.
async fn put_back(
    service: &Service,
    leading: &Leading,
    asked: Asked,
    backup: Backup,
    place: &str,
) -> Result<WriteOutcome, Response> {
    check_key(service, &backup).map_err(|text| refusal::invalid(Faults::one(place, text)))?;
    let others = match asked.query.flag("prune", false) {
        true => Others::Go,
        false => Others::Stay,
    };
    let events_behind = EventId::end_of(leading.model.position()).number();
    let to = GroupDefinition::Restored { backup: Box::new(backup), others, events_behind };
    service.write(leading, Write::PutGroup { id: GroupId::root(), to, force: asked.force() }, asked).await
}

/// What cannot be opened here is not kept here.
fn check_key(service: &Service, backup: &Backup) -> Result<(), String> {
    for (path, secret) in &backup.secrets {
        let Some(key) = &service.secrets_key else {
            return Err("holds secrets, which need a key: --secrets-key-file".to_owned());
        };
        let purpose = Purpose::Keeping { path: path.as_str(), version: secret.version.0.0 };
        if key.open(&secret.sealed, purpose).is_err() {
            return Err(format!("holds the secret '{path}', which the key of --secrets-key-file does not open"));
        }
    }
    Ok(())
}

fn step_down(service: &Service) -> Response {
    service.abdication.notify_one();
    answer::document(StatusCode::OK, &Message { message: "Leadership abdicated".to_owned() })
}

/// Files and long documents are nothing for the threads that serve requests.
async fn off_the_way<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What is wrong with a file is the client's to know: the operator has named the directory for that.
fn unusable(error: &FileError, parameter: &str) -> Response {
    tracing::warn!(error = error as &dyn std::error::Error, "a backup cannot be used");
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    refusal::invalid(Faults::one(parameter, format!("{error}{cause}")))
}
