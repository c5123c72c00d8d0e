"""Runs the life of an app through the `marathon` package, as an operator's script would. Usage: marathon_client.py URL"""

import collections
import collections.abc
import json
import sys
import threading
import time

# The package still uses a name that Python dropped in 3.10.
collections.Iterable = collections.abc.Iterable

from marathon import MarathonClient
from marathon.exceptions import ConflictError, MarathonHttpError, NotFoundError
from marathon.models import MarathonApp, MarathonHealthCheck
from marathon.models.events import EventFactory

PATIENCE_SECONDS = 120
client = MarathonClient(sys.argv[1], timeout=60)


class Events:
    """Every event since it was made, on a thread of its own. They are read raw: the package's classes for events know only plans with
    both whole groups inside, which Marathon itself stopped sending in 1.8. What it does not know by name it refuses, and so do we."""

    def __init__(self):
        self.seen = []
        self.failure = None
        self.changed = threading.Condition()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        try:
            for text in client.event_stream(raw=True):
                event = json.loads(text)
                assert event["eventType"] in EventFactory.event_to_class, event
                if "plan" not in event:
                    EventFactory().process(event)
                with self.changed:
                    self.seen.append(event)
                    self.changed.notify_all()
        except Exception as failure:
            with self.changed:
                self.failure = failure
                self.changed.notify_all()

    def wait(self, what, wanted):
        with self.changed:
            found = lambda: next((event for event in self.seen if wanted(event)), None)
            assert self.changed.wait_for(lambda: self.failure or found(), PATIENCE_SECONDS), "no %s" % what
            assert self.failure is None, repr(self.failure)
            return found()

    def deployed(self, deployment_id):
        self.wait("deployment_success of %s" % deployment_id,
                  lambda event: event["eventType"] == "deployment_success" and event["id"] == deployment_id)


def until(what, ask):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def expect(error, call):
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError("no %s" % error.__name__)


def task_ids(app_id):
    return {task.id for task in client.list_tasks(app_id)}


events = Events()
events.wait("attached", lambda event: event["eventType"] == "event_stream_attached")

# What is there before any app.
assert client.ping() == b'"pong"', client.ping()
info = client.get_info()
assert info.name and info.framework_id and info.elected is True and info.marathon_config.mesos_leader_ui_url, info
assert client.get_leader()["leader"] == info.leader
assert client.list_apps() == [] and client.list_deployments() == [] and client.list_queue() == []

# Create.
web = MarathonApp(
    cmd="python3 -m http.server $PORT0", cpus=0.02, mem=32, instances=2, labels={"tier": "front"},
    health_checks=[MarathonHealthCheck(protocol="HTTP", path="/", port_index=0, grace_period_seconds=20, interval_seconds=1)],
)
created = client.create_app("/client/web", web)
assert created.id == "/client/web" and len(created.deployments) == 1, created
events.deployed(created.deployments[0].id)
expect(MarathonHttpError, lambda: client.create_app("/client/web", web))
invalid = expect(MarathonHttpError, lambda: client.create_app("/client/invalid", MarathonApp(cmd="true", cpus=-1)))
assert invalid.status_code == 422 and invalid.error_message == "Object is not valid", invalid

# Read.
app = client.get_app("/client/web", embed_tasks=True, embed_counts=True)
assert (app.tasks_running, app.tasks_healthy, app.tasks_unhealthy, app.tasks_staged) == (2, 2, 0, 0), app
assert app.instances == 2 and app.labels == {"tier": "front"} and app.health_checks[0].path == "/", app
assert app.version_info.last_config_change_at and app.version, app
assert [listed.id for listed in client.list_apps(label="tier==front", embed_tasks=True)] == ["/client/web"]
assert client.list_apps(label="tier==back") == [] and client.list_apps(app_id="other") == []
assert [listed.id for listed in client.list_apps(cmd="http.server")] == ["/client/web"]
for task in client.list_tasks("/client/web"):
    assert task.app_id == "/client/web" and task.state == "TASK_RUNNING" and task.health_check_results[0].alive, task
    assert task.started_at > task.staged_at and task.ip_addresses[0].ip_address and len(task.ports) == 1, task
