use expect_test::expect_file;
use serde_json::{Value, from_value, json};

use super::progress::Progress;
use crate::client::tests::answers::{BEFORE, at_rest, deployment, half_way, queue, with};
use crate::terminal::Colour;

/// The bars and the sentences.
fn progress(deployment: Value, app: Option<Value>, queue: Value) -> String {
    let seen = [("/shop/web".to_owned(), app.map(|app| from_value(app).unwrap()))];
    let queue: attica_paas_api::queue::Queue = from_value(queue).unwrap();
    let progress = Progress::new(&from_value(deployment).unwrap(), &seen, &queue.queue);
    let bars = progress.bars().into_iter().map(|line| line.render(Colour::Hidden) + "\n").collect::<String>();
    let sentences = progress.sentences().into_iter().map(|sentence| sentence + "\n").collect::<String>();
    format!("{}\n{bars}{sentences}", progress.step())
}

#[test]
fn how_far_it_is_is_told_for_every_action() {
    let app = |members| with(half_way(), members);
    let current = |action: &str| json!([{"action": action, "app": "/shop/web", "readinessCheckResults": []}]);
    let mut text = String::new();
    for (name, members, info) in [
        ("replaced", json!({}), Some(app(json!({})))),
        (
            "scaled up",
            json!({"currentActions": current("ScaleApplication")}),
            Some(with(at_rest("/shop/web", 2, BEFORE), json!({"instances": 5}))),
        ),
        (
            "scaled down",
            json!({"currentActions": current("ScaleApplication")}),
            Some(with(at_rest("/shop/web", 4, BEFORE), json!({"instances": 1}))),
        ),
        ("stopped", json!({"currentActions": current("StopApplication")}), Some(at_rest("/shop/web", 2, BEFORE))),
        ("gone", json!({"currentActions": current("StopApplication")}), None),
        (
            "one of many",
            json!({"affectedApps": (0..40).map(|n| format!("/{n}")).chain(["/shop/web".to_owned()]).collect::<Vec<_>>()}),
            Some(app(json!({}))),
        ),
        (
            "later and over",
            json!({
                "affectedApps": ["/shop/web", "/first", "/last"], "totalSteps": 3, "currentStep": 2,
                "steps": [
                    {"actions": [{"action": "StartApplication", "app": "/first"}]},
                    {"actions": [{"action": "RestartApplication", "app": "/shop/web"}]},
                    {"actions": [{"action": "ScaleApplication", "app": "/last"}]},
                ],
            }),
            Some(app(json!({"healthChecks": []}))),
        ),
    ] {
        text.push_str(&format!("# {name}\n{}\n", progress(with(deployment(), members), info, queue())));
    }
    expect_file!["../tests/snapshots/progress.txt"].assert_eq(&text);
}
