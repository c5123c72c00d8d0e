//! The public configurations that Aurora refuses: each is refused here, and told at which line of which file.

use std::fmt::Write as _;

use attica_dsl::Host;
use attica_dsl::job::Digests;
use attica_dsl::load::{self, Options};
use expect_test::expect_file;
use serde_json::Value as Json;

#[test]
fn every_error_case_is_told_at_its_place() {
    let Some(data) = crate::public_data() else { return };
    let json = |path: std::path::PathBuf| -> Json { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let mut told = String::new();
    for case in json(data.join("cases.json")).as_array().unwrap() {
        let (id, name) = (case["id"].as_str().unwrap(), case["file"].as_str().unwrap());
        let first = data.join("expected").join(format!("{id}.00.json"));
        if !first.is_file() || json(first)["status"] != "error" {
            continue;
        }
        let binds = case["bindings"].as_array().into_iter().flatten().filter_map(|bind| bind.as_str()?.split_once('='));
        let options = Options {
            binds: binds.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            is_json: case["json_config"] == true,
            digests: Digests::TagHash,
            host: Host::new(
                vec![("USER".to_owned(), "vagrant".to_owned())],
                vec![("/vagrant".into(), data.join("files/_fixtures/vagrant"))],
            ),
            job: case["job"].as_str().map(str::to_owned),
        };
        let configuration = load::file(&data.join("files").join(name), &options).unwrap();
        let _ = writeln!(told, "{id}");
        for finding in configuration.all_diagnostics() {
            let place = finding.span.map(|span| {
                let file = configuration.sources.file(span.file);
                let at = file.position(span.start);
                let file = file.name.rsplit('/').next().unwrap_or_default();
                format!("{file}:{}:{}", at.line, at.column)
            });
            let _ = writeln!(told, "  {} {}: {}", place.unwrap_or_default(), finding.code.name(), finding.message);
        }
    }
    expect_file!["../errors/public_cases.txt"].assert_eq(&told);
}
