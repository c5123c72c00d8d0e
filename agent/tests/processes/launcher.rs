//! The launcher by itself.

use std::path::Path;

use attica_agent::launcher::protocol::{
    ContainerId, Exit, IsolationKind, LaunchSpec, MemoryVerdict, Reply, Request, Stage,
};

use crate::support::{
    Launcher, can_isolate, cgroups_beneath, eventually, is_alive, kernel_keeps_exit_codes, kill_hard,
};

/// Becomes a program that keeps 250 MB of what it reads.
const HUNGRY: &str = "mkfifo food; head -c 268435456 /dev/zero > food & exec tail -c 250000000 food";

#[test]
fn a_command_runs_in_its_sandbox_with_its_environment_and_nothing_else() {
    let mut launcher = Launcher::start();
    let script = "pwd; env | sort; ls -l /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; cat /proc/$$/stat | cut -d' ' -f5,6; echo $$; echo oops >&2; exit 3";
    let mut spec = launcher.shell(script);
    spec.environment.push(("GREETING".to_owned(), "hello world".to_owned()));
    let process = launcher.started(spec.clone());
    assert_eq!(launcher.ending().exit, Exit::Code(3));
    let stdout = std::fs::read_to_string(spec.directory.join("stdout")).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], spec.directory.to_str().unwrap());
    assert!(lines.contains(&"GREETING=hello world"), "{stdout}");
    // The shell itself sets PWD, SHLVL and _.
    let environment: Vec<&&str> = lines
        .iter()
        .filter(|line| {
            line.contains('=')
                && !line.starts_with("PWD=")
                && !line.starts_with("_=")
                && !line.starts_with("SHLVL=")
                && !line.starts_with("OLDPWD=")
        })
        .collect();
    assert_eq!(environment.len(), 2, "{stdout}");
    // Standard input, output, error, and the directory that ls reads.
    assert!(lines.contains(&"5"), "{stdout}");
    for mask in ["SigBlk", "SigIgn"] {
        assert!(lines.iter().any(|line| line.starts_with(mask) && line.ends_with("\t0000000000000000")), "{stdout}");
    }
    let own = format!("{0} {0}", process.pid);
    assert!(lines.contains(&own.as_str()), "its own group and session: {stdout}");
    assert_eq!(std::fs::read_to_string(spec.directory.join("stderr")).unwrap(), "oops\n");
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn a_command_that_cannot_be_started_leaves_nothing() {
    let mut launcher = Launcher::start();
    let mut missing = launcher.shell("");
    missing.program = "/no/such/program".to_owned();
    let mut stranger = launcher.shell("");
    stranger.user = Some("nobody-of-that-name".to_owned());
    for (spec, message) in [(missing, "No such file or directory"), (stranger, "no user `nobody-of-that-name`")] {
        launcher.send(&Request::Launch(vec![spec]));
        let Reply::LaunchFailed { error, .. } = launcher.receive() else { panic!("it was started") };
        assert!(error.contains(message), "{error}");
    }
    assert!(cgroups_beneath(&launcher.cgroup_parent).is_empty());
    let launcher = launcher.replace();
    assert!(launcher.reports.is_empty(), "{:?}", launcher.reports);
    launcher.finish();
}

#[test]
fn a_program_takes_the_place_of_the_shell_where_it_can_be_executed() {
    let mut launcher = Launcher::start();
    let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    let mut found = launcher.shell("exit 9");
    found.shortcut = words(&["cat", "/proc/self/comm", "/proc/self/environ"]);
    let mut missing = launcher.shell("no-such-program --at all");
    missing.shortcut = words(&["no-such-program", "--at", "all"]);
    let mut script = launcher.shell("./script");
    std::fs::write(script.directory.join("script"), "exit 7").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(script.directory.join("script"), executable).unwrap();
    script.shortcut = words(&["./script"]);
    let mut exits = Vec::new();
    for spec in [&found, &missing, &script] {
        launcher.started(spec.clone());
        exits.push(launcher.ending().exit);
        launcher.send(&Request::Forget(vec![spec.container.clone()]));
    }
    assert_eq!(exits, [Exit::Code(0), Exit::Code(127), Exit::Code(7)]);
    let told = std::fs::read_to_string(found.directory.join("stdout")).unwrap();
    let told: Vec<&str> = told.split(['\n', '\0']).filter(|part| !part.is_empty()).collect();
    let directory = format!("PWD={}", found.directory.display());
    assert_eq!(told, ["cat", "PATH=/usr/bin:/bin", &directory]);
    let said = std::fs::read_to_string(missing.directory.join("stderr")).unwrap();
    assert!(said.starts_with("sh: ") && said.contains("not found"), "the shell's own words: {said}");
    launcher.finish();
}

