import { expect, test } from 'vitest';
import { bare, createLogger, type LogOptions } from './logger.ts';

function linesOf(options: Pick<LogOptions, 'format' | 'levels'>): {
  lines: string[];
  log: ReturnType<typeof createLogger>;
} {
  const lines: string[] = [];
  const now = () => new Date('2026-01-02T03:04:05.678Z');
  return {
    lines,
    log: createLogger('xds', { ...options, now, write: (text) => lines.push(text) }),
  };
}

test('a plain line has tab-separated time, level, scope, message and fields', () => {
  const { lines, log } = linesOf({ format: 'plain' });
  log.info('stream opened', { url: bare('istiod:15012'), attempt: 2, why: 'first', none: null });
  expect(lines).toEqual([
    '2026-01-02T03:04:05.678000Z\tinfo\txds\tstream opened\turl=istiod:15012 attempt=2 why="first"\n',
  ]);
});

test('text is quoted as JSON would quote it', () => {
  const { lines, log } = linesOf({ format: 'plain' });
  const values = ['a"b', 'a\\b', 'a\tb', 'ä', '\u2028', '~ !#[]', ''];
  for (const value of values) log.info('', { value });
  const shown = lines.map((line) => line.slice(line.indexOf('value=') + 'value='.length, -1));
  expect(shown).toEqual(values.map((value) => JSON.stringify(value)));
});

test('a JSON line keeps dotted field names', () => {
  const { lines, log } = linesOf({ format: 'json' });
  log.scope('access').warn('connection failed', { 'src.addr': bare('10.0.0.5:1') });
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'warn',
    time: '2026-01-02T03:04:05.678000Z',
    scope: 'access',
    message: 'connection failed',
    'src.addr': '10.0.0.5:1',
  });
});

test.for(['constructor', 'access=toString', 'loud', '=', 'a=b=c', ''])(
  'the level %j means nothing, and changes nothing',
  (levels) => {
    const { lines, log } = linesOf({ format: 'plain', levels });
    log.info('still here');
    expect(lines).toHaveLength(1);
  },
);

test('levels are chosen per scope', () => {
  const { lines, log } = linesOf({ format: 'plain', levels: 'warn,access=debug' });
  log.info('left out');
  log.scope('access').debug('kept');
  expect(lines).toHaveLength(1);
});

test('every line has its own time', () => {
  const times = [
    '2026-01-02T03:04:05.009Z',
    '2026-01-02T03:04:05.010Z',
    '1969-12-31T23:59:59.999Z',
  ];
  const left = times.map((time) => new Date(time));
  const lines: string[] = [];
  const write = (text: string) => lines.push(text);
  const log = createLogger('xds', { format: 'plain', now: () => left.shift()!, write });
  for (const _time of times) log.info('line');
  expect(lines.map((line) => line.split('\t')[0])).toEqual(
    times.map((time) => time.replace('Z', '000Z')),
  );
});
