//! The commands on configuration files: what they mean and what is wrong with them, for which no server is needed; and deploying
//! them, which is the client's.

mod fmt;
#[cfg(test)]
mod picture;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use registry::Registry;
use serde_json::Value as Json;

use crate::client::{self, GlobalOptions};
use crate::diagnostic::{Diagnostic, Severity};
use crate::evaluate::Host;
use crate::job::{Digests, Image, inspect};
use crate::lint::lint;
use crate::load::{self, Configuration, Options};
use crate::product::Origin;
use crate::source::Sources;
use crate::terminal::{Colour, Line, Screen, Tone};

/// The exit code for a configuration that is wrong, as Aurora's client has it.
pub(crate) const INVALID: u8 = 3;

/// Read configuration files
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what each job of a file comes to
    Eval {
        /// How and what to read
        #[command(flatten)]
        reading: Reading,
        /// Print JSON: an array of one object per job
        #[arg(long)]
        json: bool,
    },
    /// Deploy what a file describes: shows what changes, asks, and follows the deployment
    Apply(client::Apply),
    /// Show what deploying a file would change
    Diff(client::Diff),
    /// Write a group that runs as a file
    Export(client::Export),
    /// List the keys of a file's jobs
    List {
        /// How and what to read
        #[command(flatten)]
        reading: Reading,
    },
    /// Format files: indentation and blanks; comments stay
    Fmt {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing, only say which files would change (exit 1)
        #[arg(long)]
        check: bool,
    },
    /// Warn of what is allowed and rarely meant
    Lint {
        /// How and what to read
        #[command(flatten)]
        reading: Reading,
    },
    /// Serve an editor: findings, hover, completion, definitions, formatting, over standard input and output
    Lsp,
    /// Show a job with everything resolved
    Inspect {
        /// How and what to read
        #[command(flatten)]
        reading: Reading,
        /// Print the job as JSON
        #[arg(long, visible_alias = "write-json")]
        raw: bool,
    },
}

/// Which file is read, and how.
#[derive(Clone, Debug, Args)]
pub struct Reading {
    /// The file
    file: PathBuf,
    /// Bind a value to a template's name; may be repeated
    #[arg(long = "bind", value_name = "NAME=VALUE", value_parser = pair)]
    binds: Vec<(String, String)>,
    /// Only this job
    #[arg(long, value_name = "CLUSTER/ROLE/ENVIRONMENT/NAME")]
    job: Option<String>,
    /// The file is JSON
    #[arg(long)]
    read_json: bool,
    /// Let a directory stand for a path of the file; may be repeated
    #[arg(long = "map", value_name = "PATH=DIRECTORY", value_parser = pair)]
    maps: Vec<(String, String)>,
    /// What a reference to a docker tag becomes
    #[arg(long, value_enum, default_value_t)]
    image_digests: ImageDigests,
    /// The registry that is asked for digests, if one is
    #[arg(long, value_name = "URL", default_value = registry::DOCKER_HUB)]
    image_registry: String,
}

/// Where digests of docker tags come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ImageDigests {
    /// Nowhere: a reference to a tag is an error
    #[default]
    None,
    /// A hash of name and tag; no registry is asked
    TagHash,
    /// The registry is asked
    Registry,
}

/// `NAME=VALUE`; the value may contain more of the signs.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Runs a command; `before` are the client's options that stood before it.
pub fn run(command: Command, before: GlobalOptions) -> ExitCode {
    match command {
        Command::Apply(apply) => client::run(client::Command::Apply(apply), before),
        Command::Diff(diff) => client::run(client::Command::Diff(diff), before),
        Command::Export(export) => client::run(client::Command::Export(export), before),
        Command::Eval { reading, json } => with(&reading, |configuration| eval(configuration, json)),
        Command::Fmt { files, check } => fmt::run(&files, check),
        Command::Lint { reading } => with(&reading, lint_jobs),
        Command::Lsp => match crate::editor::serve(std::io::stdin().lock(), std::io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "error: {error}");
                ExitCode::FAILURE
            }
        },
        Command::List { reading } => with(&reading, list),
        Command::Inspect { reading, raw } => with(&reading, |configuration| inspect_jobs(configuration, raw)),
    }
}

/// What a command prints, and whether the findings are printed beside it.
struct Answer {
    text: String,
    is_alone: bool,
}

impl Reading {
    /// Reads the file.
    pub(crate) fn load(&self) -> Result<Configuration, load::Error> {
        let maps = self.maps.iter().map(|(path, directory)| (path.into(), directory.into())).collect();
        let mut options = Options {
            binds: self.binds.clone(),
            is_json: self.read_json,
            digests: if self.image_digests == ImageDigests::TagHash { Digests::TagHash } else { Digests::None },
            host: Host::of_process(maps),
            job: self.job.clone(),
        };
        let configuration = load::file(&self.file, &options)?;
        let images: BTreeSet<Image> = configuration.jobs.iter().flat_map(|job| job.images.iter().cloned()).collect();
        if self.image_digests != ImageDigests::Registry || images.is_empty() {
            return Ok(configuration);
        }
        // Which images a file names is known once it was read; what their tags stand for is known then.
        let registry = Registry::new(&self.image_registry).map_err(load::Error::Registry)?;
        options.digests = Digests::Known(Arc::new(registry.ask(&images)));
        load::file(&self.file, &options)
    }
}

