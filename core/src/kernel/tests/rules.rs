//! Who may register, and as whom tasks may run.

use std::sync::Arc;

use attica_core_api::auth::Acls;
use attica_core_api::scheduler::UpdateFramework;
use expect_test::expect;

use super::super::Refusal;
use super::*;

fn rules(json: &str) -> Input {
    Input::Rules { acls: Some(Arc::new(Acls::parse(json).expect("rules"))) }
}

fn of(principal: &str) -> FrameworkInfo {
    FrameworkInfo { principal: Some(principal.to_owned()), ..framework_info() }
}

fn run_as(id: &str, user: &str) -> TaskInfo {
    let command = CommandInfo { user: Some(user.to_owned()), value: Some("true".to_owned()), ..CommandInfo::default() };
    TaskInfo { command: Some(command), ..task(id) }
}

#[test]
fn a_framework_registers_with_the_roles_of_its_principal_only() {
    let mut scene = Scene::new();
    scene.apply(rules(
        r#"{"permissive":false,"register_frameworks":[{"principals":{"values":["ann"]},"roles":{"values":["golden"]}}]}"#,
    ));
    scene.subscribe("s1", of("ann")).subscribe("s2", of("bob")).subscribe("s3", framework_info());
    let two_roles = vec!["golden".to_owned(), "silver".to_owned()];
    scene.subscribe("s4", FrameworkInfo { roles: two_roles, ..of("ann") });
    expect![[r#"
        s1 SUBSCRIBED m1-0000
        s2 ERROR Not authorized to register framework  with roles { golden }
        s2 (closed)
        s3 ERROR Not authorized to register framework  with roles { golden }
        s3 (closed)
        s4 ERROR Not authorized to register framework  with roles { golden, silver }
        s4 (closed)"#]]
    .assert_eq(&scene.said());
}

#[test]
fn a_task_that_may_not_run_as_its_user_fails_alone() {
    let mut scene = stage();
    scene.apply(rules(
        r#"{"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["root"]}},
        {"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}"#,
    ));
    scene.launch("s1", "m1-0000", &["m1-O0"], vec![task("t1"), run_as("t2", "postgres"), run_as("t3", "root")]);
    expect![[r#"
        s1 UPDATE t2 TASK_ERROR REASON_TASK_UNAUTHORIZED Principal '' no authorized to launch task t2 of framework m1-0000 under user 'postgres' (said once)
        l1 RUN t1 t3"#]]
    .assert_eq(&scene.said());
}

#[test]
fn new_rules_count_for_what_comes_after_them() {
    let mut scene = stage();
    scene.apply(rules(r#"{"permissive":false}"#)).subscribe("s2", of("ann"));
    scene.apply(Input::Rules { acls: None }).subscribe("s3", of("ann"));
    expect![[r#"
        s2 ERROR Not authorized to register framework  with roles { golden }
        s2 (closed)
        s3 SUBSCRIBED m1-0001"#]]
    .assert_eq(&scene.said());
}

#[test]
fn a_group_runs_as_its_users_or_not_at_all() {
    let group = |executor: &str, second: &str| {
        let task = |id: &str, user: &str| {
            format!(
                r#"{{"name":"n","task_id":{{"value":"{id}"}},"agent_id":{{"value":"m1-S0"}},"command":{{"value":"x"{user}}},
                    "resources":[{{"name":"cpus","type":"SCALAR","scalar":{{"value":1}}}}]}}"#
            )
        };
        format!(
            r#"{{"type":"LAUNCH_GROUP","launch_group":{{"executor":{{"type":"DEFAULT","executor_id":{{"value":"pod"}}{executor},
                "resources":[{{"name":"cpus","type":"SCALAR","scalar":{{"value":0.5}}}}]}},"task_group":{{"tasks":[{},{}]}}}}}}"#,
            task("t1", ""),
            task("t2", second)
        )
    };
    let mut scene = stage();
    scene.apply(rules(
        r#"{"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["root"]}},
        {"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}"#,
    ));
    scene.accept(&group("", r#","user":"postgres""#));
    expect![[r#"
        s1 UPDATE t1 TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED Principal '' no authorized to launch task t2 of framework m1-0000 under user 'postgres' (said once)
        s1 UPDATE t2 TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED Principal '' no authorized to launch task t2 of framework m1-0000 under user 'postgres' (said once)"#]].assert_eq(&scene.said());
    scene.call("s1", r#"{"type":"REVIVE","framework_id":{"value":"m1-0000"}}"#);
    scene.said();
    scene.accept(&group(r#","command":{"user":"postgres"}"#, r#","user":"root""#));
    expect![[r#"
        s1 UPDATE t1 TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED Principal '' no authorized to launch executor pod of framework m1-0000 under user 'postgres' (said once)
        s1 UPDATE t2 TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED Principal '' no authorized to launch executor pod of framework m1-0000 under user 'postgres' (said once)"#]].assert_eq(&scene.said());
    scene.call("s1", r#"{"type":"REVIVE","framework_id":{"value":"m1-0000"}}"#);
    scene.said();
    scene.accept(&group("", r#","user":"root""#));
    expect!["l1 RUN pod[t1 t2]"].assert_eq(&scene.said());
}

#[test]
fn reservations_and_volumes_need_permission() {
    let disk = |more: &str| format!(r#"{{"name":"disk","type":"SCALAR","scalar":{{"value":8}}{more}}}"#);
    let reserved = r#","reservations":[{"type":"DYNAMIC","role":"golden","principal":"ann"}]"#;
    let volume =
        r#","disk":{"persistence":{"id":"v","principal":"ann"},"volume":{"container_path":"data","mode":"RW"}}"#;
    let (reserved, volume) = (disk(reserved), disk(&format!("{reserved}{volume}")));
    let addition = disk(r#","reservations":[{"type":"DYNAMIC","role":"golden","principal":"ann"}]"#);
    let operations = [
        ("RESERVE", "reserve_resources", "roles", "golden", format!(r#""resources":[{reserved}]"#)),
        ("CREATE", "create_volumes", "roles", "golden", format!(r#""volumes":[{volume}]"#)),
        ("GROW_VOLUME", "resize_volumes", "roles", "golden", format!(r#""volume":{volume},"addition":{addition}"#)),
        (
            "SHRINK_VOLUME",
            "resize_volumes",
            "roles",
            "golden",
            format!(r#""volume":{volume},"subtract":{{"value":4}}"#),
        ),
        ("DESTROY", "destroy_volumes", "creator_principals", "ann", format!(r#""volumes":[{volume}]"#)),
        ("UNRESERVE", "unreserve_resources", "reserver_principals", "ann", format!(r#""resources":[{reserved}]"#)),
    ];
    for (kind, list, member, object, parts) in operations {
        let mut scene = Scene::new();
        scene.subscribe("s1", of("ann")).register("l1", None, &[]);
        scene.said();
        scene.apply(rules(&format!(
            r#"{{"{list}":[{{"principals":{{"values":["ann"]}},"{member}":{{"type":"NONE"}}}}]}}"#
        )));
        let name = kind.to_lowercase();
        let operation = format!(r#"{{"type":"{kind}","id":{{"value":"o1"}},"{name}":{{{parts}}}}}"#);
        scene.accept(&operation);
        let action = list.trim_end_matches('s').to_uppercase();
        let action = action.replace("RESOURCE", "RESOURCES");
        assert_eq!(
            scene.said(),
            format!(
                "s1 UPDATE_OPERATION_STATUS o1 OPERATION_ERROR Principal 'ann' no authorized to perform action {action} on object '{object}' (said once)"
            ),
        );
        assert!(!scene.facts.iter().any(|fact| matches!(fact, Fact::OperationStarted { .. })), "{kind}");
        // What is forbidden to others is not to this one.
        scene.apply(rules(&format!(
            r#"{{"permissive":false,"{list}":[{{"principals":{{"values":["ann"]}},"{member}":{{"values":["{object}"]}}}}]}}"#
        )));
        scene.call("s1", r#"{"type":"REVIVE","framework_id":{"value":"m1-0000"}}"#);
        scene.said();
        scene.accept(&operation.replace("o1", "o2"));
        assert!(!scene.said().contains("no authorized"), "{kind}");
    }
}

#[test]
fn an_update_takes_no_role_that_a_registration_would_not_get() {
    let mut scene = Scene::new();
    scene.apply(rules(
        r#"{"register_frameworks":[{"principals":{"values":["ann"]},"roles":{"values":["golden"]}},
        {"principals":{"values":["ann"]},"roles":{"type":"NONE"}}]}"#,
    ));
    scene.subscribe("s1", of("ann"));
    let update = |roles: &[&str]| {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let framework_info = FrameworkInfo { id: Some(FrameworkId::new("m1-0000")), roles, ..of("ann") };
        Command::UpdateFramework(UpdateFramework { framework_info, ..UpdateFramework::default() })
    };
    let refused = "Not authorized to register framework m1-0000 with roles { golden, silver }".to_owned();
    let reply = scene.command("s1", "m1-0000", update(&["golden", "silver"]));
    assert_eq!(reply, Reply::Refused(Refusal::Forbidden(refused)));
    assert_eq!(scene.command("s1", "m1-0000", update(&["golden"])), Reply::Accepted);
}
