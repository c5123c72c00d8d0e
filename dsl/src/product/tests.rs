//! Jobs as apps, and definitions as text.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{Tree, services, write};
use crate::config::lines_of;
use crate::load::{self, Configuration, Options};
use crate::terminal::Colour;

fn read(text: &str) -> Configuration {
    let configuration = load::text_of("job.aurora", None, text, &Options::default());
    assert!(!configuration.has_errors(), "{}", crate::config::findings(&configuration));
    configuration
}

/// Every finding's message of the translation into apps.
fn told(text: &str) -> String {
    let configuration = read(text);
    let found = match services(&configuration) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    let lines = lines_of(&configuration.sources, found.iter());
    let lines = lines.iter().map(|line| line.render(Colour::Hidden));
    lines
        .filter(|line| line.starts_with("error") || line.starts_with("warning") || line.contains("-->"))
        .map(|line| line + "\n")
        .collect()
}

fn job(task: &str, fields: &str) -> String {
    format!(
        "a = Process(name = 'a', cmdline = \"fetch '{{{{thermos.ports[http]}}}}' > x\")\n\
         b = Process(name = 'b', cmdline = 'serve {{{{&x}}}} --on {{{{thermos.ports[health]}}}}')\n\
         r = Resources(cpu = 0.5, ram = 64*MB, disk = 128*MB)\n\
         jobs = [Service(cluster = 'c', role = 'www', environment = 'test', name = 'my_job', task = {task}{fields})]\n"
    )
}

const ONE: &str = "Task(processes = [b], resources = r)";

#[test]
fn a_service_of_several_processes_is_an_app_with_a_graph() {
    let fields = ",
  instances = 4, constraints = {'host': 'limit:2', 'rack': 'a.1,b', 'zone': '!x'}, contact = 'me@example.com', lifecycle = DisableLifecycle,
  metadata = [Metadata(key = 'track', value = 'canary')], partition_policy = PartitionPolicy(delay_secs = 60),
  update_config = UpdateConfig(update_strategy = QueueUpdateStrategy(batch_size = 3)),
  health_check_config = HealthCheckConfig(health_checker = HealthCheckerConfig(http = HttpHealthChecker(expected_response = '')),
                                          max_consecutive_failures = 2)";
    let configuration =
        read(&job("SequentialTask(name = 't', processes = [a, b], resources = r, finalization_wait = 20)", fields));
    let (services, warnings) = services(&configuration).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(
        Json::Object(services[0].definition.clone()),
        json!({
            "id": "/www/test/my-job",
            "processGraph": {
                "processes": [
                    {"name": "a", "cmd": "exec bash -c 'fetch '\\'''\"$PORT1\"''\\'' > x'", "maxFailures": 1, "daemon": false, "ephemeral": false,
                     "final": false, "minDurationSeconds": 5, "logger": "file"},
                    {"name": "b", "cmd": "exec bash -c 'serve {{x}} --on '\"$PORT0\"''", "maxFailures": 1, "daemon": false, "ephemeral": false,
                     "final": false, "minDurationSeconds": 5, "logger": "file"},
                ],
                "orders": [["a", "b"]], "maxFailures": 1, "maxConcurrency": 0, "finalizationWaitSeconds": 20,
            },
            "user": "www", "instances": 4, "cpus": 0.5, "mem": 64, "disk": 128,
            "constraints": [["hostname", "MAX_PER", "2"], ["rack", "LIKE", "a\\.1|b"], ["zone", "UNLIKE", "x"]],
            "portDefinitions": [
                {"port": 0, "protocol": "tcp", "name": "health", "labels": {}}, {"port": 0, "protocol": "tcp", "name": "http", "labels": {}},
            ],
            "requirePorts": false,
            "healthChecks": [{
                "protocol": "HTTP", "path": "/health", "portIndex": 0, "gracePeriodSeconds": 15, "intervalSeconds": 10, "timeoutSeconds": 1,
                "maxConsecutiveFailures": 3,
            }],
            "upgradeStrategy": {"minimumHealthCapacity": 0.25, "maximumOverCapacity": 0},
            "unreachableStrategy": {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 60},
            "taskKillGracePeriodSeconds": 20,
            "labels": {"aurora.contact": "me@example.com", "aurora.job": "c/www/test/my_job", "track": "canary"},
        })
    );
}

