/** What can be done to the cluster: each action asks what it must, says what it did, and keeps what was asked when it fails. */
import { api, ApiError, targets } from '../api/client';
import type { KeptInstance } from '../api/schema';
import type { AppRecord } from '../cluster/app-record.svelte';
import type { PodRecord } from '../cluster/pod-record.svelte';
import { plural } from '../cluster/words';
import { links, router } from './router.svelte';

/** An app or a pod. */
export type RunSpec = AppRecord | PodRecord;

export type Dialog =
  | { kind: 'palette' }
  | { kind: 'help' }
  | { kind: 'scale'; of: RunSpec }
  | { kind: 'restart'; app: AppRecord }
  | { kind: 'destroy'; of: RunSpec }
  | { kind: 'rollback'; id: string; version: string; act: (force: boolean) => Promise<unknown> }
  | { kind: 'kill'; of: RunSpec; task: string }
  | { kind: 'wipe'; kept: KeptInstance }
  | { kind: 'removeUser'; user: string; act: () => Promise<unknown> }
  | { kind: 'cancel'; deployment: string; touched: readonly string[] }
  | { kind: 'scaleGroup'; group: string }
  | { kind: 'destroyGroup'; group: string };

export interface Notice {
  id: number;
  text: string;
  tone: 'good' | 'bad';
}

const NOTICE_MS = 6_000;

class Desk {
  dialog: Dialog | null = $state.raw(null);
  notices: readonly Notice[] = $state.raw([]);
  #count = 0;

  open(dialog: Dialog): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }

  say(text: string, tone: Notice['tone'] = 'good'): void {
    const notice = { id: (this.#count += 1), text, tone };
    this.notices = [...this.notices, notice];
    setTimeout(() => this.dismiss(notice.id), NOTICE_MS);
  }

  dismiss(id: number): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  async scale(of: RunSpec, instances: number, force: boolean): Promise<void> {
    if (of.kind === 'app') await api.update(of.id, { instances }, force);
    else {
      // A pod is written as a whole: what another one wrote since is not to be lost.
      const { spec } = of.told;
      const scaling = { kind: 'fixed', ...spec.scaling, instances };
      await api.apply(targets.pod(of.id), { ...spec, scaling }, { force, seen: of.version });
    }
    this.say(`${of.id} scales to ${plural(instances, 'instance')}.`);
  }

  async restart(app: AppRecord, force: boolean): Promise<void> {
    await api.restart(app.id, force);
    this.say(`${app.id} restarts.`);
  }

  async destroy(of: RunSpec, force: boolean): Promise<void> {
    if (of.kind === 'app') await api.destroy(of.id, force);
    else await api.destroyPod(of.id, force);
    this.say(`${of.id} is being destroyed.`);
    router.go(links.apps);
  }

  async kill(of: RunSpec, task: string, scale: boolean): Promise<void> {
    if (of.kind === 'app') await api.killTask(of.id, task, scale);
    else await api.killPodInstance(of.id, task);
    this.say(scale ? 'The instance ends, and is not replaced.' : 'The instance ends, and is replaced.');
  }

  async wipe(kept: KeptInstance): Promise<void> {
    await api.wipe(kept.taskId);
    this.say(`What is kept of it on ${kept.host} is given back.`);
  }

  async cancel(deployment: string, force: boolean): Promise<void> {
    await api.cancel(deployment, force);
    this.say(force ? 'The deployment stops where it stands.' : 'The deployment is rolled back.');
  }

  async scaleGroup(group: string, scaleBy: number, force: boolean): Promise<void> {
    await api.apply(targets.group(group), { scaleBy }, { force });
    this.say(`What lies in ${group} scales by ${scaleBy}.`);
  }

  async destroyGroup(group: string, force: boolean): Promise<void> {
    await api.apply(targets.destroyedGroup(group), undefined, { force });
    this.say(`${group} and what lies in it is being destroyed.`);
    router.go(links.apps);
  }
}

export const desk = new Desk();

export function messageOf(error: unknown): string {
  if (error instanceof ApiError) {
    const faults = error.faults.flatMap((fault) => fault.errors.map((text) => `${fault.path}: ${text}`));
    return [error.message, ...faults].join(' ');
  }
  return String(error);
}
