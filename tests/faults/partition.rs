//! A machine that is cut off: its instances are replaced as their apps ask for, and once it is back nothing runs twice. These are the
//! scenarios U1 (`/inactive`), U2 (`/expunged`) and U3 (`/scaled`) of Marathon's own integration tests.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use serde_json::json;

use crate::harness::{Cluster, attica, ids};
use crate::victims::processes_with;

#[test]
fn a_machine_cut_off_is_replaced_and_nothing_runs_twice_when_it_is_back() {
    if !Uid::effective().is_root() {
        eprintln!("skipped: network namespaces need root");
        return;
    }
    let first = Host::new(1);
    let second = Host::new(2);
    let mut cluster = Cluster::start_with(&["--listen", &first.gateway, "--agents", "1"]);
    let first_agent = first.start_agent(&cluster);

    let app = |id: &str, inactive_after_seconds: u32, expunge_after_seconds: u32| {
        json!({
            "id": id, "cmd": "exec sleep 100000", "cpus": 0.01, "mem": 16, "constraints": [["far", "CLUSTER", "yes"]],
            "env": {"APP": id},
            "unreachableStrategy":
                {"inactiveAfterSeconds": inactive_after_seconds, "expungeAfterSeconds": expunge_after_seconds},
        })
    };
    // One app gives an unreachable instance up at once, the other one waits for it although it has a replacement by then.
    let apps = [("/expunged", 0, 0), ("/inactive", 1, 3600)];
    for (id, inactive_after_seconds, expunge_after_seconds) in apps {
        let app = app(id, inactive_after_seconds, expunge_after_seconds);
        assert_eq!(cluster.request("PUT", &format!("/v2/apps/{id}"), Some(&app)).0, 201);
        let tasks = cluster.until_settled(id, 1);
        assert_eq!(tasks[0]["host"], first.address.as_str());
    }
    let apps = apps.map(|(id, ..)| id);
    let sleepers = |id: &str| processes_with(&cluster, &format!("APP={id}"), "sleep");
    let before = apps.map(|id| ids(&cluster.tasks(id)));

    let second_agent = second.start_agent(&cluster);
    // This one does not want to have a replacement.
    let mut scaled = app("/scaled", 3600, 7200);
    scaled["constraints"] = json!([["far", "CLUSTER", "yes"], ["hostname", "UNIQUE"]]);
    scaled["instances"] = json!(2);
    assert_eq!(cluster.request("PUT", "/v2/apps//scaled", Some(&scaled)).0, 201);
    cluster.until_settled("/scaled", 2);

    first.cut();
    for id in apps {
        cluster.until(&format!("{id} to run on the other machine"), || {
            let tasks = cluster.tasks(id);
            tasks
                .iter()
                .any(|task| task["host"] == second.address.as_str() && task["state"] == "TASK_RUNNING")
                .then_some(())
        });
        cluster
            .until(&format!("{id} to run twice: nobody can reach the old one"), || (sleepers(id) == 2).then_some(()));
    }
    let unreachable = cluster.tasks("/inactive");
    assert!(unreachable.iter().any(|task| task["state"] == "TASK_UNREACHABLE"), "{unreachable:?}");
    cluster.until("/scaled to miss one", || {
        cluster.tasks("/scaled").iter().any(|task| task["state"] == "TASK_UNREACHABLE").then_some(())
    });
    assert_eq!(cluster.request("PUT", "/v2/apps//scaled", Some(&json!({"instances": 1}))).0, 200);
    let left = cluster.until_settled("/scaled", 1);
    assert_eq!(left[0]["host"], second.address.as_str(), "nobody ends one that can be reached instead");

    first.mend();
    for (id, before) in apps.iter().zip(before) {
        cluster.until(&format!("{id} to run once"), || (sleepers(id) == 1).then_some(()));
        let now = ids(&cluster.until_settled(id, 1));
        assert_eq!(sleepers(id), 1, "{id}: what is shown is what runs");
        match *id {
            "/expunged" => assert!(now.is_disjoint(&before), "{id}: what was given up does not come back"),
            _ => assert_eq!(now, before, "{id}: what was waited for stays, and its replacement goes"),
        }
    }
    cluster.until("/scaled to run once", || (sleepers("/scaled") == 1).then_some(()));
    assert_eq!(ids(&cluster.until_settled("/scaled", 1)), ids(&left));

    first_agent.stop();
    second_agent.stop();
    cluster.stop_up();
}

/// A host of its own: a network namespace behind a cable (a veth pair) that can be cut.
struct Host {
    namespace: String,
    /// Our end of the cable.
    cable: String,
    gateway: String,
    address: String,
}

impl Host {
    fn new(number: u32) -> Host {
        let namespace = format!("attica-{}-{number}", std::process::id());
        // An interface's name has 15 characters at most.
        let cable = format!("at{}-{number}", std::process::id());
        let [gateway, address] = free_subnet(number).map(|end| end.to_string());
        let host = Host { namespace, cable, gateway, address };
        let Host { namespace, cable, gateway, address } = &host;
        ip(&format!("netns add {namespace}"));
        ip(&format!("link add {cable} type veth peer name eth0 netns {namespace}"));
        ip(&format!("address add {gateway}/30 dev {cable}"));
        ip(&format!("link set {cable} up"));
        ip(&format!("-n {namespace} address add {address}/30 dev eth0"));
        ip(&format!("-n {namespace} link set lo up"));
        ip(&format!("-n {namespace} link set eth0 up"));
        ip(&format!("-n {namespace} route add default via {gateway}"));
        host
    }

    fn start_agent(&self, cluster: &Cluster) -> Agent {
        let program = attica();
        let agent = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(program.get_program())
            .args(["agent", "--ip", &self.address, "--port", "0", "--master", &cluster.address("master")])
            .args(["--attributes", "far:yes", "--resources", "cpus:2;mem:1024;disk:1024;ports:[21000-21099]"])
            .arg("--work-dir")
            .arg(cluster.data_dir().join(&self.namespace))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsenter starts");
        Agent(agent)
    }

    fn cut(&self) {
        ip(&format!("link set {} down", self.cable));
    }

    fn mend(&self) {
        ip(&format!("link set {} up", self.cable));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The cable goes with the namespace, once no process is left in it.
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace]).status();
        let _ = Command::new("ip").args(["link", "delete", &self.cable]).stderr(Stdio::null()).status();
    }
}

/// Both ends of a cable, in a subnet of four addresses that nothing on this machine has. Tests that run at a time begin to look at
/// different ones.
fn free_subnet(number: u32) -> [Ipv4Addr; 2] {
    const FIRST: Ipv4Addr = Ipv4Addr::new(10, 231, 0, 0);
    const COUNT: u32 = 1 << 14;
    let taken = ip("-4 -oneline address");
    let ends = |step: u32| {
        let begin = std::process::id().wrapping_mul(2).wrapping_add(number);
        let subnet = FIRST.to_bits() + begin.wrapping_add(step) % COUNT * 4;
        [1, 2].map(|end| Ipv4Addr::from_bits(subnet + end))
    };
    let is_free = |ends: &[Ipv4Addr; 2]| ends.iter().all(|end| !taken.contains(&format!(" {end}/")));
    (0..COUNT).map(ends).find(is_free).expect("a subnet is free")
}

/// What `ip` says.
fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip is installed");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An agent on such a host; `nsenter` has become it.
struct Agent(Child);

impl Agent {
    /// Ends it with its tasks.
    fn stop(mut self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGUSR1).expect("the agent ran");
        let status = self.0.wait().expect("it is ours");
        assert!(status.success(), "the agent ended with {status}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
