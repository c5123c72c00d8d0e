//! What a container uses.

use crate::message::{enumeration, message};

enumeration! {
    /// What was done with a device.
    pub enum BlkioOperation {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// All of it.
        Total "TOTAL" = 1,
        /// It was read.
        Read "READ" = 2,
        /// It was written to.
        Write "WRITE" = 3,
        /// Somebody waited for it.
        Sync "SYNC" = 4,
        /// Nobody waited for it.
        Async "ASYNC" = 5,
        /// What it held was given up.
        Discard "DISCARD" = 6,
    }
}

message! {
    /// A device of blocks, by its numbers.
    pub struct DeviceNumber {
        major_number: required u64 = 1,
        minor_number: required u64 = 2,
    }
    /// A figure about one operation.
    pub struct BlkioValue {
        op: optional BlkioOperation = 1,
        value: optional u64 = 2,
    }
    /// What the scheduler that shares a device out by weights counts. Of a kernel that does not count everything some are absent.
    pub struct CfqStatistics {
        /// Absent for all devices together.
        device: optional DeviceNumber = 1,
        sectors: optional u64 = 2,
        /// Milliseconds that the device was there for this container.
        time: optional u64 = 3,
        /// Requests.
        io_serviced: repeated BlkioValue = 4,
        io_service_bytes: repeated BlkioValue = 5,
        /// Nanoseconds.
        io_service_time: repeated BlkioValue = 6,
        /// Nanoseconds.
        io_wait_time: repeated BlkioValue = 7,
        io_merged: repeated BlkioValue = 8,
        io_queued: repeated BlkioValue = 9,
    }
    /// What is counted before that.
    pub struct ThrottlingStatistics {
        /// Absent for all devices together.
        device: optional DeviceNumber = 1,
        /// Requests.
        io_serviced: repeated BlkioValue = 2,
        io_service_bytes: repeated BlkioValue = 3,
    }
    /// What a container did with devices of blocks.
    pub struct BlkioStatistics {
        cfq: repeated CfqStatistics = 1,
        /// With what is beneath.
        cfq_recursive: repeated CfqStatistics = 2,
        throttling: repeated ThrottlingStatistics = 3,
    }
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
        /// In which it wanted to run; told where it has a quota of cpu time, as the next two.
        cpus_nr_periods: optional u32 = 7,
        /// Those of them in which it had to wait.
        cpus_nr_throttled: optional u32 = 8,
        cpus_throttled_time_secs: optional f64 = 9,
        /// All that counts towards the limit.
        mem_total_bytes: optional u64 = 36,
        mem_kmem_usage_bytes: optional u64 = 52,
        /// Of TCP's buffers.
        mem_kmem_tcp_usage_bytes: optional u64 = 53,
        mem_limit_bytes: optional u64 = 6,
        /// What it is pushed back to when the machine runs out of memory.
        mem_soft_limit_bytes: optional u64 = 38,
        /// Pages of files, under the name that this had first.
        mem_file_bytes: optional u64 = 10,
        /// Anonymous memory, under the name that this had first.
        mem_anon_bytes: optional u64 = 11,
        /// Pages of files, those in memory alone among them.
        mem_cache_bytes: optional u64 = 39,
        /// Anonymous memory.
        mem_rss_bytes: optional u64 = 5,
        /// Pages of files that are mapped.
        mem_mapped_file_bytes: optional u64 = 12,
        mem_swap_bytes: optional u64 = 40,
        mem_unevictable_bytes: optional u64 = 41,
        disk_limit_bytes: optional u64 = 26,
        disk_used_bytes: optional u64 = 27,
        blkio_statistics: optional BlkioStatistics = 44,
    }
}
