//! Public configurations with their known meaning: every job of every file means what it meant in Aurora.

use std::path::Path;
use std::process::Command;

use attica_dsl::Host;
use attica_dsl::config::to_json;
use attica_dsl::job::Digests;
use attica_dsl::load::{self, Configuration, Options};
use serde_json::Value as Json;

fn texts(case: &Json, name: &str) -> Vec<String> {
    let values = case[name].as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

#[test]
fn every_case_means_what_it_meant() {
    score(|path, _, options| load::file(path, options).unwrap());
}

#[test]
fn formatted_files_mean_the_same() {
    score(|path, name, options| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = if options.is_json { text } else { attica_dsl::format::format(name, &text).unwrap_or(text) };
        load::text_of(name, Some(path.canonicalize().unwrap()), &text, options)
    });
}

/// Reads every case and has the results scored.
fn score(read: impl Fn(&Path, &str, &Options) -> Configuration) {
    let Some(data) = crate::public_data() else { return };
    let cases: Vec<Json> = serde_json::from_slice(&std::fs::read(data.join("cases.json")).unwrap()).unwrap();
    let actual = tempfile::tempdir().unwrap();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let binds = texts(case, "bindings")
            .iter()
            .map(|bind| bind.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let maps = vec![("/vagrant".into(), data.join("files/_fixtures/vagrant"))];
        let options = Options {
            binds,
            is_json: case["json_config"].as_bool().unwrap_or(false),
            digests: Digests::TagHash,
            host: Host::new(vec![("USER".to_owned(), "vagrant".to_owned())], maps),
            job: case["job"].as_str().map(str::to_owned),
        };
        let name = case["file"].as_str().unwrap();
        let configuration = read(&data.join("files").join(name), name, &options);
        for (index, job) in to_json(&configuration).as_array().unwrap().iter().enumerate() {
            std::fs::write(actual.path().join(format!("{id}.{index:02}.json")), job.to_string()).unwrap();
        }
    }
    let mut score = Command::new("python3");
    score.arg(data.join("../../tools/aurora_compare.py")).arg(data.join("expected")).arg(actual.path()).arg("-v");
    match score.output() {
        Ok(output) => {
            println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "some cases mean something else");
        }
        Err(error) => println!("skipped: no python3 to score with: {error}"),
    }
}
