/** How the console speaks about what happens. */
import { type ClusterEvent, type Plan } from './events';
import type { Action, DeploymentPolicy, EndedDeployment, InstanceProgress, QueueItem } from '../api/schema';
import type { Counts } from './instance';
import type { Failure } from './run-spec-record.svelte';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `12 s`, `4 min`, `3 h`, `2 d` */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** Relative up to a day, then the date. */
export function ago(timestamp: string, now: number): string {
  const at = Date.parse(timestamp);
  if (!Number.isFinite(at)) return timestamp;
  const passed = now - at;
  if (passed < 2 * SECOND) return 'just now';
  if (passed < DAY) return `${duration(passed)} ago`;
  return timestamp.slice(0, 10);
}

/** `14:05:09`, in the reader's time zone. */
export function clock(timestamp: string | number): string {
  const at = new Date(timestamp);
  return Number.isFinite(at.getTime()) ? at.toTimeString().slice(0, 8) : String(timestamp);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** `3 apps`, `1 pod`, `4 apps and pods` */
export function kindsWords(apps: number, pods: number): string {
  if (pods === 0) return plural(apps, 'app');
  return apps === 0 ? plural(pods, 'pod') : `${count(apps + pods)} apps and pods`;
}

/** `a`, `a and b`, `a, b and c`, `a, b and 3 more` */
export function listed(items: readonly string[], shown = 3): string {
  if (items.length <= shown) {
    return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
  }
  return `${items.slice(0, shown - 1).join(', ')} and ${items.length - shown + 1} more`;
}

/** The end of an id, which tells it apart: `instance-3f2a91c0`. */
export function shortInstance(id: string): string {
  const match = /instance-([0-9a-f]{8})[0-9a-f-]*(?:\..*?\.(\d+))?$/.exec(id);
  if (!match) return id;
  return match[2] && match[2] !== '1' ? `${match[1]}·${match[2]}` : (match[1] ?? id);
}

export function count(value: number): string {
  return value.toLocaleString('en');
}

export function amount(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 1 });
}

/** Why a check failed, without what the row says already: whom it asked. */
export function causeWords(cause: string): string {
  return cause.replace(/^(?:GET )?https?:\/\/[^/\s]+/, '');
}

/** A time that may not have been measured. */
export function milliseconds(value: number | null): string {
  return value === null ? '–' : `${amount(value)} ms`;
}

