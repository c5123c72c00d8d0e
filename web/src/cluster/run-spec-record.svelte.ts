import type { QueueItem } from '../api/schema';
import { noCounts, type Counts, type Instance } from './instance';
import { statusOf, type Status } from './status';

/** A task whose output can be read, and in which a program can be run. */
export interface TaskChoice {
  taskId: string;
  state: string;
  host: string;
  /** Which container of an instance, where it has several. */
  container: string | null;
}

/** What went wrong last. */
export interface Failure {
  message: string;
  state: string;
}

/** An app or a pod, live. A change of it wakes only what shows it. */
export abstract class RunSpecRecord {
  abstract readonly kind: 'app' | 'pod';
  readonly id: string;
  counts: Counts = $state.raw(noCounts());
  /** Deployments that touch it. */
  deployments: readonly string[] = $state.raw([]);
  /** Its place in the launch queue. */
  queued: QueueItem | null = $state.raw(null);
  /** Instances by task id. Plain, because there are many: `revision` moves when they change. */
  readonly instances: Map<string, Instance>;
  revision = $state(0);

  readonly status: Status = $derived.by(() =>
    statusOf(this.wanted, this.counts, this.deployments.length > 0, this.queued),
  );

  constructor(id: string, instances: Map<string, Instance>) {
    this.id = id;
    this.instances = instances;
  }

  /** How many instances there should be. */
  abstract get wanted(): number;
  abstract get labels(): Readonly<Record<string, string>>;
  /** What one instance takes; memory in MiB. */
  abstract get each(): { cpus: number; mem: number };
  abstract get checked(): boolean;
  abstract get version(): string;
  abstract get failure(): Failure | null;
  /** Tasks that are there, then those that ended lately, at most so many of each. */
  abstract tasks(most: number): TaskChoice[];
}
