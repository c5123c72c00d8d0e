//! What an operator of Marathon has at hand: the API, the event stream, and apps whose health they decide.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::harness::{Cluster, PATIENCE};

/// A cluster, its events since it began, and the driver of the mock apps.
pub struct Operator {
    pub cluster: Cluster,
    pub events: Events,
    pub driver: Driver,
}

impl Operator {
    pub fn start() -> Operator {
        Operator::of(&[])
    }

    /// Of a cluster that is started with these options.
    pub fn of(options: &[&str]) -> Operator {
        let cluster = Cluster::start_with(options);
        let events = Events::follow(&format!("{}/v2/events", cluster.url()));
        Operator { cluster, events, driver: Driver::start() }
    }

    /// A request that must be answered with this status.
    pub fn ask(&self, wanted: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.cluster.request(method, path, body);
        assert_eq!(status, wanted, "{method} {path} {body:?}: {answer}");
        answer
    }

    /// Creates an app; its deployment's id.
    pub fn create(&self, app: &Value) -> String {
        let created = self.ask(201, "POST", "/v2/apps", Some(app));
        let deployments = created["deployments"].as_array().expect("deployments");
        assert_eq!(deployments.len(), 1, "exactly one deployment: {created}");
        text(&deployments[0]["id"])
    }

    pub fn create_and_wait(&self, app: &Value) {
        let deployment = self.create(app);
        self.deployed(&deployment);
    }

    pub fn deployed(&self, deployment: &str) {
        self.events.wait_for("deployment_success", |event| event["id"] == deployment);
    }

    pub fn deployment_failed(&self, deployment: &str) {
        self.events.wait_for("deployment_failed", |event| event["id"] == deployment);
    }

    /// A write that must be answered with 200, and whose deployment must succeed.
    pub fn deploy(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(200, method, path, body);
        self.deployed(&text(&answer["deploymentId"]));
        answer
    }

    pub fn task_ids(&self, app: &str) -> BTreeSet<String> {
        self.cluster.tasks(app).iter().map(|task| text(&task["id"])).collect()
    }

    /// Waits until so many tasks run; their ids.
    pub fn running(&self, app: &str, count: usize) -> BTreeSet<String> {
        self.cluster.until(&format!("{count} running tasks of {app}"), || {
            let tasks = self.cluster.tasks(app);
            let all_run = tasks.iter().all(|task| task["state"] == "TASK_RUNNING");
            (all_run && tasks.len() == count).then(|| tasks.iter().map(|task| text(&task["id"])).collect())
        })
    }

    /// An app's item in the launch queue, once it is as wanted.
    pub fn queued(&self, app: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.cluster.until(&format!("{app} in the queue"), || self.queue_item(app).filter(|item| wanted(item)))
    }

    pub fn queue_item(&self, app: &str) -> Option<Value> {
        let queue = self.ask(200, "GET", "/v2/queue", None);
        let items: Vec<Value> = queue["queue"].as_array().expect("a queue").clone();
        let mut own = items.into_iter().filter(|item| item["app"]["id"] == app);
        let first = own.next();
        assert!(own.next().is_none(), "one item per app: {queue}");
        first
    }

    pub fn deployments_of(&self, app: &str) -> Vec<String> {
        let plans = self.ask(200, "GET", "/v2/deployments", None);
        let touches = |plan: &&Value| plan["affectedApps"].as_array().is_some_and(|apps| apps.contains(&app.into()));
        plans.as_array().expect("plans").iter().filter(touches).map(|plan| text(&plan["id"])).collect()
    }

    /// An app whose answers the driver decides, with one check that is quick about it.
    pub fn mock(&self, app: &str, protocol: &str) -> Value {
        let mut app = json!({
            "id": app, "cmd": self.driver.command(), "cpus": 0.01, "mem": 32,
            "healthChecks": [{
                "protocol": protocol, "path": "/health", "portIndex": 0,
                "gracePeriodSeconds": 60, "intervalSeconds": 1, "timeoutSeconds": 20, "delaySeconds": 0, "maxConsecutiveFailures": 3,
            }],
        });
        if protocol == "COMMAND" {
            let check = app["healthChecks"][0].as_object_mut().expect("a check");
            check.remove("path");
            let asks = "import os, urllib.request as r; r.urlopen('http://%(HOST)s:%(PORT0)s/health' % os.environ)";
            check.insert("command".to_owned(), json!({"value": format!("python3 -c \"{asks}\"")}));
        }
        app
    }
}

/// Goes on where its input is a terminal, and fails elsewhere.
pub const NEEDS_A_TERMINAL: &str = "if [ -t 0 ] ; then sleep 100; else exit 1; fi";

