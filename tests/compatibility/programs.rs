//! Programs of other ecosystems.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Where their sources are.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility");

/// Where Debian's packages put Go sources.
const DEBIAN_GOPATH: &str = "/usr/share/gocode";

/// What a program prints, once it has ended well.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A Python in a virtual environment with a package. It sees Debian's own packages: pymesos's HTTP parser is one of them and does not
/// build by itself.
pub fn python_with(tools: &Path, package: &str) -> String {
    let venv = tools.join("venv");
    run(Command::new("/usr/bin/python3").args(["-m", "venv", "--system-site-packages"]).arg(&venv));
    run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", package]));
    venv.join("bin/python").to_string_lossy().into_owned()
}

/// A Go program of ours, built with the packages that Debian brings.
pub fn go_program(tools: &Path, name: &str) -> String {
    let program = tools.join(name);
    let gopath = format!("{}:{DEBIAN_GOPATH}", tools.join("go").display());
    let build = ["build", "-o"];
    run(Command::new("go")
        .args(build)
        .arg(&program)
        .arg(format!("{SOURCES}/{name}.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", gopath)
        .env("GOCACHE", tools.join("go-cache")));
    program.to_string_lossy().into_owned()
}

/// A program that says a line, waits, and goes on when its standard input ends.
pub struct Conversation {
    program: Child,
    output: BufReader<ChildStdout>,
}

impl Conversation {
    pub fn begin(command: &mut Command) -> Conversation {
        let mut program = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(program.stdout.take().expect("piped"));
        Conversation { program, output }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// Lets it go on; what it says until it has ended well.
    pub fn end(mut self) -> String {
        drop(self.program.stdin.take());
        let mut text = String::new();
        self.output.read_to_string(&mut text).expect("text");
        let status = self.program.wait().expect("it is ours");
        assert!(status.success(), "{status}: {text}");
        text
    }
}