/** Mebibytes as people say them. */
export function mebibytes(value: number): string {
  return value >= 1024 ? `${amount(value / 1024)} GiB` : `${amount(value)} MiB`;
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${amount(value)} ${units[unit]}`;
}

const ACTIONS: Record<Action['action'], string> = {
  StartApplication: 'Create',
  StopApplication: 'Stop',
  ScaleApplication: 'Scale',
  RestartApplication: 'Replace',
  StartPod: 'Create',
  StopPod: 'Stop',
  ScalePod: 'Scale',
  RestartPod: 'Replace',
};

export function actionWords(action: Action): string {
  return `${ACTIONS[action.action]} ${action.app ?? action.pod}`;
}

const STATES: Record<string, string> = {
  TASK_STAGING: 'is being placed',
  TASK_STARTING: 'starts',
  TASK_RUNNING: 'runs',
  TASK_KILLING: 'is asked to end',
  TASK_KILLED: 'has ended as asked',
  TASK_FINISHED: 'has finished',
  TASK_FAILED: 'has failed',
  TASK_ERROR: 'could not be started',
  TASK_LOST: 'is lost',
  TASK_UNREACHABLE: 'is out of contact',
  TASK_GONE: 'is gone',
  TASK_DROPPED: 'was not started',
};

/** `TASK_RUNNING` → `running` */
export function stateWord(state: string): string {
  return state
    .replace(/^TASK_/, '')
    .toLowerCase()
    .replaceAll('_', ' ');
}

export type Tone = 'plain' | 'good' | 'wait' | 'bad' | 'away';

/** One sentence about an event. */
export function sentence(event: ClusterEvent): string {
  switch (event.eventType) {
    case 'status_update_event': {
      const state = STATES[event.taskStatus] ?? `is ${stateWord(event.taskStatus)}`;
      const where = event.host === '' ? '' : ` on ${event.host}`;
      const why = event.message === '' ? '' : `: ${event.message}`;
      return `${shortInstance(event.taskId)} ${state}${where}${why}`;
    }
    case 'api_post_event':
    case 'pod_updated_event':
      return `Written by ${event.clientIp}`;
    case 'pod_created_event':
      return `A pod was created by ${event.clientIp}`;
    case 'pod_deleted_event':
      return `Destroyed by ${event.clientIp}`;
    case 'app_terminated_event':
      return 'Removed';
    case 'instance_changed_event':
      return event.condition === 'Scheduled'
        ? `${shortInstance(event.instanceId)} waits to be placed`
        : `${shortInstance(event.instanceId)} is now ${event.condition.toLowerCase()}`;
    case 'instance_health_changed_event':
      return `${shortInstance(event.instanceId)} is ${healthWord(event.healthy)}`;
    case 'unknown_instance_terminated_event':
      return `${shortInstance(event.instanceId)}, which nobody knew, has ended`;
    case 'add_health_check_event':
      return 'A health check was added';
    case 'remove_health_check_event':
      return 'A health check was removed';
    case 'failed_health_check_event':
      return `${shortInstance(event.taskId)} failed a health check`;
    case 'health_status_changed_event':
      return `A check of ${shortInstance(event.instanceId)} ${event.alive ? 'passes' : 'fails'}`;
    case 'unhealthy_instance_kill_event':
      return `${shortInstance(event.instanceId)} is ended as unhealthy: ${event.reason}`;
    case 'group_change_success':
      return `Group ${event.groupId} has changed`;
    case 'group_change_failed':
      return `A change of group ${event.groupId} was refused: ${event.reason}`;
    case 'deployment_info':
      return `Deployment of ${affected(event.plan)}: ${event.currentStep.actions.map(actionWords).join(', ')}`;
    case 'deployment_step_success':
      return `Deployment of ${affected(event.plan)}: a step is done`;
    case 'deployment_step_failure':
      return `Deployment of ${affected(event.plan)}: a step has failed`;
    case 'deployment_success':
      return `Deployment of ${affected(event.plan)} is done`;
    case 'deployment_failed':
      return `Deployment of ${affected(event.plan)} has ended${event.reason ? `: ${event.reason}` : ''}`;
    case 'scheduler_registered_event':
      return `Registered with the master at ${event.master}`;
    case 'scheduler_reregistered_event':
      return `Registered again with the master at ${event.master}`;
    case 'scheduler_disconnected_event':
      return 'The master is out of contact';
    case 'event_stream_attached':
      return `${event.remoteAddress} follows the events`;
    case 'event_stream_detached':
      return `${event.remoteAddress} no longer follows the events`;
    case 'event_stream_reset':
      return 'Earlier events are no longer kept';
  }
}

function affected(plan: Plan): string {
  const actions = plan.steps.flatMap((step) => step.actions);
  return listed([...new Set(actions.flatMap((action) => action.app ?? action.pod ?? []))]);
}

function healthWord(healthy: boolean | null): string {
  return healthy === null ? 'not judged yet' : healthy ? 'healthy' : 'unhealthy';
}

const FAILURES = new Set(['TASK_FAILED', 'TASK_ERROR', 'TASK_LOST', 'TASK_GONE', 'TASK_DROPPED']);

export function toneOf(event: ClusterEvent): Tone {
  switch (event.eventType) {
    case 'status_update_event':
      if (FAILURES.has(event.taskStatus)) return 'bad';
      if (event.taskStatus === 'TASK_RUNNING') return 'good';
      return event.taskStatus === 'TASK_UNREACHABLE' ? 'away' : 'plain';
    case 'instance_health_changed_event':
      return event.healthy === null ? 'plain' : event.healthy ? 'good' : 'bad';
    case 'health_status_changed_event':
      return event.alive ? 'good' : 'bad';
    case 'failed_health_check_event':
    case 'unhealthy_instance_kill_event':
    case 'deployment_failed':
    case 'deployment_step_failure':
    case 'group_change_failed':
      return 'bad';
    case 'deployment_success':
      return 'good';
    case 'deployment_info':
    case 'deployment_step_success':
      return 'wait';
    case 'scheduler_disconnected_event':
      return 'away';
    case 'api_post_event':
    case 'pod_created_event':
    case 'pod_updated_event':
    case 'pod_deleted_event':
    case 'app_terminated_event':
    case 'instance_changed_event':
    case 'unknown_instance_terminated_event':
    case 'add_health_check_event':
    case 'remove_health_check_event':
    case 'group_change_success':
    case 'scheduler_registered_event':
    case 'scheduler_reregistered_event':
    case 'event_stream_attached':
    case 'event_stream_detached':
    case 'event_stream_reset':
      return 'plain';
  }
}

const REASONS: Record<string, [one: string, many: string]> = {
  UnfulfilledRole: ['is kept for another role', 'are kept for another role'],
  UnfulfilledConstraint: ['does not meet its constraints', 'do not meet its constraints'],
  NoCorrespondingReservationFound: ['lacks its reservation', 'lack its reservation'],
  AgentMaintenance: ['is under maintenance', 'are under maintenance'],
  InsufficientCpus: ['has too little cpu', 'have too little cpu'],
  InsufficientMemory: ['has too little memory', 'have too little memory'],
  InsufficientDisk: ['has too little disk', 'have too little disk'],
  InsufficientGpus: ['has too few gpus', 'have too few gpus'],
  InsufficientPorts: ['has no suitable ports', 'have no suitable ports'],
  DeclinedScarceResources: [
    'is kept for those who need its scarce resources',
    'are kept for those who need scarce resources',
  ],
};

export function reasonWords(reason: string, count = 2): string {
  const words = REASONS[reason];
  return words ? words[count === 1 ? 0 : 1] : reason;
}

export interface RejectRow {
  reason: string;
  declined: number;
  processed: number;
}

/** Why nothing is placed, from the offers last seen of each agent. */
export function whyWaiting(rows: readonly RejectRow[]): string {
  const offers = rows[0]?.processed ?? 0;
  if (offers === 0) return 'No agent has offered anything yet.';
  const declined = rows.filter((row) => row.declined > 0);
  const parts = declined.map((row) => `${row.declined} ${reasonWords(row.reason, row.declined)}`);
  return parts.length === 0
    ? 'An offer that does has come; it starts.'
    : `Of ${plural(offers, 'offer')}, ${listed(parts, 4)}.`;
}

/** Why an app or a pod is not as it should be, in one sentence. */
export function reasonOf(failure: Failure | null, counts: Counts, queued: QueueItem | null): string {
  if (queued && !queued.delay.overdue) {
    const last = failure ? ` Last failure: ${failure.message || stateWord(failure.state)}.` : '';
    return `Waits ${duration(queued.delay.timeLeftSeconds * SECOND)} after failing before it starts again.${last}`;
  }
  if (counts.bad > 0)
    return `${plural(counts.bad, 'instance')} ${counts.bad === 1 ? 'fails its' : 'fail their'} health checks.`;
  if (counts.away > 0) return `${plural(counts.away, 'instance')} out of contact.`;
  if (queued)
    return `${plural(queued.count, 'instance')} to place. ${whyWaiting(queued.processedOffersSummary.rejectSummaryLastOffers)}`;
  return counts.missing > 0 ? `${plural(counts.missing, 'instance')} not there yet.` : '';
}

/** How deployments go about an app, a pod or a group; a sentence per rule. */
export function policyWords(policy: DeploymentPolicy | null | undefined): string[] {
  if (!policy) return ['As its groups say, else as Marathon does: without a deadline.'];
  const { progressDeadlineSeconds: deadline, minimumHealthyTimeSeconds: healthy, maxKillsPerMinute: kills } = policy;
  const failing = { rollback: 'is rolled back', pause: 'is paused', continue: 'gives it up and goes on' };
  return [
    typeof deadline === 'number'
      ? `What makes no progress for ${duration(deadline * SECOND)} has failed, and ${failing[policy.onFailure]}.`
      : 'It may take for ever.',
    ...(healthy ? [`A new instance counts after ${duration(healthy * SECOND)} of service.`] : []),
    ...(typeof kills === 'number'
      ? [`At most ${plural(kills, 'instance')} ${kills === 1 ? 'is' : 'are'} ended in a minute.`]
      : []),
    ...(policy.replaceBeforeKill ? ['An old instance ends when a new one serves in its place.'] : []),
  ];
}

/** What an instance waits for while it is deployed, as the command line says it. */
export const WAITS_FOR_WORDS: Record<NonNullable<InstanceProgress['waitsFor']>, string> = {
  offer: 'an offer',
  start: 'its task to start',
  health: 'its health checks',
  readiness: 'its readiness check',
  agent: 'its agent, which cannot be reached',
  turn: 'its turn to be killed',
  end: 'its end',
};

/** How a deployment ended. */
export const OUTCOME_WORDS: Record<EndedDeployment['outcome'], string> = {
  done: 'Done',
  failed: 'Failed',
  rolledBack: 'Rolled back',
  cancelled: 'Cancelled',
};