pub fn sleeper(app: &str, instances: u32) -> Value {
    json!({"id": app, "cmd": "exec sleep 1000", "cpus": 0.01, "mem": 16, "instances": instances})
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// An instance's id and its incarnation, from a task's id.
pub fn instance(task: &str) -> (&str, u32) {
    let (instance, incarnation) = task.split_once("._app.").unwrap_or_else(|| panic!("{task} is no task id"));
    (instance, incarnation.parse().expect("a number"))
}

/// What has come on an event stream.
pub struct Events {
    seen: Arc<(Mutex<Vec<Value>>, Condvar)>,
}

impl Events {
    /// Follows a stream on a thread of its own, which ends with the stream. Returns after the first frame.
    pub fn follow(url: &str) -> Events {
        let request = ureq::get(url).header("accept", "text/event-stream");
        let answer = request.call().expect("an event stream");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let seen: Arc<(Mutex<Vec<Value>>, Condvar)> = Arc::default();
        let writer = Arc::clone(&seen);
        std::thread::spawn(move || {
            let lines = BufReader::new(answer.into_body().into_reader()).lines().map_while(Result::ok);
            let mut event_type = String::new();
            for line in lines {
                if let Some(named) = line.strip_prefix("event: ") {
                    named.clone_into(&mut event_type);
                }
                let Some(data) = line.strip_prefix("data: ") else { continue };
                let event: Value = serde_json::from_str(data).expect("JSON");
                assert_eq!(event["eventType"], event_type.as_str(), "frame and document agree");
                writer.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                writer.1.notify_all();
            }
        });
        let events = Events { seen };
        events.wait_until("the first frame", |seen| (!seen.is_empty()).then_some(()));
        events
    }

    /// Waits for an event, past ones included.
    pub fn wait_for(&self, event_type: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_until(event_type, |seen| {
            seen.iter().find(|event| event["eventType"] == event_type && wanted(event)).cloned()
        })
    }

    pub fn wait_until<T>(&self, what: &str, ask: impl Fn(&[Value]) -> Option<T>) -> T {
        let guard = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.seen.1.wait_timeout_while(guard, PATIENCE, |seen| ask(seen).is_none());
        let (seen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ask(&seen).unwrap_or_else(|| panic!("waited in vain for {what}; seen: {}", Value::from(seen.clone())))
    }

    /// Everything so far.
    pub fn seen(&self) -> Vec<Value> {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How the apps under a path answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Healthy,
    Unhealthy,
    /// An interim answer, and none behind it.
    Interim,
    /// No answer, however long one waits.
    Silent,
}

/// Answers for the mock apps, and remembers what they were asked.
pub struct Driver {
    port: u16,
    state: Arc<Mutex<DriverState>>,
}

#[derive(Default)]
struct DriverState {
    behaviours: BTreeMap<String, Behaviour>,
    asked: Vec<String>,
    unanswered: Vec<TcpStream>,
}

impl Driver {
    /// Listens on every address: checks of a fixed port come to that of their agent.
    fn start() -> Driver {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state: Arc<Mutex<DriverState>> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &shared);
            }
        });
        Driver { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    fn command(&self) -> String {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compatibility");
        format!("exec python3 {sources}/app_mock.py http://127.0.0.1:{}", self.port)
    }

    /// From now on, everything asked under the path is answered so.
    pub fn set(&self, path: &str, behaviour: Behaviour) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).behaviours.insert(path.to_owned(), behaviour);
    }

    /// Whether anybody has asked for something that starts so.
    pub fn was_asked(&self, start: &str) -> bool {
        self.first_asked(start).is_some()
    }

    /// When something that starts so was asked for first, in the order of all that was.
    pub fn first_asked(&self, start: &str) -> Option<usize> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.iter().position(|path| path.starts_with(start))
    }

    /// How often something that starts so was asked for.
    pub fn times_asked(&self, start: &str) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.iter().filter(|path| path.starts_with(start)).count()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<DriverState>) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let Some(path) = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)) else { return };
    // The whole head is read: closing a socket with unread bytes would reset it before the answer is read.
    let _ = lines.find(String::is_empty);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let under = |(start, _): &(&String, &Behaviour)| path.starts_with(&format!("{start}/"));
    let behaviour = state.behaviours.iter().filter(under).map(|(_, behaviour)| *behaviour).next_back();
    state.asked.push(path);
    let status = match behaviour.unwrap_or_default() {
        Behaviour::Healthy => "200 OK",
        Behaviour::Unhealthy => "503 Service Unavailable",
        Behaviour::Interim => "102 Processing",
        Behaviour::Silent => {
            state.unanswered.push(stream);
            return;
        }
    };
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
