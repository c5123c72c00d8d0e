//! An agent with its launcher against a master of the test's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use attica_core_api::link::{Event, StatusUpdate};
use attica_core_api::v1::{
    CommandInfo, HealthCheck, HealthCheckType, HttpCheckInfo, Resource, Scalar, TaskInfo, TaskStatusReason,
    TcpCheckInfo, ValueType,
};

use crate::master::{AGENT, Acknowledging, Database, FRAMEWORK, Master};
use crate::ports::own_port;
use crate::support::{Guard, PATIENCE, can_isolate, cgroups_beneath, eventually, is_alive, kill_hard, pids};

pub struct Agent {
    _guard: Guard,
    directory: tempfile::TempDir,
    cgroups_root: String,
    /// What it is started with, before its own arguments.
    program: Vec<String>,
    extra: Vec<String>,
    process: Child,
}

impl Agent {
    pub fn start(master: &Master) -> Agent {
        Agent::start_with(master, tempfile::tempdir().unwrap(), format!("attica-test-{}", uuid::Uuid::new_v4()), &[])
    }

    pub fn start_with(master: &Master, directory: tempfile::TempDir, cgroups_root: String, extra: &[&str]) -> Agent {
        let program = vec![env!("CARGO_BIN_EXE_attica-agent").to_owned()];
        Agent::start_program(master, program, directory, cgroups_root, extra)
    }

    pub fn start_program(
        master: &Master,
        program: Vec<String>,
        directory: tempfile::TempDir,
        cgroups_root: String,
        extra: &[&str],
    ) -> Agent {
        let ready = directory.path().join("ready");
        let _none = std::fs::remove_file(&ready);
        // What is sent from now on is for this agent, not for the one that was.
        master.part();
        let log = std::fs::File::options().create(true).append(true).open(directory.path().join("agent.log")).unwrap();
        let process = Command::new(&program[0])
            .args(&program[1..])
            .args(["agent", "--master", &master.address.to_string(), "--cgroups-root", &cgroups_root])
            .args(
                ["--resources", "cpus:4;mem:2048;disk:1024;ports:[31000-32000]"]
                    .iter()
                    .filter(|_| !extra.contains(&"--resources")),
            )
            .args(
                [Path::new("--work-dir"), &directory.path().join("work")]
                    .iter()
                    .filter(|_| !extra.contains(&"--work-dir")),
            )
            .arg("--ready-file")
            .arg(&ready)
            .args(extra)
            .args(["--attributes", "rack:a"].iter().filter(|_| !extra.contains(&"--attributes")))
            .args(["--port", "0"].iter().filter(|_| !extra.contains(&"--port")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let guard = Guard::new(directory.path(), &cgroups_root);
        let extra = extra.iter().map(|argument| (*argument).to_owned()).collect();
        Agent { _guard: guard, directory, cgroups_root, program, extra, process }
    }

    pub fn ready_address(&self) -> String {
        let ready = self.directory.path().join("ready");
        eventually("the agent is ready", || {
            std::fs::read_to_string(&ready).ok().filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned())
        })
    }

    /// Kills the agent and starts it again.
    pub fn crash_and_restart(self, master: &Master) -> Agent {
        self.crash_and_become(master, |_program, _extra| ())
    }

    /// As above, as something else.
    pub fn crash_and_become(
        mut self,
        master: &Master,
        change: impl FnOnce(&mut Vec<String>, &mut Vec<String>),
    ) -> Agent {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        change(&mut self.program, &mut self.extra);
        let extra: Vec<&str> = self.extra.iter().map(String::as_str).collect();
        Agent::start_program(master, self.program, self.directory, self.cgroups_root, &extra)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("agent.log")).unwrap()
    }

