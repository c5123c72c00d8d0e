mod containers;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use attica_core_api::v1::{
    AgentId, Attribute, DomainInfo, DurationInfo, FaultDomain, Offer, OfferId, Range, Ranges, RegionInfo,
    ReservationInfo, Resource, Scalar, Set, TaskId, Text, TimeInfo, Unavailability, ValueType, ZoneInfo,
};
use attica_core_api::{Scalar as Quantity, Timestamp};
use expect_test::expect;
use proptest::prelude::*;

use super::attributes::agent_of;
use super::*;
use crate::engine::AcceptedByDefault;
use crate::model::{
    Agent, CheckKind, CheckedPort, Constraint, Endpoint, FieldName, HealthCheck, IpFamily, Operator, PortChoice,
    PortDefinition, Protocol, RunSpec, RunSpecId, RunSpecUpdate, Scheme,
};

fn run_spec(update: RunSpecUpdate) -> RunSpec {
    let update = RunSpecUpdate { cmd: Some("serve".into()), ..update };
    let mut run_spec = update.apply(None, &RunSpecId::parse("/shop/web").unwrap(), "*").unwrap();
    run_spec.ports.iter_mut().filter(|definition| definition.port == 0).for_each(|definition| definition.port = 10_000);
    run_spec
}

fn on(attributes: &[(&str, &str)]) -> Agent {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Agent { id: AgentId::from("a"), hostname: "h".into(), attributes: attributes.collect(), domain: None }
}

fn rack(number: u32) -> Agent {
    on(&[("rack", &format!("rack-{number}"))])
}

fn judge(operator: Operator, instances: u32, placed: &[Agent], agent: &Agent) -> bool {
    let constraint = Constraint { field: FieldName::parse("rack"), operator };
    Ledger::new(&[constraint], instances, placed).judge(agent) == Verdict::Accepted
}

#[test]
fn operators_accept_what_they_say() {
    let bare = on(&[]);
    let text = |value: &str| value.to_owned();
    for (operator, placed, agent, accepted) in [
        (Operator::Unique, vec![rack(1)], rack(2), true),
        (Operator::Unique, vec![rack(1)], rack(1), false),
        (Operator::Unique, vec![], bare.clone(), false),
        (Operator::Cluster(None), vec![], rack(7), true),
        (Operator::Cluster(None), vec![rack(1)], rack(1), true),
        (Operator::Cluster(None), vec![rack(1)], rack(2), false),
        (Operator::Cluster(None), vec![], bare.clone(), false),
        (Operator::Cluster(Some(text("rack-1"))), vec![], rack(1), true),
        (Operator::Cluster(Some(text("rack-1"))), vec![], rack(2), false),
        (Operator::MaxPer(2), vec![rack(1)], rack(1), true),
        (Operator::MaxPer(2), vec![rack(1), rack(1)], rack(1), false),
        (Operator::Like(text("rack-[12]")), vec![], rack(2), true),
        (Operator::Like(text("rack-[12]")), vec![], rack(22), false),
        (Operator::Like(text("a|rack-1")), vec![], rack(1), true),
        (Operator::Like(text("rack")), vec![], bare.clone(), false),
        (Operator::Unlike(text("rack-1")), vec![], rack(1), false),
        (Operator::Unlike(text("rack-1")), vec![], rack(11), true),
        (Operator::Unlike(text("rack-1")), vec![], bare.clone(), true),
        (Operator::Is(text("rack-1")), vec![], rack(1), true),
        (Operator::Is(text("rack-1")), vec![], rack(2), false),
        (Operator::Is(text("1.0004")), vec![], on(&[("rack", "1")]), true),
        (Operator::GroupBy(None), vec![], bare, false),
    ] {
        assert_eq!(judge(operator.clone(), 4, &placed, &agent), accepted, "{operator:?} with {placed:?} on {agent:?}");
    }
}

