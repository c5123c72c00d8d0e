/** Apps and pods in a list, as a tree of their groups, narrowed by filters. */
import { addCounts, noCounts, type Counts } from './instance';
import { needsAttention, type AppHealth, type Status } from './status';

/** What the tree needs to know of an app or a pod. */
export interface Leaf {
  kind: 'app' | 'pod';
  id: string;
  labels: Record<string, string>;
  counts: Counts;
  wanted: number;
  status: Status;
  health: AppHealth;
}

export interface Filter {
  text: string;
  statuses: readonly string[];
  healths: readonly string[];
  /** A group's path; empty: everywhere. */
  group: string;
  /** Only those that a person should look at. */
  troubled: boolean;
}

export type Row<L extends Leaf> =
  | {
      kind: 'group';
      path: string;
      name: string;
      depth: number;
      open: boolean;
      apps: number;
      pods: number;
      wanted: number;
      counts: Counts;
    }
  | { kind: 'app'; leaf: L; name: string; depth: number };

export function passes(leaf: Leaf, filter: Filter): boolean {
  if (filter.group !== '' && !leaf.id.startsWith(`${filter.group}/`)) return false;
  if (filter.statuses.length > 0 && !filter.statuses.includes(leaf.status)) return false;
  if (filter.healths.length > 0 && !filter.healths.includes(leaf.health)) return false;
  if (filter.troubled && !needsAttention(leaf.status, leaf.counts)) return false;
  return matches(leaf, filter.text);
}

/** Every word is part of the id or of a label written `name=value`. */
export function matches(leaf: Pick<Leaf, 'id' | 'labels'>, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const haystack = [leaf.id, ...Object.entries(leaf.labels).map(([name, value]) => `${name}=${value}`)]
    .join('\n')
    .toLowerCase();
  return words.every((word) => haystack.includes(word));
}

interface Group<L> {
  path: string;
  name: string;
  groups: Map<string, Group<L>>;
  leaves: L[];
  apps: number;
  pods: number;
  wanted: number;
  counts: Counts;
}

/** Groups before apps, each by name; a closed group keeps its row and hides what is below. */
export function rows<L extends Leaf>(leaves: Iterable<L>, filter: Filter, closed: ReadonlySet<string>): Row<L>[] {
  const root = newGroup<L>('', '');
  for (const leaf of leaves) if (passes(leaf, filter)) place(root, leaf);
  const out: Row<L>[] = [];
  write(root, -1, closed, out);
  return out;
}

function newGroup<L>(path: string, name: string): Group<L> {
  return { path, name, groups: new Map(), leaves: [], apps: 0, pods: 0, wanted: 0, counts: noCounts() };
}

function place<L extends Leaf>(root: Group<L>, leaf: L): void {
  const segments = leaf.id.split('/').filter(Boolean);
  let group = root;
  count(group, leaf);
  for (const name of segments.slice(0, -1)) {
    let next = group.groups.get(name);
    if (!next) group.groups.set(name, (next = newGroup(`${group.path}/${name}`, name)));
    group = next;
    count(group, leaf);
  }
  group.leaves.push(leaf);
}

function count<L extends Leaf>(group: Group<L>, leaf: L): void {
  if (leaf.kind === 'pod') group.pods += 1;
  else group.apps += 1;
  group.wanted += leaf.wanted;
  addCounts(group.counts, leaf.counts);
}

function write<L extends Leaf>(group: Group<L>, depth: number, closed: ReadonlySet<string>, out: Row<L>[]): void {
  if (depth >= 0) {
    const open = !closed.has(group.path);
    const { path, name, apps, pods, wanted, counts } = group;
    out.push({ kind: 'group', path, name, depth, open, apps, pods, wanted, counts });
    if (!open) return;
  }
  for (const name of [...group.groups.keys()].sort()) {
    const child = group.groups.get(name);
    if (child) write(child, depth + 1, closed, out);
  }
  const leaves = group.leaves.sort((one, other) => (one.id < other.id ? -1 : 1));
  for (const leaf of leaves)
    out.push({ kind: 'app', leaf, name: leaf.id.slice(leaf.id.lastIndexOf('/') + 1), depth: depth + 1 });
}
