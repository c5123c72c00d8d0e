use std::fmt::Write;
use std::sync::Arc;

use attica_core_api::v1::TaskState;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::lb::fixtures::{app, at, id, instance, instance_id};
use crate::model::TaskIdentity;

/// A table of these apps, as of event 1.
fn table(groups: Groups, apps: Vec<App>) -> Table {
    let mut table = Table::new(groups);
    table.apply(Input::Listed { position: at(1), apps });
    table
}

fn event(table: &mut Table, position: i64, event: Event) {
    table.apply(Input::Event { position: at(position), event });
}

/// Everything that a route table says, in words.
fn words(routes: &RouteTable) -> String {
    let mut out = String::new();
    let mut hosts: Vec<_> = routes.names.hosts.iter().collect();
    hosts.sort_unstable_by_key(|(host, _)| *host);
    for (host, paths) in hosts {
        for route in paths {
            writeln!(out, "{host}{} -> {}", route.prefix.as_deref().unwrap_or(""), routes.service(route.service).id)
                .unwrap();
        }
    }
    for (port, route) in &routes.names.ports {
        writeln!(out, ":{port} {:?} -> {}", route.mode, routes.service(route.service).id).unwrap();
    }
    for service in &routes.services {
        let backends: Vec<u16> = service.backends.iter().map(|backend| backend.port).collect();
        let withheld = if service.withheld.is_some() { " withheld" } else { "" };
        writeln!(out, "{} {:?} {:?}{withheld} {backends:?}", service.id, service.balance, service.session).unwrap();
    }
    for remark in &routes.names.remarks {
        writeln!(out, "# {}: {}", remark.app, remark.text).unwrap();
    }
    out
}

fn check(groups: Groups, apps: Vec<App>, expected: &Expect) {
    expected.assert_eq(&words(&table(groups, apps).routes()));
}

