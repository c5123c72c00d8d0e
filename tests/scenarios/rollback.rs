//! A broken version takes itself back, while everybody is served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Cluster;

/// Asks the load balancer for the page again and again until it is told to stop: how often it was served, and what else happened.
fn visit(url: &str, stop: &AtomicBool) -> (u32, Vec<String>) {
    let (mut served, mut failures) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        match ureq::get(url).header("host", "shop.localhost").call() {
            Ok(_) => served += 1,
            Err(error) => failures.push(error.to_string()),
        }
        thread::sleep(Duration::from_millis(5));
    }
    (served, failures)
}

/// Stops the visits, however the test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_broken_version_rolls_itself_back_and_nobody_notices() {
    let mut cluster = Cluster::start();
    let shop = |cmd: &str| {
        json!({
            "deployment": {"progressDeadlineSeconds": 30},
            "apps": [{
                "id": "web", "cmd": cmd, "instances": 2, "cpus": 0.1, "mem": 32,
                "healthChecks": [{"protocol": "HTTP", "path": "/", "portIndex": 0, "gracePeriodSeconds": 60, "intervalSeconds": 1}],
                "labels": {"HAPROXY_GROUP": "external", "HAPROXY_0_VHOST": "shop.localhost"},
            }],
        })
    };
    let working = "exec python3 -m http.server $PORT0";
    let (status, created) = cluster.request("PUT", "/v2/groups//shop", Some(&shop(working)));
    assert_eq!(status, 200, "{created}");
    let before = cluster.until_settled("/shop/web", 2);
    let page = format!("http://{}/", cluster.lb_address());
    cluster.until("the load balancer to route to it", || {
        ureq::get(&page).header("host", "shop.localhost").call().ok().map(drop)
    });

    let stop = AtomicBool::new(false);
    let (served, failures) = thread::scope(|scope| {
        let visitor = scope.spawn(|| visit(&page, &stop));
        let visiting = Stop(&stop);
        let broken = shop("sleep 1000");
        let (status, forecast) = cluster.request("PUT", "/v2/groups//shop?dryRun=true", Some(&broken));
        assert_eq!(status, 200, "{forecast}");
        assert_eq!(forecast["steps"], json!([{"actions": [{"action": "RestartApplication", "app": "/shop/web"}]}]));
        let difference = json!([{"path": "/cmd", "from": working, "to": "sleep 1000"}]);
        assert_eq!(forecast["changes"][0]["differences"], difference);
        let (status, deployed) = cluster.request("PUT", "/v2/groups//shop", Some(&broken));
        assert_eq!(status, 200, "{deployed}");
        cluster.until("the new instances to wait for their health, and the old ones for them", || {
            let progress = cluster.get("/v2/deployments?embed=progress").1[0]["progress"][0].clone();
            let instances = progress["instances"].as_array()?;
            let of = |is_new: bool, waits_for: &str| {
                let waits = |instance: &&Value| instance["isNew"] == is_new && instance["waitsFor"] == waits_for;
                instances.iter().filter(waits).count()
            };
            let numbers = (progress["wanted"] == 2, progress["serving"] == 0, instances.len());
            (numbers == (true, true, 4) && of(true, "health") == 2 && of(false, "turn") == 2).then_some(())
        });
        let ended = cluster.until("the broken version to be taken back", || {
            let (_, ended) = cluster.get("/v2/deployments/ended");
            let running = cluster.get("/v2/deployments").1;
            let of_broken = |ended: &&Value| ended["id"] == deployed["deploymentId"];
            let found = ended.as_array()?.iter().find(of_broken).cloned();
            found.filter(|_| running == json!([]))
        });
        drop(visiting);
        assert_eq!(ended["outcome"], "rolledBack", "{ended}");
        let cause = ended["cause"].as_str().expect("a cause");
        assert!(cause.starts_with("/shop/web made no progress for 30 s: 0 of 2 new instances serve"), "{cause}");
        visitor.join().expect("the visitor")
    });
    assert!(served > 10, "{served} visits");
    assert!(failures.is_empty(), "{} of {served} failed: {:?}", failures.len(), failures.first());
    let ids = |tasks: &[Value]| tasks.iter().map(|task| task["id"].clone()).collect::<Vec<_>>();
    let after = cluster.until_settled("/shop/web", 2);
    assert_eq!(ids(&after), ids(&before), "the old instances never stopped");
    assert_eq!(cluster.get("/v2/apps//shop/web").1["app"]["cmd"], working);
    cluster.stop_up();
}
