#!/usr/bin/env python3
"""An executor as an app names it. It is started with the app's command behind its name: a URL that it asks once its task runs."""

import base64
import json
import os
import sys
import uuid
from http.client import HTTPConnection
from urllib.request import urlopen

WHO = {
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def call(kind, body):
    connection = HTTPConnection(os.environ["MESOS_AGENT_ENDPOINT"])
    document = {"type": kind, kind.lower(): body, **WHO}
    connection.request("POST", "/api/v1/executor", json.dumps(document), HEADERS)
    return connection.getresponse()


def tell(task_id, state):
    identity = base64.b64encode(uuid.uuid4().bytes).decode()
    status = {"task_id": task_id, "state": state, "source": "SOURCE_EXECUTOR", "uuid": identity}
    call("UPDATE", {"status": status}).read()


killed = False
events = call("SUBSCRIBE", {})
while length := events.readline():
    event = json.loads(events.read(int(length)))
    if event["type"] == "LAUNCH":
        tell(event["launch"]["task"]["task_id"], "TASK_RUNNING")
        urlopen(f"{sys.argv[1]}{os.environ['MARATHON_APP_ID']}/{os.environ['MESOS_EXECUTOR_ID']}/")
    elif event["type"] == "KILL":
        killed = True
        tell(event["kill"]["task_id"], "TASK_KILLED")
    elif event["type"] == "SHUTDOWN" or (killed and event["type"] == "ACKNOWLEDGED"):
        break
