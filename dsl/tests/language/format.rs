//! Formatting: one way, once, without changing what a file means.

use std::path::PathBuf;

use attica_dsl::format::format;
use expect_test::expect;
use proptest::prelude::*;

fn formatted(text: &str) -> String {
    format("text.aurora", text).unwrap_or_else(|(sources, wrong)| panic!("{}", wrong[0].render(&sources)))
}

#[test]
fn one_way_to_write_it() {
    let text = "# a comment\nimport os,getpass\n\n\n\n\nx=[ 1,2 , 3 ][ 1 : 2 ]   # inline\nclass Profile( Struct ):\n      a=Default(String,'x')\n      # inside\n\n      b = Integer\nfor  c in ( 'a' ,'b'):\n\tif c=='a' and not c<>'b':\n\t\tjobs.append( Job( name = c,\n            task=task(resources = Resources(cpu=1.0,ram=32*MB, disk = 64 * MB)),\n    **options ))\n        # behind the inner block\ny = -1 if x else lambda a,b=1 : a-b\ncmd = '''\n  kept   as it is\n''' 'and' \\\n  'this'\nz = {'a':1,\n     'b' :{ 2:3 }\n}\ndel x [0]\n";
    expect![[r#"
        # a comment
        import os, getpass


        x = [1, 2, 3][1:2]  # inline
        class Profile(Struct):
          a = Default(String, 'x')
          # inside

          b = Integer
        for c in ('a', 'b'):
          if c == 'a' and not c <> 'b':
            jobs.append(Job(name = c,
              task = task(resources = Resources(cpu = 1.0, ram = 32*MB, disk = 64 * MB)),
              **options))
          # behind the inner block
        y = -1 if x else lambda a, b = 1: a-b
        cmd = '''
          kept   as it is
        ''' 'and' \
            'this'
        z = {'a': 1,
          'b': {2: 3}
        }
        del x[0]
    "#]]
    .assert_eq(&formatted(text));
}

#[test]
fn what_is_no_configuration_stays_alone() {
    assert!(format("text.aurora", "x = [1, 2\n").is_err());
}

/// The public files, if this machine has them.
fn public_files() -> Vec<PathBuf> {
    let Some(data) = crate::public_data() else { return Vec::new() };
    let directories = ["apache__aurora/head", "docs", "synthetic"].map(|part| data.join("files").join(part));
    let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten().flatten();
    let is_text = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "aurora");
    entries.map(|entry| entry.path()).filter(is_text).collect()
}

#[test]
fn public_files_are_formatted_once() {
    for file in public_files() {
        let once = formatted(&std::fs::read_to_string(&file).unwrap());
        assert_eq!(formatted(&once), once, "{}", file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_again_changes_nothing(
        words in prop::collection::vec(prop::sample::select(&[
            "x", "=", "1", "'a'", "(", ")", "[", "]", "{", "}", ",", ":", "\n", "  ", "    ", "for", "in", "if", "else", "lambda", ".", "+",
            "%", "*", "**", "-", "not", "# c\n", "\\\n", "'''\n'''", "==", ";", "\n\n\n\n", "pass", "\t",
        ]), 0..40),
    ) {
        for text in [words.concat(), words.join(" ")] {
            if let Ok(once) = format("text.aurora", &text) {
                prop_assert_eq!(formatted(&once), once);
            }
        }
    }
}
