//! What a caller may not see is left out of lists, without a word.
//!
//! Only callers under rules come here: everybody else gets the list as it was put together, without another look at it.

use attica_core_api::auth::{Action, Viewer};
use attica_core_api::v1::FrameworkId;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{StatusCode, header};
use serde_json::{Map, Value};

use super::answer::plain;
use crate::master::view::Users;

/// More than the list of the largest cluster.
const LIST_BYTES_MAX: usize = 1 << 30;
const TASKS: [&str; 4] = ["tasks", "unreachable_tasks", "completed_tasks", "orphan_tasks"];

/// Takes out of a list what its reader may not see.
pub(super) async fn redacted(response: Response, viewer: &Viewer, users: &impl Users) -> Response {
    let sees_all = [Action::ViewFramework, Action::ViewTask, Action::ViewExecutor, Action::ViewRole, Action::ViewFlags]
        .into_iter()
        .all(|action| viewer.may_all(action));
    if sees_all || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LIST_BYTES_MAX).await else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal error");
    };
    // A script around the list (`?jsonp=`) stays around it.
    let (Some(begin), Some(end)) =
        (bytes.iter().position(|byte| *byte == b'{'), bytes.iter().rposition(|byte| *byte == b'}'))
    else {
        return plain(StatusCode::FORBIDDEN, "403 Forbidden.");
    };
    let Ok(Value::Object(mut list)) = serde_json::from_slice(&bytes[begin..=end]) else {
        return plain(StatusCode::FORBIDDEN, "403 Forbidden.");
    };
    Redaction { viewer, users }.list(&mut list);
    let text = Value::Object(list).to_string();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from([&bytes[..begin], text.as_bytes(), &bytes[end + 1..]].concat()))
}

struct Redaction<'a, U> {
    viewer: &'a Viewer,
    users: &'a U,
}

