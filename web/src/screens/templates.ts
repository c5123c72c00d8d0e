/** Definitions to begin with: small, and right as they stand. */
import type { AppUpdate } from '../api/schema';

export interface Template {
  name: string;
  definition: AppUpdate;
}

export const TEMPLATES: readonly Template[] = [
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
