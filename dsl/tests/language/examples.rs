//! The example files: they mean what they say, are formatted, and nothing in them is doubtful.

use std::path::Path;

use attica_dsl::format::format;
use attica_dsl::lint::lint;
use attica_dsl::load::{self, Options};

fn keys(name: &str, binds: &[(&str, &str)]) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let binds = binds.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let configuration = load::file(&path, &Options { binds, ..Options::default() }).unwrap();
    assert!(configuration.all_diagnostics().next().is_none(), "{}", attica_dsl::config::findings(&configuration));
    assert_eq!(lint(&configuration), [], "{name}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(format(name, &text).is_ok_and(|formatted| formatted == text), "{name} is formatted");
    configuration.jobs.into_iter().filter_map(|job| job.key).collect()
}

#[test]
fn a_product_group() {
    assert_eq!(keys("product.aurora", &[]), [""; 0]);
    assert_eq!(keys("product.aurora", &[("profile.greeting", "welcome")]), [""; 0]);
}

#[test]
fn a_service_and_its_canary() {
    let keys = keys("canary.aurora", &[("version", "1.4.2"), ("canary", "1.5.0-rc1")]);
    assert_eq!(keys, ["east/www/prod/front", "east/www/prod/front-canary"]);
}

#[test]
fn a_matrix_of_jobs() {
    assert_eq!(keys("matrix.aurora", &[]).len(), 4);
}
