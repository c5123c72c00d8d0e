//! The service layer: apps, deployments, placement, events.
