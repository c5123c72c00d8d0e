//! What Python 2 makes of expressions and statements, recorded from it: ours comes to the same.

use attica_dsl::Host;
use attica_dsl::config::{findings, to_json};
use attica_dsl::load::{self, Options};

/// The repr of `x` behind these statements, or `error`.
fn repr_of_x(statements: &str) -> String {
    let text = format!(
        "{statements}\njobs = [Job(cluster='c', role='r', environment='test', name='j', task=SimpleTask('t', repr(x)))]\n"
    );
    let user = |name: &str| (name.to_owned(), "vagrant".to_owned());
    let options = Options { host: Host::new(vec![user("USER"), user("LOGNAME")], Vec::new()), ..Options::default() };
    let configuration = load::text_of("python.aurora", None, &text, &options);
    if configuration.has_errors() {
        assert!(!findings(&configuration).is_empty());
        return "error".to_owned();
    }
    let jobs = to_json(&configuration);
    jobs[0]["config"]["task"]["processes"][0]["cmdline"].as_str().unwrap().to_owned()
}

/// Compares all cases and shows every one that differs.
fn assert_all<'a>(cases: impl Iterator<Item = (&'a str, String, &'a str)>) {
    let (mut count, mut different) = (0, String::new());
    for (shown, statements, wanted) in cases {
        count += 1;
        let ours = repr_of_x(&statements);
        if ours != wanted {
            different += &format!("{shown}\n  Python: {wanted}\n  ours:   {ours}\n");
        }
    }
    assert!(count > 100, "there are cases");
    assert!(different.is_empty(), "{different}");
}

#[test]
fn expressions_mean_what_they_mean_in_python() {
    let lines: Vec<&str> = include_str!("python_expressions.txt").lines().skip(1).collect();
    assert_all(lines.chunks(2).map(|pair| (pair[0], format!("x = {}", pair[0]), pair[1].trim_start())));
}

#[test]
fn statements_mean_what_they_mean_in_python() {
    let mut rest = include_str!("python_statements.txt").split_once('\n').unwrap().1;
    assert_all(std::iter::from_fn(|| {
        let (statements, after) = rest.split_once("\n=> ")?;
        let (wanted, after) = after.split_once('\n')?;
        rest = after;
        Some((statements, statements.to_owned(), wanted))
    }));
}
