/**
 * The cluster as this page knows it: read once, then kept by the event stream. What no event tells (the launch queue, agents) is
 * read again while something shows it or depends on it. Events about a pod say that it changed, not to what: it is read again.
 */
import { api, ApiError } from '../api/client';
import type { Agent, AppInfo, Deployment, PodStatus } from '../api/schema';
import { AppRecord } from './app-record.svelte';
import {
  appsOfPlan,
  podsOfPlan,
  podOfUri,
  type ClusterEvent,
  type Plan,
  type Recorded,
  type StatusUpdate,
} from './events';
import { Feed } from './feed.svelte';
import { OnMachine } from './on-machine.svelte';
import { addCounts, fromTask, fromUpdate, hasEnded, noCounts, type Health, type Instance } from './instance';
import { EventStream } from './stream';
import { Later } from './later';
import { instancesOf, isOfPod } from './pod';
import { PodRecord } from './pod-record.svelte';

/** `loading`: nothing to show yet. `reading`: there is something, the rest comes. `live`: the stream is open. `stale`: what is shown may be old. `failed`: nothing could be read. */
export type Phase = 'loading' | 'reading' | 'live' | 'stale' | 'failed';

const QUEUE_EVERY_MS = 3_000;
const AGENTS_EVERY_MS = 3_000;
const POD_EVERY_MS = 3_000;
const DEPLOYMENTS_EVERY_MS = 3_000;
const ENDED_KEPT = 20;
/** Long enough to gather what belongs together, short enough to look immediate; longer where there is more to draw. */
const BATCH_MS = 80;
const BATCH_MAX_MS = 400;
/** Above so many changed apps or pods the whole list is cheaper than one call each. */
const SINGLE_READS_MAX = 8;

export class Cluster {
  phase: Phase = $state('loading');
  /** Why, while `failed`. */
  problem = $state('');
  /** Since when what is shown may be old. */
  staleSince: number | null = $state(null);
  readonly apps = new Map<string, AppRecord>();
  readonly pods = new Map<string, PodRecord>();
  /** Moves when apps or pods come or go. */
  appsRevision = $state(0);
  instancesKnown = $state(false);
  /** Moves when any instance changes: for what shows all of them. */
  instancesRevision = $state(0);
  deployments: readonly Deployment[] = $state.raw([]);
  agents: readonly Agent[] | null = $state.raw(null);
  agentsProblem = $state('');
  readonly feed = new Feed();

  #stream: EventStream | null = null;
  /** By app and task; also of apps that are not read yet, whose instances may be heard of first. */
  #instances = new Map<string, Map<string, Instance>>();
  #byInstance = new Map<string, Instance>();
  #machines = new Map<string, OnMachine>();
  #changedMachines = new Set<OnMachine>();
  #dirtyApps = new Set<string>();
  #dirtyPods = new Set<string>();
  #deploymentsRead = new Later(100, () => this.#readDeployments());
  #appsRead = new Later(100, () => this.#readDirtyApps());
  #podsRead = new Later(100, () => this.#readDirtyPods());
  #queueRead = new Later(300, () => this.#readQueue());
  #watchers = 0;
  #loading = false;

  readonly totals = $derived.by(() => {
    void this.appsRevision;
    const counts = noCounts();
    let wanted = 0;
    for (const record of this.records()) {
      addCounts(counts, record.counts);
      wanted += record.wanted;
    }
    return { counts, wanted, apps: this.apps.size, pods: this.pods.size };
  });