#[test]
fn what_is_planted_for_the_output_neither_holds_the_launcher_up_nor_is_given_away() {
    let mut launcher = Launcher::start();
    let target = launcher.directory.path().join("somebody-elses");
    std::fs::write(&target, "").unwrap();
    let plants: [&dyn Fn(&std::path::Path); 3] = [
        &|path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        &|path| std::os::unix::fs::symlink(&target, path).unwrap(),
        &|path| std::fs::hard_link(&target, path).unwrap(),
    ];
    for plant in plants {
        let spec = launcher.shell("echo hello");
        plant(&spec.directory.join("stdout"));
        launcher.send(&Request::Launch(vec![spec]));
        let Reply::LaunchFailed { error, .. } = launcher.receive() else { panic!("it was started") };
        assert!(error.starts_with("cannot open"), "{error}");
    }
    launcher.finish();
}

#[test]
fn limits_are_set_and_privileges_dropped() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut spec = launcher.shell("id -un; id -G; cat /proc/self/cgroup >> /dev/stdout; exec sleep 1000");
    spec.user = Some("nobody".to_owned());
    // mktemp makes the directory for root alone.
    std::fs::set_permissions(launcher.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let process = launcher.started(spec.clone());
    let stdout = eventually("the task prints", || {
        std::fs::read_to_string(spec.directory.join("stdout")).ok().filter(|text| text.lines().count() >= 3)
    });
    assert_eq!(stdout.lines().next(), Some("nobody"));
    assert!(!stdout.lines().nth(1).unwrap().split(' ').any(|group| group == "0"), "{stdout}");
    assert!(stdout.contains(spec.container.as_str()), "{stdout}");
    if launcher.isolation == IsolationKind::CgroupsV2 {
        let own = format!("/sys/fs/cgroup/{}/{}", launcher.cgroup_parent, spec.container);
        let read = |file: &str| std::fs::read_to_string(format!("{own}/{file}")).unwrap().trim().to_owned();
        assert_eq!(read("cpu.weight"), "4");
        assert_eq!(read("memory.max"), (64 << 20).to_string());
        assert_eq!(read("pids.max"), "64");
        eventually("it is alone", || (read("cgroup.procs") == process.pid.to_string()).then_some(()));
    }
    if launcher.isolation == IsolationKind::CgroupsV1 {
        let read = |controller: &str, file: &str| {
            std::fs::read_to_string(format!(
                "/sys/fs/cgroup/{controller}/{}/{}/{file}",
                launcher.cgroup_parent, spec.container
            ))
            .unwrap()
            .trim()
            .to_owned()
        };
        assert_eq!(read("cpu", "cpu.shares"), "102");
        assert_eq!(read("memory", "memory.limit_in_bytes"), (64 << 20).to_string());
        assert_eq!(read("pids", "pids.max"), "64");
        eventually("it is alone", || (read("pids", "cgroup.procs") == process.pid.to_string()).then_some(()));
    }
    launcher.send(&Request::Terminate(spec.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(15));
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn a_fork_bomb_meets_the_pids_limit_and_dies_whole() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    // The shell itself needs no further process, which it might not get.
    let spec = launcher.shell("bomb() { bomb | bomb & }; trap '' TERM; bomb; exec sleep 1000");
    launcher.started(spec.clone());
    let events = format!("/sys/fs/cgroup/pids/{}/{}/pids.events", launcher.cgroup_parent, spec.container);
    if launcher.isolation == IsolationKind::CgroupsV1 {
        eventually("the limit is hit", || {
            std::fs::read_to_string(&events).ok().filter(|events| !events.contains("max 0"))
        });
    }
    launcher.send(&Request::Destroy(spec.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    assert!(cgroups_beneath(&launcher.cgroup_parent).is_empty());
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn the_memory_limit_is_told_from_other_ends() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let spec = launcher.shell(HUNGRY);
    launcher.started(spec.clone());
    let ending = launcher.ending();
    assert_eq!(ending.exit, Exit::Signal(9));
    let MemoryVerdict::OutOfMemory { limit_bytes, peak_bytes } = ending.memory else { panic!("{ending:?}") };
    assert_eq!(limit_bytes, 64 << 20);
    assert!(peak_bytes > 32 << 20, "{peak_bytes}");
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn what_ignores_term_and_forks_away_does_not_outlive_its_container() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let spec = launcher.shell("trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > orphan; while :; do sleep 1; done' & while :; do sleep 1; done");
    launcher.started(spec.clone());
    let orphan: i32 = eventually("the orphan lives", || {
        std::fs::read_to_string(spec.directory.join("orphan")).ok()?.trim().parse().ok()
    });
    launcher.send(&Request::Terminate(spec.container.clone()));
    launcher.send(&Request::Terminate(spec.container.clone()));
    assert!(is_alive(orphan));
    launcher.send(&Request::Destroy(spec.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    assert!(!is_alive(orphan));
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn an_ended_command_takes_its_leftovers_along() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let spec = launcher
        .shell("setsid sh -c 'echo $$ > orphan; exec sleep 1000' & while [ ! -s orphan ]; do sleep 0.01; done; exit 7");
    launcher.started(spec.clone());
    assert_eq!(launcher.ending().exit, Exit::Code(7));
    let orphan: i32 = std::fs::read_to_string(spec.directory.join("orphan")).unwrap().trim().parse().unwrap();
    assert!(!is_alive(orphan));
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn an_agent_that_was_away_learns_what_ended_meanwhile() {
    let mut launcher = Launcher::start();
    let (short, long) = (launcher.shell("exit 5"), launcher.shell("exec sleep 1000"));
    // What was not begun when the agent went away would be asked for again.
    launcher.started(long.clone());
    launcher.started(short.clone());
    let launcher = launcher.reconnect();
    let mut launcher = eventually_ended(launcher, &short.container);
    assert_eq!(exit_of(&launcher, &short.container), Some(Exit::Code(5)));
    assert_eq!(launcher.reports[&long.container].stage, Stage::Running);
    launcher.send(&Request::Destroy(long.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    launcher.send(&Request::Forget(vec![short.container, long.container]));
    launcher.finish();
}

fn exit_of(launcher: &Launcher, container: &ContainerId) -> Option<Exit> {
    match launcher.reports.get(container)?.stage {
        Stage::Failing | Stage::Running => None,
        Stage::Ended(ending) => Some(ending.exit),
    }
}

fn eventually_ended(launcher: Launcher, container: &ContainerId) -> Launcher {
    let mut current = Some(launcher);
    eventually("the short command ends", || {
        let launcher = current.take().unwrap().reconnect();
        if exit_of(&launcher, container).is_some() {
            return Some(launcher);
        }
        current = Some(launcher);
        None
    })
}

#[test]
fn a_new_launcher_adopts_the_living_and_learns_how_they_end() {
    let mut launcher = Launcher::start();
    let specs = [launcher.shell("while [ ! -e go ]; do sleep 0.05; done; exit 42"), launcher.shell("exec sleep 1000")];
    launcher.send(&Request::Launch(specs.to_vec()));
    let (first, second) = (launcher.receive(), launcher.receive());
    assert!(matches!((&first, &second), (Reply::Started { .. }, Reply::Started { .. })), "{first:?} {second:?}");
    let mut launcher = launcher.replace();
    for spec in &specs {
        let report = &launcher.reports[&spec.container];
        assert!(report.stage == Stage::Running && is_alive(report.process.pid), "{report:?}");
    }
    std::fs::write(specs[0].directory.join("go"), "").unwrap();
    let expected = |exit| {
        if kernel_keeps_exit_codes() { exit } else { Exit::Unknown }
    };
    assert_eq!(launcher.ending().exit, expected(Exit::Code(42)));
    launcher.send(&Request::Destroy(specs[1].container.clone()));
    assert_eq!(launcher.ending().exit, expected(Exit::Signal(9)));
    launcher.send(&Request::Forget(specs.map(|spec| spec.container).to_vec()));
    launcher.finish();
}

#[test]
fn a_torn_record_ends_its_container_and_is_not_adopted() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let spec = launcher.shell("exec sleep 1000");
    let process = launcher.started(spec.clone());
    let record = launcher.directory.path().join("containers.journal");
    std::fs::write(&record, &std::fs::read(&record).unwrap()[..20]).unwrap();
    let launcher = launcher.replace();
    eventually("the process is ended", || (!is_alive(process.pid)).then_some(()));
    launcher.finish();
}

#[test]
fn a_launcher_that_is_to_end_does_not_wait_for_what_has_ended_to_be_forgotten() {
    let mut launcher = Launcher::start();
    let spec = launcher.shell("exec sleep 1000");
    launcher.started(spec.clone());
    launcher.send(&Request::Destroy(spec.container));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    launcher.finish();
}

#[test]
fn cgroups_that_a_task_has_made_itself_end_with_it() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let version_1 = launcher.isolation == IsolationKind::CgroupsV1;
    let roots = if version_1 { "/sys/fs/cgroup/*/" } else { "/sys/fs/cgroup/" };
    // One child moves into a cgroup in a cgroup, and freezes itself where that can be done.
    let parent = &launcher.cgroup_parent;
    let ice = format!("/sys/fs/cgroup/freezer/{parent}/ice");
    let freeze = if version_1 {
        format!("mkdir -p {ice}/inner; echo $! > {ice}/inner/cgroup.procs; echo FROZEN > {ice}/freezer.state;")
    } else {
        String::new()
    };
    let script = format!(
        "trap '' TERM; sleep 1000 & for own in {roots}{parent}/*; do mkdir -p $own/inner/most; echo $! > $own/inner/most/cgroup.procs; done; \
         {freeze} echo $! > child; wait"
    );
    let mut spec = launcher.shell(&script);
    spec.limits.as_mut().unwrap().pids = 100;
    launcher.started(spec.clone());
    let child: i32 = eventually("the child has moved", || {
        std::fs::read_to_string(spec.directory.join("child")).ok()?.trim().parse().ok()
    });
    assert!(is_alive(child));
    assert!(cgroups_beneath(&launcher.cgroup_parent).iter().any(|cgroup| cgroup.ends_with("inner/most")));
    launcher.send(&Request::Destroy(spec.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    assert!(!is_alive(child));
    if version_1 {
        // What a task makes outside of its own cgroups is not the launcher's.
        let place = Path::new(&ice);
        for cgroup in [&place.join("inner"), place, place.parent().unwrap()] {
            eventually("the cgroup is empty", || std::fs::remove_dir(cgroup).ok());
        }
        // Stays while another run has something in it.
        let _in_use = std::fs::remove_dir("/sys/fs/cgroup/freezer/attica-test");
    }
    assert!(cgroups_beneath(&launcher.cgroup_parent).is_empty());
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn a_task_that_cannot_enter_its_cgroups_leaves_none() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let controller = if launcher.isolation == IsolationKind::CgroupsV1 { "pids/" } else { "" };
    let parent = format!("/sys/fs/cgroup/{controller}{}", launcher.cgroup_parent);
    // One of its cgroups disappears between the moment it is made and the one it is entered.
    let thief = Stealing::begin(parent);
    let error = eventually("a task comes too late", || {
        let spec = launcher.shell("exec sleep 1000");
        launcher.send(&Request::Launch(vec![spec.clone()]));
        match launcher.receive() {
            Reply::LaunchFailed { error, .. } => Some(error).filter(|error| error.contains("cannot enter the cgroup")),
            _started => {
                launcher.send(&Request::Destroy(spec.container.clone()));
                launcher.ending();
                launcher.send(&Request::Forget(vec![spec.container]));
                None
            }
        }
    });
    thief.end();
    assert!(error.contains("No such"), "neither the file nor the device behind it: {error}");
    assert!(cgroups_beneath(&launcher.cgroup_parent).is_empty());
    launcher.finish();
}

/// Removes every cgroup beneath a directory as soon as it is there.
struct Stealing {
    enough: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Stealing {
    fn begin(parent: String) -> Stealing {
        let enough = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = enough.clone();
        let thread = std::thread::spawn(move || {
            while !told.load(std::sync::atomic::Ordering::Relaxed) {
                for entry in std::fs::read_dir(&parent).unwrap().filter_map(Result::ok) {
                    let _entered_already = std::fs::remove_dir(entry.path());
                }
            }
        });
        Stealing { enough, thread }
    }

    fn end(self) {
        self.enough.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn a_long_log_is_begun_anew() {
    let launcher = Launcher::start_with_log(&vec![b'\n'; 2 << 20]);
    let log = |name: &str| std::fs::metadata(launcher.directory.path().join(name)).ok();
    eventually("the long one is put aside", || log("launcher.log.1"));
    eventually("another one is begun", || log("launcher.log").filter(|log| log.len() < 1 << 20));
    launcher.finish();
}

#[test]
fn the_last_word_of_an_agent_that_has_not_read_everything_counts() {
    let mut launcher = Launcher::start();
    let spec = launcher.shell("exec sleep 1000");
    launcher.started(spec.clone());
    launcher.send(&Request::Destroy(spec.container));
    launcher.finish_without_reading();
}

fn text(spec: &LaunchSpec, file: &str) -> String {
    std::fs::read_to_string(spec.directory.join(file)).unwrap_or_default()
}

#[test]
fn a_part_runs_beneath_its_container_and_ends_by_itself() {
    let mut launcher = Launcher::start();
    let whole = launcher.shell("exec sleep 1000");
    let part = launcher.part(&whole, "cat /proc/self/cgroup; exit 6");
    // The launcher is asked for both at once.
    launcher.send(&Request::Launch(vec![whole.clone(), part.clone()]));
    for _ in 0..2 {
        assert!(matches!(launcher.receive(), Reply::Started { .. }));
    }
    assert_eq!(launcher.ending().exit, Exit::Code(6));
    if launcher.isolation != IsolationKind::Posix {
        let place = format!("{}/part_{}", whole.container, part.container);
        assert!(text(&part, "stdout").contains(&place), "{}", text(&part, "stdout"));
        assert!(!cgroups_beneath(&launcher.cgroup_parent).iter().any(|cgroup| cgroup.ends_with(&place)));
    }
    let long = launcher.part(&whole, "exec sleep 1000");
    let process = launcher.started(long.clone());
    let inner = launcher.part(&long, "exec sleep 1000");
    launcher.started(inner.clone());
    launcher.send(&Request::Destroy(inner.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    assert!(is_alive(process.pid), "what it is a part of goes on");
    launcher.send(&Request::Terminate(long.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(15));
    launcher.send(&Request::Destroy(whole.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    launcher.send(&Request::Forget(vec![whole.container, part.container, long.container, inner.container]));
    launcher.finish();
}

#[test]
fn parts_end_with_their_container_and_before_it() {
    let mut launcher = Launcher::start();
    let whole = launcher.shell("while [ ! -e go ]; do sleep 0.01; done; exit 3");
    launcher.started(whole.clone());
    let part = launcher.part(&whole, "trap '' TERM; while :; do sleep 1; done");
    let inner = launcher.part(&part, "exec sleep 1000");
    launcher.started(part.clone());
    launcher.started(inner.clone());
    std::fs::write(whole.directory.join("go"), "").unwrap();
    let mut ended = Vec::new();
    for _ in 0..3 {
        match launcher.receive() {
            Reply::Ended { container, ending } => ended.push((container, ending.exit)),
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        (inner.container.clone(), Exit::Signal(9)),
        (part.container.clone(), Exit::Signal(9)),
        (whole.container.clone(), Exit::Code(3)),
    ];
    assert_eq!(ended, expected);
    let late = launcher.part(&whole, "exit 0");
    launcher.send(&Request::Launch(vec![late]));
    let Reply::LaunchFailed { error, .. } = launcher.receive() else { panic!("it was started") };
    assert!(error.contains("does not run"), "{error}");
    launcher.send(&Request::Forget(expected.map(|(container, _)| container).to_vec()));
    launcher.finish();
}

#[test]
fn what_cannot_be_removed_is_told_of_and_goes_later() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start_with_own_mounts();
    let hierarchy = match launcher.isolation {
        IsolationKind::CgroupsV1 => "/sys/fs/cgroup/pids",
        IsolationKind::CgroupsV2 => "/sys/fs/cgroup",
        IsolationKind::Posix => panic!("no cgroups in a mount namespace"),
    };
    let spec = launcher.shell("while [ ! -e go ]; do sleep 0.01; done; exit 3");
    launcher.started(spec.clone());
    launcher.remount(hierarchy, "ro");
    std::fs::write(spec.directory.join("go"), "").unwrap();
    let stays = Reply::NotRemoved { container: spec.container.clone() };
    assert_eq!(launcher.receive(), stays);
    launcher.remount(hierarchy, "rw");
    let told = eventually("it goes", || Some(launcher.receive()).filter(|told| *told != stays));
    assert!(matches!(told, Reply::Ended { ending, .. } if ending.exit == Exit::Code(3)), "{told:?}");
    launcher.send(&Request::Forget(vec![spec.container]));
    launcher.finish();
}

#[test]
fn a_new_launcher_knows_of_what_its_containers_are_parts() {
    let mut launcher = Launcher::start();
    let whole = launcher.shell("while [ ! -e go ]; do sleep 0.01; done; exit 3");
    launcher.started(whole.clone());
    let parts = [launcher.part(&whole, "exec sleep 1000"), launcher.part(&whole, "exec sleep 1000")];
    let pids = parts.clone().map(|part| launcher.started(part).pid);
    let mut launcher = launcher.replace();
    assert!(parts.iter().all(|part| launcher.reports[&part.container].stage == Stage::Running));
    let another = launcher.part(&whole, "exec sleep 1000");
    launcher.started(another.clone());
    launcher.send(&Request::Destroy(parts[0].container.clone()));
    let first = launcher.receive();
    assert!(matches!(&first, Reply::Ended { container, .. } if *container == parts[0].container), "{first:?}");
    assert!(is_alive(pids[1]));
    std::fs::write(whole.directory.join("go"), "").unwrap();
    let last = [(); 3].map(|()| launcher.receive())[2].clone();
    assert!(matches!(&last, Reply::Ended { container, .. } if *container == whole.container), "{last:?}");
    assert!(!is_alive(pids[1]));
    let [first, second] = parts.map(|part| part.container);
    launcher.send(&Request::Forget(vec![first, second, another.container, whole.container]));
    launcher.finish();
}

#[test]
fn a_part_does_not_outlive_a_container_that_ended_without_a_launcher() {
    let mut launcher = Launcher::start();
    let whole = launcher.shell("exec sleep 1000");
    let leader = launcher.started(whole.clone()).pid;
    let part = launcher.part(&whole, "exec sleep 1000");
    let process = launcher.started(part.clone());
    let mut launcher = launcher.replace_after(|| kill_hard(leader));
    eventually("the part is ended", || (!is_alive(process.pid)).then_some(()));
    for container in [&part.container, &whole.container] {
        // Told in the Hello, or after it.
        if !matches!(launcher.reports[container].stage, Stage::Ended(_)) {
            launcher.ending();
        }
    }
    launcher.send(&Request::Forget(vec![part.container, whole.container]));
    launcher.finish();
}

#[test]
fn a_part_lives_on_the_memory_of_the_whole() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let whole = launcher.shell("exec sleep 1000");
    launcher.started(whole.clone());
    let hungry = launcher.part(&whole, HUNGRY);
    launcher.started(hungry.clone());
    let ending = launcher.ending();
    assert_eq!(ending.exit, Exit::Signal(9));
    assert!(
        matches!(ending.memory, MemoryVerdict::OutOfMemory { limit_bytes, .. } if limit_bytes == 64 << 20),
        "{ending:?}"
    );
    launcher.send(&Request::Destroy(whole.container.clone()));
    launcher.ending();
    launcher.send(&Request::Forget(vec![whole.container, hungry.container]));
    launcher.finish();
}

#[test]
fn a_container_needs_limits_unless_it_is_a_part() {
    let mut launcher = Launcher::start();
    let spec = LaunchSpec { limits: None, ..launcher.shell("exit 0") };
    launcher.send(&Request::Launch(vec![spec]));
    let Reply::LaunchFailed { error, .. } = launcher.receive() else { panic!("it was started") };
    assert!(error.contains("needs limits"), "{error}");
    launcher.finish();
}
