//! The system calls that Rust cannot check: the only module of this crate with `unsafe` in it, `spawn` being a part of it.
#![allow(unsafe_code)]

mod bpf;
mod privileges;
pub(crate) mod quota;
mod spawn;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub(crate) use self::bpf::{Instruction, load_device_program, set_device_program};
pub(crate) use self::privileges::{drop_from_bounding, filter_calls, hand_down, make_root_nobody, set_capabilities};
pub(crate) use self::spawn::{Program, Spawner, detach, fork, keep_only};
use super::protocol::Exit;

/// Signals, descriptors and the current directory are about to be set for the whole process: no thread may rely on them being different.
pub(crate) fn assert_single_thread() -> io::Result<()> {
    assert_eq!(std::fs::read_dir("/proc/self/task")?.count(), 1, "the launcher has a single thread");
    Ok(())
}

/// The kernel's `struct sigaction` of all-default: no handler, no flags, an empty mask.
const DEFAULT_ACTION: [u64; 4] = [0; 4];
const KERNEL_SIGNALS: i32 = 64;

/// Sets all signals to their default, which programs inherit, except SIGPIPE, which a child sets itself: here it stays an error.
///
/// Asks the kernel itself: the C library refuses to touch the two signals that it uses internally, which an ancestor may
/// have left ignored.
pub(crate) fn reset_signals() {
    (1..=KERNEL_SIGNALS).filter(|signal| *signal != libc::SIGPIPE).for_each(reset_signal);
}

/// Sets one signal to its default, in this process alone.
fn reset_signal(signal: i32) {
    // SAFETY: the kernel reads 32 bytes of action (its handler is SIG_DFL, so no code address is involved) and writes nothing. KILL
    // and STOP are refused with EINVAL, and their disposition is the default anyway.
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

/// Closes every descriptor above the standard three, with which this process was born. Those that it opens itself its children have until
/// they execute a program, and no longer.
pub(crate) fn close_inherited() -> io::Result<()> {
    // SAFETY: to be called before anything is opened: nobody here owns what is closed.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether what is mounted beneath a mount is meant, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beneath {
    Included,
    Excluded,
}

/// `struct mount_attr` of `<linux/mount.h>`.
#[repr(C)]
#[derive(Default)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Lets nobody write to what is mounted at `mounted`.
pub(crate) fn make_read_only(mounted: BorrowedFd<'_>, beneath: Beneath) -> io::Result<()> {
    const READ_ONLY: u64 = 1;
    let attributes = MountAttributes { set: READ_ONLY, ..MountAttributes::default() };
    let recursive = match beneath {
        Beneath::Included => libc::AT_RECURSIVE,
        Beneath::Excluded => 0,
    };
    // SAFETY: the path is empty and ends with NUL, and the structure has the size that is told; the kernel reads both.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mounted.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the terminal behind `terminal` that of this process's session, which it leads.
pub(crate) fn take_terminal(terminal: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the request takes an integer and changes nothing in memory.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
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

/// Sends a signal to the process behind a pidfd.
pub(crate) fn pidfd_send(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let nothing = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: pidfd_send_signal reads nothing where it is given no siginfo.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, nothing, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A file that another process has sent under this number, and that nobody has taken yet.
pub(crate) fn received(descriptor: std::os::fd::RawFd) -> std::fs::File {
    // SAFETY: the kernel has just made this descriptor for us, in a message that is read once, and nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }.into()
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
