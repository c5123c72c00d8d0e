//! Programs that are run within tasks by hand, through pipes and through a terminal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE, attica};

/// A command of the client in a terminal of its own, as a person has it.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    /// Held to see what became of it.
    slave: OwnedFd,
    before: Termios,
    chunks: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    /// `attica task …` in a terminal of 24 rows and 80 columns.
    pub(crate) fn open(cluster: &Cluster, args: &[&str]) -> Terminal {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let before = tcgetattr(pty.slave.as_fd()).expect("its settings");
        let end = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        // Whoever resizes a terminal reaches those who have it as their own.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(attica().get_program()).arg("task").args(args).env("ATTICA_ADDR", cluster.url());
        let command = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("setsid runs");
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().expect("a descriptor");
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keyboard, slave: pty.slave, before, chunks, shown: String::new() }
    }

    pub(crate) fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("typed");
    }

    /// Waits until this is shown, and returns what was shown up to it since the last time.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.chunks.recv_timeout(left) {
                Ok(chunk) => self.shown.push_str(&String::from_utf8_lossy(&chunk)),
                Err(_) => panic!("waited in vain for {text:?}; shown: {:?}", self.shown),
            }
        }
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).expect("resized");
    }

    /// The exit status; the terminal has to be what it was.
    pub(crate) fn end(mut self) -> Option<i32> {
        let status = self.child.wait().expect("ours");
        assert_eq!(tcgetattr(self.slave.as_fd()).expect("its settings"), self.before);
        status.code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

/// Runs `attica task exec …` with this on its standard input.
fn exec(cluster: &Cluster, args: &[&str], input: &[u8]) -> Output {
    let mut command = attica();
    command.args(["task", "exec"]).args(args).env("ATTICA_ADDR", cluster.url());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("attica runs");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may end before it has read everything.
        let _unread = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("ours");
    writer.join().expect("written");
    output
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// How many processes have this word in their command line.
fn running(word: &str) -> usize {
    let lines = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|one| one == word.as_bytes())).count()
}

