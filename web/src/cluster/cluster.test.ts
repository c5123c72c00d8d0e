import { describe, expect, it } from 'vitest';
import type { AppInfo, QueueItem, Task } from '../api/schema';
import type { ClusterEvent, StatusUpdate } from './events';
import { appOf } from './events';
import {
  countInstances,
  countsOf,
  fromTask,
  fromUpdate,
  instanceIdOf,
  noCounts,
  tileOf,
  type Instance,
} from './instance';
import { needsAttention, statusOf } from './status';
import { matches, rows, type Filter, type Leaf } from './tree';
import { ago, duration, listed, reasonOf, sentence, shortInstance, toneOf, whyWaiting } from './words';

const ID = 'shop_web.instance-e7072162-2f78-5915-a15c-eac6b6afd033';

function instance(state: string, health: Instance['health'] = 'none'): Instance {
  return {
    taskId: `${ID}._app.1`,
    instanceId: ID,
    appId: '/shop/web',
    host: 'h',
    agentId: 'a',
    ports: [],
    state,
    health,
    stagedAt: null,
    startedAt: null,
    version: 'v',
    zone: null,
  };
}

function update(taskStatus: string): StatusUpdate {
  return {
    eventType: 'status_update_event',
    timestamp: '2026-11-21T14:00:00.000Z',
    slaveId: 'a',
    taskId: `${ID}._app.2`,
    taskStatus,
    message: '',
    appId: '/shop/web',
    host: 'h',
    ports: [31000],
    version: 'v',
  };
}

describe('instances', () => {
  it('are drawn by state and health', () => {
    for (const [state, health, tile] of [
      ['TASK_RUNNING', 'good', 'good'],
      ['TASK_RUNNING', 'none', 'run'],
      ['TASK_RUNNING', 'bad', 'bad'],
      ['TASK_STAGING', 'none', 'wait'],
      ['TASK_KILLING', 'good', 'end'],
      ['TASK_UNREACHABLE', 'good', 'away'],
    ] as const) {
      expect(tileOf(instance(state, health)), state).toBe(tile);
    }
  });

  it('are told by the id of their task', () => {
    expect(instanceIdOf(`${ID}._app.12`)).toBe(ID);
    expect(instanceIdOf('anything')).toBe('anything');
  });

  it('are healthy when every check says so', () => {
    const task = { id: `${ID}._app.1`, healthCheckResults: [{ alive: true }] } as unknown as Task;
    expect(fromTask(task, 1).health).toBe('good');
    expect(fromTask(task, 2).health).toBe('none');
    expect(fromTask({ ...task, healthCheckResults: [{ alive: false }] } as unknown as Task, 2).health).toBe('bad');
  });

  it('keep through updates what an update does not say', () => {
    const staged = fromUpdate(update('TASK_STAGING'), undefined);
    const running = fromUpdate({ ...update('TASK_RUNNING'), timestamp: '2026-11-21T14:00:01.000Z', ports: [] }, staged);
    expect(running).toMatchObject({
      stagedAt: '2026-11-21T14:00:00.000Z',
      startedAt: '2026-11-21T14:00:01.000Z',
      ports: [31000],
      instanceId: ID,
    });
  });

  it('that end do not count as present', () => {
    const counts = countInstances([instance('TASK_RUNNING', 'good'), instance('TASK_KILLING')], 3);
    expect(counts).toEqual({ ...noCounts(), good: 1, end: 1, missing: 2 });
  });

  it('are counted from the app until they are read', () => {
    const app = { instances: 5, tasksRunning: 3, tasksHealthy: 1, tasksUnhealthy: 1, tasksStaged: 1 } as AppInfo;
    expect(countsOf(app)).toEqual({ ...noCounts(), good: 1, bad: 1, run: 1, wait: 1, missing: 1 });
  });
});

describe('status', () => {
  const queued = (overdue: boolean, unused = 0) =>
    ({
      count: 1,
      delay: { overdue, timeLeftSeconds: 3 },
      processedOffersSummary: { unusedOffersCount: unused, rejectSummaryLastOffers: [] },
    }) as unknown as QueueItem;
  const missing = { ...noCounts(), missing: 1 };

  it('is one word', () => {
    expect(statusOf(1, { ...noCounts(), good: 1 }, false, null)).toBe('running');
    expect(statusOf(0, noCounts(), false, null)).toBe('suspended');
    expect(statusOf(1, missing, true, null)).toBe('deploying');
    expect(statusOf(1, missing, true, queued(true))).toBe('deploying');
    expect(statusOf(1, missing, true, queued(true, 4))).toBe('waiting');
    expect(statusOf(1, missing, false, queued(false))).toBe('delayed');
  });

  it('asks for a look when something does not go on by itself', () => {
    expect(needsAttention('running', { ...noCounts(), good: 1 })).toBe(false);
    expect(needsAttention('deploying', missing)).toBe(false);
    expect(needsAttention('running', { ...noCounts(), bad: 1 })).toBe(true);
    expect(needsAttention('waiting', missing)).toBe(true);
  });
});

