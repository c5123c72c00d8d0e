/** What the console makes of a pod that the server told of. */
import type { ContainerStatus, Pod, PodInstance, PodInstanceState, PodState, PodStatus } from '../api/schema';
import { hasEnded, type Health, type Instance, type Tile } from './instance';

/** Of several containers the state that tells most about their instance. */
const TELLING = ['TASK_UNREACHABLE', 'TASK_KILLING', 'TASK_CREATED', 'TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING'];

/** What the checks of a container say; `none` while none has spoken, or it has none. */
export function healthOfContainer(container: ContainerStatus): Health {
  const told = container.conditions.find((condition) => condition.name === 'healthy')?.value;
  return told === 'true' ? 'good' : told === 'false' ? 'bad' : 'none';
}

/** How a container is drawn. */
export function tileOfContainer(container: ContainerStatus): Tile {
  if (container.status === 'TASK_UNREACHABLE') return 'away';
  if (container.status === 'TASK_KILLING' || hasEnded(container.status)) return 'end';
  if (container.status !== 'TASK_RUNNING') return 'wait';
  const health = healthOfContainer(container);
  return health === 'none' ? 'run' : health;
}

/** An instance is as well as its least well container, and healthy when every check has said so. */
function healthOf(pod: Pod, { containers }: PodInstance): Health {
  const healths = containers.map(healthOfContainer);
  const broken =
    containers.some(({ status }) => hasEnded(status)) && containers.some(({ status }) => !hasEnded(status));
  if (broken || healths.includes('bad')) return 'bad';
  const checks = pod.containers.filter((container) => container.healthCheck).length;
  return checks > 0 && healths.filter((health) => health === 'good').length >= checks ? 'good' : 'none';
}

function stateOf({ containers, status }: PodInstance): string {
  const states = containers.map((container) => container.status);
  const found = TELLING.find((state) => states.includes(state));
  return found ?? (status === 'TERMINAL' ? 'TASK_FINISHED' : 'TASK_STAGING');
}

/** `/v2/pods/web::versions/2026-…` → `2026-…` */
export function versionOf(specReference: string): string {
  return specReference.slice(specReference.lastIndexOf('/') + 1);
}

/** Instances that have a machine, as tiles of the cluster; one that waits for a machine is missing. */
export function instancesOf(told: PodStatus): Instance[] {
  return told.instances.flatMap((instance) => {
    if (!instance.agentId) return [];
    return {
      taskId: instance.id,
      instanceId: instance.id,
      appId: told.id,
      host: instance.agentHostname ?? '',
      agentId: instance.agentId,
      ports: instance.containers.flatMap(({ endpoints }) => endpoints.flatMap((one) => one.allocatedHostPort ?? [])),
      state: stateOf(instance),
      health: healthOf(told.spec, instance),
      stagedAt: null,
      startedAt: null,
      version: versionOf(instance.specReference),
      zone: instance.agentZone ?? null,
    };
  });
}

/** What one instance takes, with what holds its containers together. */
export function resourcesOf(pod: Pod): { cpus: number; mem: number } {
  const parts = [...pod.containers.map(({ resources }) => resources), pod.executorResources];
  const sum = (of: 'cpus' | 'mem') => parts.reduce((total, part) => total + (part?.[of] ?? 0), 0);
  return { cpus: sum('cpus'), mem: sum('mem') };
}

/** The task of an app is `….instance-<uuid>._app.1`, a container of a pod `….instance-<uuid>.<name>.1`. */
export function isOfPod(taskId: string): boolean {
  const name = /\.instance-[0-9a-f-]{36}\.(.+)\.\d+$/.exec(taskId)?.[1];
  return name !== undefined && name !== '_app';
}

export const POD_STATE_WORDS: Record<PodState, string> = {
  STABLE: 'Stable',
  DEGRADED: 'Not as it should be',
  TERMINAL: 'Ending',
};

export const POD_INSTANCE_WORDS: Record<PodInstanceState, string> = {
  PENDING: 'waits for a machine',
  STAGING: 'starting',
  STABLE: 'stable',
  DEGRADED: 'not as it should be',
  TERMINAL: 'ending',
};

/** What a container of an image, of a command or of both runs. */
export function programOf(container: Pod['containers'][number]): string {
  const command = container.exec?.command;
  return command?.shell ?? command?.argv?.join(' ') ?? '';
}
