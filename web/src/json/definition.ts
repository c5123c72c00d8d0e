/** Definitions of apps, pods and groups as people read and write them. */
import type { Group } from '../api/schema';

/** What the server adds, and what cannot be written. */
const ADDED = new Set([
  'version',
  'versionInfo',
  'ports',
  'tasks',
  'tasksStaged',
  'tasksRunning',
  'tasksHealthy',
  'tasksUnhealthy',
  'deployments',
  'lastTaskFailure',
  'readinessCheckResults',
  'taskStats',
]);

/** Without what the server adds and without what is not set, ready to be edited and sent back. */
export function written(definition: object): string {
  return pretty(asWritten(definition));
}

function asWritten(definition: object): object {
  return Object.fromEntries(
    Object.entries(definition).filter(([name, value]) => !ADDED.has(name) && isSet(name, value)),
  );
}

/** A group with the definitions of its apps at every depth. Its pods are not written with it, and stay when it is. */
export function writtenGroup(group: Group): string {
  return pretty(groupAsWritten(group));
}

/** A group with all that lies in it, for comparing. */
export function plainGroup({ pods, apps, groups, ...own }: Group): object {
  return {
    ...asWritten(own),
    apps: apps.map(asWritten),
    pods: pods.map(({ spec }) => asWritten(spec)),
    groups: groups.map(plainGroup),
  };
}

function groupAsWritten({ id, dependencies, enforceRole, deployment, apps, groups }: Group): object {
  const own = asWritten({ id, dependencies, enforceRole, deployment });
  return { ...own, apps: apps.map(asWritten), groups: groups.map(groupAsWritten) };
}

/** The same, with every default, for reading and comparing. */
export function complete(definition: object): string {
  return pretty(Object.fromEntries(Object.entries(definition).filter(([name]) => !ADDED.has(name))));
}

function isSet(name: string, value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (name === 'executor' || name === 'gpus') return Boolean(value);
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** Two spaces; small lists of plain values stay on one line. */
export function pretty(value: unknown): string {
  return write(value, '');
}

const LINE_MAX = 80;

function write(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    const flat = `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    if (flat.length <= LINE_MAX && !value.some((item) => typeof item === 'object' && item !== null)) return flat;
    return `[\n${value.map((item) => deeper + write(item, deeper)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  if (members.length === 0) return '{}';
  return `{\n${members.map(([name, member]) => `${deeper}${JSON.stringify(name)}: ${write(member, deeper)}`).join(',\n')}\n${indent}}`;
}