impl<U: Users> Redaction<'_, U> {
    fn list(&self, list: &mut Map<String, Value>) {
        if !self.viewer.may_all(Action::ViewFlags) {
            list.remove("flags");
        }
        for key in ["frameworks", "completed_frameworks"] {
            retain(list, key, |framework| self.framework(framework));
        }
        for key in TASKS {
            retain(list, key, |task| {
                let framework = text(task, "framework_id").and_then(|id| self.user_of(id));
                framework.is_some_and(|user| self.viewer.sees_framework(&user) && self.sees_task(task, &user))
            });
        }
        retain(list, "roles", |role| self.role(role));
        retain(list, "slaves", |agent| {
            self.agent(agent);
            true
        });
    }

    /// Whether it may be seen; takes out of it what may not.
    fn framework(&self, framework: &mut Value) -> bool {
        let own = text(framework, "user").map(str::to_owned);
        let Some(user) = own.or_else(|| self.user_of(text(framework, "id")?)) else { return false };
        if !self.viewer.sees_framework(&user) {
            return false;
        }
        if let Value::Object(members) = framework {
            for key in TASKS {
                retain(members, key, |task| self.sees_task(task, &user));
            }
            for key in ["executors", "completed_executors"] {
                retain(members, key, |executor| {
                    let own = executor.pointer("/command/user").and_then(Value::as_str);
                    self.viewer.sees_executor(own.unwrap_or(&user))
                });
            }
        }
        true
    }

    fn sees_task(&self, task: &Value, framework: &str) -> bool {
        self.viewer.sees_task(text(task, "user").unwrap_or(framework))
    }

    fn role(&self, role: &mut Value) -> bool {
        if !self.viewer.sees_role(text(role, "name").unwrap_or_default()) {
            return false;
        }
        if let Value::Object(members) = role {
            retain(members, "frameworks", |id| self.sees_id(id));
        }
        true
    }

    fn agent(&self, agent: &mut Value) {
        let Value::Object(members) = agent else { return };
        retain(members, "framework_ids", |id| self.sees_id(id));
        for key in ["reserved_resources", "reserved_resources_full", "reserved_resources_allocated"] {
            if let Some(Value::Object(roles)) = members.get_mut(key) {
                roles.retain(|role, _| self.viewer.sees_role(role));
            }
        }
    }

    fn sees_id(&self, id: &Value) -> bool {
        let user = id.as_str().and_then(|id| self.user_of(id));
        user.is_some_and(|user| self.viewer.sees_framework(&user))
    }

    /// The user of a framework; of one that is not known nothing may be seen.
    fn user_of(&self, framework: &str) -> Option<String> {
        self.users.of_framework(&FrameworkId::from(framework))
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn retain(object: &mut Map<String, Value>, key: &str, mut keep: impl FnMut(&mut Value) -> bool) {
    if let Some(Value::Array(elements)) = object.get_mut(key) {
        elements.retain_mut(|element| keep(element));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use attica_core_api::auth::{Acls, Principal};
    use serde_json::json;

    use super::*;
    use crate::master::view::testing::Known;

    fn ann() -> Viewer {
        let rule = |object: &str| {
            format!(
                r#"[{{"principals":{{"values":["ann"]}},"{object}":{{"values":["ann","a"]}}}},
                    {{"principals":{{"type":"ANY"}},"{object}":{{"type":"NONE"}}}}]"#
            )
        };
        let (users, roles) = (rule("users"), rule("roles"));
        let acls = format!(
            r#"{{"view_frameworks":{users},"view_tasks":{users},"view_executors":{users},"view_roles":{roles},
                "view_flags":[{{"principals":{{"type":"ANY"}},"flags":{{"type":"NONE"}}}}]}}"#
        );
        Viewer::new(Some(Principal::named("ann")), Some(Arc::new(Acls::parse(&acls).unwrap())))
    }

    async fn seen(list: &str, viewer: &Viewer) -> String {
        let response = redacted(Response::new(Body::from(list.to_owned())), viewer, &Known).await;
        assert_eq!(response.status(), StatusCode::OK);
        String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_what_may_be_seen_is_left() {
        let list = json!({
            "id": "m", "flags": {"x": "y"},
            "frameworks": [
                {"id": "of-ann", "user": "ann", "tasks": [{"id": "1"}, {"id": "2", "user": "root"}],
                 "executors": [{"executor_id": "e"}, {"executor_id": "f", "command": {"user": "root"}}]},
                {"id": "of-bob", "user": "bob", "tasks": [{"id": "3", "user": "ann"}]},
            ],
            "slaves": [{"id": "s", "framework_ids": ["of-ann", "of-bob"], "reserved_resources": {"a": {}, "b": {}}}],
            "roles": [{"name": "a", "frameworks": ["of-ann", "of-bob"]}, {"name": "b"}],
        });
        let expected = json!({
            "id": "m",
            "frameworks": [{"id": "of-ann", "user": "ann", "tasks": [{"id": "1"}], "executors": [{"executor_id": "e"}]}],
            "slaves": [{"id": "s", "framework_ids": ["of-ann"], "reserved_resources": {"a": {}}}],
            "roles": [{"name": "a", "frameworks": ["of-ann"]}],
        });
        let found: Value = serde_json::from_str(&seen(&list.to_string(), &ann()).await).unwrap();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn tasks_without_their_frameworks() {
        let list = r#"cb({"tasks":[{"id":"1","framework_id":"of-ann"},{"id":"2","framework_id":"of-bob","user":"ann"},
            {"id":"3","framework_id":"of-ann","user":"root"},{"id":"4","framework_id":"gone"}]});"#;
        assert_eq!(seen(list, &ann()).await, r#"cb({"tasks":[{"id":"1","framework_id":"of-ann"}]});"#);
    }

    #[tokio::test]
    async fn who_may_see_all_gets_the_very_bytes() {
        for viewer in [Viewer::default(), Viewer::new(None, Some(Arc::new(Acls::parse("{}").unwrap())))] {
            assert_eq!(seen("{ \"flags\" : 1 }", &viewer).await, "{ \"flags\" : 1 }");
        }
    }
}
