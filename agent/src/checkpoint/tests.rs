//! What is written is what is read.

use super::*;

fn record(container: &str) -> TaskRecord {
    TaskRecord::new(ContainerId::new(container).unwrap(), "f".into(), Arc::default(), Arc::default(), None, None)
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

fn line(container: &str, entry: &TaskEntry) -> String {
    let mut line = Vec::new();
    journal::push_line(&ContainerId::new(container).unwrap(), &Line::Happened(entry), &mut line).unwrap();
    String::from_utf8(line).unwrap()
}

#[test]
fn a_spoiled_line_makes_its_task_unusable_and_is_kept_for_people() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    let good = TaskHistory { record: record("good"), entries: Vec::new() };
    note(&mut checkpoints, &history());
    note(&mut checkpoints, &good);
    checkpoints.write(std::iter::empty()).unwrap();
    let entry = TaskEntry::Killing { cause: KillCause::Requested, grace_ms: 1 };
    let spoiled = ["c1 {\"happened\":{\n", "nobody\n", &line("stranger", &entry), &line("c1", &entry)];
    checkpoints.tasks.append(spoiled.concat().as_bytes()).unwrap();
    let (mut checkpoints, found) = Checkpoints::open(directory.path()).unwrap();
    assert!(
        matches!(
            &found[..],
            [
                Err(Unusable { error: CheckpointError::Damaged { line: 7, .. }, record: Some(begun), .. }),
                Ok(task),
                Err(Unusable { error: CheckpointError::Disorder { line: 9, .. }, container: Some(_), record: None }),
                Err(Unusable { error: CheckpointError::Nameless { line: 8, .. }, container: None, record: None }),
            ] if *task == of_task(&good) && **begun == history().record
        ),
        "{found:?}"
    );
    let aside = std::fs::read_to_string(directory.path().join("meta/corrupt")).unwrap();
    assert!(spoiled.iter().all(|line| aside.contains(line)) && !aside.contains("good"), "{aside}");
    checkpoints.write(std::iter::once(of_task(&good))).unwrap();
    assert_eq!(load(directory.path()).into_iter().map(Result::unwrap).collect::<Vec<_>>(), [of_task(&good)]);

    // What was found once is not lost by what is found later, and nothing is put aside that is as it was written.
    let aside = || std::fs::read_to_string(directory.path().join("meta/corrupt")).unwrap();
    let before = aside();
    checkpoints.forget(&good.record.container);
    checkpoints.write(std::iter::empty()).unwrap();
    let (mut checkpoints, found) = Checkpoints::open(directory.path()).unwrap();
    assert!(found.is_empty() && aside() == before, "{found:?}");
    checkpoints.tasks.append(b"later\n").unwrap();
    for _ in 0..2 {
        Checkpoints::open(directory.path()).unwrap();
        assert_eq!(aside(), format!("{before}later\n"));
    }
}

#[test]
fn whatever_byte_changes_or_wherever_it_is_torn_nothing_is_adopted_that_was_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let (mut checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    let whole = [of_task(&history()), executor(), of_task(&TaskHistory { record: record("c2"), entries: Vec::new() })];
    whole.iter().for_each(|history| checkpoints.tell(history));
    checkpoints.write(std::iter::empty()).unwrap();
    let path = checkpoints.tasks.path().to_owned();
    let text = std::fs::read(&path).unwrap();
    for (at, flip) in (0..text.len()).flat_map(|at| [1, 0x20, 0x80].map(|flip| (at, flip))) {
        let mut changed = text.clone();
        changed[at] ^= flip;
        let (found, _) = super::load::load(&path, &changed);
        let adopted: Vec<&History> = found.iter().filter_map(|history| history.as_ref().ok()).collect();
        let said = String::from_utf8_lossy(&changed);
        assert!(adopted.iter().all(|history| whole.contains(history)) && adopted.len() < whole.len(), "{said}");
        assert!(found.len() > adopted.len() || at == text.len() - 1, "it is told of: {said}");
    }
    // Torn, it tells of an earlier moment.
    let entries = |history: &History| match history {
        History::Task(task) => format!("{:?}", task.entries),
        History::Executor(executor) => format!("{:?}", executor.entries),
    };
    for length in 0..text.len() {
        std::fs::write(&path, &text[..length]).unwrap();
        let found: Vec<History> = load(directory.path()).into_iter().map(Result::unwrap).collect();
        assert!(found.len() < whole.len());
        for (found, whole) in found.iter().zip(&whole) {
            assert_eq!(found.container(), whole.container());
            assert!(entries(whole).starts_with(entries(found).trim_end_matches(']')));
        }
    }
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
fn an_identity_is_whole_or_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (checkpoints, _) = Checkpoints::open(directory.path()).unwrap();
    assert_eq!(checkpoints.load_agent().unwrap(), Past::None);
    let record = AgentRecord::new("a-S0".into(), AgentInfo::default(), 4, "boot".to_owned());
    checkpoints.store_agent(&record).unwrap();
    assert_eq!(checkpoints.load_agent().unwrap(), Past::Known(Box::new(record.clone())));
    let whole = std::fs::read(&checkpoints.agent).unwrap();
    let flipped = (0..whole.len()).map(|at| {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        changed
    });
    for damaged in flipped.chain((0..whole.len()).map(|length| whole[..length].to_vec())) {
        std::fs::write(&checkpoints.agent, &damaged).unwrap();
        assert_eq!(checkpoints.load_agent().unwrap(), Past::Damaged);
        assert_eq!(std::fs::read(directory.path().join("meta").join(DAMAGED_AGENT)).unwrap(), damaged);
        assert_eq!(checkpoints.load_agent().unwrap(), Past::None, "it was put aside");
    }
    checkpoints.store_agent(&AgentRecord { format: FORMAT + 1, ..record }).unwrap();
    assert!(matches!(checkpoints.load_agent(), Err(CheckpointError::Format { found: 3, .. })));
}
