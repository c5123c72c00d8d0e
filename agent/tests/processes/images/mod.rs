//! Tasks whose root is made from an image of a registry.

mod bridged;
mod cache;
mod executors;
mod graphs;
mod nested;
mod registry;
mod tokens;

use std::time::{Duration, Instant};

use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DiskInfo, DiskPersistence, DockerImage, DockerInfo, HealthCheck,
    HealthCheckType, Image, ImageType, MesosInfo, Parameter, Resource, Secret, SecretType, SecretValue, TaskInfo,
    TaskStatusReason, Volume, VolumeMode,
};
use serde_json::{Value, json};

use self::registry::{Access, File, PASSWORD, Registry, USER, busybox, can_pull, in_xz, layer};
use crate::agent::{Agent, scalar, shell};
use crate::master::Master;
use crate::support::{PATIENCE, eventually};

fn on_mesos(task: TaskInfo, image: &str) -> TaskInfo {
    let docker = DockerImage { name: image.to_owned(), ..DockerImage::default() };
    let image = Image { r#type: ImageType::Docker, docker: Some(docker), ..Image::default() };
    let mesos = Some(MesosInfo { image: Some(image) });
    let container = ContainerInfo { r#type: ContainerType::Mesos, mesos, ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

fn on_docker(task: TaskInfo, image: &str, parameters: &[(&str, &str)]) -> TaskInfo {
    let parameter = |(key, value): &(&str, &str)| Parameter { key: (*key).to_owned(), value: (*value).to_owned() };
    let docker = DockerInfo {
        image: image.to_owned(),
        parameters: parameters.iter().map(parameter).collect(),
        ..DockerInfo::default()
    };
    let container = ContainerInfo { r#type: ContainerType::Docker, docker: Some(docker), ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

/// A task that leaves everything to its image.
fn bare(task: &str, arguments: &[&str]) -> TaskInfo {
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    TaskInfo { command: Some(CommandInfo { shell: false, arguments, ..CommandInfo::default() }), ..shell(task, "") }
}

fn start(extra: &[&str]) -> (Master, Agent) {
    let master = Master::start();
    let cgroups = format!("attica-test-{}", uuid::Uuid::new_v4());
    let agent = Agent::start_with(&master, tempfile::tempdir().unwrap(), cgroups, extra);
    master.await_registration(1);
    (master, agent)
}

fn finished(master: &Master, agent: &Agent, task: &str) -> String {
    eventually(&format!("{task} ends"), || {
        ["TASK_FINISHED", "TASK_FAILED"].iter().find(|state| master.states(task).contains(state))
    });
    let states = master.states(task);
    let read = |name: &str| std::fs::read_to_string(agent.sandbox(task).join(name)).unwrap_or_default();
    if states.last() != Some(&"TASK_FINISHED") {
        let message = master.await_state(task, "TASK_FAILED").status.message;
        panic!("{task}: {states:?} {message:?}\n{}{}", read("stdout"), read("stderr"));
    }
    read("stdout")
}

fn web() -> Value {
    json!({"Env": ["PATH=/bin", "FROM_IMAGE=1", "BOTH=image"], "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["id -u; id -g; pwd; env"],
        "User": "web", "WorkingDir": "/srv"})
}

#[test]
fn what_an_image_says_counts_unless_the_task_says_otherwise() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "1", &[busybox()], web());
    let (master, agent) = start(&[]);
    let image = registry.image("web:1");
    let mut told = bare("told", &[]);
    let variable =
        attica_core_api::v1::Variable { name: "BOTH".to_owned(), value: Some("task".to_owned()), ..Default::default() };
    let environment = attica_core_api::v1::Environment { variables: vec![variable] };
    told.command.as_mut().unwrap().environment = Some(environment);
    let parameters = [
        ("workdir", "/tmp"),
        ("user", "7:8"),
        ("hostname", "elsewhere"),
        ("env", "EXTRA=x=y"),
        ("ulimit", "nofile=64"),
    ];
    master.run(vec![
        on_mesos(told, &image),
        on_mesos(bare("argues", &["echo $0 $FROM_IMAGE"]), &image),
        on_mesos(shell("shell", "id -u; cat /etc/passwd; test ! -e /root && touch /mnt/mesos/sandbox/made"), &image),
        on_docker(shell("docker", "id -u; id -g; pwd; hostname; ulimit -n; echo $EXTRA"), &image, &parameters),
        on_docker(bare("entry", &["hello"]), &image, &[("entrypoint", "/bin/echo")]),
    ]);
    let told = finished(&master, &agent, "told");
    assert_eq!(told.lines().take(3).collect::<Vec<_>>(), ["1234", "4321", "/srv"]);
    for line in ["FROM_IMAGE=1", "BOTH=task", "PATH=/bin", "MESOS_SANDBOX=/mnt/mesos/sandbox", "MESOS_TASK_ID=told"] {
        assert!(told.lines().any(|found| found == line), "{line} in {told}");
    }
    assert_eq!(finished(&master, &agent, "argues"), "/bin/sh 1\n");
    assert!(finished(&master, &agent, "shell").starts_with("1234\nroot:x:0:0::/:/bin/sh\nweb"));
    assert!(agent.sandbox("shell").join("made").exists());
    assert_eq!(finished(&master, &agent, "docker"), "7\n8\n/tmp\nelsewhere\n64\nx=y\n");
    assert_eq!(finished(&master, &agent, "entry"), "hello\n");
    eventually("nothing is left of the roots", || {
        (std::fs::read_dir(agent.work_dir().join("provisioner")).unwrap().count() == 0).then_some(())
    });
    agent.finish();
}

#[test]
fn a_user_is_the_machines_or_else_the_images() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "ghost:x:77:77::/:\n").unwrap();
    let passwd = "root:x:0:0::/:/bin/sh\nghost-app:x:1234:4321::/:\nnobody:x:1:1::/:\nsneaky:x:0:0::/:\n";
    let users = layer(&[File::Text("etc/passwd", passwd), File::Text("etc/group", "more:x:55:ghost-app\n")]);
    let lead_out = layer(&[File::Link("etc/passwd", &format!("/proc/1/root{}", outside.path().display()))]);
    registry.push("users", "1", &[busybox(), users], json!({}));
    registry.push("hostile", "1", &[busybox(), lead_out], json!({}));
    let (master, agent) = start(&[]);
    let of = |task: &str, user: &str, image: &str| {
        let mut task = on_mesos(
            shell(task, "id -u; id -g; id -G; echo > made; until test -s checked; do sleep 0.05; done"),
            &registry.image(image),
        );
        task.command.as_mut().unwrap().user = Some(user.to_owned());
        task
    };
    let check = HealthCheck {
        r#type: Some(HealthCheckType::Command),
        command: Some(CommandInfo {
            value: Some("test -s checked || id -u > checked".to_owned()),
            ..CommandInfo::default()
        }),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        ..HealthCheck::default()
    };
    let users = [("of-image", "ghost-app"), ("number", "4242"), ("of-machine", "nobody")];
    let checked = |(task, user)| TaskInfo { health_check: Some(check.clone()), ..of(task, user, "users:1") };
    master.run(users.map(checked).to_vec());
    assert_eq!(finished(&master, &agent, "of-image"), "1234\n4321\n4321 55\n");
    assert!(finished(&master, &agent, "number").starts_with("4242\n0\n"));
    assert!(finished(&master, &agent, "of-machine").starts_with("65534\n"));
    for (task, user) in [("of-image", "1234\n"), ("number", "4242\n"), ("of-machine", "65534\n")] {
        assert_eq!(std::fs::read_to_string(agent.sandbox(task).join("checked")).unwrap(), user, "checks of {task}");
    }
    let cases = [
        ("stranger", "ghost", "users:1", "the container's /etc/passwd has no user `ghost`"),
        ("sneaks", "sneaky", "users:1", "the container's /etc/passwd makes `sneaky` root"),
        ("led", "ghost", "hostile:1", "cannot read the container's /etc/passwd"),
    ];
    master.run(cases.map(|(task, user, image, _)| of(task, user, image)).to_vec());
    for (task, _, _, reason) in cases {
        let message = master.await_state(task, "TASK_FAILED").status.message.unwrap();
        assert!(message.contains(reason), "{task}: {message}");
    }
    agent.finish();
}

#[test]
fn layers_hide_what_they_remove_and_are_pulled_once() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    let second = layer(&[
        File::Text("etc/.wh.gone", ""),
        File::Directory("srv/"),
        File::Text("srv/.wh..wh..opq", ""),
        File::Text("srv/new", "of the second layer\n"),
        File::Link("absolute", "/etc/passwd"),
        File::HardLink("same", "srv/new"),
    ]);
    let own = registry.push("app", "own", &[busybox(), in_xz(&second)], json!({}));
    let other = registry.push("app", "other", &[busybox()], json!({"Cmd": ["/bin/false"]}));
    registry.push_index("app", "latest", &own, &other);
    let (master, agent) = start(&["--docker-registry", &registry.address]);
    let script = "ls /srv /etc; cat /same; grep -c web /absolute; echo written > /etc/gone";
    // By the registry of the agent's own, by the digest of its manifest.
    master.run(vec![on_mesos(shell("a", script), "app"), on_mesos(shell("b", script), &format!("app@{own}"))]);
    for task in ["a", "b"] {
        let told = finished(&master, &agent, task);
        let expected = "/etc:\ngroup\nhostname\nhosts\npasswd\nresolv.conf\n\n/srv:\nnew\nof the second layer\n1\n";
        let without_made =
            |text: &str| text.replace("hostname\n", "").replace("hosts\n", "").replace("resolv.conf\n", "");
        assert_eq!(without_made(&told), without_made(expected), "{task}");
    }
    let small = [File::Directory("bin/"), File::Program("bin/busybox"), File::Link("bin/sh", "busybox")];
    registry.push("small", "latest", &[layer(&small)], json!({}));
    master.run(vec![on_mesos(shell("small", "exit 0"), "small")]);
    finished(&master, &agent, "small");
    // Now nobody is there to be asked.
    drop(registry);
    master.run(vec![on_mesos(shell("c", "test ! -e /etc/gone"), "app")]);
    finished(&master, &agent, "c");
    // An operator has removed what is not used, though not at once after it was.
    let images = agent.work_dir().join("store/docker/images");
    for entry in std::fs::read_dir(&images).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
    }
    master.run(vec![on_mesos(shell("d", "exec sleep 1000"), &format!("app@{own}"))]);
    master.await_state("d", "TASK_RUNNING");
    let url = format!("http://{}/api/v1", agent.ready_address());
    let asked = ureq::post(&url).header("content-type", "application/json").send(r#"{"type":"PRUNE_IMAGES"}"#);
    assert_eq!(asked.unwrap().status(), 200);
    let left = |directory: &std::path::Path| std::fs::read_dir(directory).unwrap().count();
    assert_eq!((left(&images), left(&images.with_file_name("layers"))), (2, 2));
    agent.finish();
}

