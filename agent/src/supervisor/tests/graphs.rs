//! Tasks that are a graph of processes.

use super::*;

fn of(name: &str) -> ProcessInfo {
    ProcessInfo { name: name.to_owned(), command_line: format!("run {name}"), ..ProcessInfo::default() }
}

fn graph(processes: Vec<ProcessInfo>, orders: &[&[&str]]) -> TaskInfo {
    let order = |names: &&[&str]| ProcessOrder { order: names.iter().map(|name| (*name).to_owned()).collect() };
    let graph = ProcessGraph { processes, orders: orders.iter().map(order).collect(), ..ProcessGraph::default() };
    let command = CommandInfo { value: None, ..CommandInfo::default() };
    TaskInfo { command: Some(command), processes: Some(Box::new(graph)), ..task("t") }
}

impl World {
    /// The runs that were launched since `from`, by the process's name.
    fn runs(&self, from: usize) -> Vec<(String, ContainerId)> {
        let run = |spec: &LaunchSpec| (spec.argv[5].clone(), spec.container.clone());
        self.specs[from..].iter().map(run).collect()
    }

    /// The run of this process that was launched last is started.
    fn start_run(&mut self, line: &str) -> ContainerId {
        let (_, container) = self.runs(1).into_iter().rfind(|(found, _)| found == line).unwrap();
        self.started(&container);
        container
    }

    fn processes(&self) -> Vec<(String, ProcessState, u32, u32)> {
        let processes = &self.sent.last().unwrap().status.processes;
        processes.iter().map(|it| (it.name.clone(), it.state, it.runs, it.failures)).collect()
    }
}

#[test]
fn processes_run_in_their_order_as_parts_of_the_tasks_container() {
    let mut world = World::ready();
    let container = world.start(graph(vec![of("a"), of("b")], &[&["a", "b"]]));
    assert!(world.specs[0].argv.is_empty() && world.specs[0].limits.is_some());
    assert_eq!(world.states(), ["TASK_STARTING", "TASK_RUNNING"]);
    let a = world.start_run("run a");
    let spec = &world.specs[1];
    assert_eq!((spec.parent.as_ref(), spec.limits), (Some(&container), None));
    assert_eq!(spec.argv[4], ".logs/a/0");
    let has = |name: &str, value: &str| spec.environment.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("MESOS_TASK_ID", "t") && has("USER", "me") && has("HOME", &spec.directory.to_string_lossy()));
    world.ended(&a, Exit::Code(0));
    let b = world.start_run("run b");
    assert_eq!(world.specs.len(), 3);
    world.advance(1_000);
    let (success, running) = (ProcessState::Success, ProcessState::Running);
    assert_eq!(world.processes(), [("a".to_owned(), success, 1, 0), ("b".to_owned(), running, 1, 0)]);
    assert!(world.asked.iter().all(|asked| *asked == Request::Forget(vec![a.clone()])));
    world.ended(&b, Exit::Code(0));
    assert_eq!(world.asked.last(), Some(&Request::Destroy(container.clone())));
    world.ended(&container, Exit::Code(0));
    let last = &world.sent.last().unwrap().status;
    assert_eq!((last.state, last.message.as_deref()), (TaskState::Finished, Some("Task finished.")));
    assert!(world.processes().iter().all(|(_, state, ..)| *state == success));
}

#[test]
fn a_process_that_fails_too_often_fails_the_task_and_says_which_it_was() {
    let mut world = World::ready();
    let container = world.start(graph(vec![ProcessInfo { max_failures: 2, ..of("a") }, of("b")], &[]));
    let b = world.start_run("run b");
    for run in 0..2 {
        let a = world.start_run("run a");
        assert_eq!(world.specs.last().unwrap().argv[4], format!(".logs/{}/{}", if run == 0 { "b" } else { "a" }, run));
        world.ended(&a, Exit::Code(3));
        world.advance(4_999);
        world.advance(1);
    }
    assert!(world.asked.contains(&Request::Terminate(b.clone())));
    world.ended(&b, Exit::Signal(15));
    world.ended(&container, Exit::Code(0));
    let last = &world.sent.last().unwrap().status;
    assert_eq!(last.state, TaskState::Failed);
    assert_eq!(last.message.as_deref(), Some("Task failed. Process `a`: Command exited with status 3"));
    assert_eq!(world.processes()[0], ("a".to_owned(), ProcessState::Failed, 2, 2));
    assert_eq!(world.processes()[1].1, ProcessState::Killed);
}

