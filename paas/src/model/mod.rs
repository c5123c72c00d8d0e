//! What the service layer knows: run specs, their instances, the deployments between two states of them.
//!
//! Everything here is plain data, durable as a whole (it travels inside [`Fact`](crate::engine::Fact)s), and knows nothing of how
//! Marathon's JSON or any other language writes it down.

mod callback;
mod check;
mod constraint;
mod consumer;
mod container;
mod deployment;
mod group;
mod health;
mod id;
mod instance;
mod pod;
mod policy;
mod process;
mod readiness;
mod residency;
mod run_spec;
mod secret;
pub(crate) mod serial;
mod time;
mod update;

pub use callback::{Callback, CallbackSecret, CallbackUrl, InvalidSecret, InvalidUrl};
pub use check::{Answer, Check, Question};
pub use constraint::{Constraint, FieldName, Operator};
pub use consumer::{ConsumerName, InvalidName};
pub use container::{
    Access, Artifact, Container, ContainerKind, ContainerNetwork, Image, Ipc, Limit, Limits, Linux, Networks, Pull,
    RegistryAccount, Seccomp, Volume, VolumeSource,
};
pub use deployment::{Action, ActionKind, Change, Deployment, EndedDeployment, Ending, Hold, Pause, Step};
pub use group::{Group, GroupId, GroupState, Past};
pub use health::{CheckKind, CheckedPort, Endpoint, HealthCheck, HealthState, IpFamily, Scheme};
pub use id::{DeploymentId, InstanceId, InvalidId, RunSpecId, TaskIdentity, is_container_name};
pub use instance::{Agent, Condition, ContainerTask, Domain, Goal, Instance, IpAddress, Task, TaskFailure};
pub use pod::{Pod, PodCommand, PodContainer, PodEndpoint, PodImage, PodMount, PodVolume, PodVolumeSource};
pub use policy::{DeploymentPolicy, OnFailure};
pub use process::{Graph, GraphProcess, Lifecycle, Output, ProcessReport, Rotation};
pub use readiness::{ReadinessCheck, ReadinessResponse};
pub use residency::{DiskKind, LocalVolume, PathRule, PersistentVolume, Reservation, Residency, TaskLost};
pub use run_spec::{
    Backoff, CommandLine, GivenPort, KillSelection, Placement, PortChoice, PortDefinition, PortMapping, Protocol,
    Resources, RunSpec, Shape, Unreachable, Upgrade,
};
pub use secret::{EnvValue, InvalidSecretPath, KeptSecret, SecretPath, SecretSource};
pub use time::{Version, rfc3339};
pub(crate) use update::default_mappings;
pub use update::{NoCommand, RunSpecUpdate};
