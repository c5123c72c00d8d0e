//! Which offer an instance takes.

mod reason;

pub use reason::{RejectReason, RejectRow, Rejections};
