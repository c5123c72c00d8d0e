//! The linter finds every trap of the example made for it, and nothing else.

use attica_dsl::lint::lint;
use attica_dsl::load::{self, Options};
use expect_test::expect;

#[test]
fn every_trap_is_found() {
    let text = "\
p = Process(name = 'p', cmdline = 'echo {{super.name}}', max_failures = 1000)
t = SequentialTask(processes = [p], resources = Resources(cpu = 1, ram = 10 * GB / 3, disk = 7 / 2 * GB))
other = t(processes = [p, p(name = 'q')])
both = combine_tasks(t, other)
names = {'a': 1, 'b': 2, 'a': 3}
jobs = [Job(cluster = 'c', role = 'r', environment = 'production', task = both, cron_schedule = '* * * * *', service = True,
            constraints = {'rack': 'a, b'}, production = True, instances = 5000, update_config = UpdateConfig(update_strategy = {'batch_size': 2}))]
";
    let configuration = load::text_of("traps.aurora", None, text, &Options::default());
    let place = |span: attica_dsl::source::Span| configuration.sources.file(span.file).position(span.start);
    let found = lint(&configuration).into_iter().map(|finding| {
        let at = finding.span.map(place).map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
        format!("{at} {}\n", finding.message)
    });
    expect![[r#"
        1:41 `{{super.name}}` in a process is the job's name, not the task's
        1:73 the process may fail 1000 times: the documents say 100 at most, and nothing holds to it
        2:94 `7 / 2` is 3: whole numbers divide to whole numbers
        3:9 these processes are not in the order of the SequentialTask, which knows only its first ones
        4:8 `combine_tasks` keeps the name of the last task
        5:26 the key `a` is there twice, and only the last value counts
        6:54 a scheduler refuses the environment `production` unless it is set up for it
        6:97 a scheduler refuses a cron job that is a service
        7:58 `production` is old: a job's tier says how it is treated
        7:76 a scheduler refuses 5000 instances unless it is set up for more than 4000
        7:129 the update_strategy may be a QueueUpdateStrategy or a BatchUpdateStrategy: name the one that is meant
    "#]]
    .assert_eq(&found.collect::<String>());
}