fn with(reading: &Reading, answer: impl FnOnce(&Configuration) -> Answer) -> ExitCode {
    let mut screen = Screen::of_process();
    let configuration = match reading.load() {
        Ok(configuration) => configuration,
        Err(error) => {
            screen.remark(&Line::toned(Tone::Bad, "error").then(Tone::Plain, format!(": {error}")));
            return ExitCode::from(INVALID);
        }
    };
    let Answer { text, is_alone } = answer(&configuration);
    if !is_alone {
        // Losing a remark is no reason to fail.
        let _ = screen.err.lines(&finding_lines(&configuration));
    }
    let written = screen.out.raw(text.as_bytes()).and_then(|()| screen.out.flush());
    if configuration.has_errors() {
        return ExitCode::from(INVALID);
    }
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every finding as text, with their number at the end.
pub fn findings(configuration: &Configuration) -> String {
    finding_lines(configuration).iter().map(|line| line.render(Colour::Hidden) + "\n").collect()
}

fn finding_lines(configuration: &Configuration) -> Vec<Line> {
    lines_of(&configuration.sources, configuration.all_diagnostics())
}

/// Findings line by line, with the number of errors at the end. What several jobs share is told once.
pub(crate) fn lines_of<'a>(sources: &Sources, diagnostics: impl Iterator<Item = &'a Diagnostic>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut errors = 0;
    let mut told = BTreeSet::new();
    for diagnostic in diagnostics {
        if diagnostic.span.is_some() && !told.insert((diagnostic.span, &diagnostic.message)) {
            continue;
        }
        lines.extend(diagnostic.lines(sources));
        lines.push(Line::new());
        errors += usize::from(diagnostic.severity == Severity::Error);
    }
    if errors > 0 {
        lines.push(Line::plain(format!("{errors} {}", if errors == 1 { "error" } else { "errors" })));
    }
    lines
}

/// The jobs as JSON, and after them the apps and pods; a file that is wrong as a whole is one element.
pub fn to_json(configuration: &Configuration) -> Json {
    let Configuration { sources, jobs, products, diagnostics } = configuration;
    let of_file = |severity| -> Json {
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .map(|diagnostic| diagnostic.to_json(sources))
            .collect()
    };
    let errors = of_file(Severity::Error);
    if errors.as_array().is_some_and(|errors| !errors.is_empty()) {
        return serde_json::json!([{"status": "error", "errors": errors, "warnings": of_file(Severity::Warning)}]);
    }
    let mut elements: Vec<Json> = jobs.iter().map(|job| job.to_json(sources)).collect();
    elements.extend(products.iter().flat_map(|product| product.to_json(sources)));
    for (element, warnings) in elements.iter_mut().take(1).zip(std::iter::once(of_file(Severity::Warning))) {
        if let (Some(known), Json::Array(more)) = (element["warnings"].as_array_mut(), warnings) {
            known.extend(more);
        }
    }
    Json::Array(elements)
}

fn eval(configuration: &Configuration, is_json: bool) -> Answer {
    if is_json {
        return Answer { text: format!("{:#}\n", to_json(configuration)), is_alone: true };
    }
    let mut text = String::new();
    for job in &configuration.jobs {
        let key = job.key.as_deref().unwrap_or("a job without a key");
        text.push_str(&format!("{key}: {}\n", if job.meaning.is_some() { "ok" } else { "wrong" }));
    }
    for service in configuration.products.iter().flat_map(|product| &product.services) {
        text.push_str(&format!("{}: ok\n", service.id));
    }
    Answer { text, is_alone: false }
}

fn lint_jobs(configuration: &Configuration) -> Answer {
    let found = lint(configuration);
    Answer {
        text: found.iter().map(|warning| warning.render(&configuration.sources) + "\n").collect(),
        is_alone: false,
    }
}

fn list(configuration: &Configuration) -> Answer {
    let keys: Vec<&str> = configuration.jobs.iter().filter_map(|job| job.key.as_deref()).collect();
    let mut text = format!("jobs=[{}]\n", keys.join(", "));
    for (name, is_pod) in [("apps", false), ("pods", true)] {
        let services = configuration.products.iter().flat_map(|product| &product.services);
        let ids: Vec<&str> = services
            .filter(|service| (service.origin == Origin::Pod) == is_pod)
            .map(|service| service.id.as_str())
            .collect();
        if !ids.is_empty() {
            text.push_str(&format!("{name}=[{}]\n", ids.join(", ")));
        }
    }
    Answer { text, is_alone: false }
}

fn inspect_jobs(configuration: &Configuration, is_raw: bool) -> Answer {
    let configs = configuration.jobs.iter().filter_map(|job| Some(&job.meaning.as_ref()?.config));
    let text = if is_raw {
        configs.map(|config| format!("{:#}\n", config.to_json())).collect()
    } else {
        configs.map(|config| inspect(config)).collect()
    };
    Answer { text, is_alone: false }
}
