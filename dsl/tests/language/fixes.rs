//! Where the language deliberately means something else than Aurora did: what was broken there works here.

use attica_dsl::config::{findings, to_json};
use attica_dsl::load::{self, Options};
use serde_json::{Value as Json, json};

fn job(fields: &str) -> Json {
    let text = format!(
        "p = Process(name = 'p', cmdline = 'true')\n\
         t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))\n\
         job = Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t, instances = 10)\n\
         jobs = [{fields}]\n"
    );
    let configuration = load::text_of("fixes.aurora", None, &text, &Options::default());
    assert!(!configuration.has_errors(), "{}", findings(&configuration));
    to_json(&configuration)[0].clone()
}

fn command(template: &str, binds: &str) -> (Json, Json) {
    let job = job(&format!("job(task = t(processes = [p(cmdline = '{template}')])).bind({binds})"));
    (job["config"]["task"]["processes"][0]["cmdline"].clone(), job["runtime"]["processes"][0]["cmdline"].clone())
}

#[test]
fn braces_can_be_meant_literally() {
    let both = |text: &str| (json!(text), json!(text));
    assert_eq!(command("docker ps --format {{&.Names}} {{x}}", "x = 1"), both("docker ps --format {{.Names}} 1"));
    assert_eq!(command("{{&x}} \\\\{{x}}", "x = 1"), both("{{x}} {{x}}"));
    assert_eq!(command("{{quoted}}", "quoted = '{{&x}}', x = 1"), both("{{x}}"));
    assert_eq!(command("{{&{{x}}}}", "x = 'y', y = 1"), both("{{y}}"));
}

#[test]
fn a_dict_finds_its_struct_by_its_fields() {
    let job = job("job(update_config = UpdateConfig(update_strategy = {'batch_sizes': [1, '2']}))");
    assert_eq!(
        job["update_settings"]["updateStrategy"],
        json!({"varBatchStrategy": {"groupSizes": [1, 2], "autopauseAfterBatch": false}})
    );
}

#[test]
fn every_update_strategy_works() {
    let strategy = |text: &str| {
        job(&format!("job(update_config = UpdateConfig(update_strategy = {text}))"))["update_settings"]["updateStrategy"].clone()
    };
    assert_eq!(strategy("QueueUpdateStrategy(batch_size = 3)"), json!({"queueStrategy": {"groupSize": 3}}));
    let batch = json!({"batchStrategy": {"groupSize": 3, "autopauseAfterBatch": true}});
    assert_eq!(strategy("BatchUpdateStrategy(batch_size = 3, autopause_after_batch = True)"), batch);
}

#[test]
fn combined_tasks_keep_the_order_of_first_appearance() {
    let job = job(
        "job(task = combine_tasks(*[t(name = n, processes = [p(name = n), p(name = 'shared')]) for n in ('c', 'a', 'b')]))",
    );
    let processes = job["config"]["task"]["processes"].as_array().unwrap();
    let names: Vec<&str> = processes.iter().filter_map(|process| process["name"].as_str()).collect();
    assert_eq!(names, ["c", "shared", "a", "b"]);
    assert_eq!(job["config"]["task"]["name"], "b");
}

#[test]
fn a_struct_is_checked_when_it_is_bound() {
    let told = |binds: &[(&str, &str)]| {
        let text = "
class Profile(Struct):
  name = Required(String)
  size = Required(Integer)
p = Process(name = 'p', cmdline = 'true')
t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB))
job = Job(cluster = 'c', role = 'r', environment = 'test', name = 'j', task = t, instances = '{{profile.size}}')
jobs = [job.bind(profile = Profile(size = 2))]
";
        let binds = binds.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let configuration = load::text_of("bound.aurora", None, text, &Options { binds, ..Options::default() });
        configuration.all_diagnostics().map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(&[]), ["Profile is bound without a value for `name`"]);
    assert_eq!(
        told(&[("profile.name", "x")]),
        ["--bind profile.name=… binds nothing: no template refers to `profile.name`"]
    );
}
