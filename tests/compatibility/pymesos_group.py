"""Runs groups of tasks with Mesos's default executor through pymesos. Usage: pymesos_group.py MASTER_HOST:PORT"""

import sys
import threading

from pymesos import MesosSchedulerDriver, Scheduler

PATIENCE = 90


def scalars(cpus, mem):
    amounts = {"cpus": cpus, "mem": mem, "disk": mem}
    return [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in amounts.items()]


def shared(path):
    """The directory of the group that its tasks see under the same name."""
    source = {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": path}}
    return {"type": "MESOS", "volumes": [{"mode": "RW", "container_path": path, "source": source}]}


class Runner(Scheduler):
    def __init__(self):
        self.groups = []
        self.states = {}
        self.lost = []
        self.failure = None
        self.changed = threading.Condition()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            with self.changed:
                group = self.groups.pop() if self.groups else None
            if group:
                driver.acceptOffers(offer["id"], [self.launch(driver, offer, *group)], {"refuse_seconds": 1})
            else:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})

    def launch(self, driver, offer, name, commands):
        executor = {
            "type": "DEFAULT",
            "executor_id": {"value": name},
            "framework_id": {"value": driver.framework_id},
            "resources": scalars(0.1, 32),
        }
        tasks = [
            {
                "name": task,
                "task_id": {"value": task},
                "agent_id": offer["agent_id"],
                "command": {"value": command},
                "container": shared("common"),
                "resources": scalars(0.01, 32),
            }
            for task, command in commands.items()
        ]
        return {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": tasks}}}

    def statusUpdate(self, driver, update):
        with self.changed:
            self.states.setdefault(update["task_id"]["value"], []).append(update["state"])
            if update["state"] in ("TASK_ERROR", "TASK_LOST", "TASK_DROPPED"):
                self.failure = update
            self.changed.notify_all()

    def executorLost(self, driver, executor_id, agent_id, status):
        with self.changed:
            self.lost.append(executor_id["value"])
            self.changed.notify_all()

    def error(self, driver, message):
        with self.changed:
            self.failure = message
            self.changed.notify_all()

    def run(self, name, commands, ends):
        """Runs a group until its tasks have ended like this, and its executor with them."""
        with self.changed:
            self.groups.append((name, commands))
            over = lambda: name in self.lost and all(self.states.get(task, [None])[-1] == end for task, end in ends.items())
            if not self.changed.wait_for(lambda: self.failure or over(), PATIENCE) or self.failure:
                sys.exit("%s: %s; %s ended, states: %s" % (name, self.failure, self.lost, self.states))


runner = Runner()
driver = MesosSchedulerDriver(runner, {"user": "root", "name": "groups"}, sys.argv[1])
driver.start()
hears = "until grep hello common/word; do sleep 0.05; done"
runner.run("good", {"says": "echo hello > common/word", "hears": hears}, {"says": "TASK_FINISHED", "hears": "TASK_FINISHED"})
waits = {"fails": "until [ -e common/ready ]; do sleep 0.05; done; exit 3", "waits": "touch common/ready; exec sleep 1000"}
runner.run("bad", waits, {"fails": "TASK_FAILED", "waits": "TASK_KILLED"})
driver.stop()
print("both groups ended as one")
