//! What frameworks say about themselves and want to be offered; and what they are asked to leave.

use attica_allocator::Role;
use attica_core_api::operator::{Schedule, Window};
use attica_core_api::scheduler::OfferConstraints;
use attica_core_api::v1::{
    AgentAbilities, Attribute, DomainInfo, FaultDomain, MachineId, RegionInfo, Text, TimeInfo, Unavailability,
    ValueType, WeightInfo, ZoneInfo,
};
use expect_test::expect;

use super::super::Order;
use super::*;

fn update(info: &str, more: &str) -> String {
    format!(
        r#"{{"type":"UPDATE_FRAMEWORK","framework_id":{{"value":"m1-0000"}},"update_framework":{{"framework_info":{{
            "id":{{"value":"m1-0000"}},{info}}}{more}}}}}"#
    )
}

fn described(user: &str, roles: &str, more: &str) -> String {
    format!(
        r#""user":"{user}","name":"new","roles":[{roles}],"capabilities":[{{"type":"MULTI_ROLE"}},{{"type":"PARTITION_AWARE"}},
            {{"type":"RESERVATION_REFINEMENT"}}]{more}"#
    )
}

#[test]
fn a_framework_describes_itself_anew_without_a_new_stream() {
    let mut scene = stage();
    let both = described("root", r#""golden","other""#, r#","failover_timeout":5"#);
    assert_eq!(scene.call("s1", &update(&both, r#","suppressed_roles":["other"]"#)), Reply::Accepted);
    assert_eq!(scene.said(), "");
    // The role goes, and its offers with it; the one that is left may have them.
    scene.call("s1", &update(&described("root", r#""other""#, ""), ""));
    expect![[r#"
        s1 RESCIND m1-O0
        s1 OFFERS m1-O1"#]]
    .assert_eq(&scene.said());
    let record = &scene.snapshot.frameworks[&FrameworkId::new("m1-0000")];
    assert_eq!((record.info.name.as_str(), record.info.roles.as_slice()), ("new", &["other".to_owned()][..]));
}

#[test]
fn what_cannot_change_is_refused() {
    let mut scene = stage();
    let golden = r#""golden""#;
    let calls = [
        update(&described("other", golden, ""), ""),
        update(&described("root", golden, r#","checkpoint":true"#), ""),
        update(&described("root", golden, r#","principal":"p""#), ""),
        update(&described("root", r#""/bad""#, ""), ""),
        update(&described("root", golden, r#","failover_timeout":-1"#), ""),
        update(&described("root", golden, r#","offer_filters":{"x":{}}"#), ""),
        update(&described("root", golden, ""), r#","suppressed_roles":["x"]"#),
        update(&described("root", golden, ""), r#","offer_constraints":{"role_constraints":{"x":{}}}"#),
    ];
    let answers = calls.map(|call| match scene.call("s1", &call) {
        Reply::Refused(refusal) => format!("{} {refusal}", refusal.status()),
        Reply::Accepted => "accepted".to_owned(),
    });
    expect![[r#"
        400 Updating 'FrameworkInfo.user' is unsupported
        400 Updating 'FrameworkInfo.checkpoint' is unsupported
        400 Updating 'FrameworkInfo.principal' is unsupported
        400 'FrameworkInfo' is not valid: 'FrameworkInfo.roles' contains invalid role: Role '/bad' cannot start with a slash
        400 'FrameworkInfo' is not valid: 'FrameworkInfo.failover_timeout' must not be negative, but is -1
        400 'FrameworkInfo' is not valid: 'FrameworkInfo.offer_filters' names role 'x', which the framework is not in
        400 'FrameworkInfo' is not valid: Suppressed role 'x' is not among the framework's roles
        400 Offer constraints are given for role 'x', which the framework is not in"#]]
    .assert_eq(&answers.join("\n"));
    assert_eq!(scene.said(), "");
}

fn text(name: &str, value: &str) -> Attribute {
    Attribute {
        name: name.to_owned(),
        r#type: ValueType::Text,
        text: Some(Text { value: value.to_owned() }),
        ..Attribute::default()
    }
}

fn level(value: f64) -> Attribute {
    let scalar = Some(attica_core_api::v1::Scalar { value });
    Attribute { name: "level".to_owned(), r#type: ValueType::Scalar, scalar, ..Attribute::default() }
}

fn register_info(scene: &mut Scene, link: &str, info: AgentInfo) {
    let digest = link::TaskDigest::default().to_bytes();
    let register = link::Register { agent_info: info, task_digest: digest, ..link::Register::default() };
    scene.agent_call(link, link::Call::register(register));
}

fn subscribe(scene: &mut Scene, constraints: &str) {
    let constraints: OfferConstraints = decode_json(constraints.as_bytes()).expect("constraints");
    let subscribe =
        Subscribe { framework_info: framework_info(), offer_constraints: Some(constraints), ..Subscribe::default() };
    scene.apply(Input::Subscribe { stream: StreamId::new("s1"), subscribe: Box::new(subscribe) }).settle();
}

fn golden(groups: &[&[&str]]) -> String {
    let group = |all: &&[&str]| format!(r#"{{"attribute_constraints":[{}]}}"#, all.join(","));
    let groups: Vec<String> = groups.iter().map(group).collect();
    format!(r#"{{"role_constraints":{{"golden":{{"groups":[{}]}}}}}}"#, groups.join(","))
}

#[test]
fn constraints_decide_which_agents_are_offered() {
    let on = |selector: &str, predicate: &str| format!(r#"{{"selector":{{{selector}}},"predicate":{{{predicate}}}}}"#);
    let rack = r#""attribute_name":"rack""#;
    let level_of = r#""attribute_name":"level""#;
    let host = r#""pseudoattribute_type":"HOSTNAME""#;
    let cases = [
        (on(rack, r#""exists":{}"#), true),
        (on(rack, r#""not_exists":{}"#), false),
        (on(r#""attribute_name":"none""#, r#""not_exists":{}"#), true),
        (on(rack, r#""text_equals":{"value":"r1"}"#), true),
        (on(rack, r#""text_equals":{"value":"r2"}"#), false),
        (on(r#""attribute_name":"none""#, r#""text_equals":{"value":"r2"}"#), false),
        (on(rack, r#""text_not_equals":{"value":"r1"}"#), false),
        (on(r#""attribute_name":"none""#, r#""text_not_equals":{"value":"r1"}"#), true),
        (on(rack, r#""text_matches":{"regex":"r[0-9]"}"#), true),
        (on(rack, r#""text_matches":{"regex":"r"}"#), false),
        (on(rack, r#""text_not_matches":{"regex":"r|x"}"#), true),
        (on(level_of, r#""text_equals":{"value":"2"}"#), true),
        (on(level_of, r#""text_not_matches":{"regex":".*"}"#), true),
        (on(host, r#""text_matches":{"regex":"127\\..*"}"#), true),
        (on(r#""pseudoattribute_type":"REGION""#, r#""exists":{}"#), false),
    ];
    for (constraint, wanted) in &cases {
        let mut scene = Scene::new();
        subscribe(&mut scene, &golden(&[&[constraint]]));
        let info = AgentInfo { attributes: vec![text("rack", "r1"), level(1.0)], ..agent_info(None) };
        register_info(&mut scene, "l1", info);
        assert_eq!(scene.said().contains("OFFERS"), *wanted, "{constraint}");
    }
    // Groups are alternatives, what is in a group belongs together.
    let (yes, no) = (cases[0].0.as_str(), cases[1].0.as_str());
    for (groups, wanted) in [(golden(&[&[yes, no], &[yes]]), true), (golden(&[&[yes, no], &[no]]), false)] {
        let mut scene = Scene::new();
        let info = AgentInfo { attributes: vec![text("rack", "r1")], ..agent_info(None) };
        register_info(&mut scene, "l1", info);
        subscribe(&mut scene, &groups);
        assert_eq!(scene.said().contains("OFFERS"), wanted, "{groups}");
    }
}

#[test]
fn constraints_follow_the_agent_and_the_framework() {
    let r2 = golden(&[&[r#"{"selector":{"attribute_name":"rack"},"predicate":{"text_equals":{"value":"r2"}}}"#]]);
    let mut scene = Scene::new();
    subscribe(&mut scene, &r2);
    register_info(&mut scene, "l1", AgentInfo { attributes: vec![text("rack", "r1")], ..agent_info(None) });
    assert!(!scene.said().contains("OFFERS"));
    let moved = AgentInfo { attributes: vec![text("rack", "r2")], ..agent_info(Some("m1-S0")) };
    register_info(&mut scene, "l2", moved);
    assert!(scene.said().contains("OFFERS"));
    let back = AgentInfo { attributes: vec![text("rack", "r1")], ..agent_info(Some("m1-S0")) };
    register_info(&mut scene, "l3", back);
    assert!(!scene.said().contains("OFFERS"));
    scene.call("s1", &update(&described("root", r#""golden""#, ""), ""));
    assert!(scene.said().contains("OFFERS"));
}

#[test]
fn constraints_that_make_no_sense_refuse_the_subscription() {
    let long = "x".repeat(5_000);
    let regex = |pattern: &str| {
        golden(&[&[&format!(
            r#"{{"selector":{{"attribute_name":"a"}},"predicate":{{"text_matches":{{"regex":"{pattern}"}}}}}}"#
        )]])
    };
    let both = r#"{"selector":{"attribute_name":"a","pseudoattribute_type":"ZONE"},"predicate":{"exists":{}}}"#;
    let two = r#"{"selector":{"attribute_name":"a"},"predicate":{"exists":{},"not_exists":{}}}"#;
    let wrong = [
        golden(&[]),
        golden(&[&[]]),
        golden(&[&[both]]),
        golden(&[&[two]]),
        regex("("),
        regex(&long),
        regex("(.{500}){500}"),
    ];
    for constraints in wrong {
        let mut scene = Scene::new();
        subscribe(&mut scene, &constraints);
        let said = scene.said();
        assert!(said.starts_with("s1 ERROR ") && said.ends_with("s1 (closed)"), "{said}");
    }
}

#[test]
fn a_framework_says_what_an_offer_is_worth() {
    let filters = |cpus: u32| {
        let info = format!(
            r#","offer_filters":{{"golden":{{"min_allocatable_resources":{{"quantities":[{{"quantities":{{"cpus":{{"value":{cpus}}}}}}}]}}}}}}"#
        );
        update(&described("root", r#""golden""#, &info), "")
    };
    let mut scene = Scene::new();
    scene.subscribe("s1", framework_info());
    scene.call("s1", &filters(2_000));
    scene.register("l1", None, &[]);
    assert!(!scene.said().contains("OFFERS"));
    scene.call("s1", &filters(1_000));
    assert!(scene.said().contains("OFFERS"));
}

#[test]
fn agents_of_another_region_are_for_those_who_know() {
    let domain = |region: &str| DomainInfo {
        fault_domain: Some(FaultDomain {
            region: RegionInfo { name: region.to_owned() },
            zone: ZoneInfo { name: "z".to_owned() },
        }),
    };
    let mut aware = framework_info();
    aware.capabilities.push(FrameworkCapability { r#type: Some(FrameworkCapabilityType::RegionAware) });
    for (master, agent, info, wanted) in [
        (Some("here"), Some("here"), framework_info(), "OFFERS"),
        (Some("here"), None, framework_info(), "OFFERS"),
        (Some("here"), Some("there"), framework_info(), "REGISTERED"),
        (Some("here"), Some("there"), aware, "OFFERS"),
        (None, Some("there"), framework_info(), "closed: the registration is not valid: it stands in region 'there'"),
    ] {
        let mut scene = Scene::new();
        let mut master_info = (*scene.kernel.config.master_info).clone();
        master_info.domain = master.map(domain);
        scene.kernel.config.master_info = std::sync::Arc::new(master_info);
        scene.subscribe("s1", info);
        register_info(&mut scene, "l1", AgentInfo { domain: agent.map(domain), ..agent_info(None) });
        let said = scene.said();
        assert!(said.contains(wanted) && (wanted == "OFFERS") == said.contains("OFFERS"), "{agent:?}: {said}");
    }
}

#[test]
fn offers_say_what_their_agents_can_do() {
    let abilities = AgentAbilities { launcher: true, mounts: true, ..AgentAbilities::default() };
    for told in [Some(Box::new(abilities)), None] {
        let mut scene = Scene::new();
        scene.subscribe("s1", framework_info());
        register_info(&mut scene, "l1", AgentInfo { abilities: told.clone(), ..agent_info(None) });
        let offers = |send: Send| match send {
            Send::Scheduler { event, .. } => event.offers.map(|offers| offers.offers).unwrap_or_default(),
            Send::CloseScheduler { .. } | Send::Agent { .. } | Send::CloseAgent { .. } => Vec::new(),
        };
        let offered: Vec<_> = scene.said.drain(..).flat_map(offers).map(|offer| offer.abilities).collect();
        assert_eq!(offered, [told]);
    }
}

#[test]
fn an_agent_without_a_region_is_turned_away_where_one_is_required() {
    let mut scene = Scene::new();
    scene.kernel.config.require_agent_domain = true;
    register_info(&mut scene, "l1", agent_info(None));
    assert!(scene.said().contains("closed: the registration is not valid: it does not say in which fault domain"));
}

#[test]
fn a_list_of_roles_keeps_others_out() {
    let mut scene = Scene::new();
    scene.kernel.config.roles = Some([Role::new("a").unwrap()].into());
    for (role, wanted) in
        [("*", "SUBSCRIBED"), ("a", "SUBSCRIBED"), ("b", "Role 'b' is not present in the master's --roles")]
    {
        scene.subscribe(role, FrameworkInfo { roles: vec![role.to_owned()], ..framework_info() });
        let said = scene.said();
        assert!(said.contains(wanted), "{role}: {said}");
    }
}

#[test]
fn the_first_weights_count_until_others_are_set() {
    let mut scene = Scene::new();
    let weights = |weight| vec![WeightInfo { weight, role: Some("a".to_owned()) }];
    for (first, wanted) in [(2.0, 2.0), (3.0, 2.0)] {
        scene.apply(Input::FirstWeights { weights: weights(first) });
        assert_eq!(scene.kernel.weights.get("a"), Some(&wanted));
    }
}

#[test]
fn an_agent_that_speaks_tls_is_offered_with_its_scheme() {
    for (scheme, wanted) in [(None, "http"), (Some("https"), "https")] {
        let mut scene = Scene::new();
        scene.subscribe("s1", framework_info());
        register_info(&mut scene, "l1", AgentInfo { scheme: scheme.map(str::to_owned), ..agent_info(None) });
        let offers = scene.said.iter().find_map(|send| match send {
            Send::Scheduler { event, .. } => event.offers.as_ref(),
            _other => None,
        });
        assert_eq!(offers.unwrap().offers[0].url.as_ref().unwrap().scheme, wanted);
    }
}

/// An agent is to go away, or stays after all.
fn schedule(scene: &mut Scene, start: Option<i64>) {
    let window = |nanoseconds| Window {
        machine_ids: vec![MachineId { hostname: Some("127.0.0.1".to_owned()), ..MachineId::default() }],
        unavailability: Unavailability { start: TimeInfo { nanoseconds }, ..Unavailability::default() },
    };
    let schedule = Schedule { windows: start.map(window).into_iter().collect() };
    let order = Box::new(Order::UpdateMaintenanceSchedule { schedule });
    scene.apply(Input::Order { order, reply: ReplyTo(3) }).settle();
}

#[test]
fn whoever_uses_an_agent_that_goes_away_is_asked_to_leave() {
    let answer = |kind: &str, id: &str| {
        format!(
            r#"{{"type":"{kind}_INVERSE_OFFERS","framework_id":{{"value":"m1-0000"}},"{}_inverse_offers":{{"inverse_offer_ids":[{{"value":"{id}"}}],"filters":{{"refuse_seconds":60}}}}}}"#,
            kind.to_lowercase()
        )
    };
    let mut scene = running();
    scene.subscribe("s2", framework_info());
    scene.said();
    schedule(&mut scene, Some(7));
    schedule(&mut scene, Some(7));
    assert_eq!(scene.call("s1", &answer("DECLINE", "m1-I0")), Reply::Accepted);
    scene.call("s1", &answer("ACCEPT", "m1-I0"));
    scene.pass(59_000);
    assert_eq!(scene.said().matches("INVERSE_OFFERS").count(), 1, "one question, and none while it is refused");
}

#[test]
fn questions_are_repeated_to_new_schedulers_and_withdrawn_with_the_reason() {
    let mut scene = running();
    schedule(&mut scene, Some(7));
    assert!(scene.said().contains("s1 INVERSE_OFFERS m1-I0"));
    scene.subscribe("s2", with_id("m1-0000"));
    assert!(scene.said().contains("s2 INVERSE_OFFERS m1-I1"));
    schedule(&mut scene, None);
    assert!(scene.said().contains("s2 RESCIND_INVERSE_OFFER m1-I1"));
}
