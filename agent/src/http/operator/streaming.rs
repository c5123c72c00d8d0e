//! How the bodies of calls and answers are told apart from streams of records.

use attica_core_api::http::{MediaType, media, media::MediaError};
use attica_core_api::recordio;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Rejection;

const RECORDIO: &str = "application/recordio";
const MESSAGE_CONTENT_TYPE: HeaderName = HeaderName::from_static("message-content-type");
const MESSAGE_ACCEPT: HeaderName = HeaderName::from_static("message-accept");

/// What comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// One message.
    Message(MediaType),
    /// Records, each a message.
    Records(MediaType),
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// Of the messages.
    pub(super) media: MediaType,
    /// Whether nothing but records is taken.
    pub(super) records: bool,
}

/// What a request brings.
pub(super) fn incoming(headers: &HeaderMap) -> Result<Incoming, Rejection> {
    let named = headers.get(header::CONTENT_TYPE).ok_or(MediaError::NoContentType)?;
    let message = headers.get(MESSAGE_CONTENT_TYPE);
    if !is_recordio(named) {
        return match message {
            Some(_) => Err(Rejection::Unsupported415(
                "Expecting 'Content-Type' to be application/recordio where 'Message-Content-Type' is set",
            )),
            None => Ok(Incoming::Message(media::of_request(headers)?)),
        };
    }
    let message = message.ok_or(Rejection::Bad("Expecting 'Message-Content-Type' to be set for streaming requests"))?;
    let as_request = HeaderMap::from_iter([(header::CONTENT_TYPE, message.clone())]);
    Ok(Incoming::Records(media::of_request(&as_request)?))
}

/// What an answer may be.
pub(super) fn outgoing(headers: &HeaderMap) -> Result<Outgoing, Rejection> {
    match media::of_response(headers) {
        Ok(media) => Ok(Outgoing { media, records: false }),
        Err(error) => {
            if !headers.get_all(header::ACCEPT).iter().any(is_recordio) {
                return Err(error.into());
            }
            let message = headers.get_all(MESSAGE_ACCEPT).iter().cloned();
            let as_request: HeaderMap = message.map(|value| (header::ACCEPT, value)).collect();
            Ok(Outgoing { media: media::of_response(&as_request)?, records: true })
        }
    }
}

fn is_recordio(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(',').any(|one| one.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(RECORDIO))
}

impl Outgoing {
    /// What says on the answer what it is.
    pub(super) fn describe(self, headers: &mut HeaderMap) {
        if self.records {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(RECORDIO));
            headers.insert(MESSAGE_CONTENT_TYPE, self.media.header_value());
        } else {
            headers.insert(header::CONTENT_TYPE, self.media.header_value());
        }
    }

    pub(super) fn record<M: attica_core_api::message::Message + serde::Serialize>(self, message: &M) -> Bytes {
        let body = match self.media {
            MediaType::Json => attica_core_api::encode_json(message),
            MediaType::Protobuf => attica_core_api::encode_proto(message),
        };
        recordio::encode(&body)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_comes() {
        let status = |pairs: &[(&str, &str)]| incoming(&headers(pairs)).map_err(|rejection| rejection.status());
        let recordio = ("Content-Type", RECORDIO);
        let cases: [(&[(&str, &str)], _); 6] = [
            (&[("Content-Type", "application/json")], Ok(Incoming::Message(MediaType::Json))),
            (&[recordio, ("Message-Content-Type", "application/json")], Ok(Incoming::Records(MediaType::Json))),
            (&[recordio, ("Message-Content-Type", "text/html")], Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            (&[recordio], Err(StatusCode::BAD_REQUEST)),
            (&[], Err(StatusCode::BAD_REQUEST)),
            (
                &[("Content-Type", "application/json"), ("Message-Content-Type", "application/json")],
                Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            ),
        ];
        for (pairs, expected) in cases {
            assert_eq!(status(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn what_is_wanted() {
        let wanted = |pairs: &[(&str, &str)]| {
            outgoing(&headers(pairs)).map(|it| (it.media, it.records)).map_err(|rejection| rejection.status())
        };
        let recordio = ("Accept", RECORDIO);
        let cases: [(&[(&str, &str)], _); 6] = [
            (&[], Ok((MediaType::Json, false))),
            (&[("Accept", "application/x-protobuf")], Ok((MediaType::Protobuf, false))),
            (&[recordio], Ok((MediaType::Json, true))),
            (&[recordio, ("Message-Accept", "application/x-protobuf")], Ok((MediaType::Protobuf, true))),
            (&[recordio, ("Message-Accept", "text/html")], Err(StatusCode::NOT_ACCEPTABLE)),
            (&[("Accept", "text/html")], Err(StatusCode::NOT_ACCEPTABLE)),
        ];
        for (pairs, expected) in cases {
            assert_eq!(wanted(pairs), expected, "{pairs:?}");
        }
    }
}
