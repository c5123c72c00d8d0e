//! Media type negotiation of the v1 APIs.
//!
//! A request names its encoding in `Content-Type`; a response is JSON wherever `Accept` allows it. Mesos compares the
//! names exactly; parameters (`; charset=utf-8`) and case are tolerated here. The refusal texts are Mesos's.

use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The two encodings of every v1 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `application/json`: one line, Mesos's own JSON mapping.
    Json,
    /// `application/x-protobuf`.
    Protobuf,
}

impl MediaType {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Json => "application/json",
            MediaType::Protobuf => "application/x-protobuf",
        }
    }

    /// The name as a header's value.
    pub fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }
}

/// A request that the negotiation turns away. The text is the response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// 400
    #[error("Expecting 'Content-Type' to be present")]
    NoContentType,
    /// 415
    #[error("Expecting 'Content-Type' of application/json or application/x-protobuf")]
    Unsupported,
    /// 406
    #[error("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")]
    NotAcceptable,
}

impl MediaError {
    /// What to answer.
    pub fn status(self) -> StatusCode {
        match self {
            MediaError::NoContentType => StatusCode::BAD_REQUEST,
            MediaError::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            MediaError::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        }
    }
}

/// The encoding of a request's body.
pub fn of_request(headers: &HeaderMap) -> Result<MediaType, MediaError> {
    let value = headers.get(header::CONTENT_TYPE).ok_or(MediaError::NoContentType)?;
    let text = value.to_str().map_err(|_| MediaError::Unsupported)?;
    let name = text.split(';').next().unwrap_or_default().trim();
    [MediaType::Json, MediaType::Protobuf]
        .into_iter()
        .find(|media| name.eq_ignore_ascii_case(media.as_str()))
        .ok_or(MediaError::Unsupported)
}

/// The encoding of a response: JSON when `Accept` is missing or allows it, else protobuf when that is allowed.
pub fn of_response(headers: &HeaderMap) -> Result<MediaType, MediaError> {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if accepted.peek().is_none() {
        return Ok(MediaType::Json);
    }
    let ranges: Vec<Range<'_>> = accepted.flat_map(|line| line.split(',')).map(Range::parse).collect();
    [MediaType::Json, MediaType::Protobuf]
        .into_iter()
        .find(|media| allows(&ranges, *media))
        .ok_or(MediaError::NotAcceptable)
}

/// One element of an `Accept` header.
struct Range<'a> {
    name: &'a str,
    refused: bool,
}

impl Range<'_> {
    fn parse(text: &str) -> Range<'_> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Range { name, refused: quality.and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q <= 0.0) }
    }
}

/// The most specific range that matches decides.
fn allows(ranges: &[Range<'_>], media: MediaType) -> bool {
    [media.as_str(), "application/*", "*/*"]
        .into_iter()
        .find_map(|pattern| ranges.iter().find(|range| range.name.eq_ignore_ascii_case(pattern)))
        .is_some_and(|range| !range.refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn content_types() {
        let cases: [(&[&str], Result<MediaType, MediaError>); 7] = [
            (&[], Err(MediaError::NoContentType)),
            (&["application/json"], Ok(MediaType::Json)),
            (&["Application/JSON; charset=utf-8"], Ok(MediaType::Json)),
            (&["application/x-protobuf"], Ok(MediaType::Protobuf)),
            (&["text/html"], Err(MediaError::Unsupported)),
            (&["application/jsonp"], Err(MediaError::Unsupported)),
            (&[""], Err(MediaError::Unsupported)),
        ];
        for (values, expected) in cases {
            assert_eq!(of_request(&headers(header::CONTENT_TYPE, values)), expected, "{values:?}");
        }
    }

    #[test]
    fn accepts() {
        let cases: [(&[&str], Result<MediaType, MediaError>); 11] = [
            (&[], Ok(MediaType::Json)),
            (&["*/*"], Ok(MediaType::Json)),
            (&["application/*"], Ok(MediaType::Json)),
            (&["application/json"], Ok(MediaType::Json)),
            (&["application/x-protobuf"], Ok(MediaType::Protobuf)),
            (&["application/x-protobuf, application/json"], Ok(MediaType::Json)),
            (&["text/html", "application/x-protobuf"], Ok(MediaType::Protobuf)),
            (&["application/json;q=0, */*"], Ok(MediaType::Protobuf)),
            (&["text/html"], Err(MediaError::NotAcceptable)),
            (&["application/json; q=0"], Err(MediaError::NotAcceptable)),
            (&[""], Err(MediaError::NotAcceptable)),
        ];
        for (values, expected) in cases {
            assert_eq!(of_response(&headers(header::ACCEPT, values)), expected, "{values:?}");
        }
    }
}
