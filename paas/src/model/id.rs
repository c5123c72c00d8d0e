use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use attica_core_api::v1::TaskId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// A run spec needs a name of its own.
    #[error("must not be root")]
    Root,
    /// Segments are lower-case letters, digits, dots and inner dashes.
    #[error("must fully match regular expression '{}'", RunSpecId::SEGMENT)]
    Segment,
    /// The last segment would hide a sub-resource.
    #[error("must not end with any of the following reserved keywords: restart, tasks, versions, ., ..")]
    Reserved,
    /// A limit of ours.
    #[error("must not be longer than {} characters", RunSpecId::LENGTH_MAX)]
    TooLong,
    /// Not an instance's or task's id in the form in which this service makes them.
    #[error("'{0}' is not an id of an instance or task of this service")]
    Foreign(String),
}

/// The path of a run spec: `/shop/web`. Absolute, without a trailing slash, never the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunSpecId(Arc<str>);

impl RunSpecId {
    /// The longest id, slashes included: task ids begin with it, and Mesos allows them 255 bytes.
    pub const LENGTH_MAX: usize = 190;

    const SEGMENT: &str =
        "^(([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\\.)*([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])|(\\.|\\.\\.)$";

    const RESERVED: [&str; 5] = ["restart", "tasks", "versions", ".", ".."];

    /// Reads a path as clients write it (`web`, `/web`, `//web/`), relative ones from the root.
    ///
    /// # Errors
    /// The root, a segment with other characters, a reserved last segment, more than [`RunSpecId::LENGTH_MAX`] characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let segments: Vec<&str> = text.split('/').filter(|segment| !segment.is_empty()).collect();
        let Some(last) = segments.last() else { return Err(InvalidId::Root) };
        if Self::RESERVED.contains(last) {
            return Err(InvalidId::Reserved);
        }
        if !segments.iter().copied().all(is_segment) {
            return Err(InvalidId::Segment);
        }
        let path = format!("/{}", segments.join("/"));
        if path.len() > Self::LENGTH_MAX {
            return Err(InvalidId::TooLong);
        }
        Ok(Self(path.into()))
    }

    /// The path with its leading slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The enclosing group: `/shop` of `/shop/web`, `/` of `/web`.
    #[must_use]
    pub fn parent(&self) -> &str {
        match self.0.rfind('/') {
            None | Some(0) => "/",
            Some(slash) => &self.0[..slash],
        }
    }

    /// The groups around this run spec but for the root, the innermost first, as the ids that run specs in their place would have.
    pub fn ancestors(&self) -> impl Iterator<Item = RunSpecId> {
        let ends = self.0.char_indices().rev().filter(|(at, character)| *character == '/' && *at > 0);
        ends.map(|(at, _)| Self(self.0[..at].into()))
    }

    /// True when this run spec lies in `group`, at any depth. `group` is a path like `/shop`, or `/`.
    #[must_use]
    pub fn is_within(&self, group: &str) -> bool {
        group == "/" || self.0.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The path as the first part of instance ids: `shop_web`. Segments cannot hold underscores, so it can be read back.
    #[must_use]
    pub fn safe_path(&self) -> String {
        self.0[1..].replace('/', "_")
    }

    /// The reversed path, `web.shop`: the Mesos task name, which DNS software turns into host names.
    #[must_use]
    pub fn reversed(&self) -> String {
        self.0.split('/').filter(|segment| !segment.is_empty()).rev().collect::<Vec<_>>().join(".")
    }
}

/// One segment: labels of lower-case letters, digits and inner dashes, joined by dots.
fn is_segment(segment: &str) -> bool {
    segment.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    })
}

impl Borrow<str> for RunSpecId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunSpecId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RunSpecId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RunSpecId({})", self.0)
    }
}

/// One place of a run spec that a task is to fill, again and again: `shop_web.instance-<uuid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// Whose instance it is.
    pub run_spec: RunSpecId,
    /// Its own part.
    pub uuid: Uuid,
}

impl InstanceId {
    /// Reads `shop_web.instance-<uuid>`.
    ///
    /// # Errors
    /// [`InvalidId::Foreign`] for any other form.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let parsed = text.rsplit_once(".instance-").and_then(|(path, uuid)| {
            let run_spec = RunSpecId::parse(&path.replace('_', "/")).ok()?;
            Some(Self { run_spec, uuid: Uuid::try_parse(uuid).ok()? })
        });
        parsed.filter(|parsed| parsed.to_string() == text).ok_or_else(|| InvalidId::Foreign(text.to_owned()))
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.instance-{}", self.run_spec.safe_path(), self.uuid)
    }
}

