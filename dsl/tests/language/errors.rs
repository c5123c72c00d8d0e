//! What a user is told: every kind of error, all of them at once, each at its place.

use std::path::Path;

use attica_dsl::Host;
use attica_dsl::config::{findings, to_json};
use attica_dsl::load::{self, Configuration, Options};
use expect_test::{ExpectFile, expect_file};

fn read(name: &str, options: &Options) -> Configuration {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors").join(format!("{name}.aurora"));
    let text = std::fs::read_to_string(&path).unwrap();
    load::text_of(&format!("{name}.aurora"), Some(path.canonicalize().unwrap()), &text, options)
}

fn expected(name: &str) -> ExpectFile {
    expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors").join(name)]
}

/// The findings are told as the file beside the configuration says.
fn check(name: &str) {
    let configuration = read(name, &Options { host: Host::default(), ..Options::default() });
    assert!(configuration.has_errors(), "{name} is wrong");
    expected(&format!("{name}.txt")).assert_eq(&findings(&configuration));
}

macro_rules! errors {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*
    };
}

errors! {
    assertion,
    blanks_and_go_templates,
    include_cycle,
    include_errors,
    job_rules,
    missing_required,
    names,
    plan,
    python,
    syntax,
    template_cycle,
    unbound,
    unknown_field,
    wrong_types,
}

#[test]
fn options_that_fit_nothing() {
    let binds = [("greeting", "hi"), ("greting", "hi"), ("instances", "3")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let options = Options { binds: binds.to_vec(), job: Some("c/r/test/hallo".to_owned()), ..Options::default() };
    expected("options.txt").assert_eq(&findings(&read("options", &options)));
}

#[test]
fn editors_get_the_same_as_json() {
    let json = to_json(&read("unbound", &Options::default()));
    expected("unbound.json").assert_eq(&format!("{json:#}\n"));
}
