//! What makes a call complete, and what its records are.

use super::*;
use crate::{decode_json, encode_json};

fn command(json: &str) -> Result<Command, Invalid> {
    decode_json::<Call>(json.as_bytes()).unwrap().into_command()
}

#[test]
fn a_call_without_its_member_is_refused_by_name() {
    assert_eq!(command("{}"), Err(Invalid::Absent("type")));
    assert_eq!(command(r#"{"type":"UNKNOWN"}"#), Err(Invalid::UnknownType));
    let needs_nothing = CallType::ALL.iter().filter(|kind| {
        let call = Call { r#type: Some(**kind), ..Call::default() };
        match call.into_command() {
            Ok(_) => true,
            Err(Invalid::Absent(member)) => {
                assert_eq!(member, kind.name().to_ascii_lowercase());
                false
            }
            Err(Invalid::UnknownType) => false,
            Err(other) => panic!("{other}"),
        }
    });
    assert_eq!(needs_nothing.count(), 17, "ten GETs, GET_CONTAINERS, the four of resource providers, PRUNE_IMAGES");
}

#[test]
fn container_ids_are_names_and_nested_ones_have_parents() {
    let wait = |id: &str| command(&format!(r#"{{"type":"WAIT_CONTAINER","wait_container":{{"container_id":{id}}}}}"#));
    assert!(wait(r#"{"value":"a","parent":{"value":"b"}}"#).is_ok());
    for bad in [r#"{"value":""}"#, r#"{"value":"a/b"}"#, r#"{"value":"a","parent":{"value":".."}}"#] {
        assert!(matches!(wait(bad), Err(Invalid::ContainerId { .. })), "{bad}");
    }
    let nested = |depth: usize| {
        let inner = r#"{"value":"x","parent":"#.repeat(depth - 1);
        wait(&format!(r#"{inner}{{"value":"x"}}{}"#, "}".repeat(depth - 1)))
    };
    assert!(nested(NESTING_MAX).is_ok());
    assert_eq!(nested(NESTING_MAX + 1), Err(Invalid::Depth { member: "wait_container" }));
    let top = r#"{"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"container_id":{"value":"a"}}}"#;
    assert_eq!(command(top), Err(Invalid::Absent("wait_nested_container.container_id.parent")));
    let resources = r#"{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"a","parent":{"value":"b"}},
        "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}}"#;
    assert_eq!(command(resources), Err(Invalid::ResourcesOfNested));
}

#[test]
fn records_of_streams_look_as_in_mesos() {
    let text = |record: &ProcessIo| String::from_utf8(encode_json(record)).unwrap();
    let piece = ProcessIo::piece(ProcessIoDataType::Stdout, bytes::Bytes::from_static(b"hi\n"));
    assert_eq!(text(&piece), r#"{"type":"DATA","data":{"type":"STDOUT","data":"aGkK"}}"#);
    assert_eq!(
        text(&ProcessIo::heartbeat(30_000)),
        r#"{"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{"interval":{"nanoseconds":30000000000}}}}"#
    );
}
