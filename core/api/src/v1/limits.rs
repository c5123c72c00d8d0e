//! What Linux grants a container, and denies it.

use crate::message::{enumeration, message};

enumeration! {
    /// A capability of a process.
    pub enum LinuxCapability {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// CAP_CHOWN.
        Chown "CHOWN" = 1000,
        /// CAP_DAC_OVERRIDE.
        DacOverride "DAC_OVERRIDE" = 1001,
        /// CAP_DAC_READ_SEARCH.
        DacReadSearch "DAC_READ_SEARCH" = 1002,
        /// CAP_FOWNER.
        Fowner "FOWNER" = 1003,
        /// CAP_FSETID.
        Fsetid "FSETID" = 1004,
        /// CAP_KILL.
        Kill "KILL" = 1005,
        /// CAP_SETGID.
        Setgid "SETGID" = 1006,
        /// CAP_SETUID.
        Setuid "SETUID" = 1007,
        /// CAP_SETPCAP.
        Setpcap "SETPCAP" = 1008,
        /// CAP_LINUX_IMMUTABLE.
        LinuxImmutable "LINUX_IMMUTABLE" = 1009,
        /// CAP_NET_BIND_SERVICE.
        NetBindService "NET_BIND_SERVICE" = 1010,
        /// CAP_NET_BROADCAST.
        NetBroadcast "NET_BROADCAST" = 1011,
        /// CAP_NET_ADMIN.
        NetAdmin "NET_ADMIN" = 1012,
        /// CAP_NET_RAW.
        NetRaw "NET_RAW" = 1013,
        /// CAP_IPC_LOCK.
        IpcLock "IPC_LOCK" = 1014,
        /// CAP_IPC_OWNER.
        IpcOwner "IPC_OWNER" = 1015,
        /// CAP_SYS_MODULE.
        SysModule "SYS_MODULE" = 1016,
        /// CAP_SYS_RAWIO.
        SysRawio "SYS_RAWIO" = 1017,
        /// CAP_SYS_CHROOT.
        SysChroot "SYS_CHROOT" = 1018,
        /// CAP_SYS_PTRACE.
        SysPtrace "SYS_PTRACE" = 1019,
        /// CAP_SYS_PACCT.
        SysPacct "SYS_PACCT" = 1020,
        /// CAP_SYS_ADMIN.
        SysAdmin "SYS_ADMIN" = 1021,
        /// CAP_SYS_BOOT.
        SysBoot "SYS_BOOT" = 1022,
        /// CAP_SYS_NICE.
        SysNice "SYS_NICE" = 1023,
        /// CAP_SYS_RESOURCE.
        SysResource "SYS_RESOURCE" = 1024,
        /// CAP_SYS_TIME.
        SysTime "SYS_TIME" = 1025,
        /// CAP_SYS_TTY_CONFIG.
        SysTtyConfig "SYS_TTY_CONFIG" = 1026,
        /// CAP_MKNOD.
        Mknod "MKNOD" = 1027,
        /// CAP_LEASE.
        Lease "LEASE" = 1028,
        /// CAP_AUDIT_WRITE.
        AuditWrite "AUDIT_WRITE" = 1029,
        /// CAP_AUDIT_CONTROL.
        AuditControl "AUDIT_CONTROL" = 1030,
        /// CAP_SETFCAP.
        Setfcap "SETFCAP" = 1031,
        /// CAP_MAC_OVERRIDE.
        MacOverride "MAC_OVERRIDE" = 1032,
        /// CAP_MAC_ADMIN.
        MacAdmin "MAC_ADMIN" = 1033,
        /// CAP_SYSLOG.
        Syslog "SYSLOG" = 1034,
        /// CAP_WAKE_ALARM.
        WakeAlarm "WAKE_ALARM" = 1035,
        /// CAP_BLOCK_SUSPEND.
        BlockSuspend "BLOCK_SUSPEND" = 1036,
        /// CAP_AUDIT_READ.
        AuditRead "AUDIT_READ" = 1037,
        /// CAP_PERFMON.
        Perfmon "PERFMON" = 1038,
        /// CAP_BPF.
        Bpf "BPF" = 1039,
        /// CAP_CHECKPOINT_RESTORE.
        CheckpointRestore "CHECKPOINT_RESTORE" = 1040,
    }
    /// Whether a container has an IPC namespace of its own.
    pub enum IpcMode {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Its own.
        Private "PRIVATE" = 1,
        /// That of its parent.
        ShareParent "SHARE_PARENT" = 2,
    }
    /// What a limit of `setrlimit` is about.
    pub enum RLimitType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Address space.
        As "RLMT_AS" = 1,
        /// Core file.
        Core "RLMT_CORE" = 2,
        /// Processor time.
        Cpu "RLMT_CPU" = 3,
        /// Data segment.
        Data "RLMT_DATA" = 4,
        /// Written file.
        Fsize "RLMT_FSIZE" = 5,
        /// File locks.
        Locks "RLMT_LOCKS" = 6,
        /// Locked memory.
        Memlock "RLMT_MEMLOCK" = 7,
        /// Message queues.
        Msgqueue "RLMT_MSGQUEUE" = 8,
        /// Nice value.
        Nice "RLMT_NICE" = 9,
        /// Open files.
        Nofile "RLMT_NOFILE" = 10,
        /// Processes of the user.
        Nproc "RLMT_NPROC" = 11,
        /// Resident set.
        Rss "RLMT_RSS" = 12,
        /// Real-time priority.
        Rtprio "RLMT_RTPRIO" = 13,
        /// Real-time processor time.
        Rttime "RLMT_RTTIME" = 14,
        /// Queued signals.
        Sigpending "RLMT_SIGPENDING" = 15,
        /// Stack.
        Stack "RLMT_STACK" = 16,
    }
}

message! {
    /// Some capabilities.
    pub struct CapabilityInfo {
        capabilities: repeated LinuxCapability = 1,
    }
    /// The seccomp filter of a container.
    pub struct SeccompInfo {
        profile_name: optional String = 1,
        unconfined: optional bool = 2,
    }
    /// What Linux grants a container.
    pub struct LinuxInfo {
        /// The old way to say `effective_capabilities`.
        capability_info: optional CapabilityInfo = 1,
        bounding_capabilities: optional CapabilityInfo = 2,
        effective_capabilities: optional CapabilityInfo = 3,
        share_pid_namespace: optional bool = 4,
        seccomp: optional SeccompInfo = 5,
        ipc_mode: optional IpcMode = 6,
        /// Size of `/dev/shm` in MB.
        shm_size: optional u32 = 7,
        share_cgroups: default bool = 8 (true),
    }
    /// A limit; neither bound given: unlimited.
    pub struct RLimit {
        r#type: optional RLimitType = 1,
        hard: optional u64 = 2,
        soft: optional u64 = 3,
    }
    /// Limits of `setrlimit`.
    pub struct RLimitInfo {
        rlimits: repeated RLimit = 1,
    }
}
