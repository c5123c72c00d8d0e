//! Containers of operators that have a root of their own, and those within tasks that have one.

use std::time::{Duration, SystemTime};

use attica_core_api::v1::TtyInfo;
use serde_json::{Value, json};

use super::registry::{Access, File, Registry, busybox, can_pull, layer};
use super::{on_mesos, start, web};
use crate::agent::shell;
use crate::master::Master;
use crate::nested::{Stream, call, container, exit_status, lives, member, within};
use crate::support::eventually;

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

/// As `call`, by an agent that may not have found its launcher yet.
fn served(master: &Master, address: &str, launch: &Value) -> (u16, String) {
    eventually("the launcher is there", || Some(call(master, address, launch)).filter(|(status, _)| *status != 503))
}

#[test]
fn what_stands_alone_has_an_image_and_volumes_and_goes_without_a_trace() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("alone", "1", &[busybox()], json!({ "Env": ["FROM_IMAGE=1"], "WorkingDir": "/srv" }));
    let host = tempfile::tempdir().unwrap();
    let allowed = host.path().to_str().unwrap();
    let (master, agent) = start(&["--host-path-volume-allow-list", allowed]);
    let address = agent.ready_address();
    let volumes = json!([
        { "mode": "RW", "container_path": "/machine", "host_path": allowed },
        { "mode": "RW", "container_path": "/own", "source":
            { "type": "SANDBOX_PATH", "sandbox_path": { "type": "SELF", "path": "data" } } },
    ]);
    let launch = |name: &str, image: &str, volumes: &Value, script: &str| {
        let image = json!({ "type": "DOCKER", "docker": { "name": image } });
        let container = json!({
            "type": "MESOS", "mesos": { "image": image }, "volumes": volumes, "hostname": "elsewhere",
            "linux_info": { "share_pid_namespace": false },
            "rlimit_info": { "rlimits": [{ "type": "RLMT_NOFILE", "soft": 77, "hard": 77 }] },
        });
        let resources = json!([{ "name": "mem", "type": "SCALAR", "scalar": { "value": 64 } }]);
        let command = json!({ "value": script });
        member(
            "LAUNCH_CONTAINER",
            json!({ "container_id": { "value": name }, "command": command, "container": container, "resources": resources }),
        )
    };
    let image = registry.image("alone:1");
    let refused = [
        (registry.image("alone:none"), volumes.clone(), 500, "the registry"),
        (image.clone(), json!([{ "mode": "RW", "container_path": "/x", "host_path": "/etc" }]), 400, "allow-list"),
    ];
    for (image, volumes, expected, cause) in refused {
        let (status, answer) = served(&master, &address, &launch("refused", &image, &volumes, "true"));
        assert_eq!(status, expected, "{answer}");
        assert!(answer.contains(cause), "{answer}");
        eventually("nothing is left", || (!agent.work_dir().join("containers/refused").exists()).then_some(()));
    }

    let script = "hostname; pwd; ulimit -n; echo $FROM_IMAGE; test ! -e /root && echo to the machine > /machine/file; \
        cat /etc/resolv.conf > /machine/resolv.conf; echo kept > /own/file; while [ ! -e /machine/go ]; do sleep 0.05; done; echo again >> /machine/file; exit 3";
    let alone = json!({ "value": "alone" });
    assert_eq!(call(&master, &address, &launch("alone", &image, &volumes, script)), (200, String::new()));
    let sandbox = agent.work_dir().join("containers/alone");
    let file = host.path().join("file");
    let contents =
        |text: &str| eventually("it is written", || std::fs::read_to_string(&file).ok().filter(|found| found == text));
    contents("to the machine\n");
    eventually("it is kept", || {
        std::fs::read_to_string(sandbox.join("data/file")).ok().filter(|text| text == "kept\n")
    });
    assert_eq!(std::fs::read_to_string(sandbox.join("stdout")).unwrap(), "elsewhere\n/srv\n77\n1\n");
    let [seen, real] = [&*host.path().join("resolv.conf"), "/etc/resolv.conf".as_ref()].map(std::fs::read_to_string);
    assert_eq!(seen.unwrap(), real.unwrap_or_default(), "it finds the machine's name servers");

    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let address = agent.ready_address();
    let store = agent.work_dir().join("store/docker");
    for entry in std::fs::read_dir(store.join("images")).unwrap() {
        // Nobody has asked for it since.
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    }
    assert_eq!(call(&master, &address, &member("PRUNE_IMAGES", json!({}))).0, 200);
    let layers = std::fs::read_dir(store.join("layers")).unwrap().count();
    assert_eq!(layers, 1, "what it runs on is spared");
    let inner = within(&alone, "inner");
    let script = "hostname; pwd; echo $FROM_IMAGE; cat /own/file; touch $MESOS_SANDBOX/made; exit 4";
    let nested = member("LAUNCH_CONTAINER", json!({ "container_id": inner, "command": { "value": script } }));
    assert_eq!(served(&master, &address, &nested), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &inner), 4 << 8);
    assert_eq!(std::fs::read_to_string(sandbox.join("containers/inner/stdout")).unwrap(), "elsewhere\n/srv\n1\nkept\n");
    assert!(sandbox.join("made").exists());
    let provisioned = || std::fs::read_dir(agent.work_dir().join("provisioner")).unwrap().count();
    assert_eq!(provisioned(), 1, "what it writes is not swept away while it runs");
    std::fs::write(host.path().join("go"), "").unwrap();
    assert_eq!(exit_status(&master, &address, &alone), 3 << 8);
    contents("to the machine\nagain\n");
    let removed = member("REMOVE_CONTAINER", json!({ "container_id": alone }));
    assert_eq!(call(&master, &address, &removed), (200, String::new()));
    eventually("nothing is left of it", || (provisioned() == 0 && !sandbox.exists()).then_some(()));
    assert!(host.path().join("file").exists(), "what is the machine's stays");
    agent.finish();
}

