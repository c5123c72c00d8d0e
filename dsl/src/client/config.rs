//! Which cluster is meant: options, then the environment, then the configuration file, then this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use serde::Deserialize;

use super::address::Address;
use super::failure::Failure;
use super::options::GlobalOptions;
use super::proof;

const DEFAULT: &str = "http://127.0.0.1:8080";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The addresses to ask, in their order, and who named them.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) addresses: Vec<Address>,
    pub(super) origin: Origin,
    /// Who vouches for their certificates; none: whom this system trusts.
    pub(super) ca_file: Option<PathBuf>,
    /// What proves who asks.
    pub(super) proof: Option<HeaderValue>,
    /// Where the configuration file is or would be; none without a home directory.
    pub(super) file: Option<PathBuf>,
}

/// Who named the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Option,
    Variable,
    Cluster(String),
    File,
    Default,
    /// The cluster that is imported from.
    Source,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    addr: Option<Addresses>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    #[serde(default)]
    cluster: BTreeMap<String, Cluster>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Cluster {
    addr: Addresses,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

/// One address, several separated by commas, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Addresses {
    One(String),
    Several(Vec<String>),
}

impl Addresses {
    fn texts(&self) -> Vec<&str> {
        match self {
            Addresses::One(text) => text.split(',').collect(),
            Addresses::Several(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

/// Decides which cluster is asked. `variable` reads the environment.
///
/// # Errors
/// [`Failure::Usage`] for what is no address, a cluster that nobody has named, and a configuration file that cannot be understood.
pub(super) fn target(
    options: &GlobalOptions,
    variable: impl Fn(&str) -> Option<String> + Copy,
) -> Result<Target, Failure> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let file = path(set);
    let given = options.ca_file.clone().or_else(|| set("ATTICA_CA_FILE").map(PathBuf::from));
    let parsed = |texts: Vec<&str>, origin: Origin, written: Option<&PathBuf>, token: Option<&PathBuf>| {
        let texts = texts.into_iter().filter(|text| !text.trim().is_empty());
        let addresses: Result<Vec<Address>, _> = texts.map(str::parse).collect();
        let addresses =
            addresses.map_err(|error| Failure::Usage(format!("{}{error}", origin.whose(file.as_deref()))))?;
        match addresses.is_empty() {
            true => Err(Failure::Usage(format!("{}no address is given", origin.whose(file.as_deref())))),
            false => {
                let ca_file = given.clone().or_else(|| written.cloned());
                let proof = proof::of(options.token_file.as_deref(), set, token.map(PathBuf::as_path))?;
                Ok(Target { addresses, origin, ca_file, proof, file: file.clone() })
            }
        }
    };
    if !options.addr.is_empty() {
        return parsed(options.addr.iter().map(String::as_str).collect(), Origin::Option, None, None);
    }
    let cluster = options.cluster.clone();
    if let (None, Some(text)) = (&cluster, set("ATTICA_ADDR")) {
        return parsed(text.split(',').collect(), Origin::Variable, None, None);
    }
    let document = read(file.as_deref())?;
    if let Some(name) = cluster.or_else(|| set("ATTICA_CLUSTER")) {
        let found = document.cluster.get(&name).ok_or_else(|| unknown(&name, &document, file.as_deref()))?;
        return parsed(found.addr.texts(), Origin::Cluster(name), found.ca_file.as_ref(), found.token_file.as_ref());
    }
    match &document.addr {
        Some(addresses) => {
            parsed(addresses.texts(), Origin::File, document.ca_file.as_ref(), document.token_file.as_ref())
        }
        None => parsed(vec![DEFAULT], Origin::Default, None, document.token_file.as_ref()),
    }
}

impl Origin {
    /// The beginning of a sentence about a mistake.
    fn whose(&self, file: Option<&Path>) -> String {
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        match self {
            Origin::Option => "--addr: ".to_owned(),
            Origin::Variable => "ATTICA_ADDR: ".to_owned(),
            Origin::Cluster(name) => format!("{file}: [cluster.{name}] addr: "),
            Origin::File => format!("{file}: addr: "),
            Origin::Default | Origin::Source => String::new(),
        }
    }
}

/// `$XDG_CONFIG_HOME/attica/config.toml`, by default below `~/.config`.
fn path(set: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |text: String| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let directory =
        set("XDG_CONFIG_HOME").and_then(absolute).or_else(|| Some(PathBuf::from(set("HOME")?).join(".config")));
    Some(directory?.join("attica").join("config.toml"))
}

fn read(file: Option<&Path>) -> Result<Document, Failure> {
    let Some(file) = file else { return Ok(Document::default()) };
    let cannot = |source| Failure::File { path: file.to_owned(), source };
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => {
            return Err(Failure::Usage(format!("{} is larger than {FILE_BYTES_MAX} bytes", file.display())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Document::default()),
        Err(error) => return Err(cannot(error)),
    }
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {}", file.display(), in_short(&error, &text))))
}

/// Line and sentence of a mistake.
fn in_short(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let sentence = error.message().trim_end().replace('\n', ", ");
    line.map_or(sentence.clone(), |line| format!("line {line}: {sentence}"))
}

fn unknown(name: &str, document: &Document, file: Option<&Path>) -> Failure {
    let known: Vec<&str> = document.cluster.keys().map(String::as_str).collect();
    let file = file.map_or("the configuration file".to_owned(), |file| file.display().to_string());
    let known = match known.as_slice() {
        [] => format!("name it in {file}:\n\n  [cluster.{name}]\n  addr = \"http://HOST:PORT\""),
        known => format!("{file} names {}", known.join(", ")),
    };
    Failure::Usage(format!("no cluster is called '{name}': {known}"))
}