assert len(client.list_endpoints()) == 2
assert [child.id for child in client.get_group("/client").apps] == ["/client/web"]
expect(NotFoundError, lambda: client.get_app("/client/absent"))

# Update, scale, restart, kill.
first = task_ids("/client/web")
events.deployed(client.scale_app("/client/web", instances=3)["deploymentId"])
scaled = task_ids("/client/web")
assert len(scaled) == 3 and first < scaled, (first, scaled)
changed = client.get_app("/client/web")
changed.env = {"COLOUR": "blue"}
events.deployed(client.update_app("/client/web", changed, minimal=False)["deploymentId"])
updated = task_ids("/client/web")
assert len(updated) == 3 and not updated & scaled, (scaled, updated)
assert client.get_app("/client/web").env == {"COLOUR": "blue"}
events.deployed(client.restart_app("/client/web")["deploymentId"])
restarted = task_ids("/client/web")
assert len(restarted) == 3 and not restarted & updated, (updated, restarted)
victim = min(restarted)
assert client.kill_task("/client/web", victim).id == victim
until("a replacement", lambda: len(task_ids("/client/web") - restarted) == 1 and len(task_ids("/client/web")) == 3)
events.deployed(client.kill_task("/client/web", min(task_ids("/client/web")), scale=True)["deploymentId"])
assert client.get_app("/client/web").instances == 2

# Versions.
versions = client.list_versions("/client/web")
assert len(versions) == 5 and versions == sorted(versions, reverse=True), versions
assert client.get_version("/client/web", versions[-1]).instances == 2
events.deployed(client.rollback_app("/client/web", versions[-1])["deploymentId"])
assert client.get_app("/client/web").env == {}

# What cannot be placed: its deployment, its place in the queue, the lock, the end of the plan.
stuck = client.create_app("/client/stuck", MarathonApp(cmd="sleep 1000", cpus=0.01, mem=16, constraints=[["hostname", "LIKE", "nowhere"]]))
plan = next(plan for plan in client.list_deployments() if plan.id == stuck.deployments[0].id)
assert plan.affected_apps == ["/client/stuck"] and plan.total_steps == 2 and plan.current_actions[0].app == "/client/stuck", plan
# The package's class for queue items does not know `role`, which Marathon shows since 1.9.
queue = lambda: client._do_request("GET", "/v2/queue", params={"embed": "lastUnusedOffers"}).json()["queue"]
item = until("offers that were no use", lambda: next(
    (item for item in queue() if item["processedOffersSummary"]["unusedOffersCount"] > 0), None))
assert item["app"]["id"] == "/client/stuck" and item["count"] == 1 and item["delay"]["overdue"] is True, item
assert item["lastUnusedOffers"][0]["reason"] == ["UnfulfilledConstraint"], item["lastUnusedOffers"]
locked = expect(ConflictError, lambda: client.scale_app("/client/stuck", instances=2))
assert "locked" in locked.error_message, locked
client.reset_delay("/client/stuck")
assert client.delete_deployment(plan.id, force=True) == {}
events.wait("deployment_failed", lambda event: event["eventType"] == "deployment_failed" and event["id"] == plan.id)

# Metrics, then away with everything.
assert client.get_metrics()["gauges"]["marathon.apps.active.gauge"]["value"] == 2
for app_id in ("/client/stuck", "/client/web"):
    events.deployed(client.delete_app(app_id)["deploymentId"])
assert client.list_apps() == [] and client.list_tasks() == [] and client.list_queue() == []
print("the app lived and left, after %s" % " ".join(sorted({event["eventType"] for event in events.seen})))
