//! `attica config fmt`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::evaluate::host;
use crate::format;

/// Formats the files in place, or only says which ones would change.
pub(super) fn run(files: &[PathBuf], is_check: bool) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match one(file, is_check) {
            Ok(false) => {}
            Ok(true) if is_check => {
                let _ = writeln!(std::io::stdout(), "{}", file.display());
                code = ExitCode::FAILURE;
            }
            Ok(true) => {}
            Err(message) => {
                let _ = std::io::stderr().write_all(message.as_bytes());
                return ExitCode::from(super::INVALID);
            }
        }
    }
    code
}

/// Whether the file changes.
fn one(file: &Path, is_check: bool) -> Result<bool, String> {
    let name = file.display().to_string();
    let text = host::read_text(file, &name).map_err(|error| format!("error: {error}\n"))?;
    let formatted = format::format(&name, &text)
        .map_err(|(sources, wrong)| wrong.iter().map(|wrong| wrong.render(&sources)).collect::<String>())?;
    let changes = formatted != text;
    if changes && !is_check {
        replace(file, &formatted).map_err(|error| format!("error: {name} cannot be written: {error}\n"))?;
    }
    Ok(changes)
}

/// Writes the file anew beside the old one and puts it in its place, so that it is never half written.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let target = file.canonicalize()?;
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".formatted");
    let beside = target.with_file_name(name);
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(&target)?.permissions())?;
    std::fs::rename(&beside, &target)
}