#[test]
fn programs_within_a_task_are_talked_to_through_pipes_and_a_terminal() {
    let mut cluster = Cluster::start();
    let app = json!({"id": "/host", "cmd": "while [ ! -e stop ]; do echo beat; sleep 0.1; done; echo over; exit 4",
        "env": {"COLOUR": "green"}, "instances": 1, "cpus": 0.1, "mem": 64, "maxLaunchDelaySeconds": 1});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    let task = cluster.until_settled("/host", 1)[0]["id"].as_str().expect("an id").to_owned();
    let task = task.as_str();

    // Pipes: what it reads ends, its two streams are told apart, and its exit status is passed on.
    let echoed = exec(&cluster, &["-i", task, "--", "cat"], b"hi\n");
    assert_eq!(told(&echoed), (Some(0), "hi\n".into(), String::new()));
    let both = exec(&cluster, &[task, "sh", "-c", "cat; echo $COLOUR; pwd >&2; exit 7"], b"unread");
    let (status, out, err) = told(&both);
    assert_eq!((status, out.as_str()), (Some(7), "green\n"));
    assert!(err.contains("/runs/"), "it begins in the sandbox: {err}");
    assert_eq!(told(&exec(&cluster, &[task, "sh", "-c", "kill -9 $$"], b"")).0, Some(137));
    let (status, _, err) = told(&exec(&cluster, &[task, "no-such-program"], b""));
    assert_eq!(status, Some(1));
    assert!(err.contains("no-such-program"), "{err}");
    assert!(told(&exec(&cluster, &["nothing", "true"], b"")).2.contains("no task has the id"));
    assert!(told(&exec(&cluster, &["-it", task, "true"], b"")).2.contains("leave -t out"));
    let much = vec![b'x'; 5_000_000];
    let counted = exec(&cluster, &["-i", task, "--", "sh", "-c", "tee copy | wc -c; cat copy"], &much);
    let (status, out, _) = told(&counted);
    assert!(status == Some(0) && out.starts_with("5000000\n") && out.len() == 5_000_008, "{status:?} {}", out.len());

    // A terminal: of this one's size, that changes; every key goes there.
    let mut terminal = Terminal::open(&cluster, &["exec", "-it", task, "--", "sh"]);
    terminal.type_in("PS1=; stty size; echo $TERM $((6*7))\n");
    terminal.until("24 80\r\nxterm 42\r\n");
    terminal.resize(50, 132);
    // What is typed may overtake it.
    cluster.until("it to have another size", || {
        terminal.type_in("stty size; echo to''ld\n");
        terminal.until("told\r\n").contains("50 132\r\n").then_some(())
    });
    terminal.type_in("echo sleep''ing; sleep 7654399\n");
    terminal.until("sleeping\r\n");
    cluster.until("it to sleep", || (running("7654399") > 0).then_some(()));
    terminal.type_in("\u{3}");
    cluster.until("it to be interrupted", || (running("7654399") == 0).then_some(()));
    terminal.type_in("exit 5\n");
    assert_eq!(terminal.end(), Some(5));

    // Whoever leaves takes the program along.
    let mut terminal = Terminal::open(&cluster, &["exec", "-it", task, "sleep", "7654398"]);
    cluster.until("it to sleep", || (running("7654398") > 1).then_some(()));
    terminal.child.kill().expect("it runs");
    cluster.until("it to be gone", || (running("7654398") == 0).then_some(()));
    drop(terminal);

    // A task of several processes is one to be in as well.
    let graph = json!({"id": "/graph", "processGraph": {"processes": [{"name": "one", "cmd": "exec sleep 1000"}]}, "cpus": 0.1, "mem": 64});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&graph)).0, 201);
    let of_graph = cluster.until_settled("/graph", 1)[0]["id"].as_str().expect("an id").to_owned();
    let (status, out, _) = told(&exec(&cluster, &[&of_graph, "ls", ".logs/one/0"], b""));
    assert_eq!((status, out.as_str()), (Some(0), "stderr\nstdout\n"));

    // What the task itself writes, until it ends.
    let mut attached = attica();
    attached.args(["task", "attach", task]).env("ATTICA_ADDR", cluster.url());
    let mut attached = attached.stdout(Stdio::piped()).spawn().expect("attica runs");
    let mut shown = BufReader::new(attached.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    assert_eq!(shown.next().as_deref(), Some("beat"));
    // Its end takes every program within it along: this one may be done by then, or not yet.
    let _stopped = exec(&cluster, &[task, "touch", "stop"], b"");
    assert_eq!(shown.last().as_deref(), Some("over"));
    assert_eq!(attached.wait().expect("ours").code(), Some(4));

    // A task with a terminal of its own is written to by whoever is attached, and goes on when they have let go.
    let script = "while read line; do echo \"<$line>\"; [ \"$line\" != end ] || exit 3; done";
    let app = json!({"id": "/typed", "cmd": script, "tty": true, "instances": 1, "cpus": 0.1, "mem": 64, "backoffSeconds": 3600});
    assert_eq!(cluster.request("POST", "/v2/apps", Some(&app)).0, 201);
    let typed = cluster.until_settled("/typed", 1)[0]["id"].as_str().expect("an id").to_owned();
    let mut terminal = Terminal::open(&cluster, &["attach", "-i", &typed]);
    terminal.type_in("hello\r");
    terminal.until("<hello>\r\n");
    terminal.type_in("\u{10}\u{11}");
    assert_eq!(terminal.end(), Some(0));
    let mut terminal = Terminal::open(&cluster, &["attach", "-i", &typed]);
    terminal.type_in("end\r");
    terminal.until("<end>\r\n");
    assert_eq!(terminal.end(), Some(3));

    for app in ["/host", "/graph", "/typed"] {
        assert_eq!(cluster.request("DELETE", &format!("/v2/apps/{app}"), None).0, 200);
    }
    let gone = || (cluster.get("/v2/tasks").1["tasks"] == Value::Array(Vec::new())).then_some(());
    cluster.until("its task to be gone", gone);
    cluster.stop_up();
}
