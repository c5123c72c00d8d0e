//! Answers in fewer bytes, for clients that ask for that. Only what is known as a whole is compressed: streams go out as they come.

use std::io::Write;

use axum::BoxError;
use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::runtime::Handle;

use super::answer;

/// What is shorter gains nothing.
const BYTES_MIN: u64 = 1_024;
/// What is longer is compressed where it keeps no other request waiting.
const HERE_BYTES_MAX: u64 = 64 << 10;
const GZIP: &str = "gzip";

/// What a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// The bytes as they are.
    Plain,
    /// Compressed ones as well.
    Gzip,
}

impl Accepted {
    /// What the request says. Something that is not said is not taken: many programs read what they get as text.
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let codings = || {
            let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
            lists.flat_map(|list| list.split(',')).map(weighed)
        };
        let quality = |names: &[&str]| {
            codings()
                .find(|(name, _)| names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
                .map(|(_, quality)| quality)
        };
        let gzip = quality(&[GZIP, "x-gzip"]).or_else(|| quality(&["*"])).unwrap_or(0.0);
        match gzip > 0.0 && gzip >= quality(&["identity"]).unwrap_or(0.0) {
            true => Self::Gzip,
            false => Self::Plain,
        }
    }
}

/// What an item of an `Accept…` header names, and how much it is wanted, from 0 to 1.
pub(super) fn weighed(written: &str) -> (&str, f32) {
    let mut parts = written.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
    (name, quality)
}

/// The same answer for a client that takes this. Its tag becomes a weak one where its bytes change.
pub(super) async fn compressed(response: Response, accepted: Accepted) -> Response {
    let Some(length) = response.body().size_hint().exact().filter(|length| *length >= BYTES_MIN) else {
        return response;
    };
    if response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if accepted == Accepted::Plain {
        return Response::from_parts(parts, body);
    }
    match off_the_way(body, length).await {
        Ok(fewer) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(GZIP));
            if let Some(tag) = parts.headers.get(header::ETAG).and_then(answer::weak) {
                parts.headers.insert(header::ETAG, tag);
            }
            Response::from_parts(parts, Body::from(fewer))
        }
        Err(error) => {
            tracing::warn!(error, "an answer broke off");
            answer::unavailable("The answer broke off")
        }
    }
}

async fn off_the_way(body: Body, length: u64) -> Result<Vec<u8>, BoxError> {
    if length <= HERE_BYTES_MAX {
        return gzip(body).await;
    }
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(gzip(body))).await?
}

async fn gzip(mut body: Body) -> Result<Vec<u8>, BoxError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            encoder.write_all(&bytes)?;
        }
    }
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_ask_for_it() {
        for (written, expected) in [
            (&["gzip, deflate, br"][..], Accepted::Gzip),
            (&["GZIP;q=0.5"], Accepted::Gzip),
            (&["deflate", "x-gzip"], Accepted::Gzip),
            (&["*"], Accepted::Gzip),
            (&["gzip;q=0.5, identity;q=0.5"], Accepted::Gzip),
            (&[], Accepted::Plain),
            (&[""], Accepted::Plain),
            (&["br"], Accepted::Plain),
            (&["gzip;q=0"], Accepted::Plain),
            (&["*, gzip;q=0.0"], Accepted::Plain),
            (&["gzip;q=much"], Accepted::Plain),
            (&["gzip;q=0.4, identity"], Accepted::Plain),
        ] {
            let values = written.iter().map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            assert_eq!(Accepted::by(&values.collect()), expected, "{written:?}");
        }
    }

    async fn sent(body: Body, accepted: Accepted) -> (HeaderMap, Vec<u8>) {
        let response = Response::builder().header(header::ETAG, "\"a\"").header(header::CONTENT_LENGTH, "7");
        let (parts, body) = compressed(response.body(body).unwrap(), accepted).await.into_parts();
        (parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn what_is_long_enough_and_known_as_a_whole_is_compressed() {
        for length in [BYTES_MIN as usize, HERE_BYTES_MAX as usize + 1] {
            let text = "x".repeat(length);
            let (headers, bytes) = sent(Body::from(text.clone()), Accepted::Gzip).await;
            let mut read = String::new();
            GzDecoder::new(bytes.as_slice()).read_to_string(&mut read).unwrap();
            assert!(read == text && bytes.len() < text.len());
            assert_eq!(
                (&headers["content-encoding"], &headers["etag"]),
                (&"gzip".parse().unwrap(), &"W/\"a\"".parse().unwrap())
            );
            assert_eq!((&headers["vary"], headers.get("content-length")), (&"accept-encoding".parse().unwrap(), None));

            let (headers, bytes) = sent(Body::from(text.clone()), Accepted::Plain).await;
            assert!(bytes == text.as_bytes() && headers["vary"] == "accept-encoding" && headers["etag"] == "\"a\"");
        }
        let short = "x".repeat(BYTES_MIN as usize - 1);
        let (headers, bytes) = sent(Body::from(short.clone()), Accepted::Gzip).await;
        assert!(
            bytes == short.as_bytes() && !headers.contains_key("vary") && !headers.contains_key("content-encoding")
        );
        let pieces = futures_util::stream::iter([Ok::<_, io::Error>("y".repeat(HERE_BYTES_MAX as usize))]);
        let (headers, _) = sent(Body::from_stream(pieces), Accepted::Gzip).await;
        assert!(!headers.contains_key("content-encoding"), "a stream goes out as it comes");
    }
}
