//! `?jsonp=name`, which every document that is asked for with GET takes.

use attica_core_api::http::jsonp;
use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// The part of a query that is looked at here.
#[derive(Debug, Deserialize)]
struct Asked {
    jsonp: Option<String>,
}

/// Makes a script of the answer, if one is asked for.
pub(super) async fn wrap(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    // A name that is given twice is none.
    let asked = Query::<Asked>::try_from_uri(request.uri()).map(|Query(asked)| asked.jsonp);
    match asked {
        Ok(None) => next.run(request).await,
        Ok(Some(function)) if jsonp::is_function_name(&function) => script(&function, next.run(request).await).await,
        Ok(Some(_)) | Err(_) => (StatusCode::BAD_REQUEST, jsonp::NO_FUNCTION).into_response(),
    }
}

async fn script(function: &str, response: Response) -> Response {
    let is_document = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if response.status() != StatusCode::OK || !is_document {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It is in memory already.
    let Ok(document) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(jsonp::MEDIA_TYPE));
    Response::from_parts(parts, Body::from([function.as_bytes(), b"(", &document, b")"].concat()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Json;
    use axum::routing::get;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_document_is_a_script_for_who_asks() {
        let document = || async { Json(json!({ "a": 1 })) };
        let routes = Router::new()
            .route("/state", get(document).post(document))
            .route("/metrics", get(|| async { "text" }))
            .layer(axum::middleware::from_fn(wrap));
        let cases = [
            ("GET", "/state", StatusCode::OK, "application/json", "{\"a\":1}"),
            ("GET", "/state?jsonp=a.b", StatusCode::OK, "text/javascript", "a.b({\"a\":1})"),
            ("GET", "/state?x=%ff&jsonp=a%2Eb", StatusCode::OK, "text/javascript", "a.b({\"a\":1})"),
            ("GET", "/state?jsonp=a(b)", StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", jsonp::NO_FUNCTION),
            ("GET", "/state?jsonp=a&jsonp=b", StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", jsonp::NO_FUNCTION),
            ("GET", "/metrics?jsonp=a", StatusCode::OK, "text/plain; charset=utf-8", "text"),
            ("POST", "/state?jsonp=a", StatusCode::OK, "application/json", "{\"a\":1}"),
        ];
        for (method, uri, status, kind, body) in cases {
            let request = Request::builder().method(method).uri(uri).body(Body::empty()).unwrap();
            let response = routes.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{uri}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], kind, "{uri}");
            let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(answer, body.as_bytes(), "{uri}");
        }
    }
}