#[test]
fn groups_fill_by_the_rule_with_a_number() {
    // Four over two groups: each takes two, whichever comes first.
    assert!(judge(Operator::GroupBy(Some(2)), 4, &[rack(1)], &rack(1)));
    assert!(!judge(Operator::GroupBy(Some(2)), 4, &[rack(1), rack(1)], &rack(1)));
    // Five: one of them takes the odd one.
    assert!(judge(Operator::GroupBy(Some(2)), 5, &[rack(1), rack(1)], &rack(1)));
    assert!(!judge(Operator::GroupBy(Some(2)), 5, &[rack(1), rack(1), rack(1)], &rack(1)));
    // There are no more than two.
    assert!(!judge(Operator::GroupBy(Some(2)), 4, &[rack(1), rack(2)], &rack(3)));
    // One more than wanted, as in a restart, still finds a place.
    assert!(judge(Operator::GroupBy(Some(2)), 2, &[rack(1), rack(2)], &rack(1)));
}

#[test]
fn groups_stay_even_by_the_rule_without_a_number() {
    assert!(judge(Operator::GroupBy(None), 9, &[rack(1), rack(1)], &rack(2)));
    assert!(!judge(Operator::GroupBy(None), 9, &[rack(1), rack(1), rack(2)], &rack(1)));
    assert!(judge(Operator::GroupBy(None), 9, &[rack(1), rack(2)], &rack(1)));
}

#[test]
fn attributes_become_text() {
    let attribute = |name: &str, r#type| Attribute { name: name.into(), r#type, ..Attribute::default() };
    let scalar = |name, value| Attribute { scalar: Some(Scalar { value }), ..attribute(name, ValueType::Scalar) };
    let range = |begin, end| Range { begin, end };
    let offer = Offer {
        attributes: vec![
            Attribute { text: Some(Text { value: "r1".into() }), ..attribute("rack", ValueType::Text) },
            scalar("whole", 1.0),
            scalar("even", 0.0625),
            scalar("half", 0.5),
            Attribute {
                ranges: Some(Ranges { range: vec![range(5, 9), range(1, 3)] }),
                ..attribute("ranges", ValueType::Ranges)
            },
            Attribute { set: Some(Set { item: vec!["b".into(), "a".into()] }), ..attribute("set", ValueType::Set) },
            attribute("empty", ValueType::Text),
        ],
        ..Offer::default()
    };
    let attributes: Vec<String> =
        agent_of(&offer).attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(attributes, ["even=0.062", "half=0.5", "rack=r1", "ranges=[1-3,5-9]", "set={a,b}", "whole=1"]);
}

fn scalar(name: &str, value: f64, role: Option<&str>) -> Resource {
    let reservation = |role: &str| ReservationInfo { role: Some(role.into()), ..ReservationInfo::default() };
    Resource {
        name: name.into(),
        r#type: ValueType::Scalar,
        scalar: Some(Scalar { value }),
        reservations: role.map(reservation).into_iter().collect(),
        ..Resource::default()
    }
}

fn ports(begin: u64, end: u64) -> Resource {
    let ranges = Ranges { range: vec![Range { begin, end }] };
    Resource { name: "ports".into(), r#type: ValueType::Ranges, ranges: Some(ranges), ..Resource::default() }
}

fn offer(number: usize, cpus: f64, ports_end: u64) -> Offer {
    Offer {
        id: OfferId::from(format!("o{number}")),
        agent_id: AgentId::from(format!("a{number}")),
        hostname: format!("h{number}"),
        resources: vec![scalar("cpus", cpus, None), scalar("mem", 1_024.0, None), ports(31_000, ports_end)],
        ..Offer::default()
    }
}

fn order(run_spec: &RunSpec, wanted: usize) -> Order<'_> {
    Order {
        run_spec,
        wanted,
        per_offer_max: 100,
        placed: Vec::new(),
        random: 5,
        home_region: Some("home"),
        secrets_key: None,
        accepted_by_default: AcceptedByDefault::Any,
        gpu_scheduling: GpuScheduling::Restricted,
        now: Timestamp(1_000),
        draining_ms: 10,
    }
}

