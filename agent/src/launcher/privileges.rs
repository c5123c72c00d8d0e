//! What a program may do: capabilities, and which system calls.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use seccompiler::{BpfProgram, TargetArch};
use serde_json::json;

use super::protocol::{Capabilities, Privileges, SeccompProfile};
use super::{seccomp_profile, sys};

/// Filters in the order of their installation: of two that refuse, the later one says how.
static USUAL: LazyLock<Result<Vec<BpfProgram>, String>> = LazyLock::new(|| {
    // Programs take this answer for an old kernel, and do without: also without what is newer than this list.
    let refuse_others =
        filter(ALLOWED.split_ascii_whitespace().chain(ALLOWED_OLD.split_ascii_whitespace()), ENOSYS, Listed::Allowed)?;
    let refuse = filter(REFUSED.split_ascii_whitespace(), EPERM, Listed::Refused)?;
    Ok(vec![refuse_others, refuse])
});

const EPERM: i32 = libc::EPERM;
const ENOSYS: i32 = libc::ENOSYS;

/// What programs need that do not manage the machine.
const ALLOWED: &str = "accept accept4 adjtimex bind brk cachestat capget capset chdir clock_adjtime clock_getres clock_gettime clock_nanosleep \
    clone close close_range connect copy_file_range dup dup3 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2 execve execveat exit \
    exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr \
    flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_waitv get_mempolicy get_robust_list getcpu getcwd \
    getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpid getppid getpriority getrandom getresgid getresuid \
    getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init1 inotify_rm_watch \
    io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule \
    landlock_create_ruleset landlock_restrict_self lgetxattr linkat listen listxattr llistxattr lremovexattr lseek lsetxattr madvise mbind \
    membarrier memfd_create memfd_secret mincore mkdirat mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open \
    mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep \
    newfstatat openat openat2 personality pidfd_getfd pidfd_open pidfd_send_signal pipe2 pkey_alloc pkey_free pkey_mprotect ppoll prctl pread64 \
    preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 ptrace pwrite64 pwritev pwritev2 read readahead \
    readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr renameat renameat2 restart_syscall rseq rt_sigaction \
    rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max \
    sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity \
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto \
    set_mempolicy set_robust_list set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid \
    setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd4 socket \
    socketpair splice statfs statx symlinkat sync sync_file_range syncfs sysinfo tee tgkill timer_create timer_delete timer_getoverrun \
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlinkat utimensat vmsplice \
    wait4 waitid write writev chroot";

/// What only older architectures have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: &str = "access alarm arch_prctl chmod chown creat dup2 epoll_create epoll_ctl_old epoll_wait epoll_wait_old eventfd fork \
    futimesat getdents getpgrp inotify_init lchown link lstat mkdir mknod modify_ldt open pause pipe poll readlink rename rmdir select \
    signalfd stat symlink time unlink utime utimes vfork";
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: &str = "";

/// What manages the machine, or looks into it: refused with words that programs expect.
const REFUSED: &str = "acct add_key bpf delete_module finit_module init_module kexec_load keyctl lookup_dcookie mount move_pages nfsservctl \
    open_by_handle_at perf_event_open pivot_root quotactl reboot request_key setns settimeofday clock_settime swapoff swapon syslog \
    umount2 unshare userfaultfd vhangup fsopen fsmount move_mount open_tree mount_setattr";

/// The flags of `clone` that make namespaces.
const CLONE_NAMESPACES: u64 = 0x7E02_0000;

/// What happens to the calls that a filter names; the others meet the opposite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Allowed,
    Refused,
}

fn filter<'a>(names: impl Iterator<Item = &'a str>, error: i32, listed: Listed) -> Result<BpfProgram, String> {
    let rule = |name: &str| match name {
        // The flags are its first argument.
        "clone" => json!({"syscall": name, "args": [
            {"index": 0, "type": "qword", "op": {"masked_eq": CLONE_NAMESPACES}, "val": 0}]}),
        _ => json!({"syscall": name}),
    };
    let rules: Vec<_> = names.map(rule).collect();
    let (allow, refuse) = (json!("allow"), json!({"errno": error}));
    let (matched, other) = if listed == Listed::Allowed { (allow, refuse) } else { (refuse, allow) };
    let text = json!({"filter": {"match_action": matched, "mismatch_action": other, "filter": rules}}).to_string();
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let programs = seccompiler::compile_from_json(text.as_bytes(), architecture).map_err(|error| error.to_string())?;
    let mut programs: BTreeMap<String, BpfProgram> = programs.into_iter().collect();
    programs.remove("filter").ok_or_else(|| "the compiler lost the filter".to_owned())
}

/// The filters of a profile, for [`filter_calls`]; who is meant is root, or is not. The usual ones are made once.
pub(super) fn filters(privileges: &Privileges, is_root: bool) -> Result<Cow<'static, [BpfProgram]>, String> {
    match &privileges.seccomp {
        None => Ok(Cow::Borrowed(&[])),
        Some(SeccompProfile::Usual) => USUAL.as_deref().map(Cow::Borrowed).map_err(Clone::clone),
        Some(SeccompProfile::File(path)) => {
            let given = privileges.capabilities.map(|capabilities| capabilities.effective);
            let capabilities = given.unwrap_or(if is_root { u64::MAX } else { 0 });
            let made = seccomp_profile::filters(path, capabilities);
            made.map(Cow::Owned).map_err(|error| crate::error_chain(&error))
        }
    }
}

/// In the child, before it becomes its user, whom `is_root` tells of.
pub(super) fn limit(privileges: &Privileges, filters: &[BpfProgram], is_root: bool) -> io::Result<()> {
    if let Some(capabilities) = &privileges.capabilities {
        sys::drop_from_bounding(capabilities.bounding)?;
        match handed_down(capabilities, is_root) {
            None => {}
            Some(_) if is_root => sys::make_root_nobody()?,
            Some(_) => nix::sys::prctl::set_keepcaps(true)?,
        }
    }
    if privileges.no_new_privileges {
        nix::sys::prctl::set_no_new_privs()?;
    }
    // While this process still may: without that, a filter would need no_new_privileges.
    filters.iter().try_for_each(|filter| sys::filter_calls(filter))
}

/// In the child, after that.
pub(super) fn keep(privileges: &Privileges, is_root: bool) -> io::Result<()> {
    let Some(kept) = privileges.capabilities.as_ref().and_then(|capabilities| handed_down(capabilities, is_root))
    else {
        return Ok(());
    };
    sys::set_capabilities(kept)?;
    sys::hand_down(kept)
}

/// What has to be handed down to programs: who is root has all that is in the bounding set anyhow, another nothing.
fn handed_down(capabilities: &Capabilities, is_root: bool) -> Option<u64> {
    let Capabilities { effective, bounding } = *capabilities;
    let needed = if is_root { effective != bounding } else { effective != 0 };
    needed.then_some(effective & bounding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_filters_can_be_made_on_this_architecture() {
        let usual = Privileges { seccomp: Some(SeccompProfile::Usual), ..Privileges::default() };
        let filters = filters(&usual, true).unwrap();
        assert_eq!(filters.len(), 2);
        assert!(filters.iter().all(|filter| (50..4_096).contains(&filter.len())));
    }
}
