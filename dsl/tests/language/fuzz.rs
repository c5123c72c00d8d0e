//! What the fuzz targets check, on every file there is and on pieces of them put together.

use std::path::{Path, PathBuf};

use attica_dsl::fuzz;
use proptest::prelude::*;

/// The texts of our own files and, where they are, of the public ones.
fn texts() -> Vec<Vec<u8>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![own.join("examples"), own.join("tests/errors")];
    directories.extend(crate::public_data().map(|data| data.join("files")));
    let mut texts = Vec::new();
    while let Some(directory) = directories.pop() {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "aurora") {
                texts.push(std::fs::read(path).unwrap());
            }
        }
    }
    assert!(texts.len() > 10);
    texts
}

#[test]
fn every_file_there_is() {
    for text in texts() {
        fuzz::parser(&text);
        fuzz::evaluator(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines of real files, some of them cut or in another place: near enough to the language to come far.
    #[test]
    fn files_with_something_wrong(seeds in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..40usize), 1..30)) {
        static TEXTS: std::sync::LazyLock<Vec<Vec<u8>>> = std::sync::LazyLock::new(texts);
        let mut data = Vec::new();
        for (file, line, cut) in &seeds {
            let text = file.get(&TEXTS);
            let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            if lines.is_empty() {
                continue;
            }
            let line = line.get(&lines);
            data.extend(if *cut < 4 { &line[..line.len().min(cut * 8)] } else { line });
        }
        fuzz::parser(&data);
        fuzz::evaluator(&data);
    }

    #[test]
    fn templates_of_any_kind(data in prop::collection::vec(prop::sample::select(&b"{}{}{}&\\ax.[]0\x00\n'/ \xc3\xa9"[..]), 0..60)) {
        fuzz::template(&data);
    }
}
