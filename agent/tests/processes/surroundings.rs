//! What a container sees of the machine and may do there, when that is less than everything.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use attica_agent::launcher::hidden::Hidden;
use attica_agent::launcher::protocol::{
    Access, Capabilities, Exit, Ipc, LaunchSpec, Mount, MountKind, Namespaces, Privileges, Reply, Request, Root,
    SeccompProfile, Stage, Streams, Surroundings,
};
use attica_core_api::secrets::ClearText;

use crate::support::{Launcher, can_isolate, cgroups_beneath, eventually, is_alive, kill_hard};

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 24] = [
    "sh", "cat", "echo", "ls", "id", "hostname", "sleep", "ps", "mount", "touch", "mkdir", "test", "stat", "tty",
    "grep", "readlink", "mknod", "env", "setsid", "df", "wc", "true", "chroot", "kill",
];

/// Whether tests that need root, cgroups and a static shell can run; says so when they cannot.
fn can_surround() -> bool {
    let busybox = Path::new(BUSYBOX).exists();
    if !busybox {
        println!("skipped: needs {BUSYBOX}, of the package busybox-static");
    }
    can_isolate() && busybox
}

fn files(launcher: &Launcher, name: &str) -> PathBuf {
    let path = launcher.directory.path().join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Two layers that make a small system, and room for what a container writes.
fn root(launcher: &Launcher) -> Root {
    let (lower, upper_layer) = (files(launcher, "layer-1"), files(launcher, "layer-2"));
    for directory in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(lower.join(directory)).unwrap();
    }
    std::fs::copy(BUSYBOX, lower.join("bin/busybox")).unwrap();
    for applet in APPLETS {
        let _there = symlink("busybox", lower.join("bin").join(applet));
    }
    std::fs::write(lower.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nweb:x:4321:4322::/:/bin/sh\n").unwrap();
    std::fs::write(lower.join("etc/group"), "root:x:0:\nweb:x:4322:\nlog:x:4323:web\n").unwrap();
    std::fs::write(lower.join("etc/motd"), "lower\n").unwrap();
    std::fs::create_dir_all(upper_layer.join("etc")).unwrap();
    std::fs::write(upper_layer.join("etc/motd"), "upper\n").unwrap();
    let own = uuid::Uuid::new_v4();
    let (upper, work) = (files(launcher, &format!("{own}/upper")), files(launcher, &format!("{own}/work")));
    // mktemp makes the directory for root alone.
    std::fs::set_permissions(launcher.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Root { layers: vec![lower, upper_layer], upper, work }
}

fn rooted(launcher: &Launcher, script: &str) -> LaunchSpec {
    surrounded(launcher, script, Surroundings { root: Some(root(launcher)), ..Surroundings::default() })
}

fn surrounded(launcher: &Launcher, script: &str, surroundings: Surroundings) -> LaunchSpec {
    let mut spec = launcher.shell(script);
    spec.environment = vec![("PATH".to_owned(), "/bin:/usr/bin".to_owned())];
    spec.surroundings = Some(Box::new(surroundings));
    spec
}

fn of(spec: &mut LaunchSpec) -> &mut Surroundings {
    spec.surroundings.as_mut().unwrap()
}

fn bind(source: &Path, target: &str, access: Access) -> Mount {
    Mount { kind: MountKind::Bind(source.to_owned()), target: target.into(), access }
}

fn output(spec: &LaunchSpec) -> String {
    let read = |name: &str| std::fs::read_to_string(spec.directory.join(name)).unwrap_or_default();
    format!("{}{}", read("stdout"), read("stderr"))
}

/// Runs `spec` to its end.
fn run(launcher: &mut Launcher, spec: &LaunchSpec) -> (Exit, String) {
    launcher.send(&Request::Launch(vec![spec.clone()]));
    let first = launcher.receive();
    assert!(matches!(first, Reply::Started { .. }), "{first:?}");
    let exit = launcher.ending().exit;
    launcher.send(&Request::Forget(vec![spec.container.clone()]));
    (exit, output(spec))
}

fn refused(launcher: &mut Launcher, spec: &LaunchSpec) -> String {
    launcher.send(&Request::Launch(vec![spec.clone()]));
    match launcher.receive() {
        Reply::LaunchFailed { error, .. } => error,
        other => panic!("it was started: {other:?}"),
    }
}

/// What is mounted on the machine, save by other tests for themselves.
fn machines_mounts(launcher: &Launcher) -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let (all, own) = (std::env::temp_dir(), launcher.directory.path().to_owned());
    let is_of_others = |line: &str| line.contains(all.to_str().unwrap()) && !line.contains(own.to_str().unwrap());
    mounts.lines().filter(|line| !is_of_others(line)).map(str::to_owned).collect()
}

#[test]
fn a_root_of_layers_is_all_that_a_container_sees() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let before = machines_mounts(&launcher);
    let script = "pwd; cat /etc/motd; ls /; echo new > /tmp/new; echo changed > /etc/motd; echo kept > kept; \
                  ls /dev; echo x > /dev/null && cat /dev/null; ls /proc/self > /dev/null && echo proc; \
                  cat /proc/kcore | wc -c; echo 1 > /proc/sys/vm/drop_caches || echo protected; \
                  ls /sys/fs/cgroup; touch /sys/x || echo read-only; exit 5";
    let spec = rooted(&launcher, script);
    let (exit, output) = run(&mut launcher, &spec);
    assert_eq!(exit, Exit::Code(5), "{output}");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..2], ["/mnt/mesos/sandbox", "upper"], "{output}");
    for seen in ["bin", "dev", "mnt", "null", "urandom", "ptmx", "shm", "proc", "0", "protected", "read-only"] {
        assert!(lines.contains(&seen), "{seen}: {output}");
    }
    assert!(!lines.contains(&"home") && !lines.contains(&"sda"), "{output}");
    assert_eq!(std::fs::read_to_string(spec.directory.join("kept")).unwrap(), "kept\n");
    let Root { layers, upper, .. } = spec.surroundings.as_ref().unwrap().root.as_ref().unwrap();
    assert_eq!(std::fs::read_to_string(upper.join("tmp/new")).unwrap(), "new\n");
    assert_eq!(std::fs::read_to_string(layers[1].join("etc/motd")).unwrap(), "upper\n", "layers are never written to");
    assert_eq!(machines_mounts(&launcher), before);
    launcher.finish();
}

