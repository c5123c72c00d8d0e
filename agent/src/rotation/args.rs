//! How an agent is told what to keep of what programs write.

use clap::ValueEnum;

use super::{InvalidLimit, Limit, Limits, backups};
use crate::fetch::Size;
pub(super) use crate::fetch::parse_size;

/// What is kept of what tasks write.
#[derive(Clone, Debug, clap::Args)]
pub struct RotationArgs {
    /// What is done with files that tasks write their output to, by the names of Mesos's loggers
    #[arg(long, alias = "container_logger", env = "MESOS_CONTAINER_LOGGER", value_enum, value_name = "LOGGER", default_value_t = Logger::Logrotate)]
    pub container_logger: Logger,
    /// How large `stdout` becomes before it is moved aside; a task can say CONTAINER_LOGGER_MAX_STDOUT_SIZE in its environment
    #[arg(long, env = "ATTICA_MAX_STDOUT_SIZE", value_name = "SIZE", default_value = "10MB", value_parser = parse_size)]
    pub max_stdout_size: Size,
    /// How large `stderr` becomes before it is moved aside; a task can say CONTAINER_LOGGER_MAX_STDERR_SIZE in its environment
    #[arg(long, env = "ATTICA_MAX_STDERR_SIZE", value_name = "SIZE", default_value = "10MB", value_parser = parse_size)]
    pub max_stderr_size: Size,
    /// How many earlier files are kept of `stdout`; a task can say CONTAINER_LOGGER_LOGROTATE_STDOUT_OPTIONS in its environment
    #[arg(long, env = "ATTICA_LOGROTATE_STDOUT_OPTIONS", value_name = "rotate NUMBER", default_value = "rotate 1", value_parser = backups)]
    pub logrotate_stdout_options: u32,
    /// How many earlier files are kept of `stderr`; a task can say CONTAINER_LOGGER_LOGROTATE_STDERR_OPTIONS in its environment
    #[arg(long, env = "ATTICA_LOGROTATE_STDERR_OPTIONS", value_name = "rotate NUMBER", default_value = "rotate 1", value_parser = backups)]
    pub logrotate_stderr_options: u32,
}

/// What becomes of a task's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Logger {
    /// It is kept in files whose number and size are limited
    #[value(name = "org_apache_mesos_LogrotateContainerLogger", alias = "logrotate")]
    Logrotate,
    /// All of it is kept
    #[value(name = "org_apache_mesos_SandboxContainerLogger", aliases = ["sandbox", ""])]
    Sandbox,
}

impl RotationArgs {
    /// What is kept of a task that does not say; `None`: everything.
    pub(crate) fn limits(&self) -> Result<Option<Limits>, InvalidLimit> {
        let limit = |size: Size, backups: u32| match size.bytes {
            bytes if bytes < super::MIN_BYTES => Err(InvalidLimit::Small(format!("{bytes}B"))),
            bytes => Ok(Limit { bytes, backups }),
        };
        match self.container_logger {
            Logger::Sandbox => Ok(None),
            Logger::Logrotate => Ok(Some([
                limit(self.max_stdout_size, self.logrotate_stdout_options)?,
                limit(self.max_stderr_size, self.logrotate_stderr_options)?,
            ])),
        }
    }
}
