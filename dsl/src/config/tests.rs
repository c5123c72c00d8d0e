//! A registry of our own on this machine, and everything one can answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use clap::Parser;
use serde_json::Value as Json;

use super::registry::Registry;
use super::{Reading, to_json};

/// Answers requests by their first line and token until the test ends; returns the address.
fn registry() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let own = address.clone();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, &own)));
    address
}

fn serve(mut stream: TcpStream, own: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let has_token = head.iter().any(|line| line.eq_ignore_ascii_case("authorization: Bearer open"));
    let digest = format!("Docker-Content-Digest: sha256:{}\r\n", "0a".repeat(32));
    let challenge = |realm: &str| {
        format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"reg,istry\",scope=\"repository:x:pull\"\r\n")
    };
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, headers, body) = match path {
        "/v2/team/open/manifests/1.0" => ("200 OK", digest, ""),
        "/v2/team/closed/manifests/1.0" if has_token => ("200 OK", digest, ""),
        "/v2/team/closed/manifests/1.0" => ("401 Unauthorized", challenge(&format!("{own}/token")), ""),
        "/token?service=reg%2Cistry&scope=repository%3Ax%3Apull" => ("200 OK", String::new(), "{\"token\":\"open\"}"),
        "/v2/away/manifests/1" => ("401 Unauthorized", challenge("http://example.com/token"), ""),
        "/v2/mute/manifests/1" => ("401 Unauthorized", challenge(&format!("{own}/mute")), ""),
        "/mute" | "/mute?service=reg%2Cistry&scope=repository%3Ax%3Apull" => ("200 OK", String::new(), "no token"),
        "/v2/basic/manifests/1" => ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(), ""),
        "/v2/secret/manifests/1" => ("403 Forbidden", String::new(), ""),
        "/v2/busy/manifests/1" => ("429 Too Many Requests", String::new(), ""),
        "/v2/broken/manifests/1" => ("500 Internal Server Error", String::new(), ""),
        "/v2/moved/manifests/1" => ("307 Temporary Redirect", "Location: http://example.com/\r\n".to_owned(), ""),
        "/v2/plain/manifests/1" => ("200 OK", String::new(), ""),
        "/v2/odd/manifests/1" => ("200 OK", "Docker-Content-Digest: sha256:../..\r\n".to_owned(), ""),
        _ => ("404 Not Found", String::new(), ""),
    };
    let body_header = format!("Content-Length: {}\r\nConnection: close\r\n", body.len());
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n{headers}{body_header}\r\n{body}").as_bytes());
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    reading: Reading,
}

/// What a job of that image comes to.
fn read(image: &str, address: &str) -> Json {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("image.aurora");
    let text = format!(
        "p = Process(name = 'p', cmdline = 'true')\n\
         t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))\n\
         jobs = [Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t,\n\
         container = Docker(image = '{{{{docker.image{image}}}}}'))]\n"
    );
    std::fs::write(&file, text).unwrap();
    let words = ["x", file.to_str().unwrap(), "--image-digests", "registry", "--image-registry", address];
    to_json(&Line::parse_from(words).reading.load().unwrap())[0].clone()
}

#[test]
fn tags_become_digests() {
    let address = registry();
    let host = address.strip_prefix("http://").unwrap();
    for name in ["team/open", "team/closed"] {
        let job = read(&format!("[{name}][1.0]"), &address);
        let expected = format!("{host}/{name}@sha256:{}", "0a".repeat(32));
        assert_eq!(job["config"]["container"]["image"], expected, "{job}");
    }
}

#[test]
fn what_a_registry_does_not_tell_is_an_error_at_its_place() {
    let address = registry();
    for (image, expected) in [
        ("[team/open][2.0]", "no such image or tag"),
        ("[away][1]", "sends for a token to `http://example.com/token`, which is not asked"),
        ("[mute][1]", "gives no token"),
        ("[basic][1]", "asks for a password"),
        ("[secret][1]", "does not show it to everybody"),
        ("[busy][1]", "asked less often"),
        ("[broken][1]", "answers 500"),
        ("[moved][1]", "answers 307"),
        ("[plain][1]", "names no sha256 digest"),
        ("[odd][1]", "names no sha256 digest"),
        ("[../up][1]", "no name of an image"),
        ("[team/open][-x]", "no tag"),
    ] {
        let job = read(image, &address);
        let error = &job["errors"][0];
        assert!(error["message"].as_str().is_some_and(|message| message.contains(expected)), "{image}: {job}");
        assert_eq!(error["place"]["line"], 4, "{job}");
        assert_eq!(job["errors"].as_array().map(Vec::len), Some(1), "{job}");
    }
    let gone = read("[team/open][1.0]", "http://127.0.0.1:1");
    assert!(gone["errors"][0]["message"].as_str().is_some_and(|message| message.contains("does not answer")), "{gone}");
}

#[test]
fn a_registry_is_asked_over_tls_or_on_this_machine() {
    for address in ["http://example.com", "ftp://localhost", "example.com:5000", "http://10.0.0.1:5000"] {
        assert!(Registry::new(address).is_err(), "{address}");
    }
    for address in ["https://example.com:5000", "http://localhost:5000", "http://[::1]:5000"] {
        assert!(Registry::new(address).is_ok(), "{address}");
    }
}
