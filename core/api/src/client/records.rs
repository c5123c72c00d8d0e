//! The records of a streaming response, typed.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;

use crate::http::{MediaType, ResponseBody};
use crate::message::Message;
use crate::recordio::{Decoder, RecordError};
use crate::{DecodeError, decode_json, decode_proto};

/// A record larger than this is not from a master: an OFFERS event with tens of thousands of offers is smaller.
const MAX_RECORD_BYTES: usize = 256 << 20;

/// Reads a RecordIO body of messages `T`.
pub struct Records<T> {
    body: ResponseBody,
    decoder: Decoder,
    media: MediaType,
    message: PhantomData<fn() -> T>,
}

/// Why a stream has no further record.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The connection broke, or the other side cut the stream.
    #[error("the stream broke")]
    Broken(#[source] hyper::Error),
    /// What came is not RecordIO, or it ended within a record.
    #[error("the stream is damaged")]
    Framing(#[from] RecordError),
    /// A record is not the message it should be.
    #[error("a record cannot be read")]
    Message(#[from] DecodeError),
    /// Nothing came, not even a heartbeat.
    #[error("nothing was received for {} s", limit.as_secs_f64())]
    Silent {
        /// How long was waited.
        limit: Duration,
    },
}

impl<T: Message> Records<T> {
    /// The records of a response's body.
    pub fn new(body: ResponseBody, media: MediaType) -> Records<T> {
        Records { body, decoder: Decoder::new(MAX_RECORD_BYTES), media, message: PhantomData }
    }

    /// The next message; `None` at a proper end. `patience` bounds the wait for each piece of it. Cancelling loses nothing.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<T>, StreamError> {
        loop {
            if let Some(record) = self.decoder.next_record()? {
                return self.decode(&record).map(Some);
            }
            let frame = tokio::time::timeout(patience, self.body.frame()).await;
            match frame.map_err(|_| StreamError::Silent { limit: patience })? {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.decoder.push(data);
                    }
                }
                Some(Err(error)) => return Err(StreamError::Broken(error)),
                None => {
                    let limit = MAX_RECORD_BYTES;
                    std::mem::replace(&mut self.decoder, Decoder::new(limit)).finish()?;
                    return Ok(None);
                }
            }
        }
    }

    fn decode(&self, record: &Bytes) -> Result<T, StreamError> {
        Ok(match self.media {
            MediaType::Json => decode_json(record)?,
            MediaType::Protobuf => decode_proto(record)?,
        })
    }
}
