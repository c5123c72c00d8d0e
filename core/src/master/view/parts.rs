//! What operators are answered, put together from messages that are kept as protobuf, and written in either encoding.
//!
//! Protobuf is bytes copied. JSON is made while it is sent, one message at a time, so that a list of all tasks of a large cluster is
//! never in memory twice.

use attica_core_api::http::MediaType;
use attica_core_api::message::Message;
use attica_core_api::{decode_proto, encode_json, encode_proto};
use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{self, PiecesBody};

/// A document of fewer messages is written at once, so that its length is known.
const FEW: usize = 256;

/// One message.
#[derive(Clone)]
pub(in crate::master) struct Fragment {
    proto: Bytes,
    json: fn(&[u8]) -> Vec<u8>,
}

/// A part of a document: a member of the message around it.
pub(in crate::master) struct Member {
    pub(in crate::master) name: &'static str,
    pub(in crate::master) tag: u32,
    pub(in crate::master) content: Content,
}

/// What a member holds.
pub(in crate::master) enum Content {
    /// Messages; an empty list is written in JSON.
    Many(Vec<Fragment>),
    /// A message in parts.
    Parts(Vec<Member>),
    /// A name in JSON, a number in protobuf.
    Enum(&'static str, u32),
    /// A number.
    Double(f64),
}

/// A document in one encoding.
pub(in crate::master) struct Parts {
    pieces: Vec<Piece>,
    fragments: usize,
}

/// A part of a document, as it is kept.
pub(in crate::master) enum Piece {
    Bytes(Bytes),
    Json(Fragment),
}

impl Fragment {
    /// Keeps a message.
    pub(in crate::master) fn of<M: Message + Serialize>(message: &M) -> Fragment {
        Fragment::kept::<M>(encode_proto(message).into_boxed_slice().into())
    }

    /// A message that is kept already.
    pub(in crate::master) fn kept<M: Message + Serialize>(proto: Bytes) -> Fragment {
        Fragment { proto, json: rewritten::<M> }
    }
}

fn rewritten<M: Message + Serialize>(proto: &[u8]) -> Vec<u8> {
    match decode_proto::<M>(proto) {
        Ok(message) => encode_json(&message),
        Err(error) => unreachable!("what was encoded here can be decoded: {error}"),
    }
}

impl Member {
    /// A member in parts.
    pub(in crate::master) fn parts(name: &'static str, tag: u32, members: Vec<Member>) -> Member {
        Member { name, tag, content: Content::Parts(members) }
    }

    /// A list.
    pub(in crate::master) fn many(name: &'static str, tag: u32, fragments: Vec<Fragment>) -> Member {
        Member { name, tag, content: Content::Many(fragments) }
    }
}

impl Parts {
    /// Writes the members of a message.
    pub(in crate::master) fn of(members: Vec<Member>, media: MediaType) -> Parts {
        let mut parts = Parts { pieces: Vec::new(), fragments: 0 };
        match media {
            MediaType::Json => parts.object(members),
            MediaType::Protobuf => parts.fields(members),
        }
        parts
    }

    /// All of it at once.
    pub(in crate::master) fn bytes(self) -> Bytes {
        let mut bytes = BytesMut::new();
        self.pieces.iter().for_each(|piece| body::Piece::write(piece, &mut bytes));
        bytes.freeze()
    }

    /// The body of a response; `permit` is held until the last byte is on its way.
    pub(in crate::master) fn body(self, permit: OwnedSemaphorePermit) -> PiecesBody<Piece> {
        let is_json = self.pieces.iter().any(|piece| matches!(piece, Piece::Json(_)));
        let pieces = match is_json && self.fragments <= FEW {
            true => vec![Piece::Bytes(self.bytes())],
            false => self.pieces,
        };
        let length = pieces.iter().map(Piece::len).sum();
        PiecesBody::new(pieces, length, Some(permit))
    }

    fn text(&mut self, text: String) {
        self.pieces.push(Piece::Bytes(text.into()));
    }

    fn object(&mut self, members: Vec<Member>) {
        let mut opening = "{";
        for Member { name, tag: _, content } in members {
            self.text(format!("{opening}\"{name}\":"));
            opening = ",";
            match content {
                Content::Many(fragments) => {
                    let mut opening = "[";
                    for fragment in fragments {
                        self.pieces.push(Piece::Bytes(Bytes::from_static(opening.as_bytes())));
                        opening = ",";
                        self.json(fragment);
                    }
                    self.text(if opening == "[" { "[]".to_owned() } else { "]".to_owned() });
                }
                Content::Parts(members) => self.object(members),
                Content::Enum(name, _) => self.text(format!("\"{name}\"")),
                Content::Double(number) => self.pieces.push(Piece::Bytes(encode_json(&number).into())),
            }
        }
        self.text(if opening == "{" { "{}".to_owned() } else { "}".to_owned() });
    }

