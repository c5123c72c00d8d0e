import type { Instance } from './instance';

/** The instances on one machine. A change of one wakes only what shows this machine. */
export class OnMachine {
  /** By task id. Plain: `revision` moves when it changes. */
  readonly instances = new Map<string, Instance>();
  revision = $state(0);

  /** Those of one app side by side. */
  list(): Instance[] {
    void this.revision;
    return [...this.instances.values()].sort(byApp);
  }
}

function byApp(one: Instance, other: Instance): number {
  return one.appId < other.appId ? -1 : one.appId > other.appId ? 1 : one.taskId < other.taskId ? -1 : 1;
}