#[test]
fn a_service_of_one_plain_process_is_a_command() {
    let definition = |task: &str, fields: &str| {
        let (services, _) = services(&read(&job(task, fields))).unwrap();
        services[0].definition.clone()
    };
    let plain = "Task(processes = [a], resources = r)";
    let alone = definition(plain, "");
    assert!(alone["cmd"].as_str().unwrap().starts_with("exec bash -c 'fetch ") && !alone.contains_key("processGraph"));
    let check = ",
  health_check_config = HealthCheckConfig(health_checker = HealthCheckerConfig(http = HttpHealthChecker(expected_response = '')))";
    let asked = definition(ONE, check);
    assert!(!asked.contains_key("cmd"));
    assert_eq!(
        asked["processGraph"]["lifecycle"],
        json!({"portIndex": 0, "gracefulShutdownPath": "/quitquitquit", "shutdownPath": "/abortabortabort",
               "gracefulShutdownWaitSeconds": 5, "shutdownWaitSeconds": 5})
    );
    let daemon =
        definition("Task(processes = [a(daemon = True, logger = Logger(destination = 'both'))], resources = r)", "");
    let process = &daemon["processGraph"]["processes"][0];
    assert_eq!([&process["daemon"], &process["logger"]], [&json!(true), &json!("both")]);
    for (logger, rotate) in [
        ("Logger(mode = 'rotate')", json!({"sizeBytes": 104_857_600, "backups": 5})),
        (
            "Logger(mode = 'rotate', rotate = RotatePolicy(log_size = 1 * MB))",
            json!({"sizeBytes": 1_048_576, "backups": 5}),
        ),
        ("Logger(rotate = RotatePolicy(backups = 2))", Json::Null),
    ] {
        let rotates = definition(&format!("Task(processes = [a(logger = {logger})], resources = r)"), "");
        let process = rotates.get("processGraph").map(|graph| graph["processes"][0]["rotate"].clone());
        assert_eq!(process.unwrap_or_default(), rotate, "{logger}");
    }
}