    fn json(&mut self, fragment: Fragment) {
        self.fragments += 1;
        self.pieces.push(Piece::Json(fragment));
    }

    fn fields(&mut self, members: Vec<Member>) {
        for Member { name: _, tag, content } in members {
            match content {
                Content::Many(fragments) => fragments.into_iter().for_each(|fragment| self.field(tag, fragment)),
                Content::Parts(members) => {
                    let mut inner = Parts { pieces: Vec::new(), fragments: 0 };
                    inner.fields(members);
                    let length: usize = inner.pieces.iter().filter_map(Piece::len).sum();
                    self.length(tag, length);
                    self.pieces.append(&mut inner.pieces);
                    self.fragments += inner.fragments;
                }
                Content::Enum(_, number) => {
                    let mut field = key(tag, VARINT);
                    varint(u64::from(number), &mut field);
                    self.pieces.push(Piece::Bytes(field.into()));
                }
                Content::Double(number) => {
                    let mut field = key(tag, FIXED64);
                    field.extend(number.to_le_bytes());
                    self.pieces.push(Piece::Bytes(field.into()));
                }
            }
        }
    }

    fn field(&mut self, tag: u32, fragment: Fragment) {
        self.fragments += 1;
        self.length(tag, fragment.proto.len());
        self.pieces.push(Piece::Bytes(fragment.proto));
    }

    /// What stands before a message.
    fn length(&mut self, tag: u32, length: usize) {
        let mut field = key(tag, DELIMITED);
        varint(length as u64, &mut field);
        self.pieces.push(Piece::Bytes(field.into()));
    }
}

/// How protobuf frames a number, a double, and a message.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;

fn key(tag: u32, kind: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(12);
    varint(u64::from(tag) << 3 | kind, &mut key);
    key
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Piece {
    /// `None`: known only once it is written.
    fn len(&self) -> Option<usize> {
        match self {
            Piece::Bytes(bytes) => Some(bytes.len()),
            Piece::Json(_) => None,
        }
    }
}

impl body::Piece for Piece {
    fn write(&self, out: &mut BytesMut) {
        match self {
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
            Piece::Json(fragment) => out.extend_from_slice(&(fragment.json)(&fragment.proto)),
        }
    }
}

#[cfg(test)]
mod tests {
    use attica_core_api::decode_json;
    use attica_core_api::operator::{GetState, GetTasks, Response, ResponseType};
    use attica_core_api::v1::{AgentId, Task, TaskId};

    use super::*;

    #[test]
    fn both_encodings_are_those_of_the_whole_message() {
        let task = |name: &str| Task {
            name: name.to_owned(),
            task_id: TaskId::new(name),
            agent_id: AgentId::new("\u{e4}"),
            ..Task::default()
        };
        for names in [vec![], vec!["a"], vec!["a", "b", "c"]] {
            let tasks: Vec<Task> = names.iter().map(|name| task(name)).collect();
            let members = || {
                let lists = vec![
                    Member::many("tasks", 2, tasks.iter().map(Fragment::of).collect()),
                    Member::many("completed_tasks", 3, vec![]),
                ];
                let state = vec![Member::parts("get_tasks", 1, lists)];
                let kind = ResponseType::GetState;
                let kind = Content::Enum(kind.name(), kind.number().unsigned_abs());
                vec![Member { name: "type", tag: 1, content: kind }, Member::parts("get_state", 9, state)]
            };
            let get_tasks = Some(GetTasks { tasks: tasks.clone(), ..GetTasks::default() });
            let whole = Response {
                r#type: Some(ResponseType::GetState),
                get_state: Some(GetState { get_tasks, ..GetState::default() }),
                ..Response::default()
            };
            assert_eq!(Parts::of(members(), MediaType::Protobuf).bytes(), encode_proto(&whole));
            let json = Parts::of(members(), MediaType::Json).bytes();
            assert_eq!(decode_json::<Response>(&json).unwrap(), whole);
            assert!(json.ends_with(b",\"completed_tasks\":[]}}}"), "{}", String::from_utf8_lossy(&json));
        }
    }
}
