import type { AppInfo, QueueItem } from '../api/schema';
import { countInstances, countsOf, sameCounts, type Counts, type Instance } from './instance';
import { statusOf, type Status } from './status';

/** One app, live. A change of it wakes only what shows it. */
export class AppRecord {
  readonly id: string;
  definition: AppInfo = $state.raw() as AppInfo;
  counts: Counts = $state.raw() as Counts;
  /** Deployments that touch it. */
  deployments: readonly string[] = $state.raw([]);
  /** Its place in the launch queue. */
  queued: QueueItem | null = $state.raw(null);
  /** Instances by task id. Plain, because there are many: `revision` moves when they change. */
  readonly instances: Map<string, Instance>;
  revision = $state(0);
  /** Tasks that ended while we watched, newest first: their logs are still there. */
  ended: readonly Instance[] = $state.raw([]);

  readonly status: Status = $derived(
    statusOf(this.definition.instances, this.counts, this.deployments.length > 0, this.queued),
  );

  constructor(definition: AppInfo, instances: Map<string, Instance>) {
    this.id = definition.id;
    this.instances = instances;
    this.definition = definition;
    this.counts = countsOf(definition);
  }

  /** Counts anew after instances or the number wanted changed. */
  recount(instancesKnown: boolean): void {
    const counts = instancesKnown
      ? countInstances(this.instances.values(), this.definition.instances)
      : countsOf(this.definition);
    if (!sameCounts(counts, this.counts)) this.counts = counts;
  }
}
