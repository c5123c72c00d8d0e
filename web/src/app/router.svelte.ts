/** Where the reader is. Everything that can be linked to is in the address: screen, tab, filters. */
import { tick } from 'svelte';
import { idPath } from '../api/client';

export type Screen =
  | 'overview'
  | 'apps'
  | 'app'
  | 'pod'
  | 'new'
  | 'edit'
  | 'editPod'
  | 'editGroup'
  | 'deployments'
  | 'agents'
  | 'secrets'
  | 'events'
  | 'callbacks'
  | 'users'
  | 'audit'
  | 'unknown';

/** Screens about one thing, by the word before its id. */
const ABOUT: ReadonlyMap<string, Screen> = new Map([
  ['apps', 'app'],
  ['pods', 'pod'],
  ['edit', 'edit'],
  ['edit-pod', 'editPod'],
  ['edit-group', 'editGroup'],
]);

const ROOT = '/ui';

class Router {
  #path = $state(location.pathname);
  #search = $state(location.search);
  readonly query = $derived(new URLSearchParams(this.#search));
  readonly route = $derived(read(this.#path));

  constructor() {
    history.scrollRestoration = 'manual';
    window.addEventListener('popstate', (event) => {
      this.#follow();
      const top: unknown = (event.state as { top?: unknown } | null)?.top;
      void tick().then(() => requestAnimationFrame(() => scrollTo(0, typeof top === 'number' ? top : 0)));
    });
    window.addEventListener('click', (event) => this.#click(event));
  }

  go(href: string): void {
    if (href === location.pathname + location.search) return;
    history.replaceState({ top: scrollY }, '');
    const screen = this.route.screen;
    const path = this.#path;
    history.pushState(null, '', href);
    this.#follow();
    // Another tab or filter of the same thing leaves the page where it is.
    if (screen !== this.route.screen || path !== this.#path) scrollTo(0, 0);
  }

  back(otherwise: string): void {
    if (history.length > 1) history.back();
    else this.go(otherwise);
  }

  /** Sets a parameter of this address; empty removes it. A filter in the making replaces, so that back leaves the screen. */
  set(name: string, value: string, how: 'push' | 'replace' = 'replace'): void {
    const query = new URLSearchParams(this.#search);
    if (value === '') query.delete(name);
    else query.set(name, value);
    const text = query.toString();
    const href = location.pathname + (text === '' ? '' : `?${text}`);
    if (how === 'push') return this.go(href);
    history.replaceState(history.state, '', href);
    this.#follow();
  }

  get(name: string): string {
    return this.query.get(name) ?? '';
  }

  /** A comma-separated parameter. */
  list(name: string): string[] {
    return this.get(name).split(',').filter(Boolean);
  }

  #follow(): void {
    this.#path = location.pathname;
    this.#search = location.search;
  }

  #click(event: MouseEvent): void {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.target !== '' || link.origin !== location.origin || !link.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

/** An address below `/ui`, read. `id` is empty where a screen has none. */
export function read(path: string): { screen: Screen; id: string } {
  const rest = path.replace(/^\/ui\/?/, '').replace(/\/+$/, '');
  const slash = rest.indexOf('/');
  const word = slash < 0 ? rest : rest.slice(0, slash);
  const id = slash < 0 ? '' : decode(rest.slice(slash));
  if (id !== '') {
    const screen = ABOUT.get(word);
    return screen ? { screen, id } : unknown;
  }
  switch (word) {
    case '':
      return { screen: 'overview', id };
    case 'pods':
      return { screen: 'apps', id };
    case 'apps':
    case 'new':
    case 'deployments':
    case 'agents':
    case 'secrets':
    case 'events':
    case 'callbacks':
    case 'users':
    case 'audit':
      return { screen: word, id };
    default:
      return unknown;
  }
}

const unknown = { screen: 'unknown', id: '' } as const;

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const links = {
  overview: `${ROOT}/`,
  apps: `${ROOT}/apps`,
  deployments: `${ROOT}/deployments`,
  agents: `${ROOT}/agents`,
  secrets: `${ROOT}/secrets`,
  events: `${ROOT}/events`,
  callbacks: `${ROOT}/callbacks`,
  users: `${ROOT}/users`,
  audit: `${ROOT}/audit`,
  create: `${ROOT}/new`,
  createPod: `${ROOT}/new?kind=pod`,
  createGroup: `${ROOT}/new?kind=group`,
  app: (id: string, query = '') => `${ROOT}/apps${idPath(id)}${query}`,
  pod: (id: string, query = '') => `${ROOT}/pods${idPath(id)}${query}`,
  /** A group is the list of what lies in it. */
  group: (id: string, query = '') => `${ROOT}/apps?in=${idPath(id)}${query}`,
  edit: (id: string) => `${ROOT}/edit${idPath(id)}`,
  editPod: (id: string) => `${ROOT}/edit-pod${idPath(id)}`,
  editGroup: (id: string) => `${ROOT}/edit-group${idPath(id)}`,
};

export const router = new Router();
