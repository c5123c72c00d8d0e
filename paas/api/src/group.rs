//! The tree of groups: as it is read, and as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::AppInfo;
use crate::number::Number;
use crate::pod::PodStatus;
use crate::policy::DeploymentPolicy;
use crate::update::AppUpdate;

/// A group: the apps directly in it and the groups below it.
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
    /// Apps and groups that are deployed before everything in this one.
    pub dependencies: Vec<String>,
    /// When it, or anything in it, changed last: RFC 3339 with milliseconds.
    pub version: String,
    /// Whether what lies in it must use the role that is called like it; only of groups directly in the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_role: Option<bool>,
    /// How deployments go about what lies in it and does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
}

/// The body of a write of a group. What it names replaces what was there; what it does not name stays. Null is the same as absent.
///
/// A document that a read returned is accepted.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupUpdate {
    /// A path, absolute or relative to the group that it is written to or in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// All apps directly in the group, whole definitions; their ids may be relative to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps: Option<Vec<AppUpdate>>,
    /// All groups directly below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupUpdate>>,
    /// Apps and groups that are deployed before everything in this one; they may be relative to it (`../db`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// Alone, or beside `id` only: return to what the group was at this version. In a document that a read returned: ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Alone, or beside `id` only: multiply the instances of everything in the group, and round up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_by: Option<Number>,
    /// Whether what lies in the group must use the role that is called like it; only for groups directly in the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforce_role: Option<bool>,
    /// How deployments go about what lies in it and does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentPolicy>,
    /// Ignored in a document that a read returned; pods are written by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub pods: Option<Vec<Value>>,
}

/// The body of `PATCH /v2/groups/{group}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupPatch {
    /// Whether what lies in the group must use the role that is called like it.
    pub enforce_role: bool,
}
