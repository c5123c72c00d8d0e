//! Whether what the kernel decides can become durable: it has to know, because nobody can come back to it meanwhile.

use attica_core_store::election::Lease;
use attica_core_store::writer::WriterState;
use tokio::sync::watch;

use crate::kernel::Input;

/// What the kernel was told last, and where the truth is.
#[derive(Debug)]
pub(super) struct StoreContact {
    writer: watch::Receiver<WriterState>,
    lease: Lease,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Back,
    Away,
}

impl StoreContact {
    /// For a kernel that was told nothing yet.
    pub(super) fn new(writer: watch::Receiver<WriterState>, lease: Lease) -> StoreContact {
        StoreContact { writer, lease, told: Told::Back }
    }

    /// What the kernel has to be told before it lets time pass. A writer that has ended is as good as away: what is decided from
    /// here on happens to nobody.
    pub(super) fn news(&mut self) -> Option<Input> {
        let now = match *self.writer.borrow() {
            WriterState::Healthy if self.lease.is_current() => Told::Back,
            WriterState::Healthy | WriterState::Stalled { .. } | WriterState::Ended => Told::Away,
        };
        if std::mem::replace(&mut self.told, now) == now {
            return None;
        }
        Some(match now {
            Told::Back => Input::StoreBack,
            Told::Away => Input::StoreAway,
        })
    }

    /// Whether the kernel waits to be told that the store is back.
    pub(super) fn is_away(&self) -> bool {
        self.told == Told::Away
    }
}