  /** Begins to live; the returned function ends it. */
  start(): () => void {
    void this.#load();
    const queue = setInterval(() => this.#somethingWaits() && this.#queueRead.now(), QUEUE_EVERY_MS);
    const agents = setInterval(() => {
      if (this.#watchers > 0 && !document.hidden) void this.#readAgents();
    }, AGENTS_EVERY_MS);
    return () => {
      clearInterval(queue);
      clearInterval(agents);
      this.#stream?.close();
    };
  }

  /** Keeps the agents fresh until the returned function is called. */
  watchAgents(): () => void {
    this.#watchers += 1;
    void this.#readAgents();
    return () => {
      this.#watchers -= 1;
    };
  }

  /** Keeps what is told of a pod fresh until the returned function is called. */
  watchPod(id: string): () => void {
    const read = () => this.#readPodSoon(id);
    read();
    const timer = setInterval(() => document.hidden || read(), POD_EVERY_MS);
    return () => clearInterval(timer);
  }

  /** Keeps the deployments fresh until the returned function is called: no event tells that one was paused. */
  watchDeployments(): () => void {
    const read = () => this.#deploymentsRead.now();
    read();
    const timer = setInterval(() => document.hidden || read(), DEPLOYMENTS_EVERY_MS);
    return () => clearInterval(timer);
  }

  /** After something was done to a deployment that no event tells of. */
  readDeployments(): void {
    this.#deploymentsRead.now();
  }

  app(id: string): AppRecord | undefined {
    void this.appsRevision;
    return this.apps.get(id);
  }

  pod(id: string): PodRecord | undefined {
    void this.appsRevision;
    return this.pods.get(id);
  }

  /** All apps and all pods. */
  *records(): Iterable<AppRecord | PodRecord> {
    void this.appsRevision;
    yield* this.apps.values();
    yield* this.pods.values();
  }

  /** Reads everything, then follows from the earliest of the positions read: events that an answer holds already change nothing. */
  async #load(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const [apps, pods, deployments] = await Promise.all([api.apps(), api.pods(), api.deployments()]);
      this.#takeApps(apps.value.apps);
      this.#takePods(pods.value);
      this.#takeDeployments(deployments.value);
      if (this.phase !== 'stale') this.phase = 'reading';
      // The long answer comes last: with the short ones the page says something already.
      const tasks = await api.tasks();
      this.#takeTasks(tasks.value.tasks.map((task) => fromTask(task, this.#checksOf(task.appId))));
      const positions = [apps.position, pods.position, deployments.position, tasks.position].filter(
        (position) => position !== null,
      );
      this.#follow(positions.length > 0 ? Math.min(...positions) : null);
      this.#queueRead.now();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      this.problem = error instanceof ApiError ? error.message : String(error);
      this.phase = this.apps.size + this.pods.size > 0 ? 'stale' : 'failed';
      this.staleSince ??= Date.now();
      setTimeout(() => void this.#load(), 2_000);
    } finally {
      this.#loading = false;
    }
  }

  #follow(position: number | null): void {
    this.#stream?.close();
    this.#stream = new EventStream(position, {
      batchMs: () => Math.min(BATCH_MAX_MS, BATCH_MS + this.#byInstance.size / 40),
      events: (batch) => this.#apply(batch),
      live: () => {
        // The stream brings what was missed; reads that failed meanwhile are made good here.
        if (this.phase === 'stale') {
          this.#appsRead.now();
          this.#podsRead.now();
        }
        this.phase = 'live';
        this.staleSince = null;
      },
      away: () => {
        // A stream that is refused does not say why.
        void api.session().catch(() => {});
        this.phase = 'stale';
        this.staleSince ??= Date.now();
      },
    });
    this.feed.begin(position);
  }

  #takeApps(definitions: readonly AppInfo[]): void {
    const present = new Set(definitions.map((definition) => definition.id));
    for (const id of [...this.apps.keys()]) if (!present.has(id)) this.#forget(id);
    for (const definition of definitions) this.#takeApp(definition);
  }

  #takeApp(definition: AppInfo): void {
    const known = this.apps.get(definition.id);
    if (known) {
      known.definition = definition;
      known.recount(this.instancesKnown);
      return;
    }
    const record = new AppRecord(definition, this.#instancesOf(definition.id));
    record.deployments = this.#deploymentsOf(definition.id);
    record.recount(this.instancesKnown);
    this.apps.set(definition.id, record);
    this.appsRevision += 1;
  }

  #forget(id: string): void {
    for (const instance of [...this.#instancesOf(id).values()]) this.#remove(instance);
    this.#instances.delete(id);
    this.#wakeMachines();
    if (!this.apps.delete(id) && !this.pods.delete(id)) return;
    this.appsRevision += 1;
    this.instancesRevision += 1;
  }

  #takePods(told: readonly PodStatus[]): void {
    const present = new Set(told.map(({ id }) => id));
    for (const id of [...this.pods.keys()]) if (!present.has(id)) this.#forget(id);
    for (const pod of told) this.#takePod(pod);
  }

  #takePod(told: PodStatus): void {
    let record = this.pods.get(told.id);
    if (record) record.told = told;
    else {
      record = new PodRecord(told, this.#instancesOf(told.id));
      record.deployments = this.#deploymentsOf(told.id);
      this.pods.set(told.id, record);
      this.appsRevision += 1;
    }
    for (const known of [...record.instances.values()]) this.#remove(known);
    for (const instance of instancesOf(told)) this.#put(instance);
    record.revision += 1;
    record.recount();
    this.instancesRevision += 1;
    this.#wakeMachines();
  }

  /** The instances of apps; those of pods come with the pods. */
  #takeTasks(instances: readonly Instance[]): void {
    for (const [id, known] of this.#instances) {
      if (!this.pods.has(id)) for (const instance of [...known.values()]) this.#remove(instance);
    }
    for (const instance of instances) this.#put(instance);
    this.instancesKnown = true;
    this.#wakeMachines();
    for (const record of this.apps.values()) {
      record.revision += 1;
      record.recount(true);
    }
    this.instancesRevision += 1;
  }

  #put(instance: Instance): AppRecord | undefined {
    this.#instancesOf(instance.appId).set(instance.taskId, instance);
    this.#byInstance.set(instance.instanceId, instance);
    const machine = this.onMachine(instance.agentId);
    machine.instances.set(instance.taskId, instance);
    this.#changedMachines.add(machine);
    return this.apps.get(instance.appId);
  }

  #remove(instance: Instance): void {
    this.#instances.get(instance.appId)?.delete(instance.taskId);
    const machine = this.onMachine(instance.agentId);
    machine.instances.delete(instance.taskId);
    this.#changedMachines.add(machine);
    // The instance may have a new task by now.
    if (this.#byInstance.get(instance.instanceId)?.taskId === instance.taskId) {
      this.#byInstance.delete(instance.instanceId);
    }
  }

  /** What runs on a machine, by the id of its agent. */
  onMachine(agent: string): OnMachine {
    let machine = this.#machines.get(agent);
    if (!machine) this.#machines.set(agent, (machine = new OnMachine()));
    return machine;
  }

  /** Machines that hold instances. */
  *occupied(): Iterable<[agent: string, machine: OnMachine]> {
    void this.instancesRevision;
    for (const entry of this.#machines) if (entry[1].instances.size > 0) yield entry;
  }

  #wakeMachines(): void {
    for (const machine of this.#changedMachines) machine.revision += 1;
    this.#changedMachines.clear();
  }

  #instancesOf(app: string): Map<string, Instance> {
    let instances = this.#instances.get(app);
    if (!instances) this.#instances.set(app, (instances = new Map()));
    return instances;
  }

  #takeDeployments(deployments: readonly Deployment[]): void {
    this.deployments = deployments;
    for (const record of this.records()) {
      const now = this.#deploymentsOf(record.id);
      if (now.join() !== record.deployments.join()) record.deployments = now;
    }
  }

  #deploymentsOf(id: string): string[] {
    return this.deployments.filter((deployment) => touches(deployment, id)).map((deployment) => deployment.id);
  }

  #checksOf(app: string): number {
    return this.apps.get(app)?.definition.healthChecks.length ?? 0;
  }

  #apply(batch: readonly Recorded[]): void {
    const changed = new Set<AppRecord>();
    for (const { event } of batch) this.#applyOne(event, changed);
    for (const record of changed) {
      record.revision += 1;
      record.recount(true);
    }
    if (changed.size > 0) this.instancesRevision += 1;
    this.#wakeMachines();
    if (changed.size > 0 || this.#dirtyPods.size > 0 || this.#somethingWaits()) this.#queueRead.soon();
    this.feed.add(batch);
  }

  #applyOne(event: ClusterEvent, changed: Set<AppRecord>): void {
    switch (event.eventType) {
      case 'status_update_event': {
        if (isOfPod(event.taskId)) return this.#readPodSoon(event.appId);
        const record = this.#update(event);
        if (record) changed.add(record);
        return;
      }
      case 'instance_health_changed_event': {
        if (this.pods.has(event.runSpecId)) return this.#readPodSoon(event.runSpecId);
        const health: Health = event.healthy === null ? 'none' : event.healthy ? 'good' : 'bad';
        const known = this.#byInstance.get(event.instanceId);
        const record = known && this.#put({ ...known, health });
        if (record) changed.add(record);
        return;
      }
      case 'api_post_event':
        return this.#readAppSoon(event.appDefinition.id);
      case 'add_health_check_event':
      case 'remove_health_check_event':
        return this.#readAppSoon(event.appId);
      case 'app_terminated_event':
        return this.#readAppSoon(event.appId);
      case 'deployment_success':
      case 'deployment_failed':
      case 'deployment_info':
        return this.#readPlanSoon(event.plan);
      case 'deployment_step_success':
      case 'deployment_step_failure':
        return this.#deploymentsRead.soon();
      case 'event_stream_reset':
        // What lay between is no longer kept: read everything anew.
        return void this.#load();
      case 'pod_created_event':
      case 'pod_updated_event':
      case 'pod_deleted_event': {
        const pod = podOfUri(event.uri);
        return pod === null ? undefined : this.#readPodSoon(pod);
      }
      case 'instance_changed_event':
      case 'unknown_instance_terminated_event':
        return this.pods.has(event.runSpecId) ? this.#readPodSoon(event.runSpecId) : undefined;
      case 'health_status_changed_event':
        return this.pods.has(event.appId) ? this.#readPodSoon(event.appId) : undefined;
      case 'failed_health_check_event':
      case 'unhealthy_instance_kill_event':
      case 'group_change_success':
      case 'group_change_failed':
      case 'scheduler_registered_event':
      case 'scheduler_reregistered_event':
      case 'scheduler_disconnected_event':
      case 'event_stream_attached':
      case 'event_stream_detached':
        return;
    }
  }

  #update(update: StatusUpdate): AppRecord | undefined {
    const record = this.apps.get(update.appId);
    if (!record) this.#readAppSoon(update.appId);
    const instances = this.#instancesOf(update.appId);
    const next = fromUpdate(update, instances.get(update.taskId));
    if (!hasEnded(update.taskStatus)) return this.#put(next);
    this.#remove(next);
    if (!record) return undefined;
    record.ended = [next, ...record.ended.filter((one) => one.taskId !== next.taskId)].slice(0, ENDED_KEPT);
    if (update.taskStatus === 'TASK_FAILED') this.#readAppSoon(update.appId);
    return record;
  }

  #readPlanSoon(plan: Plan): void {
    appsOfPlan(plan).forEach((app) => this.#readAppSoon(app));
    podsOfPlan(plan).forEach((pod) => this.#readPodSoon(pod));
    this.#deploymentsRead.soon();
  }

  #readPodSoon(id: string): void {
    this.#dirtyPods.add(id);
    this.#podsRead.soon();
  }

  async #readDirtyPods(): Promise<void> {
    const ids = [...this.#dirtyPods];
    this.#dirtyPods.clear();
    // None named: all may have changed.
    if (ids.length === 0 || ids.length > SINGLE_READS_MAX) return this.#takePods((await api.pods()).value);
    for (const id of ids) {
      const told = await api.podStatus(id);
      if (told) this.#takePod(told);
      else if (this.pods.has(id)) this.#forget(id);
    }
  }

  #readAppSoon(id: string): void {
    this.#dirtyApps.add(id);
    this.#appsRead.soon();
  }

  async #readDirtyApps(): Promise<void> {
    const ids = [...this.#dirtyApps];
    this.#dirtyApps.clear();
    // None named: all may have changed.
    if (ids.length === 0 || ids.length > SINGLE_READS_MAX) {
      this.#takeApps((await api.apps()).value.apps);
      return this.#readDeployments();
    }
    for (const id of ids) {
      const definition = await api.app(id);
      if (definition) this.#takeApp(definition);
      else this.#forget(id);
    }
  }

  async #readDeployments(): Promise<void> {
    this.#takeDeployments((await api.deployments()).value);
  }

  async #readQueue(): Promise<void> {
    const queue = await api.queue();
    const items = new Map(queue.map((item) => [item.app?.id ?? item.pod?.id ?? '', item] as const));
    for (const record of this.records()) {
      const item = items.get(record.id) ?? null;
      if (item || record.queued) record.queued = item;
    }
  }

  #somethingWaits(): boolean {
    for (const record of this.records()) if (record.counts.missing > 0 || record.queued) return true;
    return false;
  }

  async #readAgents(): Promise<void> {
    try {
      this.agents = await api.agents();
      this.agentsProblem = '';
    } catch (error) {
      this.agentsProblem = error instanceof ApiError ? error.message : String(error);
    }
  }
}

export function touches(deployment: Deployment, id: string): boolean {
  return deployment.affectedApps.includes(id) || deployment.affectedPods.includes(id);
}

export const cluster = new Cluster();