#[test]
fn reserved_resources_are_used_when_accepted_and_first() {
    let mut resources =
        vec![scalar("cpus", 1.0, Some("web")), scalar("cpus", 1.0, None), scalar("mem", 500.0, None), ports(1, 9)];
    resources.push(Resource { disk: Some(Box::default()), ..scalar("disk", 10.0, None) });
    let offer = Offer { resources, ..offer(1, 0.0, 0) };
    let cpus = Quantity::from_thousandths(1_500).ok();
    let of_web = Some("web".to_owned());
    let needy = run_spec(RunSpecUpdate { cpus, role: of_web, ..RunSpecUpdate::default() });
    let placed = place(&order(&needy, 1), &mut Stock::new(vec![offer.clone()])).placed.remove(0);
    let used: Vec<(&str, Option<f64>, usize)> = placed.shares[0]
        .iter()
        .map(|resource| {
            (resource.name.as_str(), resource.scalar.as_ref().map(|scalar| scalar.value), resource.reservations.len())
        })
        .collect();
    assert_eq!(used, [("cpus", Some(1.0), 1), ("cpus", Some(0.5), 0), ("mem", Some(128.0), 0), ("ports", None, 0)]);
    let reasons = |roles: &[&str]| {
        let roles = Some(roles.iter().map(|role| (*role).to_owned()).collect());
        let run_spec = run_spec(RunSpecUpdate { accepted_resource_roles: roles, cpus, ..RunSpecUpdate::default() });
        place(&order(&run_spec, 1), &mut Stock::new(vec![offer.clone()])).rejected.remove(0).reasons
    };
    assert_eq!(reasons(&["*"]), [RejectReason::InsufficientCpus]);
    // What is reserved for others is not even looked at by who does not say.
    let foreign = run_spec(RunSpecUpdate { cpus, ..RunSpecUpdate::default() });
    let rejected = place(&order(&foreign, 1), &mut Stock::new(vec![offer.clone()])).rejected.remove(0);
    assert_eq!(rejected.reasons, [RejectReason::InsufficientCpus]);
    assert_eq!(
        reasons(&["web"]),
        [RejectReason::InsufficientCpus, RejectReason::InsufficientMemory, RejectReason::InsufficientPorts]
    );
    assert_eq!(reasons(&["other"]), [RejectReason::UnfulfilledRole]);
}

#[test]
fn instances_are_spread() {
    let small = run_spec(RunSpecUpdate::default());
    let mut stock = Stock::new((0..4).map(|number| offer(number, 8.0, 31_099)).collect());
    let outcome =
        place(&Order { placed: vec![Arc::clone(&stock.candidates[2].agent)], ..order(&small, 7) }, &mut stock);
    let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
    outcome.placed.iter().for_each(|placed| *counts.entry(placed.candidate).or_default() += 1);
    assert_eq!(counts, BTreeMap::from([(0, 2), (1, 2), (2, 1), (3, 2)]));
}

#[test]
fn the_funnel_counts_each_offer_once() {
    let mut rejections = Rejections::default();
    rejections.used();
    rejections.rejected(RejectReason::UnfulfilledConstraint);
    rejections.rejected(RejectReason::InsufficientCpus);
    rejections.rejected(RejectReason::InsufficientPorts);
    let rows: Vec<(u64, u64)> = rejections.rows().iter().map(|row| (row.declined, row.processed)).collect();
    assert_eq!(rows, [(0, 4), (1, 4), (0, 3), (0, 3), (1, 3), (0, 2), (0, 2), (0, 2), (1, 2), (0, 1)]);
}

