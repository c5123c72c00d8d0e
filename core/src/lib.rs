//! The heart of the cluster: it hands out offers, launches tasks and delivers their status updates, over the Mesos v1 APIs.
//!
//! Code map. [`kernel`] is the state machine: plain synchronous Rust, one file per input or command. It says what happened as
//! [`fact`]s; [`snapshot`] folds facts into the state a new leader starts from, and [`tables`] folds the same facts into rows.
//! [`auth`] says what an operation needs to be allowed. [`master`] is the role around it: it feeds the kernel from sockets, commits its
//! facts, and sends what it asked for.
//!
//! Architecture invariants. The kernel reads no clock, makes no randomness and does no IO: the same inputs give the same effects,
//! which is what the simulator relies on. Its memory runs ahead of the disk, so nobody outside may look into it: reads are served
//! from a read model that is fed with committed effects only. Nothing that the kernel decides is visible before it is durable: the
//! shell holds sends and replies back until the batch that carries their facts, and every earlier one, is committed. Only the
//! allocator computes with resources.
//!
//! Where the time goes, measured on two cores that also run Postgres. What is acknowledged has waited for the disk: of the 6.4 ms from
//! the end of a task until its resources are offered again, 4.5 are the commit of its end; on a disk that takes 0.2 ms it is 1.0 ms in
//! all. A leader that begins over a million running tasks takes 24 s, 24 µs a task: Postgres, which reads the rows, has a fifth of the
//! processors' time, and the kernel that hands out memory another; the rest goes into decoding each `TaskInfo`, into ordering the tasks
//! by framework and by agent, and into rendering them for readers. From then on a task costs 3.1 KiB and an agent 10.3: the kernel's
//! record is the smaller part, the read model keeps each in the JSON and in the protobuf that it is shown in. So reading `/state` of
//! 10,000 agents and 200,000 tasks, 341 ms, copies what is rendered already, asks nothing of the kernel, and lets `/health` answer in
//! 1.1 ms meanwhile. What an offer costs is told by the allocator.
//!
//! Durable are frameworks with their failover deadline, agents with their executors, with what reservations and volumes have been made
//! of their resources and with whether operators let them take part, operations, what is planned for machines, tasks, the kills asked
//! for, quotas and weights, and every status update that its scheduler has not acknowledged. Not durable, and rebuilt by whoever
//! connects again: connections, offers, decline filters and suppressed roles.

pub mod auth;
pub mod fact;
pub mod kernel;
pub mod master;
pub mod snapshot;
pub mod tables;