#[test]
fn a_container_is_told_its_limits_by_its_cgroups() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; true";
    let (_, output) = {
        let spec = rooted(&launcher, script);
        run(&mut launcher, &spec)
    };
    assert!(output.lines().any(|line| line == (64 << 20).to_string()), "{output}");
    launcher.finish();
}

#[test]
fn a_pid_namespace_begins_with_a_process_that_reaps_and_signals_keep_their_meaning() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    // An orphan ends: what is left of it goes at once.
    let script = "echo first $$; (sh -c 'echo $$ > orphan; exec true' &) ; while [ ! -s orphan ]; do sleep 0.01; done; \
                  while [ -e /proc/$(cat orphan) ]; do sleep 0.01; done; echo reaped; cat /proc/1/comm; exec sleep 1000";
    let mut spec = rooted(&launcher, script);
    of(&mut spec).namespaces.pid = true;
    launcher.started(spec.clone());
    let output = eventually("the orphan is reaped", || Some(output(&spec)).filter(|output| output.contains("holder")));
    assert!(output.contains("reaped\n"), "{output}");
    let own: i32 = output.lines().next().unwrap().strip_prefix("first ").unwrap().parse().unwrap();
    assert!(own < 10, "{output}");
    launcher.send(&Request::Terminate(spec.container.clone()));
    assert_eq!(launcher.ending().exit, Exit::Signal(15), "the default action of a signal is done");
    assert!(cgroups_beneath(&launcher.cgroup_parent).is_empty());
    launcher.finish();
}

#[test]
fn a_part_joins_what_its_container_sees_also_after_a_restart() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut whole = rooted(&launcher, "echo here > /tmp/mark; exec sleep 1000");
    of(&mut whole).namespaces = Namespaces { pid: true, ipc: None, hostname: Some("inside".to_owned()) };
    launcher.started(whole.clone());
    let mark = whole.surroundings.as_ref().unwrap().root.as_ref().unwrap().upper.join("tmp/mark");
    eventually("the whole runs", || mark.exists().then_some(()));
    for round in 0..2 {
        let mut part =
            launcher.part(&whole, "cat /tmp/mark; hostname; pwd; cat /proc/1/comm; ps | grep -c 'sleep 1000'");
        part.environment = whole.environment.clone();
        let (exit, output) = run(&mut launcher, &part);
        assert_eq!(exit, Exit::Code(0), "{output}");
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[..4], ["here", "inside", "/mnt/mesos/sandbox", "attica-holder"], "round {round}: {output}");
        let mut demanding = launcher.part(&whole, "true");
        demanding.surroundings = Some(Box::new(Surroundings {
            mounts: vec![bind(Path::new("/etc"), "/x", Access::ReadOnly)],
            ..Surroundings::default()
        }));
        assert!(refused(&mut launcher, &demanding).contains("of the whole"));
        launcher = launcher.replace();
    }
    launcher.send(&Request::Destroy(whole.container.clone()));
    launcher.ending();
    launcher.send(&Request::Forget(vec![whole.container]));
    launcher.finish();
}

