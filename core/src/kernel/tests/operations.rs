//! Reservations and volumes: made, undone, reported, and there after a change of leader.

use attica_core_api::link::{Call, OperationStatus as Answer};
use attica_core_api::v1::OperationState;
use expect_test::expect;

use super::super::Order;
use super::*;

fn disk(mb: u32, more: &str) -> String {
    format!(r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":{mb}}}{more}}}"#)
}

const RESERVED: &str = r#","reservations":[{"type":"DYNAMIC","role":"golden"}]"#;

fn volume(mb: u32, id: &str, more: &str) -> String {
    let disk_info =
        format!(r#","disk":{{"persistence":{{"id":"{id}"}},"volume":{{"container_path":"data","mode":"RW"}}}}{more}"#);
    disk(mb, &format!("{RESERVED}{disk_info}"))
}

fn operation(kind: &str, id: &str, member: &str) -> String {
    let feedback = if id.is_empty() { String::new() } else { format!(r#""id":{{"value":"{id}"}},"#) };
    format!(r#"{{"type":"{kind}",{feedback}"{}":{{{member}}}}}"#, kind.to_lowercase())
}

fn reserve(id: &str, mb: u32) -> String {
    operation("RESERVE", id, &format!(r#""resources":[{}]"#, disk(mb, RESERVED)))
}

fn unreserve(id: &str, mb: u32) -> String {
    operation("UNRESERVE", id, &format!(r#""resources":[{}]"#, disk(mb, RESERVED)))
}

fn create(id: &str, mb: u32, name: &str) -> String {
    operation("CREATE", id, &format!(r#""volumes":[{}]"#, volume(mb, name, "")))
}

fn destroy(id: &str, mb: u32, name: &str) -> String {
    operation("DESTROY", id, &format!(r#""volumes":[{}]"#, volume(mb, name, "")))
}

fn using(id: &str, resource: &str) -> String {
    format!(
        r#"{{"type":"LAUNCH","launch":{{"task_infos":[{{"name":"n","task_id":{{"value":"{id}"}},"agent_id":{{"value":"m1-S0"}},
            "command":{{"value":"x"}},"resources":[{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}}}},{resource}]}}]}}}}"#
    )
}

/// The agent answers every operation that it has not answered yet.
fn answer(scene: &mut Scene, link: &str, state: OperationState) {
    let agent = &scene.kernel.agents[&AgentId::new("m1-S0")];
    for uuid in agent.operations.clone() {
        let status = Answer { uuid: uuid.as_bytes().to_vec().into(), state, message: None };
        // Answered again when the answer seems to have got lost.
        for _ in 0..2 {
            scene.agent_call(link, Call::operation_status(AgentId::new("m1-S0"), 1, status.clone()));
        }
    }
}

fn offer_again(scene: &mut Scene) {
    scene.call("s1", r#"{"type":"REVIVE","framework_id":{"value":"m1-0000"}}"#);
}

fn acknowledge(scene: &mut Scene, id: &str) {
    let framework = &scene.kernel.frameworks[&FrameworkId::new("m1-0000")];
    let uuid = framework.operations[&attica_core_api::v1::OperationId::new(id)];
    let status = scene.kernel.operations[&uuid].status.clone().expect("it is over");
    let uuid = serde_json::to_value(&status).expect("JSON")["uuid"]["value"].clone();
    let call = format!(
        r#"{{"type":"ACKNOWLEDGE_OPERATION_STATUS","framework_id":{{"value":"m1-0000"}},
            "acknowledge_operation_status":{{"operation_id":{{"value":"{id}"}},"uuid":{uuid},"agent_id":{{"value":"m1-S0"}}}}}}"#
    );
    scene.call("s1", &call);
}

fn total(scene: &Scene) -> String {
    let key = *scene.kernel.agent_keys.keys().next().expect("an agent");
    scene.kernel.allocator.agent_total(key).to_string()
}

const PLAIN: &str = "cpus:1000;mem:100000;disk:100000;ports:[31000-32000]";

#[test]
fn a_reservation_a_volume_and_a_task_on_it_come_of_one_call() {
    let mut scene = stage();
    let steps = [reserve("r", 64), create("c", 32, "v1"), using("t1", &volume(32, "v1", ""))];
    assert_eq!(scene.accept(&steps.join(",")), Reply::Accepted);
    assert_eq!(
        total(&scene),
        "cpus:1000;mem:100000;disk:99936;ports:[31000-32000];disk(golden):32;disk(golden)[v1]:32"
    );
    answer(&mut scene, "l1", OperationState::Finished);
    expect![[r#"
        l1 OPERATION RESERVE
        l1 OPERATION CREATE
        l1 RUN t1
        s1 UPDATE_OPERATION_STATUS r OPERATION_FINISHED (to be acknowledged)
        s1 UPDATE_OPERATION_STATUS c OPERATION_FINISHED (to be acknowledged)"#]]
    .assert_eq(&sorted(&scene.said()));
}

/// Outcomes come in the order of the operations' uuids, which means nothing.
fn sorted(said: &str) -> String {
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_by_key(|line| (line.starts_with("s1"), line.contains("OPERATION_STATUS c")));
    lines.join("\n")
}

#[test]
fn everything_can_be_undone() {
    let mut scene = stage();
    scene.accept(&[reserve("", 64), create("", 64, "v1")].join(","));
    offer_again(&mut scene);
    answer(&mut scene, "l1", OperationState::Finished);
    scene.accept(&[destroy("", 64, "v1"), unreserve("", 64)].join(","));
    assert_eq!(total(&scene), PLAIN);
    assert_eq!(scene.kernel.operations.len(), 2);
    answer(&mut scene, "l1", OperationState::Finished);
    assert!(scene.snapshot.operations.is_empty());
    assert!(scene.snapshot.agents[&AgentId::new("m1-S0")].shaped.is_empty());
}

#[test]
fn a_volume_grows_and_shrinks() {
    let mut scene = stage();
    let grow = format!(r#""volume":{},"addition":{}"#, volume(32, "v1", ""), disk(16, RESERVED));
    let shrink = format!(r#""volume":{},"subtract":{{"value":40}}"#, volume(48, "v1", ""));
    let steps = [
        reserve("", 64),
        create("", 32, "v1"),
        operation("GROW_VOLUME", "", &grow),
        operation("SHRINK_VOLUME", "", &shrink),
    ];
    scene.accept(&steps.join(","));
    assert_eq!(total(&scene), "cpus:1000;mem:100000;disk:99936;ports:[31000-32000];disk(golden):56;disk(golden)[v1]:8");
}

#[test]
fn each_broken_rule_is_an_operation_error() {
    let mut info = framework_info();
    info.principal = Some("me".to_owned());
    let mine = |text: String| text.replace(r#""type":"DYNAMIC""#, r#""type":"DYNAMIC","principal":"me""#);
    let my_volume = |text: String| mine(text).replace(r#""persistence":{"#, r#""persistence":{"principal":"me","#);
    let mut scene = Scene::new();
    scene.subscribe("s1", info).register("l1", None, &[]);
    scene.accept(&[mine(reserve("", 100)), my_volume(create("", 10, "taken"))].join(","));
    offer_again(&mut scene);
    scene.said();
    let other_role = mine(reserve("other role", 1)).replace(r#""role":"golden""#, r#""role":"other""#);
    let unreserved = |id: &str, kind: &str, list: &str| operation(kind, id, &format!(r#""{list}":[{}]"#, disk(1, "")));
    let steps = [
        reserve("no principal", 1),
        mine(reserve("other principal", 1)).replace("\"me\"", "\"you\""),
        other_role,
        unreserved("not reserved", "RESERVE", "resources"),
        unreserved("nothing to undo", "UNRESERVE", "resources"),
        mine(reserve("too much", 200_000)),
        my_volume(create("taken name", 1, "taken")),
        my_volume(create("bad name", 1, "a/b")),
        my_volume(create("deep path", 1, "v")).replace("\"data\"", "\"a/b\""),
        my_volume(create("read only", 1, "v")).replace("\"RW\"", "\"RO\""),
        my_volume(create("shared", 1, "v")).replace(r#""RW"}}"#, r#""RW"}},"shared":{}"#),
        my_volume(create("unreserved", 1, "v")).replace(r#""type":"DYNAMIC","principal":"me","role":"golden""#, ""),
        my_volume(destroy("no such volume", 1, "v")),
        operation("DESTROY", "not a volume", &format!(r#""volumes":[{}]"#, mine(disk(1, RESERVED)))),
        operation("RESERVE", "empty", ""),
        operation("CREATE_DISK", "disk", &format!(r#""source":{},"target_type":"MOUNT""#, disk(1, ""))),
        r#"{"type":"RESERVE","id":{"value":"absent"}}"#.to_owned(),
        r#"{"id":{"value":"typeless"}}"#.to_owned(),
        mine(reserve("", 1)).replace("disk", "tape"),
    ];
    let before = total(&scene);
    scene.accept(&steps.join(","));
    assert_eq!(total(&scene), before);
    expect![[r#"
        no principal OPERATION_ERROR A reserve operation was attempted by principal 'me', but there is a resource in the request with no principal set
        other principal OPERATION_ERROR A reserve operation was attempted by principal 'me', but there is a resource in the request with principal 'you'
        other role OPERATION_ERROR A reserve operation was attempted for a resource allocated to role 'golden', but reserved to role 'other'
        not reserved OPERATION_ERROR Resource disk:1 is not dynamically reserved
        nothing to undo OPERATION_ERROR Resource disk:1 is not dynamically reserved
        too much OPERATION_ERROR disk:200000 is not contained in the offered resources cpus:1000;mem:100000;disk:99900;ports:[31000-32000];disk(golden):90;disk(golden)[taken]:10
        taken name OPERATION_ERROR Persistence ID 'taken' already exists
        bad name OPERATION_ERROR Persistence ID 'a/b' is not valid: ID contains a control character, '/' or '\'
        deep path OPERATION_ERROR The 'container_path' of a persistent volume, 'a/b', must be a single name
        read only OPERATION_ERROR Read-only persistent volume not supported
        shared OPERATION_ERROR Create volume operation has been attempted by framework with no SHARED_RESOURCES capability
        unreserved OPERATION_ERROR Invalid resources: resource 'disk' (number 0 of the list) is invalid: a reservation is STATIC or DYNAMIC
        no such volume OPERATION_ERROR disk(golden)[v]:1 is not contained in the offered resources cpus:1000;mem:100000;disk:99900;ports:[31000-32000];disk(golden):90;disk(golden)[taken]:10
        not a volume OPERATION_ERROR Resource disk(golden):1 is not a persistent volume
        empty OPERATION_ERROR The operation names no resources
        disk OPERATION_ERROR CREATE_DISK is for resources of a resource provider, and there is none
        absent OPERATION_ERROR The member that the operation RESERVE needs is absent
        typeless OPERATION_ERROR The operation has no known type"#]].assert_eq(&scene.said().replace("s1 UPDATE_OPERATION_STATUS ", "").replace(" (said once)", ""));
}

#[test]
fn an_outcome_is_sent_until_it_is_acknowledged() {
    let mut scene = stage();
    scene.accept(&reserve("r", 64));
    answer(&mut scene, "l1", OperationState::Finished);
    let line = "s1 UPDATE_OPERATION_STATUS r OPERATION_FINISHED (to be acknowledged)";
    assert_eq!(scene.said(), format!("l1 OPERATION RESERVE\n{line}"));
    scene.pass(9_000);
    assert_eq!(scene.said(), "");
    scene.pass(2_000);
    assert!(scene.said().starts_with(line));
    scene.apply(Input::SchedulerClosed { stream: StreamId::new("s1") }).pass(30_000).said();
    scene.subscribe("s1", with_id("m1-0000"));
    assert!(scene.said().contains(line));
    acknowledge(&mut scene, "r");
    scene.pass(1_000_000);
    assert!(!scene.said().contains(line));
    assert!(scene.snapshot.operations.is_empty());
}

#[test]
fn an_agent_that_cannot_do_its_part_fails_the_operation() {
    let mut scene = stage();
    scene.accept(&[reserve("", 64), create("c", 64, "v1")].join(","));
    answer(&mut scene, "l1", OperationState::Failed);
    assert!(scene.said().ends_with("s1 UPDATE_OPERATION_STATUS c OPERATION_FAILED (to be acknowledged)"));
}

#[test]
fn the_next_leader_forgets_nothing() {
    let mut scene = stage();
    scene.accept(&[reserve("r", 64), create("c", 64, "v1")].join(","));
    let before = total(&scene);
    scene.fail_over();
    scene.subscribe("s1", with_id("m1-0000")).register("l2", Some("m1-S0"), &[]);
    assert_eq!(total(&scene), before);
    answer(&mut scene, "l2", OperationState::Finished);
    expect![[r#"
        l2 OPERATION RESERVE
        l2 REGISTERED m1-S0 matches: true
        l2 OPERATION CREATE
        s1 OFFERS m2-O0
        s1 SUBSCRIBED m1-0000
        s1 UPDATE_OPERATION_STATUS r OPERATION_FINISHED (to be acknowledged)
        s1 UPDATE_OPERATION_STATUS c OPERATION_FINISHED (to be acknowledged)"#]]
    .assert_eq(&in_order(&scene.said()));
}

fn in_order(said: &str) -> String {
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    lines.sort_by_key(|line| (line.starts_with("s1"), line.contains(" c ") || line.contains("CREATE")));
    lines.join("\n")
}

#[test]
fn a_name_is_free_again_when_its_data_is_gone() {
    let mut scene = stage();
    scene.accept(&[reserve("", 64), create("", 64, "v1")].join(","));
    offer_again(&mut scene);
    scene.accept(&[destroy("", 64, "v1"), create("early", 64, "v1")].join(","));
    offer_again(&mut scene);
    answer(&mut scene, "l1", OperationState::Finished);
    scene.said();
    scene.accept(&create("late", 64, "v1"));
    assert_eq!(scene.said(), "l1 OPERATION CREATE");
}

#[test]
fn a_shared_volume_is_used_by_several_and_destroyed_by_nobody_meanwhile() {
    let mut info = framework_info();
    let shared = FrameworkCapability { r#type: Some(FrameworkCapabilityType::SharedResources) };
    info.capabilities.push(shared);
    let mut scene = Scene::new();
    scene.subscribe("s1", info).register("l1", None, &[]);
    let both = volume(64, "v1", r#","shared":{}"#);
    let create = operation("CREATE", "", &format!(r#""volumes":[{both}]"#));
    scene.accept(&[reserve("", 64), create, using("t1", &both), using("t2", &both)].join(","));
    offer_again(&mut scene);
    let destroy = operation("DESTROY", "d", &format!(r#""volumes":[{both}]"#));
    scene.said();
    scene.accept(&[using("t3", &both), destroy.clone()].join(","));
    expect![[r#"
        s1 UPDATE_OPERATION_STATUS d OPERATION_ERROR Persistent volumes in use: disk(golden)<SHARED>[v1]:64 (said once)
        l1 RUN t3"#]]
    .assert_eq(&scene.said());
    for task in ["t1", "t2", "t3"] {
        scene.report("l1", task, 1, TaskState::Finished);
    }
    offer_again(&mut scene);
    scene.said();
    scene.accept(&destroy);
    assert_eq!(scene.said(), "l1 OPERATION DESTROY");
}

#[test]
fn reconciliation_says_how_operations_stand() {
    let reconcile = |ids: &[(&str, Option<&str>)]| {
        let one = |(id, agent): &(&str, Option<&str>)| {
            let agent = agent.map(|agent| format!(r#","agent_id":{{"value":"{agent}"}}"#)).unwrap_or_default();
            format!(r#"{{"operation_id":{{"value":"{id}"}}{agent}}}"#)
        };
        let all: Vec<String> = ids.iter().map(one).collect();
        format!(
            r#"{{"type":"RECONCILE_OPERATIONS","framework_id":{{"value":"m1-0000"}},"reconcile_operations":{{"operations":[{}]}}}}"#,
            all.join(",")
        )
    };
    let mut scene = stage();
    scene.accept(&[reserve("r1", 1), reserve("r2", 1)].join(","));
    let first = *scene.kernel.operations.keys().next().expect("two");
    let status = Answer { uuid: first.as_bytes().to_vec().into(), state: OperationState::Finished, message: None };
    scene.agent_call("l1", Call::operation_status(AgentId::new("m1-S0"), 1, status));
    scene.said();
    scene.call("s1", &reconcile(&[]));
    let said = scene.said();
    assert_eq!(said.matches("OPERATION_PENDING Reconciliation: Latest operation state (said once)").count(), 1);
    assert_eq!(said.matches("OPERATION_FINISHED Reconciliation: Latest operation state (said once)").count(), 1);
    let agent = Some("m1-S0");
    scene.call("s1", &reconcile(&[("x", agent), ("x", Some("m1-S9")), ("x", None)]));
    let unknown = scene.said();
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") });
    scene.pass(30_000).said();
    scene.call("s1", &reconcile(&[("x", agent)]));
    let mut recovering = stage();
    recovering.accept(&reserve("r1", 1));
    recovering.fail_over();
    recovering.subscribe("s1", with_id("m1-0000")).said();
    recovering.call("s1", &reconcile(&[("r1", agent), ("x", agent)]));
    expect![[r#"
        s1 UPDATE_OPERATION_STATUS x OPERATION_UNKNOWN Reconciliation: Operation is unknown (said once)
        s1 UPDATE_OPERATION_STATUS x OPERATION_UNKNOWN Reconciliation: Operation is unknown (said once)
        s1 UPDATE_OPERATION_STATUS x OPERATION_UNKNOWN Reconciliation: Operation is unknown (said once)
        s1 UPDATE_OPERATION_STATUS x OPERATION_UNREACHABLE Reconciliation: Agent is unreachable (said once)
        s1 UPDATE_OPERATION_STATUS r1 OPERATION_RECOVERING Reconciliation: Latest operation state (said once)
        s1 UPDATE_OPERATION_STATUS x OPERATION_RECOVERING Reconciliation: Agent is recovered but has not re-registered (said once)"#]].assert_eq(&[unknown, scene.said(), recovering.said()].join("\n"));
}

#[test]
fn what_was_under_way_on_an_agent_that_is_forgotten_is_dropped() {
    let mut scene = stage();
    scene.accept(&[reserve("r", 64), reserve("", 1)].join(","));
    scene.apply(Input::LinkClosed { link: LinkId::new("l1") }).pass(30_000);
    scene.pass(15 * 86_400_000);
    let said = scene.said();
    assert!(said.contains("UPDATE_OPERATION_STATUS r OPERATION_UNREACHABLE"), "{said}");
    assert!(
        said.contains(
            "UPDATE_OPERATION_STATUS r OPERATION_DROPPED The agent was unreachable for too long (to be acknowledged)"
        ),
        "{said}"
    );
    acknowledge(&mut scene, "r");
    assert!(scene.snapshot.operations.is_empty() && scene.snapshot.agents.is_empty());
}

#[test]
fn a_disk_goes_on_with_the_agent_that_replaces_its_owner() {
    let mut scene = stage();
    scene.accept(&[reserve("", 64), create("", 64, "v1")].join(","));
    let before = total(&scene);
    let register = link::Register {
        agent_info: agent_info(None),
        task_digest: link::TaskDigest::default().to_bytes(),
        replaces: Some(AgentId::new("m1-S0")),
        ..link::Register::default()
    };
    // The first answer gets lost.
    for link in ["l2", "l3"] {
        scene.agent_call(link, link::Call::register(register.clone()));
    }
    let key = scene.kernel.agents[&AgentId::new("m1-S2")].key.expect("it is here");
    assert_eq!(scene.kernel.allocator.agent_total(key).to_string(), before);
}

#[test]
fn an_agent_without_the_disk_of_its_volumes_is_turned_away() {
    let mut scene = stage();
    scene.accept(&[reserve("", 64), create("", 64, "v1")].join(","));
    scene.said();
    let info = AgentInfo { resources: resources_of("cpus:1000;disk:10"), ..agent_info(Some("m1-S0")) };
    let digest = link::TaskDigest::default().to_bytes();
    let register = link::Register { agent_info: info, task_digest: digest, ..link::Register::default() };
    scene.agent_call("l2", link::Call::register(register));
    assert!(scene.said().starts_with("l2 (closed: the agent's resources"));
}

#[test]
fn an_operators_operation_takes_back_the_offers_that_are_in_its_way() {
    let order = |operation: &str, agent: &str| Order::Operate {
        agent: AgentId::new(agent),
        operation: Box::new(decode_json(operation.as_bytes()).expect("an operation")),
        principal: None,
    };
    let give = |scene: &mut Scene, operation: &str, agent: &str| {
        scene.apply(Input::Order { order: Box::new(order(operation, agent)), reply: ReplyTo(3) }).settle();
        scene.reply()
    };
    let mut scene = stage();
    assert_eq!(give(&mut scene, &reserve("", 64), "m1-S0"), Reply::Accepted);
    expect![[r#"
        s1 RESCIND m1-O0
        l1 OPERATION RESERVE
        s1 OFFERS m1-O1"#]]
    .assert_eq(&scene.said());
    let status = |reply| match reply {
        Reply::Refused(refusal) => refusal.status(),
        Reply::Accepted => 202,
    };
    assert_eq!(status(give(&mut scene, &reserve("", 1), "m1-S9")), 400);
    assert_eq!(status(give(&mut scene, &unreserve("", 65), "m1-S0")), 409);
    assert_eq!(status(give(&mut scene, r#"{"type":"RESERVE"}"#, "m1-S0")), 400);
    assert_eq!(scene.said(), "", "an offer that would not help is not taken back");
    answer(&mut scene, "l1", OperationState::Finished);
    assert!(scene.snapshot.operations.is_empty());
}
