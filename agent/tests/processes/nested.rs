//! Containers of operators, over the agent's API: within tasks and by themselves, with streams and terminals.

use std::io::{Read, Write};
use std::net::TcpStream;

use attica_core_api::http::{Client, Protocol};
use attica_core_api::recordio::{self, Decoder};
use serde_json::{Value, json};

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::support::{PATIENCE, can_isolate, eventually, pids};

/// One call, and what came of it.
pub fn call(master: &Master, address: &str, call: &Value) -> (u16, String) {
    let uri = format!("http://{address}/api/v1").parse().unwrap();
    let headers = [(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"))];
    master.block_on(async {
        let client = Client::new(Protocol::Http1, PATIENCE);
        let response = client.post(&uri, headers.into_iter().collect(), call.to_string().into()).await.unwrap();
        (response.status().as_u16(), client.text(response, 1 << 20).await)
    })
}

pub fn member(kind: &str, content: Value) -> Value {
    json!({ "type": kind, kind.to_ascii_lowercase(): content })
}

/// A connection on which something is streamed in either direction, in RecordIO of JSON.
pub struct Stream {
    connection: TcpStream,
    decoder: Decoder,
    unread: Vec<u8>,
}

impl Stream {
    /// Begins a request whose body goes on.
    pub fn begin(address: &str, headers: &str) -> Stream {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(connection, "POST /api/v1 HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n{headers}\r\n")
            .unwrap();
        Stream { connection, decoder: Decoder::new(1 << 20), unread: Vec::new() }
    }

    /// A call that is answered with a stream.
    pub fn open(address: &str, call: &Value) -> Stream {
        let accept =
            "content-type: application/json\r\naccept: application/recordio\r\nmessage-accept: application/json\r\n";
        let mut stream = Stream::begin(address, accept);
        stream.write(call.to_string().as_bytes());
        stream.end();
        assert_eq!(stream.head().0, 200);
        stream
    }

    pub fn input(address: &str, id: &Value) -> Stream {
        let headers = "content-type: application/recordio\r\nmessage-content-type: application/json\r\n";
        let mut stream = Stream::begin(address, headers);
        stream.record(&json!({ "type": "CONTAINER_ID", "container_id": id }));
        stream
    }

    pub fn record(&mut self, input: &Value) {
        let call = member("ATTACH_CONTAINER_INPUT", input.clone());
        self.write(&recordio::encode(call.to_string().as_bytes()));
    }

    pub fn stdin(&mut self, text: &str) {
        use base64::Engine as _;
        let data = base64::engine::general_purpose::STANDARD.encode(text);
        self.record(&json!({ "type": "PROCESS_IO", "process_io": { "type": "DATA", "data": { "type": "STDIN", "data": data } } }));
    }

    fn write(&mut self, bytes: &[u8]) {
        write!(self.connection, "{:x}\r\n", bytes.len()).unwrap();
        self.connection.write_all(bytes).unwrap();
        self.connection.write_all(b"\r\n").unwrap();
    }

    fn end(&mut self) {
        self.connection.write_all(b"0\r\n\r\n").unwrap();
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return String::from_utf8(line[..end].to_vec()).unwrap();
            }
            assert!(self.more() > 0, "the answer ended early");
        }
    }

    fn more(&mut self) -> usize {
        let mut buffer = [0; 4_096];
        let length = self.connection.read(&mut buffer).unwrap();
        self.unread.extend_from_slice(&buffer[..length]);
        length
    }

    /// Status and headers of the answer.
    pub fn head(&mut self) -> (u16, Vec<String>) {
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())).collect();
        (status, headers)
    }

    /// The next record; `None` at the end.
    fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(record) = self.decoder.next_record().unwrap() {
                return Some(serde_json::from_slice(&record).unwrap());
            }
            let length = usize::from_str_radix(&self.line(), 16).unwrap();
            while self.unread.len() < length + 2 {
                assert!(self.more() > 0, "the answer ended within a chunk");
            }
            let chunk: Vec<u8> = self.unread.drain(..length + 2).collect();
            if length == 0 {
                return None;
            }
            self.decoder.push(&chunk[..length]);
        }
    }

    /// What was written to one of the program's streams until `enough`, or to the end.
    pub fn text(&mut self, kind: &str, enough: impl Fn(&str) -> bool) -> String {
        use base64::Engine as _;
        let mut text = String::new();
        while !enough(&text) {
            let Some(record) = self.next() else { return text };
            if record["data"]["type"] == kind {
                let data = record["data"]["data"].as_str().unwrap();
                let data = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
                text.push_str(&String::from_utf8_lossy(&data));
            }
        }
        text
    }
}

/// The id of the container of a task that runs.
pub fn container(master: &Master, task: &str) -> Value {
    let status = master.await_state(task, "TASK_RUNNING").status;
    json!({ "value": status.container_status.unwrap().container_id.unwrap().value })
}

