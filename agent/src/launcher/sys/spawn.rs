//! A child that shares this process's memory until it executes its program, as `vfork` and `posix_spawn` make them: a copy of the
//! memory map is what a fork costs most of its time for.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use attica_core_api::secrets::ClearText;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, getppid};
use zeroize::{Zeroize, Zeroizing};

/// Of the stack that children run on, its guard included.
const STACK_BYTES: NonZeroUsize = NonZeroUsize::new(256 << 10).unwrap();
/// Whoever overruns the stack meets this much that cannot be written.
const GUARD_BYTES: usize = 64 << 10;
/// Status of a child that did not come to its program.
const NOT_EXECUTED: c_int = 127;
/// Where programs are looked for without a `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Makes children, one at a time, on a stack of their own.
#[derive(Debug)]
pub(crate) struct Spawner {
    stack: NonNull<c_void>,
}

/// What a child is told and tells.
struct Errand<'a> {
    parent: Pid,
    /// The child's own, as this process sees it: the kernel writes it before the child begins.
    pid: libc::pid_t,
    child: &'a mut dyn FnMut(i32) -> io::Error,
    error: Option<io::Error>,
}

impl Spawner {
    /// A stack for one child at a time.
    pub(crate) fn new() -> io::Result<Spawner> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let kind = MapFlags::MAP_PRIVATE | MapFlags::MAP_STACK;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists; its lowest part, which nobody refers
        // to yet, is made the guard.
        let stack = unsafe {
            let stack = mmap_anonymous(None, STACK_BYTES, access, kind)?;
            mprotect(stack, GUARD_BYTES, ProtFlags::PROT_NONE)?;
            stack
        };
        Ok(Spawner { stack })
    }

    /// Makes a child that calls `child` with its process id, which is to execute a program and returns only if that fails; waits until either has happened.
    ///
    /// The child is in a session of its own with an empty signal mask. It dies with this process unless [`detach`] was called, which must be
    /// before it executes. What it allocates and does not free stays allocated here.
    pub(crate) fn spawn(&mut self, child: &mut dyn FnMut(i32) -> io::Error) -> io::Result<i32> {
        let mut errand = Errand { parent: getpid(), pid: 0, child, error: None };
        // SAFETY: the addition stays within the mapping, at its end, from where stacks grow down. With CLONE_VFORK this thread stands
        // still until the child has executed its program or ended: `errand` and all it refers to outlive the child's use of them, and
        // nobody else uses them meanwhile, since they are borrowed by this thread; for the memory it is as if this thread had called
        // `begin` itself, and to other threads, with which it shares the allocator's locks, the child is this thread. Thread-local
        // storage, which the child shares as well, is not in use in between for the same reason. Descriptors, signal dispositions,
        // directory and credentials are the child's own copies.
        let pid = unsafe {
            let top = self.stack.as_ptr().byte_add(STACK_BYTES.get());
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
            let errand = &raw mut errand;
            libc::clone(begin, top, flags, errand.cast(), &raw mut (*errand).pid)
        };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        match errand.error {
            None => Ok(pid),
            Some(error) => {
                waitpid(Pid::from_raw(pid), None)?;
                Err(error)
            }
        }
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        // SAFETY: made by `new` with this length, and no child is on it: `spawn` waits for each to leave it.
        let _unmapped = unsafe { munmap(self.stack, STACK_BYTES.get()) };
    }
}

/// In the child. A panic ends the child alone: it does not unwind out of a function with the C calling convention.
extern "C" fn begin(errand: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its errand, and does nothing with it before this function has returned or is no more.
    let errand = unsafe { &mut *errand.cast::<Errand<'_>>() };
    let error = match prepare(errand.parent) {
        Ok(()) => (errand.child)(errand.pid),
        Err(error) => error,
    };
    errand.error = Some(error);
    // SAFETY: ends the child at once, without running anything that belongs to the parent.
    unsafe { libc::_exit(NOT_EXECUTED) }
}

fn prepare(parent: Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // None is seen from another pid namespace, whose holder ends with the launcher, and all the namespace with it.
    let seen = getppid();
    if seen != parent && seen.as_raw() != 0 {
        return Err(io::Error::other("the launcher has ended"));
    }
    SigSet::empty().thread_set_mask()?;
    super::reset_signal(libc::SIGPIPE);
    nix::unistd::setsid()?;
    Ok(())
}

/// In the child: from now on it outlives its parent. It must not ask for memory any more, nor free any: a thread of its parent's may have
/// died within the allocator.
pub(crate) fn detach() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(None)?)
}

/// Makes a child that is a copy of this process and does `child`, nothing else.
pub(crate) fn fork(child: impl FnOnce() -> io::Result<()>) -> io::Result<i32> {
    /// However `child` ends, nothing of the parent's code goes on.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            // SAFETY: ends the child at once, without running anything that belongs to the parent.
            unsafe { libc::_exit(NOT_EXECUTED) }
        }
    }
    // SAFETY: there may be another thread, which makes room for tasks: of what it could hold while it is not copied, the child uses the
    // allocator alone, which brings itself into order on both sides.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(child.as_raw()),
        nix::unistd::ForkResult::Child => {
            let _end = End;
            // Nobody is there to be told.
            let _over = child();
            Ok(0)
        }
    }
}