    /// How it ended, by itself.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        eventually("it ends", || self.process.try_wait().unwrap())
    }

    pub fn work_dir(&self) -> PathBuf {
        let given = self.extra.iter().skip_while(|argument| *argument != "--work-dir").nth(1);
        given.map_or_else(|| self.directory.path().join("work"), PathBuf::from).canonicalize().unwrap()
    }

    pub fn sandbox(&self, task: &str) -> PathBuf {
        Agent::sandbox_in(&self.work_dir(), task)
    }

    /// As above, in a work directory elsewhere.
    pub fn sandbox_in(work_dir: &Path, task: &str) -> PathBuf {
        work_dir.join(format!("slaves/{AGENT}/frameworks/{FRAMEWORK}/executors/{task}/runs/latest"))
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }

    pub fn launcher_pid(&self) -> i32 {
        let runtime = self.work_dir().join("run");
        let is_like_it = |pid: i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            command.contains("launcher") && command.contains(runtime.to_str().unwrap())
        };
        // A process that has not become its task's program yet looks like the launcher, and those that a launcher leaves behind do.
        let is_launcher = |pid: &i32| {
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
            let Some((named, rest)) = stat.rsplit_once(") ") else { return false };
            let parent = rest.split(' ').nth(1).and_then(|parent| parent.parse().ok());
            let left_behind = ["(attica-holder", "(attica-terminal"].iter().any(|name| named.ends_with(name));
            is_like_it(*pid) && !left_behind && !parent.is_some_and(is_like_it)
        };
        eventually("there is a launcher", || pids().find(is_launcher))
    }

    /// Drains the agent with SIGUSR1 and checks that nothing is left of it.
    pub fn finish(mut self) {
        let launcher = self.launcher_pid();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).unwrap();
        let status = eventually("the agent ends", || self.process.try_wait().unwrap());
        assert!(
            status.success(),
            "{status}\n{}",
            std::fs::read_to_string(self.directory.path().join("agent.log")).unwrap()
        );
        eventually("the launcher ends", || (!is_alive(launcher)).then_some(()));
        assert!(cgroups_beneath(&self.cgroups_root).is_empty());
        for controller in std::fs::read_dir("/sys/fs/cgroup").unwrap().filter_map(Result::ok) {
            assert!(!controller.path().join(&self.cgroups_root).exists(), "{:?}", controller.path());
        }
    }
}

