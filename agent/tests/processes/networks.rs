//! Networks of containers, in the machine's own network: bridges, addresses, mapped ports, and that nothing of them stays.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use attica_core_api::v1::{
    ContainerInfo, ContainerType, ExecutorInfo, ExecutorType, HealthCheck, HealthCheckType, HttpCheckInfo, NetworkInfo,
    NetworkPortMapping, Range, Ranges, Resource, TaskInfo, TaskStatus, ValueType,
};

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::support::{can_isolate, eventually, kill_hard, network_name};

/// Says its name and whom it talks to, over TCP and UDP.
const SERVER: &str = "
import socket, sys, threading
name, address, tcp_port, udp_port = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind((address, udp_port))
def answer():
    while True:
        question, peer = datagrams.recvfrom(100)
        datagrams.sendto((name + ' ' + peer[0] + ' ').encode() + question, peer)
threading.Thread(target=answer, daemon=True).start()
server = socket.create_server((address, tcp_port))
while True:
    connection, peer = server.accept()
    text = name + ' ' + peer[0]
    connection.sendall(('HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n' + text).encode())
    connection.close()
";

/// Prints what servers say, one `address:port` after the other.
const CLIENT: &str = "
import socket, sys
for place in sys.argv[1:]:
    host, port = place.split(':')
    with socket.create_connection((host, int(port)), 60) as connection:
        text = b''
        while part := connection.recv(1000): text += part
        print(place, text.decode().split('\\r\\n')[-1])
";

/// Whether networks can be made; says so when they cannot.
pub fn can_connect() -> bool {
    let there = ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/sbin/conntrack", "/usr/bin/python3"];
    let missing = there.iter().find(|program| !Path::new(program).exists());
    if let Some(missing) = missing {
        println!("skipped: needs {missing}");
    }
    missing.is_none() && can_isolate()
}

