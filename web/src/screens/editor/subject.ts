/** What can be written: an app, a pod or a group, new or as it is. */
import { api, targets, type Target } from '../../api/client';
import { links } from '../../app/router.svelte';
import { pretty, written, writtenGroup } from '../../json/definition';
import { APP_TEMPLATES, GROUP_TEMPLATES, POD_TEMPLATES, type Template } from './templates';

export type SubjectKind = 'app' | 'pod' | 'group';

export interface Subject {
  target: Target;
  /** What to begin with. */
  text: string;
  /** The version that `text` says; null: there is none yet. */
  version: string | null;
}

/** Reads what is to be written; null when there is no such thing. */
export async function read(kind: SubjectKind, id: string): Promise<Subject | null> {
  switch (kind) {
    case 'app': {
      const app = await api.app(id);
      return app && { target: targets.app(id), text: written(app), version: app.version };
    }
    case 'pod': {
      const pod = await api.pod(id);
      return pod && { target: targets.pod(id), text: written(pod), version: pod.version ?? null };
    }
    case 'group': {
      const group = await api.group(id);
      return group && { target: targets.group(id), text: writtenGroup(group), version: group.version };
    }
  }
}

export const TEMPLATES: Record<SubjectKind, readonly Template[]> = {
  app: APP_TEMPLATES,
  pod: POD_TEMPLATES,
  group: GROUP_TEMPLATES,
};

const NEW: Record<SubjectKind, Target> = { app: targets.newApp, pod: targets.newPod, group: targets.newGroup };

/** Something new, like what there is already under `from` if that is an id. */
export async function fresh(kind: SubjectKind, from: string): Promise<Subject> {
  return {
    target: NEW[kind],
    text: (await copyOf(kind, from)) ?? pretty(TEMPLATES[kind][0]?.definition),
    version: null,
  };
}

async function copyOf(kind: SubjectKind, from: string): Promise<string | null> {
  if (!from.startsWith('/')) return null;
  const id = `${from}-copy`;
  switch (kind) {
    case 'app': {
      const app = await api.app(from);
      if (!app) return null;
      // Service ports belong to one app.
      const portMappings = app.container?.portMappings?.map((mapping) => ({ ...mapping, servicePort: 0 }));
      const container = app.container && { ...app.container, portMappings };
      return written({ ...app, id, portDefinitions: undefined, container });
    }
    case 'pod': {
      const pod = await api.pod(from);
      return pod && written({ ...pod, id });
    }
    case 'group':
      return null;
  }
}

/** The page about what was written; an id may be written as a path from the root. */
export function pageOf(kind: SubjectKind, text: string): string {
  const { id } = JSON.parse(text) as { id?: unknown };
  const path = `/${String(id ?? '').replace(/^\/+|\/+$/g, '')}`;
  switch (kind) {
    case 'app':
      return links.app(path);
    case 'pod':
      return links.pod(path);
    case 'group':
      return links.group(path);
  }
}
