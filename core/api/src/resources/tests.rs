//! Translation there and back, text, and every way to be refused.

use attica_allocator::{Resources, Role};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::message::sample::{Sample as _, Source};
use crate::v1::{DiskInfo, DiskSource, DiskSourceType, Resource, ValueType};

fn wire(document: Value) -> Vec<Resource> {
    serde_json::from_value(document).unwrap()
}

fn bag(document: Value) -> Resources {
    from_wire(&wire(document)).unwrap()
}

fn written(resources: &Resources, role: Option<&str>, format: ReservationFormat) -> Value {
    let role = role.map(|role| Role::new(role).unwrap());
    serde_json::to_value(to_wire(resources, role.as_ref(), format)).unwrap()
}

/// Offers of the same agent as Mesos writes them for clients of either kind.
#[test]
fn reservations_are_written_in_the_format_of_the_client() {
    let resources = bag(json!([
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}, "role": "web"},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 10}, "role": "web",
            "reservation": {"principal": "p", "labels": {"labels": [{"key": "k", "value": "v"}]}}},
    ]));
    let labels = json!({"labels": [{"key": "k", "value": "v"}]});
    assert_eq!(
        written(&resources, Some("web"), ReservationFormat::Legacy),
        json!([
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}, "role": "*", "allocation_info": {"role": "web"}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0}, "role": "web", "allocation_info": {"role": "web"}},
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 10.0}, "role": "web", "allocation_info": {"role": "web"},
                "reservation": {"principal": "p", "labels": labels}},
        ])
    );
    assert_eq!(
        written(&resources, None, ReservationFormat::Refined),
        json!([
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0}, "reservations": [{"type": "STATIC", "role": "web"}]},
            {"name": "disk", "type": "SCALAR", "scalar": {"value": 10.0},
                "reservations": [{"type": "DYNAMIC", "role": "web", "principal": "p", "labels": labels}]},
        ])
    );
}

#[test]
fn both_formats_of_the_same_reservation_make_the_same_bag() {
    let legacy = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "role": "a", "reservation": {}}]);
    let refined = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1},
        "reservations": [{"type": "DYNAMIC", "role": "a"}]}]);
    let both = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "role": "a",
        "reservations": [{"type": "DYNAMIC", "role": "a"}]}]);
    assert_eq!(bag(legacy), bag(refined.clone()));
    assert_eq!(bag(both), bag(refined));
}

#[test]
fn a_stack_of_reservations_comes_back() {
    let stack = json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "reservations": [
        {"type": "STATIC", "role": "a"}, {"type": "DYNAMIC", "role": "a/b", "principal": "p"}]}]);
    assert_eq!(written(&bag(stack.clone()), None, ReservationFormat::Refined), stack);
    assert_eq!(
        written(&bag(stack.clone()), None, ReservationFormat::Legacy),
        stack,
        "there is no other way to write it"
    );
}

#[test]
fn disks_revocable_and_shared_resources_come_back() {
    let special = json!([
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.0}, "revocable": {}},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 5.0},
            "reservations": [{"type": "DYNAMIC", "role": "a"}],
            "disk": {"persistence": {"id": "v1", "principal": "p"}, "volume": {"mode": "RW", "container_path": "data"}},
            "shared": {}},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 7.0}, "disk": {"source": {"type": "MOUNT", "mount": {"root": "/m"},
            "vendor": "x", "id": "i", "metadata": {"labels": [{"key": "k"}]}, "profile": "fast"}}},
        {"name": "disk", "type": "SCALAR", "scalar": {"value": 8.0}, "disk": {"source": {"type": "PATH", "path": {"root": "/p"}}}},
        {"provider_id": {"value": "csi"}, "name": "disk", "type": "SCALAR", "scalar": {"value": 9.0},
            "disk": {"source": {"type": "RAW"}}},
    ]);
    let resources = bag(special.clone());
    let again = to_wire(&resources, None, ReservationFormat::Refined);
    assert_eq!(again.len(), 5);
    for resource in wire(special) {
        assert!(again.contains(&resource), "{resource:?} is not in {again:?}");
    }
}