#[test]
fn mounts_stay_within_the_root_whatever_links_are_there() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let (given, outside) = (files(&launcher, "given"), files(&launcher, "outside"));
    std::fs::write(given.join("file"), "given\n").unwrap();
    let mut spec = rooted(
        &launcher,
        "cat /data/deep/file /opt/up/file /single; touch /data/deep/x || echo ro; touch /opt/up/y; df /ram | grep -c ' 1024 '",
    );
    let layer = spec.surroundings.as_ref().unwrap().root.as_ref().unwrap().layers[0].clone();
    symlink(&outside, layer.join("data")).unwrap();
    symlink("../../../../../../../../../..", layer.join("opt")).unwrap();
    // In the container the link leads to the same path, of its own root.
    std::fs::create_dir_all(layer.join(outside.strip_prefix("/").unwrap())).unwrap();
    of(&mut spec).mounts = vec![
        bind(&given, "/data/deep", Access::ReadOnly),
        bind(&given, "/opt/up", Access::ReadWrite),
        bind(&given.join("file"), "/single", Access::ReadOnly),
        Mount {
            kind: MountKind::Tmpfs { size_bytes: Some(1 << 20) },
            target: "/ram".into(),
            access: Access::ReadWrite,
        },
    ];
    let (exit, output) = run(&mut launcher, &spec);
    assert!(output.starts_with("given\ngiven\ngiven\n") && output.contains("ro\n"), "{output}");
    assert_eq!(exit, Exit::Code(0), "{output}");
    assert!(given.join("y").exists() && !given.join("x").exists());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "nothing is made outside");
    // What links promise and do not keep.
    let mut dangling = rooted(&launcher, "true");
    let _before = std::fs::remove_file(layer.join("gone"));
    symlink("/proc/self/root/../nowhere", layer.join("gone")).unwrap();
    of(&mut dangling).mounts = vec![bind(&given, "/gone", Access::ReadOnly)];
    assert!(refused(&mut launcher, &dangling).contains("/gone"));
    let mut missing = rooted(&launcher, "true");
    of(&mut missing).mounts = vec![bind(Path::new("/no/such/source"), "/x", Access::ReadOnly)];
    assert!(refused(&mut launcher, &missing).contains("cannot open /no/such/source"));
    launcher.finish();
}

#[test]
fn a_secret_is_a_file_of_the_images_user_in_memory() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let script = "cat /etc/keys/one; stat -c ' %u %a' /etc/keys/one; (echo x > /etc/keys/one) 2>/dev/null || echo protected; \
                  cat two; grep -c ' ramfs ' /proc/self/mounts";
    let mut spec = rooted(&launcher, script);
    let secret = |value: &[u8], target: &str| Mount {
        kind: MountKind::Secret(Hidden::plain(&ClearText::new(value.to_vec()))),
        target: target.into(),
        access: Access::ReadOnly,
    };
    of(&mut spec).mounts = vec![secret(b"first", "/etc/keys/one"), secret(b"second\n", "/mnt/mesos/sandbox/two")];
    of(&mut spec).user = Some("web".to_owned());
    let (exit, output) = run(&mut launcher, &spec);
    assert_eq!((exit, output.as_str()), (Exit::Code(0), "first 4321 400\nprotected\nsecond\n2\n"));
    let upper = &of(&mut spec).root.as_ref().unwrap().upper;
    assert_eq!(std::fs::read(upper.join("etc/keys/one")).unwrap(), b"", "nothing of it is on a disk");
    let mut outside = surrounded(&launcher, "true", Surroundings::default());
    of(&mut outside).mounts = vec![secret(b"x", "/etc/attica-secret")];
    assert!(refused(&mut launcher, &outside).contains("/etc/attica-secret"));
    assert!(!Path::new("/etc/attica-secret").exists());
    launcher.finish();
}