#[test]
fn checks_and_volumes_are_inside_and_survive_the_agent() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "latest", &[busybox()], json!({"Env": ["INSIDE=yes"], "WorkingDir": "/srv/made/by/nobody"}));
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("file"), "of the machine\n").unwrap();
    std::os::unix::fs::symlink("/etc", host.path().join("out")).unwrap();
    let allowed = host.path().to_str().unwrap();
    let (master, agent) =
        start(&["--host-path-volume-allow-list", allowed, "--host-path-volume-force-creation", allowed]);
    let image = registry.image("web");
    let volume = |mode, path: &str, host_path: String| Volume {
        mode,
        container_path: path.to_owned(),
        host_path: Some(host_path),
        ..Volume::default()
    };
    let persistence = DiskPersistence { id: "data".to_owned(), ..DiskPersistence::default() };
    let kept = Volume { mode: VolumeMode::ReadWrite, container_path: "kept".to_owned(), ..Volume::default() };
    let disk = DiskInfo { persistence: Some(persistence), volume: Some(kept), ..DiskInfo::default() };
    let disk = Resource { disk: Some(Box::new(disk)), role: Some("team".to_owned()), ..scalar("disk", 16.0) };
    let command = CommandInfo {
        value: Some("test $INSIDE = yes && test -e /srv/made/by/nobody/well".to_owned()),
        ..CommandInfo::default()
    };
    let check = HealthCheck {
        r#type: Some(HealthCheckType::Command),
        command: Some(command),
        delay_seconds: 0.0,
        interval_seconds: 0.1,
        grace_period_seconds: 60.0,
        ..HealthCheck::default()
    };
    let script = "cat /machine/file; touch /machine/no || echo protected; echo hello > /mnt/mesos/sandbox/kept/file; \
        touch well; exec sleep 1000";
    let mut task = on_mesos(shell("t", script), &image);
    task.resources.push(disk.clone());
    task.health_check = Some(check);
    task.container.as_mut().unwrap().volumes = vec![volume(VolumeMode::ReadOnly, "/machine", allowed.to_owned())];
    master.run(vec![task]);
    let healthy = |count: usize| {
        eventually("it is healthy", || {
            master.heard(|heard| {
                let told = heard.updates.iter().filter(|update| update.status.healthy == Some(true)).count();
                (told >= count).then_some(())
            })
        });
    };
    healthy(1);
    let agent = agent.crash_and_restart(&master);
    master.await_registration(2);
    assert_eq!(std::fs::read_to_string(agent.sandbox("t").join("stdout")).unwrap(), "of the machine\nprotected\n");
    let home = agent.work_dir().join("volumes/roles/team/data/file");
    assert_eq!(std::fs::read_to_string(&home).unwrap(), "hello\n");
    master.kill("t", Some(0));
    master.await_state("t", "TASK_KILLED");

    let volumes_of = |task: &str, script: &str, volumes: Vec<Volume>, rooted: bool| {
        let mut task = shell(task, script);
        match rooted {
            true => task = on_mesos(task, &image),
            false => {
                let container = ContainerInfo { r#type: ContainerType::Mesos, ..ContainerInfo::default() };
                task.container = Some(Box::new(container));
            }
        }
        task.container.as_mut().unwrap().volumes = volumes;
        task
    };
    let mut reads = volumes_of("reads", "grep hello kept/file && ! touch kept/no", Vec::new(), false);
    let mut read_only = disk;
    read_only.disk.as_mut().unwrap().volume.as_mut().unwrap().mode = VolumeMode::ReadOnly;
    reads.resources.push(read_only);
    let plain = volume(VolumeMode::ReadWrite, "deep/machine", allowed.to_owned());
    let made = volume(VolumeMode::ReadWrite, "/made", format!("{allowed}/new/deep"));
    master.run(vec![
        reads,
        volumes_of("plain", "grep machine deep/machine/file && touch deep/machine/written", vec![plain], false),
        volumes_of("makes", "touch /made/file", vec![made], true),
        volumes_of("outside", "true", vec![volume(VolumeMode::ReadOnly, "/x", "/etc".to_owned())], true),
        volumes_of("by_link", "true", vec![volume(VolumeMode::ReadOnly, "/x", format!("{allowed}/out"))], true),
    ]);
    finished(&master, &agent, "reads");
    finished(&master, &agent, "plain");
    finished(&master, &agent, "makes");
    assert!(host.path().join("new/deep/file").exists());
    assert!(host.path().join("written").exists() && home.exists());
    for (task, cause) in [("outside", "--host-path-volume-allow-list"), ("by_link", "a link leads from there")] {
        let message = master.await_state(task, "TASK_FAILED").status.message.unwrap();
        assert!(message.contains(cause), "{task}: {message}");
    }
    agent.finish();
}