/// In a child that stays: closes everything but the standard three, which it neither reads nor writes, and `kept`.
pub(crate) fn keep_only<const COUNT: usize>(kept: [BorrowedFd<'_>; COUNT]) -> io::Result<[OwnedFd; COUNT]> {
    const FIRST: usize = 3;
    nix::unistd::dup2_stdout(io::stdin())?;
    nix::unistd::dup2_stderr(io::stdin())?;
    // Above where they are to be: none takes the place of another.
    let end = (FIRST + COUNT) as c_int;
    let aside = kept.map(|descriptor| {
        // SAFETY: takes integers, and makes a new descriptor, which the next block closes.
        unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, end) }
    });
    let mut places = [0; COUNT];
    for (index, (place, aside)) in places.iter_mut().zip(aside).enumerate() {
        *place = (FIRST + index) as c_int;
        // SAFETY: to be called in a child alone, which owns none of the descriptors it was born with and uses none of them any more.
        if unsafe { libc::dup2(aside, *place) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: as above; those with the numbers in `places` are the copies that were made here, and nobody else owns them.
    unsafe {
        if libc::syscall(libc::SYS_close_range, end, c_int::MAX, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(places.map(|place| OwnedFd::from_raw_fd(place)))
    }
}

/// A program with all it is executed with. Made beforehand: a child that executes frees nothing.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it may be, in the order to try.
    paths: Vec<CString>,
    /// Null at its end, as the next two; they point into `_words`.
    arguments: Vec<*const c_char>,
    /// The arguments of a shell that runs it as a script; the second is filled in with the script.
    of_shell: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    _words: Words,
}

/// Arguments and variables. Some of them may be secrets: nothing of them is left in memory.
struct Words(Vec<CString>);

impl std::fmt::Debug for Words {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} words", self.0.len())
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

const SHELL: &CStr = c"/bin/sh";

impl Program {
    /// `name` is looked for in the `PATH` of `environment` if it has no `/`, as execvp(3) does. `secrets` take the place of variables.
    pub(crate) fn new(
        name: &str,
        arguments: &[String],
        environment: &[(String, String)],
        secrets: &[(&str, ClearText)],
    ) -> io::Result<Program> {
        let path = environment.iter().rfind(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, path)| path);
        let candidates: Vec<String> = match name.contains('/') {
            true => vec![name.to_owned()],
            false => path.split(':').map(|directory| within(directory, name)).collect(),
        };
        let paths = candidates.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let mut words = Words(Vec::with_capacity(arguments.len() + environment.len() + secrets.len()));
        for argument in arguments {
            words.0.push(CString::new(argument.as_str())?);
        }
        for (name, value) in environment.iter().filter(|(name, _)| secrets.iter().all(|(secret, _)| secret != name)) {
            words.0.push(CString::new(format!("{name}={value}"))?);
        }
        for (name, value) in secrets {
            // Room for the end, too: what is moved elsewhere stays where it was.
            let mut word = Zeroizing::new(Vec::with_capacity(name.len() + value.expose().len() + 2));
            word.extend_from_slice(name.as_bytes());
            word.push(b'=');
            word.extend_from_slice(value.expose());
            if word.contains(&0) {
                return Err(io::Error::other(format!("the secret for `{name}` contains NUL")));
            }
            words.0.push(CString::new(std::mem::take(&mut *word))?);
        }
        let pointers = |words: &[CString]| words.iter().map(|word| word.as_ptr()).collect::<Vec<_>>();
        let (of_program, of_environment) = words.0.split_at(arguments.len());
        let with_end = |mut pointers: Vec<*const c_char>| {
            pointers.push(std::ptr::null());
            pointers
        };
        let script = [SHELL.as_ptr(), std::ptr::null()];
        let of_shell = script.into_iter().chain(pointers(of_program).into_iter().skip(1)).collect();
        Ok(Program {
            paths,
            arguments: with_end(pointers(of_program)),
            of_shell: with_end(of_shell),
            environment: with_end(pointers(of_environment)),
            _words: words,
        })
    }

    /// In the child: becomes the program; returns only if that is not possible.
    pub(crate) fn execute(&mut self) -> io::Error {
        let mut failure = io::Error::from_raw_os_error(libc::ENOENT);
        for path in &self.paths {
            let error = execute(path, &self.arguments, &self.environment);
            match error.raw_os_error() {
                // Text without a first line that names an interpreter.
                Some(libc::ENOEXEC) => {
                    if let Some(script) = self.of_shell.get_mut(1) {
                        *script = path.as_ptr();
                    }
                    return execute(SHELL, &self.of_shell, &self.environment);
                }
                Some(libc::EACCES) => failure = error,
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                Some(_) | None => return error,
            }
        }
        failure
    }
}

fn within(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

fn execute(path: &CStr, arguments: &[*const c_char], environment: &[*const c_char]) -> io::Error {
    // SAFETY: all three are, or consist of, pointers to text that ends with NUL and that its `Program` owns (or that is static), and
    // both arrays end with null. The kernel reads them; memory is replaced only where this does not return.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_along_the_path_of_the_program() {
        let paths = |name: &str, environment: &[(&str, &str)]| {
            let environment: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let program = Program::new(name, &[name.to_owned()], &environment, &[]).unwrap();
            program.paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(paths("run", &[("PATH", "/a::/b")]), ["/a/run", "run", "/b/run"]);
        assert_eq!(paths("./run", &[("PATH", "/a")]), ["./run"]);
        assert_eq!(paths("run", &[]), ["/bin/run", "/usr/bin/run"]);
        assert!(Program::new("a\0b", &[], &[], &[]).is_err());
    }

    #[test]
    fn a_secret_takes_the_place_of_a_variable() {
        let environment = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())];
        let secret = |value: &[u8]| [("A", ClearText::new(value.to_vec()))];
        let program = Program::new("run", &[], &environment, &secret(b"\xff")).unwrap();
        let words: Vec<&[u8]> = program._words.0.iter().map(|word| word.as_bytes()).collect();
        assert_eq!(words, [&b"B=2"[..], b"A=\xff"]);
        let refused = Program::new("run", &[], &environment, &secret(b"hush\0hush")).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hush"), "{refused:?}");
    }
}