describe('the tree', () => {
  const leaf = (id: string, labels = {}): Leaf => ({
    kind: 'app',
    id,
    labels,
    counts: { ...noCounts(), good: 1 },
    wanted: 1,
    status: 'running',
    health: 'good',
  });
  const all: Filter = { text: '', statuses: [], healths: [], group: '', troubled: false };
  const leaves = [leaf('/b'), leaf('/shop/web', { team: 'a' }), leaf('/shop/db/main'), leaf('/a')];
  const shown = (filter: Partial<Filter>, closed: string[] = []) =>
    rows(leaves, { ...all, ...filter }, new Set(closed)).map(
      (row) => `${'.'.repeat(row.depth)}${row.name}${row.kind === 'group' ? '/' : ''}`,
    );

  it('has groups before apps', () => {
    expect(shown({})).toEqual(['shop/', '.db/', '..main', '.web', 'a', 'b']);
  });

  it('hides what is below a closed group, and counts it', () => {
    expect(shown({}, ['/shop'])).toEqual(['shop/', 'a', 'b']);
    expect(rows(leaves, all, new Set(['/shop']))[0]).toMatchObject({ apps: 2, pods: 0, wanted: 2 });
    const pod: Leaf = { ...leaf('/shop/pair'), kind: 'pod' };
    expect(rows([...leaves, pod], all, new Set(['/shop']))[0]).toMatchObject({ apps: 2, pods: 1, wanted: 3 });
  });

  it('is narrowed by text, label and group', () => {
    expect(shown({ text: 'WEB' })).toEqual(['shop/', '.web']);
    expect(shown({ text: 'team=a' })).toEqual(['shop/', '.web']);
    expect(shown({ group: '/shop/db' })).toEqual(['shop/', '.db/', '..main']);
    expect(shown({ statuses: ['waiting'] })).toEqual([]);
    expect(matches(leaf('/shop/web'), 'web shop')).toBe(true);
  });
});

describe('words', () => {
  it('tell times', () => {
    expect([500, 59_999, 60_000, 3_600_000, 26 * 3_600_000, 72 * 3_600_000].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min',
      '1 h',
      '26 h',
      '3 d',
    ]);
    expect(ago('2026-11-21T14:00:00.000Z', Date.parse('2026-11-21T14:05:00.000Z'))).toBe('5 min ago');
    expect(ago('2026-11-21T14:00:00.000Z', Date.parse('2026-11-25T14:05:00.000Z'))).toBe('2026-11-21');
    expect(ago('not a time', 0)).toBe('not a time');
  });

  it('list', () => {
    expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd']].map((items) => listed(items))).toEqual([
      '',
      'a',
      'a and b',
      'a, b and c',
      'a, b and 2 more',
    ]);
  });

  it('shorten ids to what tells them apart', () => {
    expect(shortInstance(`${ID}._app.1`)).toBe('e7072162');
    expect(shortInstance(`${ID}._app.3`)).toBe('e7072162·3');
    expect(shortInstance('other')).toBe('other');
  });

  it('say why something waits', () => {
    const row = (reason: string, declined: number, processed: number) => ({ reason, declined, processed });
    expect(
      whyWaiting([row('UnfulfilledRole', 0, 3), row('InsufficientCpus', 2, 3), row('InsufficientMemory', 1, 1)]),
    ).toBe('Of 3 offers, 2 have too little cpu and 1 has too little memory.');
    expect(whyWaiting([row('UnfulfilledRole', 0, 0)])).toBe('No agent has offered anything yet.');
    expect(reasonOf(null, { ...noCounts(), bad: 2 }, null)).toBe('2 instances fail their health checks.');
  });

  it('make a sentence of every event', () => {
    const plan = {
      id: 'd',
      version: 'v',
      steps: [{ actions: [{ action: 'ScaleApplication' as const, app: '/web' }] }],
    };
    const at = { timestamp: '2026-11-21T14:00:00.000Z' };
    const events: [ClusterEvent, string, string, string | null][] = [
      [update('TASK_FAILED'), 'e7072162·2 has failed on h', 'bad', '/shop/web'],
      [
        { ...at, eventType: 'deployment_info', plan, currentStep: plan.steps[0]! },
        'Deployment of /web: Scale /web',
        'wait',
        '/web',
      ],
      [
        {
          ...at,
          eventType: 'deployment_success',
          id: 'd',
          plan: { ...plan, steps: [{ actions: [{ action: 'StartPod' as const, pod: '/p' }] }] },
        },
        'Deployment of /p is done',
        'good',
        '/p',
      ],
      [
        { ...at, eventType: 'deployment_failed', id: 'd', plan, reason: 'cancelled' },
        'Deployment of /web has ended: cancelled',
        'bad',
        '/web',
      ],
      [
        { ...at, eventType: 'instance_health_changed_event', instanceId: ID, runSpecId: '/web', healthy: null },
        'e7072162 is not judged yet',
        'plain',
        '/web',
      ],
      [{ ...at, eventType: 'scheduler_disconnected_event' }, 'The master is out of contact', 'away', null],
    ];
    for (const [event, text, tone, app] of events)
      expect([sentence(event), toneOf(event), appOf(event)]).toEqual([text, tone, app]);
  });
});
