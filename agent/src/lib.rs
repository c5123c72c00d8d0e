//! The agent: runs tasks in cgroups and tells how they fare.
