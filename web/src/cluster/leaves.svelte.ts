/** Apps as the tree sees them. */
import type { AppRecord } from './app-record.svelte';
import { cluster } from './cluster.svelte';
import { healthOfCounts } from './status';
import type { Leaf } from './tree';

export interface AppLeaf extends Leaf {
  record: AppRecord;
}

export function leafOf(record: AppRecord): AppLeaf {
  const { definition, counts, status } = record;
  return {
    id: record.id,
    labels: definition.labels,
    counts,
    wanted: definition.instances,
    status,
    health: healthOfCounts(counts),
    record,
  };
}

export function allLeaves(): AppLeaf[] {
  void cluster.appsRevision;
  return [...cluster.apps.values()].map(leafOf);
}
