/** Machines by where they stand. */
import type { Agent } from '../../api/schema';
import type { Instance } from '../../cluster/instance';

export interface MachineView {
  agent: Agent;
  /** Those of one app side by side. */
  instances: readonly Instance[];
}

export interface Place {
  /** The value of the attribute; empty for machines that do not have it. */
  name: string;
  machines: MachineView[];
}

export function placesOf(
  agents: readonly Agent[],
  instances: ReadonlyMap<string, readonly Instance[]>,
  attribute: string,
): Place[] {
  const places = new Map<string, MachineView[]>();
  for (const agent of agents) {
    const name = attribute === '' ? '' : (agent.attributes[attribute] ?? '');
    const here = [...(instances.get(agent.id) ?? [])].sort(byApp);
    const machines = places.get(name);
    if (machines) machines.push({ agent, instances: here });
    else places.set(name, [{ agent, instances: here }]);
  }
  const named = [...places].map(([name, machines]) => ({ name, machines: machines.sort(byHostname) }));
  // Those without the attribute come last.
  return named.sort(
    (one, other) => Number(one.name === '') - Number(other.name === '') || compare(one.name, other.name),
  );
}

function byApp(one: Instance, other: Instance): number {
  return one.appId < other.appId ? -1 : one.appId > other.appId ? 1 : one.taskId < other.taskId ? -1 : 1;
}

function byHostname(one: MachineView, other: MachineView): number {
  return compare(one.agent.hostname, other.agent.hostname);
}

const { compare } = new Intl.Collator('en', { numeric: true });