pub fn with_ports(task: TaskInfo, port: u16) -> TaskInfo {
    let ranges = Some(Ranges { range: vec![Range { begin: port.into(), end: port.into() }] });
    let ports = Resource { name: "ports".to_owned(), r#type: ValueType::Ranges, ranges, ..Resource::default() };
    TaskInfo { resources: task.resources.into_iter().chain([ports]).collect(), ..task }
}

pub fn bridge(mappings: &[(u32, u32, &str)]) -> Box<ContainerInfo> {
    let mapping = |(host_port, container_port, protocol): &(u32, u32, &str)| NetworkPortMapping {
        host_port: *host_port,
        container_port: *container_port,
        protocol: Some((*protocol).to_owned()),
    };
    let info = NetworkInfo {
        name: Some("mesos-bridge".to_owned()),
        port_mappings: mappings.iter().map(mapping).collect(),
        ..NetworkInfo::default()
    };
    Box::new(ContainerInfo { r#type: ContainerType::Mesos, network_infos: vec![info], ..ContainerInfo::default() })
}

/// A port of the agent's that no other test uses: it is held, which a mapping does not care about.
pub struct Port {
    pub number: u16,
    _held: (TcpListener, UdpSocket),
}

pub fn free_port() -> Port {
    let begin = uuid::Uuid::new_v4().as_u128();
    let mut numbers = (0..1_000).map(|index| 31_000 + u16::try_from((begin + index) % 1_000).unwrap());
    let hold = |number| {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, number));
        Some(Port { number, _held: (TcpListener::bind(address).ok()?, UdpSocket::bind(address).ok()?) })
    };
    numbers.find_map(hold).unwrap()
}

pub fn told_address(status: &TaskStatus) -> String {
    let infos = &status.container_status.as_ref().unwrap().network_infos;
    infos[0].ip_addresses[0].ip_address.clone().unwrap()
}

/// An agent, and what it is to leave nothing of.
struct Net {
    master: Master,
    agent: Agent,
}

impl Net {
    fn start() -> Net {
        let master = Master::start();
        let agent = Agent::start(&master);
        master.await_registration(1);
        for (name, text) in [("server.py", SERVER), ("client.py", CLIENT)] {
            std::fs::write(agent.work_dir().join(name), text).unwrap();
        }
        Net { master, agent }
    }

    /// A server at port 80 and 53 of its own network.
    fn serve(&self, task: &str, port: &Port) -> TaskStatus {
        let program = self.agent.work_dir().join("server.py");
        let command = format!("exec /usr/bin/python3 {} {task} 0.0.0.0 80 53", program.display());
        let host_port = u32::from(port.number);
        let container = Some(bridge(&[(host_port, 80, "tcp"), (host_port, 53, "udp")]));
        self.master.run(vec![TaskInfo { container, ..with_ports(shell(task, &command), port.number) }]);
        self.master.await_state(task, "TASK_RUNNING").status
    }

    /// What servers say to a task in the bridge.
    fn ask_within(&self, task: &str, places: &[String]) -> Vec<String> {
        let program = self.agent.work_dir().join("client.py");
        let command = format!("exec /usr/bin/python3 {} {}", program.display(), places.join(" "));
        self.master.run(vec![TaskInfo { container: Some(bridge(&[])), ..shell(task, &command) }]);
        let sandbox = self.agent.sandbox(task);
        let ended = eventually("the client ends", || {
            let states = self.master.states(task);
            states.last().filter(|state| ["TASK_FINISHED", "TASK_FAILED"].contains(state)).copied()
        });
        let said = |name: &str| std::fs::read_to_string(sandbox.join(name)).unwrap();
        assert_eq!(ended, "TASK_FINISHED", "{}", said("stderr"));
        said("stdout").lines().map(str::to_owned).collect()
    }

    fn restart(self) -> Net {
        let count = self.master.heard(|heard| heard.registrations.len());
        let agent = self.agent.crash_and_restart(&self.master);
        self.master.await_registration(count + 1);
        Net { master: self.master, agent }
    }

    /// As the agent names its bridge and its rules.
    fn name(&self) -> String {
        network_name(&self.agent.work_dir().join("run"))
    }

    fn namespaces(&self) -> Vec<PathBuf> {
        let directory = self.agent.work_dir().join("run/networks");
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Devices in the bridge.
    fn devices(&self) -> Vec<String> {
        let directory = Path::new("/sys/class/net").join(self.name()).join("brif");
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn finish(self) {
        let (name, devices, runtime) = (self.name(), self.devices(), self.agent.work_dir().join("run"));
        self.agent.finish();
        let there = |device: &String| Path::new("/sys/class/net").join(device).exists();
        assert!(!there(&name), "the bridge is there");
        eventually("the devices are gone", || (!devices.iter().any(there)).then_some(()));
        let rules = Command::new("/usr/sbin/nft").args(["list", "tables"]).output().unwrap();
        assert!(rules.status.success() && !String::from_utf8(rules.stdout).unwrap().contains(&name));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(runtime.to_str().unwrap()), "{mounts}");
    }
}

fn ask(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.lines().last().and_then(|line| line.split(' ').next()).map(str::to_owned)
}

fn ask_by_datagram(socket: &UdpSocket, address: SocketAddr) -> Option<String> {
    let question = uuid::Uuid::new_v4().to_string();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    socket.send_to(question.as_bytes(), address).ok()?;
    let mut buffer = [0; 100];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).ok()?;
        let answer = String::from_utf8_lossy(&buffer[..length]);
        // To a question that was given up come answers as well, late.
        if answer.ends_with(&question) {
            assert_eq!(peer, address, "the answer comes from where the question went");
            return answer.split(' ').next().map(str::to_owned);
        }
    }
}

/// An address of the machine that others reach it at, if it has one.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.200:9").ok()?;
    Some(socket.local_addr().unwrap().ip()).filter(|ip| !ip.is_loopback())
}

