//! Marathon's own app definitions: each runs as it is written, or is refused with a 422 that names what is not built; none is half
//! obeyed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Cluster, attica, shared};

/// The machines that the definitions speak of: racks by the attribute `rack_id`, and one by its name.
const MACHINES: [(&str, &str, &str); 3] = [
    ("a.specific.node.com", "rack_id:rack-1", "[20001-20299]"),
    ("node-2", "rack_id:rack-2", "[20301-20599]"),
    ("node-3", "rack_id:rack-3", "[7777-7777,20601-20899]"),
];

fn definitions() -> Option<Vec<PathBuf>> {
    let root = shared("data/marathon")?;
    let all =
        ["apps", "docs"].into_iter().flat_map(|folder| fs::read_dir(root.join(folder)).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> = all.map(|entry| entry.path()).collect();
    // The documentation's events, fragments and pods are not apps.
    paths.retain(|path| {
        let name = path.to_string_lossy();
        name.contains("/apps/") || name.ends_with("-app.json")
    });
    paths.sort();
    Some(paths)
}

#[test]
fn every_definition_runs_or_is_refused_by_name() {
    let Some(paths) = definitions() else { return };
    let mut cluster = Cluster::start();
    let machines = MACHINES.map(|(hostname, attributes, ports)| Machine::start(&cluster, hostname, attributes, ports));
    let (mut accepted, mut refused) = (0, 0);
    for path in paths {
        let text = fs::read_to_string(&path).expect("readable");
        let Ok(app) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        let (status, answer) = cluster.request("POST", "/v2/apps", Some(&app));
        match status {
            201 => {
                accepted += 1;
                until_it_ran(&cluster, &path, &answer);
            }
            422 => {
                refused += 1;
                let named = answer["details"].as_array().is_some_and(|details| !details.is_empty());
                assert!(named, "{}: refused without saying why: {answer}", path.display());
            }
            _ => panic!("{}: {status} {answer}", path.display()),
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    for machine in machines {
        machine.stop();
    }
    cluster.stop_up();
}

/// Waits until every instance runs, or until it is said that this machine lacks the program, or does not get what the app has brought from
/// elsewhere, and destroys the app.
fn until_it_ran(cluster: &Cluster, path: &Path, created: &Value) {
    let id = created["id"].as_str().expect("an id");
    // DC/OS brought a Python of its own; without it the shell answers 127.
    let lacks_its_program = created["cmd"].as_str().is_some_and(|cmd| cmd.contains("/opt/mesosphere/"))
        && !Path::new("/opt/mesosphere").exists();
    let brought = created["container"]["docker"]["image"].is_string() || created["fetch"].is_array();
    cluster.until(&format!("{} to run; app: {}", path.display(), cluster.app(id)), || {
        let app = cluster.app(id);
        if lacks_its_program {
            let failure = &app["lastTaskFailure"];
            let said = failure["message"].as_str().is_some_and(|message| message.contains("127"));
            return (failure["state"] == "TASK_FAILED" && said).then_some(());
        }
        let failure = &app["lastTaskFailure"];
        // What a program's end is told by begins with `Command`.
        let said = failure["message"].as_str().is_some_and(|message| !message.starts_with("Command "));
        if brought && failure["state"] == "TASK_FAILED" && said {
            return Some(());
        }
        let everywhere = app["tasksRunning"] == created["instances"] && app["deployments"] == serde_json::json!([]);
        everywhere.then_some(())
    });
    let (status, answer) = cluster.request("DELETE", &format!("/v2/apps/{id}?force=true"), None);
    assert_eq!(status, 200, "{answer}");
    cluster.until(&format!("{id} to be gone"), || {
        let ended = cluster.get("/v2/deployments").1 == serde_json::json!([]);
        (ended && cluster.get(&format!("/v2/apps/{id}")).0 == 404).then_some(())
    });
}

/// An agent beside those of `up`. It is ended with its tasks when the test ends, however it ends.
struct Machine(Child);

impl Machine {
    fn start(cluster: &Cluster, hostname: &str, attributes: &str, ports: &str) -> Machine {
        let agent = attica()
            .args(["agent", "--port", "0", "--hostname", hostname, "--master", &cluster.address("master")])
            .args(["--attributes", attributes, "--resources", &format!("cpus:32;mem:8192;disk:8192;ports:{ports}")])
            .arg("--work-dir")
            .arg(cluster.data_dir().join(hostname))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("attica agent starts");
        Machine(agent)
    }

    fn stop(mut self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGUSR1).expect("the agent ran");
        let status = self.0.wait().expect("it is ours");
        assert!(status.success(), "the agent ended with {status}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