#[test]
fn what_is_within_a_task_can_have_an_image_of_its_own() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], web());
    let other = layer(&[File::Text("etc/other", "of another image\n")]);
    registry.push("other", "1", &[busybox(), other], json!({ "Env": ["PATH=/bin"], "WorkingDir": "/etc" }));
    let (master, agent) = start(&["--isolation", "namespaces/pid"]);
    master.run(vec![on_mesos(shell("t", "exec sleep 1000"), &registry.image("web:1"))]);
    let whole = container(&master, "t");
    let address = agent.ready_address();
    let image = json!({ "type": "DOCKER", "docker": { "name": registry.image("other:1") } });
    let volume = |kind: &str, path: &str, at: &str| {
        let sandbox_path = json!({ "type": kind, "path": path });
        let source = json!({ "type": "SANDBOX_PATH", "sandbox_path": sandbox_path });
        json!({ "mode": "RW", "container_path": at, "source": source })
    };
    let volumes = [volume("PARENT", "shared", "/of_parent"), volume("SELF", "data", "/own")];
    let container = json!({ "type": "MESOS", "mesos": { "image": image }, "volumes": volumes, "hostname": "inner" });
    let launch = |id: &Value, script: &str| {
        let content = json!({ "container_id": id, "command": { "value": script }, "container": container });
        member("LAUNCH_CONTAINER", content)
    };
    let sandbox = agent.sandbox("t").canonicalize().unwrap();
    let inner = within(&whole, "inner");
    let script =
        "cat other; hostname; echo own > /own/file; echo shared > /of_parent/file; ls /proc | grep -c '^[0-9]'; exit 3";
    assert_eq!(call(&master, &address, &launch(&inner, script)), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &inner), 3 << 8);
    let output = std::fs::read_to_string(sandbox.join("containers/inner/stdout")).unwrap();
    assert!(output.starts_with("of another image\ninner\n"), "{output}");
    let processes: usize = output.lines().last().unwrap().parse().unwrap();
    assert!(processes < 6, "it sees no more of the machine than the task does: {output}");
    assert_eq!(std::fs::read_to_string(sandbox.join("shared/file")).unwrap(), "shared\n");
    assert_eq!(std::fs::read_to_string(sandbox.join("containers/inner/data/file")).unwrap(), "own\n");

    let long = within(&whole, "long");
    let script = "touch /own/begun; exec sleep 7654329";
    assert_eq!(call(&master, &address, &launch(&long, script)), (200, String::new()));
    let begun = sandbox.join("containers/long/data/begun");
    eventually("it has begun", || begun.exists().then_some(()));
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    assert!(lives("7654329").is_some());
    let deeper = within(&long, "deeper");
    let address = agent.ready_address();
    let script = json!({ "value": "cat /etc/hostname > /dev/null; ls /own; hostname" });
    let launch = member("LAUNCH_CONTAINER", json!({ "container_id": deeper, "command": script }));
    assert_eq!(served(&master, &address, &launch), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &deeper), 0);
    let output = std::fs::read_to_string(sandbox.join("containers/long/containers/deeper/stdout")).unwrap();
    assert_eq!(output, "begun\ninner\n", "it is in the root of what it is within");
    // A task may plant links.
    std::os::unix::fs::symlink("/etc", sandbox.join("planted")).unwrap();
    let planted =
        json!({ "type": "MESOS", "mesos": { "image": image }, "volumes": [volume("PARENT", "planted", "/x")] });
    let wanted = json!({ "container_id": within(&whole, "bad"), "command": { "value": "true" }, "container": planted });
    let (status, answer) = call(&master, &address, &member("LAUNCH_CONTAINER", wanted));
    assert_eq!(status, 500, "{answer}");
    master.kill("t", Some(0));
    master.await_state("t", "TASK_KILLED");
    eventually("it ends with the task", || lives("7654329").is_none().then_some(()));
    eventually("nothing is left of the roots", || {
        (std::fs::read_dir(agent.work_dir().join("provisioner")).unwrap().count() == 0).then_some(())
    });
    agent.finish();
}
