/**
 * A service layer that is made up: 10,000 instances of 1,000 apps on 400 machines, always a little in motion, over the same API as
 * the real one, with the built console beside it. For looking at the console at that size and for measuring it; nothing in it is real.
 *
 *   node tests/fixture.mjs        serves http://127.0.0.1:8123/ui/
 */
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const TEAMS = ['shop', 'search', 'ads', 'billing', 'media', 'maps', 'mail', 'ops', 'data', 'edge'];
const KINDS = ['web', 'api', 'worker', 'cache', 'queue', 'index', 'gateway', 'batch', 'proxy', 'stream'];

/** The same numbers at every run. */
function random(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 4294967296;
  };
}

function uuid(next) {
  const hex = (length) => Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
}

function makeWorld({ apps, instances, machines }) {
  const next = random(7);
  const at = new Date(Date.now() - 3_600_000).toISOString();
  const agents = Array.from({ length: machines }, (_, index) => ({
    id: `a1b2-S${index}`,
    hostname: `10.${Math.floor(index / 40)}.${Math.floor((index % 40) / 10)}.${(index % 10) + 1}`,
    address: `10.0.0.${index % 250}:5051`,
    attributes: { rack: `r${Math.floor(index / 40) + 1}`, zone: `z${Math.floor(index / 160) + 1}` },
    active: index % 97 !== 96,
    resources: { cpus: 16, mem: 65536, disk: 500000, gpus: 0, ports: '[31000-31999]' },
    used: { cpus: 0, mem: 0, disk: 0, gpus: 0, ports: '[]' },
    registeredTime: at,
    version: '0.1.0',
  }));
  const definitions = [];
  const tasks = [];
  for (let index = 0; index < apps; index += 1) {
    const team = TEAMS[index % TEAMS.length];
    const kind = KINDS[Math.floor(index / TEAMS.length) % KINDS.length];
    const id = `/${team}/${kind}/${kind}-${String(Math.floor(index / 100) + 1).padStart(2, '0')}`;
    // One app holds a fifth of everything, the others share the rest.
    const wanted = index === 0 ? instances / 5 : Math.max(1, Math.round((instances * 0.8) / (apps - 1)));
    const definition = {
      id,
      cmd: './serve',
      args: null,
      user: null,
      container: null,
      env: {},
      instances: wanted,
      cpus: 0.25,
      mem: 256,
      disk: 0,
      gpus: 0,
      executor: '',
      constraints: [],
      role: '*',
      networks: [{ mode: 'host' }],
      portDefinitions: [{ port: 10000 + index, protocol: 'tcp', name: 'default' }],
      requirePorts: false,
      healthChecks: index % 4 === 3 ? [] : [{ protocol: 'HTTP', path: '/', portIndex: 0, intervalSeconds: 5 }],
      dependencies: [],
      upgradeStrategy: { minimumHealthCapacity: 1, maximumOverCapacity: 1 },
      killSelection: 'YOUNGEST_FIRST',
      unreachableStrategy: { inactiveAfterSeconds: 0, expungeAfterSeconds: 0 },
      labels: { team, tier: kind === 'web' || kind === 'api' ? 'front' : 'back' },
      backoffSeconds: 1,
      backoffFactor: 1.15,
      maxLaunchDelaySeconds: 300,
      version: at,
      versionInfo: { lastScalingAt: at, lastConfigChangeAt: at },
      deployments: [],
    };
    definitions.push(definition);
    const there = index % 61 === 60 ? wanted - 1 : wanted;
    for (let count = 0; count < there; count += 1) tasks.push(makeTask(definition, agents, next, at));
  }
  return { definitions, agents, tasks, next };
}

function makeTask(definition, agents, next, at) {
  const agent = agents[Math.floor(next() * agents.length)];
  agent.used.cpus += definition.cpus;
  agent.used.mem += definition.mem;
  const instanceId = `${definition.id.slice(1).replaceAll('/', '_')}.instance-${uuid(next)}`;
  const checked = definition.healthChecks.length > 0;
  const result = (alive) => ({
    alive,
    consecutiveFailures: alive ? 0 : 3,
    firstSuccess: at,
    lastSuccess: at,
    lastFailure: null,
    lastFailureCause: null,
    instanceId,
  });
  return {
    id: `${instanceId}._app.1`,
    appId: definition.id,
    host: agent.hostname,
    ports: [31000 + Math.floor(next() * 1000)],
    servicePorts: [definition.portDefinitions[0].port],
    ipAddresses: [{ ipAddress: agent.hostname, protocol: 'IPv4' }],
    slaveId: agent.id,
    state: agent.active ? 'TASK_RUNNING' : 'TASK_UNREACHABLE',
    stagedAt: at,
    startedAt: at,
    version: definition.version,
    healthCheckResults: checked ? [result(next() > 0.004)] : [],
    localVolumes: [],
    zone: agent.attributes.zone,
    role: '*',
  };
}

