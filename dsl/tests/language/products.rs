//! Groups, apps and pods: what of them goes to `/v2`, and that files without them never notice.

use attica_dsl::config::{findings, to_json};
use attica_dsl::load::{self, Configuration, Options};
use expect_test::expect;
use serde_json::{Value as Json, json};

fn read(text: &str) -> Configuration {
    load::text_of("product.aurora", None, text, &Options::default())
}

fn apps(text: &str) -> Vec<Json> {
    let configuration = read(text);
    assert!(!configuration.has_errors(), "{}", findings(&configuration));
    to_json(&configuration).as_array().unwrap().iter().map(|element| element["app"].clone()).collect()
}

#[test]
fn a_group_is_its_apps_with_whole_ids_and_inherited_dependencies() {
    let text = "
class Profile(Struct):
  team = Required(String)
web = App(id = 'web', cmd = 'serve --port $PORT0', instances = '{{n}}', cpus = 0.5, labels = {'owner': '{{profile.team}}'},
          constraints = [AppConstraint(field = 'hostname', operator = 'UNIQUE'), ['rack', 'GROUP_BY', '2']],
          healthChecks = [HealthCheck(path = '/health')], unreachableStrategy = 'disabled', dependencies = ['cache'])
groups = [Group(id = '/shop', dependencies = ['../base'], apps = [web], groups = [
  Group(id = 'back', apps = [App(id = '/shop/back/db', args = ['db', '{{&x}}'])], dependencies = ['/base'])
]).bind(n = 3, profile = Profile(team = 'shop'))]
apps = [App(id = 'base/dns', cmd = 'dns', killSelection = 'OLDEST_FIRST')]
";
    assert_eq!(
        apps(text),
        [
            json!({
                "id": "/shop/web", "cmd": "serve --port $PORT0", "instances": 3, "cpus": 0.5,
                "constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", "2"]],
                "healthChecks": [{
                    "protocol": "HTTP", "path": "/health", "gracePeriodSeconds": 300, "intervalSeconds": 60, "timeoutSeconds": 20,
                    "maxConsecutiveFailures": 3, "delaySeconds": 15,
                }],
                "dependencies": ["/shop/cache", "/base"], "unreachableStrategy": "disabled", "labels": {"owner": "shop"},
            }),
            json!({"id": "/shop/back/db", "args": ["db", "{{x}}"], "dependencies": ["/base"]}),
            json!({"id": "/base/dns", "cmd": "dns", "killSelection": "OLDEST_FIRST"}),
        ]
    );
}

