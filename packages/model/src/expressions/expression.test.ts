import { expect, test } from 'vitest';
import { processorMs } from '../../../../test/fixtures/processor-time.ts';
import { compileExpression, durationAttribute } from './expression.ts';

const ATTRIBUTES = {
  request: {
    path: '/log?all',
    url_path: '/log',
    headers: { 'x-user': 'ada' },
    duration: durationAttribute(1_500),
  },
  response: { code: 404n },
};

function outcomeOf(text: string): unknown {
  const compiled = compileExpression(text);
  if (!compiled.ok) return `refused: ${compiled.error}`;
  const result = compiled.value.evaluate(ATTRIBUTES);
  return result.ok ? result.value : `no value: ${result.error}`;
}

test.for<[string, unknown]>([
  ["response.code >= 400 || request.path == '/log'", true],
  ['response.code in [200, 204]', false],
  ["request.url_path.contains('lo') && !request.path.startsWith('/x')", true],
  ["request.headers['x-user'] == 'ada'", true],
  ["has(request.headers.x_none) || 'x-user' in request.headers", true],
  ["request.duration > duration('1s')", true],
  ["request.path.matches('^/l.g')", true],
  ["matches(request.path, 'none$')", false],
  ["['/log'].exists(p, p.matches('^/l'))", true],
  // What is not there has no value, but does not hinder what holds without it.
  ["connection.mtls || request.path != ''", true],
  ['connection.mtls', 'no value: Unknown variable: connection'],
  ['request.none', 'no value: No such key: none'],
])('%s is %s', ([text, value]) => {
  expect(outcomeOf(text)).toBe(value);
});

test('names the attributes that it looks at', () => {
  const compiled = compileExpression("request.method == 'GET' || response.code > 499");
  expect(compiled.ok && [...compiled.value.roots]).toEqual(['request', 'response']);
});

test.for([
  ['response.code >', 'Unexpected token'],
  ['nothing_known(request.path)', 'found no matching overload'],
  [`request.path == '${'x'.repeat(5_000)}'`, 'is longer than 4096 characters'],
  ['[1].all(a, [1].all(b, [1].all(c, c == 1)))', 'has more than 2 loops within each other'],
])('refuses %s', ([text, reason]) => {
  expect(outcomeOf(text!)).toContain(`refused: ${reason}`);
});

test('a text that each turn of a loop makes many times longer is refused', () => {
  const many = Array.from({ length: 90 }, () => 'a').join('+');
  expect(outcomeOf(`[request.path].map(a, ${many}).map(a, ${many})[0].contains('b')`)).toBe(
    'refused: has more than 8 additions within loops',
  );
  expect(outcomeOf("['/'].exists(a, a + 'log?all' == request.path)")).toBe(true);
});

test('a pattern whose repetitions would fill the memory has no value', () => {
  const pattern = 'a{1000}'.repeat(140);
  const tookMs = processorMs(() =>
    expect(outcomeOf(`'aaa'.matches('${pattern}')`)).toBe('no value: the pattern is too large'),
  );
  expect(tookMs).toBeLessThan(200);
});

test('a pattern that would make a backtracking engine try for ever is done at once', () => {
  const tookMs = processorMs(() =>
    expect(outcomeOf(`'${'a'.repeat(60)}b'.matches('^(a+)+$')`)).toBe(false),
  );
  expect(tookMs).toBeLessThan(1_000);
});
