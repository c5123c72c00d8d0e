//! Programs that the kernel asks before a process of a cgroup uses a device.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `struct bpf_insn` of `<linux/bpf.h>`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) operation: u8,
    /// Source and destination, four bits each.
    registers: u8,
    pub(crate) offset: i16,
    pub(crate) number: i32,
}

impl Instruction {
    pub(crate) fn new(operation: u8, to: u8, from: u8, offset: i16, number: i32) -> Instruction {
        Instruction { operation, registers: from << 4 | to & 0xf, offset, number }
    }

    /// Destination and source.
    #[cfg(test)]
    pub(crate) fn registers(&self) -> (u8, u8) {
        (self.registers & 0xf, self.registers >> 4)
    }
}

/// Members of `union bpf_attr` that a command reads.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    licence: u64,
    log: [u32; 4],
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
    replaced: u32,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

const PROGRAM_LOAD: i32 = 5;
const PROGRAM_ATTACH: i32 = 8;
const PROGRAM_DETACH: i32 = 9;
const PROGRAM_BY_ID: i32 = 13;
const PROGRAM_QUERY: i32 = 16;
/// `BPF_PROG_TYPE_CGROUP_DEVICE` and `BPF_CGROUP_DEVICE`.
const OF_DEVICES: u32 = 15;
const AT_DEVICES: u32 = 6;
/// Those of the cgroups beneath are asked as well, and those above: all have to allow it.
const MULTIPLE: u32 = 2;
/// The kernel attaches no more to one cgroup.
const ATTACHED_MAX: usize = 64;

/// # Safety
/// Addresses in `attributes`, which has the layout of the command's members, lead to what the kernel may read, or write where the
/// command does, throughout the call.
unsafe fn bpf<T>(command: i32, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the structure has the size that is told and lives throughout the call; for the addresses in it the caller stands.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { i32::try_from(result).map_err(io::Error::other) }
}

fn descriptor(file: &impl AsRawFd) -> u32 {
    file.as_raw_fd().cast_unsigned()
}

/// Hands a program to the kernel, which checks it.
pub(crate) fn load_device_program(program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut load = Load {
        program_type: OF_DEVICES,
        instruction_count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        licence: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: the instructions, as many as told, and the licence, which ends with NUL, live throughout the call; the kernel reads them.
    let loaded = unsafe { bpf(PROGRAM_LOAD, &mut load) }?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(loaded) })
}

/// Has the kernel ask this program about the devices that processes in `cgroup` and beneath use, and none that it has asked before.
pub(crate) fn set_device_program(cgroup: &File, program: BorrowedFd<'_>) -> io::Result<()> {
    let former = attached(cgroup)?;
    let mut attach = Attach { program: descriptor(&program), flags: MULTIPLE, ..attach_to(cgroup) };
    // SAFETY: there are no addresses in it.
    unsafe { bpf(PROGRAM_ATTACH, &mut attach) }?;
    for id in former {
        let mut by_id = ById { id, ..ById::default() };
        // SAFETY: as above.
        let found = unsafe { bpf(PROGRAM_BY_ID, &mut by_id) }?;
        // SAFETY: the kernel has just made this descriptor for us, and nobody else owns it.
        let found = unsafe { OwnedFd::from_raw_fd(found) };
        let mut detach = Attach { program: descriptor(&found), ..attach_to(cgroup) };
        // SAFETY: as above.
        unsafe { bpf(PROGRAM_DETACH, &mut detach) }?;
    }
    Ok(())
}

fn attach_to(cgroup: &File) -> Attach {
    Attach { target: descriptor(cgroup), attach_type: AT_DEVICES, ..Attach::default() }
}

/// The ids of the programs that are asked about a cgroup itself.
fn attached(cgroup: &File) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; ATTACHED_MAX];
    let mut query = Query {
        target: descriptor(cgroup),
        attach_type: AT_DEVICES,
        ids: ids.as_mut_ptr() as u64,
        count: ATTACHED_MAX as u32,
        ..Query::default()
    };
    // SAFETY: the kernel writes no more ids than there is room for, which it is told, and the room lives throughout the call.
    unsafe { bpf(PROGRAM_QUERY, &mut query) }?;
    ids.truncate(usize::try_from(query.count).unwrap_or(0));
    Ok(ids)
}