#[test]
fn what_a_task_writes_into_its_root_is_of_its_disk() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "latest", &[busybox()], json!({}));
    let (master, agent) = start(&[
        "--isolation",
        "disk/du",
        "--enforce-container-disk-quota",
        "--container-disk-watch-interval-ms",
        "50",
    ]);
    let filling = |task: &str, megabytes: u32| {
        let script = format!("/bin/busybox dd if=/dev/zero of=/big bs=1048576 count={megabytes}; exec sleep 1000");
        let task = on_mesos(shell(task, &script), &registry.image("web"));
        TaskInfo { resources: task.resources.iter().cloned().chain([scalar("disk", 4.0)]).collect(), ..task }
    };
    master.run(vec![filling("modest", 1), filling("greedy", 8)]);
    let failed = master.await_state("greedy", "TASK_FAILED").status;
    assert_eq!(failed.reason, Some(TaskStatusReason::ContainerLimitationDisk));
    let message = failed.message.unwrap();
    assert!(message.starts_with("Disk usage (") && message.ends_with(" exceeds quota (4MB)"), "{message}");
    assert_eq!(master.states("modest").last(), Some(&"TASK_RUNNING"));
    agent.finish();
}

#[test]
fn what_cannot_be_pulled_fails_the_task_with_the_cause() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("good", "latest", &[busybox()], json!({}));
    let spoilt = layer(&[File::Text("file", "spoilt")]);
    registry.push("spoilt", "latest", std::slice::from_ref(&spoilt), json!({}));
    registry.spoil(&spoilt);
    let victim = format!("/tmp/attica-evil-{}", uuid::Uuid::new_v4());
    let through = format!("tmp/{}", victim.rsplit('/').next().unwrap());
    let hostile: [(&str, Vec<u8>, &str); 4] = [
        ("escape", layer(&[File::Text("../../../evil", "x")]), "leads out"),
        ("device", layer(&[File::Device("sda")]), "a device"),
        ("whiteout", layer(&[File::Text("a/../../.wh.etc", "")]), "leads out"),
        ("marks", layer(&[File::Text(".wh...", "")]), "leads out"),
    ];
    for (name, bytes, _) in &hostile {
        registry.push(name, "latest", std::slice::from_ref(bytes), json!({}));
    }
    let links = layer(&[File::Link("tmp", "/tmp"), File::Text(&through, "x")]);
    registry.push("links", "latest", &[links], json!({}));
    let stalls = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (master, agent) = start(&[]);
    let mut cases = vec![
        ("unknown_tag".to_owned(), registry.image("good:2"), "does not give the image"),
        ("unknown".to_owned(), registry.image("nothing"), "does not give the image"),
        ("spoilt".to_owned(), registry.image("spoilt"), "does not give the image"),
        ("name".to_owned(), "No Name".to_owned(), "no name of an image"),
        ("nothing".to_owned(), registry.image("good"), "says what to run"),
    ];
    cases.extend(hostile.iter().map(|(name, _, cause)| ((*name).to_owned(), registry.image(name), *cause)));
    master.run(cases.iter().map(|(task, image, _)| on_mesos(bare(task, &[]), image)).collect());
    let fails = |task: &str, cause: &str| {
        let status = master.await_state(task, "TASK_FAILED").status;
        assert_eq!(status.reason, Some(TaskStatusReason::ContainerLaunchFailed));
        let message = status.message.unwrap();
        assert!(message.contains(cause), "{task}: {message}");
    };
    cases.iter().for_each(|(task, _, cause)| fails(task, cause));
    master.run(vec![on_mesos(bare("links", &["x"]), &registry.image("links"))]);
    master.await_state("links", "TASK_FAILED");
    assert!(!std::path::Path::new(&victim).exists());
    let incoming = agent.work_dir().join("store/docker/incoming");
    eventually("nothing is left of them", || (std::fs::read_dir(&incoming).unwrap().count() == 0).then_some(()));
    // Only a registry that says nothing is to be given up soon.
    let agent = agent.crash_and_become(&master, |_program, extra| {
        extra.extend(["--docker-stall-seconds", "1"].map(str::to_owned));
    });
    master.await_registration(2);
    master.run(vec![on_mesos(bare("stalls", &[]), &format!("{}/a", stalls.local_addr().unwrap()))]);
    fails("stalls", "nothing came for 1 s");
    // A kill does not wait for a registry.
    master.run(vec![on_mesos(bare("killed", &[]), &format!("{}/b", stalls.local_addr().unwrap()))]);
    master.kill("killed", None);
    master.await_state("killed", "TASK_KILLED");
    agent.finish();
}

