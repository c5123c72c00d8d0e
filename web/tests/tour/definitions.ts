/** What the tour runs. */

export const WEB = {
  id: '/tour/web',
  cmd: 'python3 -m http.server $PORT0',
  instances: 3,
  cpus: 0.1,
  mem: 32,
  labels: { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'tour.localhost' },
  healthChecks: [{ protocol: 'HTTP', path: '/', portIndex: 0, gracePeriodSeconds: 5, intervalSeconds: 2 }],
};
export const WORKER = {
  id: '/tour/jobs/worker',
  cmd: 'while true; do date; echo oops >&2; sleep 1; done',
  instances: 6,
  cpus: 0.05,
  mem: 16,
  portDefinitions: [],
};
/** Nothing is there where it is asked, so it never says that it is ready. */
export const UNREADY = {
  id: '/tour/unready',
  cmd: 'exec python3 -m http.server $PORT0',
  instances: 1,
  cpus: 0.05,
  mem: 32,
  portDefinitions: [{ port: 0, name: 'http-api' }],
  readinessChecks: [
    { name: 'warm', path: '/nothing', intervalSeconds: 2, timeoutSeconds: 1, preserveLastResponse: true },
  ],
};
export const HUGE = { id: '/tour/huge', cmd: 'sleep 600', instances: 2, cpus: 900, mem: 32 };
export const CRASH = {
  id: '/tour/crash',
  cmd: 'echo I give up; sleep 1; exit 3',
  instances: 1,
  cpus: 0.05,
  mem: 16,
  maxLaunchDelaySeconds: 5,
};
export const POD = {
  id: '/tour/pair',
  containers: [
    {
      name: 'server',
      exec: { command: { shell: 'python3 -m http.server $ENDPOINT_HTTP' } },
      resources: { cpus: 0.05, mem: 32 },
      endpoints: [{ name: 'http', hostPort: 0 }],
      healthCheck: { http: { endpoint: 'http', path: '/' }, delaySeconds: 0, intervalSeconds: 1 },
    },
    {
      name: 'talker',
      exec: { command: { shell: 'echo spoken; sleep 600' } },
      resources: { cpus: 0.02, mem: 16 },
    },
  ],
  executorResources: { cpus: 0.02, mem: 16, disk: 0 },
  networks: [{ mode: 'host' }],
  scaling: { kind: 'fixed', instances: 1 },
};
export const GROUP = {
  id: '/tour-group',
  groups: [
    { id: 'back', apps: [{ id: 'store', cmd: 'sleep 600', instances: 1, cpus: 0.02, mem: 16, portDefinitions: [] }] },
    {
      id: 'front',
      dependencies: ['../back'],
      apps: [{ id: 'web', cmd: 'sleep 600', instances: 1, cpus: 0.02, mem: 16, portDefinitions: [] }],
    },
  ],
};
/** The apps of them. */
export const TOURED = [WEB, WORKER, HUGE, CRASH];