#[test]
fn equal_resources_add_up_and_empty_ones_disappear() {
    let ports = |begin: u64, end: u64| json!({"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": begin, "end": end}]}});
    let cpus = |value: f64| json!({"name": "cpus", "type": "SCALAR", "scalar": {"value": value}});
    let resources = bag(
        json!([ports(5, 6), cpus(0.1), ports(1, 4), cpus(0.2), {"name": "gpus", "type": "SCALAR", "scalar": {"value": 0}}]),
    );
    assert_eq!(resources.to_string(), "cpus:0.3;ports:[1-6]");
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let scalar = |mut more: Value| {
        more["name"] = json!("cpus");
        more["type"] = json!("SCALAR");
        more["scalar"] = json!({"value": 1});
        more
    };
    let reserved = |stack: Value| scalar(json!({"reservations": stack}));
    let cases = [
        (json!({"name": "", "type": "SCALAR"}), "its name is empty"),
        (json!({"name": "cpus", "type": "SCALAR"}), "its type demands the field 'scalar'"),
        (json!({"name": "cpus", "type": "RANGES"}), "its type demands the field 'ranges'"),
        (json!({"name": "cpus", "type": "SET"}), "its type demands the field 'set'"),
        (json!({"name": "cpus", "type": "TEXT", "text": {"value": "x"}}), "a resource is SCALAR, RANGES or SET"),
        (json!({"name": "cpus", "type": "SCALAR", "scalar": {"value": -1}}), "-1 is not a quantity"),
        (json!({"name": "cpus", "type": "SCALAR", "scalar": {"value": "NaN"}}), "NaN is not a quantity"),
        (json!({"name": "gpus", "type": "SCALAR", "scalar": {"value": 0.5}}), "given out whole, not 0.5"),
        (
            json!({"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 2, "end": 1}]}}),
            "[2-1] is not a range",
        ),
        (scalar(json!({"role": "/x"})), "role '/x' must not begin or end with a slash"),
        (scalar(json!({"reservation": {}})), "'*' cannot have a reservation"),
        (scalar(json!({"role": "a", "reservation": {"role": "a"}})), "'reservation.role' belongs into 'reservations'"),
        (scalar(json!({"role": "a", "reservation": {"type": "DYNAMIC"}})), "'reservation.type' belongs into"),
        (reserved(json!([{"role": "a"}])), "a reservation is STATIC or DYNAMIC"),
        (reserved(json!([{"type": "UNKNOWN", "role": "a"}])), "a reservation is STATIC or DYNAMIC"),
        (reserved(json!([{"type": "DYNAMIC"}])), "a reservation has no role"),
        (reserved(json!([{"type": "DYNAMIC", "role": "*"}])), "'*' cannot have a reservation"),
        (
            reserved(json!([{"type": "DYNAMIC", "role": "a"}, {"type": "DYNAMIC", "role": "ab"}])),
            "the reservation for 'ab' does not refine the one for 'a'",
        ),
        (
            reserved(json!([{"type": "DYNAMIC", "role": "a"}, {"type": "DYNAMIC", "role": "a"}])),
            "the reservation for 'a' does not refine the one for 'a'",
        ),
        (
            reserved(json!([{"type": "STATIC", "role": "a"}, {"type": "STATIC", "role": "a/b"}])),
            "the reservation for 'a/b' refines another",
        ),
        (scalar(json!({"role": "b", "reservations": [{"type": "STATIC", "role": "a"}]})), "'role' contradicts"),
        (
            scalar(json!({"reservation": {}, "reservations": [{"type": "STATIC", "role": "a"}]})),
            "'reservation' contradicts",
        ),
        (scalar(json!({"disk": {"source": {"type": "UNKNOWN"}}})), "the source of the disk has no type"),
        (
            scalar(json!({"disk": {"volume": {"mode": "RW", "container_path": "p", "image": {"type": "DOCKER"}}}})),
            "the volume of a disk cannot have 'image'",
        ),
        (
            scalar(json!({"disk": {"volume": {"mode": "RW", "container_path": "p", "source": {}}}})),
            "the volume of a disk cannot have 'source'",
        ),
    ];
    for (bad, expected) in cases {
        let good = json!({"name": "mem", "type": "SCALAR", "scalar": {"value": 1}});
        let error = from_wire(&wire(json!([good, bad]))).unwrap_err();
        assert_eq!(error.index, 1);
        assert!(error.to_string().contains(expected), "{bad}: {error}");
    }
}

#[test]
fn the_allocation_role_is_one_or_none() {
    let allocated = |roles: &[Option<&str>]| {
        let one = |role: &Option<&str>| match role {
            Some(role) => {
                json!({"name": "cpus", "type": "SCALAR", "allocation_info": {"role": role}})
            }
            None => json!({"name": "cpus", "type": "SCALAR"}),
        };
        wire(roles.iter().map(one).collect())
    };
    assert_eq!(allocation_role(&[]), Ok(None));
    assert_eq!(allocation_role(&allocated(&[None, None])), Ok(None));
    assert_eq!(allocation_role(&allocated(&[Some("a"), Some("a")])), Ok(Some("a")));
    let mixed = allocation_role(&allocated(&[Some("a"), Some("b")])).unwrap_err();
    assert_eq!(mixed.to_string(), "resources are allocated to more than one role: 'a' and 'b'");
    assert!(allocation_role(&allocated(&[Some("a"), None])).is_err());
}

#[test]
fn text_describes_resources() {
    let any = Role::any();
    let text = "cpus:24;mem: 24576 ;ports:[21000-24000, 30000-34000];bugs(debug_role):{a,b, c};";
    let resources = parse(text, &any).unwrap();
    assert_eq!(
        serde_json::to_value(&resources).unwrap(),
        json!([
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 24.0}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 24576.0}},
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 21000, "end": 24000}, {"begin": 30000, "end": 34000}]}},
            {"name": "bugs", "type": "SET", "set": {"item": ["a", "b", "c"]},
                "reservations": [{"type": "STATIC", "role": "debug_role"}]},
        ])
    );
    let bag = from_wire(&resources).unwrap().to_string();
    assert_eq!(bag, "cpus:24;mem:24576;ports:[21000-24000,30000-34000];bugs(debug_role):{a,b,c}");
    assert_eq!(parse("", &any).unwrap(), []);
}