#[test]
fn what_only_a_job_engine_can_do_is_refused_by_name() {
    let plain = ONE.replace('b', "Process(name = 'p', cmdline = 'true')");
    let fields = [
        "cron_schedule = '* * * * *'",
        "announce = Announcer()",
        "tier = 'preferred'",
        "priority = 7",
        "production = True",
        "enable_hooks = True",
        "container = Docker(image = 'x')",
        "sla_policy = CountSlaPolicy(count = 1, duration_secs = 1)",
        "executor_config = ExecutorConfig(name = 'mine')",
        "constraints = {'dedicated': 'www/x'}",
        "update_config = UpdateConfig(sla_aware = True, watch_secs = 3, update_strategy = BatchUpdateStrategy(batch_size = 2))",
        "metadata = [Metadata(key = 'a', value = 'b'), Metadata(key = 'a', value = 'c')]",
    ];
    let fields = format!(",\n  {}", fields.join(",\n  "));
    expect![[r#"
        error: `cron_schedule` (a job that is started at times) waits for the job engine, which is not built yet
         --> job.aurora:5:19
        error: `announce` (announcing instances in ZooKeeper) waits for the job engine, which is not built yet
         --> job.aurora:6:14
        error: `tier` (tiers and preemption) waits for the job engine, which is not built yet
         --> job.aurora:7:10
        error: `production` (tiers and preemption) waits for the job engine, which is not built yet
         --> job.aurora:9:16
        error: `priority` (tiers and preemption) waits for the job engine, which is not built yet
         --> job.aurora:8:14
        error: `sla_policy` (service levels) waits for the job engine, which is not built yet
         --> job.aurora:12:16
        error: `container` (containers) waits for the job engine, which is not built yet
         --> job.aurora:11:15
        error: `executor_config` (executors of one's own) waits for the job engine, which is not built yet
         --> job.aurora:13:21
        error: `enable_hooks` (hooks of the client) waits for the job engine, which is not built yet
         --> job.aurora:10:18
        error: the label `a` has two values, and an app's label has one
         --> job.aurora:16:49
        error: `constraints` (dedicated machines) waits for the job engine, which is not built yet
         --> job.aurora:14:17
        error: `sla_aware` (service levels) waits for the job engine, which is not built yet
         --> job.aurora:15:44
        error: `update_strategy` (updates in batches) waits for the job engine, which is not built yet
         --> job.aurora:15:84
        warning: `watch_secs` has no effect on an app: its deployment goes on when an instance runs or is healthy
         --> job.aurora:15:63
    "#]]
    .assert_eq(&told(&job(&plain, &fields)));
    let process =
        "Process(name = 'p', cmdline = 'echo {{mesos.instance}}', max_failures = 0, daemon = True, ephemeral = True,
  logger = Logger(mode = 'rotate'))";
    let task = format!(
        "Task(processes = [{process}, Process(name = 'last', cmdline = 'x', final = True)], resources = r(gpu = 1), max_failures = 3)"
    );
    expect![[r#"
        error: a job that ends waits for the job engine, which is not built yet
         --> job.aurora:5:145
        error: `gpu` (devices) waits for the job engine, which is not built yet
         --> job.aurora:5:112
        error: `{{mesos.instance}}` (a number for each instance) waits for the job engine, which is not built yet
         --> job.aurora:4:140
    "#]]
    .assert_eq(&told(&job(&task, ", service = False")));
    let numbered = "Task(processes = [b(cmdline = 'echo {{mesos.instance}}')], resources = r)";
    expect![[r#"
        error: `{{mesos.instance}}` (a number for each instance) waits for the job engine, which is not built yet
         --> job.aurora:4:122
    "#]]
    .assert_eq(&told(&job(numbered, "")));
}

/// `{{…}}` in any form, quotes, backslashes, and characters that a terminal would obey.
fn any_text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(&["a", "{", "}", "{{", "}}", "&", "\\", "'", "\"", "\n", " ", "é", "\u{1b}", "%s"]),
        0..10,
    )
    .prop_map(|parts| parts.concat())
}

fn any_app() -> impl Strategy<Value = Map<String, Json>> {
    let texts = || prop::collection::btree_map(any_text(), any_text(), 0..3);
    let constraint = prop::collection::vec(any_text(), 2..4);
    let check = (any_text(), 0..5i64).prop_map(|(path, index)| {
        json!({"protocol": "HTTP", "path": path, "portIndex": index, "gracePeriodSeconds": 1, "intervalSeconds": 2, "timeoutSeconds": 3,
               "maxConsecutiveFailures": 4, "delaySeconds": 5})
    });
    let unreachable =
        prop_oneof![Just(json!("disabled")), Just(json!({"inactiveAfterSeconds": 1, "expungeAfterSeconds": 2}))];
    (any_text(), texts(), texts(), 0..1000u32, prop::collection::vec(constraint, 0..3), prop::collection::vec(check, 0..3), unreachable).prop_map(
        |(cmd, env, labels, tenths, constraints, checks, unreachable)| {
            let cpus = attica_paas_api::Number(f64::from(tenths) / 10.0);
            let app = json!({"id": "/g/app", "cmd": cmd, "env": env, "cpus": cpus, "constraints": constraints, "requirePorts": true,
                "healthChecks": checks, "killSelection": "OLDEST_FIRST", "unreachableStrategy": unreachable, "labels": labels});
            serde_json::from_value(app).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(app in any_app()) {
        let mut relative = app.clone();
        relative.insert("id".to_owned(), json!("app"));
        let inner = Tree { id: "g".to_owned(), apps: vec![relative], groups: Vec::new() };
        let text = write(&Tree { id: "/".to_owned(), apps: Vec::new(), groups: vec![inner] });
        let configuration = read(&text);
        let (services, _) = services(&configuration).unwrap();
        prop_assert_eq!(&services[0].definition, &app, "{}", text);
        prop_assert_eq!(crate::format::format("written.aurora", &text).ok(), Some(text), "written files are formatted");
    }
}
