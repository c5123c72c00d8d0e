//! Tasks that a Docker daemon runs.

use super::*;
use crate::daemon::Containerizer;
use crate::network::dns::ContainerDns;
use crate::supervisor::DaemonConfig;

fn config_with(launcher: bool, privileged: bool) -> Config {
    let daemon = Some(DaemonConfig { owner: "own".to_owned(), privileged });
    Config { containerizers: Containerizers { launcher, daemon }, ..config(BOOT) }
}

fn ready(config: Config) -> World {
    let mut world = World::recovered_as(Disk::default(), config, 0).unwrap();
    world.register();
    world.greet(Vec::new());
    world.apply(Input::Daemon(Vec::new()));
    world
}

fn docker(id: &str, change: impl FnOnce(&mut DockerInfo)) -> TaskInfo {
    let mut docker = DockerInfo { image: "busybox:1".to_owned(), ..DockerInfo::default() };
    change(&mut docker);
    let container = ContainerInfo { r#type: ContainerType::Docker, docker: Some(docker), ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task(id) }
}

fn parameter(key: &str, value: &str) -> Parameter {
    Parameter { key: key.to_owned(), value: value.to_owned() }
}

/// Runs it as far as the daemon, which is asked for the last of `in_daemon`.
fn launch(world: &mut World, task: TaskInfo) -> ContainerId {
    world.run(task);
    let order = world.ordered.last().expect("an image is wanted").clone();
    assert_eq!((order.containerizer, order.image.unwrap().name.as_str()), (Containerizer::Daemon, "busybox:1"));
    world.apply(Input::Fetched { container: order.container.clone(), outcome: Ok(None) });
    order.container
}

#[test]
fn a_task_of_dockers_kind_goes_to_the_daemon_and_through_its_life_there() {
    let mut world = ready(config_with(true, false));
    let mut info = docker("t", |docker| {
        docker.network = DockerNetwork::Bridge;
        docker.port_mappings = vec![DockerPortMapping { host_port: 31_000, container_port: 80, protocol: None }];
        docker.parameters =
            vec![parameter("env", "A=b"), parameter("--cap-drop", "NET_RAW"), parameter("shm-size", "1m")];
    });
    let range = Ranges { range: vec![Range { begin: 31_000, end: 31_000 }] };
    let ports =
        Resource { name: "ports".to_owned(), r#type: ValueType::Ranges, ranges: Some(range), ..Resource::default() };
    info.resources.push(ports);
    let container = launch(&mut world, info);
    assert!(world.launched.is_empty(), "the launcher has nothing to do with it");
    let body = serde_json::to_value(&world.in_daemon[0].create).unwrap();
    let host = &body["HostConfig"];
    assert_eq!(body["Image"], "busybox:1");
    assert_eq!((&body["Entrypoint"][0], &body["Cmd"][1]), (&"/bin/sh".into(), &"true".into()));
    assert_eq!(body["Labels"]["org.attica.agent"], "own");
    let env: Vec<&str> = body["Env"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
    assert!(env.contains(&"A=b") && env.contains(&"MESOS_SANDBOX=/mnt/mesos/sandbox"), "{env:?}");
    assert!(env.contains(&format!("MESOS_CONTAINER_NAME=mesos-{container}").as_str()), "{env:?}");
    assert!(!env.iter().any(|word| word.starts_with("PATH=")), "the image's own: {env:?}");
    assert_eq!(
        (&host["NetworkMode"], &host["PortBindings"]["80/tcp"][0]["HostPort"]),
        (&"bridge".into(), &"31000".into())
    );
    assert_eq!(
        (&host["Memory"], &host["CapDrop"][0], &host["ShmSize"]),
        (&(64u64 << 20).into(), &"NET_RAW".into(), &(1 << 20).into())
    );
    assert_eq!(host["Mounts"][0]["Target"], "/mnt/mesos/sandbox");

    world.apply(Input::Located { container: container.clone(), address: Some([172, 17, 0, 2].into()) });
    world.started(&container);
    let running = world.sent.last().unwrap().status.container_status.clone().unwrap();
    assert_eq!(running.network_infos[0].ip_addresses[0].ip_address.as_deref(), Some("172.17.0.2"));
    let mut world = World::recovered_as(world.disk, config_with(true, false), 50).unwrap();
    world.greet(Vec::new());
    assert!(world.sent.is_empty() && world.launched.is_empty(), "the launcher does not miss it");
    world.register();
    world.apply(Input::Daemon(vec![report(&container, Stage::Running)]));
    assert!(world.connected.is_empty(), "its network is the daemon's");
    world.kill("t", Some(100));
    world.advance(100);
    let asked = [Request::Terminate(container.clone()), Request::Destroy(container.clone())];
    assert_eq!(world.asked, asked);
    world.ended(&container, Exit::Code(137));
    assert_eq!(world.states().last(), Some(&"TASK_KILLED"));
    assert_eq!(world.asked.last(), Some(&Request::Forget(vec![container])));
}

#[test]
fn what_the_daemon_lacks_is_launched_again_or_over_and_what_is_nobodys_ends() {
    let mut world = ready(config_with(true, false));
    let (running, new) = (launch(&mut world, docker("running", |_| ())), launch(&mut world, docker("new", |_| ())));
    world.started(&running);
    world.apply(Input::DaemonClosed);
    let stranger = ContainerId::new("stranger").unwrap();
    world.apply(Input::Daemon(vec![report(&stranger, Stage::Running)]));
    assert_eq!(world.states().last(), Some(&"TASK_FAILED"));
    assert_eq!(world.in_daemon.iter().filter(|spec| spec.container == new).count(), 2);
    assert!(world.asked.contains(&Request::Destroy(stranger)), "{:?}", world.asked);
}

#[test]
fn a_check_by_command_is_run_within_the_container() {
    let mut world = ready(config_with(true, false));
    let command = CommandInfo { value: Some("test -e it".to_owned()), ..CommandInfo::default() };
    let check = HealthCheck { r#type: Some(HealthCheckType::Command), command: Some(command), ..http_check() };
    let container = launch(&mut world, TaskInfo { health_check: Some(check), ..docker("t", |_| ()) });
    world.started(&container);
    world.apply(Input::CheckDue { container: container.clone(), check: 0 });
    let exec = world.executed[0].clone();
    assert_eq!((&exec.container, exec.argv.join(" ").as_str()), (&container, "/bin/sh -c test -e it"));
    world.ended(&exec.run, Exit::Code(0));
    assert_eq!(world.sent.last().unwrap().status.healthy, Some(true));
}

#[test]
fn more_of_the_machine_is_refused_by_name_unless_it_is_allowed() {
    let with = |key: &'static str, value: &'static str| {
        move |docker: &mut DockerInfo| docker.parameters = vec![parameter(key, value)]
    };
    let told = |config: Config, task: TaskInfo| {
        let mut world = ready(config);
        world.run(task);
        world.sent.last().and_then(|update| update.status.message.clone()).unwrap_or_default()
    };
    type Change = Box<dyn FnOnce(&mut DockerInfo)>;
    let more: [Change; 4] = [
        Box::new(|docker| docker.privileged = true),
        Box::new(with("cap-add", "SYS_ADMIN")),
        Box::new(with("pid", "host")),
        Box::new(with("device", "/dev/fuse")),
    ];
    for change in more {
        let task = docker("t", change);
        assert!(told(config_with(true, false), task.clone()).contains("--docker-allow-privileged"));
        assert_eq!(told(config_with(true, true), task), "");
    }
    for (change, words) in [
        (with("gpus", "all"), "the parameter `gpus`"),
        (with("volume", "/etc:/host"), "/etc is not beneath a directory of --host-path-volume-allow-list"),
        (with("volume", "name:/there"), "`host_path` has to be absolute"),
        (with("label", "org.attica.agent=other"), "cannot be"),
        (with("shm-size", "much"), "`shm-size` cannot be `much`"),
    ] {
        let message = told(config_with(true, true), docker("t", change));
        assert!(message.contains(words), "{message}");
    }
    let message = told(config_with(false, false), task("t"));
    assert!(message.contains("--containerizers is `docker`"), "{message}");
}

#[test]
fn names_are_looked_for_where_the_agent_says_unless_the_task_does() {
    let json = r#"{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["192.0.2.1"], "options": ["ndots:1"]}},
        {"network_mode": "USER", "network_name": "net", "dns": {"nameservers": ["192.0.2.2"], "search": ["a.b"]}}]}"#;
    let defaults = Defaults { dns: ContainerDns::parse(json).unwrap(), ..Defaults::default() };
    let mut world = ready(Config { defaults, ..config_with(true, false) });
    let in_bridge = |docker: &mut DockerInfo| docker.network = DockerNetwork::Bridge;
    launch(&mut world, docker("bridge", in_bridge));
    launch(&mut world, docker("host", |docker| docker.network = DockerNetwork::Host));
    launch(
        &mut world,
        docker("own", |docker| {
            in_bridge(docker);
            docker.parameters = vec![parameter("dns", "192.0.2.9")];
        }),
    );
    let mut info = docker("user", |docker| docker.network = DockerNetwork::User);
    let network = NetworkInfo { name: Some("net".to_owned()), ..NetworkInfo::default() };
    info.container.as_mut().unwrap().network_infos = vec![network];
    launch(&mut world, info);
    let host = |spec: &DaemonSpec| serde_json::to_value(&spec.create).unwrap()["HostConfig"].clone();
    let told = world.in_daemon.iter().map(host).map(|host| {
        ["Dns", "DnsSearch", "DnsOptions"].map(|name| host[name][0].as_str().unwrap_or_default().to_owned()).join(" ")
    });
    assert_eq!(told.collect::<Vec<_>>(), ["192.0.2.1  ndots:1", "  ", "192.0.2.9  ", "192.0.2.2 a.b "]);
}