pub fn scalar(name: &str, value: f64) -> Resource {
    Resource { name: name.to_owned(), r#type: ValueType::Scalar, scalar: Some(Scalar { value }), ..Resource::default() }
}

pub fn shell(task: &str, script: &str) -> TaskInfo {
    TaskInfo {
        name: task.to_owned(),
        task_id: task.into(),
        agent_id: AGENT.into(),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 64.0)],
        command: Some(CommandInfo { value: Some(script.to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

pub fn get(master: &Master, address: &str, path: &str) -> (u16, String) {
    use attica_core_api::http::{Client, Protocol};
    master.block_on(async {
        let client = Client::new(Protocol::Http1, PATIENCE);
        let response =
            client.get(&format!("http://{address}{path}").parse().unwrap(), http::HeaderMap::new()).await.unwrap();
        (response.status().as_u16(), client.text(response, 1 << 20).await)
    })
}

#[test]
fn tasks_run_end_and_are_killed() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let register = master.heard(|heard| heard.registrations[0].clone());
    assert_eq!(register.agent_info.id, None);
    assert_eq!(register.agent_info.hostname, "127.0.0.1");
    assert_eq!(register.agent_info.attributes[0].name, "rack");
    let mut wrong = shell("wrong", "true");
    wrong
        .command
        .as_mut()
        .unwrap()
        .uris
        .push(attica_core_api::v1::CommandUri { value: "s3://bucket/a".to_owned(), ..Default::default() });
    master.run(vec![shell("good", "env; echo done"), shell("bad", "exit 3"), shell("long", "exec sleep 1000"), wrong]);

    let finished = master.await_state("good", "TASK_FINISHED");
    assert_eq!(finished.status.message.as_deref(), Some("Command exited with status 0"));
    assert_eq!(master.states("good"), ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    let stdout = std::fs::read_to_string(agent.sandbox("good").join("stdout")).unwrap();
    for line in ["done", "MESOS_TASK_ID=good", "MESOS_SLAVE_ID=master-S0", "MESOS_FRAMEWORK_ID=fw-1"] {
        assert!(stdout.lines().any(|found| found == line), "{line} in {stdout}");
    }
    let failed = master.await_state("bad", "TASK_FAILED");
    assert_eq!(failed.status.message.as_deref(), Some("Command exited with status 3"));
    let refused = master.await_state("wrong", "TASK_FAILED");
    assert_eq!(
        refused.status.message.as_deref(),
        Some(
            "`command.uris`: `s3://bucket/a`: this agent fetches absolute paths, file://, http:// and https://, not s3://"
        )
    );
    assert_eq!(refused.status.reason, Some(TaskStatusReason::ContainerLaunchFailed));
    assert_eq!(master.states("wrong"), ["TASK_FAILED"]);

    let running = master.await_state("long", "TASK_RUNNING");
    let container = running.status.container_status.unwrap();
    assert_eq!(container.network_infos[0].ip_addresses[0].ip_address.as_deref(), Some("127.0.0.1"));
    assert!(is_alive(i32::try_from(container.executor_pid.unwrap()).unwrap()));
    // The same task again is no other task.
    master.run(vec![shell("long", "exec sleep 1000")]);
    master.kill("long", None);
    let killed = master.await_state("long", "TASK_KILLED");
    assert_eq!(killed.status.message.as_deref(), Some("Command terminated with signal Terminated"));
    assert_eq!(master.states("long"), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
    eventually("the agent's heart beats", || master.heard(|heard| (heard.heartbeats > 1).then_some(())));
    agent.finish();
}

#[test]
fn a_kill_escalates_over_everything_the_task_has_forked() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; (trap \"\" TERM; while :; do sleep 1; done) & echo $! $$ > orphans; wait' & while :; do sleep 1; done";
    master.run(vec![shell("stubborn", script)]);
    master.await_state("stubborn", "TASK_RUNNING");
    let orphans = eventually("the orphans are there", || {
        std::fs::read_to_string(agent.sandbox("stubborn").join("orphans")).ok().filter(|text| text.ends_with('\n'))
    });
    let begin = Instant::now();
    master.kill("stubborn", Some(600_000));
    // A second one may shorten the first one's grace.
    master.kill("stubborn", Some(300));
    let killed = master.await_state("stubborn", "TASK_KILLED");
    assert_eq!(killed.status.message.as_deref(), Some("Command terminated with signal Killed"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    for orphan in orphans.split_ascii_whitespace() {
        assert!(!is_alive(orphan.parse().unwrap()), "{orphan}");
    }
    agent.finish();
}

#[test]
fn out_of_memory_has_its_own_reason() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("greedy", "exec python3 -c 'x = bytearray(256 << 20)'")]);
    let failed = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitationMemory));
    assert_eq!(failed.limitation.unwrap().resources[0].name, "mem");
    assert!(failed.message.unwrap().starts_with("Memory limit exceeded: Requested: 64MB"));
    agent.finish();
}

#[test]
fn a_killed_agent_comes_back_to_its_tasks_and_what_ended_meanwhile() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master
        .run(vec![shell("stays", "exec sleep 1000"), shell("ends", "while [ ! -e go ]; do sleep 0.02; done; exit 9")]);
    let stays = master.await_state("stays", "TASK_RUNNING");
    let pid = i32::try_from(stays.status.container_status.unwrap().executor_pid.unwrap()).unwrap();
    let ends = i32::try_from(
        master.await_state("ends", "TASK_RUNNING").status.container_status.unwrap().executor_pid.unwrap(),
    )
    .unwrap();
    master.heard(|heard| heard.acknowledging = Acknowledging::Never);
    let sandbox = agent.sandbox("ends");
    let mut agent = agent;
    agent.process.kill().unwrap();
    agent.process.wait().unwrap();
    std::fs::write(sandbox.join("go"), "").unwrap();
    eventually("the short one ends", || (!is_alive(ends)).then_some(()));
    let agent = Agent::start_with(&master, agent.directory, agent.cgroups_root, &[]);
    master.await_registration(2);
    let register = master.heard(|heard| heard.registrations[1].clone());
    assert_eq!(register.agent_info.id.as_ref().map(|id| id.as_str()), Some(AGENT));
    assert!(register.checkpointed);
    let failed = master.await_state("ends", "TASK_FAILED");
    assert_eq!((failed.sequence, failed.status.message.as_deref()), (3, Some("Command exited with status 9")));
    assert!(is_alive(pid));
    assert_eq!(master.states("stays"), ["TASK_STARTING", "TASK_RUNNING"]);

    // The update that was not acknowledged survives another crash, as the same update.
    let before = master.heard(|heard| heard.updates.len());
    let agent = agent.crash_and_restart(&master);
    master.await_registration(3);
    let again = eventually("it is sent again", || {
        master.heard(|heard| {
            // What was acknowledged just before the first crash may not have been noted, and comes again as well.
            let is_it =
                |update: &&StatusUpdate| update.status.task_id.as_str() == "ends" && update.sequence == failed.sequence;
            heard.updates[before..].iter().find(is_it).cloned()
        })
    });
    assert_eq!(again, failed);
    master.acknowledge_all();
    master.send(Event::list_tasks);
    let tasks = eventually("the tasks are listed", || master.heard(|heard| heard.tasks.last().cloned()));
    assert_eq!(tasks.iter().map(|task| task.task_id.as_str()).collect::<Vec<_>>(), ["stays"]);
    assert!(is_alive(pid));
    agent.finish();
    assert!(!is_alive(pid));
    assert_eq!(master.states("stays"), ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"]);
}

#[test]
fn a_killed_launcher_is_replaced_and_no_exit_status_is_lost() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![
        shell("later", "while [ ! -e go ]; do sleep 0.02; done; exit 17"),
        shell("at-once", "while [ ! -e go ]; do sleep 0.02; done; exit 18"),
    ]);
    master.await_state("later", "TASK_RUNNING");
    let running = master.await_state("at-once", "TASK_RUNNING");
    let pid = i32::try_from(running.status.container_status.unwrap().executor_pid.unwrap()).unwrap();
    let launcher = agent.launcher_pid();
    // One task ends while there is no launcher, or just after: stopped, it cannot wait for it.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(launcher), nix::sys::signal::Signal::SIGSTOP).unwrap();
    std::fs::write(agent.sandbox("at-once").join("go"), "").unwrap();
    eventually("the task ends", || (!is_alive(pid)).then_some(()));
    kill_hard(launcher);
    let ended = master.await_state("at-once", "TASK_FAILED");
    eventually("there is another launcher", || (agent.launcher_pid() != launcher).then_some(()));
    std::fs::write(agent.sandbox("later").join("go"), "").unwrap();
    let later = master.await_state("later", "TASK_FAILED");
    if crate::support::kernel_keeps_exit_codes() {
        assert_eq!(ended.status.message.as_deref(), Some("Command exited with status 18"));
        assert_eq!(later.status.message.as_deref(), Some("Command exited with status 17"));
    } else {
        assert!(ended.status.message.unwrap().contains("unknown exit status"));
    }
    agent.finish();
}