#[test]
fn containers_reach_each_other_and_their_ports_are_reached_from_everywhere() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    let (a, b) = (free_port(), free_port());
    let addresses = [net.serve("a", &a), net.serve("b", &b)].map(|status| told_address(&status));
    assert_ne!(addresses[0], addresses[1]);
    let mut places = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    places.extend(outer_address());
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let reach_all = |what: &str| {
        for (name, port) in [("a", &a), ("b", &b)] {
            for place in places.iter().map(|place| SocketAddr::new(*place, port.number)) {
                let answer = eventually(what, || ask(place));
                assert_eq!(answer, name, "{what}: {place}");
                let answer = eventually(what, || ask_by_datagram(&socket, place));
                assert_eq!(answer, name, "{what}: {place} by datagram");
            }
        }
    };
    reach_all("the ports are mapped");

    // Directly, by way of the machine, and itself by way of the machine.
    let gateway = net.name();
    let gateway = Command::new("/usr/sbin/ip").args(["-4", "-o", "addr", "show", "dev", &gateway]).output().unwrap();
    let gateway = String::from_utf8(gateway.stdout).unwrap();
    let gateway = gateway.split_whitespace().nth(3).unwrap().split('/').next().unwrap().to_owned();
    let told = net.ask_within("c", &[format!("{}:80", addresses[0]), format!("{gateway}:{}", b.number)]);
    assert!(told[0].ends_with(&format!("a {}", told_address(&net.master.await_state("c", "TASK_RUNNING").status))));
    assert!(told[1].contains(" b "), "{told:?}");

    // While the agent is dead, and after it has come back.
    let pid = net.agent.pid();
    kill_hard(pid);
    eventually("the agent is dead", || (!crate::support::is_alive(pid)).then_some(()));
    reach_all("the agent is dead");
    let net = net.restart();
    reach_all("the agent is back");
    let d = net.serve("d", &free_port());
    assert!(!addresses.contains(&told_address(&d)), "no address is given out twice");

    // Whoever comes next gets the datagrams of a sender that never paused.
    net.master.kill("a", None);
    net.master.await_state("a", "TASK_KILLED");
    let place = SocketAddr::from((Ipv4Addr::LOCALHOST, a.number));
    assert_eq!(ask_by_datagram(&socket, place), None);
    net.serve("e", &a);
    assert_eq!(eventually("the port leads elsewhere", || ask_by_datagram(&socket, place)), "e");
    net.finish();
}

#[test]
fn what_a_task_does_not_own_or_the_agent_does_not_have_is_refused() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    let foreign = TaskInfo { container: Some(bridge(&[(31_000, 80, "tcp")])), ..shell("foreign", "true") };
    let mut unknown = TaskInfo { container: Some(bridge(&[])), ..shell("unknown", "true") };
    unknown.container.as_mut().unwrap().network_infos[0].name = Some("dcos".to_owned());
    net.master.run(vec![foreign, unknown]);
    let message = |task| net.master.await_state(task, "TASK_FAILED").status.message.unwrap();
    assert_eq!(message("foreign"), "The port mapping's `host_port` 31000 is not among the task's `ports`");
    assert!(message("unknown").starts_with("The agent has no network `dcos`: there is `mesos-bridge`"));
    assert!(!Path::new("/sys/class/net").join(net.name()).exists(), "a bridge that nobody needs is not made");
    net.finish();
}

#[test]
fn checks_are_made_within_the_network_of_the_task() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    let program = net.agent.work_dir().join("server.py");
    let command = format!("exec /usr/bin/python3 {} t 127.0.0.1 8080 53", program.display());
    let http = HttpCheckInfo { port: 8_080, ..HttpCheckInfo::default() };
    let check = HealthCheck {
        r#type: Some(HealthCheckType::Http),
        http: Some(http),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        timeout_seconds: 60.0,
        grace_period_seconds: 60.0,
        ..HealthCheck::default()
    };
    let mut by_command = check.clone();
    let client = net.agent.work_dir().join("client.py");
    let value = Some(format!("exec /usr/bin/python3 {} 127.0.0.1:8080", client.display()));
    (by_command.r#type, by_command.http) = (Some(HealthCheckType::Command), None);
    by_command.command = Some(attica_core_api::v1::CommandInfo { value, ..Default::default() });
    let mut nowhere = check.clone();
    nowhere.http.as_mut().unwrap().port = 8_081;
    nowhere.grace_period_seconds = 0.0;
    let task = TaskInfo {
        container: Some(bridge(&[])),
        health_check: Some(check),
        health_checks: vec![by_command, nowhere],
        ..shell("t", &command)
    };
    net.master.run(vec![task]);
    let told = |index: usize, healthy: bool| {
        eventually("its health is told", || {
            let tells = |status: &TaskStatus| match index {
                0 => status.healthy == Some(healthy),
                _ => status.health_results.iter().any(|it| it.index as usize == index - 1 && it.healthy == healthy),
            };
            net.master.heard(|heard| heard.updates.iter().any(|update| tells(&update.status)).then_some(()))
        });
    };
    told(0, true);
    told(1, true);
    told(2, false);
    net.finish();
}

