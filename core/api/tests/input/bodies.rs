//! What must hold of whatever comes in from outside: nothing panics, and what was understood is understood again after it was written.
//!
//! The fuzz targets in `fuzz/` and the properties beside this file drive the same bodies.

use attica_allocator::Role;
use attica_core_api::message::Message;
use attica_core_api::recordio::{Decoder, RecordError};
use attica_core_api::resources::{ReservationFormat, from_wire, parse, parse_attributes, to_wire};
use attica_core_api::{agent, executor, link, operator, scheduler};
use attica_core_api::{decode_json, decode_proto, encode_json, encode_proto};

/// A limit below which records are short.
const RECORD_LIMIT: usize = 1 << 16;

/// A message in JSON.
pub fn json(input: &[u8]) {
    json_of::<scheduler::Call>(input);
    json_of::<scheduler::Event>(input);
    json_of::<executor::Call>(input);
    json_of::<operator::Call>(input);
    json_of::<agent::Call>(input);
}

/// A message in protobuf.
pub fn proto(input: &[u8]) {
    proto_of::<scheduler::Call>(input);
    proto_of::<scheduler::Event>(input);
    proto_of::<executor::Call>(input);
    proto_of::<operator::Call>(input);
    proto_of::<agent::Call>(input);
    proto_of::<link::Call>(input);
    proto_of::<link::Event>(input);
}

/// A stream of records, in whatever chunks it comes: the first byte says how long they are.
pub fn recordio(input: &[u8]) {
    let Some((first, stream)) = input.split_first() else { return };
    let at_once = records([stream].into_iter());
    let in_parts = records(stream.chunks(usize::from(*first).max(1)));
    assert_eq!(at_once, in_parts, "the cuts of the network mean nothing");
}

/// Resources, as JSON of a list in a call or as people write them.
pub fn resources(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(wire) = parse(text, &Role::any()) else { return };
    let Ok(bag) = from_wire(&wire) else { return };
    let written = to_wire(&bag, None, ReservationFormat::Refined);
    assert_eq!(from_wire(&written).ok(), Some(bag), "what was written can be read");
}

/// Attributes as people write them.
pub fn attributes(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for attribute in parse_attributes(text).into_iter().flatten() {
        let encoded = encode_json(&attribute);
        assert_eq!(decode_json(&encoded).ok(), Some(attribute), "an attribute can be sent");
    }
}

fn json_of<M: Message + serde::Serialize>(input: &[u8]) {
    let Ok(message) = decode_json::<M>(input) else { return };
    let once = encode_json(&message);
    let Ok(again) = decode_json::<M>(&once) else { panic!("what was written cannot be read: {:?}", once.len()) };
    assert_eq!(encode_json(&again), once);
}

/// Compared as bytes: numbers that are not numbers equal nothing.
fn proto_of<M: Message>(input: &[u8]) {
    let Ok(message) = decode_proto::<M>(input) else { return };
    let once = encode_proto(&message);
    let Ok(again) = decode_proto::<M>(&once) else { panic!("what was written cannot be read: {:?}", once.len()) };
    assert_eq!(encode_proto(&again), once);
}

fn records<'i>(chunks: impl Iterator<Item = &'i [u8]>) -> (Vec<Vec<u8>>, Option<RecordError>) {
    let mut decoder = Decoder::new(RECORD_LIMIT);
    let mut records = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next_record() {
                Ok(Some(record)) => records.push(record.to_vec()),
                Ok(None) => break,
                Err(error) => return (records, Some(error)),
            }
        }
    }
    (records, decoder.finish().err())
}
