//! An agent that is not what it was: another program, another machine's life, more resources, without its identity.

use crate::agent::{Agent, shell};
use crate::master::{AGENT, Master};
use crate::support::{PATIENCE, can_isolate, eventually, is_alive, kill_hard};

fn pid(master: &Master, task: &str) -> i32 {
    let status = master.await_state(task, "TASK_RUNNING").status.container_status.unwrap();
    i32::try_from(status.executor_pid.unwrap()).unwrap()
}

#[test]
fn a_program_that_is_replaced_while_it_runs_takes_over_its_tasks() {
    let master = Master::start();
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("attica-agent");
    let install = || {
        let new = program.with_extension("new");
        std::fs::copy(env!("CARGO_BIN_EXE_attica-agent"), &new).unwrap();
        std::fs::rename(&new, &program).unwrap();
    };
    install();
    let named = vec![program.to_str().unwrap().to_owned()];
    let cgroups_root = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_program(&master, named, directory, cgroups_root, &[]);
    master.await_registration(1);
    master
        .run(vec![shell("stays", "exec sleep 1000"), shell("ends", "while [ ! -e go ]; do sleep 0.02; done; exit 9")]);
    let (stays, _) = (pid(&master, "stays"), pid(&master, "ends"));
    let program = agent.directory().join("attica-agent");
    let new = program.with_extension("new");
    std::fs::copy(env!("CARGO_BIN_EXE_attica-agent"), &new).unwrap();
    std::fs::rename(&new, &program).unwrap();
    // The earlier program is no longer there under its name when its launcher has to be started again.
    let replace_launcher = |agent: &Agent| {
        let launcher = agent.launcher_pid();
        kill_hard(launcher);
        eventually("there is another launcher", || Some(agent.launcher_pid()).filter(|other| *other != launcher))
    };
    let image = |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let launcher = replace_launcher(&agent);
    eventually("it runs", || image(launcher).to_string_lossy().ends_with("(deleted)").then_some(()));
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    assert_eq!(image(agent.pid()), program.canonicalize().unwrap());
    std::fs::write(agent.sandbox("ends").join("go"), "").unwrap();
    let failed = master.await_state("ends", "TASK_FAILED").status;
    if crate::support::kernel_keeps_exit_codes() {
        assert_eq!(failed.message.as_deref(), Some("Command exited with status 9"));
    }
    let launcher = replace_launcher(&agent);
    eventually("it is the new one", || (image(launcher) == image(agent.pid())).then_some(()));
    assert!(is_alive(stays));
    agent.finish();
    assert_eq!(master.states("stays"), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
}

/// What starts `program` where the kernel says that this is the boot.
fn booted(program: &[String], file: &std::path::Path) -> Vec<String> {
    let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
    let before = ["unshare", "--mount", "sh", "-c", script, file.to_str().unwrap()].map(str::to_owned);
    before.into_iter().chain(program.last().cloned()).collect()
}

#[test]
fn after_a_restart_of_the_machine_its_tasks_are_lost_once_and_later_ones_are_not() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("before", "echo begun >> runs; exec sleep 1000")]);
    let (before, launcher) = (pid(&master, "before"), agent.launcher_pid());
    let runs = agent.sandbox("before").join("runs");
    eventually("it has begun", || (std::fs::read_to_string(&runs).ok()? == "begun\n").then_some(()));
    let boot_id = agent.directory().join("boot_id");
    std::fs::write(&boot_id, format!("{}\n", uuid::Uuid::new_v4())).unwrap();
    let agent = agent.crash_and_become(&master, |program, _| {
        // A machine that goes down takes everything with it.
        kill_hard(launcher);
        kill_hard(before);
        eventually("all has ended", || (!is_alive(launcher) && !is_alive(before)).then_some(()));
        *program = booted(program, &boot_id);
    });
    master.await_registration(2);
    let register = master.heard(|heard| heard.registrations[1].clone());
    assert_eq!(register.agent_info.id.as_ref().map(|id| id.as_str()), Some(AGENT));
    assert_eq!(register.boot_id, std::fs::read_to_string(&boot_id).unwrap().trim());
    master.await_state("before", "TASK_LOST");
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "begun\n");
    master.run(vec![shell("after", "exec sleep 1000")]);
    let after = pid(&master, "after");
    let agent = agent.crash_and_restart(&master);
    master.await_registration(3);
    assert_eq!(master.heard(|heard| heard.registrations[2].task_count), 1);
    assert!(is_alive(after));
    agent.finish();
    assert_eq!(master.states("before"), ["TASK_STARTING", "TASK_RUNNING", "TASK_LOST"]);
    assert_eq!(master.states("after"), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
}

