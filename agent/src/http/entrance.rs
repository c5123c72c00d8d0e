//! Who may look at an agent.

use attica_core_api::auth::{Action, Object, Realm};
use attica_core_api::http::guard::Guard;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The paths that rules about endpoints can name, of those that an agent has.
const RULED: [&str; 5] = ["/containers", "/files/debug", "/logging/toggle", "/metrics/snapshot", "/monitor/statistics"];

/// Passes a request on, or asks who sends it.
pub(super) async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let path = plain(request.uri().path());
    match guard.admit(realm(path), &request) {
        Ok(viewer) if RULED.contains(&path) && !viewer.may(Action::GetEndpoint, Object::Value(path)) => {
            (StatusCode::FORBIDDEN, "403 Forbidden.").into_response()
        }
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

/// The realm of a plain path. What is not named here is for readers, so that nothing is open because it was forgotten.
fn realm(path: &str) -> Option<Realm> {
    match path {
        "/health" | "/version" => None,
        // Executors are known by the ids in their calls, as where Mesos does not authenticate them.
        "/api/v1/executor" => None,
        "/api/v1" => Some(Realm::AgentReadwrite),
        _ => Some(Realm::AgentReadonly),
    }
}

/// A path without what may stand around it.
fn plain(path: &str) -> &str {
    let path = path.strip_prefix("/slave(1)").unwrap_or(path);
    path.strip_suffix(".json").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use attica_core_api::http::guard::{AclsSource, ClientCertificates, GuardFiles};
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
            ("/slave(1)/api/v1", Some(Realm::AgentReadwrite)),
            ("/slave(1)/slave(1)/health", Some(Realm::AgentReadonly)),
            ("/whatever/comes", Some(Realm::AgentReadonly)),
        ];
        for (path, expected) in cases {
            assert_eq!(realm(plain(path)), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn some_paths_have_rules_of_their_own() {
        let acls = r#"{"get_endpoints":[{"principals":{"type":"ANY"},"paths":{"values":["/metrics/snapshot"]}},
            {"principals":{"type":"ANY"},"paths":{"type":"NONE"}}]}"#;
        let files = GuardFiles { acls: Some(AclsSource::Inline(acls.to_owned())), ..GuardFiles::default() };
        let guard = Guard::start(files, [], ClientCertificates::Ignored).unwrap();
        let routes = Router::new().fallback(get(|| async { "there" }));
        let routes = routes.layer(axum::middleware::from_fn_with_state(guard, admit));
        let cases = [
            ("/metrics/snapshot", StatusCode::OK),
            ("/containers", StatusCode::FORBIDDEN),
            ("/slave(1)/containers.json", StatusCode::FORBIDDEN),
            ("/slave(1)/monitor/statistics", StatusCode::FORBIDDEN),
            ("/state", StatusCode::OK),
        ];
        for (path, expected) in cases {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(routes.clone().oneshot(request).await.unwrap().status(), expected, "{path}");
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
