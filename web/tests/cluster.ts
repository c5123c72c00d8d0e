/** The cluster under the console, spoken to directly: to prepare what is looked at, and to see what a click has done. */
import { expect } from '@playwright/test';

export const ATTICA = process.env.ATTICA_URL ?? '';

if (ATTICA === '')
  throw new Error('ATTICA_URL is not set: give the address of a running cluster, like http://127.0.0.1:8080');

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

export async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(new URL(path, ATTICA), {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

interface App {
  instances: number;
  cmd: string;
  tasksRunning: number;
  tasksHealthy: number;
  version: string;
  deployments: unknown[];
}

export async function app(id: string): Promise<App | null> {
  const { status, body } = await call('GET', `/v2/apps/${id}`);
  return status === 404 ? null : (body.app as App);
}

/** Makes an app anew, whatever was there. */
export async function make(definition: { id: string } & Record<string, unknown>): Promise<void> {
  await remove(definition.id);
  const { status, body } = await call('POST', '/v2/apps?force=true', definition);
  expect(status, `POST ${definition.id}: ${JSON.stringify(body)}`).toBe(201);
}

export async function remove(id: string): Promise<void> {
  const { status } = await call('DELETE', `/v2/apps/${id}?force=true`);
  if (status === 404) return;
  await expect.poll(() => app(id), { message: `${id} should be gone`, timeout: 60_000 }).toBeNull();
}

export async function settled(id: string, running: number): Promise<void> {
  const state = async () => {
    const now = await app(id);
    return now ? { running: now.tasksRunning, deployments: now.deployments.length } : null;
  };
  await expect.poll(state, { message: `${id} should settle`, timeout: 90_000 }).toEqual({ running, deployments: 0 });
}

/** Makes a pod anew, whatever was there. */
export async function makePod(definition: { id: string } & Record<string, unknown>): Promise<void> {
  await removePod(definition.id);
  const { status, body } = await call('POST', '/v2/pods?force=true', definition);
  expect(status, `POST ${definition.id}: ${JSON.stringify(body)}`).toBe(201);
}

export async function removePod(id: string): Promise<void> {
  await call('DELETE', `/v2/pods${id}?force=true`);
  const status = async () => (await call('GET', `/v2/pods${id}`)).status;
  await expect.poll(status, { message: `${id} should be gone`, timeout: 60_000 }).toBe(404);
}

/** A pod has so many instances, all as they should be, and nothing is being done to it. */
export async function podSettled(id: string, instances: number): Promise<void> {
  const state = async () => {
    const { body } = await call('GET', `/v2/pods${id}::status`);
    const deployments = (await call('GET', '/v2/deployments')).body as unknown as { affectedPods: string[] }[];
    const stable = ((body.instances ?? []) as { status: string }[]).filter(({ status }) => status === 'STABLE');
    const busy = deployments.some(({ affectedPods }) => affectedPods.includes(id));
    return { status: body.status, instances: stable.length, busy };
  };
  const settled = { status: 'STABLE', instances, busy: false };
  await expect.poll(state, { message: `${id} should settle`, timeout: 90_000 }).toEqual(settled);
}

export async function removeGroup(id: string): Promise<void> {
  await call('DELETE', `/v2/groups${id}?force=true`);
  const status = async () => (await call('GET', `/v2/groups${id}`)).status;
  await expect.poll(status, { message: `${id} should be gone`, timeout: 60_000 }).toBe(404);
}
