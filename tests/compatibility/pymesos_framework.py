"""A framework with an executor of its own, both pymesos's, that outlives its master, its agents and itself.

Usage: pymesos_framework.py MASTER_HOST:PORT EXECUTOR_COMMAND; after the first line it waits until standard input ends.
"""

import base64
import sys
import threading
import time

from pymesos import MesosSchedulerDriver, Scheduler

PATIENCE = 90
PING = base64.b64encode(b"ping").decode()


def scalars(cpus, mem):
    amounts = {"cpus": cpus, "mem": mem}
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in amounts.items()]


class Runner(Scheduler):
    def __init__(self, command):
        self.executor = {
            "executor_id": {"value": "pymesos"},
            "command": {"value": command},
            "resources": scalars(0.1, 64),
        }
        self.wanted = {}
        self.agent_id = None
        self.updates = []
        self.answers = []
        self.pids = set()
        self.failure = None
        self.changed = threading.Condition()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            with self.changed:
                usable = self.agent_id in (None, offer["agent_id"])
                wanted, self.wanted = (self.wanted, {}) if usable else ({}, self.wanted)
                if wanted:
                    self.agent_id = offer["agent_id"]
            tasks = [self.task(offer, name, data) for name, data in wanted.items()]
            if tasks:
                driver.launchTasks(offer["id"], tasks, {"refuse_seconds": 1})
            else:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})

    def task(self, offer, name, data):
        return {
            "name": name,
            "task_id": {"value": name},
            "agent_id": offer["agent_id"],
            "executor": self.executor,
            "data": base64.b64encode(data).decode(),
            "resources": scalars(0.01, 8),
        }

    def statusUpdate(self, driver, update):
        with self.changed:
            self.updates.append(update)
            if "data" in update:
                self.pids.add(base64.b64decode(update["data"]))
            self.changed.notify_all()

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        with self.changed:
            self.answers.append(message)
            self.changed.notify_all()

    def error(self, driver, message):
        with self.changed:
            self.failure = message
            self.changed.notify_all()

    def launch(self, tasks):
        with self.changed:
            self.wanted.update(tasks)

    def told(self, task, state, reason=None):
        updates = [update for update in self.updates if update["task_id"]["value"] == task and update["state"] == state]
        return any(reason in (None, update.get("reason")) for update in updates)

    def wait(self, what, condition, again=lambda: None):
        deadline = time.time() + PATIENCE
        with self.changed:
            while not condition():
                if self.failure or time.time() > deadline:
                    sys.exit("%s: %s; updates: %s" % (what, self.failure or "not in time", self.updates))
                self.changed.wait(1)
                again()


def started(runner, framework, master):
    driver = MesosSchedulerDriver(runner, framework, master)
    driver.start()
    return driver


def survive(runner, driver, tasks, asked):
    """Asks until the master has said of all that they run: after a failover its agents come back one by one."""

    def again():
        if driver.connected:
            driver.reconcileTasks(asked)

    runner.updates.clear()
    runner.wait("reconciliation", lambda: all(runner.told(task, "TASK_RUNNING", "REASON_RECONCILIATION") for task in tasks), again)


master, command = sys.argv[1:]
runner = Runner(command)
framework = {"user": "root", "name": "pymesos", "checkpoint": True}
driver = started(runner, framework, master)
both = ["one", "two"]
runner.launch({task: b"stay" for task in both})
runner.wait("launch", lambda: all(runner.told(task, "TASK_RUNNING") for task in both))
driver.sendFrameworkMessage(runner.executor["executor_id"], runner.agent_id, PING)
runner.wait("answer", lambda: PING in runner.answers)
print("running", flush=True)
sys.stdin.read()

survive(runner, driver, both, [{"task_id": {"value": task}} for task in both])
framework_id = driver.framework_id
driver.stop(failover=True)
driver.join()
framework["id"] = {"value": framework_id}
driver = started(runner, framework, master)
survive(runner, driver, both, [])

driver.killTask({"value": "one"})
runner.wait("kill", lambda: runner.told("one", "TASK_KILLED"))
runner.launch({"three": b"finish"})
runner.wait("another task", lambda: runner.told("three", "TASK_FINISHED"))
assert len(runner.pids) == 1, runner.pids
driver.stop()
print("survived", flush=True)