#[test]
fn the_sandbox_of_a_task_that_was_silent_for_long_is_kept_from_its_end_on() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("silent", "echo said; touch -d '100 days ago' stdout stderr .")]);
    master.await_state("silent", "TASK_FINISHED");
    let count = |agent: &Agent, figure: &str| {
        let metrics = crate::agent::get(&master, &agent.ready_address(), "/metrics/snapshot").1;
        let metrics: serde_json::Value = serde_json::from_str(&metrics).unwrap();
        metrics[figure].as_f64().unwrap()
    };
    eventually("it begins to get old", || {
        let modified = std::fs::metadata(agent.sandbox("silent")).ok()?.modified().ok()?;
        (modified.elapsed().unwrap_or_default() < PATIENCE).then_some(())
    });
    // An agent that begins looks for old ones at once.
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    eventually("sandboxes were looked at", || {
        let seen = count(&agent, "gc/path_removals_pending") + count(&agent, "gc/path_removals_succeeded");
        (seen > 0.0).then_some(())
    });
    assert_eq!(std::fs::read_to_string(agent.sandbox("silent").join("stdout")).unwrap(), "said\n");
    agent.finish();
}

#[test]
fn more_resources_are_no_reason_to_end_tasks_where_that_is_allowed() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("task", "exec sleep 1000")]);
    let task = pid(&master, "task");
    let become_one = |agent: Agent, resources: &'static str| {
        agent.crash_and_become(&master, |_, extra| {
            *extra = ["--reconfiguration-policy", "additive", "--resources", resources].map(str::to_owned).to_vec();
        })
    };
    let agent = become_one(agent, "cpus:8;mem:4096;disk:1024;ports:[31000-33000]");
    master.await_registration(2);
    let register = master.heard(|heard| heard.registrations[1].clone());
    assert_eq!((register.agent_info.id, register.task_count), (Some(AGENT.into()), 1));
    eventually("it has written down what it is now", || {
        let identity = std::fs::read_to_string(agent.work_dir().join("meta/agent.json")).ok()?;
        identity.contains("33000").then_some(())
    });
    let mut agent = become_one(agent, "cpus:2;mem:4096;disk:1024;ports:[31000-33000]");
    assert!(!agent.ended().success());
    let told = "--resources was `cpus:8;";
    assert!(agent.log().contains(told), "{}", agent.log());
    let elsewhere = tempfile::tempdir().unwrap();
    let mut agent = agent.crash_and_become(&master, |_, extra| {
        *extra = vec!["--runtime-dir".to_owned(), elsewhere.path().to_str().unwrap().to_owned()];
    });
    assert!(!agent.ended().success());
    let told = "this agent keeps 1 checkpointed tasks under the launcher in ";
    assert!(agent.log().contains(told), "{}", agent.log());
    assert!(is_alive(task));
    let agent = become_one(agent, "cpus:8;mem:4096;disk:1024;ports:[31000-33000]");
    master.await_registration(3);
    agent.finish();
    assert_eq!(master.states("task"), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
}

#[test]
fn an_agent_whose_identity_is_damaged_begins_anew_and_says_so() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("task", "exec sleep 1000")]);
    let task = pid(&master, "task");
    let identity = agent.work_dir().join("meta/agent.json");
    let agent = agent.crash_and_become(&master, |_, _| {
        let text = std::fs::read_to_string(&identity).unwrap();
        // It could still be read, as another agent's.
        assert!(text.contains(AGENT));
        std::fs::write(&identity, text.replace(AGENT, "master-S1")).unwrap();
    });
    master.await_registration(2);
    let register = master.heard(|heard| heard.registrations[1].clone());
    assert_eq!((register.agent_info.id, register.replaces, register.task_count), (None, Some(AGENT.into()), 0));
    eventually("its process is ended", || (!is_alive(task)).then_some(()));
    assert!(agent.log().contains("the agent's identity is not as it was written"), "{}", agent.log());
    let aside = std::fs::read_to_string(agent.work_dir().join("meta/agent.damaged")).unwrap();
    assert!(aside.contains("master-S1"));
    let metrics = crate::agent::get(&master, &agent.ready_address(), "/metrics/snapshot").1;
    assert!(metrics.contains("\"slave/recovery_errors\":1"), "{metrics}");
    agent.finish();
}
