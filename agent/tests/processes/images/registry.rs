//! Debian's `docker-registry` on this machine, filled with images that are made here of a static busybox.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tokens::{ISSUER, SERVICE, TokenServer};
use crate::ports::own_port;
use crate::support::{can_isolate, eventually};

pub const USER: &str = "me";
pub const PASSWORD: &str = "secret";
/// The above, as `htpasswd -B` writes it.
const ACCOUNTS: &str = "me:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// Whether images can be tried; says so when they cannot.
pub fn can_pull() -> bool {
    let there = Path::new("/usr/bin/docker-registry").exists() && Path::new("/bin/busybox").exists();
    if !there {
        println!("skipped: needs docker-registry and busybox-static");
    }
    there && can_isolate()
}

#[derive(Clone, Copy)]
pub enum Access<'a> {
    Everybody,
    /// Who says the password.
    User,
    /// Who has a token; the tests fill this repository.
    Tokens {
        server: &'a TokenServer,
        repository: &'a str,
    },
}

pub struct Registry {
    directory: tempfile::TempDir,
    pub address: String,
    /// What the tests themselves say.
    proof: Option<String>,
    process: Child,
}

impl Registry {
    pub fn start(access: Access<'_>) -> Registry {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        // It cannot choose a port by itself.
        let address = format!("127.0.0.1:{}", own_port());
        std::fs::write(root.join("accounts"), ACCOUNTS).unwrap();
        let (accounts, proof) = match access {
            Access::Everybody => (String::new(), None),
            Access::User => {
                let auth = format!("auth: {{htpasswd: {{realm: test, path: {}/accounts}}}}\n", root.display());
                (auth, Some(format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))))
            }
            Access::Tokens { server, repository } => {
                let trusted = root.join("trusted.pem");
                std::fs::write(&trusted, &server.certificate).unwrap();
                let auth = format!(
                    "auth: {{token: {{realm: 'http://{}/token', service: '{SERVICE}', issuer: '{ISSUER}', rootcertbundle: {}}}}}\n",
                    server.address,
                    trusted.display()
                );
                (auth, Some(format!("Bearer {}", server.to_push(repository))))
            }
        };
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}/data}}}}\nhttp: {{addr: '{address}'}}\n{accounts}",
            root.display()
        );
        std::fs::write(root.join("config.yml"), config).unwrap();
        let process = Command::new("/usr/bin/docker-registry")
            .arg("serve")
            .arg(root.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the registry listens", || std::net::TcpStream::connect(&address).ok());
        Registry { directory, address, proof, process }
    }

    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    fn put(&self, method: &str, url: &str, kind: &str, body: &[u8]) -> Option<String> {
        let mut request = ureq::http::Request::builder().method(method).uri(url).header("content-type", kind);
        if let Some(proof) = &self.proof {
            request = request.header("authorization", proof);
        }
        let answer = ureq::run(request.body(body).unwrap()).unwrap();
        answer.headers().get("location").map(|location| location.to_str().unwrap().to_owned())
    }

    /// Keeps bytes, and describes them.
    fn blob(&self, repository: &str, kind: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        let upload = self.put("POST", &format!("http://{}/v2/{repository}/blobs/uploads/", self.address), kind, b"");
        self.put("PUT", &format!("{}&digest={digest}", upload.unwrap()), "application/octet-stream", bytes);
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    }

    /// Makes an image of layers and what is said about running it.
    pub fn push(&self, repository: &str, tag: &str, layers: &[Vec<u8>], config: Value) -> String {
        let config = json!({"architecture": "amd64", "os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = serde_json::to_vec(&config).unwrap();
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| self.blob(repository, "application/vnd.oci.image.layer.v1.tar+gzip", layer))
            .collect();
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": self.blob(repository, "application/vnd.oci.image.config.v1+json", &config),
            "layers": layers,
        });
        self.publish(repository, tag, kind, &manifest)
    }

    /// Makes an index of one image for this platform, and one for another.
    pub fn push_index(&self, repository: &str, tag: &str, own: &str, other: &str) {
        let kind = "application/vnd.oci.image.index.v1+json";
        let entry = |digest: &str, architecture: &str| {
            let size = self.manifest_bytes(digest);
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let (this, that) = if cfg!(target_arch = "aarch64") { ("arm64", "amd64") } else { ("amd64", "arm64") };
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": [entry(other, that), entry(own, this)]});
        self.publish(repository, tag, kind, &index);
    }

    fn publish(&self, repository: &str, tag: &str, kind: &str, manifest: &Value) -> String {
        let bytes = serde_json::to_vec(manifest).unwrap();
        self.put("PUT", &format!("http://{}/v2/{repository}/manifests/{tag}", self.address), kind, &bytes);
        digest(&bytes)
    }

    fn manifest_bytes(&self, digest: &str) -> u64 {
        std::fs::metadata(self.data(digest)).unwrap().len()
    }

    /// Where the registry keeps something.
    fn data(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let path = format!("data/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
        self.directory.path().join(path)
    }

    /// Puts other bytes, as many, in the place of those with this digest.
    pub fn spoil(&self, bytes: &[u8]) {
        let spoilt: Vec<u8> = bytes.iter().rev().copied().collect();
        std::fs::write(self.data(&digest(bytes)), spoilt).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// One entry of a layer.
pub enum File<'a> {
    Directory(&'a str),
    Text(&'a str, &'a str),
    Link(&'a str, &'a str),
    HardLink(&'a str, &'a str),
    Program(&'a str),
    Device(&'a str),
}

/// A gzipped tar file.
pub fn layer(files: &[File<'_>]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    for file in files {
        let busybox = match file {
            File::Program(_) => std::fs::read("/bin/busybox").unwrap(),
            _ => Vec::new(),
        };
        let (name, kind, link, contents) = match file {
            File::Directory(name) => (name, tar::EntryType::Directory, "", &b""[..]),
            File::Text(name, text) => (name, tar::EntryType::Regular, "", text.as_bytes()),
            File::Link(name, target) => (name, tar::EntryType::Symlink, *target, &b""[..]),
            File::HardLink(name, target) => (name, tar::EntryType::Link, *target, &b""[..]),
            File::Program(name) => (name, tar::EntryType::Regular, "", &busybox[..]),
            File::Device(name) => (name, tar::EntryType::Block, "", &b""[..]),
        };
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, contents).unwrap();
    }
    let mut encoder = builder.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

/// The same layer in the form of xz, which is told by how it begins.
pub fn in_xz(layer: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(layer), &mut plain).unwrap();
    let Ok(mut xz) = Command::new("xz").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        println!("skipped: needs xz");
        return layer.to_vec();
    };
    let mut input = xz.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&plain).unwrap());
    let output = xz.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// A shell and what goes with it.
pub fn busybox() -> Vec<u8> {
    let tools = ["sh", "env", "id", "cat", "pwd", "ls", "sleep", "test", "true", "echo", "grep", "hostname", "touch"];
    let names: Vec<String> = tools.iter().map(|tool| format!("bin/{tool}")).collect();
    let links = names.iter().map(|name| File::Link(name, "busybox"));
    let base = [
        File::Directory("bin/"),
        File::Directory("etc/"),
        File::Directory("tmp/"),
        File::Directory("srv/"),
        File::Program("bin/busybox"),
        File::Text("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:1234:4321::/srv:/bin/sh\n"),
        File::Text("etc/group", "root:x:0:\nweb:x:4321:\n"),
        File::Text("etc/gone", "of the first layer\n"),
        File::Text("srv/old", "of the first layer\n"),
    ];
    layer(&base.into_iter().chain(links).collect::<Vec<_>>())
}
