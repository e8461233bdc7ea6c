import { expect, test } from 'vitest';
import {
  booleanKey,
  choiceKey,
  describeProblems,
  durationKey,
  integerKey,
  parseEnv,
  redactConfig,
  stringKey,
} from './config.ts';

const SCHEMA = {
  node: stringKey('NODE_NAME', 'This node.'),
  workers: integerKey('WORKERS', 'Threads.', { default: 2, min: 1, max: 64 }),
  drainMs: durationKey('DRAIN', 'Drain deadline.', { default: 5000 }),
  dns: booleanKey('DNS_PROXY', 'Serve DNS.', { default: false }),
  format: choiceKey('LOG_FORMAT', 'Log lines.', { default: 'plain', choices: ['plain', 'json'] }),
  token: stringKey('TOKEN', 'Secret.', { default: 't', secret: true }),
};

test('every mistake is reported in one go', () => {
  const parsed = parseEnv(SCHEMA, {
    WORKERS: 'many',
    DRAIN: '5',
    DNS_PROXY: '1',
    LOG_FORMAT: 'xml',
  });
  expect(parsed.ok).toBe(false);
  if (parsed.ok) return;
  expect(parsed.error.map(({ key }) => key)).toEqual([
    'NODE_NAME',
    'WORKERS',
    'DRAIN',
    'DNS_PROXY',
    'LOG_FORMAT',
  ]);
  expect(describeProblems(parsed.error)).toContain('WORKERS: expected a whole number from 1 to 64');
});

test('defaults fill what is unset and an empty value counts as unset', () => {
  const parsed = parseEnv(SCHEMA, { NODE_NAME: 'n1', WORKERS: '', DRAIN: '1m' });
  expect(parsed).toEqual({
    ok: true,
    value: { node: 'n1', workers: 2, drainMs: 60_000, dns: false, format: 'plain', token: 't' },
  });
});

test('secrets do not reach the config dump', () => {
  const parsed = parseEnv(SCHEMA, { NODE_NAME: 'n1', TOKEN: 'abc' });
  if (!parsed.ok) throw new Error('valid configuration was refused');
  expect(redactConfig(SCHEMA, parsed.value).token).toBe('(secret)');
});

test.for([
  [0, '0s'],
  [25, '25ms'],
  [1500, '1500ms'],
  [90_000, '90s'],
  [86_400_000, '24h'],
] as const)('a default of %i ms is shown as %s, which the key reads', ([ms, shown]) => {
  const key = durationKey('TTL', 'Lifetime.', { default: ms });
  expect(key.defaultText).toBe(shown);
  expect(key.parse(shown)).toBe(ms);
});
