//! Containers of operators within tasks that have a root of their own.

use attica_core_api::v1::TtyInfo;
use serde_json::json;

use super::registry::{Access, Registry, busybox, can_pull};
use super::{on_mesos, start, web};
use crate::agent::shell;
use crate::nested::{Stream, call, container, exit_status, member, within};

#[test]
fn what_is_launched_within_a_task_of_an_image_sees_what_that_sees() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], web());
    let (master, agent) = start(&[]);
    master.run(vec![on_mesos(shell("t", "exec sleep 1000"), &registry.image("web:1"))]);
    let whole = container(&master, "t");
    let address = agent.ready_address();
    let script = "id -u; pwd; echo $FROM_IMAGE; test ! -e /root && touch $MESOS_SANDBOX/made; exit 3";
    let inner = within(&whole, "inner");
    let launch = json!({ "container_id": inner, "command": { "value": script } });
    assert_eq!(call(&master, &address, &member("LAUNCH_CONTAINER", launch)), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &inner), 3 << 8);
    let sandbox = agent.sandbox("t");
    let output = std::fs::read_to_string(sandbox.join("containers/inner/stdout")).unwrap();
    assert_eq!(output, "1234\n/srv\n1\n");
    assert!(sandbox.join("made").exists());
    let missing =
        json!({ "container_id": within(&whole, "missing"), "command": { "shell": false, "value": "/bin/bash" } });
    let (status, answer) = call(&master, &address, &member("LAUNCH_CONTAINER", missing));
    assert_eq!(status, 500, "the machine's programs are not there: {answer}");
    agent.finish();
}

#[test]
fn terminals_have_names_within_an_image() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], web());
    let (master, agent) = start(&[]);
    let script = "busybox tty; until test -e $MESOS_SANDBOX/done; do sleep 0.05; done; echo again > $(busybox tty)";
    let mut task = on_mesos(shell("t", script), &registry.image("web:1"));
    task.container.as_mut().unwrap().tty_info = Some(TtyInfo::default());
    master.run(vec![task]);
    let whole = container(&master, "t");
    let launch = json!({
        "container_id": within(&whole, "session"),
        "command": { "value": "busybox tty && echo shown > $(busybox tty); exit 5" },
        "container": { "type": "MESOS", "tty_info": { "window_size": { "rows": 24, "columns": 80 } } },
    });
    let address = agent.ready_address();
    let mut session = Stream::open(&address, &member("LAUNCH_NESTED_CONTAINER_SESSION", launch));
    assert_eq!(session.text("STDOUT", |_| false), "/dev/pts/0\r\nshown\r\n");
    std::fs::write(agent.sandbox("t").join("done"), "").unwrap();
    master.await_state("t", "TASK_FINISHED");
    let output = std::fs::read_to_string(agent.sandbox("t").join("stdout")).unwrap();
    assert_eq!(output, "/dev/console\r\nagain\r\n");
    agent.finish();
}
