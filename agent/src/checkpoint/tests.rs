//! What is written is what is read.

use super::*;

fn record(container: &str) -> TaskRecord {
    TaskRecord::new(
        ContainerId::new(container).unwrap(),
        "f".into(),
        FrameworkInfo::default(),
        TaskInfo::default(),
        None,
        None,
    )
}

fn executor() -> History {
    let container = ContainerId::new("e1").unwrap();
    let info = ExecutorInfo { executor_id: "e".into(), ..ExecutorInfo::default() };
    let record = ExecutorRecord::new(
        container,
        "f".into(),
        FrameworkInfo::default(),
        "a".into(),
        info,
        Some("secret".to_owned()),
    );
    let entries = vec![ExecutorEntry::Started, ExecutorEntry::Ending(EndCause::NotRegistered)];
    History::Executor(Box::new(ExecutorHistory { record, entries }))
}

fn of_task(task: &TaskHistory) -> History {
    History::Task(Box::new(task.clone()))
}

fn history() -> TaskHistory {
    let uuid = Bytes::copy_from_slice(uuid::Uuid::from_u128(7).as_bytes());
    let update = StatusUpdate { framework_id: "f".into(), sequence: 1, ..StatusUpdate::default() };
    let standing = TaskStanding {
        state: TaskState::Running,
        updates: 9,
        running_since: Some(1.5),
        checks: vec![CheckStanding { failures: 2, healthy: Some(false), ..CheckStanding::default() }],
        heard: vec![uuid::Uuid::from_u128(9)],
    };
    let entries = vec![
        TaskEntry::Update(Box::new(update)),
        TaskEntry::Killing { cause: KillCause::Requested, grace_ms: 5 },
        TaskEntry::Acknowledged(uuid),
        TaskEntry::Standing(Box::new(standing)),
    ];
    TaskHistory { record: record("c1"), entries }
}

fn note(checkpoints: &mut Checkpoints, task: &TaskHistory) {
    checkpoints.begin(&task.record);
    task.entries.iter().for_each(|entry| checkpoints.add(&task.record.container, entry));
}

fn load(directory: &Path) -> Loaded {
    Checkpoints::open(directory).unwrap().1
}

#[test]
fn tasks_and_executors_are_read_as_they_were_written_until_they_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    let (history, other) = (history(), TaskHistory { record: record("c0"), entries: Vec::new() });
    note(&mut checkpoints, &history);
    note(&mut checkpoints, &other);
    checkpoints.tell(&executor());
    checkpoints.write(std::iter::empty()).unwrap();
    let found = || load(directory.path()).into_iter().map(Result::unwrap).collect::<Vec<History>>();
    assert_eq!(found(), [of_task(&history), of_task(&other), executor()]);
    checkpoints.forget(&history.record.container);
    checkpoints.forget(executor().container());
    checkpoints.write(std::iter::empty()).unwrap();
    assert_eq!(found(), [of_task(&other)]);
}

#[test]
fn a_spoiled_line_makes_its_task_unusable_and_is_kept_for_people() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    let good = TaskHistory { record: record("good"), entries: Vec::new() };
    note(&mut checkpoints, &history());
    note(&mut checkpoints, &good);
    checkpoints.write(std::iter::empty()).unwrap();
    let entry = r#"{"happened":{"killing":{"cause":"requested","grace_ms":1}}}"#;
    let spoiled = ["c1 {\"happened\":{\n", "nobody\n", &format!("stranger {entry}\n"), &format!("c1 {entry}\n")];
    checkpoints.tasks.append(spoiled.concat().as_bytes()).unwrap();
    let found = load(directory.path());
    assert!(
        matches!(
            &found[..],
            [
                Err(CheckpointError::Corrupt { line: 7, .. }),
                Ok(task),
                Err(CheckpointError::Disorder { line: 9, .. }),
                Err(CheckpointError::Nameless { line: 8, .. }),
            ] if *task == of_task(&good)
        ),
        "{found:?}"
    );
    let aside = std::fs::read_to_string(directory.path().join("meta/corrupt")).unwrap();
    assert!(spoiled.iter().all(|line| aside.contains(line)) && !aside.contains("good"), "{aside}");
}

#[test]
fn what_could_not_be_written_is_made_up_for_by_writing_everything_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    let (meta, away) = (directory.path().join("meta"), directory.path().join("away"));
    std::fs::rename(&meta, &away).unwrap();
    note(&mut checkpoints, &history());
    assert!(matches!(checkpoints.write(std::iter::empty()), Err(CheckpointError::File { .. })));
    assert!(matches!(checkpoints.write(std::iter::once(of_task(&history()))), Err(CheckpointError::File { .. })));
    assert!(matches!(checkpoints.write(std::iter::once(of_task(&history()))), Err(CheckpointError::Lacking { .. })));
    std::fs::rename(&away, &meta).unwrap();
    assert!(load(directory.path()).is_empty());
    checkpoints.replace_after = Instant::now();
    checkpoints.write(std::iter::once(of_task(&history()))).unwrap();
    assert_eq!(load(directory.path()).pop().unwrap().unwrap(), of_task(&history()));
}

#[test]
fn the_journal_stays_in_proportion_to_the_tasks() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    note(&mut checkpoints, &history());
    let entry = TaskEntry::Update(Box::default());
    for _ in 0..200 {
        (0..1_000).for_each(|_| checkpoints.add(&history().record.container, &entry));
        checkpoints.write(std::iter::once(of_task(&history()))).unwrap();
        assert!(std::fs::metadata(checkpoints.tasks.path()).unwrap().len() < 8 << 20);
    }
    assert_eq!(checkpoints.completeness, Completeness::Complete);
}

#[test]
fn an_identity_is_whole_or_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let (checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    assert_eq!(checkpoints.load_agent().unwrap(), None);
    let record = AgentRecord::new("a-S0".into(), AgentInfo::default(), 4, "boot".to_owned());
    checkpoints.store_agent(&record).unwrap();
    assert_eq!(checkpoints.load_agent().unwrap(), Some(record));
    let whole = std::fs::read(&checkpoints.agent).unwrap();
    std::fs::write(&checkpoints.agent, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(checkpoints.load_agent(), Err(CheckpointError::Corrupt { .. })));
    let newer = String::from_utf8(whole).unwrap().replacen("\"format\":1", "\"format\":2", 1);
    std::fs::write(&checkpoints.agent, newer).unwrap();
    assert!(matches!(checkpoints.load_agent(), Err(CheckpointError::Format { found: 2, .. })));
}
