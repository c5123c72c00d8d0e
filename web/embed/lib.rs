//! The web console: a front-end project, and this crate, which holds its built files and serves them below `/ui/`.
//!
//! **Code map.** `src/` is the console: `api/` calls `/v2`, `cluster/` keeps what was read alive with the event stream, `json/`
//! finds places in documents and compares them, `parts/` are pieces of pages, `screens/` the pages, `app/` the frame around them.
//! `DESIGN.md` says how it looks and speaks. `tests/` drives it in a browser. `embed/` is this crate: the build script lists the
//! files of `dist/`, [`router`] serves them.
//!
//! **Architecture invariants.** It imports nothing of ours: the console knows the service layer by its OpenAPI description alone. No
//! text from outside ever becomes markup; nothing is loaded from another origin; the content security policy allows neither inline
//! scripts nor inline styles. Files are compressed when they are built, never when they are served.
//!
//! **Durable** is nothing. The choice of colours is kept in the reader's browser.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderName, StatusCode, header};

/// Everything comes from where the page comes from, and scripts and styles only from files.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The page that every address of the console begins with; what it shows is decided in the browser.
const PAGE: &str = "index.html";
/// Below this, names carry a hash of what is in them.
const HASHED: &str = "assets/";

/// A built file, as it is and compressed where that is smaller.
struct File {
    path: &'static str,
    /// Names its content.
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Routes of the console: `/ui/…`, and `/`, which leads there. GET and HEAD only.
pub fn router() -> Router {
    // As Marathon answers there, and not 307, which is for requests that are to be sent again as they were.
    let to_page = || get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/ui/")]) });
    Router::new()
        .route("/", to_page())
        .route("/ui", to_page())
        .route("/ui/", get(|headers: HeaderMap| async move { serve("", &headers) }))
        .route("/ui/{*path}", get(|Path(path): Path<String>, headers: HeaderMap| async move { serve(&path, &headers) }))
}

/// The file at `path` below `/ui/`; the page for every address that is not a file's.
fn serve(path: &str, headers: &HeaderMap) -> Response {
    match find(path) {
        Some(file) => answer(file, headers),
        None if path.starts_with(HASHED) => (SECURITY, StatusCode::NOT_FOUND).into_response(),
        None => match find(PAGE) {
            Some(page) => answer(page, headers),
            None => unreachable!("the build script lists nothing without {PAGE}"),
        },
    }
}

fn find(path: &str) -> Option<&'static File> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().and_then(|index| FILES.get(index))
}

fn answer(file: &'static File, request: &HeaderMap) -> Response {
    // What a name says for ever need not be asked for again; everything else is asked for and mostly unchanged.
    let caching = if file.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = format!("\"{}\"", file.tag);
    let common = [(header::CACHE_CONTROL, caching.to_owned()), (header::ETAG, tag.clone())];
    let vary = [(header::VARY, "Accept-Encoding")];
    if values(request, &header::IF_NONE_MATCH).any(|known| known.trim_start_matches("W/") == tag || known == "*") {
        return (StatusCode::NOT_MODIFIED, SECURITY, common, vary).into_response();
    }
    let (bytes, encoding) = encoded(file, request);
    let content_type = [(header::CONTENT_TYPE, content_type(file.path))];
    let encoding = encoding.map(|name| [(header::CONTENT_ENCODING, name)]);
    let mut response = (SECURITY, common, vary, content_type, Body::from(bytes)).into_response();
    for (name, value) in encoding.into_iter().flatten() {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

/// The smallest form that the client takes.
fn encoded(file: &'static File, request: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let takes = |name: &str| values(request, &header::ACCEPT_ENCODING).any(|offered| accepts(offered, name));
    match (file.brotli, file.gzip) {
        (Some(bytes), _) if takes("br") => (bytes, Some("br")),
        (_, Some(bytes)) if takes("gzip") => (bytes, Some("gzip")),
        _ => (file.plain, None),
    }
}

/// Whether an item of an Accept-Encoding header, `gzip` or `gzip;q=0.5`, allows the encoding.
fn accepts(offered: &str, name: &str) -> bool {
    let mut parts = offered.split(';').map(str::trim);
    let named = parts.next().is_some_and(|offered| offered.eq_ignore_ascii_case(name));
    let refused = parts.any(|parameter| parameter.strip_prefix("q=").is_some_and(|quality| quality.parse() == Ok(0.0)));
    named && !refused
}

/// The items of a header that lists.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http::{Method, Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str, headers: &[(HeaderName, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::builder().method(Method::GET).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    fn script() -> &'static File {
        FILES.iter().find(|file| file.path.ends_with(".js")).unwrap()
    }

    #[tokio::test]
    async fn every_address_of_the_console_is_its_page() {
        for path in ["/ui/", "/ui/apps", "/ui/apps/shop/web", "/ui/apps/a%20b", "/ui/../etc/passwd"] {
            let (status, headers, body) = get(path, &[]).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
            assert_eq!(headers[header::CACHE_CONTROL], "no-cache", "{path}");
            assert_eq!(headers[header::CONTENT_SECURITY_POLICY], CONTENT_SECURITY_POLICY, "{path}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(body, find(PAGE).unwrap().plain, "{path}");
        }
        for path in ["/", "/ui"] {
            let (status, headers, _) = get(path, &[]).await;
            assert_eq!((status, &headers[header::LOCATION]), (StatusCode::FOUND, &"/ui/".parse().unwrap()), "{path}");
        }
    }

    #[tokio::test]
    async fn hashed_files_are_kept_for_ever_and_a_missing_one_is_missing() {
        let (status, headers, body) = get(&format!("/ui/{}", script().path), &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(body, script().plain);
        assert_eq!(get("/ui/assets/gone.js", &[]).await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_smallest_form_that_is_taken_is_sent() {
        let path = format!("/ui/{}", script().path);
        for (accepted, encoding) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("identity", None),
        ] {
            let (_, headers, _) = get(&path, &[(header::ACCEPT_ENCODING, accepted)]).await;
            assert_eq!(
                headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap()),
                encoding,
                "{accepted}"
            );
            assert_eq!(headers[header::VARY], "Accept-Encoding");
        }
    }

    #[tokio::test]
    async fn what_is_known_is_not_sent_again() {
        let (_, headers, _) = get("/ui/", &[]).await;
        let tag = headers[header::ETAG].to_str().unwrap().to_owned();
        let (status, _, body) = get("/ui/apps", &[(header::IF_NONE_MATCH, &format!("\"other\", W/{tag}"))]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));
    }

    #[test]
    fn the_page_holds_nothing_inline() {
        let page = std::str::from_utf8(find(PAGE).unwrap().plain).unwrap();
        assert!(!page.contains("style="), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.contains("src=\"/ui/assets/"), "{script}");
        }
    }
}
