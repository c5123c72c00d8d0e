import type { AppInfo } from '../api/schema';
import { countInstances, countsOf, sameCounts, type Instance } from './instance';
import { RunSpecRecord, type Failure, type TaskChoice } from './run-spec-record.svelte';

export class AppRecord extends RunSpecRecord {
  readonly kind = 'app';
  definition: AppInfo = $state.raw() as AppInfo;
  /** Tasks that ended while we watched, newest first: their logs are still there. */
  ended: readonly Instance[] = $state.raw([]);

  constructor(definition: AppInfo, instances: Map<string, Instance>) {
    super(definition.id, instances);
    this.definition = definition;
    this.counts = countsOf(definition);
  }

  get wanted(): number {
    return this.definition.instances;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.definition.labels;
  }

  get each(): { cpus: number; mem: number } {
    return this.definition;
  }

  get checked(): boolean {
    return this.definition.healthChecks.length > 0;
  }

  get version(): string {
    return this.definition.version;
  }

  get failure(): Failure | null {
    return this.definition.lastTaskFailure ?? null;
  }

  tasks(most: number): TaskChoice[] {
    void this.revision;
    const failure = this.definition.lastTaskFailure;
    const all = [...[...this.instances.values()].slice(0, most), ...this.ended, ...(failure ? [failure] : [])];
    const choices = all.map(({ taskId, state, host }): TaskChoice => ({ taskId, state, host, container: null }));
    return choices.filter(({ taskId }, index) => choices.findIndex((one) => one.taskId === taskId) === index);
  }

  /** Counts anew after instances or the number wanted changed. */
  recount(instancesKnown: boolean): void {
    const counts = instancesKnown ? countInstances(this.instances.values(), this.wanted) : countsOf(this.definition);
    if (!sameCounts(counts, this.counts)) this.counts = counts;
  }
}
