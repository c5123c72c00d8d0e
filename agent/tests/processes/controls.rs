//! What of the machine is controlled besides cpu time, memory and processes, as far as this machine's cgroups do that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use attica_agent::launcher::controls::{Controller, Controls, DeviceRule};
use attica_agent::launcher::protocol::{Exit, LaunchSpec, Limits, MemoryVerdict, Reply, Request};

use crate::agent::{Agent, get, shell};
use crate::master::Master;
use crate::quotas::Mounted;
use crate::support::{Launcher, can_isolate, eventually};

/// What this machine has.
fn controllers() -> BTreeSet<Controller> {
    let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
    let has = |controller: Controller| match (&unified, controller) {
        // A kernel that asks programs about them.
        (Ok(_), Controller::Devices) => {
            std::fs::read_to_string("/proc/kallsyms").unwrap().contains("cgroup_dev_is_valid_access")
        }
        (Ok(names), _) => names.split_ascii_whitespace().any(|name| name == controller.as_str()),
        (Err(_), Controller::Io) => Path::new("/sys/fs/cgroup/blkio/blkio.bfq.io_serviced").exists(),
        (Err(_), _) => Path::new("/sys/fs/cgroup").join(controller.as_str()).exists(),
    };
    Controller::ALL.into_iter().filter(|controller| has(*controller)).collect()
}

fn controlled(spec: LaunchSpec, controls: Controls) -> LaunchSpec {
    LaunchSpec { controls: Some(Box::new(controls)), ..spec }
}

/// Starts it if this machine has what it takes; otherwise sees to it that it is refused for that.
fn started(launcher: &mut Launcher, spec: &LaunchSpec) -> bool {
    let has = controllers();
    let lacking = spec.controls.as_ref().and_then(|controls| controls.needed().find(|needed| !has.contains(needed)));
    launcher.send(&Request::Launch(vec![spec.clone()]));
    match (launcher.receive(), lacking) {
        (Reply::Started { .. }, None) => true,
        (Reply::LaunchFailed { error, .. }, Some(lacking)) => {
            assert!(error.contains(&format!("do not control {}", lacking.as_str())), "{error}");
            println!("skipped: this machine's cgroups do not control {}", lacking.as_str());
            false
        }
        (other, lacking) => panic!("{other:?}, lacking {lacking:?}"),
    }
}

fn said(spec: &LaunchSpec) -> String {
    let stdout = spec.directory.join("stdout");
    eventually("it speaks", || std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with("end\n")))
}

fn end(launcher: &mut Launcher, specs: Vec<LaunchSpec>) {
    for spec in &specs {
        launcher.send(&Request::Destroy(spec.container.clone()));
        launcher.ending();
    }
    launcher.send(&Request::Forget(specs.into_iter().map(|spec| spec.container).collect()));
}

#[test]
fn containers_are_bound_to_processors_that_the_fewest_others_have() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let bound = || Controls { processors: Some(1), ..Controls::default() };
    let script = "grep Cpus_allowed_list /proc/self/status; echo end; exec sleep 1000";
    let first = controlled(launcher.shell(script), bound());
    if !started(&mut launcher, &first) {
        return launcher.finish();
    }
    let own = said(&first);
    let part = launcher.part(&first, script);
    launcher.started(part.clone());
    assert_eq!(said(&part), own, "a part is where the whole is");
    let mut launcher = launcher.replace();
    let second = controlled(launcher.shell(script), bound());
    assert!(started(&mut launcher, &second));
    assert!(own.trim_end_matches("\nend\n").rsplit('\t').next().unwrap().parse::<u32>().is_ok(), "{own}");
    if std::thread::available_parallelism().unwrap().get() > 1 {
        assert_ne!(said(&second), own, "a new launcher knows who is where");
    }
    let wide = Controls { processors: Some(1_000), ..Controls::default() };
    launcher.send(&Request::Resize(second.container.clone(), second.limits.unwrap(), Some(Box::new(wide))));
    let all = launcher.part(&second, "nproc; echo end");
    launcher.started(all.clone());
    launcher.ending();
    let all_there_are = std::thread::available_parallelism().unwrap().get();
    assert_eq!(said(&all), format!("{all_there_are}\nend\n"));
    launcher.send(&Request::Forget(vec![all.container]));
    end(&mut launcher, vec![part, first, second]);
    launcher.finish();
}