#[test]
fn the_tasks_of_a_group_share_a_network() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    let port = free_port();
    let executor = ExecutorInfo {
        executor_id: "pod".into(),
        r#type: Some(ExecutorType::Default),
        container: Some(bridge(&[(u32::from(port.number), 8_080, "tcp")])),
        ..ExecutorInfo::default()
    };
    let (server, client) = (net.agent.work_dir().join("server.py"), net.agent.work_dir().join("client.py"));
    let server = format!("exec /usr/bin/python3 {} server 0.0.0.0 8080 53", server.display());
    let client =
        format!("until /usr/bin/python3 {} 127.0.0.1:8080; do sleep 0.05; done; exec sleep 1000", client.display());
    let tasks = vec![with_ports(shell("server", &server), port.number), shell("client", &client)];
    net.master.run_group(executor, tasks);
    let of = |task| told_address(&net.master.await_state(task, "TASK_RUNNING").status);
    assert_eq!(of("server"), of("client"));
    let stdout = net.agent.sandbox("pod").join("containers");
    eventually("the one reaches the other at its own loopback", || {
        let mut files = std::fs::read_dir(&stdout).ok()?.map(|entry| entry.unwrap().path().join("stdout"));
        files.any(|file| std::fs::read_to_string(file).unwrap_or_default().contains("server 127.0.0.1")).then_some(())
    });
    let place = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number));
    assert_eq!(eventually("the port is mapped", || ask(place)), "server");
    assert_eq!(net.namespaces().len(), 1);
    net.master.kill("client", None);
    net.master.await_state("server", "TASK_KILLED");
    eventually("the namespace is gone", || net.namespaces().is_empty().then_some(()));
    net.finish();
}

#[test]
fn what_an_agent_that_was_killed_left_behind_is_removed() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    let ports = [free_port(), free_port()];
    net.serve("stays", &ports[0]);
    net.serve("goes", &ports[1]);
    let left = net.devices();
    assert_eq!((left.len(), net.namespaces().len()), (2, 2));
    let task = net.master.await_state("goes", "TASK_RUNNING").status.container_status.unwrap().executor_pid.unwrap();
    kill_hard(net.agent.pid());
    kill_hard(i32::try_from(task).unwrap());
    // Of a container that nobody knows any more.
    let stray = net.agent.work_dir().join("run/networks/stray");
    std::fs::write(&stray, "").unwrap();
    let run = |arguments: &[&str]| assert!(Command::new("/usr/sbin/ip").args(arguments).status().unwrap().success());
    let unique = std::process::id();
    let (end, other) = (&format!("stray0-{unique}"), &format!("stray1-{unique}"));
    run(&["link", "add", "name", end, "type", "veth", "peer", "name", other]);
    run(&["link", "set", "dev", end, "master", &net.name()]);
    let net = net.restart();
    eventually("only what is needed is left", || {
        let (devices, namespaces) = (net.devices(), net.namespaces());
        (devices.len() == 1 && namespaces.len() == 1 && left.contains(&devices[0])).then_some(())
    });
    // With its last container gone, nothing of an agent that is killed stays for longer than to its next start.
    net.master.kill("stays", None);
    net.master.await_state("stays", "TASK_KILLED");
    let net = net.restart();
    let bridge = Path::new("/sys/class/net").join(net.name());
    eventually("an idle bridge is removed", || (!bridge.exists()).then_some(()));
    assert!(!stray.exists() && !Path::new("/sys/class/net").join(end).exists());
    net.finish();
}

/// What a network adds to a launch; printed, since it depends on the machine.
#[test]
fn a_network_is_made_in_milliseconds() {
    if !can_connect() {
        return;
    }
    let net = Net::start();
    net.serve("first", &free_port());
    let began = Instant::now();
    let names: Vec<String> = (0..50).map(|index| format!("t{index}")).collect();
    let task = |name: &String| TaskInfo { container: Some(bridge(&[])), ..shell(name, "exec sleep 1000") };
    net.master.run(names.iter().map(task).collect());
    names.iter().for_each(|name| drop(net.master.await_state(name, "TASK_RUNNING")));
    println!("{} networks, with their tasks: {:?}", names.len(), began.elapsed());
    let addresses: std::collections::BTreeSet<String> =
        names.iter().map(|name| told_address(&net.master.await_state(name, "TASK_RUNNING").status)).collect();
    assert_eq!(addresses.len(), names.len());
    net.finish();
}