#[test]
fn a_task_is_described() {
    let check = |kind, endpoint, port| HealthCheck {
        kind,
        endpoint,
        port,
        grace_period_ms: 5_000,
        interval_ms: 2_000,
        timeout_ms: 1_000,
        max_consecutive_failures: 3,
        delay_ms: 500,
        family: IpFamily::V4,
    };
    let definition = |port, name: &str, protocol, label: &str| PortDefinition {
        mapping: None,
        port,
        choice: PortChoice::User,
        name: Some(name.into()),
        protocol,
        labels: BTreeMap::from([("VIP_0".to_owned(), label.to_owned())]),
    };
    let web = run_spec(RunSpecUpdate {
        env: Some(BTreeMap::from([("HOST".into(), "mine".into()), ("A".into(), "b".into())])),
        labels: Some(BTreeMap::from([("team.name".into(), "shop".into()), ("long".into(), "x".repeat(600))])),
        ports: Some(vec![
            definition(10_001, "http-api", Protocol::Tcp, "/web:80"),
            definition(10_002, "dns", Protocol::UdpTcp, "/dns:53"),
        ]),
        health_checks: Some(vec![
            check(CheckKind::Service, Endpoint::Tcp, CheckedPort::Index(1)),
            check(
                CheckKind::Service,
                Endpoint::Http { scheme: Scheme::Http, path: None, ignore_1xx: true },
                CheckedPort::Index(0),
            ),
            HealthCheck {
                family: IpFamily::V6,
                ..check(
                    CheckKind::Agent,
                    Endpoint::Http { scheme: Scheme::Https, path: Some("/ok".into()), ignore_1xx: false },
                    CheckedPort::Number(443),
                )
            },
        ]),
        kill_grace_period_ms: Some(3_000),
        ..RunSpecUpdate::default()
    });
    let task = task_info(
        &web,
        &Surroundings::default(),
        &TaskId::from("shop_web.instance-x._app.1"),
        &on(&[]),
        &[31_005, 31_006],
        Vec::new(),
    );
    assert_eq!(task.name, "web.shop");
    assert_eq!(task.health_checks.len(), 2);
    let json = String::from_utf8(attica_core_api::encode_json(&task)).unwrap();
    expect![[r#"
        {"name":"web.shop","task_id":{"value":"shop_web.instance-x._app.1"},"agent_id":{"value":"a"},"command":{"environment":{"variables":[{"name":"A","type":"VALUE","value":"b"},
        {"name":"HOST","type":"VALUE","value":"mine"},
        {"name":"MARATHON_APP_ENFORCE_GROUP_ROLE","type":"VALUE","value":"false"},
        {"name":"MARATHON_APP_ID","type":"VALUE","value":"/shop/web"},
        {"name":"MARATHON_APP_LABELS","type":"VALUE","value":"TEAM_NAME"},
        {"name":"MARATHON_APP_LABEL_TEAM_NAME","type":"VALUE","value":"shop"},
        {"name":"MARATHON_APP_RESOURCE_CPUS","type":"VALUE","value":"1.0"},
        {"name":"MARATHON_APP_RESOURCE_DISK","type":"VALUE","value":"0.0"},
        {"name":"MARATHON_APP_RESOURCE_GPUS","type":"VALUE","value":"0"},
        {"name":"MARATHON_APP_RESOURCE_MEM","type":"VALUE","value":"128.0"},
        {"name":"MARATHON_APP_VERSION","type":"VALUE","value":"1970-01-01T00:00:00.000Z"},
        {"name":"MESOS_TASK_ID","type":"VALUE","value":"shop_web.instance-x._app.1"},
        {"name":"PORT","type":"VALUE","value":"31005"},
        {"name":"PORT0","type":"VALUE","value":"31005"},
        {"name":"PORT1","type":"VALUE","value":"31006"},
        {"name":"PORTS","type":"VALUE","value":"31005,31006"},
        {"name":"PORT_10001","type":"VALUE","value":"31005"},
        {"name":"PORT_10002","type":"VALUE","value":"31006"},
        {"name":"PORT_DNS","type":"VALUE","value":"31006"},
        {"name":"PORT_HTTP_API","type":"VALUE","value":"31005"}]},"shell":true,"value":"serve"},"health_check":{"delay_seconds":0.5,"interval_seconds":2.0,"timeout_seconds":1.0,"consecutive_failures":3,"grace_period_seconds":5.0,"type":"HTTP","http":{"protocol":"IPv6","scheme":"https","port":443,"path":"/ok"}},"kill_policy":{"grace_period":{"nanoseconds":3000000000}},"labels":{"labels":[{"key":"long","value":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
        {"key":"team.name","value":"shop"}]},"discovery":{"visibility":"FRAMEWORK","name":"web.shop","ports":{"ports":[{"number":31005,"name":"http-api","protocol":"tcp","labels":{"labels":[{"key":"VIP_0","value":"/web:80"},
        {"key":"network-scope","value":"host"}]}},
        {"number":31006,"name":"dns","protocol":"udp","labels":{"labels":[{"key":"VIP_0","value":"/dns:53"},
        {"key":"network-scope","value":"host"}]}},
        {"number":31006,"name":"dns","protocol":"tcp","labels":{"labels":[{"key":"VIP_0","value":"/dns:53"},
        {"key":"network-scope","value":"host"}]}}]}},"health_checks":[{"delay_seconds":2.0,"interval_seconds":2.0,"timeout_seconds":1.0,"consecutive_failures":3,"grace_period_seconds":5.0,"type":"TCP","tcp":{"protocol":"IPv4","port":31006}},
        {"delay_seconds":2.0,"interval_seconds":2.0,"timeout_seconds":1.0,"consecutive_failures":3,"grace_period_seconds":5.0,"type":"HTTP","http":{"protocol":"IPv4","scheme":"http","port":31005,"path":"/","ignore_1xx":true}}]}"#]].assert_eq(&json.replace("},{", "},\n{"));
}

proptest! {
    #[test]
    fn never_more_than_wanted_and_never_twice_the_same(
        wanted in 0usize..30,
        offers in prop::collection::vec((0u32..6, 0u64..8), 0..8),
        groups in prop::option::of(1u32..4),
        unique in any::<bool>(),
        port_count in 0usize..3,
        random in any::<u64>(),
    ) {
        let operator = if unique { Operator::Unique } else { Operator::GroupBy(groups) };
        let constraints = vec![Constraint { field: FieldName::parse("hostname"), operator }];
        let choice = PortChoice::User;
        let definition =
            PortDefinition { mapping: None, port: 10_000, choice, name: None, protocol: Protocol::Tcp, labels: BTreeMap::new() };
        let run_spec = run_spec(RunSpecUpdate {
            constraints: Some(constraints),
            instances: Some(wanted as u32),
            cpus: Some(Quantity::units(1)),
            ports: Some(vec![definition; port_count]),
            ..RunSpecUpdate::default()
        });
        let given: Vec<Offer> = offers.iter().enumerate()
            .map(|(number, (cpus, ports))| offer(number, f64::from(*cpus), 31_000 + ports)).collect();
        let mut stock = Stock::new(given);
        let outcome = place(&Order { random, ..order(&run_spec, wanted) }, &mut stock);
        prop_assert!(outcome.placed.len() <= wanted);
        let mut taken = BTreeSet::new();
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for placed in &outcome.placed {
            prop_assert_eq!(placed.ports.len(), port_count);
            for port in &placed.ports {
                prop_assert!(taken.insert((placed.candidate, *port)), "port {} twice", port);
                prop_assert!(u64::from(*port) <= 31_000 + offers[placed.candidate].1 && *port >= 31_000);
            }
            *counts.entry(placed.candidate).or_default() += 1;
        }
        for (candidate, count) in &counts {
            prop_assert!(*count <= offers[*candidate].0);
            prop_assert!(!unique || *count == 1);
        }
        if let (false, Some(groups)) = (unique, groups) {
            prop_assert!(counts.len() <= groups as usize);
        }
        let rejected: BTreeSet<usize> = outcome.rejected.iter().map(|rejected| rejected.candidate).collect();
        prop_assert_eq!(rejected.len(), outcome.rejected.len());
        prop_assert!(rejected.iter().all(|candidate| !counts.contains_key(candidate)));
        prop_assert_eq!(outcome.used, counts.len());
    }
}

#[test]
fn agents_of_other_regions_are_for_who_asks_for_regions() {
    let at = |region: &str, zone: &str| Offer {
        domain: Some(DomainInfo {
            fault_domain: Some(FaultDomain {
                region: RegionInfo { name: region.into() },
                zone: ZoneInfo { name: zone.into() },
            }),
        }),
        ..offer(1, 8.0, 31_009)
    };
    let outcome = |constraints: &[(&str, Operator)], offer: Offer| {
        let constraints = constraints
            .iter()
            .map(|(field, operator)| Constraint { field: FieldName::parse(field), operator: operator.clone() });
        let update = RunSpecUpdate { constraints: Some(constraints.collect()), ..RunSpecUpdate::default() };
        let run_spec = run_spec(update);
        let outcome = place(&order(&run_spec, 1), &mut Stock::new(vec![offer]));
        outcome.rejected.first().map(|rejected| rejected.reasons.clone())
    };
    let unfulfilled = Some(vec![RejectReason::UnfulfilledConstraint]);
    assert_eq!(outcome(&[], at("home", "a")), None);
    assert_eq!(outcome(&[], at("abroad", "a")), unfulfilled);
    assert_eq!(outcome(&[("@region", Operator::Is("abroad".into()))], at("abroad", "a")), None);
    assert_eq!(outcome(&[("@region", Operator::Is("abroad".into()))], at("home", "a")), unfulfilled);
    assert_eq!(outcome(&[("@zone", Operator::Like("a|b".into()))], at("home", "b")), None);
    assert_eq!(outcome(&[("@zone", Operator::Unique)], offer(1, 8.0, 31_009)), unfulfilled, "it has no zone");
    let text = Some(Text { value: "b".into() });
    let zone = Attribute { name: "zone".into(), r#type: ValueType::Text, text, ..Attribute::default() };
    let told = || Offer { attributes: vec![zone.clone()], ..offer(1, 8.0, 31_009) };
    assert_eq!(outcome(&[("@zone", Operator::Is("b".into()))], told()), None);
    assert_eq!(outcome(&[("@zone", Operator::Is("a".into()))], told()), unfulfilled);
}

#[test]
fn agents_are_left_alone_while_they_are_maintained() {
    let maintained = |start_ms: i64, duration_ms: Option<u64>| {
        let unavailability = Unavailability {
            start: TimeInfo { nanoseconds: start_ms * 1_000_000 },
            duration: duration_ms.map(DurationInfo::from_milliseconds),
        };
        let offer = Offer { unavailability: Some(unavailability), ..offer(1, 8.0, 31_009) };
        let run_spec = run_spec(RunSpecUpdate::default());
        let outcome = place(&order(&run_spec, 1), &mut Stock::new(vec![offer]));
        outcome.rejected.first().map(|rejected| rejected.reasons.clone())
    };
    let reason = Some(vec![RejectReason::AgentMaintenance]);
    assert_eq!(maintained(1_000, None), reason);
    assert_eq!(maintained(0, Some(1_001)), reason);
    assert_eq!(maintained(0, Some(1_000)), None, "it is over");
    assert_eq!(maintained(1_010, None), reason, "it soon begins");
    assert_eq!(maintained(1_011, None), None, "it has not begun");
}
