//! Who leads, as ZooKeeper tells it: the znodes that real Mesos masters and real Marathons leave there and real clients read.
//!
//! Below the path of `zk://user:pass@host1,host2/path` each candidate keeps an ephemeral sequential znode, `json.info_0000000042`, whose
//! data is its `MasterInfo` in JSON. The lowest number leads. [`Ensemble`] is the address, [`Session`] a connection that lasts
//! until it expires, [`Detector`] follows the leader for as long as anybody wants to know; the contender is in the store, beside the fence.
//!
//! Nothing here is durable: a znode lives as long as its session.

mod detector;
mod ensemble;
mod label;
mod session;

pub use detector::Detector;
pub use ensemble::{Ensemble, InvalidEnsemble};
pub use label::Label;
pub use session::{Changed, Member, Session, ZooKeeperError};

/// What the znodes of masters are called.
pub const MASTER_LABEL: Label = Label::Plain("json.info_");
/// What the znodes of service layers are called: those of Marathon are a latch of Curator's.
pub const LATCH_LABEL: Label = Label::Protected("latch-");
