/** Everything the palette offers. */
import { account } from './account.svelte';
import { desk, type RunSpec } from './actions.svelte';
import type { Permission } from '../api/schema';
import { links, router } from './router.svelte';
import { theme } from './theme.svelte';

export interface Choice {
  kind: 'App' | 'Pod' | 'Group' | 'Screen' | 'Do';
  text: string;
  run: () => void;
  of?: RunSpec;
  keys?: string;
  /** It is about what is on the page: what is meant most often. */
  here?: boolean;
}

const CREATIONS: readonly Choice[] = [
  { kind: 'Do', text: 'Create an app', run: () => router.go(links.create), keys: 'c' },
  { kind: 'Do', text: 'Create a pod', run: () => router.go(links.createPod) },
  { kind: 'Do', text: 'Create a group', run: () => router.go(links.createGroup) },
];

export function choices(all: readonly RunSpec[]): Choice[] {
  const { screen, id } = router.route;
  const here = screen === 'app' || screen === 'pod' ? all.filter((one) => one.id === id) : [];
  const rest = here.length > 0 ? all.filter((one) => one.id !== id) : all;
  return [
    ...here.flatMap(verbs).map((choice) => ({ ...choice, here: true })),
    { kind: 'Screen', text: 'Overview', run: () => router.go(links.overview), keys: 'g o' },
    { kind: 'Screen', text: 'Apps', run: () => router.go(links.apps), keys: 'g a' },
    { kind: 'Screen', text: 'Deployments', run: () => router.go(links.deployments), keys: 'g d' },
    { kind: 'Screen', text: 'Machines', run: () => router.go(links.agents), keys: 'g m' },
    { kind: 'Screen', text: 'Secrets', run: () => router.go(links.secrets), keys: 'g s' },
    { kind: 'Screen', text: 'Events', run: () => router.go(links.events), keys: 'g e' },
    ...(account.may('admin', '/')
      ? [{ kind: 'Screen', text: 'Callbacks', run: () => router.go(links.callbacks) } satisfies Choice]
      : []),
    ...(account.mayAnywhere('create') ? CREATIONS : []),
    { kind: 'Do', text: 'Show the keys', run: () => desk.open({ kind: 'help' }), keys: '?' },
    { kind: 'Do', text: 'Colours: light', run: () => theme.set('light') },
    { kind: 'Do', text: 'Colours: dark', run: () => theme.set('dark') },
    { kind: 'Do', text: 'Colours: as the system', run: () => theme.set('system') },
    ...all.map((of): Choice => {
      const kind = of.kind === 'pod' ? 'Pod' : 'App';
      return { kind, text: of.id, run: () => router.go(pageOf(of)), of };
    }),
    ...groupsOf(all).map((id): Choice => ({ kind: 'Group', text: `${id}/`, run: () => router.go(links.group(id)) })),
    ...rest.flatMap(verbs),
  ];
}

/** Groups that hold something, at every depth. */
function groupsOf(all: readonly RunSpec[]): string[] {
  const groups = new Set<string>();
  for (const { id } of all) {
    for (let end = id.lastIndexOf('/'); end > 0; end = id.lastIndexOf('/', end - 1)) groups.add(id.slice(0, end));
  }
  return [...groups].sort();
}

function pageOf(of: RunSpec, query = ''): string {
  return of.kind === 'pod' ? links.pod(of.id, query) : links.app(of.id, query);
}

function verbs(of: RunSpec): Choice[] {
  const { id } = of;
  const edit = of.kind === 'pod' ? links.editPod(id) : links.edit(id);
  const verb = (permission: Permission, text: string, run: () => void): Choice[] =>
    account.may(permission, id) ? [{ kind: 'Do', text: `${text} ${id}`, run }] : [];
  return [
    ...verb('update', 'Scale', () => desk.open({ kind: 'scale', of })),
    ...(of.kind === 'app' ? verb('update', 'Restart', () => desk.open({ kind: 'restart', app: of })) : []),
    ...verb('update', 'Edit', () => router.go(edit)),
    ...verb('view', 'Log of', () => router.go(pageOf(of, '?tab=log'))),
    ...verb('delete', 'Destroy', () => desk.open({ kind: 'destroy', of })),
  ];
}
