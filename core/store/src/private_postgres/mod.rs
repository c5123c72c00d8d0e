//! A Postgres server of our own: for a cluster on one machine, and for tests.
//!
//! Everything lies in one directory (`data/`, `postgres.log`, the unix socket); there is no TCP port, and no other cluster of
//! this machine is touched. It runs Debian's binaries, or those on the `PATH`. As root, whom Postgres refuses, it runs in a
//! user namespace as an ordinary user that is root outside, so that the directory may lie anywhere; where such a namespace is not
//! allowed, as the account `postgres`. It is its own process group: Ctrl-C in a terminal does not reach it.

mod binaries;
mod leftover;
mod process;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use uuid::Uuid;

use crate::Database;
pub use binaries::Binaries;
use process::{Account, Server};

/// The length that Linux allows for the path of a unix socket.
const SOCKET_PATH_LIMIT: usize = 107;
/// The name that Postgres gives its socket; the port is part of the name and of nothing else.
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// The superuser of the server.
const USER: &str = "attica";
/// The database that `initdb` makes.
const DATABASE: &str = "postgres";

/// Whether what is committed survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Commits wait for the disk.
    Disk,
    /// Nothing waits for the disk: for tests, which is faster, and survives the end of the server but not of the machine.
    Memory,
}

/// What kind of server, and where.
#[derive(Clone, Debug)]
pub struct PrivatePostgresOptions {
    /// The directory; made when it does not exist.
    pub directory: PathBuf,
    /// Whether commits wait for the disk.
    pub durability: Durability,
    /// Added to the server's environment.
    pub environment: Vec<(OsString, OsString)>,
}

impl PrivatePostgresOptions {
    /// A durable server in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        PrivatePostgresOptions { directory: directory.into(), durability: Durability::Disk, environment: Vec::new() }
    }

    /// A server for a test.
    pub fn for_test(directory: impl Into<PathBuf>) -> Self {
        PrivatePostgresOptions { durability: Durability::Memory, ..PrivatePostgresOptions::new(directory) }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// Nothing to run.
    #[error(
        "no Postgres server is installed: looked for `initdb` and `postgres` in {looked_in} (Debian: apt-get install postgresql)"
    )]
    NotInstalled {
        /// The directories that were searched.
        looked_in: String,
    },
    /// The directory cannot be used.
    #[error("cannot {what} {}", path.display())]
    Directory {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A program could not be run at all.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// There is no account that Postgres would run as.
    #[error("Postgres does not run as root, user namespaces are not allowed here, and there is no account `postgres`")]
    NoAccount,
    /// `initdb` failed.
    #[error("initdb failed in {}: {output}", directory.display())]
    Initdb {
        /// Where.
        directory: PathBuf,
        /// The last thing it said.
        output: String,
    },
    /// The server ended while it was starting.
    #[error("Postgres ended while starting ({status}): {last_line}; see {}", log.display())]
    Ended {
        /// How.
        status: ExitStatus,
        /// The last line that says why.
        last_line: String,
        /// Where the rest is.
        log: PathBuf,
    },
    /// An earlier server of this directory does not go away.
    #[error("an earlier Postgres of {} is still running (process {process}) and cannot be ended", directory.display())]
    Leftover {
        /// Where.
        directory: PathBuf,
        /// Which.
        process: i32,
    },
    /// The path of the directory cannot be written into a Postgres address.
    #[error("the path of {} is not UTF-8", directory.display())]
    Path {
        /// Where.
        directory: PathBuf,
    },
    /// The server runs but does not become ready.
    #[error("Postgres did not become ready within {} s; see {}", limit.as_secs(), log.display())]
    NotReady {
        /// How long was waited.
        limit: Duration,
        /// Where the reason may be.
        log: PathBuf,
    },
}

/// A running server. Dropping it ends the server at once, as a crash would: nothing committed is lost, the next start recovers.
#[derive(Debug)]
pub struct PrivatePostgres {
    server: Server,
    socket_directory: SocketDirectory,
    url: String,
    database: Database,
}

