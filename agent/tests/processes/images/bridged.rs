//! Images in networks of their own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use attica_core_api::v1::{DockerNetwork, DockerPortMapping};
use serde_json::json;

use super::registry::{Access, Registry, busybox, can_pull};
use super::{bare, finished, on_docker, on_mesos, start};
use crate::agent::shell;
use crate::nested::{call, container, exit_status, member, within};
use crate::networks::{bridge, can_connect, free_port, told_address, with_ports};
use crate::support::eventually;

fn page(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// The user of the image is not root, and has port 80 nevertheless: it is its own.
#[test]
fn a_container_of_dockers_kind_is_reached_by_its_mapping() {
    if !can_pull() || !can_connect() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    let program = ["/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/srv"];
    registry.push("web", "1", &[busybox()], json!({"Env": ["PATH=/bin"], "Entrypoint": program, "User": "web"}));
    let (master, agent) = start(&[]);
    let port = free_port();
    let mut task = on_docker(with_ports(bare("web", &[]), port.number), &registry.image("web:1"), &[]);
    let docker = task.container.as_mut().unwrap().docker.as_mut().unwrap();
    docker.network = DockerNetwork::Bridge;
    docker.port_mappings =
        vec![DockerPortMapping { host_port: port.number.into(), container_port: 80, protocol: Some("tcp".to_owned()) }];
    master.run(vec![task]);
    master.await_state("web", "TASK_RUNNING");
    assert_eq!(eventually("the page is there", || page(port.number, "/old")), "of the first layer\n");
    agent.finish();
}

#[test]
fn a_container_knows_its_own_name_and_nothing_of_networks_it_is_not_in() {
    if !can_pull() || !can_connect() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], json!({"Env": ["PATH=/bin"]}));
    let dns =
        r#"{"mesos": [{"network_mode": "CNI", "dns": {"nameservers": ["192.0.2.53"], "search": ["a.example"]}}]}"#;
    let (master, agent) = start(&["--default-container-dns", dns]);
    let image = registry.image("web:1");
    let mut asks = on_mesos(shell("asks", "cat /etc/resolv.conf"), &image);
    asks.container.as_mut().unwrap().network_infos = bridge(&[]).network_infos;
    let of_host = on_mesos(shell("of-host", "cat /etc/resolv.conf"), &image);
    let mut named = on_mesos(shell("named", "cat /etc/hostname; hostname; cat /etc/hosts"), &image);
    named.container.as_mut().unwrap().network_infos = bridge(&[]).network_infos;
    let mut alone = on_docker(shell("alone", "cat /proc/net/dev"), &image, &[]);
    alone.container.as_mut().unwrap().docker.as_mut().unwrap().network = DockerNetwork::None;
    let of_machine = on_mesos(shell("machine", "cat /etc/hosts"), &image);
    master.run(vec![named, alone, of_machine, asks, of_host]);
    assert_eq!(finished(&master, &agent, "asks"), "search a.example\nnameserver 192.0.2.53\n");
    assert_eq!(finished(&master, &agent, "of-host"), std::fs::read_to_string("/etc/resolv.conf").unwrap());
    let said = finished(&master, &agent, "named");
    let status = master.await_state("named", "TASK_RUNNING").status;
    let address = told_address(&status);
    let id = status.container_status.unwrap().container_id.unwrap().value;
    assert!(said.starts_with(&format!("{id}\n{id}\n127.0.0.1\tlocalhost\n")), "{said}");
    assert!(said.ends_with(&format!("\n{address}\t{id}\n")), "{said}");
    let said = finished(&master, &agent, "alone");
    let devices: Vec<&str> = said.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert_eq!(devices, ["lo"]);
    assert_eq!(finished(&master, &agent, "machine"), std::fs::read_to_string("/etc/hosts").unwrap());
    agent.finish();
}

#[test]
fn what_has_an_image_within_a_task_is_in_the_network_of_that() {
    if !can_pull() || !can_connect() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], json!({"Env": ["PATH=/bin"]}));
    let (master, agent) = start(&[]);
    let image = registry.image("web:1");
    let told = "busybox readlink /proc/self/ns/net; hostname; cat /etc/hosts";
    let mut task = on_mesos(shell("t", &format!("{told}; echo over; exec sleep 1000")), &image);
    task.container.as_mut().unwrap().network_infos = bridge(&[]).network_infos;
    master.run(vec![task]);
    let whole = container(&master, "t");
    let inner = within(&whole, "inner");
    let own = json!({ "type": "MESOS", "mesos": { "image": { "type": "DOCKER", "docker": { "name": image } } } });
    let launch = json!({ "container_id": inner, "command": { "value": told }, "container": own });
    let address = agent.ready_address();
    assert_eq!(call(&master, &address, &member("LAUNCH_CONTAINER", launch)), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &inner), 0);
    let read = |path: &str| std::fs::read_to_string(agent.sandbox("t").join(path)).unwrap();
    let of_task = eventually("the task has told", || read("stdout").strip_suffix("over\n").map(str::to_owned));
    assert!(of_task.starts_with("net:["), "{of_task}");
    assert_eq!(read("containers/inner/stdout"), of_task);
    agent.finish();
}
