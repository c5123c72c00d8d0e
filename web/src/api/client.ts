/** The calls of `/v2`. Each returns what the server sent, with the position in the event stream that the answer contains. */
import type {
  ActionProgress,
  Agent,
  App,
  AppInfo,
  AppUpdate,
  AppWrapper,
  AuditEntry,
  CallbackList,
  CallbackStanding,
  Deployment,
  DeploymentResult,
  EndedDeployment,
  ErrorBody,
  Exec,
  Fault,
  Forecast,
  Group,
  Info,
  IssuedToken,
  LogPiece,
  Permission,
  Pod,
  PodStatus,
  QueueItem,
  Secret,
  Session,
  SessionEvent,
  SessionInput,
  Task,
  Traffic,
  User,
  UserUpdate,
} from './schema';

/** An answer, and the id of the last event that it contains; null when the server did not say. */
export interface Read<T> {
  value: T;
  position: number | null;
}

/** Why a call failed. `status` 0: the server did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly faults: Fault[] = [],
    /** The parser's own words about a text that is not JSON. */
    readonly parser: string | null = null,
    /** Deployments in the way. */
    readonly deployments: string[] = [],
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Another deployment holds the app; the same call with `force` would replace it. */
  get locked(): boolean {
    return this.status === 409 && this.deployments.length > 0;
  }
}

/** An id as a path: its slashes stay, everything else that means something in an address is encoded. */
export function idPath(id: string): string {
  return id.split('/').map(encodeURIComponent).join('/');
}

type Query = Record<string, string | number | boolean | readonly string[] | undefined>;

export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Told when the server wants to know who asks. */
export const unauthorized = { tell: () => {} };

/** Keeps the browser from asking for a password in a window of its own. */
const OURS = { 'x-requested-with': 'attica' };

/** How a write is meant. */
export interface Terms {
  /** Deployments that are in the way give way. */
  force?: boolean;
  /** The version that its author has seen: it is refused when there is another by now. */
  seen?: string | null;
}

/** Where a definition is written to. */
export interface Target {
  method: 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Query;
}

async function ask(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  seen?: string | null,
): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...OURS };
  const init: RequestInit = { method, headers };
  if (signal) init.signal = signal;
  // The tag of a single app, pod or group is its version in quotes.
  if (seen) headers['if-match'] = `"${seen}"`;
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
    init.body = typeof body === 'string' ? body : JSON.stringify(body);
  }
  const response = await fetch(path, init).catch((cause: unknown) => {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, 'The server does not answer.');
  });
  if (response.status === 401) unauthorized.tell();
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}

async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Read<T>> {
  const response = await ask(method, path, body, signal);
  const text = await response.text();
  const position = Number(response.headers.get('Attica-Event-Id') ?? NaN);
  return { value: parse<T>(response.status, text), position: Number.isFinite(position) ? position : null };
}

/** What was read; null when there is no such thing. */
async function there<T>(read: Promise<Read<T>>): Promise<T | null> {
  try {
    return (await read).value;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

async function write<T>({ method, path, query }: Target, body: unknown, terms: Terms, dryRun: boolean): Promise<T> {
  const address = withQuery(path, { ...query, force: terms.force || undefined, dryRun: dryRun || undefined });
  const response = await ask(method, address, body, undefined, terms.seen);
  return parse<T>(response.status, await response.text());
}

/** The lines of an answer as they come, each a document. */
async function* lines<T>(response: Response): AsyncGenerator<T> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const read = await reader?.read().catch((cause: unknown) => {
      if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
      throw new ApiError(0, 'The connection to the server broke.');
    });
    if (!read || read.done) return;
    const parts = (rest + read.value).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield parse<T>(response.status, part);
  }
}

function parse<T>(status: number, text: string): T {
  if (text === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(status, 'The server answered with something that is not JSON.');
  }
}

/** Reads the body of a refusal; one without such a body still says which status it had. */
export function refusal(status: number, text: string): ApiError {
  let body: Partial<ErrorBody> = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) body = value;
  } catch {
    // A proxy on the way answers in its own words; the status says enough.
  }
  const message = typeof body.message === 'string' ? body.message : `The server answered with status ${status}.`;
  const details = body.details;
  return new ApiError(
    status,
    message,
    Array.isArray(details) ? details : [],
    typeof details === 'string' ? details : null,
    (body.deployments ?? []).map((deployment) => deployment.id),
  );
}

export const targets = {
  newApp: { method: 'POST', path: '/v2/apps' } satisfies Target,
  newPod: { method: 'POST', path: '/v2/pods' } satisfies Target,
  newGroup: { method: 'POST', path: '/v2/groups' } satisfies Target,
  app: (id: string): Target => ({ method: 'PUT', path: `/v2/apps${idPath(id)}`, query: { partialUpdate: false } }),
  pod: (id: string): Target => ({ method: 'PUT', path: `/v2/pods${idPath(id)}` }),
  group: (id: string): Target => ({ method: 'PUT', path: `/v2/groups${idPath(id)}` }),
  destroyedGroup: (id: string): Target => ({ method: 'DELETE', path: `/v2/groups${idPath(id)}` }),
};

