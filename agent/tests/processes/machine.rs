//! Tests of the launcher once more, on a small virtual machine with the unified cgroups v2 tree: this machine may have another.

use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::eventually_within;

const BUSYBOX: &str = "/bin/busybox";
const QEMU: &str = "qemu-system-x86_64";
/// How long the machine may take: it is emulated.
const PATIENCE: Duration = Duration::from_secs(300);
/// What depends on the kind of cgroups.
const TESTS: [&str; 22] = [
    "controls::a_container_uses_the_devices_that_it_may",
    "controls::a_part_has_limits_of_its_own_within_those_of_the_whole",
    "controls::a_part_that_cannot_be_controlled_leaves_nothing",
    "controls::containers_are_bound_to_processors_that_the_fewest_others_have",
    "controls::disks_and_huge_pages_are_shared_out",
    "controls::what_a_container_does_with_disks_is_counted",
    "launcher::a_fork_bomb_meets_the_pids_limit_and_dies_whole",
    "launcher::a_new_launcher_adopts_the_living_and_learns_how_they_end",
    "launcher::a_part_lives_on_the_memory_of_the_whole",
    "launcher::a_part_runs_beneath_its_container_and_ends_by_itself",
    "launcher::a_task_that_cannot_enter_its_cgroups_leaves_none",
    "launcher::an_ended_command_takes_its_leftovers_along",
    "launcher::cgroups_that_a_task_has_made_itself_end_with_it",
    "launcher::limits_are_set_and_privileges_dropped",
    "launcher::parts_end_with_their_container_and_before_it",
    "launcher::the_memory_limit_is_told_from_other_ends",
    "launcher::what_ignores_term_and_forks_away_does_not_outlive_its_container",
    "quotas::a_task_cannot_write_more_than_its_disk",
    "quotas::a_volume_cannot_hold_more_than_its_size_whatever_was_in_it_before",
    "surroundings::a_container_is_told_its_limits_by_its_cgroups",
    "surroundings::a_part_joins_what_its_container_sees_also_after_a_restart",
    "surroundings::a_root_of_layers_is_all_that_a_container_sees",
];
/// From the first file system, which cannot be a container's former root, to one that can.
const FIRST: &str = "#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t tmpfs -o size=80% tmpfs /new
for entry in /*; do case $entry in /new|/proc|/dev) ;; *) cp -a $entry /new/ ;; esac; done
mkdir -p /new/proc /new/dev /new/sys
mount --move /proc /new/proc; mount --move /dev /new/dev
exec switch_root /new /second
";
const SECOND: &str = "#!/bin/busybox sh
export PATH=/bin
mount -t sysfs sys /sys; mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
insmod /overlay.ko; insmod /loop.ko; insmod /quota_tree.ko; insmod /quota_v2.ko
ifconfig lo 127.0.0.1 up; ln -s /proc/self/fd/1 /dev/stdout
";

/// A kernel package that was unpacked.
struct Kernel {
    image: PathBuf,
    modules: Vec<PathBuf>,
}

/// What the tests need that is not part of the kernel itself.
const MODULES: [&str; 4] =
    ["fs/overlayfs/overlay.ko", "drivers/block/loop.ko", "fs/quota/quota_tree.ko", "fs/quota/quota_v2.ko"];

impl Kernel {
    fn find() -> Option<Kernel> {
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/kernel");
        let named = |directory: PathBuf, prefix: &str| {
            let entries = std::fs::read_dir(directory).ok()?.filter_map(Result::ok).map(|entry| entry.path());
            let is_named =
                |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
            entries.filter(is_named).max()
        };
        let image = named(unpacked.join("boot"), "vmlinuz")?;
        let modules = named(unpacked.join("lib/modules"), "")?;
        // A kernel may have some of them in it.
        let found = MODULES.iter().map(|module| modules.join("kernel").join(module)).filter(|path| path.exists());
        Some(Kernel { image, modules: found.collect() })
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Puts a program where it is on this machine, with the libraries that it needs.
fn bring(program: &Path, files: &Path) {
    let inside = |path: &Path| files.join(path.strip_prefix("/").unwrap());
    let program = program.canonicalize().unwrap();
    let place = inside(&program);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    output("strip", &["-o", place.to_str().unwrap(), program.to_str().unwrap()]);
    for library in
        output("ldd", &[program.to_str().unwrap()]).split_ascii_whitespace().filter(|word| word.starts_with('/'))
    {
        let library = Path::new(library);
        std::fs::create_dir_all(inside(library).parent().unwrap()).unwrap();
        std::fs::copy(library, inside(library)).unwrap();
    }
}

fn write_script(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// All the files of the machine, as an archive that its kernel unpacks.
fn archive(kernel: &Kernel, directory: &Path) -> PathBuf {
    let files = directory.join("files");
    for name in ["bin", "usr/bin", "proc", "sys", "dev", "tmp", "etc", "new"] {
        std::fs::create_dir_all(files.join(name)).unwrap();
    }
    std::fs::copy(BUSYBOX, files.join("bin/busybox")).unwrap();
    for applet in output(BUSYBOX, &["--list"]).lines().filter(|applet| *applet != "busybox") {
        symlink(BUSYBOX, files.join("bin").join(applet)).unwrap();
        symlink(BUSYBOX, files.join("usr/bin").join(applet)).unwrap();
    }
    std::fs::write(files.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n").unwrap();
    std::fs::write(files.join("etc/group"), "root:x:0:\nnogroup:x:65534:\n").unwrap();
    for module in &kernel.modules {
        std::fs::copy(module, files.join(module.file_name().unwrap())).unwrap();
    }
    // Without it the test that uses it says so.
    let _made = crate::quotas::make_image(&files.join(crate::quotas::IMAGE.trim_start_matches('/')));
    bring(Path::new(env!("CARGO_BIN_EXE_attica-agent")), &files);
    let tests = std::env::current_exe().unwrap();
    bring(&tests, &files);
    write_script(&files.join("init"), FIRST);
    let tests = format!("{} --exact --test-threads 2 {}", tests.display(), TESTS.join(" "));
    write_script(&files.join("second"), &format!("{SECOND}{tests}\necho the tests ended with $?\npoweroff -f\n"));
    let archive = directory.join("archive");
    let script = format!("cd {} && find . | {BUSYBOX} cpio -o -H newc > {}", files.display(), archive.display());
    output("sh", &["-c", &script]);
    archive
}

#[test]
fn what_depends_on_cgroups_holds_on_the_unified_tree() {
    let Some(kernel) = Kernel::find().filter(|_| is_there(QEMU) && Path::new(BUSYBOX).exists()) else {
        println!("skipped: needs {QEMU}, {BUSYBOX} and a kernel in target/kernel, which `make test` brings");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let archive = archive(&kernel, directory.path());
    let mut machine = Command::new(QEMU)
        .args(["-accel", "tcg", "-m", "1500", "-smp", "2", "-nographic", "-no-reboot", "-net", "none", "-kernel"])
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(archive)
        .args(["-append", "console=ttyS0 quiet panic=-1 cgroup_no_v1=all"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut console = machine.stdout.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        console.read_to_end(&mut said).map(|_| String::from_utf8_lossy(&said).into_owned())
    });
    let ended = eventually_within(PATIENCE, || machine.try_wait().unwrap());
    if ended.is_none() {
        machine.kill().unwrap();
        machine.wait().unwrap();
    }
    let said = said.join().unwrap().unwrap();
    assert!(
        said.contains(&format!("running {} tests", TESTS.len())) && said.contains("the tests ended with 0"),
        "{said}"
    );
}
