/** What can be done to the cluster: each action asks what it must, says what it did, and keeps what was asked when it fails. */
import { api, ApiError } from '../api/client';
import type { AppRecord } from '../cluster/app-record.svelte';
import { plural } from '../cluster/words';
import { links, router } from './router.svelte';

export type Dialog =
  | { kind: 'palette' }
  | { kind: 'help' }
  | { kind: 'scale'; app: AppRecord }
  | { kind: 'restart'; app: AppRecord }
  | { kind: 'destroy'; app: AppRecord }
  | { kind: 'rollback'; app: AppRecord; version: string }
  | { kind: 'kill'; app: AppRecord; task: string }
  | { kind: 'cancel'; deployment: string; apps: readonly string[] };

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

  async scale(app: AppRecord, instances: number, force: boolean): Promise<void> {
    await api.update(app.id, { instances }, force);
    this.say(`${app.id} scales to ${plural(instances, 'instance')}.`);
  }

  async restart(app: AppRecord, force: boolean): Promise<void> {
    await api.restart(app.id, force);
    this.say(`${app.id} restarts.`);
  }

  async destroy(app: AppRecord): Promise<void> {
    await api.destroy(app.id);
    this.say(`${app.id} is being destroyed.`);
    router.go(links.apps);
  }

  async rollBack(app: AppRecord, version: string, force: boolean): Promise<void> {
    await api.update(app.id, { version }, force);
    this.say(`${app.id} goes back to its version of ${version}.`);
  }

  async kill(app: AppRecord, task: string, scale: boolean): Promise<void> {
    await api.killTask(app.id, task, scale);
    this.say(scale ? 'The instance ends, and is not replaced.' : 'The instance ends, and is replaced.');
  }

  async cancel(deployment: string, force: boolean): Promise<void> {
    await api.cancel(deployment, force);
    this.say(force ? 'The deployment stops where it stands.' : 'The deployment is rolled back.');
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
