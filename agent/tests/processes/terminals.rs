//! Tasks with terminals of their own, which nobody's end but their own takes away.

use attica_core_api::v1::{ContainerInfo, ContainerType, TaskInfo, TtyInfo, WindowSize};
use serde_json::json;

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::nested::{Stream, container, member};
use crate::support::{can_isolate, eventually, kill_hard, pids};

fn with_terminal(task: TaskInfo, window_size: Option<WindowSize>) -> TaskInfo {
    let tty_info = Some(TtyInfo { window_size });
    let container = ContainerInfo { r#type: ContainerType::Mesos, tty_info, ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

fn output(agent: &Agent, task: &str) -> String {
    std::fs::read_to_string(agent.sandbox(task).join("stdout")).unwrap_or_default()
}

#[test]
fn a_task_has_a_terminal_if_it_asks_for_one() {
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let script = "if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then exit 0; else exit 1; fi";
    master.run(vec![with_terminal(shell("with", script), None), shell("without", script)]);
    master.await_state("with", "TASK_FINISHED");
    let without = master.await_state("without", "TASK_FAILED").status;
    assert_eq!(without.message.as_deref(), Some("Command exited with status 1"));
    agent.finish();
}

#[test]
fn a_terminal_outlives_agent_and_launcher_and_is_written_to_by_one_at_a_time() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    let script = "trap 'stty size' WINCH; stty size; \
        while :; do read line && echo \"<$line>\"; if [ \"$line\" = end ]; then exit 6; fi; done";
    let size = WindowSize { rows: 30, columns: 100 };
    master.run(vec![with_terminal(shell("t", script), Some(size))]);
    let id = container(&master, "t");
    eventually("it says what size it has", || output(&agent, "t").starts_with("30 100\r\n").then_some(()));
    let attach = member("ATTACH_CONTAINER_OUTPUT", json!({ "container_id": id }));
    let mut screen = Stream::open(&agent.ready_address(), &attach);
    let mut input = Stream::input(&agent.ready_address(), &id);
    input.stdin("one\n");
    assert!(screen.text("STDOUT", |text| text.contains("<one>")).contains("one"));
    let mut second = Stream::input(&agent.ready_address(), &id);
    assert_eq!(second.head().0, 409, "somebody writes to it already");
    let control = json!({ "type": "TTY_INFO", "tty_info": { "window_size": { "rows": 50, "columns": 132 } } });
    input.record(&json!({ "type": "PROCESS_IO", "process_io": { "type": "CONTROL", "control": control } }));
    screen.text("STDOUT", |text| text.contains("50 132\r\n"));
    drop((screen, input));

    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let launcher = agent.launcher_pid();
    kill_hard(launcher);
    eventually("there is another launcher", || (agent.launcher_pid() != launcher).then_some(()));
    let address = agent.ready_address();
    let mut screen = Stream::open(&address, &attach);
    let mut input = Stream::input(&address, &id);
    input.stdin("two\nend\n");
    let shown = screen.text("STDOUT", |_| false);
    assert!(shown.contains("<two>\r\n") && shown.ends_with("<end>\r\n"), "all of it is shown: {shown:?}");
    assert_eq!(input.head().0, 200, "answered when there is nothing more to write to");
    master.await_state("t", "TASK_FAILED");
    assert!(output(&agent, "t").ends_with("<end>\r\n"));
    let runtime = agent.work_dir().join("run").canonicalize().unwrap();
    let is_keeper = |pid: &i32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm == "attica-terminal\n" && std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == runtime)
    };
    eventually("nothing is left of it", || pids().find(is_keeper).is_none().then_some(()));
    let sockets = || std::fs::read_dir(runtime.join("terminals")).unwrap().count();
    eventually("its socket is gone", || (sockets() == 0).then_some(()));
    agent.finish();
}
