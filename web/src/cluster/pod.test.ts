import { describe, expect, it } from 'vitest';
import type { ContainerStatus, PodInstance, PodStatus } from '../api/schema';
import { podOfUri, podsOfPlan } from './events';
import { tileOf } from './instance';
import { healthOfContainer, instancesOf, isOfPod, programOf, resourcesOf, tileOfContainer, versionOf } from './pod';
import { kindsWords, policyWords } from './words';

const ID = 'shop_pair.instance-e7072162-2f78-5915-a15c-eac6b6afd033';

function container(status: string, healthy?: 'true' | 'false'): ContainerStatus {
  const conditions = healthy ? [{ name: 'healthy', value: healthy }] : [];
  return {
    name: 'web',
    status,
    conditions,
    endpoints: [{ name: 'http', allocatedHostPort: 31000 }],
  } as unknown as ContainerStatus;
}

/** A pod of one instance, whose first container is checked. */
function told(containers: ContainerStatus[], more: Partial<PodInstance> = {}): PodStatus {
  const instance = {
    id: ID,
    status: 'STABLE',
    agentId: 'a',
    agentHostname: 'h',
    specReference: '/v2/pods/shop/pair::versions/2026-11-21T14:00:00.000Z',
    containers,
    ...more,
  };
  const spec = { containers: [{ name: 'web', healthCheck: {} }, { name: 'side' }] };
  return { id: '/shop/pair', spec, instances: [instance] } as unknown as PodStatus;
}

describe('pods', () => {
  it('are told from apps by the ids of their tasks', () => {
    expect(isOfPod(`${ID}.web.1`)).toBe(true);
    expect(isOfPod(`${ID}._app.1`)).toBe(false);
    expect(isOfPod(ID)).toBe(false);
    expect(isOfPod('anything')).toBe(false);
  });

  it('draw a container by state and health', () => {
    for (const [status, healthy, tile] of [
      ['TASK_RUNNING', 'true', 'good'],
      ['TASK_RUNNING', 'false', 'bad'],
      ['TASK_RUNNING', undefined, 'run'],
      ['TASK_STARTING', undefined, 'wait'],
      ['TASK_KILLING', 'true', 'end'],
      ['TASK_FAILED', undefined, 'end'],
      ['TASK_UNREACHABLE', 'true', 'away'],
    ] as const) {
      expect(tileOfContainer(container(status, healthy)), status).toBe(tile);
    }
    expect(healthOfContainer(container('TASK_RUNNING'))).toBe('none');
  });

  it('draw an instance as its least well container', () => {
    const side = container('TASK_RUNNING');
    for (const [containers, tile] of [
      [[container('TASK_RUNNING', 'true'), side], 'good'],
      [[container('TASK_RUNNING'), side], 'run'],
      [[container('TASK_RUNNING', 'false'), side], 'bad'],
      [[container('TASK_RUNNING', 'true'), container('TASK_FAILED')], 'bad'],
      [[container('TASK_RUNNING', 'true'), container('TASK_STARTING')], 'wait'],
      [[container('TASK_KILLING', 'true'), side], 'end'],
      [[container('TASK_UNREACHABLE', 'true'), side], 'away'],
      [[], 'wait'],
    ] as const) {
      const instances = instancesOf(told([...containers]));
      expect(instances.map(tileOf), JSON.stringify(containers)).toEqual([tile]);
    }
    const [instance] = instancesOf(told([container('TASK_RUNNING', 'true')]));
    expect(instance).toMatchObject({
      appId: '/shop/pair',
      host: 'h',
      ports: [31000],
      version: '2026-11-21T14:00:00.000Z',
    });
  });

  it('count an instance without a machine as not there', () => {
    expect(instancesOf(told([], { agentId: null, status: 'PENDING' }))).toEqual([]);
  });

  it('take what their containers take, and what holds them together', () => {
    const containers = [
      { name: 'a', resources: { cpus: 0.5, mem: 32 } },
      { name: 'b', resources: { cpus: 0.25, mem: 16 } },
    ];
    const pod = { id: '/p', containers, executorResources: { cpus: 0.25, mem: 8 } } as never;
    expect(resourcesOf(pod)).toEqual({ cpus: 1, mem: 56 });
  });

  it('name what a container runs', () => {
    expect(programOf({ exec: { command: { shell: 'a | b' } } } as never)).toBe('a | b');
    expect(programOf({ exec: { command: { argv: ['a', 'b'] } } } as never)).toBe('a b');
    expect(programOf({ image: { id: 'x' } } as never)).toBe('');
    expect(versionOf('/v2/pods/p::versions/v')).toBe('v');
  });

  it('are found in what events say', () => {
    expect(podOfUri('/v2/pods/shop/pair?force=true')).toBe('/shop/pair');
    expect(podOfUri('/v2/pods/shop/pair::instances/x')).toBe('/shop/pair');
    expect(podOfUri('/v2/pods')).toBeNull();
    expect(podOfUri('/v2/pods?force=true')).toBeNull();
    expect(podOfUri('/v2/apps/x')).toBeNull();
    const actions = [{ action: 'StartPod' as const, pod: '/p' }];
    expect(podsOfPlan({ id: 'd', version: 'v', steps: [{ actions }, { actions }] })).toEqual(['/p']);
  });
});

describe('words about pods and deployments', () => {
  it('count apps and pods', () => {
    expect([kindsWords(0, 0), kindsWords(1, 0), kindsWords(0, 2), kindsWords(3, 1)]).toEqual([
      '0 apps',
      '1 app',
      '2 pods',
      '4 apps and pods',
    ]);
  });

  it('say how deployments go about something', () => {
    const policy = { onFailure: 'rollback' as const, replaceBeforeKill: false };
    expect(policyWords(null)).toHaveLength(1);
    expect(policyWords(policy)).toEqual(['It may take for ever.']);
    expect(
      policyWords({
        ...policy,
        progressDeadlineSeconds: 90,
        minimumHealthyTimeSeconds: 5,
        maxKillsPerMinute: 1,
        replaceBeforeKill: true,
      }),
    ).toEqual([
      'What makes no progress for 1 min has failed, and is rolled back.',
      'A new instance counts after 5 s of service.',
      'At most 1 instance is ended in a minute.',
      'An old instance ends when a new one serves in its place.',
    ]);
  });
});
