/** The frames of the event stream that the console understands, as Marathon defined them. */
import type { AppInfo, Step } from '../api/schema';

export interface StatusUpdate {
  eventType: 'status_update_event';
  timestamp: string;
  slaveId: string;
  taskId: string;
  taskStatus: string;
  message: string;
  appId: string;
  host: string;
  ports: number[];
  version: string;
}

export interface Plan {
  id: string;
  version: string;
  steps: Step[];
}

type Frame<Type extends string, Fields> = { eventType: Type; timestamp: string } & Fields;

export type ClusterEvent =
  | StatusUpdate
  | Frame<'api_post_event', { clientIp: string; uri: string; appDefinition: AppInfo }>
  | Frame<'pod_created_event' | 'pod_updated_event' | 'pod_deleted_event', { clientIp: string; uri: string }>
  | Frame<'app_terminated_event', { appId: string }>
  | Frame<
      'instance_changed_event',
      { instanceId: string; condition: string; runSpecId: string; host?: string; agentId?: string }
    >
  | Frame<'instance_health_changed_event', { instanceId: string; runSpecId: string; healthy: boolean | null }>
  | Frame<'unknown_instance_terminated_event', { instanceId: string; runSpecId: string; condition: string }>
  | Frame<'add_health_check_event' | 'remove_health_check_event', { appId: string }>
  | Frame<'failed_health_check_event', { appId: string; taskId: string }>
  | Frame<'health_status_changed_event', { appId: string; instanceId: string; alive: boolean }>
  | Frame<
      'unhealthy_instance_kill_event',
      { appId: string; taskId: string; instanceId: string; reason: string; host: string }
    >
  | Frame<'group_change_success', { groupId: string; version: string }>
  | Frame<'group_change_failed', { groupId: string; version: string; reason: string }>
  | Frame<'deployment_info' | 'deployment_step_success' | 'deployment_step_failure', { plan: Plan; currentStep: Step }>
  | Frame<'deployment_success', { id: string; plan: Plan }>
  | Frame<'deployment_failed', { id: string; plan: Plan; reason?: string }>
  | Frame<'scheduler_registered_event' | 'scheduler_reregistered_event', { master: string }>
  | Frame<'scheduler_disconnected_event', object>
  | Frame<'event_stream_attached' | 'event_stream_detached', { remoteAddress: string }>
  | Frame<'event_stream_reset', object>;

export type EventType = ClusterEvent['eventType'];

/** A browser delivers only the types that are asked for by name. */
const NAMES: Record<EventType, true> = {
  api_post_event: true,
  pod_created_event: true,
  pod_updated_event: true,
  pod_deleted_event: true,
  app_terminated_event: true,
  instance_changed_event: true,
  instance_health_changed_event: true,
  unknown_instance_terminated_event: true,
  add_health_check_event: true,
  remove_health_check_event: true,
  failed_health_check_event: true,
  health_status_changed_event: true,
  unhealthy_instance_kill_event: true,
  group_change_success: true,
  group_change_failed: true,
  deployment_info: true,
  deployment_step_success: true,
  deployment_step_failure: true,
  deployment_success: true,
  deployment_failed: true,
  scheduler_registered_event: true,
  scheduler_reregistered_event: true,
  scheduler_disconnected_event: true,
  event_stream_attached: true,
  event_stream_detached: true,
  event_stream_reset: true,
  status_update_event: true,
};

export const EVENT_TYPES = Object.keys(NAMES) as EventType[];

/** An event with its position; null for one that belongs to this stream alone. */
export interface Recorded {
  id: number | null;
  event: ClusterEvent;
}

/** The app or pod that an event is about, if it is about one. */
export function appOf(event: ClusterEvent): string | null {
  switch (event.eventType) {
    case 'status_update_event':
    case 'app_terminated_event':
    case 'add_health_check_event':
    case 'remove_health_check_event':
    case 'failed_health_check_event':
    case 'health_status_changed_event':
    case 'unhealthy_instance_kill_event':
      return event.appId;
    case 'instance_changed_event':
    case 'instance_health_changed_event':
    case 'unknown_instance_terminated_event':
      return event.runSpecId;
    case 'api_post_event':
      return event.appDefinition.id;
    case 'pod_created_event':
    case 'pod_updated_event':
    case 'pod_deleted_event':
      return podOfUri(event.uri);
    case 'deployment_info':
    case 'deployment_step_success':
    case 'deployment_step_failure':
    case 'deployment_success':
    case 'deployment_failed': {
      const all = [...appsOfPlan(event.plan), ...podsOfPlan(event.plan)];
      return all.length === 1 ? (all[0] ?? null) : null;
    }
    case 'group_change_success':
    case 'group_change_failed':
    case 'scheduler_registered_event':
    case 'scheduler_reregistered_event':
    case 'scheduler_disconnected_event':
    case 'event_stream_attached':
    case 'event_stream_detached':
    case 'event_stream_reset':
      return null;
  }
}

export function appsOfPlan(plan: Plan): string[] {
  return [...new Set(plan.steps.flatMap((step) => step.actions.flatMap((action) => action.app ?? [])))];
}

export function podsOfPlan(plan: Plan): string[] {
  return [...new Set(plan.steps.flatMap((step) => step.actions.flatMap((action) => action.pod ?? [])))];
}

/** The pod that a request was about, by the address it was sent to; null for one that makes a pod, whose address names none. */
export function podOfUri(uri: string): string | null {
  const path = /^\/v2\/pods(\/[^?]*)/.exec(uri)?.[1]?.replace(/::.*$/, '').replace(/\/+$/, '');
  return path ? path : null;
}
