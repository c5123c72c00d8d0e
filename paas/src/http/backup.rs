//! `/v2/backup`, and what of it can be asked for along with `DELETE /v2/leader`: the leader steps down, and before that writes a
//! backup or restores one, if it is asked to. What goes wrong with that is the answer, and the leader stays.

use std::io;
use std::path::{Path, PathBuf};

use attica_core_api::http::BodyPatience;
use attica_core_api::secrets::Purpose;
use attica_paas_api::error::Message;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{Request, StatusCode, header};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::service::{Leading, Service, WriteOutcome};
use super::writes::{self, Asked, deployment_result, unexpected};
use super::{answer, refusal};
use crate::backup::place::place;
use crate::backup::{self, Backup, BackupError};
use crate::engine::{GroupDefinition, Others, Reply, Write};
use crate::events::EventId;
use crate::model::GroupId;
use crate::validate::Faults;

/// What a backup is called that comes with a request.
const BODY: &str = "the body";
/// No cluster has so much to say.
const BODY_BYTES_MAX: u64 = 16 << 30;

/// GET of a backup.
pub(super) async fn make(leading: &Leading) -> Response {
    let pool = leading.pool.clone();
    let made = off_the_way(move || {
        let file = backup::make(&pool)?;
        let length = file.metadata().map(|file| file.len());
        length.map(|length| (file, length)).map_err(|source| unreadable("the backup", source))
    });
    match made.await {
        Ok((file, length)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_LENGTH, length.to_string()),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"attica.backup\"".to_owned()),
            ];
            let content = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
            (StatusCode::OK, headers, content).into_response()
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a backup cannot be made");
            answer::unavailable(format!("There is no backup now: {error}"))
        }
    }
}

/// POST of a backup, which is restored.
pub(super) async fn restore(service: &Service, leading: &Leading, request: Request<Body>) -> Response {
    let asked = Asked::of(&request);
    if let Some(patience) = request.extensions().get::<BodyPatience>() {
        patience.lift();
    }
    let file = match kept(request.into_body()).await {
        Ok(file) => file,
        Err(refused) => return refused,
    };
    let pool = leading.pool.clone();
    match off_the_way(move || backup::definitions(&pool, file, BODY)).await {
        Ok(backup) => writes::answer(put_back(service, leading, asked, backup, "/").await, deployment_result),
        Err(error) => unusable(&error, "/"),
    }
}

/// What comes with a request, in a file that has no name.
async fn kept(body: Body) -> Result<std::fs::File, Response> {
    let failed = |error: io::Error| {
        tracing::error!(%error, "a backup cannot be kept in the directory for temporary files");
        answer::unavailable("There is no room for the backup: nothing was restored")
    };
    let mut file = tokio::fs::File::from_std(off_the_way(tempfile::tempfile).await.map_err(failed)?);
    let (mut pieces, mut left) = (body.into_data_stream(), BODY_BYTES_MAX);
    while let Some(piece) = pieces.next().await {
        let piece = piece
            .map_err(|_| answer::message(StatusCode::BAD_REQUEST, "The request body could not be read to its end"))?;
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            let text =
                format!("The request body is larger than {BODY_BYTES_MAX} bytes, the most that is accepted here");
            answer::message(StatusCode::PAYLOAD_TOO_LARGE, text)
        })?;
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(file.into_std().await)
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
    let pool = leading.pool.clone();
    let read = off_the_way(move || {
        let name = path.display().to_string();
        let file = std::fs::File::open(&path).map_err(|source| unreadable(&name, source))?;
        backup::definitions(&pool, file, &name)
    });
    let backup = match read.await {
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

async fn write_down(leading: &Leading, path: PathBuf) -> Result<(), Response> {
    let pool = leading.pool.clone();
    let written = off_the_way(move || backup::write(&pool, &path)).await;
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

fn unreadable(path: &str, source: io::Error) -> BackupError {
    BackupError::Io { what: "read", path: path.to_owned(), source }
}

/// What is wrong with a file is the client's to know: the operator has named the directory for that.
fn unusable(error: &BackupError, parameter: &str) -> Response {
    tracing::warn!(error = error as &dyn std::error::Error, "a backup cannot be used");
    match error {
        BackupError::Database(_) | BackupError::Migration(_) => {
            answer::unavailable("The database cannot be asked now: there is no backup and nothing was restored")
        }
        BackupError::Io { .. }
        | BackupError::Foreign { .. }
        | BackupError::Format { .. }
        | BackupError::Newer { .. }
        | BackupError::Torn { .. }
        | BackupError::Content { .. }
        | BackupError::Taken => {
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            refusal::invalid(Faults::one(parameter, format!("{error}{cause}")))
        }
    }
}
