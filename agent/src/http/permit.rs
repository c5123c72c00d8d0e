//! What a caller may see of an agent's tasks and their files, by Mesos's rules. Views leave out what is not for their reader, without a
//! word; files are refused.

use attica_core_api::auth::{Action, Object, Viewer};
use serde_json::{Map, Value};

use super::running::Running;
use super::view::View;

/// The lists of tasks of an executor.
const TASKS: [&str; 3] = ["tasks", "queued_tasks", "completed_tasks"];

/// The agent's state as this caller may see it.
pub(super) fn state(viewer: &Viewer, view: &View) -> Value {
    let mut state = view.state.clone();
    let (false, Value::Object(members)) = (viewer.is_unrestricted(), &mut state) else { return state };
    if !viewer.may(Action::ViewFlags, Object::Any) {
        members.remove("flags");
    }
    for key in ["frameworks", "completed_frameworks"] {
        retain(members, key, |framework| {
            let user = text(framework, "user").to_owned();
            let id = text(framework, "id").to_owned();
            for key in ["executors", "completed_executors"] {
                retain(framework, key, |executor| {
                    TASKS.iter().for_each(|key| retain(executor, key, |task| sees_task(viewer, task, &user)));
                    let owner = view.owner(&id, text(executor, "id"));
                    owner.is_some_and(|owner| viewer.sees_executor(owner))
                });
            }
            viewer.sees_framework(&user)
        });
    }
    state
}

/// Whether this caller may read the files of an executor. Of one that is not known any more whoever may read all files may.
pub(super) fn opens_sandbox(viewer: &Viewer, view: &View, framework: &str, executor: &str) -> bool {
    match view.owner(framework, executor) {
        Some(owner) => viewer.may(Action::AccessSandbox, Object::Value(owner)),
        None => viewer.may_all(Action::AccessSandbox),
    }
}

/// Whether this caller may see what a container is, and what it uses.
pub(super) fn sees_container(viewer: &Viewer, running: &Running) -> bool {
    match running.of {
        Some(_) => viewer.may(Action::ViewContainer, Object::Value(&running.owner)),
        None => viewer.may(Action::ViewStandaloneContainer, Object::Any),
    }
}

fn sees_task(viewer: &Viewer, task: &Map<String, Value>, of_framework: &str) -> bool {
    viewer.sees_task(task.get("user").and_then(Value::as_str).unwrap_or(of_framework))
}

fn text<'a>(members: &'a Map<String, Value>, key: &str) -> &'a str {
    members.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn retain(members: &mut Map<String, Value>, key: &str, mut keep: impl FnMut(&mut Map<String, Value>) -> bool) {
    if let Some(Value::Array(elements)) = members.get_mut(key) {
        elements.retain_mut(|element| element.as_object_mut().is_some_and(&mut keep));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use attica_core_api::auth::{Acls, Principal};
    use attica_core_api::v1::AgentInfo;
    use serde_json::json;

    use super::super::lists::Lists;
    use super::super::running::{Of, Whose};
    use super::*;
    use crate::contained::ContainerPath;

    fn ann() -> Viewer {
        let rule = |list: &str| {
            format!(
                r#""{list}":[{{"principals":{{"values":["ann"]}},"users":{{"values":["ann"]}}}},
                    {{"principals":{{"type":"ANY"}},"users":{{"type":"NONE"}}}}]"#
            )
        };
        let lists = ["view_frameworks", "view_tasks", "view_executors", "view_containers", "access_sandboxes"];
        let flags = r#""view_flags":[{"principals":{"type":"ANY"},"flags":{"type":"NONE"}}]"#.to_owned();
        let rules: Vec<String> = lists.iter().map(|list| rule(list)).chain([flags]).collect();
        let acls = Acls::parse(&format!("{{{}}}", rules.join(","))).unwrap();
        Viewer::new(Some(Principal::named("ann")), Some(Arc::new(acls)))
    }

    fn view() -> View {
        let task = |id: &str, user: Option<&str>| match user {
            Some(user) => json!({ "id": id, "user": user }),
            None => json!({ "id": id }),
        };
        let executor = |id: &str| json!({ "id": id, "tasks": [task("1", None), task("2", Some("root"))] });
        let framework = |id: &str, user: &str| json!({ "id": id, "user": user, "executors": [executor("own"), executor("of root"), executor("unknown")] });
        let owner = |framework: &str, executor: &str, user: &str| {
            ((framework.to_owned(), executor.to_owned()), user.to_owned())
        };
        let owners = [owner("f", "own", "ann"), owner("f", "of root", "root"), owner("g", "own", "bob")];
        View {
            state: json!({ "flags": {}, "frameworks": [framework("f", "ann"), framework("g", "bob")] }),
            metrics: Map::new(),
            flags: BTreeMap::new(),
            info: AgentInfo::default(),
            lists: Lists::default(),
            running: Vec::new(),
            sandboxes: BTreeMap::new(),
            owners: BTreeMap::from(owners),
            agent_id: None,
        }
    }

    #[test]
    fn only_what_may_be_seen_is_left() {
        let left = json!({ "frameworks": [
            { "id": "f", "user": "ann", "executors": [{ "id": "own", "tasks": [{ "id": "1" }] }] } ] });
        assert_eq!(state(&ann(), &view()), left);
        assert_eq!(state(&Viewer::default(), &view()), view().state);
    }

    #[test]
    fn files_and_containers_are_their_users() {
        let running = |owner: &str, of: Option<Of>| Running {
            of,
            whose: Whose::Executors,
            path: ContainerPath::root("c"),
            parts: Vec::new(),
            containerizer: crate::daemon::Containerizer::Launcher,
            owner: owner.to_owned(),
            pid: Some(1),
            allowance: None,
        };
        let (executor_name, source) = (String::new(), String::new());
        let of = Of { framework_id: "f".into(), executor_id: "own".into(), executor_name, source };
        for (owner, of, expected) in [("ann", Some(of.clone()), true), ("root", Some(of), false), ("", None, true)] {
            assert_eq!(sees_container(&ann(), &running(owner, of.clone())), expected, "{owner}");
            assert!(sees_container(&Viewer::default(), &running(owner, of)));
        }
        let cases = [("f", "own", true), ("f", "of root", false), ("g", "own", false), ("f", "unknown", false)];
        for (framework, executor, expected) in cases {
            assert_eq!(opens_sandbox(&ann(), &view(), framework, executor), expected, "{framework} {executor}");
            assert!(opens_sandbox(&Viewer::default(), &view(), framework, executor));
        }
    }
}
