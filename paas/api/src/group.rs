//! The tree of groups as it is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::AppInfo;
use crate::pod::PodStatus;

/// A group: the apps directly in it and the groups below it. Groups exist because apps lie in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Absolute path; `/` is the root.
    pub id: String,
    /// Apps directly in the group.
    pub apps: Vec<AppInfo>,
    /// Pods directly in the group.
    pub pods: Vec<PodStatus>,
    /// Groups directly below.
    pub groups: Vec<Group>,
    /// Always empty: dependencies between groups are not built yet.
    pub dependencies: Vec<String>,
    /// The version of its newest app, RFC 3339 with milliseconds.
    pub version: String,
}
