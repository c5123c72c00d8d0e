"""An executor of pymesos, as a framework's author would write it: a task's data says what it does."""

import base64
import os

from pymesos import Executor, MesosExecutorDriver


class Runner(Executor):
    def launchTask(self, driver, task):
        self.tell(driver, task["task_id"], "TASK_RUNNING")
        if base64.b64decode(task["data"]) == b"finish":
            self.tell(driver, task["task_id"], "TASK_FINISHED")

    def killTask(self, driver, task_id):
        self.tell(driver, task_id, "TASK_KILLED")

    def tell(self, driver, task_id, state):
        pid = base64.b64encode(str(os.getpid()).encode()).decode()
        driver.sendStatusUpdate({"task_id": task_id, "state": state, "data": pid})

    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(message)


MesosExecutorDriver(Runner()).run()
