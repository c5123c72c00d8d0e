//! The bounds of a definition, in one place. They are far above what is used and keep a single request from doing harm.

/// Instances of one app.
pub const INSTANCES_MAX: u32 = 100_000;
/// Characters of a command line or of one argument: the kernel takes no more in one string.
pub const COMMAND_LENGTH_MAX: usize = 128 * 1024;
/// Arguments of one command.
pub const ARGUMENTS_MAX: usize = 4096;
/// Entries of `env`, of `labels`, of the labels of a port.
pub const ENTRIES_MAX: usize = 4096;
/// Characters of the value of a variable or label.
pub const VALUE_LENGTH_MAX: usize = 128 * 1024;
/// Characters of names: of variables, labels, ports, attributes, accounts.
pub const NAME_LENGTH_MAX: usize = 1024;
/// Constraints of one app.
pub const CONSTRAINTS_MAX: usize = 64;
/// Characters of a regular expression.
pub const PATTERN_LENGTH_MAX: usize = 2048;
/// Ports of one instance.
pub const PORTS_MAX: usize = 256;
/// Health checks of one app.
pub const HEALTH_CHECKS_MAX: usize = 16;
/// Characters of the path of a health check.
pub const CHECK_PATH_LENGTH_MAX: usize = 4096;
/// Networks of one app.
pub const NETWORKS_MAX: usize = 32;
/// Containers of one pod.
pub const CONTAINERS_MAX: usize = 64;
/// Volumes of one app.
pub const VOLUMES_MAX: usize = 256;
/// Files that are brought to one instance.
pub const ARTIFACTS_MAX: usize = 256;
/// Characters of the address of a file.
pub const URI_LENGTH_MAX: usize = 1024;
/// Characters of a path, or of the name of an image.
pub const PATH_LENGTH_MAX: usize = 4096;
/// Dependencies of one app.
pub const DEPENDENCIES_MAX: usize = 256;
/// The longest delay: ten years.
pub const SECONDS_MAX: u32 = 10 * 366 * 24 * 3600;
/// Apps in the array of one request.
pub const APPS_MAX: usize = 10_000;
/// Groups in one request.
pub const GROUPS_MAX: usize = 10_000;
/// The most that a group can be multiplied by.
pub const SCALE_MAX: f64 = 100_000.0;
/// Ids in the array of one request.
pub const TASKS_MAX: usize = 100_000;
/// Bytes of the body of one request.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Seconds for which a kill can be held up for load balancers: a day.
pub const DRAIN_SECONDS_MAX: u32 = 24 * 3600;
/// Consumers of the event stream that are waited for, and load balancers that report.
pub const CONSUMERS_MAX: usize = 64;
/// URLs that events are posted to.
pub const CALLBACKS_MAX: usize = 64;
/// Apps in the reports of one load balancer.
pub const TRAFFIC_APPS_MAX: usize = 100_000;
/// Bytes of a task's output that are asked for at once.
pub const LOG_BYTES_MAX: u64 = 1 << 20;
