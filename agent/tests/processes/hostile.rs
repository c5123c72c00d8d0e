//! Tasks that take what is not theirs.

use attica_core_api::v1::{
    CapabilityInfo, CommandInfo, ContainerInfo, ContainerType, ExecutorInfo, LinuxCapability, LinuxInfo, RLimit,
    RLimitInfo, RLimitType, Range, Ranges, Resource, TaskInfo, TaskStatusReason, ValueType,
};

use crate::agent::{Agent, get, scalar, shell};
use crate::master::Master;
use crate::ports::own_port;
use crate::support::{can_isolate, eventually};

fn agent(master: &Master, extra: &[&str]) -> Agent {
    let directory = tempfile::tempdir().unwrap();
    let agent = Agent::start_with(master, directory, format!("attica-test-{}", uuid::Uuid::new_v4()), extra);
    master.await_registration(1);
    agent
}

fn with(mut task: TaskInfo, resource: Resource) -> TaskInfo {
    task.resources.push(resource);
    task
}

fn in_container(task: TaskInfo, container: ContainerInfo) -> TaskInfo {
    let container = ContainerInfo { r#type: ContainerType::Mesos, ..container };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

#[test]
fn a_task_that_fills_its_disk_is_ended_with_its_own_reason() {
    let master = Master::start();
    let watching =
        ["--isolation", "disk/du", "--enforce-container-disk-quota", "--container-disk-watch-interval-ms", "50"];
    let agent = agent(&master, &watching);
    let fill = |megabytes| format!("head -c {megabytes}M /dev/zero > data; trap '' TERM; while :; do sleep 1; done");
    let modest = with(shell("modest", &fill(1)), scalar("disk", 4.0));
    let unlimited = shell("unlimited", &fill(8));
    let greedy = with(shell("greedy", &fill(8)), scalar("disk", 4.0));
    master.run(vec![modest, unlimited, greedy]);
    let failed = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitationDisk));
    let limit = &failed.limitation.unwrap().resources[0];
    assert_eq!((limit.name.as_str(), limit.scalar.as_ref().unwrap().value), ("disk", 4.0));
    let message = failed.message.unwrap();
    assert!(message.starts_with("Disk usage (") && message.ends_with(" exceeds quota (4MB)"), "{message}");
    for task in ["modest", "unlimited"] {
        assert_eq!(master.states(task).last(), Some(&"TASK_RUNNING"));
        master.kill(task, Some(0));
        master.await_state(task, "TASK_KILLED");
    }
    agent.finish();
}

#[test]
fn an_executor_that_fills_the_disk_of_its_tasks_is_ended_with_the_reason() {
    let master = Master::start();
    let watching =
        ["--isolation", "disk/du", "--enforce-container-disk-quota", "--container-disk-watch-interval-ms", "50"];
    let agent = agent(&master, &watching);
    let of_executor = |id: &str, megabytes: u32| {
        let script = format!("head -c {megabytes}M /dev/zero > data; exec sleep 1000");
        let command = Some(CommandInfo { value: Some(script), ..CommandInfo::default() });
        let executor = ExecutorInfo { executor_id: id.into(), command, ..ExecutorInfo::default() };
        let task = TaskInfo { command: None, executor: Some(Box::new(executor)), ..shell(id, "") };
        with(task, scalar("disk", 4.0))
    };
    master.run(vec![of_executor("modest", 1), of_executor("greedy", 8)]);
    let failed = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitationDisk));
    let message = failed.message.unwrap();
    assert!(message.starts_with("Disk usage (") && message.ends_with(" exceeds quota (4MB)"), "{message}");
    assert_ne!(master.states("modest").last(), Some(&"TASK_FAILED"));
    agent.finish();
}

#[test]
fn a_task_that_listens_where_it_may_not_is_ended() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let watching =
        ["--isolation", "network/ports", "--enforce-container-ports", "--container-ports-watch-interval-ms", "50"];
    let agent = agent(&master, &watching);
    let [own, foreign] = [own_port(), own_port()];
    let listen = |port: u16| {
        format!(
            "exec python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", {port})); s.listen(); open(\"listens\", \"w\"); time.sleep(1000)'"
        )
    };
    let ports = Resource {
        name: "ports".to_owned(),
        r#type: ValueType::Ranges,
        ranges: Some(Ranges { range: vec![Range { begin: u64::from(own), end: u64::from(own) }] }),
        ..Resource::default()
    };
    master.run(vec![with(shell("honest", &listen(own)), ports.clone())]);
    eventually("it listens", || agent.sandbox("honest").join("listens").exists().then_some(()));
    master.run(vec![with(shell("thief", &listen(foreign)), ports)]);
    let failed = master.await_state("thief", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitation));
    assert_eq!(
        failed.message.unwrap(),
        format!("Container is listening on unallocated port(s): [{foreign}-{foreign}]")
    );
    assert_eq!(failed.limitation.unwrap().resources[0].ranges.as_ref().unwrap().range[0].begin, u64::from(foreign));
    assert_eq!(master.states("honest").last(), Some(&"TASK_RUNNING"));
    master.kill("honest", Some(0));
    master.await_state("honest", "TASK_KILLED");
    agent.finish();
}

