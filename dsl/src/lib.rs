//! What a person types to look at a cluster and to change it: the client commands of the `attica` binary.
//!
//! Code map: [`client`] is the command tree and everything behind it. A command reads or writes through `client::server` (HTTP
//! under `/v2`, event streams), and shows what came back through `client::terminal` (lines, tables, progress).
//!
//! Architecture invariants: only the JSON types of `/v2` are known here, nothing of the server: what these commands can do, anybody's
//! program can. Text that came from a server reaches a terminal only as a `Line`, which holds no control character; a task's output is
//! the one exception, and only where the user asked for it or no terminal reads it. What is shown is a pure function of what was
//! read, the time and the width.
//!
//! Durable: nothing. A deployment goes on when the command that waits for it ends.

pub mod client;
