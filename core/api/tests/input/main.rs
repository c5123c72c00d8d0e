//! The bodies of the fuzz targets on generated input: random bytes, and valid input with something changed in it.

mod bodies;

use attica_core_api::recordio;
use proptest::prelude::*;

const CALLS: [&str; 4] = [
    r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"n","roles":["a/b"],"capabilities":[{"type":"MULTI_ROLE"}],"failover_timeout":1e3}}}"#,
    r#"{"framework_id":{"value":"f"},"type":"ACCEPT","accept":{"offer_ids":[{"value":"o"}],"operations":[{"type":"RESERVE","id":{"value":"i"},"reserve":{"resources":[{"name":"disk","type":"SCALAR","scalar":{"value":1.5},"reservations":[{"type":"DYNAMIC","role":"a"}]}]}}],"filters":{"refuse_seconds":"Infinity"}}}"#,
    r#"{"framework_id":{"value":"f"},"type":"ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"AAECAwQFBgcICQoLDA0ODw=="}}"#,
    r#"{"type":"LIST_FILES","list_files":{"path":"/"}}"#,
];
const RESOURCES: [&str; 3] = [
    "cpus:24;mem:24576;ports:[21000-24000,30000-34000];bugs(debug_role):{a,b,c}",
    r#"[{"name":"disk","type":"SCALAR","scalar":{"value":10},"reservations":[{"type":"STATIC","role":"a"},{"type":"DYNAMIC","role":"a/b"}]}]"#,
    "cpus:0.001;gpus:2",
];
const ATTRIBUTES: [&str; 2] = ["rack:abc;level:10;keys:[1000-1500]", "a:{x,y};b:-1.5"];

/// Valid input with a few bytes replaced, inserted or cut off.
fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (prop::sample::select(seeds), prop::collection::vec(change, 0..6)).prop_map(|(mut input, changes)| {
        for (at, byte, how) in changes {
            if input.is_empty() {
                break;
            }
            let at = at.index(input.len());
            match how {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => input.truncate(at),
            }
        }
        input
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

fn in_proto() -> Vec<Vec<u8>> {
    let call = |text: &&str| attica_core_api::decode_json::<attica_core_api::scheduler::Call>(text.as_bytes());
    CALLS.iter().filter_map(|text| call(text).ok()).map(|call| attica_core_api::encode_proto(&call)).collect()
}

fn in_records() -> Vec<Vec<u8>> {
    let stream = |part: &str| [b"\x07".to_vec(), recordio::encode(part.as_bytes()).to_vec().repeat(3)].concat();
    CALLS.iter().map(|call| stream(call)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn json(input in prop_oneof![damaged(texts(&CALLS)), bytes()]) {
        bodies::json(&input);
    }

    #[test]
    fn proto(input in prop_oneof![damaged(in_proto()), bytes()]) {
        bodies::proto(&input);
    }

    #[test]
    fn recordio_in_any_chunks(input in prop_oneof![damaged(in_records()), bytes()]) {
        bodies::recordio(&input);
    }

    #[test]
    fn resources(input in prop_oneof![damaged(texts(&RESOURCES)), bytes()]) {
        bodies::resources(&input);
    }

    #[test]
    fn attributes(input in prop_oneof![damaged(texts(&ATTRIBUTES)), bytes()]) {
        bodies::attributes(&input);
    }
}