#[test]
fn a_task_that_hoards_descriptors_takes_only_its_own() {
    let master = Master::start();
    let agent = agent(&master, &[]);
    let hoard = "python3 -c 'import time\nopened = []\ntry:\n  while True: opened.append(open(\"/dev/null\"))\nexcept OSError: print(len(opened), flush=True)\ntime.sleep(1000)'";
    let limit = RLimit { r#type: Some(RLimitType::Nofile), soft: Some(100), hard: Some(100) };
    let limited = ContainerInfo { rlimit_info: Some(RLimitInfo { rlimits: vec![limit] }), ..ContainerInfo::default() };
    master.run(vec![in_container(shell("hoarder", hoard), limited)]);
    let stdout = agent.sandbox("hoarder").join("stdout");
    let opened = eventually("it has all that it can have", || {
        std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with('\n'))
    });
    assert!(opened.trim().parse::<u32>().unwrap() < 100, "{opened}");
    master.run(vec![shell("other", "cat /dev/null /dev/zero < /dev/null | head -c 1 > /dev/null")]);
    master.await_state("other", "TASK_FINISHED");
    master.kill("hoarder", Some(0));
    master.await_state("hoarder", "TASK_KILLED");
    agent.finish();
}

#[test]
fn a_task_that_replaces_its_log_neither_stops_who_reads_it_nor_shows_what_is_not_its_own() {
    let master = Master::start();
    let agent = agent(&master, &[]);
    let secret = agent.work_dir().join("secret");
    std::fs::write(&secret, "not for everybody").unwrap();
    let link =
        format!("rm stdout stderr; mkfifo stdout; ln -s {} stderr; touch replaced; exec sleep 1000", secret.display());
    master.run(vec![shell("forger", &link)]);
    let replaced = agent.sandbox("forger").join("replaced");
    eventually("it has replaced them", || replaced.exists().then_some(()));
    let address = agent.ready_address();
    for (file, told) in [("stdout", "Only regular files"), ("stderr", "leads out of the sandbox")] {
        let path = agent.sandbox("forger").join(file);
        for handler in ["read", "download"] {
            let (status, body) =
                get(&master, &address, &format!("/files/{handler}?path={}&offset=0&length=100", path.display()));
            assert!(status >= 400 && body.contains(told), "{handler} {file}: {status} {body}");
        }
    }
    master.kill("forger", Some(0));
    master.await_state("forger", "TASK_KILLED");
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "not for everybody");
    agent.finish();
}

#[test]
fn linux_info_and_the_host_name_are_done() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = agent(&master, &["--isolation", "namespaces/pid,linux/nnp"]);
    let kill = CapabilityInfo { capabilities: vec![LinuxCapability::Kill] };
    let linux = LinuxInfo { effective_capabilities: Some(kill), ..LinuxInfo::default() };
    let container =
        ContainerInfo { hostname: Some("inside".to_owned()), linux_info: Some(linux), ..ContainerInfo::default() };
    let script = "hostname; cat /proc/1/comm; grep -E 'CapBnd|NoNewPrivs' /proc/self/status";
    master.run(vec![in_container(shell("contained", script), container)]);
    master.await_state("contained", "TASK_FINISHED");
    let told = std::fs::read_to_string(agent.sandbox("contained").join("stdout")).unwrap();
    assert_eq!(told, "inside\nattica-holder\nCapBnd:\t0000000000000020\nNoNewPrivs:\t1\n");
    let shared = LinuxInfo { share_pid_namespace: Some(true), ..LinuxInfo::default() };
    let container = ContainerInfo { linux_info: Some(shared), ..ContainerInfo::default() };
    master.run(vec![in_container(shell("sharing", "cat /proc/1/comm"), container)]);
    master.await_state("sharing", "TASK_FINISHED");
    let told = std::fs::read_to_string(agent.sandbox("sharing").join("stdout")).unwrap();
    assert_eq!(told, std::fs::read_to_string("/proc/1/comm").unwrap());
    agent.finish();
}
