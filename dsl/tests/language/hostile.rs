//! Input that means harm: every bound of the language answers with its own error, and nothing panics.

use attica_dsl::diagnostic::Code;
use attica_dsl::load::{self, Configuration, Options};
use proptest::prelude::*;

fn read(text: &str) -> Configuration {
    load::text_of("hostile.aurora", None, text, &Options::default())
}

/// The text is refused because of a bound.
fn assert_bounded(text: &str) {
    let configuration = read(text);
    let codes: Vec<Code> = configuration.all_diagnostics().map(|diagnostic| diagnostic.code).collect();
    assert!(codes.contains(&Code::Limit), "no bound was reached: {codes:?}");
}

fn job(cmdline: &str, binds: &str) -> String {
    format!(
        "p = Process(name = 'p', cmdline = {cmdline})\n\
         t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))\n\
         jobs = [Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t){binds}]\n"
    )
}

#[test]
fn a_million_elements() {
    assert_bounded("x = [n for n in range(1000000)]\njobs = []\n");
    assert_bounded("x = [(a, b) for a in range(1000) for b in range(1000)]\njobs = []\n");
    assert_bounded("x = [0]\nfor i in range(30):\n  x = x + x\njobs = []\n");
    assert_bounded("x = [0] * 1000000000\njobs = []\n");
}

#[test]
fn endless_loops_and_recursion() {
    assert_bounded("while True:\n  pass\njobs = []\n");
    assert_bounded("def f(n):\n  return f(n + 1)\nx = f(0)\njobs = []\n");
    assert_bounded("def f(n):\n  return f(n - 1) + f(n - 1) if n else 1\nx = f(40)\njobs = []\n");
}

/// What takes long is bounded as well where each step is one the language has.
#[test]
fn steps_that_take_long() {
    let long = "x = 'a' * 1000000\nz = 'a' * 1000000\n";
    for step in ["x == z", "{x: 1}"] {
        assert_bounded(&format!("{long}y = [{step} for i in range(100000)]\njobs = []\n"));
    }
    assert_bounded("x = range(99990)\nfor i in range(99990):\n  x.pop(0)\njobs = []\n");
    assert_bounded("t = SimpleTask('a', 'b')\nfor i in range(100000):\n  t = t.bind(x = i)\njobs = []\n");
    let processes =
        |name: &str| format!("Task(processes = [Process(name = '{name}%d' % i, cmdline = 'x') for i in range(2000)])");
    assert_bounded(&format!("t = concat_tasks({}, {})\njobs = []\n", processes("a"), processes("b")));
}

#[test]
fn mistakes_without_end() {
    assert_bounded(&"bad bad\n".repeat(100_000));
    assert_bounded(&(0..50_000).map(|n| format!("x{n} = y{n}\n")).collect::<String>());
    let names = |name: &str| format!("['{name}%d' % n for n in range(5000)]");
    let task = format!(
        "t = Task(processes = [Process(name = n, cmdline = 'x') for n in {}], constraints = order(*{}),\n\
         resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))\n\
         jobs = [Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t)]\n",
        names("p"),
        names("q")
    );
    assert!(read(&task).has_errors());
}

/// Loops over thousands of elements are no harm.
#[test]
fn long_lists_grow_one_by_one() {
    let configuration = read(
        "xs = []\nd = {}\ns = set()\nfor i in range(20000):\n  xs.append(i)\n  d[i] = xs[i]\n  s.add(i)\n  assert d.get(i) == i and i in s and len(xs) == i + 1\njobs = []\n",
    );
    assert!(!configuration.has_errors(), "{}", attica_dsl::config::findings(&configuration));
}

#[test]
fn texts_without_end() {
    assert_bounded("x = 'a' * 1000000000\njobs = []\n");
    assert_bounded("x = 'a'\nfor i in range(60):\n  x = x + x\njobs = []\n");
    assert_bounded("x = '%1000d' % 1\nfor i in range(60):\n  x = '%s%s' % (x, x)\njobs = []\n");
    assert_bounded("x = 'aaaa'\nfor i in range(60):\n  x = x.replace('a', 'aaaa')\njobs = []\n");
}

#[test]
fn a_file_too_long() {
    assert_bounded(&"x = 'some text'\n".repeat(10 << 16));
}

