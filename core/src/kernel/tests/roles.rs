//! Quotas and weights: what is refused, in which words, and what follows from what is not.

use attica_core_api::decode_json;
use attica_core_api::operator::{QuotaConfig, QuotaRequest};
use attica_core_api::v1::WeightInfo;

use super::*;
use crate::kernel::{Order, QuotaChange, Refusal};

impl Scene {
    fn order(&mut self, order: Order) -> Reply {
        self.apply(Input::Order { order: Box::new(order), reply: ReplyTo(3) }).settle().reply()
    }

    fn change_quota(&mut self, change: QuotaChange) -> Reply {
        self.order(Order::UpdateQuota(change))
    }

    fn update_quota(&mut self, configs: &str, force: bool) -> Reply {
        let configs: Vec<serde_json::Value> = serde_json::from_str(configs).unwrap();
        let configs = configs.iter().map(|config| decode_json(config.to_string().as_bytes()).unwrap()).collect();
        self.change_quota(QuotaChange::Update { configs, force })
    }

    fn set_quota(&mut self, request: &str) -> Reply {
        let request: QuotaRequest = decode_json(request.as_bytes()).unwrap();
        self.change_quota(QuotaChange::Set(request))
    }

    fn remove_quota(&mut self, role: &str) -> Reply {
        self.change_quota(QuotaChange::Remove { role: role.to_owned() })
    }

    fn update_weight(&mut self, role: &str, weight: f64) -> Reply {
        let weights = vec![WeightInfo { weight, role: Some(role.to_owned()) }];
        self.order(Order::UpdateWeights(weights))
    }
}

fn refused(reply: Reply) -> String {
    match reply {
        Reply::Refused(refusal) => format!("{} {refusal}", refusal.status()),
        Reply::Accepted => panic!("accepted"),
    }
}