pub fn within(parent: &Value, name: &str) -> Value {
    json!({ "value": name, "parent": parent })
}

pub fn exit_status(master: &Master, address: &str, id: &Value) -> i64 {
    let (status, answer) = call(master, address, &member("WAIT_CONTAINER", json!({ "container_id": id })));
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str::<Value>(&answer).unwrap()["wait_container"]["exit_status"].as_i64().unwrap()
}

pub fn lives(marker: &str) -> Option<i32> {
    pids().find(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == marker.as_bytes()))
    })
}

#[test]
fn containers_within_a_task_last_through_a_restart_of_the_agent_and_end_with_the_task() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("t", "exec sleep 1000")]);
    let whole = container(&master, "t");
    let address = agent.ready_address();
    let launch = |id: &Value, script: &str| {
        member("LAUNCH_CONTAINER", json!({ "container_id": id, "command": { "value": script } }))
    };
    let quick = within(&whole, "quick");
    assert_eq!(call(&master, &address, &launch(&quick, "echo hello; cd ..; pwd; exit 3")).0, 200);
    assert_eq!(exit_status(&master, &address, &quick), 3 << 8);
    let sandbox = agent.sandbox("t").canonicalize().unwrap();
    let output = std::fs::read_to_string(sandbox.join("containers/quick/stdout")).unwrap();
    assert_eq!(output, format!("hello\n{}\n", sandbox.join("containers").display()));
    let long = within(&whole, "long");
    assert_eq!(call(&master, &address, &launch(&long, "exec sleep 7654321")).0, 200);
    assert_eq!(call(&master, &address, &launch(&long, "true")).0, 202);
    assert_eq!(call(&master, &address, &launch(&within(&json!({ "value": "no" }), "x"), "true")).0, 404);
    let deeper = within(&long, "deeper");
    assert_eq!(call(&master, &address, &launch(&deeper, "exec sleep 7654322")).0, 200);
    let containers = member("GET_CONTAINERS", json!({ "show_nested": true }));
    let shown: Value = serde_json::from_str(&call(&master, &address, &containers).1).unwrap();
    let ids: Vec<&Value> = shown["get_containers"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| &container["container_id"])
        .collect();
    assert_eq!(ids, [&whole, &long, &deeper]);

    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    let address = agent.ready_address();
    for marker in ["7654321", "7654322"] {
        eventually("they go on", || lives(marker));
    }
    let removed = member("REMOVE_CONTAINER", json!({ "container_id": quick }));
    assert_eq!(call(&master, &address, &removed), (200, String::new()));
    assert!(!sandbox.join("containers/quick").exists());
    assert_eq!(call(&master, &address, &removed).0, 404);
    let heeds = within(&whole, "heeds");
    let script = "trap 'echo heard; exit 6' USR1; echo ready; while :; do sleep 0.1; done";
    assert_eq!(call(&master, &address, &launch(&heeds, script)).0, 200);
    let heard = sandbox.join("containers/heeds/stdout");
    eventually("it is ready", || std::fs::read_to_string(&heard).ok().filter(|text| text == "ready\n"));
    let signal = |number: i32| member("KILL_CONTAINER", json!({ "container_id": heeds, "signal": number }));
    assert_eq!(call(&master, &address, &signal(0)).0, 400);
    assert_eq!(call(&master, &address, &signal(10)).0, 200);
    assert_eq!(exit_status(&master, &address, &heeds), 6 << 8);
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "ready\nheard\n");
    let kill = member("KILL_CONTAINER", json!({ "container_id": deeper }));
    assert_eq!(call(&master, &address, &kill).0, 200);
    assert_eq!(exit_status(&master, &address, &deeper), 9);
    master.kill("t", Some(0));
    master.await_state("t", "TASK_KILLED");
    eventually("what was within it has ended", || lives("7654321").is_none().then_some(()));
    agent.finish();
}

/// How many bytes a process that waits for something has written so far.
fn written(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let bytes = io.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()?;
    stat.rsplit(") ").next()?.starts_with('S').then_some(bytes)
}