#[test]
fn nesting_of_every_kind() {
    let deep = 10_000;
    for (open, close) in [("(", ")"), ("[", "]"), ("{1: ", "}"), ("f(", ")")] {
        let text = format!("x = {}1{}\njobs = []\n", open.repeat(deep), close.repeat(deep));
        let configuration = read(&text);
        assert!(configuration.has_errors(), "{open}");
    }
    for pile in ["- ", "not ", "lambda: ", "1 if 1 else ", "2 ** "] {
        assert_bounded(&format!("x = {}1\njobs = []\n", pile.repeat(deep)));
    }
    let blocks: String = (0..deep / 10).map(|depth| format!("{}if 1:\n", " ".repeat(depth))).collect();
    assert_bounded(&format!("{blocks}{}pass\njobs = []\n", " ".repeat(deep / 10)));
}

#[test]
fn long_chains_are_no_nesting() {
    let configuration = read(&format!("x = 1{}\ny = x.bind{}\njobs = []\n", " + 1".repeat(100_000), "".repeat(2)));
    assert!(configuration.all_diagnostics().all(|diagnostic| diagnostic.code != Code::Limit));
    let sum = read(&format!("x = 1{}\njobs = []\n", " + 1".repeat(100_000)));
    assert!(!sum.has_errors());
}

#[test]
fn templates_that_laugh() {
    let laughs: String = (0..30).map(|n| format!("l{n} = '{{{{l{0}}}}}{{{{l{0}}}}}{{{{l{0}}}}}', ", n + 1)).collect();
    assert_bounded(&job("'{{l0}}'", &format!(".bind({laughs}l30 = 'ha')")));
    let structs = "class L(Struct):\n  a = String\n  b = List(String)\n";
    let shared: String = (0..40).map(|n| format!("x{} = [x{n}, x{n}]\n", n + 1)).collect();
    assert_bounded(&format!(
        "{structs}x0 = 'ha'\n{shared}y = str(x40)\nz = [str(x40) for i in range(1000)]\njobs = []\n"
    ));
}

#[test]
fn templates_in_a_circle() {
    let circle = read(&job("'{{a}}'", ".bind(a = '{{b}}', b = '{{a}}')"));
    assert!(circle.all_diagnostics().any(|diagnostic| diagnostic.code == Code::Cycle));
    let grows = read(&job("'{{a}}'", ".bind(a = 'x{{a}}{{a}}')"));
    assert!(grows.has_errors());
}

/// Each file includes the next one twice: without a bound the last one would be read two to the twentieth times.
#[test]
fn files_that_include_each_other_twice() {
    let directory = tempfile::tempdir().unwrap();
    let file = |n: usize| directory.path().join(format!("{n}.aurora"));
    for n in 0..20 {
        std::fs::write(file(n), format!("include('{0}.aurora')\ninclude('{0}.aurora')\n", n + 1)).unwrap();
    }
    std::fs::write(file(20), "x = 1\n").unwrap();
    let configuration = load::file(&file(0), &Options::default()).unwrap();
    assert!(configuration.all_diagnostics().any(|diagnostic| diagnostic.code == Code::Limit));
}

#[test]
fn lists_that_contain_themselves() {
    assert!(!read("x = []\nx.append(x)\ny = str(x)\nz = x == [x]\njobs = []\n").has_errors());
}

#[test]
fn a_job_of_ten_thousand() {
    let text = job("'run {{n}}'", "").replace("jobs = [Job(", "job = Job(").replace(")]\n", ")\n");
    let text = format!("{text}jobs = [job(name = 'j%d' % n).bind(n = n) for n in range(10000)]\n");
    let configuration = read(&text);
    assert!(!configuration.has_errors(), "{}", attica_dsl::config::findings(&configuration));
    assert_eq!(configuration.jobs.len(), 10_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn anything_like_the_language_is_read_without_a_panic(
        words in prop::collection::vec(prop::sample::select(&[
            "x", "=", "1", "'a'", "\"{{b}}\"", "(", ")", "[", "]", "{", "}", ",", ":", "\n", "  ", "for", "in", "if", "else", "def",
            "lambda", "class", "Struct", "Process", "Task", "Job", "jobs", "name", ".", "bind", "+", "%", "*", "**", "-", "not", "and",
            "return", "include", "import", "os", "\\\n", "#", "'''", "{{", "}}", "range", "0x", "1e9", "==", ";", "é",
        ]), 0..60),
    ) {
        let _ = read(&words.concat());
        let _ = read(&words.join(" "));
    }

    #[test]
    fn any_template_is_split_without_a_panic(template in "[a-z{}&\\[\\].\\\\ é-]{0,60}") {
        let quoted = template.replace('\\', "\\\\");
        let _ = read(&job(&format!("'{quoted}'"), ".bind(a = '{{b}}', b = {'c': 1})"));
    }
}
