use attica_paas_api::group::GroupUpdate as Written;
use proptest::prelude::*;

use super::*;
use crate::engine::GroupUpdate;
use crate::model::GroupId;
use crate::validate::{GroupIntent, group};

fn read_group(document: &Value, around: &str) -> Result<(GroupId, GroupIntent), String> {
    let told = |body: ErrorBody| serde_json::to_string(&body).unwrap();
    let written: Written =
        decode(document.to_string().as_bytes()).map_err(|(status, body)| format!("{status} {}", told(body)))?;
    let around = GroupId::parse(around).unwrap();
    group(written, &around, &rules()).map_err(|faults| {
        assert!(!faults.is_empty());
        format!("422 {}", told(faults.into_body()))
    })
}

#[test]
fn published_groups_are_accepted() {
    let Some(data) = shared_data() else { return };
    for (file, apps) in [
        ("real/155_100.json", 100),
        ("real/155_1000.json", 1_000),
        ("system-groups/sleep-group.json", 2),
        ("rest-api-examples/group.json", 3),
    ] {
        let document: Value = serde_json::from_slice(&std::fs::read(data.join(file)).unwrap()).unwrap();
        let read = read_group(&document, "/").unwrap_or_else(|answer| panic!("{file}: {answer}"));
        let (_, GroupIntent::Update(update)) = read else { panic!("{file}: {read:?}") };
        assert!(count(&update) >= apps, "{file}: {} apps", count(&update));
    }
}

fn count(update: &GroupUpdate) -> usize {
    let below: usize = update.groups.iter().flatten().map(count).sum();
    update.apps.iter().flatten().count() + below
}

#[test]
fn ids_stand_for_what_lies_around_them() {
    let document = json!({"id": "shop", "dependencies": ["../base"], "apps": [{"id": "cron", "cmd": "true"}], "groups": [
        {"id": "front", "dependencies": ["../back", "/db"], "apps": [{"id": "web", "cmd": "true", "dependencies": ["api", "../back/db"]}]}]});
    let (id, GroupIntent::Update(update)) = read_group(&document, "/prod").unwrap() else { panic!() };
    assert_eq!(id.as_str(), "/prod/shop");
    assert_eq!(update.dependencies, Some(vec!["/prod/base".to_owned()]));
    let front = &update.groups.as_ref().unwrap()[0];
    assert_eq!(front.dependencies, Some(vec!["/prod/shop/back".to_owned(), "/db".to_owned()]));
    let (web, definition) = &front.apps.as_ref().unwrap()[0];
    assert_eq!(web.as_str(), "/prod/shop/front/web");
    let expected = ["/prod/shop/front/api", "/prod/shop/back/db"].map(str::to_owned).to_vec();
    assert_eq!(definition.dependencies, Some(expected));
}

/// Anything that somebody might write in the place of a group.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["/?[a-z./-]{0,8}", "\\PC{0,6}", "20[0-9]{2}-06-12T23:03:31.512Z"].prop_map(Value::from),
    ];
    let member = prop_oneof![
        4 => prop::sample::select(vec![
            "id", "apps", "groups", "dependencies", "version", "scaleBy", "enforceRole", "pods", "deployment", "cmd", "instances",
            "progressDeadlineSeconds", "onFailure",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member.clone(), inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused(document in anything()) {
        if let Ok((id, intent)) = read_group(&document, "/prod") {
            match intent {
                GroupIntent::Update(update) => {
                    prop_assert_eq!(&update.id, &id);
                    let inside = |group: &GroupUpdate| group.id.parent() == Some(id.clone());
                    prop_assert!(update.groups.iter().flatten().all(inside));
                }
                GroupIntent::Rollback(_) => {}
                GroupIntent::Scale(factor) => prop_assert!(factor.is_finite() && factor >= 0.0),
            }
        }
    }
}