#[test]
fn a_container_uses_the_devices_that_it_may() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    // The second device is the machine's log.
    let script = "mknod z c 1 5; mknod log c 1 11; head -c 2 z | wc -c; head -c 1 log 2>&1; echo end; exec sleep 1000";
    let rules = || Controls { devices: Some(DeviceRule::usual()), ..Controls::default() };
    let spec = controlled(launcher.shell(script), rules());
    if !started(&mut launcher, &spec) {
        return launcher.finish();
    }
    let told = said(&spec);
    assert!(told.starts_with("2\n") && told.contains("Operation not permitted"), "{told}");
    let part = launcher.part(&spec, "head -c 1 ../*/log 2>&1; echo end; exec sleep 1000");
    launcher.started(part.clone());
    assert!(said(&part).contains("Operation not permitted"), "{}", said(&part));
    let mut more = rules();
    more.devices.as_mut().unwrap().push(DeviceRule { minor: Some(11), ..DeviceRule::usual()[8] });
    launcher.send(&Request::Resize(spec.container.clone(), spec.limits.unwrap(), Some(Box::new(more))));
    let allowed =
        launcher.part(&spec, "dd if=$(echo ../*/log) of=/dev/null count=0 2>/dev/null && echo opened; echo end");
    launcher.started(allowed.clone());
    launcher.ending();
    assert!(said(&allowed).contains("opened"), "{}", said(&allowed));
    launcher.send(&Request::Forget(vec![allowed.container]));
    end(&mut launcher, vec![part, spec]);
    launcher.finish();
}

#[test]
fn disks_and_huge_pages_are_shared_out() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    // Where a part of the second one's name is a file's, that is its own.
    let find = |file: &str| {
        format!(
            "for one in $(cut -d: -f3 /proc/self/cgroup | sort -u); do cat /sys/fs/cgroup$one/{file} /sys/fs/cgroup/*$one/{file} 2>/dev/null; done; echo end; exec sleep 1000"
        )
    };
    let weighed = Controls { io_weight: Some(321), ..Controls::default() };
    let weighed = controlled(launcher.shell(&find("*io*.weight")), weighed);
    if started(&mut launcher, &weighed) {
        assert!(said(&weighed).contains("321"), "{}", said(&weighed));
        end(&mut launcher, vec![weighed]);
    }
    let pages = Controls { huge_pages: Some(BTreeMap::from([("2MB".to_owned(), 6 << 20)])), ..Controls::default() };
    let paged = controlled(launcher.shell(&find("hugetlb.2MB.[lm][ia][mx]*")), pages);
    if started(&mut launcher, &paged) {
        assert!(said(&paged).contains(&(6 << 20).to_string()), "{}", said(&paged));
        end(&mut launcher, vec![paged]);
    }
    launcher.finish();
}

#[test]
fn a_part_that_cannot_be_controlled_leaves_nothing() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let pages = Controls { huge_pages: Some(BTreeMap::from([("7MB".to_owned(), 1)])), ..Controls::default() };
    let spec = controlled(launcher.shell("exit 0"), pages);
    launcher.send(&Request::Launch(vec![spec]));
    let Reply::LaunchFailed { error, .. } = launcher.receive() else { panic!("it was started") };
    assert!(error.contains("do not control hugetlb") || error.contains("no huge pages of the size 7MB"), "{error}");
    launcher.finish();
}

#[test]
fn a_part_has_limits_of_its_own_within_those_of_the_whole() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let whole = launcher.shell("sleep 1000 & sleep 1000 & exec sleep 1000");
    launcher.started(whole.clone());
    let free = launcher.part(&whole, "exec sleep 1000");
    launcher.started(free.clone());
    let eat = "mkfifo food; head -c 100000000 /dev/zero > food & exec tail -c 90000000 food";
    let limits = |megabytes: u64| whole.limits.map(|limits| Limits { memory_bytes: megabytes << 20, ..limits });
    let bounded = LaunchSpec { limits: limits(20), ..launcher.part(&whole, eat) };
    launcher.started(bounded.clone());
    let ending = launcher.ending();
    assert_eq!(ending.exit, Exit::Signal(9));
    let struck = matches!(ending.memory, MemoryVerdict::OutOfMemory { limit_bytes, .. } if limit_bytes == 20 << 20);
    assert!(struck, "{ending:?}");
    // One that has its limits from another part's, and one within that.
    let outer = LaunchSpec { limits: limits(32), ..launcher.part(&whole, "exec sleep 1000") };
    launcher.started(outer.clone());
    let inner = LaunchSpec { limits: limits(16), ..launcher.part(&outer, "exec sleep 1000") };
    launcher.started(inner.clone());
    launcher.send(&Request::Destroy(whole.container.clone()));
    let ended: Vec<_> = (0..4).map(|_| launcher.ending().exit).collect();
    assert_eq!(ended, [Exit::Signal(9); 4], "all that is in it ends with it, wherever its processes are");
    let all = [whole, free, bounded, outer, inner].map(|spec| spec.container);
    launcher.send(&Request::Forget(all.to_vec()));
    launcher.finish();
}

