/** Definitions to begin with: small, and right as they stand. */
import type { AppUpdate, GroupUpdate, PodWritten } from '../../api/schema';

export interface Template {
  name: string;
  definition: AppUpdate | PodWritten | GroupUpdate;
}

export const APP_TEMPLATES: readonly Template[] = [
  {
    name: 'A web service',
    definition: {
      id: '/web',
      cmd: 'python3 -m http.server $PORT0',
      instances: 2,
      cpus: 0.1,
      mem: 64,
      healthChecks: [{ protocol: 'HTTP', path: '/', portIndex: 0, gracePeriodSeconds: 10, intervalSeconds: 5 }],
      labels: { HAPROXY_GROUP: 'external', HAPROXY_0_VHOST: 'web.localhost' },
    },
  },
  {
    name: 'A worker',
    definition: {
      id: '/worker',
      cmd: 'while true; do date; sleep 5; done',
      instances: 1,
      cpus: 0.1,
      mem: 32,
      portDefinitions: [],
    },
  },
  {
    name: 'One per machine',
    definition: {
      id: '/everywhere',
      cmd: 'python3 -m http.server $PORT0',
      instances: 3,
      cpus: 0.1,
      mem: 32,
      constraints: [['hostname', 'UNIQUE']],
    },
  },
];

export const POD_TEMPLATES: readonly Template[] = [
  {
    name: 'A server and a helper',
    definition: {
      id: '/pair',
      scaling: { kind: 'fixed', instances: 1 },
      networks: [{ mode: 'host' }],
      containers: [
        {
          name: 'server',
          exec: { command: { shell: 'python3 -m http.server $ENDPOINT_HTTP' } },
          resources: { cpus: 0.1, mem: 64 },
          endpoints: [{ name: 'http', hostPort: 0, protocol: ['tcp'] }],
          healthCheck: { http: { endpoint: 'http', path: '/' }, gracePeriodSeconds: 10, intervalSeconds: 5 },
        },
        {
          name: 'helper',
          exec: { command: { shell: 'while true; do date; sleep 5; done' } },
          resources: { cpus: 0.05, mem: 32 },
        },
      ],
    },
  },
  {
    name: 'One container',
    definition: {
      id: '/single',
      scaling: { kind: 'fixed', instances: 1 },
      networks: [{ mode: 'host' }],
      containers: [
        {
          name: 'worker',
          exec: { command: { shell: 'while true; do date; sleep 5; done' } },
          resources: { cpus: 0.05, mem: 32 },
        },
      ],
    },
  },
];

export const GROUP_TEMPLATES: readonly Template[] = [
  {
    name: 'A front that needs a back',
    definition: {
      id: '/shop',
      groups: [
        {
          id: 'back',
          apps: [{ id: 'store', cmd: 'python3 -m http.server $PORT0', instances: 1, cpus: 0.1, mem: 32 }],
        },
        {
          id: 'front',
          dependencies: ['../back'],
          apps: [{ id: 'web', cmd: 'python3 -m http.server $PORT0', instances: 2, cpus: 0.1, mem: 32 }],
        },
      ],
    },
  },
  { name: 'An empty group', definition: { id: '/team', apps: [], groups: [] } },
];
