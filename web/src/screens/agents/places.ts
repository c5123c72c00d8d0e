/** Machines by where they stand. */
import type { Agent } from '../../api/schema';

export interface Place {
  /** The value of the attribute; empty for machines that do not have it. */
  name: string;
  agents: Agent[];
}

export function placesOf(agents: readonly Agent[], attribute: string): Place[] {
  const places = new Map<string, Agent[]>();
  for (const agent of agents) {
    const name = attribute === '' ? '' : (agent.attributes[attribute] ?? '');
    const here = places.get(name);
    if (here) here.push(agent);
    else places.set(name, [agent]);
  }
  const named = [...places].map(([name, here]) => ({ name, agents: here.sort(byHostname) }));
  // Those without the attribute come last.
  return named.sort(
    (one, other) => Number(one.name === '') - Number(other.name === '') || compare(one.name, other.name),
  );
}

function byHostname(one: Agent, other: Agent): number {
  return compare(one.hostname, other.hostname);
}

const { compare } = new Intl.Collator('en', { numeric: true });
