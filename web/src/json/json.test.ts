import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/client';
import type { Group } from '../api/schema';
import { complete, plainGroup, pretty, written, writtenGroup } from './definition';
import { condense, diff } from './diff';
import { marksOf, ownMarks } from './faults';
import { lineOf, locate, placeOf } from './locate';
import { tokens } from './tokens';

const TEXT = `{
  "id": "/web",
  "healthChecks": [
    { "protocol": "HTTP" },
    {
      "portIndex": 7
    }
  ],
  "env": { "a/b": "x" }
}`;

describe('places', () => {
  const lineAt = (path: string) => {
    const span = placeOf(locate(TEXT).spans, path);
    return span && lineOf(TEXT, span.start);
  };

  it('are found by the paths of the server', () => {
    for (const [path, line] of [
      ['/', 0],
      ['/id', 1],
      ['/healthChecks', 2],
      ['/healthChecks(0)', 3],
      ['/healthChecks(1)', 4],
      ['/healthChecks(1)/portIndex', 5],
      ['/env/a/b', 8],
    ] as const) {
      expect(lineAt(path), path).toBe(line);
    }
  });

  it('are those of what encloses a value that is not written', () => {
    expect(lineAt('/healthChecks(1)/path')).toBe(4);
    expect(lineAt('/healthChecks(5)/path')).toBe(2);
    expect(lineAt('/nothing')).toBe(0);
  });

  it('in an array of apps begin with its index', () => {
    const text = '[\n {"id": 1}\n]';
    expect(placeOf(locate(text).spans, '/(0)/id')?.start).toBe(4);
  });
});

describe('a text that is not JSON', () => {
  it('has its fault where it begins', () => {
    for (const [text, offset] of [
      ['', 0],
      ['{"a":}', 5],
      ['{"a":1,}', 7],
      ['{"a":1 "b":2}', 7],
      ['{"a":01}', 6],
      ["{'a':1}", 1],
      ['[1,2', 4],
      ['{"a":"x\ny"}', 5],
      ['{} x', 3],
      ['nul', 0],
    ] as const) {
      expect(locate(text).fault?.offset, text).toBe(offset);
    }
  });

  it('is told from JSON as the language tells it', () => {
    for (const text of [
      '{}',
      ' [1,-2.5e3,"\\u00e9",null,true] ',
      '{"a":{"b":[[]]}}',
      '"x"',
      '0',
      '[1,]',
      '{"a"}',
      '-',
      '"\\x"',
      '1.',
    ]) {
      const isJson = (() => {
        try {
          JSON.parse(text);
          return true;
        } catch {
          return false;
        }
      })();
      expect(locate(text).fault === null, text).toBe(isJson);
    }
  });

  it('does not exhaust the stack', () => {
    expect(locate('['.repeat(1_000_000)).fault?.message).toMatch(/nested/);
  });
});

describe('faults', () => {
  it('of the server stand at their lines', () => {
    const error = new ApiError(422, 'Object is not valid', [
      { path: '/healthChecks(1)/portIndex', errors: ['must address a port'] },
      { path: '/', errors: ['neither cmd nor args'] },
      { path: '/cmd', errors: ['error.path.missing'] },
    ]);
    expect(marksOf(error, TEXT)).toEqual([
      { line: 5, path: '/healthChecks(1)/portIndex', text: 'must address a port' },
      { line: null, path: '/', text: 'neither cmd nor args' },
      { line: 0, path: '/cmd', text: 'This must be set.' },
    ]);
  });

  it('of a parser are read from its words', () => {
    const error = new ApiError(400, 'Invalid JSON', [], 'expected `,` at line 3 column 5');
    expect(marksOf(error, TEXT)[0]?.line).toBe(2);
  });

  it('are seen before the server is asked', () => {
    expect(ownMarks(TEXT)).toEqual([]);
    expect(ownMarks(TEXT.replace('7', '7,'))[0]).toMatchObject({ line: 6 });
  });
});