impl Serialize for InstanceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One attempt of an instance to run: `shop_web.instance-<uuid>._app.<incarnation>`, the Mesos task id; the name of a container in the
/// place of `_app` for what one container of a pod runs. The first incarnation is 1; the number only grows, so that no task id is ever
/// used twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIdentity {
    /// The instance.
    pub instance: InstanceId,
    /// The container of a pod.
    pub container: Option<String>,
    /// The number of the attempt.
    pub incarnation: u32,
}

impl TaskIdentity {
    /// Reads a task id.
    ///
    /// # Errors
    /// [`InvalidId::Foreign`] for any other form.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let foreign = || InvalidId::Foreign(text.to_owned());
        let (rest, incarnation) = text.rsplit_once('.').ok_or_else(foreign)?;
        let (instance, container) = rest.rsplit_once('.').ok_or_else(foreign)?;
        let instance = InstanceId::parse(instance).map_err(|_| foreign())?;
        let container = match container {
            Self::WHOLE => None,
            name if is_container_name(name) => Some(name.to_owned()),
            _ => return Err(foreign()),
        };
        Ok(Self { instance, container, incarnation: incarnation.parse().map_err(|_| foreign())? })
    }

    /// What stands for an instance that is one task.
    const WHOLE: &str = "_app";

    /// The id that Mesos knows.
    #[must_use]
    pub fn task_id(&self) -> TaskId {
        TaskId::from(self.to_string())
    }
}

impl fmt::Display for TaskIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let container = self.container.as_deref().unwrap_or(Self::WHOLE);
        write!(formatter, "{}.{container}.{}", self.instance, self.incarnation)
    }
}

/// Whether a container of a pod can be called so: lower-case letters, digits and inner dashes, as in the label of a host name.
#[must_use]
pub fn is_container_name(name: &str) -> bool {
    const LENGTH_MAX: usize = 63;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= LENGTH_MAX
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The id of a deployment: a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(pub Uuid);

impl DeploymentId {
    /// Reads a UUID; `None` for anything else, which no deployment is called.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_clients_write_them() {
        for text in ["web", "/web", "//web/", "/web/"] {
            assert_eq!(RunSpecId::parse(text).unwrap().as_str(), "/web");
        }
        for (text, error) in [
            ("", InvalidId::Root),
            ("/", InvalidId::Root),
            ("/Web", InvalidId::Segment),
            ("/a_b", InvalidId::Segment),
            ("/-a", InvalidId::Segment),
            ("/a..b", InvalidId::Segment),
            ("/a/tasks", InvalidId::Reserved),
            ("/a/..", InvalidId::Reserved),
        ] {
            assert_eq!(RunSpecId::parse(text), Err(error), "{text}");
        }
        assert_eq!(RunSpecId::parse(&"a/".repeat(200)), Err(InvalidId::TooLong));
    }

    #[test]
    fn task_ids_lead_back_to_their_run_spec() {
        let text = "shop_v1.0_web.instance-67e55044-10b1-426f-9247-bb680e5fe0c8._app.12";
        let identity = TaskIdentity::parse(text).unwrap();
        assert_eq!(identity.instance.run_spec.as_str(), "/shop/v1.0/web");
        assert_eq!((identity.incarnation, identity.to_string()), (12, text.to_owned()));
        let of_pod = text.replace("_app", "side-car");
        assert_eq!(TaskIdentity::parse(&of_pod).unwrap().container.as_deref(), Some("side-car"));
        assert_eq!(TaskIdentity::parse(&of_pod).unwrap().to_string(), of_pod);
        for foreign in [
            "web.1",
            "web.instance-x._app.1",
            "web.instance-67e55044-10b1-426f-9247-bb680e5fe0c8._x.1",
            "web.instance-67e55044-10b1-426f-9247-bb680e5fe0c8._app.x",
        ] {
            assert!(TaskIdentity::parse(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn groups_are_around_and_things_within() {
        let id = RunSpecId::parse("/a/b/c").unwrap();
        assert_eq!(id.ancestors().map(|group| group.to_string()).collect::<Vec<_>>(), ["/a/b", "/a"]);
        assert_eq!((id.parent(), id.reversed().as_str()), ("/a/b", "c.b.a"));
        assert!(id.is_within("/") && id.is_within("/a") && !id.is_within("/a/b/c") && !id.is_within("/a/bc"));
    }
}
