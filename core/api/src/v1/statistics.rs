//! What a container uses.

use crate::message::message;

message! {
    /// What a container has used and may use, at one moment. Figures that nobody measures are absent.
    pub struct ResourceStatistics {
        /// Seconds since 1970.
        timestamp: required f64 = 1,
        processes: optional u32 = 30,
        threads: optional u32 = 31,
        cpus_user_time_secs: optional f64 = 2,
        cpus_system_time_secs: optional f64 = 3,
        /// Cpus that it gets at most.
        cpus_limit: optional f64 = 4,
        /// Cpus that it gets for sure.
        cpus_soft_limit: optional f64 = 45,
        mem_limit_bytes: optional u64 = 6,
        /// What it is pushed back to when the machine runs out of memory.
        mem_soft_limit_bytes: optional u64 = 38,
        /// Anonymous memory.
        mem_rss_bytes: optional u64 = 5,
        disk_limit_bytes: optional u64 = 26,
        disk_used_bytes: optional u64 = 27,
    }
}
