//! The kernel: master, offers, tasks, reliable status updates.