describe('differences', () => {
  /** What the lines say about each text must be the text. */
  const check = (before: string, after: string) => {
    const lines = diff(before, after);
    const side = (left: 'gone' | 'new') =>
      lines.filter(({ kind }) => kind === 'same' || kind === left).map(({ text }) => text);
    expect(side('gone').join('\n')).toBe(before);
    expect(side('new').join('\n')).toBe(after);
    return lines;
  };

  it('keep what is the same', () => {
    expect(check('a\nb\nc', 'a\nx\nc').map(({ kind }) => kind)).toEqual(['same', 'gone', 'new', 'same']);
    expect(check('a\nb', 'a\nb').every(({ kind }) => kind === 'same')).toBe(true);
    expect(check('a', 'a\nb\nc').filter(({ kind }) => kind === 'new')).toHaveLength(2);
  });

  it('are right for any two texts', () => {
    let seed = 3;
    const next = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    const text = () => Array.from({ length: next(12) + 1 }, () => 'abcd'[next(4)]).join('\n');
    for (let round = 0; round < 500; round += 1) check(text(), text());
  });

  it('leave out what is far from a change', () => {
    const before = Array.from({ length: 40 }, (_, index) => String(index)).join('\n');
    const pieces = condense(diff(before, before.replace('20', 'x')));
    expect(pieces.map((piece) => (piece.kind === 'skipped' ? piece.count : piece.lines.length))).toEqual([17, 8, 16]);
  });
});

describe('groups', () => {
  const group = {
    id: '/shop',
    version: 'v',
    dependencies: [],
    enforceRole: true,
    apps: [{ id: '/shop/web', cmd: 'x', version: 'v', tasksRunning: 1, labels: {} }],
    pods: [{ id: '/shop/pair', status: 'STABLE', spec: { id: '/shop/pair', version: 'v', containers: [1] } }],
    groups: [{ id: '/shop/in', version: 'v', dependencies: ['/db'], apps: [], pods: [], groups: [] }],
  } as unknown as Group;

  it('are written with their apps at every depth, without their pods', () => {
    expect(JSON.parse(writtenGroup(group))).toEqual({
      id: '/shop',
      enforceRole: true,
      apps: [{ id: '/shop/web', cmd: 'x' }],
      groups: [{ id: '/shop/in', dependencies: ['/db'], apps: [], groups: [] }],
    });
  });

  it('are compared with their pods', () => {
    expect(plainGroup(group)).toMatchObject({
      apps: [{ id: '/shop/web', cmd: 'x' }],
      pods: [{ id: '/shop/pair', containers: [1] }],
      groups: [{ id: '/shop/in' }],
    });
  });
});

describe('definitions', () => {
  it('are written without what is not set and what the server adds', () => {
    const definition = {
      id: '/a',
      cmd: 'x',
      args: null,
      env: {},
      gpus: 0,
      cpus: 0,
      version: 'v',
      tasks: [],
      constraints: [['hostname', 'UNIQUE']],
    };
    expect(JSON.parse(written(definition))).toEqual({
      id: '/a',
      cmd: 'x',
      cpus: 0,
      constraints: [['hostname', 'UNIQUE']],
    });
    expect(JSON.parse(complete(definition))).toHaveProperty('args', null);
  });

  it('keep small lists on a line', () => {
    expect(pretty({ a: ['x', 1], b: [{ c: [] }], d: {} })).toBe(
      '{\n  "a": ["x", 1],\n  "b": [\n    {\n      "c": []\n    }\n  ],\n  "d": {}\n}',
    );
  });
});

describe('tokens', () => {
  it('hold every character, whatever was typed', () => {
    for (const text of [TEXT, '{"a', '"\\', '<img src=x>', '\t{ é : 1.5e9 ,tru', '']) {
      const joined = tokens(text)
        .map((line) => line.map((token) => token.text).join(''))
        .join('\n');
      expect(joined).toBe(text);
    }
  });

  it('tell names from texts', () => {
    expect(
      tokens('{"a": "b", "c" : 1}')[0]
        ?.filter(({ text }) => text.startsWith('"'))
        .map(({ kind }) => kind),
    ).toEqual(['name', 'text', 'name']);
  });
});
