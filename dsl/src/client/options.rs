use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

/// Options of every client command: which cluster is asked, and the form of the answer. They may stand before the command and
/// after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Client options")]
pub struct GlobalOptions {
    /// Address of the cluster; several are tried in turn [default: http://127.0.0.1:8080]
    ///
    /// Where its service layer answers, as http://HOST:PORT or https://HOST:PORT. Several, repeated or separated by commas, are tried in turn. Without
    /// this option: ATTICA_ADDR, then addr in $XDG_CONFIG_HOME/attica/config.toml, then http://127.0.0.1:8080.
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub(super) addr: Vec<String>,
    /// Cluster by its name in the configuration file
    ///
    /// The file is $XDG_CONFIG_HOME/attica/config.toml, and the cluster is [cluster.NAME] with an addr. Without this option:
    /// ATTICA_CLUSTER.
    #[arg(long, value_name = "NAME", conflicts_with = "addr")]
    pub(super) cluster: Option<String>,
    /// Certificates, in PEM, of who vouches for an https address
    ///
    /// Without this option: ATTICA_CA_FILE, then ca-file beside the addr in the configuration file, then whom this system trusts.
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// What proves who you are: a token, or {"principal": "…", "secret": "…"}
    ///
    /// Without this option: the token in ATTICA_TOKEN, then the file that ATTICA_TOKEN_FILE names, then token-file beside the addr in the
    /// configuration file.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Show what the server said, as JSON; streams as one object per line
    #[arg(long)]
    pub(super) json: bool,
}

impl GlobalOptions {
    /// Whether none was given. Commands that start a role have no use for them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and where they say nothing, those that stood before the command.
    pub(super) fn or(self, before: Self) -> Self {
        let json = self.json || before.json;
        let ca_file = self.ca_file.clone().or_else(|| before.ca_file.clone());
        let token_file = self.token_file.clone().or_else(|| before.token_file.clone());
        let says_where = !self.addr.is_empty() || self.cluster.is_some();
        let chosen = if says_where { self } else { before };
        Self { json, ca_file, token_file, ..chosen }
    }
}

/// A command below which the options may stand anywhere.
#[derive(Clone, Debug, Args)]
pub struct Addressed<C: Subcommand> {
    #[command(flatten)]
    pub(super) options: Inherited,
    #[command(subcommand)]
    pub(super) command: C,
}

/// [`GlobalOptions`] for a command and all commands below it. They are not global in the whole program, where other roles have
/// options of the same names.
#[derive(Clone, Debug)]
pub(super) struct Inherited(pub(super) GlobalOptions);

impl Args for Inherited {
    fn augment_args(command: clap::Command) -> clap::Command {
        ["addr", "cluster", "ca_file", "token_file", "json"]
            .into_iter()
            .fold(GlobalOptions::augment_args(command), |command, id| {
                command.mut_arg(id, |argument| argument.global(true))
            })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Inherited {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        GlobalOptions::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}
