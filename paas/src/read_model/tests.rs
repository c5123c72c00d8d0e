use attica_core_api::Timestamp;
use attica_core_store::Position;
use bytes::Bytes;
use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use uuid::Uuid;

use super::view::TaskView;
use super::{AppFilter, AppParts, Fold, GroupParts, LabelSelector, Missing, ReadModel, TaskFilter, stats};
use crate::access::Sight;
use crate::engine::{Fact, Snapshot};
use crate::model::{Condition, GroupId, RunSpec, RunSpecId, Version};
use crate::normalise::{QueueParts, Responses};
use crate::tables::tests::{history, instance, recorded, run_spec};

/// Everything that can be read, as one text.
fn everything(model: &ReadModel) -> String {
    let id = RunSpecId::parse("/shop/web").unwrap();
    let reader = model.seen_by(Sight::Everything);
    let everything = AppParts::single(["app.taskStats"].into_iter(), Timestamp(10_000));
    let group = GroupParts::new(["group.apps", "group.apps.tasks", "group.groups"].into_iter(), Timestamp(10_000));
    let answers = [
        ("apps", reader.apps(&AppFilter::default(), everything)),
        ("app", reader.app(&id, everything)),
        ("tasks", reader.tasks(TaskFilter::All)),
        ("staging", reader.tasks(TaskFilter::Staging)),
        ("versions", reader.versions(&id)),
        ("group", reader.group(&GroupId::root(), group)),
        ("deployments", reader.deployments(true)),
        ("queue", reader.queue(QueueParts { unused_offers: true, ..QueueParts::default() }, Timestamp(0))),
    ];
    let mut text = format!("{:?} {:?}\n", model.framework_id(), model.totals());
    for (name, answer) in answers {
        let document: Value = serde_json::from_slice(&answer.body.unwrap_or_default().whole()).unwrap_or(Value::Null);
        text += &format!("{name} {document:#}\n");
    }
    text
}

/// The list of apps.
fn list(model: &ReadModel) -> Bytes {
    let answer =
        model.seen_by(Sight::Everything).apps(&AppFilter::default(), AppParts::list(std::iter::empty(), Timestamp(0)));
    answer.body.unwrap().whole()
}

fn fold(facts: &[Fact], facts_per_batch: usize) -> ReadModel {
    let model = ReadModel::new(Uuid::nil(), Position(0));
    let mut fold = Fold::new(Snapshot::default(), &model);
    let mut first = Position(1);
    for batch in facts.chunks(facts_per_batch) {
        let batch: Vec<_> = batch.iter().cloned().map(recorded).collect();
        fold.publish(first, &batch, Vec::new(), &model);
        first = first.after(batch.len());
        // What was rendered for this one is not shown in the next one where it has changed.
        list(&model);
    }
    assert_eq!(model.state().position, Position(facts.len() as i64));
    model
}

#[test]
fn a_model_that_followed_shows_what_a_model_that_begins_anew_shows() {
    let history = history();
    for length in 0..=history.len() {
        let facts = &history[..length];
        let mut snapshot = Snapshot::default();
        facts.iter().for_each(|fact| snapshot.apply(fact));
        let anew = ReadModel::new(Uuid::nil(), Position(0));
        let _ = Fold::new(snapshot, &anew);
        for facts_per_batch in [1, 3, 100] {
            let followed = fold(facts, facts_per_batch);
            assert_eq!(everything(&followed), everything(&anew), "after {length} facts");
            assert_eq!(list(&followed), list(&anew), "after {length} facts");
        }
    }
}

#[test]
fn tasks_and_failures_are_shown() {
    let history = history();
    let before_the_failure = history.iter().position(|fact| matches!(fact, Fact::TaskEnded { .. })).unwrap();
    expect_file!["tests/running.txt"].assert_eq(&everything(&fold(&history[..before_the_failure], 100)));
    expect_file!["tests/failed.txt"].assert_eq(&everything(&fold(&history[..=before_the_failure], 100)));
}

