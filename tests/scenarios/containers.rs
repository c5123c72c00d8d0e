//! Apps that run in containers: what is fetched for them, images from a registry on this machine, and networks of their own.

#![allow(clippy::print_stderr, reason = "why a test was skipped goes where the runner shows it")]

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::Cluster;
use crate::harness::ports::own_port;

/// Whether networks can be made; says so when they cannot.
pub(crate) fn can_connect() -> bool {
    let needed = ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/bin/python3"];
    let missing = needed.iter().find(|program| !Path::new(program).exists());
    if let Some(missing) = missing {
        eprintln!("skipped: needs {missing}");
    }
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: networks need root");
    }
    missing.is_none() && root
}

/// An archive with a page in it.
fn site(directory: &Path) -> String {
    let site = directory.join("site");
    fs::create_dir(&site).expect("a directory");
    fs::write(site.join("index.html"), "fetched").expect("a page");
    let archive = directory.join("site.tgz");
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(directory).arg("site").status();
    assert!(packed.expect("tar").success());
    format!("file://{}", archive.display())
}

pub(crate) fn page(url: &str, host: &str) -> Option<String> {
    let answer = ureq::get(url).header("host", host).call().ok()?;
    answer.into_body().read_to_string().ok()
}

#[test]
fn an_app_on_the_bridge_is_brought_its_files_and_reached_by_its_mapping() {
    if !can_connect() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut cluster = Cluster::start_with_interfaces();
    let web = json!({
        "id": "/bridged", "cmd": "cd site && exec python3 -m http.server 8000", "instances": 2, "cpus": 0.1, "mem": 32,
        "fetch": [{"uri": site(directory.path())}],
        "networks": [{"mode": "container/bridge"}],
        "container": {"type": "MESOS", "portMappings": [{"containerPort": 8000, "hostPort": 0, "name": "http"}]},
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 2}],
        "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "bridged.localhost"},
    });
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&web));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created.get("portDefinitions"), None, "{created}");
    let service_port = created["container"]["portMappings"][0]["servicePort"].as_u64();
    assert!(service_port.is_some_and(|port| (10_000..=20_000).contains(&port)), "{created}");

    // Both listen at the same number, each in a network of its own.
    let tasks = cluster.until_settled("/bridged", 2);
    for task in &tasks {
        let host = task["host"].as_str().expect("a host");
        let address = task["ipAddresses"][0]["ipAddress"].as_str().expect("an address");
        assert_ne!(address, host, "{task}");
        assert_eq!(task["healthCheckResults"][0]["alive"], true, "{task}");
        let url = format!("http://{host}:{}/", task["ports"][0]);
        let found = cluster.until("the task to answer at its host port", || page(&url, host));
        assert_eq!(found, "fetched", "{task}");
    }
    let by_name = format!("http://{}/", cluster.lb_address());
    let found = cluster.until("the load balancer to route to it", || page(&by_name, "bridged.localhost"));
    assert_eq!(found, "fetched");

    let (status, deleted) = cluster.request("DELETE", "/v2/apps//bridged", None);
    assert_eq!(status, 200, "{deleted}");
    cluster.until("its tasks to be gone", || {
        (cluster.get("/v2/tasks").1["tasks"] == Value::Array(Vec::new())).then_some(())
    });
    cluster.stop_up();
}

/// Debian's registry, on this machine.
pub(crate) struct Registry {
    directory: tempfile::TempDir,
    address: String,
    process: Child,
}

impl Registry {
    pub(crate) const PROGRAM: &str = "/usr/bin/docker-registry";