#[test]
fn a_spoiled_checkpoint_is_put_aside_and_its_task_ended() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let mut agent = Agent::start(&master);
    master.await_registration(1);
    let run = |task: &str| {
        master.run(vec![shell(task, "exec sleep 1000")]);
        let running = master.await_state(task, "TASK_RUNNING").status.container_status.unwrap();
        i32::try_from(running.executor_pid.unwrap()).unwrap()
    };
    let pids = [run("torn"), run("spoiled")];
    agent.process.kill().unwrap();
    agent.process.wait().unwrap();
    let checkpoint = agent.work_dir().join("meta/tasks.journal");
    let text = std::fs::read_to_string(&checkpoint).unwrap();
    // Of the one only its sandbox tells which it was.
    let (before, after) = text.rsplit_once("{\"happened\":").unwrap();
    let text = format!("{before}{{\"happened{after}");
    std::fs::write(&checkpoint, text.replacen("{\"begun\":", "{\"begun", 1)).unwrap();
    let agent = Agent::start_with(&master, agent.directory, agent.cgroups_root, &[]);
    master.await_registration(2);
    eventually("their processes are ended", || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let aside = agent.work_dir().join("meta/corrupt").canonicalize().unwrap();
    for task in ["torn", "spoiled"] {
        let gone = master.await_state(task, "TASK_GONE").status;
        assert_eq!(gone.reason, Some(TaskStatusReason::ExecutorTerminated));
        let message = gone.message.unwrap();
        let names = |path: &std::path::Path| message.contains(path.to_str().unwrap());
        assert!(names(&checkpoint) && names(&aside) && message.contains(" line "), "{message}");
    }
    agent.finish();
}