#[test]
fn an_agent_tells_what_its_machine_can_do_and_switches_on_what_there_is() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), root, &["--isolation", "cgroups/all"]);
    master.await_registration(1);
    let state: serde_json::Value = serde_json::from_str(&get(&master, &agent.ready_address(), "/state").1).unwrap();
    let told =
        |name: &str| state["abilities"][name].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned());
    let (has, lacks): (BTreeSet<String>, BTreeSet<String>) =
        (told("controllers").collect(), told("lacking_controllers").collect());
    let always = ["cpu", "memory", "pids"].map(str::to_owned);
    let there = controllers().into_iter().map(|it| it.as_str().to_owned());
    assert_eq!(has, there.chain(always).collect(), "{state}");
    assert_eq!(has.len() + lacks.len(), 3 + Controller::ALL.len());
    master.run(vec![shell("bound", "nproc; mknod log c 1 11; : < log && echo opened")]);
    let _either_way =
        eventually("it ends", || master.states("bound").last().filter(|state| state.ends_with("ED")).copied());
    let told = std::fs::read_to_string(agent.sandbox("bound").join("stdout")).unwrap();
    assert_eq!(told.starts_with("1\n"), has.contains("cpuset"), "{told}");
    assert_eq!(!told.contains("opened"), has.contains("devices"), "{told}");
    agent.finish();
}

#[test]
fn what_a_container_does_with_disks_is_counted() {
    if !can_isolate() {
        return;
    }
    let Some(mounted) = Mounted::new() else { return };
    let work = mounted.place().join("work");
    let counts = controllers().contains(&Controller::Io);
    let isolation = if counts { "cgroups/blkio" } else { "posix/cpu" };
    let master = Master::start();
    let root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let settings = ["--isolation", isolation, "--work-dir", work.to_str().unwrap()];
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), root, &settings);
    master.await_registration(1);
    master.run(vec![shell("writes", "head -c 1048576 /dev/zero > data; sync; echo end; exec sleep 1000")]);
    let stdout = agent.sandbox("writes").join("stdout");
    eventually("it writes", || std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with("end\n")));
    let counted = || {
        let told: serde_json::Value =
            serde_json::from_str(&get(&master, &agent.ready_address(), "/monitor/statistics").1).unwrap();
        told[0]["statistics"]["blkio_statistics"]["throttling"].clone()
    };
    let total = |counted: &serde_json::Value, op: &str| {
        let all = counted.as_array()?.iter().find(|entry| entry.get("device").is_none())?;
        all["io_service_bytes"].as_array()?.iter().find(|figure| figure["op"] == op)?["value"].as_u64()
    };
    match counts {
        false => assert_eq!(counted(), serde_json::Value::Null),
        true if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() => {
            eventually("it is counted", || total(&counted(), "WRITE").filter(|bytes| *bytes >= 1 << 20));
        }
        // The kernel counts there once somebody is held back.
        true => assert!(total(&counted(), "TOTAL").is_some(), "{}", counted()),
    }
    master.kill("writes", Some(0));
    master.await_state("writes", "TASK_KILLED");
    agent.finish();
}

/// Devices that may be opened without anything coming of it: the machine's log, and what hands out loop devices.
const LAMPS: [(&str, u64, u64); 2] = [("a", 1, 11), ("b", 10, 237)];

#[test]
fn a_device_is_given_to_one_task_at_a_time() {
    if !can_isolate() || !controllers().contains(&Controller::Devices) {
        println!("skipped: needs root, and cgroups that control devices");
        return;
    }
    let lamps = tempfile::tempdir().unwrap();
    let path = |name: &str| lamps.path().join(name);
    for (name, major, minor) in LAMPS {
        let device = nix::sys::stat::makedev(major, minor);
        let mode = nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR;
        nix::sys::stat::mknod(&path(name), nix::sys::stat::SFlag::S_IFCHR, mode, device).unwrap();
    }
    let told = format!("lamps={},{}", path("a").display(), path("b").display());
    let settings = ["--isolation", "cgroups/devices", "--devices", &told];
    let master = Master::start();
    let root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), root, &settings);
    master.await_registration(1);
    let script = format!(
        "for lamp in a b; do dd if={}/$lamp of=/dev/null count=0 2>/dev/null && echo $lamp; done; echo end; exec sleep 1000",
        lamps.path().display()
    );
    let with = |task: &str, amount: f64| {
        let mut task = shell(task, &script);
        task.resources.push(crate::agent::scalar("lamps", amount));
        task
    };
    let sees = |agent: &Agent, task: &str| {
        let stdout = agent.sandbox(task).join("stdout");
        eventually("it looks", || std::fs::read_to_string(&stdout).ok().filter(|text| text.ends_with("end\n")))
    };
    master.run(vec![with("one", 1.0)]);
    assert_eq!(sees(&agent, "one"), "a\nend\n");
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    master.run(vec![with("two", 1.0), shell("none", &script)]);
    assert_eq!(sees(&agent, "two"), "b\nend\n");
    assert_eq!(sees(&agent, "none"), "end\n");
    master.run(vec![with("three", 1.0)]);
    let message = master.await_state("three", "TASK_FAILED").status.message.unwrap();
    assert!(message.contains("no `lamps` that is free"), "{message}");
    master.kill("one", Some(0));
    master.await_state("one", "TASK_KILLED");
    master.run(vec![with("four", 1.0)]);
    assert_eq!(sees(&agent, "four"), "a\nend\n");
    for task in ["two", "none", "four"] {
        master.kill(task, Some(0));
        master.await_state(task, "TASK_KILLED");
    }
    agent.finish();
}