#[test]
fn mounts_over_the_machines_own_root_are_seen_by_the_container_alone() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let (given, place) = (files(&launcher, "given"), files(&launcher, "place"));
    std::fs::write(given.join("file"), "given\n").unwrap();
    let before = machines_mounts(&launcher);
    let mounts = vec![bind(&given, place.to_str().unwrap(), Access::ReadOnly)];
    let namespaces = Namespaces { pid: true, ipc: Some(Ipc { shm_bytes: 2 << 20 }), hostname: None };
    let script = format!(
        "pwd; cat {}/file; cat /proc/1/comm; df -k /dev/shm | grep -c ' 2048 '; exec sleep 1000",
        place.display()
    );
    let spec = surrounded(&launcher, &script, Surroundings { mounts, namespaces, ..Surroundings::default() });
    launcher.started(spec.clone());
    let output = eventually("it prints", || Some(output(&spec)).filter(|output| output.lines().count() == 4));
    assert_eq!(output, format!("{}\ngiven\nattica-holder\n1\n", spec.directory.display()));
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    assert_eq!(machines_mounts(&launcher), before);
    launcher.send(&Request::Destroy(spec.container.clone()));
    launcher.ending();
    let missing = vec![bind(&given, "/no/such/place", Access::ReadOnly)];
    let spec = surrounded(&launcher, "true", Surroundings { mounts: missing, ..Surroundings::default() });
    assert!(refused(&mut launcher, &spec).contains("/no/such/place"));
    assert!(!Path::new("/no").exists(), "nothing is made on the machine");
    launcher.finish();
}

#[test]
fn a_network_namespace_is_entered() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut other = Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap();
    let namespace = PathBuf::from(format!("/proc/{}/ns/net", other.id()));
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let there =
        eventually("there is another network", || std::fs::read_link(&namespace).ok().filter(|link| *link != own));
    let surroundings = Surroundings { network: Some(namespace), ..Surroundings::default() };
    let spec = surrounded(&launcher, "readlink /proc/self/ns/net", surroundings);
    let (_, output) = run(&mut launcher, &spec);
    assert_eq!(output.trim(), there.to_str().unwrap());
    other.kill().unwrap();
    other.wait().unwrap();
    let surroundings = Surroundings { network: Some("/no/such/namespace".into()), ..Surroundings::default() };
    let spec = surrounded(&launcher, "true", surroundings);
    assert!(refused(&mut launcher, &spec).contains("/no/such/namespace"));
    launcher.finish();
}

#[test]
fn a_user_of_the_image_owns_what_the_container_writes() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut spec = rooted(&launcher, "id -u; id -G; touch mine; echo more >> /dev/stdout; pwd");
    of(&mut spec).user = Some("web".to_owned());
    of(&mut spec).working_directory = Some("/tmp".into());
    std::fs::set_permissions(
        spec.surroundings.as_ref().unwrap().root.as_ref().unwrap().layers[0].join("tmp"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let (exit, output) = run(&mut launcher, &spec);
    assert_eq!((exit, output.as_str()), (Exit::Code(0), "4321\n4322 4323\nmore\n/tmp\n"));
    assert_eq!(std::fs::metadata(&spec.directory).unwrap().uid(), 4321);
    let upper = &spec.surroundings.as_ref().unwrap().root.as_ref().unwrap().upper;
    assert_eq!(std::fs::metadata(upper.join("tmp/mine")).unwrap().uid(), 4321);
    let mut stranger = rooted(&launcher, "true");
    of(&mut stranger).user = Some("nobody-there".to_owned());
    assert!(refused(&mut launcher, &stranger).contains("no user `nobody-there`"));
    launcher.finish();
}

#[test]
fn a_launcher_killed_while_it_makes_a_container_leaves_nothing_or_all_of_it() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let before = machines_mounts(&launcher);
    for attempt in 0..12 {
        let mut spec = rooted(&launcher, "exec sleep 1000");
        of(&mut spec).namespaces.pid = true;
        launcher.send(&Request::Launch(vec![spec.clone()]));
        std::thread::sleep(std::time::Duration::from_micros(400 * attempt));
        launcher = launcher.replace();
        let known = launcher.reports.get(&spec.container).map(|report| report.stage);
        match known {
            None => {}
            Some(Stage::Running) => {
                launcher.send(&Request::Destroy(spec.container.clone()));
                eventually("it ends", || matches!(launcher.receive(), Reply::Ended { .. }).then_some(()));
            }
            Some(Stage::Failing | Stage::Ended(_)) => {}
        }
        launcher.send(&Request::Forget(vec![spec.container]));
    }
    assert_eq!(machines_mounts(&launcher), before);
    eventually("no cgroup is left", || cgroups_beneath(&launcher.cgroup_parent).is_empty().then_some(()));
    launcher.finish();
}

