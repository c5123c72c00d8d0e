//! Who may look at an agent.

use attica_core_api::auth::Realm;
use attica_core_api::http::guard::Guard;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Passes a request on, or asks who sends it.
pub(super) async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.admit(realm(request.uri().path()), &request) {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer);
            next.run(request).await
        }
        Err(challenge) => {
            let mut response = (StatusCode::UNAUTHORIZED, challenge.body).into_response();
            if let Ok(value) = HeaderValue::try_from(challenge.header) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
            }
            response
        }
    }
}

/// The realm of a path. What is not named here is for readers, so that nothing is open because it was forgotten.
fn realm(path: &str) -> Option<Realm> {
    let path = path.strip_prefix("/slave(1)").unwrap_or(path);
    match path.strip_suffix(".json").unwrap_or(path) {
        "/health" | "/version" => None,
        // Executors are known by the ids in their calls, as where Mesos does not authenticate them.
        "/api/v1/executor" => None,
        _ => Some(Realm::AgentReadonly),
    }
}

#[cfg(test)]
mod tests {
    use attica_core_api::http::guard::{ClientCertificates, GuardFiles};
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn realms() {
        let cases = [
            ("/health", None),
            ("/slave(1)/health", None),
            ("/version.json", None),
            ("/state", Some(Realm::AgentReadonly)),
            ("/slave(1)/state.json", Some(Realm::AgentReadonly)),
            ("/files/read", Some(Realm::AgentReadonly)),
            ("/files/debug", Some(Realm::AgentReadonly)),
            ("/slave(1)/api/v1", Some(Realm::AgentReadonly)),
            ("/slave(1)/slave(1)/health", Some(Realm::AgentReadonly)),
            ("/whatever/comes", Some(Realm::AgentReadonly)),
        ];
        for (path, expected) in cases {
            assert_eq!(realm(path), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn readers_prove_who_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let credentials = directory.path().join("credentials");
        std::fs::write(&credentials, r#"{"credentials":[{"principal":"ann","secret":"a1"}]}"#).unwrap();
        let files = GuardFiles { credentials: Some(credentials), ..GuardFiles::default() };
        let guard = Guard::start(files, [Realm::AgentReadonly], ClientCertificates::Ignored).unwrap();
        let routes = Router::new().route("/state", get(|| async { "state" })).route("/health", get(|| async { "ok" }));
        let routes = routes.layer(axum::middleware::from_fn_with_state(guard, admit));
        let cases = [
            ("/health", None, StatusCode::OK),
            ("/state", None, StatusCode::UNAUTHORIZED),
            ("/state", Some("Basic YW5uOng="), StatusCode::UNAUTHORIZED),
            ("/state", Some("Basic YW5uOmEx"), StatusCode::OK),
        ];
        for (path, authorization, expected) in cases {
            let mut request = Request::builder().uri(path);
            if let Some(value) = authorization {
                request = request.header(header::AUTHORIZATION, value);
            }
            let response = routes.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), expected, "{path} {authorization:?}");
            let challenge = response.headers().get(header::WWW_AUTHENTICATE);
            assert_eq!(challenge.is_some(), expected == StatusCode::UNAUTHORIZED, "{path} {authorization:?}");
        }
    }
}