function withCounts(definition, tasks) {
  const mine = tasks.filter((task) => task.appId === definition.id && task.state === 'TASK_RUNNING');
  const healthy = mine.filter((task) => task.healthCheckResults[0]?.alive === true).length;
  const unhealthy = mine.filter((task) => task.healthCheckResults[0]?.alive === false).length;
  return { ...definition, tasksStaged: 0, tasksRunning: mine.length, tasksHealthy: healthy, tasksUnhealthy: unhealthy };
}

/** Starts it; resolves to its address and a function that stops it. */
export async function serve({ port = 0, apps = 1_000, instances = 10_000, machines = 400, eventsPerSecond = 20 } = {}) {
  const world = makeWorld({ apps, instances, machines });
  const policy = contentSecurityPolicy(await readFile(new URL('../embed/lib.rs', import.meta.url), 'utf8'));
  const streams = new Set();
  const byApp = groupBy(world.tasks);
  const counted = world.definitions.map((definition) => withCounts(definition, byApp.get(definition.id) ?? []));
  let position = 10_000;

  const timer = setInterval(() => {
    const task = world.tasks[Math.floor(world.next() * world.tasks.length)];
    const alive = world.next() > 0.3;
    position += 10_000;
    const data = {
      instanceId: task.id.replace(/\._app.*/, ''),
      runSpecVersion: task.version,
      healthy: alive,
      runSpecId: task.appId,
      eventType: 'instance_health_changed_event',
      timestamp: new Date().toISOString(),
    };
    for (const stream of streams)
      stream.write(`id: ${position}\nevent: ${data.eventType}\ndata: ${JSON.stringify(data)}\n\n`);
  }, 1_000 / eventsPerSecond);

  const answers = {
    '/v2/apps': () => ({ apps: counted }),
    '/v2/tasks': () => ({ tasks: world.tasks }),
    '/v2/pods::status': () => [],
    '/v2/deployments': () => [],
    '/v2/deployments/ended': () => [],
    '/v2/queue': () => ({ queue: [] }),
    '/v2/info': () => ({ name: 'marathon', version: '1.11.24' }),
    '/v2/agents': () => ({ agents: world.agents }),
    '/v2/traffic': () => ({ loadBalancers: [] }),
  };

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/v2/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(':\n\n');
      streams.add(response);
      response.on('close', () => streams.delete(response));
      return;
    }
    const answer = answers[pathname];
    if (answer) {
      const id = searchParams.get('id');
      const value = answer();
      const body = JSON.stringify(id ? { apps: counted.filter((app) => app.id.includes(id)) } : value);
      response.writeHead(200, { 'content-type': 'application/json', 'Attica-Event-Id': String(position) });
      return response.end(body);
    }
    if (!pathname.startsWith('/ui')) {
      response.writeHead(404, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ message: 'This is made up and answers nothing else.' }));
    }
    const path = normalize(pathname.slice('/ui'.length)).replace(/^\/+/, '');
    const file = extname(path) in TYPES ? path : 'index.html';
    const compressed = await readFile(join(DIST, `${file}.gz`)).catch(() => null);
    const body = compressed ?? (await readFile(join(DIST, file)).catch(() => null));
    if (!body) return response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': TYPES[extname(file)],
      'content-security-policy': policy,
      ...(compressed ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(body);
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: () => {
      clearInterval(timer);
      server.closeAllConnections();
      server.close();
    },
  };
}

function groupBy(tasks) {
  const groups = new Map();
  for (const task of tasks) {
    const group = groups.get(task.appId);
    if (group) group.push(task);
    else groups.set(task.appId, [task]);
  }
  return groups;
}

/** The policy that the real server sends, from where it is written. */
function contentSecurityPolicy(source) {
  const text = /CONTENT_SECURITY_POLICY: &str = "([^"]*)"/.exec(source)?.[1];
  if (!text) throw new Error('embed/lib.rs no longer holds the content security policy');
  return text.replace(/\\\s+/g, '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve({ port: Number(process.env.PORT ?? 8123) });
  console.log(`${url}/ui/`);
}
