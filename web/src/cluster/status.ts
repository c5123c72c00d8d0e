/** What an app does, in one word. */
import type { QueueItem } from '../api/schema';
import type { Counts } from './instance';

/** Suspended: nothing is wanted. Delayed: it waits out a failure. Waiting: no offer does. */
export type Status = 'running' | 'deploying' | 'delayed' | 'waiting' | 'suspended';

export const STATUSES: readonly Status[] = ['running', 'deploying', 'waiting', 'delayed', 'suspended'];

export const STATUS_WORDS: Record<Status, string> = {
  running: 'Running',
  deploying: 'Deploying',
  waiting: 'Waiting',
  delayed: 'Delayed',
  suspended: 'Suspended',
};

/** The worst that can be said of an app's instances. */
export type AppHealth = 'good' | 'bad' | 'none';

/** An item of the queue says why something is not there; one that has just come in has not been refused anything yet. */
export function statusOf(wanted: number, counts: Counts, deploying: boolean, queued: QueueItem | null): Status {
  const running = counts.good + counts.run + counts.bad;
  if (queued && counts.missing > 0) {
    if (!queued.delay.overdue) return 'delayed';
    if (queued.processedOffersSummary.unusedOffersCount > 0 || !deploying) return 'waiting';
  }
  if (deploying) return 'deploying';
  if (wanted === 0 && running === 0) return 'suspended';
  return counts.missing > 0 ? 'waiting' : 'running';
}

export function healthOfCounts(counts: Counts): AppHealth {
  if (counts.bad > 0) return 'bad';
  return counts.good > 0 ? 'good' : 'none';
}

/** Whether a person should look. */
export function needsAttention(status: Status, counts: Counts): boolean {
  return status === 'waiting' || status === 'delayed' || counts.bad > 0 || counts.away > 0;
}
