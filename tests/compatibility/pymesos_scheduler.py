"""Runs tasks through pymesos, as a framework's author would write it. Usage: pymesos_scheduler.py MASTER_HOST:PORT TASKS"""

import sys
import threading

from pymesos import MesosSchedulerDriver, Scheduler

CPUS, MEM = 0.01, 8


class Runner(Scheduler):
    def __init__(self, wanted):
        self.wanted = wanted
        self.launched = 0
        self.finished = set()
        self.failure = None
        self.done = threading.Event()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            scalars = {r["name"]: r["scalar"]["value"] for r in offer["resources"] if r["type"] == "SCALAR"}
            room = min(int(scalars.get("cpus", 0) / CPUS), int(scalars.get("mem", 0) / MEM), self.wanted - self.launched)
            if room == 0:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})
                continue
            driver.launchTasks(offer["id"], [self.task(offer) for _ in range(room)])

    def task(self, offer):
        self.launched += 1
        name = "python-%d" % self.launched
        return {
            "name": name,
            "task_id": {"value": name},
            "agent_id": offer["agent_id"],
            "command": {"value": "true"},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": CPUS}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": MEM}},
            ],
        }

    def statusUpdate(self, driver, update):
        if update["state"] == "TASK_FINISHED":
            self.finished.add(update["task_id"]["value"])
            if len(self.finished) == self.wanted:
                self.done.set()
        elif update["state"] not in ("TASK_STARTING", "TASK_RUNNING"):
            self.failure = update
            self.done.set()

    def error(self, driver, message):
        self.failure = message
        self.done.set()


runner = Runner(int(sys.argv[2]))
# A name and its secret may follow; without them the master asks for none.
principal, secret = sys.argv[3:5] or (None, None)
framework = {"user": "root", "name": "pymesos"}
driver = MesosSchedulerDriver(runner, framework, sys.argv[1], principal=principal, secret=secret)
driver.start()
runner.done.wait(120)
driver.stop()
driver.join()
if runner.failure or len(runner.finished) != runner.wanted:
    sys.exit("%d launched, %d finished: %s" % (runner.launched, len(runner.finished), runner.failure))
print("%d tasks finished" % runner.wanted)