#[test]
fn a_registry_gives_images_to_those_it_knows() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::User);
    registry.push("own", "latest", &[busybox()], json!({}));
    let auths =
        |password: &str| json!({"auths": {&registry.address: {"username": USER, "password": password}}}).to_string();
    let image = registry.image("own");
    let with_secret = |task: &str, password: &str| {
        let mut task = on_mesos(shell(task, "true"), &image);
        let data = auths(password).into_bytes().into();
        let secret = Secret { r#type: Some(SecretType::Value), value: Some(SecretValue { data }), ..Secret::default() };
        let mesos = task.container.as_mut().unwrap().mesos.as_mut().unwrap();
        mesos.image.as_mut().unwrap().docker.as_mut().unwrap().config = Some(secret);
        task
    };
    let (master, agent) = start(&[]);
    master.run(vec![on_mesos(shell("stranger", "true"), &image), with_secret("wrong", "guess")]);
    master.await_state("stranger", "TASK_FAILED");
    master.await_state("wrong", "TASK_FAILED");
    master.run(vec![with_secret("known", PASSWORD)]);
    finished(&master, &agent, "known");
    agent.finish();
    let (master, agent) = start(&["--docker-config", &auths(PASSWORD)]);
    master.run(vec![on_mesos(shell("agent", "true"), &image)]);
    finished(&master, &agent, "agent");
    agent.finish();
}

