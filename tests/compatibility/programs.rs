//! Programs of other ecosystems.

use std::path::Path;
use std::process::Command;

/// Where their sources are.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility");

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
