//! The system calls that Rust cannot check: the only module of this crate with `unsafe` in it.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use super::protocol::Exit;

/// Starts `command`; `prepare` runs in the child between fork and exec and its error becomes this call's.
///
/// The child begins in a session of its own with default signal dispositions, an empty signal mask and no descriptor
/// beyond the three standard ones. The caller must be a process with a single thread, which is asserted: only then may
/// the child use the heap.
pub(crate) fn spawn(
    command: &mut Command,
    mut prepare: impl FnMut() -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<Child> {
    assert_eq!(thread_count()?, 1, "only a process with a single thread may run code between fork and exec");
    let in_child = move || {
        reset_signals()?;
        nix::unistd::setsid()?;
        prepare()?;
        close_descriptors_on_exec()
    };
    // SAFETY: the closure runs in a forked child of a process that has a single thread (asserted above), so no lock can
    // be held by a thread that does not exist in the child: allocating and file operations are sound there.
    unsafe { command.pre_exec(in_child) };
    command.spawn()
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// The kernel's `struct sigaction` of all-default: no handler, no flags, an empty mask.
const DEFAULT_ACTION: [u64; 4] = [0; 4];
const KERNEL_SIGNALS: i32 = 64;

/// Asks the kernel itself: the C library refuses to touch the two signals that it uses internally, which an ancestor may
/// have left ignored.
fn reset_signals() -> io::Result<()> {
    for signal in 1..=KERNEL_SIGNALS {
        // SAFETY: the kernel reads 32 bytes of action (its handler is SIG_DFL, so no code address is involved) and writes
        // nothing. KILL and STOP are refused with EINVAL, and their disposition is the default anyway.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT_ACTION.as_ptr(),
                std::ptr::null::<u64>(),
                size_of::<u64>(),
            )
        };
    }
    nix::sys::signal::SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Marks every descriptor above the standard three to be closed by exec (closing them now would close the pipe on which
/// the standard library reports a failed exec).
fn close_descriptors_on_exec() -> io::Result<()> {
    // SAFETY: close_range with CLOEXEC only sets a flag on descriptors; it touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A descriptor for the process `pid`, which stays its own even when the number is used again.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// `struct pidfd_info` of `<linux/pidfd.h>` in its first published size.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    pid: u32,
    thread_group: u32,
    parent: u32,
    credentials: [u32; 8],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong = (3 << 30) | ((size_of::<PidfdInfo>() as libc::c_ulong) << 16) | (0xFF << 8) | 11;

/// How the process behind `pidfd` ended: `None` while it lives or nobody has waited for it yet.
///
/// Works for processes that are not our children; needs Linux 6.15 (an error on older kernels).
pub(crate) fn pidfd_exit(pidfd: BorrowedFd<'_>) -> io::Result<Option<Exit>> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request number carries the size of the structure, which the kernel does not exceed, and `info` lives
    // throughout the call.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    if result < 0 {
        let error = io::Error::last_os_error();
        // Gone, and it was reaped before the descriptor was made: there is nothing to be told.
        return if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) };
    }
    if info.mask & PIDFD_INFO_EXIT == 0 {
        return Ok(None);
    }
    Ok(Some(if libc::WIFSIGNALED(info.exit_code) {
        Exit::Signal(libc::WTERMSIG(info.exit_code))
    } else {
        Exit::Code(libc::WEXITSTATUS(info.exit_code))
    }))
}