/// Prints row i4 of the goals: what an image that is here adds to the start of a task.
#[test]
fn an_image_that_is_here_is_started_without_its_registry() {
    if !can_pull() {
        return;
    }
    let registry = Registry::start(Access::Everybody);
    registry.push("web", "latest", &[busybox()], json!({}));
    let (master, agent) = start(&[]);
    let image = registry.image("web");
    let until_running = |task: TaskInfo| {
        let name = task.task_id.to_string();
        let begun = Instant::now();
        master.run(vec![task]);
        while !master.states(&name).contains(&"TASK_RUNNING") {
            assert!(begun.elapsed() < PATIENCE, "{name}: {:?}", master.states(&name));
            std::thread::yield_now();
        }
        begun.elapsed()
    };
    let first = until_running(on_mesos(shell("first", "exec sleep 1000"), &image));
    // From now on nobody is there who could be asked for it.
    drop(registry);
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let runs = 0..15;
    let plain = runs.clone().map(|run| until_running(shell(&format!("plain{run}"), "exec sleep 1000"))).collect();
    let again =
        runs.map(|run| until_running(on_mesos(shell(&format!("again{run}"), "exec sleep 1000"), &image))).collect();
    let (plain, again) = (median(plain), median(again));
    let ratio = again.as_secs_f64() / plain.as_secs_f64();
    // How much more that is, is for a quiet machine to say.
    println!("first start of an image {first:?}, again {again:?}, a plain command {plain:?}: {ratio:.2} times as long");
    agent.finish();
}
