//! An image for benchmarks, and the registry that has it: this process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Makes an image of a static busybox in `directory` and serves it for as long as this process lives; returns its name.
pub(crate) fn serve(directory: &Path) -> String {
    let root = directory.join("root");
    fs::create_dir_all(root.join("bin")).expect("a directory");
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    for name in ["sh", "sleep"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).expect("a link");
    }
    let packed = directory.join("layer.tgz");
    let made = Command::new("tar").arg("-czf").arg(&packed).arg("-C").arg(&root).arg("bin").status();
    assert!(made.is_ok_and(|status| status.success()), "tar packs the layer");

    let mut blobs = BTreeMap::new();
    let mut keep = |kind: &str, bytes: Vec<u8>| -> Value {
        let file = directory.join("blob");
        fs::write(&file, &bytes).expect("a file");
        let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum").stdout;
        let digest = format!("sha256:{}", String::from_utf8_lossy(&sum[..64]));
        let described = json!({"mediaType": kind, "digest": digest, "size": bytes.len()});
        blobs.insert(format!("/v2/bench/blobs/{digest}"), bytes);
        described
    };
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": []}});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": keep("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes()),
        "layers": [keep("application/vnd.oci.image.layer.v1.tar+gzip", fs::read(&packed).expect("a layer"))],
    });
    blobs.insert("/v2/bench/manifests/1".to_owned(), manifest.to_string().into_bytes());

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who does not wait for the answer does not want it.
            let _gone = answer(stream, &blobs);
        }
    });
    format!("{address}/bench:1")
}

/// One request of a connection: what has its path, or nothing.
fn answer(mut stream: TcpStream, blobs: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let body = blobs.get(path).map_or(&b"{}"[..], Vec::as_slice);
    let kind = if path.contains("/manifests/") { MANIFEST } else { "application/octet-stream" };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
