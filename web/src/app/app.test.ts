import { describe, expect, it, vi } from 'vitest';
import { refusal, idPath, withQuery } from '../api/client';
import { LogText } from '../screens/app/log-text';
import { errorShare, together } from '../screens/app/traffic';
import { allows } from './account.svelte';
import { rank } from './rank';

vi.stubGlobal('location', { pathname: '/ui/', search: '' });
vi.stubGlobal('history', { scrollRestoration: '' });
vi.stubGlobal('window', { addEventListener: () => undefined });
const { links, read } = await import('./router.svelte');
const { pageOf } = await import('../screens/editor/subject');

describe('addresses', () => {
  it('name screens and apps', () => {
    for (const [path, screen, id] of [
      ['/ui', 'overview', ''],
      ['/ui/', 'overview', ''],
      ['/ui/apps', 'apps', ''],
      ['/ui/apps/', 'apps', ''],
      ['/ui/apps/shop/web', 'app', '/shop/web'],
      ['/ui/apps/new', 'app', '/new'],
      ['/ui/edit/shop/web', 'edit', '/shop/web'],
      ['/ui/pods', 'apps', ''],
      ['/ui/pods/shop/pair', 'pod', '/shop/pair'],
      ['/ui/edit-pod/shop/pair', 'editPod', '/shop/pair'],
      ['/ui/edit-group/shop', 'editGroup', '/shop'],
      ['/ui/__proto__/x', 'unknown', ''],
      ['/ui/apps/%3Cb%3E', 'app', '/<b>'],
      ['/ui/apps/%', 'app', '/%'],
      ['/ui/nothing', 'unknown', ''],
      ['/ui/events/x', 'unknown', ''],
    ] as const) {
      expect(read(path), path).toEqual({ screen, id });
    }
  });

  it('of any id lead back to it', () => {
    for (const id of ['/a', '/a/b-c', '/"><svg onload=x>', '/a b', '/ü?x#y&z', '/%2F']) {
      expect(read(new URL(links.app(id), 'http://h').pathname)).toEqual({ screen: 'app', id });
      expect(read(new URL(links.pod(id), 'http://h').pathname)).toEqual({ screen: 'pod', id });
      expect(new URL(links.group(id), 'http://h').searchParams.get('in')).toBe(id);
    }
  });

  it('encode what means something in them', () => {
    expect(idPath('/a/b?c')).toBe('/a/b%3Fc');
    expect(withQuery('/v2/apps', { embed: ['a', 'b'], id: undefined, force: true })).toBe(
      '/v2/apps?embed=a&embed=b&force=true',
    );
  });
});

describe('what was written', () => {
  it('has a page, wherever its id was written from', () => {
    expect(pageOf('app', '{"id":"web"}')).toBe('/ui/apps/web');
    expect(pageOf('pod', '{"id":"/shop/pair/"}')).toBe('/ui/pods/shop/pair');
    expect(pageOf('group', '{"id":"/shop"}')).toBe('/ui/apps?in=/shop');
  });
});

describe('refusals', () => {
  it('keep what the server said', () => {
    const locked = refusal(409, '{"message":"App is locked","deployments":[{"id":"d"}]}');
    expect([locked.message, locked.locked, locked.deployments]).toEqual(['App is locked', true, ['d']]);
    expect(refusal(409, '{"message":"exists"}').locked).toBe(false);
    expect(refusal(400, '{"message":"Invalid JSON","details":"at line 2"}').parser).toBe('at line 2');
  });

  it('say something when a proxy answered', () => {
    for (const text of ['<html>', '', 'null', '[]', '{"message":1}'])
      expect(refusal(502, text).message).toBe('The server answered with status 502.');
  });
});

describe('finding', () => {
  const find = (items: string[], text: string, here = '') =>
    rank(
      items,
      text,
      (item) => item,
      (item) => item === here,
    );

  it('puts what begins a word first, then what is shorter', () => {
    expect(find(['/shop/newsweb', '/shop/web', '/web'], 'web')).toEqual(['/web', '/shop/web', '/shop/newsweb']);
    expect(find(['Scale /b/web', 'Restart /b/web'], 'scweb')).toEqual(['Scale /b/web']);
    expect(find(['Scale /a', 'Scale /shop/web'], 'scale', 'Scale /shop/web')[0]).toBe('Scale /shop/web');
    expect(find(['a'], 'xyz')).toEqual([]);
    expect(find(['b', 'a'], ' ')).toEqual(['b', 'a']);
  });
});

describe('logs', () => {
  const text = (log: LogText) => log.chunks.map((chunk) => chunk.text).join('');

  it('hold what was appended, in chunks that end with a line', () => {
    const log = new LogText();
    const whole = Array.from({ length: 5_000 }, (_, index) => `line ${index} ${'x'.repeat(index % 50)}\n`).join('');
    for (let at = 0; at < whole.length; at += 777) log.append(whole.slice(at, at + 777));
    expect(text(log)).toBe(whole);
    expect(log.chunks.length).toBeGreaterThan(5);
    for (const chunk of log.chunks.slice(0, -1)) expect(chunk.text.endsWith('\n')).toBe(true);
  });

  it('forget the oldest', () => {
    const log = new LogText();
    for (let index = 0; index < 200; index += 1) log.append(`${'y'.repeat(15_999)}\n`);
    expect(text(log).length).toBeLessThanOrEqual(1_000_000);
    log.append('last');
    expect(text(log).endsWith('last')).toBe(true);
  });

  it('leave out what only a terminal understands', () => {
    const log = new LogText();
    log.append('\u001b[31mred\u001b[0m \u001b]0;title\u0007ok\r\n');
    expect(text(log)).toBe('red ok\n');
  });
});

describe('traffic', () => {
  it('of several balancers adds up, but for times', () => {
    const part = { requests: 10, requestsPerSecond: 1, errors: 1, connections: 2, bytesIn: 3, bytesOut: 4 };
    expect(together([{ ...part, p50Ms: 1, p99Ms: 9 }, part])).toMatchObject({
      requests: 20,
      errors: 2,
      p50Ms: 1,
      p99Ms: 9,
    });
    expect(together([part]).p99Ms).toBeNull();
    expect(errorShare({ requests: 0, errors: 0 })).toBe(0);
  });
});

describe('what one may do', () => {
  const grants = [
    { path: '/shop', permissions: ['view', 'update'] as const },
    { path: '/bank/web', permissions: ['admin'] as const },
  ].map(({ path, permissions }) => ({ path, permissions: [...permissions] }));

  it('holds for a path and everything below it', () => {
    for (const [permission, path, allowed] of [
      ['update', '/shop', true],
      ['update', '/shop/web', true],
      ['update', '/shopping', false],
      ['delete', '/shop/web', false],
      ['delete', '/bank/web', true],
      ['view', '/bank/web/x', true],
      ['view', '/bank', false],
      ['view', '/', false],
    ] as const) {
      expect(allows(grants, permission, path), `${permission} ${path}`).toBe(allowed);
    }
    expect(allows([{ path: '/', permissions: ['exec'] }], 'view', '/anything')).toBe(true);
    expect(allows([{ path: '/', permissions: [] }], 'view', '/')).toBe(false);
  });
});
