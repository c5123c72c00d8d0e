//! A registry that sends whoever asks it to a server of tokens first.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::json;

use super::registry::{Access, PASSWORD, Registry, USER, busybox, can_pull};
use super::{finished, on_mesos, start};
use crate::agent::shell;

pub const ISSUER: &str = "the tests";
pub const SERVICE: &str = "images of the tests";
const LIFETIME_SECONDS: u64 = 300;

/// Gives everybody who says the password tokens to pull with.
pub struct TokenServer {
    pub address: String,
    /// What the registry is told to trust.
    pub certificate: String,
    seal: Arc<Seal>,
    /// The queries, and whether they were answered.
    asked: Arc<Mutex<Vec<(String, bool)>>>,
}

struct Seal {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Seal {
    fn token(&self, repository: &str, actions: &[&str]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(&self.certificate)]});
        let claims = json!({
            "iss": ISSUER, "aud": SERVICE, "sub": USER, "jti": uuid::Uuid::new_v4().to_string(),
            "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS,
            "access": [{"type": "repository", "name": repository, "actions": actions}],
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let said = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), said.as_bytes()).unwrap();
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl TokenServer {
    pub fn start() -> TokenServer {
        let pair = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([SERVICE.to_owned()]).unwrap().self_signed(&pair).unwrap();
        let key = pair.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key, &SystemRandom::new()).unwrap();
        let seal = Arc::new(Seal { key, certificate: certificate.der().to_vec() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let (own, heard) = (seal.clone(), asked.clone());
        // Goes with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who has gone does not need it.
                let _gone = answer(&own, &heard, stream);
            }
        });
        TokenServer { address, certificate: certificate.pem(), seal, asked }
    }

    /// What fills a repository.
    pub fn to_push(&self, repository: &str) -> String {
        self.seal.token(repository, &["pull", "push"])
    }
}

fn answer(seal: &Seal, asked: &Mutex<Vec<(String, bool)>>, mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut proof = None;
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        if name.eq_ignore_ascii_case("authorization") {
            proof = Some(value.to_owned());
        }
    }
    let query = request.split(' ').nth(1).and_then(|path| path.split_once('?')).map_or("", |(_, query)| query);
    let query = query.replace("%3A", ":").replace('+', " ");
    let scope = query.split('&').find_map(|parameter| parameter.strip_prefix("scope=repository:"));
    let repository = scope.and_then(|scope| scope.strip_suffix(":pull"));
    let known = proof == Some(format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}"))));
    let token = repository.filter(|_| known).map(|repository| seal.token(repository, &["pull"]));
    asked.lock().unwrap_or_else(PoisonError::into_inner).push((query.clone(), token.is_some()));
    let (status, body) = match token {
        Some(token) => ("200 OK", json!({"token": token, "expires_in": LIFETIME_SECONDS}).to_string()),
        None => ("401 Unauthorized", json!({"details": "who are you?"}).to_string()),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

#[test]
fn a_registry_that_wants_tokens_is_given_one_of_the_server_that_it_names() {
    if !can_pull() {
        return;
    }
    let tokens = TokenServer::start();
    let registry = Registry::start(Access::Tokens { server: &tokens, repository: "own" });
    registry.push("own", "latest", &[busybox()], json!({}));
    let image = registry.image("own");
    let auths =
        |password: &str| json!({"auths": {&registry.address: {"username": USER, "password": password}}}).to_string();
    let asked = || tokens.asked.lock().unwrap().clone();
    for (task, password) in [("wrong", "guess"), ("known", PASSWORD)] {
        let (master, agent) = start(&["--docker-config", &auths(password)]);
        master.run(vec![on_mesos(shell(task, "true"), &image)]);
        match task {
            "known" => drop(finished(&master, &agent, task)),
            _ => {
                let message = master.await_state(task, "TASK_FAILED").status.message.unwrap();
                assert!(message.contains("does not give the image"), "{message}");
                assert!(asked().iter().all(|(_, given)| !given), "{:?}", asked());
            }
        }
        agent.finish();
    }
    // In the words of the registry, and for nothing but what is pulled.
    let (query, given) = asked().pop().unwrap();
    assert!(given && query.contains("scope=repository:own:pull") && query.contains(&format!("service={SERVICE}")));
    let (master, agent) = start(&[]);
    master.run(vec![on_mesos(shell("stranger", "true"), &image)]);
    master.await_state("stranger", "TASK_FAILED");
    agent.finish();
}
