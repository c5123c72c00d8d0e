//! Answers in fewer bytes, for clients that ask for that. Only what is known as a whole is compressed: streams go out as they come.

use std::io::{self, Write};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::answer;

/// What is shorter gains nothing.
const BYTES_MIN: u64 = 1_024;
/// What is longer is compressed where it keeps no other request waiting.
const HERE_BYTES_MAX: usize = 64 << 10;
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
            lists.flat_map(|list| list.split(',')).map(coding)
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

/// A coding and how much it is wanted, from 0 to 1.
fn coding(written: &str) -> (&str, f32) {
    let mut parts = written.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
    (name, quality)
}

/// The same answer for a client that takes this. Its tag becomes a weak one where its bytes change.
pub(super) async fn compressed(response: Response, accepted: Accepted) -> Response {
    let is_worth_it = response.body().size_hint().exact().is_some_and(|length| length >= BYTES_MIN);
    if !is_worth_it || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if accepted == Accepted::Plain {
        return Response::from_parts(parts, body);
    }
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) => {
            tracing::warn!(%error, "an answer broke off");
            return answer::unavailable("The answer broke off");
        }
    };
    match off_the_way(whole.clone()).await {
        Ok(fewer) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(GZIP));
            if let Some(tag) = parts.headers.get(header::ETAG).and_then(answer::weak) {
                parts.headers.insert(header::ETAG, tag);
            }
            Response::from_parts(parts, Body::from(fewer))
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be compressed");
            Response::from_parts(parts, Body::from(whole))
        }
    }
}

async fn off_the_way(whole: Bytes) -> io::Result<Vec<u8>> {
    if whole.len() <= HERE_BYTES_MAX {
        return gzip(&whole);
    }
    tokio::task::spawn_blocking(move || gzip(&whole)).await.map_err(io::Error::other)?
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

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
        for length in [BYTES_MIN as usize, HERE_BYTES_MAX + 1] {
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
        let pieces = futures_util::stream::iter([Ok::<_, io::Error>("y".repeat(HERE_BYTES_MAX))]);
        let (headers, _) = sent(Body::from_stream(pieces), Accepted::Gzip).await;
        assert!(!headers.contains_key("content-encoding"), "a stream goes out as it comes");
    }
}