impl PrivatePostgres {
    /// Initialises the directory if that has not been done, ends what an earlier start has left behind, and starts the server; returns
    /// when it accepts connections.
    pub async fn start(options: &PrivatePostgresOptions) -> Result<Self, PrivatePostgresError> {
        let binaries = Binaries::find()?;
        let directory = private_directory(&options.directory)?;
        let account = Account::choose(&directory).await?;
        let data = directory.join("data");
        leftover::end(&data).await?;
        if !data.join("PG_VERSION").exists() {
            process::initialise(&binaries, &account, &directory, options).await?;
        }
        let socket_directory = SocketDirectory::choose(&directory, &account)?;
        let url = socket_directory.url()?;
        let database = match url.parse::<Database>() {
            Ok(database) => database,
            Err(invalid) => unreachable!("{url} is built to be valid: {invalid}"),
        };
        let log = directory.join("postgres.log");
        let mut server = Server::spawn(&binaries, &account, &data, socket_directory.path(), &log, options)?;
        server.wait_until_ready(&database).await?;
        Ok(PrivatePostgres { server, socket_directory, url, database })
    }

    /// The address of the server, as `--postgres-url` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the server.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The directory with the server's socket.
    pub fn socket_directory(&self) -> &Path {
        self.socket_directory.path()
    }

    /// The process id of the server's main process.
    pub fn process(&self) -> i32 {
        self.server.process()
    }

    /// Returns when the server ends by itself. Another [`PrivatePostgres::start`] brings it back.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.server.ended().await
    }

    /// Closes all connections, writes a checkpoint and ends; a server that does not comply is ended the hard way.
    pub async fn stop(mut self) {
        self.server.stop().await;
        self.socket_directory.remove();
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // One that has ended by itself may have a successor, which uses the same directories.
        if self.server.end_now() {
            self.socket_directory.remove();
        }
    }
}

/// Makes the directory, for nobody but us; returns its real path.
fn private_directory(directory: &Path) -> Result<PathBuf, PrivatePostgresError> {
    let failed = |what| move |source| PrivatePostgresError::Directory { what, path: directory.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed("make the directory"))?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).map_err(failed("write to"))?;
    directory.canonicalize().map_err(failed("find"))
}

/// Where the socket lies: beside the data, or, if that path is too long for a socket, in a directory of its own. It is the same
/// at every start, so that those who know the address find a restarted server.
#[derive(Debug)]
enum SocketDirectory {
    Beside(PathBuf),
    /// Goes with the server.
    Short(PathBuf),
}

impl SocketDirectory {
    fn choose(directory: &Path, account: &Account) -> Result<Self, PrivatePostgresError> {
        if directory.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_LIMIT {
            return Ok(SocketDirectory::Beside(directory.to_owned()));
        }
        let name = Uuid::new_v5(&Uuid::NAMESPACE_OID, directory.as_os_str().as_bytes());
        let short = Path::new("/tmp").join(format!("attica-{}", name.simple()));
        let failed =
            |source| PrivatePostgresError::Directory { what: "make the directory", path: short.clone(), source };
        match std::fs::DirBuilder::new().mode(0o700).create(&short) {
            Ok(()) => {}
            // Left by a start that was killed, and nobody else's: everybody may write to /tmp.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && account.owns_alone(&short) => {}
            Err(error) => return Err(failed(error)),
        }
        account.own(&short)?;
        Ok(SocketDirectory::Short(short))
    }

    fn path(&self) -> &Path {
        match self {
            SocketDirectory::Beside(path) | SocketDirectory::Short(path) => path,
        }
    }

    fn url(&self) -> Result<String, PrivatePostgresError> {
        let path = self.path();
        let text = path.to_str().ok_or_else(|| PrivatePostgresError::Path { directory: path.to_owned() })?;
        Ok(format!("postgresql:///{DATABASE}?host={}&user={USER}", percent_encoded(text)))
    }

    fn remove(&self) {
        match self {
            SocketDirectory::Beside(_) => {}
            SocketDirectory::Short(path) => {
                let _ = std::fs::remove_dir_all(path); // left behind, empty, at worst
            }
        }
    }
}

fn percent_encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => text.push(char::from(byte)),
            other => text.push_str(&format!("%{other:02X}")),
        }
        text
    })
}
