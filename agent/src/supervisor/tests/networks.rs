//! Networks of tasks in a world that is made of values. The subnet, 10.0.0.0/29, has five addresses for containers.

use attica_core_api::link::TaskGroup;

use super::*;
use crate::network::{Mapping, Protocol};

fn with_ports(task: TaskInfo, begin: u64, end: u64) -> TaskInfo {
    let ranges = Some(Ranges { range: vec![Range { begin, end }] });
    let ports = Resource { name: "ports".to_owned(), r#type: ValueType::Ranges, ranges, ..Resource::default() };
    TaskInfo { resources: task.resources.into_iter().chain([ports]).collect(), ..task }
}

fn bridged(host_port: u32) -> ContainerInfo {
    let mapping = NetworkPortMapping { host_port, container_port: 80, protocol: None };
    let name = Some("mesos-bridge".to_owned());
    let info = NetworkInfo { name, port_mappings: vec![mapping], ..NetworkInfo::default() };
    ContainerInfo { r#type: ContainerType::Mesos, network_infos: vec![info], ..ContainerInfo::default() }
}

fn bridged_task(id: &str, host_port: u32) -> TaskInfo {
    TaskInfo { container: Some(Box::new(bridged(host_port))), ..with_ports(task(id), 31_000, 31_009) }
}

fn pod(tasks: Vec<TaskInfo>) -> TaskGroup {
    let executor = ExecutorInfo {
        executor_id: "pod".into(),
        r#type: Some(ExecutorType::Default),
        container: Some(Box::new(bridged(31_000))),
        ..ExecutorInfo::default()
    };
    TaskGroup { executor, tasks }
}

impl World {
    fn run_pod(&mut self, group: TaskGroup) {
        let run = Run { framework_id: "f".into(), task_groups: vec![group], ..Run::default() };
        self.apply(Input::Link(Box::new(Event::run(1, run))));
    }

    fn variable(&self, name: &str) -> Option<String> {
        let environment = &self.specs.last().unwrap().environment;
        environment.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    }

    fn last_message(&self) -> &str {
        self.sent.last().unwrap().status.message.as_deref().unwrap()
    }

    fn addresses(&self) -> Vec<String> {
        self.connected.values().map(|attachment| attachment.address.unwrap().to_string()).collect()
    }
}

#[test]
fn a_task_runs_in_the_network_that_it_asks_for() {
    let mut world = World::ready();
    let container = world.start(bridged_task("t", 31_004));
    let attachment = world.connected[&container].clone();
    assert_eq!(attachment.mappings, [Mapping { protocol: Protocol::Tcp, host_port: 31_004, container_port: 80 }]);
    let network = world.specs[0].surroundings.as_ref().unwrap().network.clone().unwrap();
    assert_eq!(network, std::path::Path::new("/run/networks").join(container.as_str()));
    assert_eq!(world.variable("MESOS_CONTAINER_IP").as_deref(), Some("10.0.0.2"));
    assert_eq!(world.variable("LIBPROCESS_IP").as_deref(), Some("0.0.0.0"));
    let told = world.sent.last().unwrap().status.container_status.clone().unwrap().network_infos;
    assert_eq!(told[0].ip_addresses[0].ip_address.as_deref(), Some("10.0.0.2"));
    assert_eq!(told[0].name.as_deref(), Some("mesos-bridge"));
    world.ended(&container, Exit::Code(0));
    assert!(world.connected.is_empty());
    world.start(task("host"));
    assert!(world.specs[1].surroundings.is_none());
    assert_eq!(world.variable("MESOS_CONTAINER_IP").as_deref(), Some("127.0.0.1"));
}

#[test]
fn the_tasks_of_a_group_share_one_network_until_the_last_has_ended() {
    let mut world = World::ready();
    world.run_pod(pod(vec![with_ports(task("a"), 31_000, 31_000), task("b")]));
    let containers = world.launched.clone();
    containers.iter().for_each(|container| world.started(container));
    let networks: Vec<_> = world.specs.iter().map(|spec| spec.surroundings.clone().unwrap().network).collect();
    assert!(networks.len() == 2 && networks[0] == networks[1]);
    assert_eq!(world.addresses(), ["10.0.0.2"]);
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    world.greet(containers.iter().map(|container| report(container, Stage::Running)).collect());
    world.ended(&containers[0], Exit::Code(0));
    assert_eq!(world.addresses(), ["10.0.0.2"]);
    world.ended(&containers[1], Exit::Code(0));
    assert!(world.connected.is_empty());
}

#[test]
fn a_later_group_joins_what_is_there() {
    let mut world = World::ready();
    world.run_pod(pod(vec![with_ports(task("a"), 31_000, 31_000)]));
    world.run_pod(pod(vec![task("b")]));
    assert_eq!((world.launched.len(), world.connected.len()), (2, 1));
    world.run_pod(TaskGroup { executor: pod(Vec::new()).executor, tasks: vec![bridged_task("c", 31_001)] });
    assert!(world.last_message().contains("its executor's are those of all"), "{}", world.last_message());
}

#[test]
fn no_address_is_given_out_twice() {
    let mut world = World::ready();
    let first = world.start(bridged_task("a", 31_000));
    world.start(bridged_task("b", 31_001));
    let containers = world.launched.clone();
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.register();
    world.greet(containers.iter().map(|container| report(container, Stage::Running)).collect());
    for id in ["c", "d", "e"] {
        world.start(bridged_task(id, 31_002));
    }
    let distinct: std::collections::BTreeSet<String> = world.addresses().into_iter().collect();
    assert_eq!(distinct.len(), 5, "{distinct:?}");
    world.run(bridged_task("f", 31_003));
    assert_eq!(world.last_message(), "All addresses of the network's subnet are in use");
    world.ended(&first, Exit::Code(0));
    world.start(bridged_task("g", 31_003));
    assert_eq!(world.connected.len(), 5);
}

#[test]
fn a_task_that_never_started_is_connected_again_where_it_was() {
    let mut world = World::ready();
    world.run(bridged_task("a", 31_000));
    let container = world.launched[0].clone();
    let mut world = World::recovered(world.disk, BOOT, 10);
    world.connected.clear();
    world.register();
    world.greet(Vec::new());
    assert_eq!(world.launched, std::slice::from_ref(&container));
    assert_eq!(world.addresses(), ["10.0.0.2"]);
    world.apply(Input::NotPrepared { container, error: "the network cannot be made".to_owned() });
    assert_eq!(world.last_message(), "Failed to launch container: the network cannot be made");
    assert!(world.connected.is_empty());
}

#[test]
fn after_a_reboot_nothing_is_connected() {
    let mut world = World::ready();
    world.start(bridged_task("a", 31_000));
    let world = World::recovered(world.disk, "boot-2", 10);
    assert!(world.connected.is_empty());
    assert!(world.supervisor.attachments().is_empty());
}

#[test]
fn a_port_that_is_not_the_tasks_is_refused() {
    let mut world = World::ready();
    world.run(bridged_task("a", 31_010));
    assert!(world.last_message().contains("`host_port` 31010 is not among"), "{}", world.last_message());
    world.run_pod(pod(vec![task("b")]));
    assert!(world.last_message().contains("`host_port` 31000 is not among"), "{}", world.last_message());
    assert!(world.launched.is_empty() && world.connected.is_empty());
}

#[test]
fn an_executor_has_to_reach_the_agent() {
    let command = Some(CommandInfo { value: Some("./executor".to_owned()), ..CommandInfo::default() });
    let container = Some(Box::new(bridged(31_000)));
    let info = ExecutorInfo { executor_id: "e".into(), command, container, ..ExecutorInfo::default() };
    let task = TaskInfo { command: None, executor: Some(Box::new(info)), ..with_ports(task("a"), 31_000, 31_000) };
    let mut world = World::ready();
    world.run(task.clone());
    assert!(world.last_message().contains("cannot reach the agent at 127.0.0.1"), "{}", world.last_message());

    let elsewhere = Config { ip: IpAddr::from([192, 0, 2, 7]), ..config(BOOT) };
    let mut world = World::recovered_as(Disk::default(), elsewhere, 0).unwrap();
    world.register();
    world.greet(Vec::new());
    world.run(task);
    assert_eq!(world.addresses(), ["10.0.0.2"]);
    let container = world.launched[0].clone();
    world.started(&container);
    world.ended(&container, Exit::Code(1));
    let told = world.sent.last().unwrap().status.container_status.clone().unwrap().network_infos;
    assert_eq!(told[0].ip_addresses[0].ip_address.as_deref(), Some("10.0.0.2"), "its task is where it is");
    assert!(world.connected.is_empty());
}