const SHOWN = ['apps.counts', 'apps.deployments', 'apps.lastTaskFailure'];

export const api = {
  apps: () => call<{ apps: AppInfo[] }>('GET', withQuery('/v2/apps', { embed: SHOWN })),
  /** One app without its instances: the list narrowed to it, since a single app always comes with all of them. */
  async app(id: string): Promise<AppInfo | null> {
    const { value } = await call<{ apps: AppInfo[] }>('GET', withQuery('/v2/apps', { id, embed: SHOWN }));
    return value.apps.find((app) => app.id === id) ?? null;
  },
  pods: () => call<PodStatus[]>('GET', '/v2/pods::status'),
  podStatus: (id: string) => there(call<PodStatus>('GET', `/v2/pods${idPath(id)}::status`)),
  pod: (id: string) => there(call<Pod>('GET', `/v2/pods${idPath(id)}`)),
  podVersions: async (id: string) => (await call<string[]>('GET', `/v2/pods${idPath(id)}::versions`)).value,
  podVersion: async (id: string, version: string) =>
    (await call<Pod>('GET', `/v2/pods${idPath(id)}::versions/${encodeURIComponent(version)}`)).value,
  group: (id: string) => there(call<Group>('GET', `/v2/groups${idPath(id)}`)),
  /** A group without what lies in it. */
  groupHead: (id: string) => there(call<Group>('GET', withQuery(`/v2/groups${idPath(id)}`, { embed: 'group.groups' }))),
  groupVersions: async (id: string) => (await call<string[]>('GET', `/v2/groups${idPath(id)}/versions`)).value,
  groupVersion: async (id: string, version: string) =>
    (await call<Group>('GET', `/v2/groups${idPath(id)}/versions/${encodeURIComponent(version)}`)).value,
  tasks: () => call<{ tasks: Task[] }>('GET', '/v2/tasks'),
  tasksOf: async (id: string) => (await call<{ tasks: Task[] }>('GET', `/v2/apps${idPath(id)}/tasks`)).value.tasks,
  ended: async () => (await call<EndedDeployment[]>('GET', '/v2/deployments/ended')).value,
  kept: async (id: string) => (await call<AppWrapper>('GET', `/v2/apps${idPath(id)}`)).value.app.keptInstances ?? [],
  readiness: async (id: string) =>
    (await call<AppWrapper>('GET', `/v2/apps${idPath(id)}`)).value.app.readinessCheckResults ?? [],
  /** How far each instance is that the current step of a deployment is about; nothing when it is over. */
  async progress(deployment: string): Promise<readonly ActionProgress[]> {
    const { value } = await call<Deployment[]>('GET', withQuery('/v2/deployments', { embed: ['progress'] }));
    return value.find(({ id }) => id === deployment)?.progress ?? [];
  },
  deployments: () => call<Deployment[]>('GET', '/v2/deployments'),
  queue: async () => (await call<{ queue: QueueItem[] }>('GET', '/v2/queue')).value.queue,
  waiting: async (id: string) => {
    const path = withQuery('/v2/queue', { embed: ['conditions', 'nearestFits'] });
    const { value } = await call<{ queue: QueueItem[] }>('GET', path);
    return value.queue.find((item) => (item.app ?? item.pod)?.id === id) ?? null;
  },
  info: async () => (await call<Info>('GET', '/v2/info')).value,
  agents: async () => (await call<{ agents: Agent[] }>('GET', '/v2/agents')).value.agents,
  versions: async (id: string) =>
    (await call<{ versions: string[] }>('GET', `/v2/apps${idPath(id)}/versions`)).value.versions,
  version: async (id: string, version: string) =>
    (await call<App>('GET', `/v2/apps${idPath(id)}/versions/${encodeURIComponent(version)}`)).value,
  log: async (task: string, file: 'stdout' | 'stderr', offset: number, length: number, signal?: AbortSignal) => {
    const path = withQuery(`/v2/tasks/${encodeURIComponent(task)}/log`, { file, offset, length });
    return (await call<LogPiece>('GET', path, undefined, signal)).value;
  },
  /** Runs a program within a task until the answer is not read any more, and tells what it writes. */
  async *exec(task: string, exec: Exec, signal: AbortSignal): AsyncGenerator<SessionEvent> {
    yield* lines<SessionEvent>(await ask('POST', `/v2/tasks/${encodeURIComponent(task)}/exec`, exec, signal));
  },
  typeInto: async (task: string, session: string, input: SessionInput) => {
    await call('POST', `/v2/tasks/${encodeURIComponent(task)}/exec/${encodeURIComponent(session)}/input`, input);
  },
  traffic: async (app: string) => (await call<Traffic>('GET', withQuery('/v2/traffic', { app }))).value,

  session: async () => (await call<Session>('GET', '/v2/session')).value,
  signIn: async (user: string, password: string) =>
    (await call<Session>('POST', '/v2/session', { user, password })).value,
  signOut: async () => {
    await call('DELETE', '/v2/session');
  },
  users: async () => (await call<{ users: User[] }>('GET', '/v2/users')).value.users,
  putUser: async (name: string, update: UserUpdate) =>
    (await call<User>('PUT', `/v2/users/${encodeURIComponent(name)}`, update)).value,
  removeUser: async (name: string) => {
    await call('DELETE', `/v2/users/${encodeURIComponent(name)}`);
  },
  grant: async (name: string, path: string, permissions: readonly Permission[]) => {
    await call('POST', `/v2/users/${encodeURIComponent(name)}/grants`, { path, permissions });
  },
  revoke: async (name: string, path: string) => {
    await call('DELETE', withQuery(`/v2/users/${encodeURIComponent(name)}/grants`, { path }));
  },
  issueToken: async (name: string, description: string) =>
    (await call<IssuedToken>('POST', `/v2/users/${encodeURIComponent(name)}/tokens`, { description })).value.token,
  revokeToken: async (name: string, token: string) => {
    await call('DELETE', `/v2/users/${encodeURIComponent(name)}/tokens/${encodeURIComponent(token)}`);
  },
  audit: async (path: string, user: string) => {
    const query = { path, user: user === '' ? undefined : user };
    return (await call<{ entries: AuditEntry[] }>('GET', withQuery('/v2/audit', query))).value.entries;
  },

  apply: (target: Target, body: unknown, terms: Terms = {}) => write<unknown>(target, body, terms, false),
  /** What would follow from it. */
  foresee: (target: Target, body: unknown, terms: Terms = {}) => write<Forecast>(target, body, terms, true),
  update: async (id: string, change: AppUpdate & { version?: string }, force = false) => {
    const path = withQuery(`/v2/apps${idPath(id)}`, { force: force || undefined });
    return (await call<DeploymentResult>('PUT', path, change)).value;
  },
  restart: async (id: string, force = false) => {
    const path = withQuery(`/v2/apps${idPath(id)}/restart`, { force: force || undefined });
    return (await call<DeploymentResult>('POST', path)).value;
  },
  destroy: async (id: string, force: boolean) => {
    await call('DELETE', withQuery(`/v2/apps${idPath(id)}`, { force: force || undefined }));
  },
  destroyPod: async (id: string, force: boolean) => {
    await call('DELETE', withQuery(`/v2/pods${idPath(id)}`, { force: force || undefined }));
  },
  killPodInstance: async (id: string, instance: string) => {
    await call('DELETE', `/v2/pods${idPath(id)}::instances/${encodeURIComponent(instance)}`);
  },
  enforceRole: async (id: string, enforceRole: boolean) => {
    await call('PATCH', `/v2/groups${idPath(id)}`, { enforceRole });
  },
  hold: async (deployment: string, how: 'pause' | 'resume') => {
    await call('POST', `/v2/deployments/${encodeURIComponent(deployment)}/${how}`);
  },
  killTask: async (id: string, task: string, scale: boolean) => {
    await call('DELETE', withQuery(`/v2/apps${idPath(id)}/tasks/${encodeURIComponent(task)}`, { scale }));
  },
  /** Ends what is kept for the instance of a task, and the task if it runs. */
  wipe: async (task: string) => {
    await call('POST', withQuery('/v2/tasks/delete', { wipe: true }), { ids: [task] });
  },
  cancel: async (deployment: string, force: boolean) => {
    const path = withQuery(`/v2/deployments/${encodeURIComponent(deployment)}`, { force: force || undefined });
    await call('DELETE', path);
  },
  callbacks: async (): Promise<CallbackStanding[]> =>
    (await call<CallbackList>('GET', '/v2/eventSubscriptions')).value.callbacks,
  /** `secret` signs what is posted; empty: it is left as it is. */
  addCallback: async (url: string, secret: string) => {
    await call('POST', withQuery('/v2/eventSubscriptions', { callbackUrl: url }), secret === '' ? {} : { secret });
  },
  removeCallback: async (url: string) => {
    await call('DELETE', withQuery('/v2/eventSubscriptions', { callbackUrl: url }));
  },
  secrets: async () => (await call<{ secrets: Secret[] }>('GET', '/v2/secrets')).value.secrets,
  setSecret: async (path: string, value: string) => {
    await call('PUT', `/v2/secrets${idPath(path)}`, { value });
  },
  deleteSecret: async (path: string) => {
    await call('DELETE', `/v2/secrets${idPath(path)}`);
  },
  resetDelay: async (id: string) => {
    await call('DELETE', `/v2/queue${idPath(id)}/delay`);
  },
};