#[test]
fn a_session_reads_and_writes_and_ends_with_its_connection() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("t", "exec sleep 1000")]);
    let whole = container(&master, "t");
    let address = agent.ready_address();
    let session = |name: &str, script: &str| {
        let content = json!({ "container_id": within(&whole, name), "command": { "value": script } });
        Stream::open(&address, &member("LAUNCH_NESTED_CONTAINER_SESSION", content))
    };
    let mut output = session("talk", "echo to stderr >&2; while read line; do echo \"<$line>\"; done; exit 4");
    let talk = within(&whole, "talk");
    let mut input = Stream::input(&address, &talk);
    input.stdin("one\ntw");
    assert_eq!(output.text("STDOUT", |text| text.ends_with('\n')), "<one>\n");
    input.stdin("o\n");
    // An empty piece is the end of the program's input.
    input.stdin("");
    assert_eq!(output.text("STDOUT", |_| false), "<two>\n");
    assert_eq!(exit_status(&master, &address, &talk), 4 << 8);
    assert_eq!(input.head().0, 200, "answered when there is nothing more to write to");

    let output = session("forsaken", "echo here; exec sleep 7654323");
    eventually("it runs", || lives("7654323"));
    let mut listener = Stream::open(
        &address,
        &member("ATTACH_CONTAINER_OUTPUT", json!({ "container_id": within(&whole, "forsaken") })),
    );
    drop(output);
    eventually("it has ended", || lives("7654323").is_none().then_some(()));
    while listener.next().is_some() {}

    // More than anybody has taken yet: it waits.
    let mut flood = session("flood", "exec head -c 20000001 /dev/zero");
    let mut earlier = None;
    eventually("it writes no more", || {
        let now = lives("20000001").and_then(written);
        let waits = now.is_some_and(|bytes| bytes > 0) && now == earlier;
        earlier = now;
        waits.then_some(())
    });
    assert_eq!(flood.text("STDOUT", |_| false).len(), 20_000_001);
    agent.finish();
}

#[test]
fn a_terminal_has_a_size_that_changes() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("t", "exec sleep 1000")]);
    let whole = container(&master, "t");
    let address = agent.ready_address();
    let id = within(&whole, "tty");
    let size = |rows: u32, columns: u32| json!({ "window_size": { "rows": rows, "columns": columns } });
    let launch = json!({
        "container_id": id,
        "command": { "value": "trap 'stty size' WINCH; stty size; tty; while :; do read line && break; done; echo got $line; exit 7" },
        "container": { "type": "MESOS", "tty_info": size(24, 80) },
    });
    let mut output = Stream::open(&address, &member("LAUNCH_NESTED_CONTAINER_SESSION", launch));
    let begun = output.text("STDOUT", |text| text.contains("/dev/pts/"));
    assert!(begun.starts_with("24 80\r\n"), "{begun:?}");
    let mut input = Stream::input(&address, &id);
    let control = json!({ "type": "TTY_INFO", "tty_info": size(50, 132) });
    input.record(&json!({ "type": "PROCESS_IO", "process_io": { "type": "CONTROL", "control": control } }));
    let resized = output.text("STDOUT", |text| text.contains("50 132\r\n"));
    assert!(resized.contains("50 132\r\n"), "{resized:?}");
    input.stdin("hi\n");
    let rest = output.text("STDOUT", |_| false);
    assert!(rest.contains("got hi\r\n"), "{rest:?}");
    assert_eq!(exit_status(&master, &address, &id), 7 << 8);

    let lasting = within(&whole, "lasting");
    let launch = json!({
        "container_id": lasting,
        "command": { "value": "stty size" },
        "container": { "type": "MESOS", "tty_info": size(25, 81) },
    });
    assert_eq!(call(&master, &address, &member("LAUNCH_CONTAINER", launch)), (200, String::new()));
    assert_eq!(exit_status(&master, &address, &lasting), 0);
    eventually("its terminal's output is kept", || {
        let output = std::fs::read_to_string(agent.sandbox("t").join("containers/lasting/stdout")).ok();
        output.filter(|text| text == "25 81\r\n")
    });
    agent.finish();
}

#[test]
fn the_output_of_a_task_is_followed_until_it_ends() {
    if !can_isolate() {
        return;
    }
    let master = Master::start();
    let agent = Agent::start(&master);
    master.await_registration(1);
    master.run(vec![shell("t", "echo before; while [ ! -e go ]; do sleep 0.05; done; echo after; echo wrong >&2")]);
    let whole = container(&master, "t");
    eventually("it has begun", || {
        std::fs::read_to_string(agent.sandbox("t").join("stdout")).ok().filter(|text| !text.is_empty())
    });
    let attach = member("ATTACH_CONTAINER_OUTPUT", json!({ "container_id": whole }));
    let mut output = Stream::open(&agent.ready_address(), &attach);
    let first = output.next().unwrap();
    assert_eq!(first["control"]["type"], "HEARTBEAT");
    std::fs::write(agent.sandbox("t").join("go"), "").unwrap();
    let mut kinds = Vec::new();
    while let Some(record) = output.next() {
        kinds.push((
            record["data"]["type"].as_str().unwrap().to_owned(),
            record["data"]["data"].as_str().unwrap().to_owned(),
        ));
    }
    let expected = [("STDOUT", "YWZ0ZXIK"), ("STDERR", "d3JvbmcK")];
    assert_eq!(kinds, expected.map(|(kind, data)| (kind.to_owned(), data.to_owned())));
    agent.finish();
}
