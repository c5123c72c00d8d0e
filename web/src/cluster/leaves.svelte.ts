/** Apps and pods as the tree sees them. */
import type { AppRecord } from './app-record.svelte';
import type { PodRecord } from './pod-record.svelte';
import { cluster } from './cluster.svelte';
import { healthOfCounts } from './status';
import type { Leaf } from './tree';

export interface RecordLeaf extends Leaf {
  record: AppRecord | PodRecord;
}

export function leafOf(record: AppRecord | PodRecord): RecordLeaf {
  const { kind, labels, counts, status } = record;
  return {
    kind,
    id: record.id,
    labels,
    counts,
    wanted: record.wanted,
    status,
    health: healthOfCounts(counts),
    record,
  };
}

export function allLeaves(): RecordLeaf[] {
  return [...cluster.records()].map(leafOf);
}