#[test]
fn an_agent_that_is_not_what_it_was_does_not_start_with_tasks() {
    let master = Master::start();
    let mut agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("task", "exec sleep 1000")]);
    master.await_state("task", "TASK_RUNNING");
    agent.process.kill().unwrap();
    agent.process.wait().unwrap();
    let mut agent = Agent::start_with(&master, agent.directory, agent.cgroups_root, &["--hostname", "other"]);
    let status = eventually("it ends", || agent.process.try_wait().unwrap());
    assert!(!status.success());
    let log = std::fs::read_to_string(agent.directory.path().join("agent.log")).unwrap();
    assert!(log.contains("the reconfiguration policy `additive`"), "it goes by several names: {log}");
    let told = "this agent keeps 1 checkpointed tasks and 0 persistent volumes, and is not what it was when it got them: --hostname was \
                `127.0.0.1` and is `other`";
    assert!(log.contains(told), "{log}");
    let agent = Agent::start_with(&master, agent.directory, agent.cgroups_root, &[]);
    master.await_registration(2);
    agent.finish();
}

#[test]
fn a_deposed_master_is_not_obeyed() {
    let master = Master::start();
    master.heard(|heard| heard.epoch = 7);
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("one", "exec sleep 1000")]);
    master.await_state("one", "TASK_RUNNING");
    master.heard(|heard| heard.epoch = 6);
    master.run(vec![shell("two", "exec sleep 1000")]);
    eventually("it registers again", || master.heard(|heard| (heard.registrations.len() >= 2).then_some(())));
    master.heard(|heard| heard.epoch = 8);
    eventually("it registers with the new leader", || {
        master.heard(|heard| heard.registrations.iter().any(|register| register.epoch == 7).then_some(()))
    });
    eventually("it takes part under the new leader", || master.heard(|heard| heard.leads.contains(&8).then_some(())));
    master.send(Event::list_tasks);
    eventually("it is obeyed", || master.heard(|heard| heard.tasks.last().cloned()));
    assert!(master.states("two").is_empty());
    let agent = agent.crash_and_restart(&master);
    eventually("it remembers", || {
        master.heard(|heard| heard.registrations.iter().any(|register| register.epoch == 8).then_some(()))
    });
    agent.finish();
}

#[test]
fn a_master_whose_database_is_away_keeps_its_agents_and_gets_every_update_in_order() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.heard(|heard| heard.database = Database::Away);
    master.run(vec![shell("t", "exit 0")]);
    eventually("updates are refused more than once", || master.heard(|heard| (heard.refused > 1).then_some(())));
    master.heard(|heard| heard.database = Database::There);
    master.await_state("t", "TASK_FINISHED");
    assert_eq!(master.states("t"), ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]);
    assert_eq!(master.heard(|heard| heard.registrations.len()), 1);
    agent.finish();
}

#[test]
fn an_end_that_could_not_be_written_down_is_not_forgotten_by_the_launcher() {
    let master = Master::start();
    let mut agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("t", "while [ ! -e over ]; do sleep 0.01; done")]);
    master.await_state("t", "TASK_RUNNING");
    master.heard(|heard| heard.acknowledging = Acknowledging::Never);
    // Stands for a full disk: nothing can be added to the checkpoint.
    let (meta, away) = (agent.work_dir().join("meta"), agent.work_dir().join("away"));
    std::fs::rename(&meta, &away).unwrap();
    std::fs::write(agent.sandbox("t").join("over"), "").unwrap();
    master.await_state("t", "TASK_FINISHED");
    agent.process.kill().unwrap();
    std::fs::rename(&away, &meta).unwrap();
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let is_end = |state: &&str| ["TASK_FINISHED", "TASK_FAILED"].contains(state);
    let ends = eventually("the end is told again", || {
        let states = |heard: &mut crate::master::Heard| {
            heard.updates.iter().map(|update| update.status.state.name()).filter(is_end).collect::<Vec<_>>()
        };
        Some(master.heard(states)).filter(|ends| ends.len() > 1)
    });
    assert_eq!(ends, ["TASK_FINISHED", "TASK_FINISHED"]);
    master.acknowledge_all();
    agent.finish();
}

