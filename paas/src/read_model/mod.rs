//! What clients read: a second fold, fed with committed facts only, rendered entity by entity.
//!
//! The engine's memory runs ahead of the disk, so nobody outside looks into it. The one task that releases committed batches owns a
//! [`Fold`]; it renders what changed and swaps it into the [`ReadModel`], so that publishing costs what changed. A reader takes
//! references to rendered parts under a lock that is held for no longer than that, and copies bytes as they are sent. How far the instances
//! of a deployment are ([`progress`]) is put together when it is asked for.

mod answer;
mod document;
mod embed;
mod fold;
mod groups;
mod model;
mod pods;
mod progress;
mod secrets;
mod selector;
mod stats;
mod view;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Missing, Reader};
pub use document::Document;
pub use embed::{AppParts, GroupParts};
pub use fold::Fold;
pub use model::{ReadModel, Totals};
pub use selector::{AppFilter, InvalidSelector, LabelSelector};
pub use view::{Sandbox, TaskFilter};
