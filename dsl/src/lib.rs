//! The config language of `.aurora` files with its tools, and what a person types to look at a cluster and to change it.
//!
//! Code map. The language, in the order a file goes through it: [`source`] and `text` keep every byte's place; `syntax` makes a
//! tree (layout, pest grammar, lowering); `evaluate` runs it within bounds; `schema` knows the structs, their fields and defaults;
//! `template` resolves `{{…}}` in scopes; [`job`] turns a job into plans, ports and update settings and says what is wrong with it;
//! [`diagnostic`] tells it. [`product`] is what of it deploys as services: groups and apps of ours, and jobs as far as an app can be
//! what they are. [`load`] is the way through all of them; [`mod@format`], [`lint`] and [`editor`] are tools on the same parser,
//! [`config`] the commands, and [`fuzz`] what fuzzers call. [`client`] is the command tree for clusters: a command reads or writes
//! through `client::server` (HTTP under `/v2`, event streams); `client::product` compares a file with what runs, and deploys it. What
//! a person sees goes through `terminal`.
//!
//! Architecture invariants: reading a configuration needs no server, and its outcome is a function of the files, the options (digests
//! that a registry was asked for are one) and a documented table of the environment (`evaluate::host`); no outcome depends on the
//! order of a hash map; every loop of the evaluator is counted by its budget. Every message points into the user's text. Of our other crates only the JSON types of `/v2`
//! are known here. Text that came from a server reaches a terminal only as a `Line`, which holds no control character; a task's
//! output is the one exception, and only where the user asked for it or no terminal reads it.
//!
//! Durable: nothing. A deployment goes on when the command that waits for it ends.

pub mod client;
pub mod config;
pub mod diagnostic;
pub mod editor;
mod evaluate;
pub mod format;
pub mod fuzz;
pub mod job;
pub mod lint;
pub mod load;
pub mod product;
mod schema;
pub mod source;
mod syntax;
mod template;
mod terminal;
mod text;

pub use evaluate::Host;
pub use schema::schema_json;
pub use syntax::recognise;