#[test]
fn what_is_asked_for_is_embedded() {
    let model = fold(&history()[..13], 100);
    let members = |embed: &[&str]| {
        let parts = AppParts::list(embed.iter().copied(), Timestamp(0));
        let list: Value = serde_json::from_slice(
            &model.seen_by(Sight::Everything).apps(&AppFilter::default(), parts).body.unwrap().whole(),
        )
        .unwrap();
        let app = list["apps"][0].as_object().unwrap();
        let optional = ["tasksRunning", "deployments", "tasks", "taskStats", "lastTaskFailure"];
        optional.into_iter().filter(|name| app.contains_key(*name)).collect::<Vec<_>>().join(" ")
    };
    expect!["tasksRunning deployments"].assert_eq(&members(&[]));
    expect!["tasksRunning deployments tasks"].assert_eq(&members(&["apps.tasks"]));
    expect!["tasksRunning deployments tasks"].assert_eq(&members(&["app.tasks", "nonsense"]));
    expect!["tasksRunning deployments lastTaskFailure"].assert_eq(&members(&["lastTaskFailure"]));
    expect!["tasksRunning deployments tasks lastTaskFailure"].assert_eq(&members(&["group.apps.failures"]));
    expect!["tasksRunning deployments taskStats"].assert_eq(&members(&["apps.taskStats"]));
    let group = |embed: &[&str]| {
        let group: Value = serde_json::from_slice(
            &model
                .seen_by(Sight::Everything)
                .group(&GroupId::root(), GroupParts::new(embed.iter().copied(), Timestamp(0)))
                .body
                .unwrap()
                .whole(),
        )
        .unwrap();
        group.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    expect!["id apps pods groups dependencies version"].assert_eq(&group(&[]));
    expect!["id groups dependencies version"].assert_eq(&group(&["group.groups"]));
    assert_eq!(
        model
            .seen_by(Sight::Everything)
            .group(&GroupId::parse("/shop/web").unwrap(), GroupParts::new(std::iter::empty(), Timestamp(0)))
            .body
            .unwrap_err(),
        Missing::Group("/shop/web".into())
    );
}

#[test]
fn label_selectors() {
    let labels = [("tier", "front"), ("a.b-c", "x y"), ("innocent", "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let labels = labels.into();
    for (selector, matches) in [
        ("tier", true),
        ("missing", false),
        ("tier==front", true),
        ("tier == back", false),
        ("tier!=back", true),
        ("missing!=back", false),
        ("tier in (front, back)", true),
        ("tier in(back)", false),
        ("tier notin (back)", true),
        ("missing notin (back)", false),
        (r"a.b-c==x\ y", true),
        ("innocent", true),
        ("tier==front, a.b-c", true),
        ("tier==front,missing", false),
        ("", true),
        ("tier in ()", false),
        ("tier notin ( )", true),
    ] {
        assert_eq!(LabelSelector::parse(selector).unwrap().passes(&labels), matches, "{selector}");
    }
    let refused = |selector| LabelSelector::parse(selector).unwrap_err().to_string();
    expect!["'a==' is not a label selector: expected a value at character 4"].assert_eq(&refused("a=="));
    expect!["'a in b' is not a label selector: expected '(' at character 6"].assert_eq(&refused("a in b"));
    expect!["'a in (b' is not a label selector: expected a comma or ')' at character 8"].assert_eq(&refused("a in (b"));
    expect!["'a=b' is not a label selector: expected a comma or the end at character 2"].assert_eq(&refused("a=b"));
    expect!["'a,' is not a label selector: expected a label at character 3"].assert_eq(&refused("a,"));
}

#[test]
fn tasks_are_counted_by_the_configuration_that_they_run() {
    let [old, new] = [Version(Timestamp(1_000)), Version(Timestamp(2_000))];
    let task = |index: u128, version, condition, started_at: Option<i64>| {
        let mut instance = instance("/shop/web", index, condition);
        instance.version = version;
        instance.task.as_mut().unwrap().started_at = started_at.map(Timestamp);
        TaskView::new(&instance, None, &Responses::default())
    };
    let tasks = [
        task(1, old, Condition::Running, Some(3_000)),
        task(2, new, Condition::Running, Some(9_500)),
        task(3, new, Condition::Running, Some(8_000)),
        task(4, new, Condition::Staging, None),
    ];
    let mut spec = RunSpec::clone(&run_spec("/shop/web", 2_000));
    (spec.last_config_change_at, spec.last_scaling_at) = (new, Version(Timestamp(3_000)));
    let stats = stats::by_version(&spec, tasks.iter(), Timestamp(10_000));
    assert_eq!(
        serde_json::to_value(stats).unwrap(),
        json!({
            "withLatestConfig": {"stats": {
                "counts": {"staged": 1, "running": 2, "healthy": 2, "unhealthy": 0},
                "lifeTime": {"averageSeconds": 1.25, "medianSeconds": 2.0},
            }},
            "withOutdatedConfig": {"stats": {
                "counts": {"staged": 0, "running": 1, "healthy": 1, "unhealthy": 0},
                "lifeTime": {"averageSeconds": 7.0, "medianSeconds": 7.0},
            }},
            "totalSummary": {"stats": {
                "counts": {"staged": 1, "running": 3, "healthy": 3, "unhealthy": 0},
                "lifeTime": {"averageSeconds": 9.5 / 3.0, "medianSeconds": 2.0},
            }},
        })
    );
    assert_eq!(serde_json::to_value(stats::by_version(&spec, std::iter::empty(), Timestamp(0))).unwrap(), json!({}));
}
