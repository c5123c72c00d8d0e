//! What the kernel counts, and limits, of what directories hold: project quotas, as XFS and ext4 have them.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct fsxattr` of `<linux/fs.h>`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_on_write_extent_size: u32,
    padding: [u8; 8],
}

/// `struct if_dqblk` of `<linux/quota.h>`.
#[repr(C)]
#[derive(Default)]
struct Quota {
    hard_blocks: u64,
    soft_blocks: u64,
    used_bytes: u64,
    hard_inodes: u64,
    soft_inodes: u64,
    used_inodes: u64,
    block_time: u64,
    inode_time: u64,
    valid: u32,
}

/// `_IOR('X', 31, struct fsxattr)` and `_IOW('X', 32, struct fsxattr)`.
const GET_ATTRIBUTES: libc::c_ulong = (2 << 30) | ((size_of::<Attributes>() as libc::c_ulong) << 16) | (0x58 << 8) | 31;
const SET_ATTRIBUTES: libc::c_ulong = (1 << 30) | ((size_of::<Attributes>() as libc::c_ulong) << 16) | (0x58 << 8) | 32;
/// What is made in a directory is of its project.
const INHERITED: u32 = 0x200;
/// `QCMD(Q_GETQUOTA, PRJQUOTA)` and `QCMD(Q_SETQUOTA, PRJQUOTA)`.
const GET_QUOTA: u32 = (0x0080_0007 << 8) | 2;
const SET_QUOTA: u32 = (0x0080_0008 << 8) | 2;
/// `QIF_BLIMITS`: of a quota that is set, only the limits of blocks are meant.
const BLOCK_LIMITS: u32 = 1;
/// In which limits are told.
const BLOCK_BYTES: u64 = 1_024;

fn check(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn attributes(directory: BorrowedFd<'_>) -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the request number carries the size of the structure, which lives throughout the call.
    let result = unsafe { libc::ioctl(directory.as_raw_fd(), GET_ATTRIBUTES, &raw mut attributes) };
    check(result.into()).map(|()| attributes)
}

/// The project that a directory is of; 0 is none.
pub(crate) fn project_of(directory: BorrowedFd<'_>) -> io::Result<u32> {
    attributes(directory).map(|attributes| attributes.project)
}

/// Makes a directory, and what will be in it, part of a project.
pub(crate) fn set_project(directory: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    let now = attributes(directory)?;
    set_attributes(directory, &Attributes { project, flags: now.flags | INHERITED, ..now })
}

/// Makes a file part of a project.
pub(crate) fn set_project_of_file(file: BorrowedFd<'_>, project: u32) -> io::Result<()> {
    set_attributes(file, &Attributes { project, ..attributes(file)? })
}

fn set_attributes(file: BorrowedFd<'_>, attributes: &Attributes) -> io::Result<()> {
    // SAFETY: as above; the kernel only reads it.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), SET_ATTRIBUTES, std::ptr::from_ref(attributes)) };
    check(result.into())
}

fn quota_call(file_system: BorrowedFd<'_>, command: u32, project: u32, quota: &mut Quota) -> io::Result<()> {
    let quota: *mut Quota = quota;
    // SAFETY: both commands are about one structure of this size, which lives throughout the call.
    let result = unsafe { libc::syscall(libc::SYS_quotactl_fd, file_system.as_raw_fd(), command, project, quota) };
    check(result)
}

/// How many bytes the files of a project may hold together; `None` is any number.
pub(crate) fn limit_project(file_system: BorrowedFd<'_>, project: u32, bytes: Option<u64>) -> io::Result<()> {
    // None is what the kernel understands by 0.
    let blocks = bytes.map_or(0, |bytes| bytes.div_ceil(BLOCK_BYTES).max(1));
    let mut quota = Quota { hard_blocks: blocks, valid: BLOCK_LIMITS, ..Quota::default() };
    quota_call(file_system, SET_QUOTA, project, &mut quota)
}

/// How many bytes the files of a project hold.
pub(crate) fn used_by_project(file_system: BorrowedFd<'_>, project: u32) -> io::Result<u64> {
    let mut quota = Quota::default();
    quota_call(file_system, GET_QUOTA, project, &mut quota).map(|()| quota.used_bytes)
}