#[test]
fn a_kill_pleads_terminates_runs_what_is_final_and_ends() {
    let mut task = graph(vec![of("a"), ProcessInfo { r#final: true, ..of("z") }], &[]);
    task.processes.as_mut().unwrap().lifecycle = Some(HttpLifecycle { port: 8080, ..HttpLifecycle::default() });
    let mut world = World::ready();
    let container = world.start(task);
    let a = world.start_run("run a");
    world.kill("t", None);
    assert_eq!(world.pleas, [(Plea::Graceful, "/quitquitquit".to_owned())]);
    world.apply(Input::Pleaded { container: container.clone(), plea: Plea::Graceful, is_heard: true });
    world.advance(5_000);
    world.apply(Input::Pleaded { container: container.clone(), plea: Plea::Final, is_heard: false });
    assert_eq!(world.pleas.last(), Some(&(Plea::Final, "/abortabortabort".to_owned())));
    assert_eq!(world.asked, [Request::Terminate(a.clone())]);
    world.ended(&a, Exit::Signal(15));
    let z = world.start_run("run z");
    world.advance(30_000);
    assert!(world.asked.contains(&Request::Destroy(z.clone())));
    world.ended(&z, Exit::Signal(9));
    assert_eq!(world.asked.last(), Some(&Request::Destroy(container.clone())));
    world.ended(&container, Exit::Code(0));
    let last = &world.sent.last().unwrap().status;
    assert_eq!((last.state, last.message.as_deref()), (TaskState::Killed, Some("Task killed.")));
}

#[test]
fn an_agent_that_comes_back_goes_on_where_it_was() {
    let mut world = World::ready();
    let container = world.start(graph(vec![of("a"), of("b"), of("c"), of("d")], &[&["a", "d"], &["b", "d"]]));
    let (a, b) = (world.start_run("run a"), world.start_run("run b"));
    let unheard = world.runs(1)[2].1.clone();
    world.ended(&a, Exit::Code(0));
    let ended = Stage::Ended(Ending { exit: Exit::Code(0), memory: MemoryVerdict::WithinLimit });
    for compacted in [false, true] {
        let mut disk = world.disk.clone();
        if compacted {
            disk.store(world.supervisor.histories().collect());
        }
        let mut world = World::recovered(disk, BOOT, world.now_ms + 100);
        world.register();
        assert!(world.specs.is_empty());
        world.greet(vec![report(&b, ended), report(&container, Stage::Running)]);
        let lines: Vec<String> = world.runs(0).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, ["run c", "run d"], "what the launcher never heard of is run for the first time");
        assert!(world.specs.iter().all(|spec| spec.container != unheard && spec.argv[4].ends_with("/0")));
        assert_eq!(world.asked, [Request::Forget(vec![b.clone()])]);
    }
}

#[test]
fn a_run_whose_end_nobody_saw_does_not_count() {
    let mut world = World::ready();
    let container = world.start(graph(vec![of("a")], &[]));
    world.start_run("run a");
    world.apply(Input::LauncherClosed);
    world.advance(60_000);
    assert_eq!(world.specs.len(), 2, "nothing is begun while there is no launcher");
    world.greet(vec![report(&container, Stage::Running)]);
    world.advance(5_000);
    let a = world.start_run("run a");
    world.advance(1_000);
    assert_eq!(world.processes(), [("a".to_owned(), ProcessState::Running, 2, 0)]);
    world.ended(&a, Exit::Code(0));
    assert_eq!(world.asked.last(), Some(&Request::Destroy(container)));
}

#[test]
fn what_cannot_be_walked_is_refused_with_the_reason() {
    let with = |change: fn(&mut TaskInfo)| {
        let mut task = graph(vec![of("a"), of("b")], &[&["a", "b"]]);
        change(&mut task);
        task
    };
    let cases = [
        (with(|task| task.processes.as_mut().unwrap().processes.clear()), "needs a process"),
        (with(|task| task.command.as_mut().unwrap().value = Some("true".to_owned())), "nothing to run"),
        (
            with(|task| {
                task.processes.as_mut().unwrap().orders.push(ProcessOrder { order: vec!["b".into(), "a".into()] })
            }),
            "wait for each other",
        ),
        (
            with(|task| {
                let tty_info = Some(TtyInfo::default());
                let r#type = ContainerType::Mesos;
                task.container = Some(Box::new(ContainerInfo { r#type, tty_info, ..ContainerInfo::default() }));
            }),
            "container.tty_info",
        ),
    ];
    for (task, says) in cases {
        let mut world = World::ready();
        world.run(task);
        let message = world.sent.last().unwrap().status.message.clone().unwrap();
        assert!(message.contains(says), "{message}");
        assert!(world.specs.is_empty());
    }
}
