//! Frameworks' executors whose root is made from an image.

use attica_core_api::v1::{ContainerInfo, RLimit, RLimitInfo, RLimitType, Volume, VolumeMode};

use super::registry::{Access, Registry, busybox, can_pull};
use super::{finished, on_mesos, start, web};
use crate::agent::shell;
use crate::executors::{example, framework, task};

#[test]
fn an_executor_runs_its_tasks_in_its_own_root_with_its_own_volumes() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], web());
    let (master, agent) = start(&["--host-path-volume-allow-list", "/"]);
    let program = std::path::PathBuf::from(example());
    let volume = |host_path: &str, container_path: &str| Volume {
        mode: VolumeMode::ReadOnly,
        container_path: container_path.to_owned(),
        host_path: Some(host_path.to_owned()),
        ..Volume::default()
    };
    // The machine's libraries: the program was built here.
    let volumes = ["/usr", "/lib", "/lib64"].into_iter().filter(|path| std::path::Path::new(path).exists());
    let mut volumes: Vec<Volume> = volumes.map(|path| volume(path, path)).collect();
    volumes.push(volume(program.parent().unwrap().to_str().unwrap(), "/program"));
    let with_image = on_mesos(shell("", ""), &registry.image("web:1")).container.unwrap();
    let limit = RLimit { r#type: Some(RLimitType::Nofile), soft: Some(77), hard: Some(77) };
    let container = ContainerInfo { volumes, rlimit_info: Some(RLimitInfo { rlimits: vec![limit] }), ..*with_image };
    let run = |id: &str, script: &str| {
        let mut task = task(id, "e", "/program/agents_executor", script);
        task.executor.as_mut().unwrap().container = Some(Box::new(container.clone()));
        master.run_for(framework(true), vec![task]);
    };
    let script = "grep -q web:x:1234 /etc/passwd && test ! -e /root && test $FROM_IMAGE = 1 && test $(ulimit -n) = 77 && \
        touch $MESOS_SANDBOX/made && ! touch /program/no";
    run("long", "exec sleep 1000");
    run("looks", script);
    master.await_state("long", "TASK_RUNNING");
    finished(&master, &agent, "looks");
    assert!(agent.sandbox("e").join("made").exists());
    master.kill("long", None);
    master.await_state("long", "TASK_KILLED");
    agent.finish();
}

#[test]
fn what_cannot_be_mounted_for_an_executor_is_said_of_its_task() {
    if !can_pull() {
        return;
    }
    let (master, agent) = start(&[]);
    let mut of_machine = task("t", "e", "true", "");
    let volume = Volume { container_path: "etc".to_owned(), host_path: Some("/etc".to_owned()), ..Volume::default() };
    let container = ContainerInfo { volumes: vec![volume], ..*on_mesos(shell("", ""), "app").container.unwrap() };
    of_machine.executor.as_mut().unwrap().container = Some(Box::new(container));
    master.run_for(framework(true), vec![of_machine]);
    let message = master.await_state("t", "TASK_FAILED").status.message.unwrap();
    assert!(message.contains("--host-path-volume-allow-list"), "{message}");
    agent.finish();
}