#[test]
fn everything_wrong_is_told_at_its_place() {
    let text = "
groups = [
  Group(id = '/Shop', apps = [App(id = 'a')]),
  Group(id = '/shop', dependencies = ['back'], groups = [Group(id = 'back', apps = [App(id = 'a')]), Group(id = '/other', apps = [])]),
  Group(apps = [App(id = 'a', cmd = '{{thermos.ports[http]}} {{x}}')])]
apps = [App(id = 'a', helthChecks = []), App(id = 'b', killSelection = 'OLDEST')]
";
    expect![[r#"
        error: App has no field `helthChecks`
         --> product.aurora:6:23
           |
         6 | apps = [App(id = 'a', helthChecks = []), App(id = 'b', killSelection = 'OLDEST')]
           |                       ^^^^^^^^^^^
          help: did you mean `healthChecks`?

        error: `OLDEST` is none of YOUNGEST_FIRST, OLDEST_FIRST
         --> product.aurora:6:72
           |
         6 | apps = [App(id = 'a', helthChecks = []), App(id = 'b', killSelection = 'OLDEST')]
           |                                                                        ^^^^^^^^
          note: App.killSelection is of type Enum(YOUNGEST_FIRST, OLDEST_FIRST)

        error: `/Shop` cannot be the id of a group
         --> product.aurora:3:14
           |
         3 |   Group(id = '/Shop', apps = [App(id = 'a')]),
           |              ^^^^^^^
          help: lower case letters, digits, `-` and `.` are allowed, between them or the slashes

        error: `/shop/back/a` is in `/shop/back`, which its group depends on
         --> product.aurora:4:85
           |
         4 |   Group(id = '/shop', dependencies = ['back'], groups = [Group(id = 'back', apps = [App(id = 'a')]), Group(id = '/other'
           |                                                                                     ^^^^^^^^^^^^^
          help: take that dependency of the group away

        error: `/other` is not in the group `/shop` that it stands in
         --> product.aurora:4:113
           |
         4 | ', apps = [App(id = 'a')]), Group(id = '/other', apps = [])]),
           |                                        ^^^^^^^^
          help: write an id relative to the group, or one below /shop

        error: Group needs a value for `id`
         --> product.aurora:5:3
           |
         5 |   Group(apps = [App(id = 'a', cmd = '{{thermos.ports[http]}} {{x}}')])]
           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: write Group(id = …), or set it where this Group is changed: x(id = …)

        error: nothing is bound to `{{thermos.ports[http]}}`
         --> product.aurora:5:38
           |
         5 |   Group(apps = [App(id = 'a', cmd = '{{thermos.ports[http]}} {{x}}')])]
           |                                      ^^^^^^^^^^^^^^^^^^^^^^^
          help: an app learns this from its environment: $PORT0, $HOST, $MESOS_TASK_ID

        error: nothing is bound to `{{x}}`
         --> product.aurora:5:62
           |
         5 |   Group(apps = [App(id = 'a', cmd = '{{thermos.ports[http]}} {{x}}')])]
           |                                                              ^^^^^
          help: did you mean `id`? Or bind it: .bind(x = …) or --bind x=…

        8 errors
    "#]]
    .assert_eq(&findings(&read(text)));
}

#[test]
fn pods_are_read_with_all_their_fields() {
    let text = "
pods = [Pod(id = '/p', containers = [PodContainer(name = 'a', resources = PodResources(cpus = 0.1, mem = 32),
            exec_ = PodExec(command = PodCommand(shell = 'sleep 1')))], scaling = PodScaling(instances = 2))]
";
    let configuration = read(text);
    assert!(!configuration.has_errors(), "{}", findings(&configuration));
    assert_eq!(
        to_json(&configuration)[0]["pod"],
        json!({
            "id": "/p", "scaling": {"kind": "fixed", "instances": 2},
            "containers": [{"name": "a", "resources": {"cpus": 0.1, "mem": 32.0}, "exec": {"command": {"shell": "sleep 1"}}}],
        })
    );
}

/// Names of ours that a file has for itself are the file's, and lists that are called like ours but hold nothing of ours mean nothing.
#[test]
fn a_file_without_our_structs_never_notices_them() {
    let text = "
class App(Struct):
  name = Required(String)
class HealthCheck(Struct):
  path = Required(String)
Group = 'a group'
apps = [App(name = 'a'), App(name = 'b')]
groups = ['staff', Group]
pods = 3
check = HealthCheck(path = '/x')
def job(app):
  p = Process(name = 'p', cmdline = 'echo {{app.name}} {{check.path}} ' + groups[1])
  t = Task(processes = [p], resources = Resources(cpu = 1, ram = 1*GB, disk = 1*GB), constraints = [Constraint(order = ['p'])])
  return Job(cluster = 'c', role = 'r', environment = 'test', name = '{{app.name}}', task = t).bind(app = app, check = check)
jobs = [job(app) for app in apps]
";
    let configuration = read(text);
    assert!(!configuration.has_errors(), "{}", findings(&configuration));
    let jobs = to_json(&configuration);
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    assert_eq!(jobs[1]["config"]["task"]["processes"][0]["cmdline"], "echo b /x a group");
}

#[test]
fn a_list_of_ours_holds_nothing_else() {
    let text = "apps = [App(id = 'a', cmd = 'x'), Process(name = 'p', cmdline = 'x'), Group(id = 'g')]\n";
    let told = findings(&read(text));
    assert!(told.contains("`apps` contains a Process, which is no App") && told.contains("contains a Group"), "{told}");
}