#[test]
fn labels_say_how_an_app_is_reached() {
    let shop = app(
        "/shop/web",
        &[
            ("HAPROXY_GROUP", "external, internal"),
            ("HAPROXY_0_VHOST", "Shop.Example.org,www.example.org, shop.example.org"),
            ("HAPROXY_0_BALANCE", "leastconn"),
            ("HAPROXY_0_STICKY", "true"),
            ("HAPROXY_1_MODE", "http"),
            ("HAPROXY_1_PORT", "9999"),
            ("HAPROXY_1_BALANCE", "source"),
            ("HAPROXY_2_ENABLED", "false"),
        ],
        &[10_001, 10_002, 10_003],
        vec![instance("/shop/web", 1, &[31_000, 31_001, 31_002])],
    );
    let api = app(
        "/shop/api",
        &[("HAPROXY_GROUP", "external"), ("HAPROXY_0_VHOST", "shop.example.org"), ("HAPROXY_0_PATH", "/api")],
        &[10_010],
        vec![instance("/shop/api", 1, &[31_010])],
    );
    let newer_api = app(
        "/shop/api2",
        &[("HAPROXY_GROUP", "external"), ("HAPROXY_0_VHOST", "shop.example.org"), ("HAPROXY_0_PATH", "/api/v2")],
        &[10_011],
        Vec::new(),
    );
    check(
        Groups::All,
        vec![shop, api, newer_api],
        &expect![[r#"
        shop.example.org/api/v2 -> shop_api2_0
        shop.example.org/api -> shop_api_0
        shop.example.org -> shop_web_0
        www.example.org -> shop_web_0
        :9999 Http -> shop_web_1
        :10001 Http -> shop_web_0
        :10010 Http -> shop_api_0
        :10011 Http -> shop_api2_0
        shop_api_0 RoundRobin Free [31010]
        shop_api2_0 RoundRobin Free []
        shop_web_0 LeastConnections Sticky [31000]
        shop_web_1 Source Free [31001]
    "#]],
    );
}

#[test]
fn an_app_in_no_group_is_reached_by_its_service_port_only() {
    let mut required = app("/required", &[], &[10_002], Vec::new());
    required.host_ports = HostPorts::Required;
    let apps = || {
        vec![
            app("/bare", &[("HAPROXY_0_VHOST", "bare.example.org")], &[10_001], Vec::new()),
            app(
                "/named",
                &[("HAPROXY_GROUP", "internal"), ("HAPROXY_0_VHOST", "named.example.org")],
                &[10_003],
                Vec::new(),
            ),
            required.clone(),
        ]
    };
    check(
        Groups::All,
        apps(),
        &expect![[r#"
        named.example.org -> named_0
        :10001 Tcp -> bare_0
        :10003 Http -> named_0
        bare_0 RoundRobin Free []
        named_0 RoundRobin Free []
        required_0 RoundRobin Free []
    "#]],
    );
    check(
        Groups::of(&["internal".to_owned()]),
        apps(),
        &expect![[r#"
        named.example.org -> named_0
        :10003 Http -> named_0
        named_0 RoundRobin Free []
    "#]],
    );
    check(Groups::of(&["external".to_owned()]), apps(), &expect![""]);
    assert_eq!(Groups::of(&["external".to_owned(), "*".to_owned()]), Groups::All);
}

#[test]
fn a_group_of_a_port_stands_before_that_of_the_app() {
    let labels = [("HAPROXY_GROUP", "internal"), ("HAPROXY_1_GROUP", "external"), ("HAPROXY_1_VHOST", "b.example.org")];
    check(
        Groups::of(&["external".to_owned()]),
        vec![app("/a", &labels, &[10_001, 10_002], Vec::new())],
        &expect![[r#"
        b.example.org -> a_1
        :10002 Http -> a_1
        a_1 RoundRobin Free []
    "#]],
    );
}

#[test]
fn what_is_not_obeyed_is_said_and_what_restricts_is_not_served() {
    let labels = [
        ("HAPROXY_GROUP", "external"),
        ("HAPROXY_0_VHOST", "good.example.org,evil.example.org\n  server x,*.example.org,a b"),
        ("HAPROXY_0_PATH", "/a b"),
        ("HAPROXY_0_PORT", "65536"),
        ("HAPROXY_0_MODE", "health"),
        ("HAPROXY_0_BALANCE", "first\nbind *:1"),
        ("HAPROXY_0_AUTH", "realm:user:hash"),
        ("HAPROXY_0_BACKEND_HEAD", "backend x"),
        ("HAPROXY_7_VHOST", "seven.example.org"),
        ("HAPROXY_HTTP_FRONTEND_HEAD", "frontend"),
        ("HAPROXY_\nX", ""),
    ];
    let other = app("/b", &[], &[10_001], Vec::new());
    check(
        Groups::All,
        vec![app("/a", &labels, &[10_001], vec![instance("/a", 1, &[31_000])]), other],
        &expect![[r#"
        good.example.org -> a_0
        :10001 Http -> a_0
        a_0 RoundRobin Free withheld [31000]
        b_0 RoundRobin Free []
        # /a: HAPROXY_\nX is not obeyed
        # /a: HAPROXY_n_AUTH asks for a password, which this load balancer cannot check: the port is not served
        # /a: HAPROXY_0_BACKEND_HEAD is not obeyed
        # /a: HAPROXY_7_VHOST is about a port that the app does not have
        # /a: HAPROXY_HTTP_FRONTEND_HEAD is not obeyed
        # /a: HAPROXY_0_PORT is no number that is possible here
        # /a: HAPROXY_0_VHOST holds something that is no host name
        # /a: HAPROXY_0_VHOST holds something that is no host name
        # /a: HAPROXY_0_VHOST holds something that is no host name
        # /a: HAPROXY_0_PATH is no path
        # /a: HAPROXY_0_BALANCE is none of roundrobin, leastconn and source; roundrobin is used
        # /b: service port 10001 belongs to another app already
    "#]],
    );
}

/// A table with one instance of `/a` in this state and health.
fn with_instance(checks: Checks, state: TaskState, healthy: Option<bool>) -> Table {
    let mut a = app("/a", &[], &[10_001], vec![Instance { state, healthy, ..instance("/a", 1, &[31_000]) }]);
    a.checks = checks;
    table(Groups::All, vec![a])
}

fn serves(table: &mut Table) -> bool {
    table.routes().routes_to(&instance_id("/a", 1))
}

#[test]
fn only_what_runs_and_is_healthy_serves() {
    use TaskState::{Killing, Lost, Running, Staging, Starting, Unreachable};
    for (checks, state, healthy, expected) in [
        (Checks::None, Running, None, true),
        (Checks::None, Unreachable, None, true),
        (Checks::None, Lost, None, true),
        (Checks::None, Staging, None, false),
        (Checks::None, Starting, None, false),
        (Checks::None, Killing, None, false),
        (Checks::None, Running, Some(false), false),
        (Checks::Some, Running, None, false),
        (Checks::Some, Running, Some(false), false),
        (Checks::Some, Running, Some(true), true),
        (Checks::Some, Killing, Some(true), false),
    ] {
        assert_eq!(serves(&mut with_instance(checks, state, healthy)), expected, "{checks:?} {state:?} {healthy:?}");
    }
}

#[test]
fn events_change_who_serves() {
    let mut table = with_instance(Checks::Some, TaskState::Running, None);
    let task = |state| Event::Task(Instance { state, ..instance("/a", 1, &[31_000]) });
    let health = |healthy| Event::Health { instance: instance_id("/a", 1), healthy };
    let steps = [
        (health(Some(true)), true),
        (health(Some(false)), false),
        (health(Some(true)), true),
        (task(TaskState::Unreachable), true),
        (task(TaskState::Running), true),
        (health(None), false),
        (health(Some(true)), true),
        (task(TaskState::Failed), false),
        // Its next task has no health yet.
        (Event::Task(next_incarnation(TaskState::Running)), false),
        (health(Some(true)), true),
        // What is late about the task before is not about this one.
        (task(TaskState::Killed), true),
        (task(TaskState::Running), true),
        (Event::Gone(instance_id("/a", 1)), false),
    ];
    for (number, (step, expected)) in (2..).zip(steps) {
        event(&mut table, number, step.clone());
        assert_eq!(serves(&mut table), expected, "after {step:?}");
    }
}

fn next_incarnation(state: TaskState) -> Instance {
    let mut next = Instance { state, ..instance("/a", 1, &[31_001]) };
    next.task.incarnation = 2;
    next
}

#[test]
fn instances_of_a_version_before_keep_its_checks() {
    let mut table = with_instance(Checks::None, TaskState::Running, None);
    let mut checked = app("/a", &[], &[10_001], vec![instance("/a", 1, &[31_000]), new_version(2)]);
    (checked.version, checked.checks) = ("v2".into(), Checks::Some);
    table.apply(Input::Read { position: at(5), id: id("/a"), app: Some(checked) });
    let routes = table.routes();
    assert!(routes.routes_to(&instance_id("/a", 1)), "it never had a check");
    assert!(!routes.routes_to(&instance_id("/a", 2)), "its check has not passed");
}

fn new_version(number: u128) -> Instance {
    Instance { version: "v2".into(), ..instance("/a", number, &[31_002]) }
}

#[test]
fn a_drain_ends_routes_at_once_and_is_acknowledged_when_nothing_is_in_progress() {
    let mut table = with_instance(Checks::None, TaskState::Running, None);
    event(&mut table, 5, Event::Other);
    event(&mut table, 7, Event::Draining(instance_id("/a", 1)));
    assert_eq!(table.acknowledgeable(|_| false), at(0), "no routes were taken into use");
    assert!(!serves(&mut table));
    event(&mut table, 8, Event::Other);
    assert_eq!(table.acknowledgeable(|_| false), at(7), "the latest routes are those as of 7");
    table.routes();
    assert_eq!(table.acknowledgeable(|_| true), at(5), "not beyond what came before the drain");
    assert_eq!(table.acknowledgeable(|_| false), at(8));

    // A task that was sentenced while it started reports later that it runs; a list shows it as one that is being killed.
    event(&mut table, 9, Event::Task(instance("/a", 1, &[31_000])));
    assert!(!serves(&mut table));
    let killing = Instance { state: TaskState::Killing, ..instance("/a", 1, &[31_000]) };
    let read = app("/a", &[], &[10_001], vec![killing.clone()]);
    table.apply(Input::Read { position: at(10), id: id("/a"), app: Some(read) });
    event(&mut table, 11, Event::Task(instance("/a", 1, &[31_000])));
    assert!(!serves(&mut table));
    assert_eq!(table.acknowledgeable(|_| true), at(5), "a list does not end a drain");

    event(&mut table, 12, Event::Task(killing));
    table.routes();
    assert_eq!(table.acknowledgeable(|_| true), at(12), "its kill is under way");
    event(&mut table, 13, Event::Task(next_incarnation(TaskState::Running)));
    assert!(serves(&mut table), "another task of the same instance");
}

#[test]
fn a_drain_before_the_task_was_up_holds_when_it_comes_up() {
    let mut table = with_instance(Checks::None, TaskState::Staging, None);
    event(&mut table, 7, Event::Draining(instance_id("/a", 1)));
    for (position, state) in [(8, TaskState::Starting), (9, TaskState::Running)] {
        event(&mut table, position, Event::Task(Instance { state, ..instance("/a", 1, &[31_000]) }));
        assert!(!serves(&mut table), "{state:?}");
    }
}

#[test]
fn what_a_list_contains_is_not_folded_again() {
    let mut table = with_instance(Checks::None, TaskState::Running, None);
    let read = app("/a", &[], &[10_001], vec![instance("/a", 1, &[31_000])]);
    table.apply(Input::Read { position: at(20), id: id("/a"), app: Some(read.clone()) });
    event(&mut table, 15, Event::Gone(instance_id("/a", 1)));
    assert!(serves(&mut table));
    let older = App { instances: Vec::new(), ..read };
    table.apply(Input::Read { position: at(19), id: id("/a"), app: Some(older) });
    assert!(serves(&mut table), "an older answer does not replace a newer one");
}

#[test]
fn definitions_are_read_again_until_an_answer_contains_the_change() {
    let mut table = with_instance(Checks::None, TaskState::Running, None);
    event(&mut table, 5, Event::Defined(vec![id("/a"), id("/new")]));
    event(&mut table, 6, Event::Task(instance("/unknown", 1, &[31_000])));
    let outdated: Vec<&str> = table.outdated().keys().map(RunSpecId::as_str).collect();
    assert_eq!(outdated, ["/a", "/new", "/unknown"]);
    table.apply(Input::Read { position: at(4), id: id("/a"), app: None });
    table.apply(Input::Read { position: at(5), id: id("/new"), app: Some(app("/new", &[], &[10_002], Vec::new())) });
    table.apply(Input::Read { position: at(6), id: id("/unknown"), app: None });
    let outdated: Vec<&str> = table.outdated().keys().map(RunSpecId::as_str).collect();
    assert_eq!(outdated, ["/a"]);
    assert!(table.routes().by_port(10_002).is_some());
    table.apply(Input::Read { position: at(7), id: id("/new"), app: None });
    assert!(table.routes().by_port(10_002).is_none());
}

#[test]
fn only_what_changed_is_made_anew() {
    let apps = ["/a", "/b", "/c"].map(|id| app(id, &[], &[10_001], vec![instance(id, 1, &[31_000])]));
    let mut table = table(Groups::All, apps.to_vec());
    let before = table.routes();
    event(&mut table, 2, Event::Other);
    event(&mut table, 3, Event::Task(instance("/b", 1, &[31_000])));
    assert!(Arc::ptr_eq(&before, &table.routes()), "nothing changed");
    event(&mut table, 4, Event::Gone(instance_id("/b", 1)));
    let after = table.routes();
    assert!(Arc::ptr_eq(&before.names, &after.names));
    let same: Vec<bool> =
        before.services.iter().zip(&after.services).map(|(one, other)| Arc::ptr_eq(one, other)).collect();
    assert_eq!(same, [true, false, true]);
    event(&mut table, 5, Event::Task(instance("/a", 2, &[31_001])));
    let more = table.routes();
    assert!(
        Arc::ptr_eq(&before.services[0].backends[0], &more.services[0].backends[0]),
        "a backend that stays is the same one"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Task { app: usize, number: u128, incarnation: u32, state: TaskState },
    Health { app: usize, number: u128, healthy: Option<bool> },
    Gone { app: usize, number: u128 },
    Draining { app: usize, number: u128 },
    Read { app: usize, present: bool, labelled: bool, numbers: Vec<u128> },
    List,
    Use,
}

const APPS: [&str; 2] = ["/a", "/b"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states = [TaskState::Staging, TaskState::Running, TaskState::Running, TaskState::Killing, TaskState::Killed];
    let (apps, numbers) = (0..APPS.len(), 0..3_u128);
    let health = prop::sample::select(vec![None, Some(false), Some(true)]);
    let step = prop_oneof![
        4 => (apps.clone(), numbers.clone(), 1..4_u32, prop::sample::select(states.to_vec()))
            .prop_map(|(app, number, incarnation, state)| Step::Task { app, number, incarnation, state }),
        2 => (apps.clone(), numbers.clone(), health).prop_map(|(app, number, healthy)| Step::Health { app, number, healthy }),
        1 => (apps.clone(), numbers.clone()).prop_map(|(app, number)| Step::Gone { app, number }),
        2 => (apps.clone(), numbers.clone()).prop_map(|(app, number)| Step::Draining { app, number }),
        1 => (apps, prop::bool::weighted(0.8), prop::bool::ANY, prop::collection::vec(numbers, 0..3))
            .prop_map(|(app, present, labelled, numbers)| Step::Read { app, present, labelled, numbers }),
        1 => Just(Step::List),
        3 => Just(Step::Use),
    ];
    prop::collection::vec(step, 1..40)
}

fn read_app(index: usize, labelled: bool, numbers: &[u128]) -> App {
    let labels: &[(&str, &str)] =
        if labelled { &[("HAPROXY_GROUP", "external"), ("HAPROXY_0_VHOST", "example.org")] } else { &[] };
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let instances = numbers.iter().map(|number| instance(APPS[index], *number, &[31_000])).collect();
    app(APPS[index], labels, &[10_001], instances)
}

fn step_event(step: &Step) -> Option<Event> {
    let of = |app: usize, number: u128| instance_id(APPS[app], number);
    Some(match *step {
        Step::Task { app, number, incarnation, state } => {
            let mut task = Instance { state, ..instance(APPS[app], number, &[31_000]) };
            task.task.incarnation = incarnation;
            Event::Task(task)
        }
        Step::Health { app, number, healthy } => Event::Health { instance: of(app, number), healthy },
        Step::Gone { app, number } => Event::Gone(of(app, number)),
        Step::Draining { app, number } => Event::Draining(of(app, number)),
        Step::Read { .. } | Step::List | Step::Use => return None,
    })
}

/// Makes all routes from nothing.
fn from_scratch(table: &mut Table) -> Arc<RouteTable> {
    table.pending = Pending::Names;
    table.apps.values_mut().for_each(|app| app.services = None);
    table.routes()
}

proptest! {
    /// Whatever comes in whatever order: routes that were kept up to date are those that are made from nothing.
    #[test]
    fn routes_kept_up_to_date_are_routes_made_anew(steps in steps()) {
        let mut kept = table(Groups::All, vec![read_app(0, true, &[0, 1]), read_app(1, false, &[2])]);
        let mut anew = table(Groups::All, vec![read_app(0, true, &[0, 1]), read_app(1, false, &[2])]);
        for (position, step) in (2..).zip(&steps) {
            for table in [&mut kept, &mut anew] {
                take(table, position, step);
            }
            if matches!(step, Step::Use) {
                prop_assert_eq!(words(&kept.routes()), words(&from_scratch(&mut anew)));
            }
        }
    }

    /// I11: no route leads to a task whose drain was acknowledged, whatever follows.
    #[test]
    fn nothing_is_routed_to_what_was_let_go(steps in steps()) {
        let mut table = table(Groups::All, vec![read_app(0, true, &[0, 1]), read_app(1, false, &[2])]);
        let mut routes = table.routes();
        let mut drained = Vec::new();
        let mut acknowledged = at(0);
        // The service layer reads apps such that a sentenced task is one that is being killed.
        let reads = |step: &Step| matches!(step, Step::Read { .. } | Step::List);
        for (position, step) in (2..).zip(steps.iter().filter(|step| !reads(step))) {
            if let Some(Event::Draining(instance)) = step_event(step) {
                let tasks = table.routes().services.iter().flat_map(|service| &service.backends)
                    .filter(|backend| backend.task.instance == instance).map(|backend| backend.task.clone()).collect::<Vec<_>>();
                drained.extend(tasks.into_iter().map(|task| (at(position), task)));
            }
            // What has ended is final: nothing true is said about that task afterwards.
            if let Step::Task { app, number, state: TaskState::Killed, .. } | Step::Gone { app, number } = *step {
                drained.retain(|(_, task): &(EventId, TaskIdentity)| task.instance != instance_id(APPS[app], number));
            }
            take(&mut table, position, step);
            if matches!(step, Step::Use) {
                routes = table.routes();
                acknowledged = acknowledged.max(table.acknowledgeable(|_| false));
            }
            let in_use = |task: &TaskIdentity| {
                routes.services.iter().flat_map(|service| &service.backends).any(|backend| backend.task == *task)
            };
            for (since, task) in &drained {
                prop_assert!(*since > acknowledged || !in_use(task), "{task} was let go of at {since}");
            }
        }
    }
}

fn take(table: &mut Table, position: i64, step: &Step) {
    match step {
        Step::Read { app, present, labelled, numbers } => {
            let app_read = present.then(|| read_app(*app, *labelled, numbers));
            table.apply(Input::Read { position: at(position), id: id(APPS[*app]), app: app_read });
        }
        Step::List => {
            let apps = vec![read_app(0, false, &[0]), read_app(1, true, &[1, 2])];
            table.apply(Input::Listed { position: at(position), apps });
        }
        Step::Use => {}
        Step::Task { .. } | Step::Health { .. } | Step::Gone { .. } | Step::Draining { .. } => {
            if let Some(event) = step_event(step) {
                table.apply(Input::Event { position: at(position), event });
            }
        }
    }
}
