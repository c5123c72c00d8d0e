//! All kinds of containers on one cluster at once, and a person in one of them.

#![allow(clippy::print_stderr, reason = "why a test was skipped goes where the runner shows it")]

use std::path::Path;

use attica_core_api::v1::TaskState;
use serde_json::{Value, json};

use crate::containers::{Registry, can_connect, page};
use crate::framework::Scheduler;
use crate::harness::Cluster;
use crate::terminals::Terminal;

fn quantities() -> Value {
    json!([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}}])
}

fn task(name: &str, agent: &str, resources: &Value, command: &str) -> Value {
    json!({"name": name, "task_id": {"value": name}, "agent_id": {"value": agent}, "resources": resources, "command": {"value": command}})
}

/// A volume, with what one says to reserve its disk and to make it.
fn volume() -> (Value, [Value; 2]) {
    let disk = json!({"name": "disk", "type": "SCALAR", "scalar": {"value": 16}, "reservations": [{"type": "DYNAMIC", "role": "team"}]});
    let mut volume = disk.clone();
    volume["disk"] = json!({"persistence": {"id": "kept"}, "volume": {"container_path": "kept", "mode": "RW"}});
    let reserve = json!({"type": "RESERVE", "reserve": {"resources": [disk]}});
    let create = json!({"type": "CREATE", "create": {"volumes": [volume]}});
    (volume, [reserve, create])
}

#[tokio::test(flavor = "multi_thread")]
async fn images_networks_groups_and_volumes_and_a_shell_among_them() {
    if !Path::new(Registry::PROGRAM).exists() || !Path::new("/bin/busybox").exists() {
        return eprintln!("skipped: needs docker-registry and busybox-static");
    }
    if !can_connect() {
        return;
    }
    let mut cluster = Cluster::start_with_interfaces();
    let registry = Registry::start(&cluster);

    // An app of an image, and one on the bridge that is reached by its mapping.
    let image = json!({"id": "/image", "cpus": 0.1, "mem": 32, "instances": 1, "user": "root",
        "container": {"type": "MESOS", "docker": {"image": registry.make_web()}}});
    let bridged = json!({"id": "/bridged", "cmd": "echo mapped > index.html; exec python3 -m http.server 8000", "cpus": 0.1, "mem": 32,
        "networks": [{"mode": "container/bridge"}], "instances": 1,
        "container": {"type": "MESOS", "portMappings": [{"containerPort": 8000, "hostPort": 0}]}});
    for app in [&image, &bridged] {
        let (status, created) = cluster.request("POST", "/v2/apps", Some(app));
        assert_eq!(status, 201, "{created}");
    }
    let of_image = cluster.until_settled("/image", 1).remove(0);
    let mapped = cluster.until_settled("/bridged", 1).remove(0);
    let host = mapped["host"].as_str().expect("a host");
    let found = cluster.until("the mapped port", || page(&format!("http://{host}:{}/", mapped["ports"][0]), host));
    assert_eq!(found, "mapped\n");

    // Two tasks that share what they have, and a volume that outlives the task that wrote to it.
    let mut scheduler = Scheduler::connect(&cluster.address("master"), "team");
    let offer = scheduler.offer(None).await;
    let agent = offer.agent_id.to_string();
    let group = json!({"type": "LAUNCH_GROUP", "launch_group": {
    "executor": {"type": "DEFAULT", "executor_id": {"value": "pair"}, "resources": quantities(),
        "container": {"type": "MESOS", "network_infos": [{"name": "mesos-bridge"}]}},
    "task_group": {"tasks": [
        task("serves", &agent, &quantities(), "echo shared > index.html; exec /bin/busybox httpd -f -p 127.0.0.1:8000 -h ."),
        task("asks", &agent, &quantities(), "until /bin/busybox wget -q -O - http://127.0.0.1:8000/ | grep shared; do sleep 0.1; done"),
    ]}}});
    let (volume, [reserve, create]) = volume();
    let with_volume = |name: &str, command: &str| {
        let mut resources = quantities();
        resources.as_array_mut().expect("a list").push(volume.clone());
        json!({"type": "LAUNCH", "launch": {"task_infos": [task(name, &agent, &resources, command)]}})
    };
    let writes = with_volume("writes", "echo hello > kept/file");
    scheduler.accept(&offer, &[reserve, create, writes, group]).await;
    scheduler.until("asks", TaskState::Finished).await;
    scheduler.until("writes", TaskState::Finished).await;
    let offer = loop {
        let offer = scheduler.offer(Some(&agent)).await;
        if offer.resources.iter().any(|resource| resource.disk.is_some()) {
            break offer;
        }
    };
    scheduler.accept(&offer, &[with_volume("reads", "grep hello kept/file")]).await;
    scheduler.until("reads", TaskState::Finished).await;

    // A person in the image, who sees its files and nothing of the machine's.
    let id = of_image["id"].as_str().expect("an id");
    let mut terminal = Terminal::open(&cluster, &["exec", "-it", id, "--", "/bin/busybox", "sh"]);
    terminal.type_in("PS1=; cd /; echo *; cat www/index.html; echo; echo $((6*7)) $PWD\n");
    terminal.until("bin dev");
    let shown = terminal.until("42 /\r\n");
    assert!(shown.contains(" www\r\nfrom the image\r\n") && !shown.contains("home"), "{shown}");
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.end(), Some(3));
    let id = mapped["id"].as_str().expect("an id");
    let mut terminal =
        Terminal::open(&cluster, &["exec", "-it", id, "--", "/bin/busybox", "wget", "-q", "-O", "-", "localhost:8000"]);
    terminal.until("mapped");
    assert_eq!(terminal.end(), Some(0), "it is in the network of its task");

    scheduler.teardown().await;
    for app in ["/image", "/bridged"] {
        assert_eq!(cluster.request("DELETE", &format!("/v2/apps/{app}"), None).0, 200);
    }
    let gone = || (cluster.get("/v2/tasks").1["tasks"] == Value::Array(Vec::new())).then_some(());
    cluster.until("its tasks to be gone", gone);
    cluster.stop_up();
}
