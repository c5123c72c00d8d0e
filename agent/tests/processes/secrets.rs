//! Secrets of tasks: sealed ones, which nothing on the machine shows but the task, and those of frameworks that do not seal.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use attica_core_api::secrets::{ClearText, Purpose, SealingKey, in_reference};
use attica_core_api::v1::{
    ContainerInfo, ContainerType, Environment, Secret, SecretReference, SecretType, SecretValue, TaskId, TaskInfo,
    Variable, VariableType, Volume, VolumeMode, VolumeSource, VolumeSourceType,
};

use crate::agent::{Agent, shell};
use crate::master::Master;
use crate::support::{can_isolate, eventually};

const VALUE: &str = "correct horse $battery 'staple'";

/// A directory with a key, which other users can look into.
fn with_key() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("key");
    SealingKey::make_file(&path).unwrap();
    (directory, path)
}

fn sealed(key: &Path, task: &str) -> Secret {
    let value = ClearText::new(VALUE.as_bytes().to_vec());
    let key = SealingKey::read(key).unwrap();
    in_reference(&key.seal(&value, Purpose::Task(&TaskId::from(task))).unwrap())
}

fn plain(value: &str) -> Secret {
    let value = SecretValue { data: value.as_bytes().to_vec().into() };
    Secret { r#type: Some(SecretType::Value), value: Some(value), reference: None }
}

fn with_variables(mut task: TaskInfo, secrets: &[(&str, Secret)]) -> TaskInfo {
    let variable = |(name, secret): &(&str, Secret)| Variable {
        name: (*name).to_owned(),
        r#type: VariableType::Secret,
        value: None,
        secret: Some(secret.clone()),
    };
    let environment = Environment { variables: secrets.iter().map(variable).collect() };
    task.command.as_mut().unwrap().environment = Some(environment);
    task
}

fn with_file(task: TaskInfo, path: &str, secret: Secret) -> TaskInfo {
    let source =
        VolumeSource { r#type: Some(VolumeSourceType::Secret), secret: Some(secret), ..VolumeSource::default() };
    let volume = Volume {
        mode: VolumeMode::ReadOnly,
        container_path: path.to_owned(),
        source: Some(source),
        ..Volume::default()
    };
    let container = ContainerInfo { r#type: ContainerType::Mesos, volumes: vec![volume], ..ContainerInfo::default() };
    TaskInfo { container: Some(Box::new(container)), ..task }
}

fn start(master: &Master, directory: tempfile::TempDir, extra: &[&str]) -> Agent {
    Agent::start_with(master, directory, format!("attica-test-{}", uuid::Uuid::new_v4()), extra)
}

/// Regular files beneath a directory that contain a text.
fn containing(directory: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            containing(&entry.path(), text, found);
        } else if kind.is_file() {
            // What goes meanwhile contains nothing.
            let contents = std::fs::read(entry.path()).unwrap_or_default();
            if contents.windows(text.len()).any(|part| part == text.as_bytes()) {
                found.push(entry.path());
            }
        }
    }
}

#[test]
fn a_task_finds_its_secrets_in_its_environment_and_in_files_and_nobody_else_does() {
    if !can_isolate() {
        return;
    }
    let (directory, key) = with_key();
    let master = Master::start();
    let agent = start(&master, directory, &["--secrets-key-file", key.to_str().unwrap()]);
    master.await_registration(1);
    let told = master.heard(|heard| heard.registrations[0].agent_info.attributes.clone());
    let told = told.into_iter().find(|attribute| attribute.name == "secrets").unwrap().text.unwrap().value;
    assert_eq!(told, SealingKey::read(&key).unwrap().id().as_str());

    let script = "(echo x > a/b/file) 2>/dev/null || echo protected > draft; stat -c '%a %U' a/b/file >> draft; \
                  cat a/b/file >> draft; echo \"|$SEALED|$PLAIN\" >> draft; mv draft seen; exec sleep 1000";
    let task = with_variables(shell("t", script), &[("SEALED", sealed(&key, "t")), ("PLAIN", plain("in the open"))]);
    let mut task = with_file(task, "a/b/file", sealed(&key, "t"));
    task.command.as_mut().unwrap().user = Some("nobody".to_owned());
    master.run(vec![task]);
    master.await_state("t", "TASK_RUNNING");
    let sandbox = agent.sandbox("t");
    let seen = eventually("the task has looked", || std::fs::read_to_string(sandbox.join("seen")).ok());
    assert_eq!(seen, format!("protected\n400 nobody\n{VALUE}|{VALUE}|in the open\n"));
    assert_eq!(std::fs::read(sandbox.join("a/b/file")).unwrap(), b"", "the machine sees where it is mounted");
    let mut found = Vec::new();
    containing(agent.directory(), VALUE, &mut found);
    let own = sandbox.canonicalize().unwrap().join("seen");
    assert_eq!(found, [own], "what the task itself has written");
    master.kill("t", Some(0));
    master.await_state("t", "TASK_KILLED");
    assert_eq!(std::fs::read(sandbox.join("a/b/file")).unwrap(), b"");
    agent.finish();
}

#[test]
fn a_task_whose_secrets_cannot_be_had_fails_and_says_why() {
    let (directory, key) = with_key();
    let (_others, other_key) = with_key();
    let master = Master::start();
    let agent = start(&master, directory, &[]);
    master.await_registration(1);
    let kept = SecretReference { name: "attica.kept".to_owned(), key: Some("/db/password".to_owned()) };
    let kept = Secret { r#type: Some(SecretType::Reference), reference: Some(kept), value: None };
    let task = |name: &str, secret: Secret| with_variables(shell(name, "exit 0"), &[("SECRET", secret)]);
    let failure = |name: &str| {
        let status = master.await_state(name, "TASK_FAILED").status;
        status.message.unwrap()
    };
    master.run(vec![
        task("keyless", sealed(&key, "keyless")),
        task("elsewhere", kept),
        task("shapeless", Secret::default()),
        task("plain", plain("value")),
        task("nul", plain("a\0b")),
    ]);
    for (name, why) in [
        ("keyless", "--secrets-key-file"),
        ("elsewhere", "`attica.kept` leads to nothing"),
        ("shapeless", "has to have either a `value`"),
        ("nul", "the command cannot be told to the system"),
    ] {
        let message = failure(name);
        assert!(message.contains(why), "{name}: {message}");
    }
    master.await_state("plain", "TASK_FINISHED");
    let agent = agent.crash_and_become(&master, |_program, extra| {
        extra.extend(["--secrets-key-file".to_owned(), other_key.display().to_string()]);
        // It says more of itself than before.
        extra.extend(["--reconfiguration-policy".to_owned(), "additive".to_owned()]);
    });
    master.await_registration(2);
    master.run(vec![task("other", sealed(&key, "other")), task("moved", sealed(&other_key, "elsewhere"))]);
    for name in ["other", "moved"] {
        let message = failure(name);
        assert!(message.contains("sealed under another key, for something else"), "{name}: {message}");
    }
    master.run(vec![task("own", sealed(&other_key, "own"))]);
    master.await_state("own", "TASK_FINISHED");
    agent.finish();
}
