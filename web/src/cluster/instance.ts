/** One instance as the console shows it, made of a task that was read or of events about it. */
import type { AppInfo, Task } from '../api/schema';
import type { StatusUpdate } from './events';

/** What all checks together say; `none` while no check has spoken, or none is defined. */
export type Health = 'good' | 'bad' | 'none';

export interface Instance {
  taskId: string;
  instanceId: string;
  appId: string;
  host: string;
  agentId: string;
  ports: readonly number[];
  state: string;
  health: Health;
  stagedAt: string | null;
  startedAt: string | null;
  version: string;
  zone: string | null;
}

/** How an instance is drawn. `missing` stands for one that is wanted and not there. */
export type Tile = 'good' | 'run' | 'bad' | 'wait' | 'away' | 'end' | 'missing';

export const TILES: readonly Tile[] = ['good', 'run', 'bad', 'wait', 'away', 'end', 'missing'];

export const TILE_WORDS: Record<Tile, string> = {
  good: 'healthy',
  run: 'running, unchecked',
  bad: 'unhealthy',
  wait: 'starting',
  away: 'out of contact',
  end: 'ending',
  missing: 'not there yet',
};

const ENDED = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
  'TASK_UNKNOWN',
]);

export function hasEnded(state: string): boolean {
  return ENDED.has(state);
}

export function tileOf(instance: Instance): Tile {
  switch (instance.state) {
    case 'TASK_RUNNING':
      return instance.health === 'none' ? 'run' : instance.health;
    case 'TASK_STAGING':
    case 'TASK_STARTING':
    case 'TASK_CREATED':
      return 'wait';
    case 'TASK_KILLING':
      return 'end';
    case 'TASK_UNREACHABLE':
      return 'away';
    default:
      return hasEnded(instance.state) ? 'end' : 'wait';
  }
}

/** `web.instance-<uuid>._app.3` runs instance `web.instance-<uuid>`. */
export function instanceIdOf(taskId: string): string {
  return /^(.*\.instance-[0-9a-f-]{36})\./.exec(taskId)?.[1] ?? taskId;
}

export function healthOf(task: Task, checks: number): Health {
  const results = task.healthCheckResults;
  if (results.some((result) => !result.alive)) return 'bad';
  return checks > 0 && results.length >= checks ? 'good' : 'none';
}

export function fromTask(task: Task, checks: number): Instance {
  return {
    taskId: task.id,
    instanceId: instanceIdOf(task.id),
    appId: task.appId,
    host: task.host,
    agentId: task.slaveId,
    ports: task.ports,
    state: task.state,
    health: healthOf(task, checks),
    stagedAt: task.stagedAt ?? null,
    startedAt: task.startedAt ?? null,
    version: task.version,
    zone: task.zone ?? null,
  };
}

/** What a status update makes of an instance that may not be known yet. */
export function fromUpdate(update: StatusUpdate, before: Instance | undefined): Instance {
  const runs = update.taskStatus === 'TASK_RUNNING';
  return {
    taskId: update.taskId,
    instanceId: instanceIdOf(update.taskId),
    appId: update.appId,
    host: update.host || (before?.host ?? ''),
    agentId: update.slaveId || (before?.agentId ?? ''),
    ports: update.ports.length > 0 ? update.ports : (before?.ports ?? []),
    state: update.taskStatus,
    health: before?.health ?? 'none',
    stagedAt: before?.stagedAt ?? update.timestamp,
    startedAt: before?.startedAt ?? (runs ? update.timestamp : null),
    version: update.version,
    zone: before?.zone ?? null,
  };
}

export type Counts = Record<Tile, number>;

export function noCounts(): Counts {
  return { good: 0, run: 0, bad: 0, wait: 0, away: 0, end: 0, missing: 0 };
}

/** Counts instances by tile; what is wanted beyond those present (ending ones do not count as present) is missing. */
export function countInstances(instances: Iterable<Instance>, wanted: number): Counts {
  const counts = noCounts();
  for (const instance of instances) counts[tileOf(instance)] += 1;
  return withMissing(counts, wanted);
}

/** The counts that come with an app, for the time before its instances are read. */
export function countsOf(app: AppInfo): Counts {
  const running = app.tasksRunning ?? 0;
  const good = app.tasksHealthy ?? 0;
  const bad = app.tasksUnhealthy ?? 0;
  const counts = { ...noCounts(), good, bad, run: Math.max(0, running - good - bad), wait: app.tasksStaged ?? 0 };
  return withMissing(counts, app.instances);
}

function withMissing(counts: Counts, wanted: number): Counts {
  const present = counts.good + counts.run + counts.bad + counts.wait + counts.away;
  counts.missing = Math.max(0, wanted - present);
  return counts;
}

export function addCounts(sum: Counts, more: Counts): void {
  for (const tile of TILES) sum[tile] += more[tile];
}

export function sameCounts(one: Counts, other: Counts): boolean {
  return TILES.every((tile) => one[tile] === other[tile]);
}
