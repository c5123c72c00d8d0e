import type { PodStatus } from '../api/schema';
import { countInstances, sameCounts, type Instance } from './instance';
import { resourcesOf } from './pod';
import { RunSpecRecord, type Failure, type TaskChoice } from './run-spec-record.svelte';

export class PodRecord extends RunSpecRecord {
  readonly kind = 'pod';
  /** As the server last told it: definition, instances and their containers. */
  told: PodStatus = $state.raw() as PodStatus;

  constructor(told: PodStatus, instances: Map<string, Instance>) {
    super(told.id, instances);
    this.told = told;
  }

  get wanted(): number {
    return this.told.spec.scaling?.instances ?? 1;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.told.spec.labels ?? {};
  }

  get each(): { cpus: number; mem: number } {
    return resourcesOf(this.told.spec);
  }

  get checked(): boolean {
    return this.told.spec.containers.some((container) => container.healthCheck);
  }

  get version(): string {
    return this.told.spec.version ?? '';
  }

  get failure(): Failure | null {
    const last = this.told.terminationHistory[0];
    if (!last) return null;
    const state = last.containers[0]?.lastKnownState ?? 'TASK_FAILED';
    return { message: last.message, state };
  }

  tasks(most: number): TaskChoice[] {
    const { instances, terminationHistory } = this.told;
    const there = instances.flatMap(({ agentHostname, containers }) =>
      containers.map(({ containerId, status, name }): TaskChoice => ({
        taskId: containerId,
        state: status,
        host: agentHostname ?? '',
        container: name,
      })),
    );
    const ended = terminationHistory.flatMap(({ containers }) =>
      containers.map(({ containerId, lastKnownState }): TaskChoice => ({
        taskId: containerId,
        state: lastKnownState,
        host: '',
        container: null,
      })),
    );
    return [...there.slice(0, most), ...ended.slice(0, most)];
  }

  recount(): void {
    const counts = countInstances(this.instances.values(), this.wanted);
    if (!sameCounts(counts, this.counts)) this.counts = counts;
  }
}
