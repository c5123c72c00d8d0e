//! What ends a task or says how it fares: checks by command, limits, time.

use attica_core_api::v1::{
    CheckCommand, CheckInfo, CheckType, CommandInfo, DurationInfo, HealthCheck, HealthCheckType, Scalar, TaskInfo,
    TaskStatusReason,
};

use crate::agent::{Agent, get, shell};
use crate::master::Master;
use crate::support::{can_isolate, eventually};

fn checked(task: TaskInfo, command: &str) -> TaskInfo {
    let check = HealthCheck {
        r#type: Some(HealthCheckType::Command),
        command: Some(CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        timeout_seconds: 60.0,
        grace_period_seconds: 60.0,
        consecutive_failures: 2,
        ..HealthCheck::default()
    };
    TaskInfo { health_check: Some(check), ..task }
}

#[test]
fn a_command_tells_the_health_of_a_task_and_its_failures_end_it() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![checked(shell("t", "exec sleep 1000"), "test -e well && env > checked")]);
    master.await_state("t", "TASK_RUNNING");
    let sandbox = agent.sandbox("t");
    let told = |healthy| {
        eventually("its health is told", || {
            master
                .heard(|heard| heard.updates.iter().any(|update| update.status.healthy == Some(healthy)).then_some(()))
        });
    };
    std::fs::write(sandbox.join("well"), "").unwrap();
    told(true);
    // Each check writes it anew.
    eventually("the check has the task's environment", || {
        std::fs::read_to_string(sandbox.join("checked")).ok().filter(|text| text.contains("MESOS_TASK_ID=t"))
    });
    std::fs::remove_file(sandbox.join("well")).unwrap();
    let killed = master.await_state("t", "TASK_KILLED").status;
    assert_eq!(killed.healthy, Some(false));
    agent.finish();
}

#[test]
fn a_command_that_never_ends_is_a_failure_and_leaves_nothing() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let mut task = checked(shell("t", "exec sleep 1000"), "sleep 1001; true");
    let check = task.health_check.as_mut().unwrap();
    (check.timeout_seconds, check.grace_period_seconds, check.consecutive_failures) = (0.2, 0.0, 1);
    master.run(vec![task]);
    master.await_state("t", "TASK_KILLED");
    agent.finish();
}

#[test]
fn a_task_ends_when_its_time_is_over() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let limit = Some(DurationInfo::from_milliseconds(300));
    master.run(vec![TaskInfo { max_completion_time: limit, ..shell("t", "exec sleep 1000") }]);
    let failed = master.await_state("t", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::MaxCompletionTimeReached));
    agent.finish();
}

/// The task looks at its own cgroups, and turns in circles until it was asked how it fares.
#[test]
fn limits_above_requests_reach_the_kernel() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let script = "if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cd /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); \
        cat cpu.max memory.max memory.low; else \
        of() { sed -n \"s|^[0-9]*:[^:]*\\b$1\\b[^:]*:||p\" /proc/self/cgroup; }; \
        cat /sys/fs/cgroup/cpu$(of cpu)/cpu.cfs_quota_us /sys/fs/cgroup/memory$(of memory)/memory.limit_in_bytes \
        /sys/fs/cgroup/memory$(of memory)/memory.soft_limit_in_bytes; fi; until [ -e $MESOS_SANDBOX/seen ]; do :; done";
    let limits = [("cpus", 0.5), ("mem", 128.0)].map(|(name, value)| (name.to_owned(), Scalar { value }));
    let within = [("cpus", f64::INFINITY)].map(|(name, value)| (name.to_owned(), Scalar { value }));
    let free = TaskInfo { limits: within.into(), ..shell("free", "exec sleep 1000") };
    master.run(vec![TaskInfo { limits: limits.into(), ..shell("t", script) }, free]);
    master.await_state("free", "TASK_RUNNING");
    let statistics = |of: &str| {
        let told = get(&master, &agent.ready_address(), "/monitor/statistics").1;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told.as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["executor_id"] == of)
            .map(|entry| entry["statistics"].clone())
    };
    let told = eventually("it is held back", || {
        statistics("t").filter(|told| told["cpus_nr_throttled"].as_u64().is_some_and(|periods| periods > 0))
    });
    assert!(told["cpus_nr_periods"].as_u64() >= told["cpus_nr_throttled"].as_u64(), "{told}");
    assert!(told["cpus_throttled_time_secs"].as_f64() > Some(0.0), "{told}");
    let bytes = |name: &str| told[name].as_u64().unwrap();
    assert!(bytes("mem_total_bytes") >= bytes("mem_anon_bytes") && bytes("mem_anon_bytes") > 0, "{told}");
    assert_eq!((bytes("mem_rss_bytes"), bytes("mem_file_bytes")), (bytes("mem_anon_bytes"), bytes("mem_cache_bytes")));
    assert!(told["mem_mapped_file_bytes"].is_u64() && told["mem_unevictable_bytes"].is_u64(), "{told}");
    let free = statistics("free").unwrap();
    assert!(free["cpus_nr_periods"].is_null() && free["mem_total_bytes"].is_u64(), "{free}");
    std::fs::write(agent.sandbox("t").join("seen"), "").unwrap();
    let ended = master.await_state("t", "TASK_FINISHED").status;
    let stdout = std::fs::read_to_string(agent.sandbox("t").join("stdout")).unwrap();
    let numbers: Vec<&str> = stdout.split_whitespace().filter(|number| *number != "100000").collect();
    assert_eq!(numbers, ["50000", "134217728", "67108864"], "{ended:?}");
    agent.finish();
}

#[test]
fn a_check_tells_the_exit_code_and_nothing_follows_from_it() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let command = CommandInfo { value: Some("exit $(cat code)".to_owned()), ..CommandInfo::default() };
    let check = CheckInfo {
        r#type: Some(CheckType::Command),
        command: Some(CheckCommand { command }),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        ..CheckInfo::default()
    };
    let begun = shell("t", "echo 3 > code; exec sleep 1000");
    master.run(vec![TaskInfo { check: Some(check), ..begun }]);
    master.await_state("t", "TASK_RUNNING");
    let told = |code| {
        eventually("what the check found is told", || {
            master.heard(|heard| {
                let codes =
                    heard.updates.iter().filter_map(|update| update.status.check_status.as_ref()?.command.as_ref());
                codes.filter_map(|command| command.exit_code).find(|told| *told == code)
            })
        })
    };
    told(3);
    std::fs::write(agent.sandbox("t").join("code"), "0").unwrap();
    told(0);
    master.heard(|heard| assert!(heard.updates.iter().all(|update| update.status.healthy.is_none())));
    agent.finish();
}
