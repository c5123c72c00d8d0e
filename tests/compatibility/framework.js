// A framework of the npm package mesos-framework, as its author would write it, whose tasks outlive their master and their scheduler.
// Usage: framework.js MASTER_HOST:PORT; after the first line it waits until standard input ends.
"use strict";

const { Mesos, Scheduler } = require("mesos-framework");
const [host, port] = process.argv[2].split(":");
const PATIENCE_MS = 90000;
const mesos = Mesos.getMesos();

let updates = [];

function subscribed(frameworkId, tasks) {
  const scheduler = new Scheduler({
    masterUrl: host, port, frameworkName: "npm", tasks, restartStates: [], frameworkFailoverTimeout: 100,
    masterConnectionTimeout: 60, logging: { level: "error", path: ".", fileName: "scheduler.log" },
  });
  scheduler.frameworkId = frameworkId;
  let waiting = true;
  scheduler.on("error", (error) => {
    console.error(error.message || error);
    if (waiting) {
      // While there is no master, or none that leads.
      setTimeout(() => waiting && scheduler.subscribe(), 500);
    }
  });
  scheduler.on("update", (update) => updates.push(update.status));
  scheduler.on("ready", () => scheduler.subscribe());
  return new Promise((resolve) => scheduler.once("subscribed", () => {
    waiting = false;
    resolve(scheduler);
  }));
}

function told(task, state, reason) {
  return updates.some((status) =>
    status.task_id.value === task && status.state === state && (!reason || status.reason === reason));
}

async function until(what, holds, again) {
  const deadline = Date.now() + PATIENCE_MS;
  for (let round = 0; !holds(); round += 1) {
    if (Date.now() > deadline) {
      console.error(what, "not in time; updates:", JSON.stringify(updates));
      process.exit(1);
    }
    if (again && round % 10 === 0) {
      again();
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function reconciled(tasks) {
  return tasks.every((task) => told(task.taskId, "TASK_RUNNING", "REASON_RECONCILIATION"));
}

async function main() {
  const command = new mesos.CommandInfo(null, null, true, "exec sleep 1000", null, null);
  const resources = { cpus: 0.01, mem: 32, ports: 1, disk: 0 };
  const first = await subscribed(null, { stay: { instances: 2, commandInfo: command, resources } });
  const running = () => first.launchedTasks.length === 2 && first.launchedTasks.every((task) => told(task.taskId, "TASK_RUNNING"));
  await until("launch", running);
  const tasks = first.launchedTasks.map((task) => ({ taskId: task.taskId, agentId: task.runtimeInfo.agentId }));
  console.log("running");
  for await (const _ of process.stdin);

  updates = [];
  const second = await subscribed(first.frameworkId, {});
  await until("reconciliation by name", () => reconciled(tasks),
    () => tasks.forEach((task) => second.reconcile(task.taskId, task.agentId)));
  updates = [];
  await until("reconciliation of all", () => reconciled(tasks), () => second.reconcile());
  const [one] = tasks;
  second.kill(one.taskId, one.agentId);
  await until("kill", () => told(one.taskId, "TASK_KILLED"));
  second.teardown();
  await new Promise((resolve) => second.once("sent_teardown", resolve));
  console.log("survived");
  process.exit(0);
}

main();