#[test]
fn the_default_role_is_for_what_names_none() {
    let web = Role::new("web").unwrap();
    let resources = parse("cpus:1;cpus(db):2;cpus(*):4", &web).unwrap();
    assert_eq!(from_wire(&resources).unwrap().to_string(), "cpus:4;cpus(db):2;cpus(web):1");
}

#[test]
fn json_describes_resources_too() {
    let text = r#" [{"name":"cpus","type":"SCALAR","scalar":{"value":2}},
        {"name":"disk","type":"SCALAR","scalar":{"value":9},"role":"a","disk":{"source":{"type":"PATH","path":{"root":"/d"}}}}]"#;
    let resources = parse(text, &Role::any()).unwrap();
    assert_eq!(resources.len(), 2);
    assert_eq!(from_wire(&resources).unwrap().to_string(), "cpus:2;disk(a):9");
}

#[test]
fn malformed_resources_are_refused_with_the_place() {
    let cases = [
        ("cpus", "in 'cpus': expected name:value"),
        ("mem:1;:4", "in ':4': the name is empty"),
        ("(role):4", "in '(role):4': the name is empty"),
        ("cpus:", "in 'cpus:': the value is empty"),
        ("cpus(role:4", "in 'cpus(role:4': expected name(role):value"),
        ("cpus:many", "in 'cpus:many': expected a number, [ranges] or a {set}, found 'many'"),
        ("cpus:inf", "in 'cpus:inf': expected a number"),
        ("ports:[1-2", "in 'ports:[1-2': expected ranges like"),
        ("ports:[2-1]", "in 'ports:[2-1]': expected ranges like"),
        ("ports:[1]", "in 'ports:[1]': expected ranges like"),
        ("ports:[1-99999999999999999999]", "expected ranges like"),
        ("bugs:{a", "in 'bugs:{a': expected a set like {a,b}, found '{a'"),
        ("cpus:-4", "resource 'cpus' (number 0 of the list) is invalid: -4 is not a quantity"),
        ("cpus(/x):4", "role '/x' must not begin or end with a slash"),
        ("[{]", "expected a JSON array of resources: "),
        (r#"[{"name":"cpus"}]"#, "expected a JSON array of resources: Missing required fields: type"),
        ("[1]", "expected a JSON array of resources: Expecting a JSON object"),
    ];
    for (text, expected) in cases {
        let error = parse(text, &Role::any()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn text_describes_attributes() {
    let attributes = parse_attributes("rack:abc;level:10;keys:[1000-1500];url:http://x:1/;version:1.2.3").unwrap();
    assert_eq!(
        serde_json::to_value(&attributes).unwrap(),
        json!([
            {"name": "rack", "type": "TEXT", "text": {"value": "abc"}},
            {"name": "level", "type": "SCALAR", "scalar": {"value": 10.0}},
            {"name": "keys", "type": "RANGES", "ranges": {"range": [{"begin": 1000, "end": 1500}]}},
            {"name": "url", "type": "TEXT", "text": {"value": "http://x:1/"}},
            {"name": "version", "type": "TEXT", "text": {"value": "1.2.3"}},
        ])
    );
    for (text, expected) in [
        ("rack", "in 'rack': expected name:value"),
        ("a:b;:c", "in ':c': the name is empty"),
        ("rack:{a,b}", "in 'rack:{a,b}': an attribute is a number, [ranges] or a text, not a set"),
    ] {
        assert_eq!(parse_attributes(text).unwrap_err().to_string(), expected);
    }
}

proptest! {
    /// Whatever a client sends is refused or comes back the same from the allocator's form, in either format.
    #[test]
    fn any_resources_are_refused_or_come_back(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut source = Source(&bytes);
        let mut resources: Vec<Resource> = (0..3).map(|_| Resource::sample(&mut source)).collect();
        // Made up freely, hardly any resource would be valid.
        for (index, resource) in resources.iter_mut().enumerate() {
            resource.name.push_str(["cpus", "mem", "disk"][index]);
            resource.r#type = ValueType::Scalar;
            resource.scalar = Some(crate::v1::Scalar { value: source.below(3_000) as f64 / 1_000.0 });
            resource.role = ["*", "a", "a/b"].get(source.below(4)).map(|role| (*role).to_owned());
            resource.reservations.iter_mut().for_each(|reservation| reservation.role = Some("a/b/c".into()));
            if let Some(disk) = &mut resource.disk {
                let DiskInfo { volume, source, .. } = &mut **disk;
                volume.iter_mut().for_each(|volume| (volume.image, volume.source) = (None, None));
                *source = source.take().filter(|DiskSource { r#type, .. }| *r#type != DiskSourceType::Unknown);
            }
        }
        if let Ok(bag) = from_wire(&resources) {
            for format in [ReservationFormat::Legacy, ReservationFormat::Refined] {
                prop_assert_eq!(from_wire(&to_wire(&bag, None, format)), Ok(bag.clone()));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in r#"[a-z0-9:;,.\[\]{}()*\-" \n…]{0,60}"#) {
        if let Ok(resources) = parse(&text, &Role::any()) {
            prop_assert!(from_wire(&resources).is_ok());
        }
        let _ = parse_attributes(&text);
    }
}