#[test]
fn a_container_does_not_survive_its_holder_and_none_survives_its_container() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut spec = rooted(&launcher, "exec sleep 1000");
    of(&mut spec).namespaces.pid = true;
    let process = launcher.started(spec.clone());
    let holder = launcher.processes_of(&spec.container).into_iter().find(|pid| *pid != process.pid).unwrap();
    kill_hard(holder);
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    let spec = rooted(&launcher, "exec sleep 1000");
    let process = launcher.started(spec.clone());
    let holder = launcher.processes_of(&spec.container).into_iter().find(|pid| *pid != process.pid).unwrap();
    kill_hard(process.pid);
    assert_eq!(launcher.ending().exit, Exit::Signal(9));
    assert!(!is_alive(holder));
    launcher.finish();
}

#[test]
fn a_terminal_controls_its_container() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let pty = nix::pty::openpty(None, None).unwrap();
    let slave = std::fs::read_link(format!("/proc/self/fd/{}", pty.slave.as_raw_fd())).unwrap();
    let mut spec = launcher.shell("tty; echo said: $(head -n 1); exec sleep 1000");
    spec.streams = Streams::Terminal(slave.clone());
    launcher.started(spec.clone());
    let mut master = std::fs::File::from(pty.master);
    master.write_all(b"hello\n").unwrap();
    let mut said = String::new();
    eventually("it answers", || {
        let mut chunk = [0; 256];
        let length = master.read(&mut chunk).unwrap();
        said.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
        said.contains("said: hello\r\n").then_some(())
    });
    assert!(said.contains(slave.to_str().unwrap()), "{said}");
    // Ctrl-C reaches whoever the terminal controls.
    master.write_all(b"\x03").unwrap();
    assert_eq!(launcher.ending().exit, Exit::Signal(2));
    launcher.finish();
}

#[test]
fn fifos_and_files_take_the_place_of_the_sandboxs() {
    let mut launcher = Launcher::start();
    let fifo = |name: &str| {
        let path = launcher.directory.path().join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        path
    };
    let (input, error) = (fifo("in"), fifo("err"));
    let out = launcher.directory.path().join("out");
    std::fs::write(&out, "before\n").unwrap();
    let mut spec = launcher.shell("cat; echo told >&2");
    spec.streams = Streams::Files { input: input.clone(), output: out.clone(), error: error.clone() };
    let mut nobody_reads = launcher.shell("true");
    nobody_reads.streams = spec.streams.clone();
    assert!(refused(&mut launcher, &nobody_reads).contains("cannot open"), "it is not waited for");
    let open = |path: &Path| std::fs::File::options().read(true).write(true).open(path).unwrap();
    let (mut writer, mut reader) = (open(&input), open(&error));
    launcher.started(spec.clone());
    writer.write_all(b"from outside\n").unwrap();
    eventually("it is copied", || std::fs::read_to_string(&out).ok().filter(|text| text == "before\nfrom outside\n"));
    drop(writer);
    assert_eq!(launcher.ending().exit, Exit::Code(0));
    let mut told = [0; 5];
    reader.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"told\n");
    launcher.finish();
}

const CAP_CHOWN: u64 = 1;
const CAP_KILL: u64 = 1 << 5;
const CAP_NET_BIND_SERVICE: u64 = 1 << 10;

#[test]
fn capabilities_are_what_was_given_whoever_the_user_is() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    std::fs::set_permissions(launcher.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let all = CAP_CHOWN | CAP_KILL | CAP_NET_BIND_SERVICE;
    let cases = [
        // user, effective, bounding
        (None, all, all),
        (None, CAP_KILL, all),
        (Some("nobody"), CAP_NET_BIND_SERVICE, all),
        (Some("nobody"), 0, CAP_KILL),
    ];
    for (user, effective, bounding) in cases {
        let capabilities = Some(Capabilities { effective, bounding });
        let privileges = Privileges { capabilities, no_new_privileges: true, seccomp: None };
        let surroundings = Surroundings { privileges, ..Surroundings::default() };
        let mut spec =
            surrounded(&launcher, "grep -E 'CapEff|CapPrm|CapBnd|NoNewPrivs' /proc/self/status", surroundings);
        spec.user = user.map(str::to_owned);
        let (exit, output) = run(&mut launcher, &spec);
        let words: Vec<&str> = output.split_ascii_whitespace().collect();
        let hex = |value: u64| format!("{value:016x}");
        let expected =
            ["CapPrm:", &hex(effective), "CapEff:", &hex(effective), "CapBnd:", &hex(bounding), "NoNewPrivs:", "1"];
        assert_eq!((exit, words), (Exit::Code(0), expected.to_vec()));
    }
    launcher.finish();
}