#[test]
fn checks_report_and_kill() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let port = own_port();
    let check = |kind| HealthCheck {
        r#type: Some(kind),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        timeout_seconds: 60.0,
        consecutive_failures: 3,
        grace_period_seconds: 60.0,
        http: Some(HttpCheckInfo { port: u32::from(port), ..HttpCheckInfo::default() }),
        tcp: Some(TcpCheckInfo { port: u32::from(port), ..TcpCheckInfo::default() }),
        command: None,
    };
    let mut killed =
        shell("killed", &format!("python3 -m http.server {port} & echo $! > pid; while :; do sleep 1; done"));
    killed.health_check = Some(check(HealthCheckType::Http));
    killed.health_checks = vec![check(HealthCheckType::Tcp)];
    master.run(vec![killed]);
    let is_healthy = |healthy: bool| {
        master.heard(|heard| {
            heard
                .updates
                .iter()
                .rev()
                .find(|update| update.status.healthy == Some(healthy) && !update.status.health_results.is_empty())
                .cloned()
        })
    };
    let healthy =
        eventually("it is healthy", || is_healthy(true).filter(|update| update.status.health_results[0].healthy));
    assert_eq!(healthy.status.reason, Some(TaskStatusReason::TaskHealthCheckStatusUpdated));
    let server = eventually("its number is told", || {
        std::fs::read_to_string(agent.sandbox("killed").join("pid")).ok()?.trim().parse().ok()
    });
    kill_hard(server);
    let unhealthy = eventually("the failure is told", || {
        is_healthy(false).filter(|update| !update.status.health_results[0].healthy)
    });
    assert!(unhealthy.status.health_results[0].message.as_deref().unwrap().starts_with("cannot connect"));
    let end = master.await_state("killed", "TASK_KILLED");
    assert_eq!(end.status.healthy, Some(false));
    agent.finish();
}

#[test]
fn state_and_files_are_shown() {
    let master = Master::start();
    let agent = Agent::start(&master);
    let address = agent.ready_address();
    master.await_registration(1);
    master.run(vec![shell("shown", "echo hello; ln -s /etc/passwd link; exec sleep 1000")]);
    master.await_state("shown", "TASK_RUNNING");
    eventually("it has written", || agent.sandbox("shown").join("link").symlink_metadata().ok());
    assert_eq!(get(&master, &address, "/health").0, 200);
    let json = |path: &str| -> serde_json::Value {
        let (status, body) = get(&master, &address, path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    let state = json("/slave(1)/state");
    assert_eq!(state["id"], AGENT);
    assert_eq!(state["pid"], format!("slave(1)@{address}"));
    assert_eq!(state["resources"]["ports"], "[31000-32000]");
    assert_eq!(state["frameworks"][0]["executors"][0]["tasks"][0]["state"], "TASK_RUNNING");
    assert_eq!(state["unreserved_resources_allocated"]["mem"], 64.0);
    let flags = json("/flags")["flags"].clone();
    assert_eq!(flags["fetcher_cache_size"], "2GB", "{flags}");
    assert_eq!(flags["xfs_project_range"], "[5000-10000]", "{flags}");
    assert_eq!(flags["master"], master.address.to_string(), "{flags}");
    assert_eq!(json("/metrics/snapshot?timeout=500us")["slave/tasks_running"], 1.0);
    let (status, refused) = get(&master, &address, "/metrics/snapshot?timeout=soon");
    assert!(status == 400 && refused.starts_with("Invalid timeout 'soon': "), "{status} {refused}");
    assert_eq!(json("/containers")[0]["executor_id"], "shown");
    let statistics = json("/monitor/statistics.json");
    assert_eq!(statistics[0]["statistics"]["mem_limit_bytes"], 64 << 20);
    let path = format!("/framework/{FRAMEWORK}/executor/shown/latest");
    let read = json(&format!("/files/read.json?path={path}/stdout&offset=1&length=3"));
    assert_eq!(read, serde_json::json!({ "data": "ell", "offset": 1 }));
    assert_eq!(json(&format!("/files/read?path={path}/stdout&offset=-1"))["offset"], 6);
    assert!(json(&format!("/files/browse?path={path}")).as_array().unwrap().len() >= 3);
    let shown = format!("/frameworks/{FRAMEWORK}/executors/shown/runs/latest");
    let real = json("/files/debug")[&shown].as_str().unwrap().to_owned();
    assert_eq!(get(&master, &address, &format!("/files/download?path={real}/stdout")), (200, "hello\n".to_owned()));
    assert_eq!(get(&master, &address, &format!("/files/read?path={path}/link&offset=0")).0, 403);
    assert_eq!(get(&master, &address, "/files/read?path=/etc/passwd&offset=0").0, 404);
    assert_eq!(get(&master, &address, "/files/read").0, 400);
    assert_eq!(
        get(&master, &address, &format!("/files/read?path={path}/stdout&offset=-2")),
        (400, "Negative offset provided: -2.\n".to_owned())
    );
    assert!(Path::new(&real).exists());
    agent.finish();
}