    pub(crate) fn start(cluster: &Cluster) -> Registry {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // It cannot choose a port by itself.
        let address = format!("127.0.0.1:{}", own_port());
        let data = directory.path().join("data");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            data.display()
        );
        let file = directory.path().join("config.yml");
        fs::write(&file, config).expect("a configuration");
        let mut command = Command::new(Self::PROGRAM);
        command.arg("serve").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("the registry starts");
        cluster.until("the registry to listen", || TcpStream::connect(&address).ok());
        Registry { directory, address, process }
    }

    fn put(&self, method: &str, url: &str, kind: &str, body: &[u8]) -> Option<String> {
        let request = ureq::http::Request::builder().method(method).uri(url).header("content-type", kind);
        let answer = ureq::run(request.body(body).expect("a request")).expect("an answer");
        answer.headers().get("location").map(|location| location.to_str().expect("text").to_owned())
    }

    /// Keeps bytes, and describes them.
    fn keep(&self, kind: &str, bytes: &[u8]) -> Value {
        let file = self.directory.path().join("blob");
        fs::write(&file, bytes).expect("a file");
        let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum").stdout;
        let digest = format!("sha256:{}", String::from_utf8_lossy(&sum[..64]));
        let upload = self.put("POST", &format!("http://{}/v2/web/blobs/uploads/", self.address), kind, b"");
        let upload = upload.expect("a place for it");
        self.put("PUT", &format!("{upload}&digest={digest}"), "application/octet-stream", bytes);
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    }

    /// Makes the image `web:1`, of a busybox that serves a page.
    pub(crate) fn make_web(&self) -> String {
        let root = self.directory.path().join("root");
        fs::create_dir_all(root.join("bin")).expect("a directory");
        fs::create_dir_all(root.join("www")).expect("a directory");
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox");
        fs::write(root.join("www/index.html"), "from the image").expect("a page");
        let layer = self.directory.path().join("layer.tgz");
        let packed = Command::new("tar").arg("-czf").arg(&layer).arg("-C").arg(&root).args(["bin", "www"]).status();
        assert!(packed.expect("tar").success());
        let layer = fs::read(layer).expect("a layer");
        let runs = json!({"Entrypoint": ["/bin/busybox"], "Cmd": ["httpd", "-f", "-p", "8000", "-h", "/www"]});
        let config = json!({"architecture": "amd64", "os": "linux", "config": runs, "rootfs": {"type": "layers", "diff_ids": []}});
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": self.keep("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": [self.keep("application/vnd.oci.image.layer.v1.tar+gzip", &layer)],
        });
        let url = format!("http://{}/v2/web/manifests/1", self.address);
        self.put("PUT", &url, kind, manifest.to_string().as_bytes());
        format!("{}/web:1", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

#[test]
fn an_app_runs_what_its_image_says_with_a_directory_of_its_sandbox_in_it() {
    let there = Path::new(Registry::PROGRAM).exists() && Path::new("/bin/busybox").exists();
    if !there {
        return eprintln!("skipped: needs docker-registry and busybox-static");
    }
    if !can_connect() {
        return;
    }
    let mut cluster = Cluster::start_with_interfaces();
    let registry = Registry::start(&cluster);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let web = json!({
        "id": "/image", "cpus": 0.1, "mem": 32,
        "container": {
            "type": "DOCKER",
            "docker": {"image": registry.make_web(), "network": "BRIDGE", "portMappings": [{"containerPort": 8000, "hostPort": 0}]},
            "volumes": [{"containerPath": "/www/more", "hostPath": "site", "mode": "RO"}],
        },
        "fetch": [{"uri": site(directory.path())}],
        "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 2}],
    });
    let (status, created) = cluster.request("POST", "/v2/apps", Some(&web));
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["networks"], json!([{"mode": "container/bridge"}]));

    let task = cluster.until_settled("/image", 1).remove(0);
    let at = format!("http://{}:{}", task["host"].as_str().expect("a host"), task["ports"][0]);
    let found = cluster.until("the task to answer", || page(&format!("{at}/"), "localhost"));
    assert_eq!(found, "from the image", "{task}");
    let found = cluster.until("what is mounted", || page(&format!("{at}/more/"), "localhost"));
    assert_eq!(found, "fetched", "{task}");

    assert_eq!(cluster.request("DELETE", "/v2/apps//image", None).0, 200);
    let gone = || (cluster.get("/v2/tasks").1["tasks"] == Value::Array(Vec::new())).then_some(());
    cluster.until("its task to be gone", gone);
    cluster.stop_up();
}
