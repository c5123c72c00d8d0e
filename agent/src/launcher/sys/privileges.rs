//! Capabilities and filters of system calls, of this process alone.

use std::io;

use nix::errno::Errno;
use seccompiler::BpfProgramRef;

/// `_LINUX_CAPABILITY_VERSION_3`: two words of 32 bits for each set.
const CAPABILITY_VERSION: u32 = 0x2008_0522;
/// `SECBIT_NOROOT`: to have the number 0 gives no capability when a program is executed.
const ROOT_IS_NOBODY: libc::c_ulong = 1;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From now on no program gives this process a capability that is not in `kept`.
pub(crate) fn drop_from_bounding(kept: u64) -> io::Result<()> {
    for number in (0..u64::BITS).filter(|number| kept & (1 << number) == 0) {
        // SAFETY: takes integers only.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
        match check(result) {
            // The kernel knows no more.
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => break,
            other => other?,
        }
    }
    Ok(())
}

/// This process has these capabilities, and no others.
pub(crate) fn set_capabilities(capabilities: u64) -> io::Result<()> {
    let header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let word = |half: u32| {
        let bits = (capabilities >> (32 * half)) as u32;
        Sets { effective: bits, permitted: bits, inheritable: bits }
    };
    let sets = [word(0), word(1)];
    // SAFETY: the kernel reads a header of this version and the two structures that go with it.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From now on to be root gives no capability by itself.
pub(crate) fn make_root_nobody() -> io::Result<()> {
    // SAFETY: takes integers only.
    check(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, ROOT_IS_NOBODY, 0, 0, 0) })
}

/// The programs that this process executes have these capabilities, which it has itself, whoever their user is.
pub(crate) fn hand_down(capabilities: u64) -> io::Result<()> {
    for number in (0..u64::BITS).filter(|number| capabilities & (1 << number) != 0) {
        let (raise, number) = (libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, libc::c_ulong::from(number));
        // SAFETY: takes integers only.
        check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, number, 0, 0) })?;
    }
    Ok(())
}

/// From now on `program` decides about every system call.
pub(crate) fn filter_calls(program: BpfProgramRef<'_>) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel reads `len` instructions, which have the same layout there as here, and writes none.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
