//! What holds for every message, and the details of either encoding on small messages made for the purpose.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::sample::{Sample, Source};
use super::{Malformed, Message, Nested, decode_json, decode_proto, encode_json, encode_proto, enumeration, message};
use crate::{agent, executor, link, scheduler, v1};

enumeration! {
    /// For tests.
    pub enum Colour {
        /// First.
        Green "GREEN" = 3,
        /// Negative.
        Red "RED" = -1,
    }
}

message! {
    /// Every rule with every scalar.
    pub struct Everything {
        text: required String = 1,
        colour: required Colour = 2,
        double: optional f64 = 3,
        small: optional i32 = 4,
        big: optional u64 = 5,
        flag: default bool = 6 (true),
        r#type: optional Colour = 7,
        bytes: optional Bytes = 8,
        numbers: repeated u32 = 9,
        colours: repeated Colour = 10,
        inner: optional Inner = 11,
        inners: repeated Inner = 12,
        by_name: map Inner = 13,
        itself: optional Nested<Everything> = 200,
    }
    /// A message within.
    pub struct Inner {
        must: required i64 = 1,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn from_json(document: serde_json::Value) -> Result<Everything, String> {
    decode_json(document.to_string().as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn json_is_one_line_of_ascii_without_what_is_unset() {
    let mut everything = Everything { text: "Grüße\n🦀".into(), ..Everything::default() };
    assert_eq!(
        text(encode_json(&everything)),
        r#"{"text":"Gr\u00fc\u00dfe\n\ud83e\udd80","colour":"GREEN","flag":true}"#
    );
    everything = Everything {
        text: String::new(),
        colour: Colour::Red,
        double: Some(1_000.0),
        small: Some(-5),
        big: Some(u64::MAX),
        flag: false,
        r#type: Some(Colour::Red),
        bytes: Some(Bytes::from_static(b"\xff\x00")),
        numbers: vec![1, 2],
        colours: vec![Colour::Red, Colour::Green],
        inner: Some(Inner { must: i64::MIN }),
        inners: vec![Inner { must: 1 }],
        by_name: [("a".to_owned(), Inner { must: 2 })].into(),
        itself: None,
    };
    assert_eq!(
        text(encode_json(&everything)),
        r#"{"text":"","colour":"RED","double":1000.0,"small":-5,"big":18446744073709551615,"flag":false,"type":"RED","bytes":"/wA=","numbers":[1,2],"colours":["RED","GREEN"],"inner":{"must":-9223372036854775808},"inners":[{"must":1}],"by_name":{"a":{"must":2}}}"#
    );
}

#[test]
fn json_input_is_read_as_mesos_reads_it() {
    let document = json!({
        "text": "t", "colour": "RED", "unknown": {"deep": []}, "double": "-Infinity", "small": "-7", "big": 5.0, "flag": null,
        "type": "PURPLE", "bytes": "AAE=", "numbers": [1, "2"], "colours": ["PURPLE", "GREEN"], "inner": null,
        "by_name": {"x": {"must": 1}},
    });
    let expected = Everything {
        text: "t".into(),
        colour: Colour::Red,
        double: Some(f64::NEG_INFINITY),
        small: Some(-7),
        big: Some(5),
        bytes: Some(Bytes::from_static(&[0, 1])),
        numbers: vec![1, 2],
        colours: vec![Colour::Green],
        by_name: [("x".to_owned(), Inner { must: 1 })].into(),
        ..Everything::default()
    };
    assert_eq!(from_json(document).unwrap(), expected);
    let whole_double = from_json(json!({"text": "", "colour": "RED", "double": 60})).unwrap();
    assert_eq!(whole_double.double, Some(60.0));
}

#[test]
fn doubles_that_are_not_numbers_travel_as_text() {
    let nan = Everything { double: Some(f64::NAN), ..Everything::default() };
    let json = text(encode_json(&nan));
    assert!(json.contains(r#""double":"NaN""#), "{json}");
    let back: Everything = decode_json(json.as_bytes()).unwrap();
    assert!(back.double.is_some_and(f64::is_nan));
}

#[test]
fn json_errors_say_what_and_where() {
    let with = |name: &str, value: serde_json::Value| {
        let mut document = json!({"text": "", "colour": "RED"});
        document[name] = value;
        document
    };
    let cases = [
        (json!([1, 2]), "Expecting a JSON object"),
        (json!({}), "Missing required fields: text, colour"),
        (json!({"text": null, "colour": "RED"}), "Missing required fields: text"),
        (json!({"text": "", "colour": "PURPLE"}), "Failed to find enum for 'PURPLE'"),
        (json!({"text": 1, "colour": "RED"}), "Not expecting a JSON number for field 'text'"),
        (with("flag", json!("true")), "Not expecting a JSON string for field 'flag'"),
        (with("small", json!(2_147_483_648u32)), "Failed to convert '2147483648' to the type of field 'small'"),
        (with("small", json!(0.5)), "Failed to convert '0.5' to the type of field 'small'"),
        (with("small", json!("x")), "Failed to convert 'x' to the type of field 'small'"),
        (with("big", json!(-1)), "Failed to convert '-1' to the type of field 'big'"),
        (with("double", json!(true)), "Not expecting a JSON boolean for field 'double'"),
        (with("bytes", json!("=")), "Failed to base64 decode bytes field 'bytes': Invalid symbol 61, offset 0."),
        (with("inners", json!({})), "Not expecting a JSON object for field 'inners'"),
        (with("inners", json!([{"must": 1}, null])), "Not expecting a JSON null for field 'inners'"),
        (with("inners", json!([{"must": 1}, {}])), "Missing required fields: inners[1].must"),
        (with("by_name", json!({"k": {}})), "Missing required fields: by_name[k].must"),
        (
            with("itself", json!({"inner": {}})),
            "Missing required fields: itself.text, itself.colour, itself.inner.must",
        ),
    ];
    for (document, expected) in cases {
        let error = from_json(document.clone()).unwrap_err();
        assert_eq!(error, format!("Failed to convert JSON into Everything protobuf: {expected}"), "{document}");
    }
}

#[test]
fn syntax_errors_say_where() {
    let cases = [
        ("", "line 1 near: "),
        (r#"{"type": "#, "line 1 near: "),
        ("{\n\"a\": ?}", "line 2 near: ?}"),
        ("{} x", "line 1 near: x"),
        ("\u{feff}{}", "line 1 near: "),
    ];
    for (body, expected) in cases {
        let error = decode_json::<Everything>(body.as_bytes()).unwrap_err().to_string();
        let expected = format!("Failed to parse body into JSON: syntax error at {expected}");
        assert!(error.starts_with(&expected), "{body:?}: {error}");
    }
}

#[test]
fn a_hopeless_document_gets_a_short_answer() {
    let document = format!(r#"{{"text":"","colour":"RED","inners":[{}{{}}]}}"#, "{},".repeat(100_000));
    let error = decode_json::<Everything>(document.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 2_000, "{} bytes", error.len());
}

/// What another implementation would write, byte by byte.
#[test]
fn protobuf_is_what_the_specification_says() {
    let everything = Everything {
        text: "hi".into(),
        colour: Colour::Red,
        double: Some(1.0),
        small: Some(-2),
        big: Some(300),
        flag: false,
        r#type: Some(Colour::Green),
        bytes: Some(Bytes::from_static(b"\xff")),
        numbers: vec![1, 128],
        colours: vec![Colour::Green],
        inner: Some(Inner { must: 5 }),
        inners: vec![],
        by_name: [("k".to_owned(), Inner { must: 1 })].into(),
        itself: Some(Nested(Box::new(Everything { text: "y".repeat(130), ..Everything::default() }))),
    };
    let mut expected: Vec<u8> = vec![
        0x0a, 2, b'h', b'i', // 1: text
        0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, // 2: -1, sign-extended to 64 bits
        0x19, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, // 3: 1.0
        0x20, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, // 4: -2
        0x28, 0xac, 2, // 5: 300
        0x30, 0, // 6: false
        0x38, 3, // 7: GREEN
        0x42, 1, 0xff, // 8: bytes
        0x48, 1, 0x48, 0x80, 1, // 9: 1, 128
        0x50, 3, // 10: GREEN
        0x5a, 2, 0x08, 5, // 11: inner
        0x6a, 7, 0x0a, 1, b'k', 0x12, 2, 0x08, 1, // 13: an entry
        0xc2, 0x0c, 0x89, 1, // 200: 137 bytes
        0x0a, 0x82, 1, // 1: 130 bytes
    ];
    expected.extend([b'y'; 130]);
    expected.extend([0x10, 3, 0x30, 1]); // 2: GREEN; 6: true
    assert_eq!(encode_proto(&everything), expected);
    assert_eq!(decode_proto::<Everything>(&expected).unwrap(), everything);
}

#[test]
fn protobuf_input_may_be_written_differently() {
    let bytes = [
        &[0x08, 1][..],                                    // field 1 as a number: unknown
        &[0xfa, 0x3f, 3, 1, 2, 3, 0xfd, 0x3f, 1, 2, 3, 4], // 1023, bytes and fixed32: unknown
        &[0x10, 3, 0x10, 99],                              // GREEN, then a colour we do not know
        &[0x0a, 1, b'a', 0x0a, 1, b'b'],                   // twice: the last one counts
        &[0x4a, 3, 1, 0x80, 1],                            // numbers, packed
        &[0x52, 2, 3, 99],                                 // colours, packed, one unknown
        &[0x6a, 4, 0x12, 2, 0x08, 1],                      // an entry without key
        &[0x6a, 3, 0x0a, 1, b'k'],                         // an entry without value
        &[0x28, 0x80, 0x80, 0],                            // an overlong zero
    ]
    .concat();
    let expected = Everything {
        text: "b".into(),
        colour: Colour::Green,
        big: Some(0),
        numbers: vec![1, 128],
        colours: vec![Colour::Green],
        by_name: [(String::new(), Inner { must: 1 })].into(),
        ..Everything::default()
    };
    assert_eq!(decode_proto::<Everything>(&bytes).unwrap(), expected);
}

#[test]
fn protobuf_errors() {
    let cases: [(&[u8], Malformed); 13] = [
        (&[], Malformed::Missing { message: "Everything", field: "text" }),
        (&[0x0a, 0], Malformed::Missing { message: "Everything", field: "colour" }),
        (&[0x0a, 0, 0x10, 99], Malformed::Missing { message: "Everything", field: "colour" }),
        (&[0x5a, 0], Malformed::Missing { message: "Inner", field: "must" }),
        (&[0x0a], Malformed::Truncated),
        (&[0x0a, 5, b'a'], Malformed::Truncated),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Malformed::Truncated),
        (&[0x19, 0], Malformed::Truncated),
        (&[0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], Malformed::Varint),
        (&[0x00], Malformed::Tag),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], Malformed::WireType(7)),
        (&[0x0b], Malformed::WireType(3)),
        (&[0x0a, 1, 0xff], Malformed::Utf8),
    ];
    for (bytes, expected) in cases {
        match decode_proto::<Everything>(bytes) {
            Err(super::DecodeError::Proto { message: "Everything", source }) => {
                assert_eq!(source, expected, "{bytes:x?}")
            }
            other => panic!("{bytes:x?}: {other:?}"),
        }
    }
}

/// What one codec accepts the other one does too: what came in as JSON is kept as protobuf.
#[test]
fn nesting_ends_at_the_same_depth_in_both_codecs() {
    let nested = |times: usize| {
        let innermost = v1::ContainerId { value: "0".into(), parent: None };
        (0..times).fold(innermost, |id, _| v1::ContainerId { value: "n".into(), parent: Some(Nested(Box::new(id))) })
    };
    let deep = nested(32);
    assert_eq!(decode_json::<v1::ContainerId>(&encode_json(&deep)).unwrap(), deep);
    assert_eq!(decode_proto::<v1::ContainerId>(&encode_proto(&deep)).unwrap(), deep);
    let too_deep = nested(33);
    assert!(
        decode_json::<v1::ContainerId>(&encode_json(&too_deep))
            .unwrap_err()
            .to_string()
            .contains("contains its own type")
    );
    assert!(decode_proto::<v1::ContainerId>(&encode_proto(&too_deep)).is_err());
    assert!(decode_json::<v1::ContainerId>("[".repeat(1_000_000).as_bytes()).is_err());
}

/// Two bytes of input must not become hundreds of bytes of memory each.
#[test]
fn the_memory_of_lists_is_limited() {
    let too_many = (256 << 20) / size_of::<v1::OfferOperation>() + 1;
    let mut proto = Vec::with_capacity(2 * too_many);
    (0..too_many).for_each(|_| proto.extend([0x12, 0]));
    match decode_proto::<scheduler::Accept>(&proto) {
        Err(super::DecodeError::Proto { source, .. }) => {
            assert_eq!(source, Malformed::Limit(super::Exceeded::Elements));
        }
        other => panic!("{:?}", other.map(|accept| accept.operations.len())),
    }
    let json = format!("[{}0]", "0,".repeat(1 << 21));
    let error = decode_json::<scheduler::Accept>(json.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "Failed to parse body into JSON: more than 2097152 values");
}

fn round_trips<T: Message + Sample + PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned>(
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let message = T::sample(&mut Source(bytes));
    let proto = encode_proto(&message);
    prop_assert_eq!(&decode_proto::<T>(&proto).unwrap(), &message);
    let json = encode_json(&message);
    prop_assert!(json.is_ascii() && !json.contains(&b'\n'));
    prop_assert_eq!(&decode_json::<T>(&json).unwrap(), &message);
    prop_assert_eq!(&serde_json::from_slice::<T>(&json).unwrap(), &message);
    Ok(())
}

/// Garbage that was once a message: decoding it may succeed or fail, and what it gives can be written and read again.
fn survives<T: Message + Sample + PartialEq + std::fmt::Debug + serde::Serialize>(
    bytes: &[u8],
    damage: &[(u16, u8)],
) -> Result<(), TestCaseError> {
    let spoil = |mut encoded: Vec<u8>| {
        for (position, byte) in damage {
            let position = usize::from(*position) % (encoded.len() + 1);
            match encoded.get_mut(position) {
                Some(place) => *place = *byte,
                None => encoded.push(*byte),
            }
        }
        encoded
    };
    let message = T::sample(&mut Source(bytes));
    let read = [
        decode_proto::<T>(&spoil(encode_proto(&message))),
        decode_json::<T>(&spoil(encode_json(&message))),
        decode_proto::<T>(bytes),
        decode_json::<T>(bytes),
    ];
    for message in read.into_iter().flatten() {
        let again: T = decode_proto(&encode_proto(&message)).unwrap();
        // By their text, because NaN does not equal itself.
        prop_assert_eq!(encode_json(&again), encode_json(&message));
        let again: T = decode_json(&encode_json(&message)).unwrap();
        prop_assert_eq!(encode_json(&again), encode_json(&message));
    }
    Ok(())
}

/// The messages that between them contain all others.
macro_rules! all_messages {
    ($check:ident($($argument:expr),*)) => {
        $check::<Everything>($($argument),*)?;
        $check::<scheduler::Call>($($argument),*)?;
        $check::<scheduler::Event>($($argument),*)?;
        $check::<scheduler::ApiResult>($($argument),*)?;
        $check::<scheduler::OfferConstraints>($($argument),*)?;
        $check::<executor::Call>($($argument),*)?;
        $check::<executor::Event>($($argument),*)?;
        $check::<agent::Call>($($argument),*)?;
        $check::<agent::Response>($($argument),*)?;
        $check::<link::Call>($($argument),*)?;
        $check::<link::Event>($($argument),*)?;
        $check::<v1::FrameworkInfo>($($argument),*)?;
        $check::<v1::AgentInfo>($($argument),*)?;
        $check::<v1::MasterInfo>($($argument),*)?;
        $check::<v1::Offer>($($argument),*)?;
        $check::<v1::InverseOffer>($($argument),*)?;
        $check::<v1::OfferOperation>($($argument),*)?;
        $check::<v1::Operation>($($argument),*)?;
        $check::<v1::TaskInfo>($($argument),*)?;
        $check::<v1::Task>($($argument),*)?;
        $check::<v1::TaskStatus>($($argument),*)?;
        $check::<v1::CommandInfo>($($argument),*)?;
        $check::<v1::ContainerInfo>($($argument),*)?;
        $check::<v1::DiscoveryInfo>($($argument),*)?;
        $check::<v1::HealthCheck>($($argument),*)?;
        $check::<v1::CheckInfo>($($argument),*)?;
        $check::<v1::Resource>($($argument),*)?;
        $check::<v1::Value>($($argument),*)?;
        $check::<v1::MachineInfo>($($argument),*)?;
        $check::<v1::DrainInfo>($($argument),*)?;
        $check::<v1::WeightInfo>($($argument),*)?;
        $check::<v1::VersionInfo>($($argument),*)?;
        $check::<v1::Flag>($($argument),*)?;
        $check::<v1::Role>($($argument),*)?;
        $check::<v1::Metric>($($argument),*)?;
        $check::<v1::FileInfo>($($argument),*)?;
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_message_survives_both_codecs(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        all_messages!(round_trips(&bytes));
    }

    #[test]
    fn no_input_makes_a_decoder_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..1_000),
        damage in prop::collection::vec(any::<(u16, u8)>(), 1..4),
    ) {
        all_messages!(survives(&bytes, &damage));
    }
}
