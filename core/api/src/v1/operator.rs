//! What only operators ask for.

use super::{FrameworkId, Resource, TimeInfo};
use crate::message::message;

message! {
    /// The weight of a role in fair sharing.
    pub struct WeightInfo {
        weight: required f64 = 1,
        role: optional String = 2,
    }
    /// What a program was built from.
    pub struct VersionInfo {
        version: required String = 1,
        build_date: optional String = 2,
        build_time: optional f64 = 3,
        build_user: optional String = 4,
        git_sha: optional String = 5,
        git_branch: optional String = 6,
        git_tag: optional String = 7,
    }
    /// A flag that a program was started with.
    pub struct Flag {
        name: required String = 1,
        value: optional String = 2,
    }
    /// A role and who uses it.
    pub struct Role {
        name: required String = 1,
        weight: required f64 = 2,
        frameworks: repeated FrameworkId = 3,
        resources: repeated Resource = 4,
    }
    /// A measured value.
    pub struct Metric {
        name: required String = 1,
        value: optional f64 = 2,
    }
    /// A file in a directory listing.
    pub struct FileInfo {
        path: required String = 1,
        nlink: optional i32 = 2,
        size: optional u64 = 3,
        mtime: optional TimeInfo = 4,
        mode: optional u32 = 5,
        uid: optional String = 6,
        gid: optional String = 7,
    }
}