#[test]
fn the_usual_profile_lets_programs_work_and_nothing_change_the_machine() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    std::fs::set_permissions(launcher.directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let script = "python3 -c 'import threading, subprocess, socket; t = threading.Thread(target=print, args=(\"thread\",)); t.start(); t.join(); \
                  subprocess.run([\"echo\", \"child\"]); socket.socket().bind((\"127.0.0.1\", 0))'; \
                  unshare --uts true || echo refused; mount -t tmpfs none /mnt || echo refused; grep -E '^Seccomp:|NoNew' /proc/self/status";
    for user in [None, Some("nobody")] {
        let privileges = Privileges { seccomp: Some(SeccompProfile::Usual), ..Privileges::default() };
        let mut spec = surrounded(&launcher, script, Surroundings { privileges, ..Surroundings::default() });
        spec.user = user.map(str::to_owned);
        let (_, output) = run(&mut launcher, &spec);
        let lines: Vec<&str> = output.lines().collect();
        assert!(lines.contains(&"thread") && lines.contains(&"child"), "{output}");
        assert_eq!(lines.iter().filter(|line| **line == "refused").count(), 2, "{output}");
        assert!(output.contains("Operation not permitted") || user.is_some(), "{output}");
        assert!(lines.contains(&"Seccomp:\t2") && lines.contains(&"NoNewPrivs:\t0"), "{output}");
    }
    launcher.finish();
}

#[test]
fn a_named_profile_answers_as_it_says() {
    if !can_isolate() {
        return;
    }
    let mut launcher = Launcher::start();
    let profile = launcher.directory.path().join("profile.json");
    std::fs::write(
        &profile,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "args": [], "includes": {}, "excludes": {}},
            {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [{"index": 0, "value": 10, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
            {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["no_such_call_at_all"], "action": "SCMP_ACT_KILL"}
        ]}"#,
    )
    .unwrap();
    let script =
        "mkdir a; python3 -c 'import socket; socket.socket(); socket.socket(socket.AF_INET6)'; hostname $(hostname)";
    let named = |capabilities| {
        let seccomp = Some(SeccompProfile::File(profile.clone()));
        let privileges = Privileges { seccomp, capabilities, ..Privileges::default() };
        Surroundings { privileges, ..Surroundings::default() }
    };
    let all = surrounded(&launcher, script, named(None));
    let (_, output) = run(&mut launcher, &all);
    assert!(output.contains("No space left on device") && output.contains("Address family not supported"), "{output}");
    assert!(!output.contains("Operation not supported") && output.contains("line 1"), "{output}");
    let few = Capabilities { effective: 1, bounding: 1 };
    let few = surrounded(&launcher, "python3 -c 'import socket; socket.sethostname(\"x\")'", named(Some(few)));
    let (_, output) = run(&mut launcher, &few);
    assert!(output.contains("Operation not supported"), "{output}");
    std::fs::write(&profile, r#"{"defaultAction": "SCMP_ACT_WINK"}"#).unwrap();
    let wrong = surrounded(&launcher, "exit 0", named(None));
    let error = refused(&mut launcher, &wrong);
    assert!(error.contains("malformed") && error.contains("SCMP_ACT_WINK"), "{error}");
    std::fs::remove_file(&profile).unwrap();
    let missing = surrounded(&launcher, "exit 0", named(None));
    let error = refused(&mut launcher, &missing);
    assert!(error.contains("cannot read the profile"), "{error}");
    launcher.finish();
}

#[test]
fn a_device_of_the_machine_is_put_into_a_root() {
    if !can_surround() {
        return;
    }
    let mut launcher = Launcher::start();
    let mut spec = rooted(&launcher, "ls /dev/lamp && busybox head -c 3 /dev/lamp | wc -c; ls /dev/zero1");
    of(&mut spec).mounts.push(bind(Path::new("/dev/zero"), "/dev/lamp", Access::ReadWrite));
    let (_, output) = run(&mut launcher, &spec);
    assert!(output.starts_with("/dev/lamp\n3\n") && output.contains("No such file"), "{output}");
    launcher.finish();
}