#[test]
fn what_a_quota_must_not_be_is_refused_by_name() {
    let mut scene = stage();
    let cases = [
        (r#"[{"role": "/x"}]"#, "400 Invalid QuotaConfig: Invalid 'QuotaConfig.role': role '/x' must not begin"),
        (
            r#"[{"role": "q", "limits": {"cpus": {"value": -1}}}]"#,
            "400 Invalid QuotaConfig: Invalid limit configuration {'cpus': -1}: Negative values not supported",
        ),
        (
            r#"[{"role": "q", "guarantees": {"cpus": {"value": 1e13}}}]"#,
            "400 Invalid QuotaConfig: Invalid 'QuotaConfig.guarantees': {'cpus': 10000000000000} is invalid: values greater than 1 trillion",
        ),
        (
            r#"[{"role": "q", "guarantees": {"cpus": {"value": 2}}, "limits": {"cpus": {"value": 1}, "mem": {"value": 5}}}]"#,
            "400 Invalid QuotaConfig: 'QuotaConfig.guarantees' cpus:2 is not contained within the 'QuotaConfig.limits' cpus:1; mem:5",
        ),
        (r#"[{"role": "q"}, {"role": "q"}]"#, "400 Invalid QuotaConfig: role 'q' is named more than once"),
        (
            r#"[{"role": "q/a", "guarantees": {"cpus": {"value": 2}}}]"#,
            "400 Invalid QuotaConfig: Invalid quota configuration. Parent role 'q' with guarantees ({}) does not contain the sum of its children's guarantees (cpus:2)",
        ),
        (
            r#"[{"role": "q", "limits": {"cpus": {"value": 2}}}, {"role": "q/a", "limits": {"cpus": {"value": 3}}}]"#,
            "400 Invalid QuotaConfig: Invalid quota configuration. Parent role 'q' with limits (cpus:2) does not contain the limit cpus:3 of its child 'q/a'",
        ),
        (
            r#"[{"role": "q", "guarantees": {"cpus": {"value": 1001}}}]"#,
            "400 Invalid QuotaConfig: total quota guarantees 'cpus:1001' exceed cluster capacity 'cpus:1000; mem:100000; disk:100000' (use 'force' flag to bypass this check)",
        ),
    ];
    for (configs, expected) in cases {
        let text = refused(scene.update_quota(configs, false));
        assert!(text.starts_with(expected), "{configs}: {text}");
    }
    assert!(scene.snapshot.quotas.is_empty() && scene.kernel.quotas.is_empty());
    assert_eq!(
        scene.update_quota(r#"[{"role": "q", "guarantees": {"cpus": {"value": 1001}}}]"#, true),
        Reply::Accepted
    );
}

#[test]
fn a_limit_below_what_is_used_needs_force() {
    let mut scene = running();
    let limit = r#"[{"role": "golden", "limits": {"cpus": {"value": 0.25}}}]"#;
    let text = refused(scene.update_quota(limit, false));
    assert_eq!(
        text,
        "400 Invalid QuotaConfig: Role 'golden' is already consuming 'cpus:0.5; mem:64'; this is more than the requested limits \
         'cpus:0.25' (use 'force' flag to bypass this check)"
    );
    assert_eq!(scene.update_quota(limit, true), Reply::Accepted);
}

#[test]
fn the_old_notation_sets_once_and_removes() {
    let mut scene = stage();
    let cpus = |force: bool, value: u32| {
        format!(
            r#"{{"role": "q1", "force": {force}, "guarantee": [{{"name": "cpus", "type": "SCALAR", "scalar": {{"value": {value}}}}}]}}"#
        )
    };
    let text = refused(scene.set_quota(&cpus(false, 1001)));
    assert!(
        text.starts_with("409 Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota"),
        "{text}"
    );
    assert_eq!(scene.set_quota(&cpus(true, 1001)), Reply::Accepted);
    let text = refused(scene.set_quota(&cpus(true, 1)));
    assert_eq!(
        text,
        "400 Failed to validate set quota request: Cannot set quota for role 'q1' which already has quota"
    );
    let config: &QuotaConfig = &scene.snapshot.quotas["q1"];
    assert_eq!(config.guarantees, config.limits);
    assert_eq!(scene.remove_quota("q1"), Reply::Accepted);
    assert_eq!(
        scene.remove_quota("q1"),
        Reply::Refused(Refusal::Invalid("Failed to remove quota: Role 'q1' has no quota set".into()))
    );
    assert!(scene.snapshot.quotas.is_empty());
}

#[test]
fn a_parent_whose_guarantee_children_need_cannot_be_removed() {
    let mut scene = stage();
    let tree = r#"[{"role": "q", "guarantees": {"cpus": {"value": 4}}}, {"role": "q/a", "guarantees": {"cpus": {"value": 3}}}]"#;
    assert_eq!(scene.update_quota(tree, false), Reply::Accepted);
    let text = refused(scene.remove_quota("q"));
    assert!(text.starts_with("400 Failed to remove quota: Invalid quota configuration. Parent role 'q'"), "{text}");
    assert_eq!(scene.remove_quota("q/a"), Reply::Accepted);
    assert_eq!(scene.remove_quota("q"), Reply::Accepted);
}

#[test]
fn weights_are_positive_and_take_offers_back() {
    let mut scene = stage();
    let text = refused(scene.update_weight("golden", 0.0));
    assert_eq!(
        text,
        "400 Failed to validate update weights request JSON for role 'golden': Invalid weight '0': Weights must be positive"
    );
    assert_eq!(scene.update_weight("elsewhere", 3.0), Reply::Accepted);
    assert_eq!(scene.said(), "", "nobody is in that role");
    assert_eq!(scene.update_weight("golden", 2.0), Reply::Accepted);
    assert_eq!(scene.said(), "s1 RESCIND m1-O0\ns1 OFFERS m1-O1");
    assert_eq!(scene.snapshot.weights, [("elsewhere".to_owned(), 3.0), ("golden".to_owned(), 2.0)].into());
}

#[test]
fn a_new_leader_knows_quotas_and_weights() {
    let mut scene = stage();
    let limit = r#"[{"role": "golden", "limits": {"cpus": {"value": 2}}}]"#;
    assert_eq!(scene.update_quota(limit, false), Reply::Accepted);
    assert_eq!(scene.update_weight("golden", 2.0), Reply::Accepted);
    let before = scene.kernel.quotas.clone();
    scene.fail_over();
    assert_eq!(scene.kernel.quotas, before);
    assert_eq!(scene.kernel.weights, [("golden".to_owned(), 2.0)].into());
}
