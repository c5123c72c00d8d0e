/** Everything the palette offers. */
import type { AppRecord } from '../cluster/app-record.svelte';
import { desk } from './actions.svelte';
import { links, router } from './router.svelte';
import { theme } from './theme.svelte';

export interface Choice {
  kind: 'App' | 'Screen' | 'Do';
  text: string;
  run: () => void;
  app?: AppRecord;
  keys?: string;
  /** It is about the app on the page: what is meant most often. */
  here?: boolean;
}

export function choices(apps: readonly AppRecord[]): Choice[] {
  const { screen, id } = router.route;
  const here = screen === 'app' ? apps.filter((app) => app.id === id) : [];
  const rest = here.length > 0 ? apps.filter((app) => app.id !== id) : apps;
  return [
    ...here.flatMap(verbs).map((choice) => ({ ...choice, here: true })),
    { kind: 'Screen', text: 'Overview', run: () => router.go(links.overview), keys: 'g o' },
    { kind: 'Screen', text: 'Apps', run: () => router.go(links.apps), keys: 'g a' },
    { kind: 'Screen', text: 'Deployments', run: () => router.go(links.deployments), keys: 'g d' },
    { kind: 'Screen', text: 'Machines', run: () => router.go(links.agents), keys: 'g m' },
    { kind: 'Screen', text: 'Events', run: () => router.go(links.events), keys: 'g e' },
    { kind: 'Do', text: 'Create an app', run: () => router.go(links.create), keys: 'c' },
    { kind: 'Do', text: 'Show the keys', run: () => desk.open({ kind: 'help' }), keys: '?' },
    { kind: 'Do', text: 'Colours: light', run: () => theme.set('light') },
    { kind: 'Do', text: 'Colours: dark', run: () => theme.set('dark') },
    { kind: 'Do', text: 'Colours: as the system', run: () => theme.set('system') },
    ...apps.map((app): Choice => ({ kind: 'App', text: app.id, run: () => router.go(links.app(app.id)), app })),
    ...rest.flatMap(verbs),
  ];
}

function verbs(app: AppRecord): Choice[] {
  const { id } = app;
  return [
    { kind: 'Do', text: `Scale ${id}`, run: () => desk.open({ kind: 'scale', app }) },
    { kind: 'Do', text: `Restart ${id}`, run: () => desk.open({ kind: 'restart', app }) },
    { kind: 'Do', text: `Edit ${id}`, run: () => router.go(links.edit(id)) },
    { kind: 'Do', text: `Log of ${id}`, run: () => router.go(links.app(id, '?tab=log')) },
    { kind: 'Do', text: `Destroy ${id}`, run: () => desk.open({ kind: 'destroy', app }) },
  ];
}
